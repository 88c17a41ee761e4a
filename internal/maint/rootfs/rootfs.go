package rootfs

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"syscall"

	"github.com/hardpan/hardpan/internal/tree"
)

// FS is the file system of an image.
type FS struct {
	Tree *tree.Tree
	Time int64 // of what is made, seconds since 1970

	// Origin is that of what is made and changed from now on. What is written to an
	// open file has the one from when it was opened.
	Origin *tree.Origin
	// User is who does it, and who gets what is made; the zero value is root.
	User User
	// MaxWritten bounds the content that may be written in all, bytes, with some for
	// each path that is made or moved; 0 is no bound.
	MaxWritten int64

	written int64
	inodes  map[string]*inode // by path: files that are open or that scripts gave further names
	dirty   []*inode          // with content that the tree does not have yet
	recent  *inode            // that was written last

	unsealed *SealedError // of the first try to read what is sealed
}

// New returns the file system of t, whose new paths get that time.
func New(t *tree.Tree, time int64) *FS {
	return &FS{Tree: t, Time: time, inodes: map[string]*inode{}}
}

// LimitError says that scripts wrote more than an image may get from them.
type LimitError struct{ Limit int64 }

func (e *LimitError) Error() string {
	return fmt.Sprintf("more than %d MB written, which is the limit for maintainer scripts", e.Limit>>20)
}

// nodeCost is what a path counts for against MaxWritten, bytes: without content it
// takes memory too.
const nodeCost = 512

// charge counts n bytes as written.
func (f *FS) charge(n int64) error {
	f.written += n
	if f.MaxWritten > 0 && f.written > f.MaxWritten {
		return &LimitError{f.MaxWritten}
	}
	return nil
}

func fail(op, name string, err error) error {
	return &fs.PathError{Op: op, Path: name, Err: err}
}

// Stat returns the node that name leads to; for a further name of a file, that file,
// so that two names of one file give the same node.
func (f *FS) Stat(name string) (*tree.Node, error) { return f.stat("stat", name, true) }

// Lstat is Stat, but a link in the last place is not followed.
func (f *FS) Lstat(name string) (*tree.Node, error) { return f.stat("lstat", name, false) }

func (f *FS) stat(op, name string, follow bool) (*tree.Node, error) {
	f.flush()
	at, err := f.resolve(op, name, follow)
	if err != nil {
		return nil, err
	}
	if at.node == nil {
		return nil, fail(op, name, syscall.ENOENT)
	}
	if at.slash && at.node.Type != tree.Dir {
		return nil, fail(op, name, syscall.ENOTDIR)
	}
	return f.file(at.node), nil
}

// Exists reports whether name leads to anything.
func (f *FS) Exists(name string) bool { _, err := f.Stat(name); return err == nil }

// IsDir reports whether name leads to a directory.
func (f *FS) IsDir(name string) bool {
	n, err := f.Stat(name)
	return err == nil && n.Type == tree.Dir
}

// Readlink returns the target of the link at name.
func (f *FS) Readlink(name string) (string, error) {
	n, err := f.stat("readlink", name, false)
	if err != nil {
		return "", err
	}
	if n.Type != tree.Symlink {
		return "", fail("readlink", name, syscall.EINVAL)
	}
	return n.Link, nil
}

// ReadDir returns the names in a directory, sorted. The caller may not change them.
func (f *FS) ReadDir(name string) ([]string, error) {
	n, err := f.stat("open", name, true)
	if err != nil {
		return nil, err
	}
	if n.Type != tree.Dir {
		return nil, fail("readdir", name, syscall.ENOTDIR)
	}
	return f.Tree.ReadDir(n.Path), nil
}

// ReadFile returns the content of the file that name leads to. The caller may not
// change it.
func (f *FS) ReadFile(name string) ([]byte, error) {
	n, err := f.stat("open", name, true)
	if err != nil {
		return nil, err
	}
	if n.Type == tree.Dir {
		return nil, fail("read", name, syscall.EISDIR)
	}
	return f.content(n)
}

// content returns the bytes of a file. What scripts wrote is not read again.
func (f *FS) content(n *tree.Node) ([]byte, error) {
	if err := f.read(n); err != nil {
		return nil, err
	}
	if !f.User.may(n, mayRead) {
		return nil, fail("open", abs(n.Path), syscall.EACCES)
	}
	if b, ok := n.Content.(tree.Bytes); ok {
		return slices.Clip([]byte(b)), nil
	}
	return f.Tree.ReadFile(n.Path)
}

// WriteFile makes the content of the file that name leads to b, and the file where
// there is none, with the mode perm.
func (f *FS) WriteFile(name string, b []byte, perm uint32) error {
	w, err := f.Create(name, perm)
	if err != nil {
		return err
	}
	_, err = w.Write(b)
	if cerr := w.Close(); err == nil {
		err = cerr
	}
	return err
}

// Copy makes the content of the file that name leads to that of the file that old
// leads to, and the file where there is none, with the mode perm. The bytes are not
// read, however many they are.
func (f *FS) Copy(old, name string, perm uint32) error {
	from, err := f.stat("open", old, true)
	if err != nil {
		return err
	}
	if from.Type == tree.Dir {
		return fail("read", old, syscall.EISDIR)
	}
	to, err := f.target(name, perm)
	if err != nil {
		return err
	}
	if to == from {
		return nil
	}
	if err := f.charge(from.Size); err != nil {
		return err
	}
	i := f.inodeOf(to)
	if i.open > 0 {
		b, err := f.content(from)
		if err != nil {
			return err
		}
		i.data, i.shared, i.summed = slices.Clip(b), len(b), 0
	}
	i.dirty = false // what was there is replaced
	c := *from
	c.Origin = f.Origin
	err = f.fill(i, &c)
	f.release(i)
	return err
}

