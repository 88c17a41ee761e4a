package files

import (
	"errors"
	"io"
	"path"
	"strings"
	"syscall"

	"github.com/hardpan/hardpan/internal/tree"
)

// leaf makes the copy of what is no directory.
func (c *copier) leaf(from, to string, src *tree.Node) error {
	var err error
	switch {
	case c.Has("symbolic-link"):
		if !strings.HasPrefix(from, "/") && path.Dir(clean(c.Path(to))) != clean(c.Dir) {
			return c.usage("%s: can make relative symbolic links only in current directory", to)
		}
		if err = c.FS.Symlink(from, c.Path(to)); err != nil {
			return c.fail(err, "cannot create symbolic link '%s' to '%s'", to, from)
		}
	case c.Has("link") && !isDevice(src):
		if err = c.FS.Link(c.Path(from), c.Path(to)); err != nil {
			return c.fail(err, "cannot create hard link '%s' to '%s'", to, from)
		}
	case src.Type == tree.Symlink:
		if err = c.FS.Symlink(src.Link, c.Path(to)); err != nil {
			return c.fail(err, "cannot create symbolic link '%s'", to)
		}
		err = c.keepAttributes(to, src, false)
	default:
		return c.regular(from, to, src)
	}
	if err != nil {
		return err
	}
	return c.tell("'%s' -> '%s'%s", from, to, c.backedUp())
}

// regular copies the content of a file.
func (c *copier) regular(from, to string, src *tree.Node) error {
	if w := c.deviceWriter(to); w != nil {
		r, err := c.Open(from)
		if err != nil {
			return c.fail(err, "cannot open '%s' for reading", from)
		}
		_, err = io.Copy(w, r)
		return err
	}
	perm := src.Mode & 0o777 &^ c.Umask
	if c.noMode {
		perm = 0o666 &^ c.Umask
	}
	err := c.content(from, to, src, perm)
	if errors.Is(err, syscall.EISDIR) && strings.HasSuffix(to, "/") {
		err = pathError(syscall.ENOTDIR)
	}
	if err != nil {
		return c.fail(err, "cannot create regular file '%s'", to)
	}
	if err := c.tell("'%s' -> '%s'%s", from, to, c.backedUp()); err != nil {
		return err
	}
	return c.keepAttributes(to, src, true)
}

// content brings the bytes over.
func (c *copier) content(from, to string, src *tree.Node, perm uint32) error {
	if !isDevice(src) && !c.Has("attributes-only") {
		return c.FS.Copy(abs(src), c.Path(to), perm)
	}
	open := c.FS.Create
	if c.Has("attributes-only") {
		open = c.FS.Append
	}
	w, err := open(c.Path(to), perm)
	if err != nil {
		return err
	}
	if isDevice(src) {
		r, err := c.Open(from)
		if err != nil {
			return err
		}
		if _, err := io.Copy(w, r); err != nil {
			return err
		}
	}
	return w.Close()
}

func abs(n *tree.Node) string { return "/" + n.Path }

// deviceWriter returns where to write for a destination that is a device, nil for a
// file.
func (j *job) deviceWriter(name string) io.Writer {
	switch clean(j.Path(name)) {
	case "/dev/null":
		return io.Discard
	case "/dev/stdout", "/dev/fd/1":
		return j.Stdout
	case "/dev/stderr", "/dev/fd/2":
		return j.Stderr
	}
	return nil
}