// set puts n into the tree as something made or moved now. A path whose metadata only
// changes does not come here.
func (f *FS) set(op, name string, n *tree.Node) error {
	if err := f.charge(nodeCost); err != nil {
		return err
	}
	n.Layered = false
	if err := f.Tree.Set(n); err != nil {
		return fail(op, name, syscall.ENOTDIR)
	}
	f.repoint(n)
	return nil
}

// made is set for what is new: it has the time of the image and the present origin,
// and the group of a directory with the set-group-id bit, whose directories get that
// bit too (mkdir(2)).
func (f *FS) made(op, name string, n *tree.Node) error {
	if !f.mayChange(n.Path) {
		return fail(op, name, syscall.EACCES)
	}
	n.ModTime, n.Origin, n.UID, n.GID = f.Time, f.Origin, f.User.UID, f.User.GID
	if parent := f.Tree.Lookup(dirOf(n.Path)); parent != nil && parent.Mode&tree.SetGID != 0 {
		n.GID = parent.GID
		if n.Type == tree.Dir {
			n.Mode |= tree.SetGID
		}
	}
	return f.set(op, name, n)
}

// Chmod sets the mode of what name leads to.
func (f *FS) Chmod(name string, mode uint32) error {
	n, err := f.stat("chmod", name, true)
	if err != nil {
		return err
	}
	if !f.User.owns(n) {
		return fail("chmod", name, syscall.EPERM)
	}
	return f.change(n, func(c *tree.Node) { c.Mode = mode & 0o7777 })
}

// Owner keeps an owner or a group as it is, for Chown.
const Owner = ^uint32(0)

// Chown sets the owner and the group, where they are not [Owner]. follow says
// whether a link in the last place is followed. The bits that let a program run as
// its owner or group are cleared on files, and so is its capability (chown(2)).
func (f *FS) Chown(name string, uid, gid uint32, follow bool) error {
	n, err := f.stat("chown", name, follow)
	if err != nil {
		return err
	}
	if f.User.UID != 0 && (uid != Owner && uid != n.UID || gid != Owner && gid != n.GID) {
		return fail("chown", name, syscall.EPERM)
	}
	return f.change(n, func(c *tree.Node) {
		if uid != Owner {
			c.UID = uid
		}
		if gid != Owner {
			c.GID = gid
		}
		if c.Type != tree.File {
			return
		}
		c.Mode, c.Capability = c.Mode&^tree.SetUID, ""
		if c.Mode&0o010 != 0 {
			c.Mode &^= tree.SetGID
		}
	})
}

// SetCapability sets the capability of the file that name leads to, "" for none, as
// setxattr(2) of security.capability does. Only root may.
func (f *FS) SetCapability(name string, c tree.Capability) error {
	n, err := f.stat("setxattr", name, true)
	switch {
	case err != nil:
		return err
	case f.User.UID != 0:
		return fail("setxattr", name, syscall.EPERM)
	case n.Type == tree.Dir:
		return fail("setxattr", name, syscall.EINVAL)
	}
	return f.change(n, func(n *tree.Node) { n.Capability = c })
}

// Touch sets the time of what name leads to. follow says whether a link in the last
// place is followed. What is in its package's layer keeps its time: that is as good
// as any, and costs no layer.
func (f *FS) Touch(name string, time int64, follow bool) error {
	n, err := f.stat("utimes", name, follow)
	if err != nil {
		return err
	}
	return f.each(n, func(c *tree.Node) bool {
		changed := !c.Layered && c.ModTime != time
		c.ModTime = time
		return changed
	})
}

// change gives a node and its other names other metadata. The bytes stay where they
// are, and so does Layered.
func (f *FS) change(n *tree.Node, do func(*tree.Node)) error {
	return f.each(n, func(c *tree.Node) bool {
		old := *c
		do(c)
		c.Origin = f.changedFrom(&old)
		return c.Mode != old.Mode || c.UID != old.UID || c.GID != old.GID || c.Capability != old.Capability
	})
}

// each replaces a node and each other name of its file by a copy that do changed;
// do says whether there is any change.
func (f *FS) each(n *tree.Node, do func(*tree.Node) bool) error {
	for _, name := range append([]string{n.Path}, f.names(n)...) {
		c := *f.Tree.Lookup(name)
		if !do(&c) {
			continue
		}
		if err := f.Tree.Set(&c); err != nil {
			return fail("chmod", "/"+name, syscall.ENOTDIR)
		}
		f.repoint(&c)
	}
	return nil
}

// changedFrom returns the present origin for a path that had another one, which
// stays visible among its inputs.
func (f *FS) changedFrom(n *tree.Node) *tree.Origin {
	if n.Origin == nil || f.Origin == nil || n.Origin.Kind != tree.FromPackage {
		return f.Origin
	}
	o := *f.Origin
	o.Inputs = append(slices.Clone(o.Inputs), n.Origin.String())
	return &o
}

func abs(at string) string {
	if at == "." {
		return "/"
	}
	return "/" + at
}

// dirOf returns the path above one of the tree.
func dirOf(at string) string {
	if i := strings.LastIndexByte(at, '/'); i >= 0 {
		return at[:i]
	}
	return "."
}
