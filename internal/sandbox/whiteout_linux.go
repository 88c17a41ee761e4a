package sandbox

import (
	"errors"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// Whiteouts of layers (OCI image spec, layer.md, "Whiteouts").
const (
	whiteoutPrefix = ".wh."
	whiteoutOpaque = ".wh..wh..opq"
)

// Whiteouts of overlayfs (kernel, filesystems/overlayfs.rst), in the names that
// the mount option userxattr gives them.
const (
	overlayOpaque   = "user.overlay.opaque"
	overlayWhiteout = "user.overlay.whiteout"
)

// whiteout removes what lower layers have brought, and only that.
func (x *extractor) whiteout(dir, base string) error {
	name := strings.TrimPrefix(base, whiteoutPrefix)
	if name == "" || name == "." || name == ".." {
		return errEscapes
	}
	fd, err := openIn(x.root, dir, unix.O_RDONLY|unix.O_DIRECTORY)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		return nil // nothing to remove
	}
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	x.forget()
	if base == whiteoutOpaque {
		return x.opaque(fd, dir)
	}
	return x.hide(fd, path.Join(dir, name))
}

// brought notes what this layer has written, and thereby the directories above it.
func (x *extractor) brought(name string) {
	for name != "" && name != "." && !x.written[name] {
		x.written[name] = true
		name = path.Dir(name)
	}
}

// hide removes an entry of the directory open as fd, but for what this layer brought.
func (x *extractor) hide(fd int, name string) error {
	base := path.Base(name)
	if !x.written[name] {
		return removeTree(fd, base)
	}
	sub, err := unix.Openat(fd, base, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil // no directory: it stands for itself
	}
	defer unix.Close(sub)
	return x.opaque(sub, name)
}

// opaque removes what is in a directory, but for what this layer brought.
func (x *extractor) opaque(fd int, dir string) error {
	d, err := openDir(fd, ".")
	if err != nil {
		return err
	}
	defer d.Close()
	entries, err := d.ReadDir(-1)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := x.hide(fd, path.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// isWhiteout reports whether a file of a snapshot stands for one that is removed.
func isWhiteout(dir int, name string, st *unix.Stat_t) bool {
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFCHR:
		return st.Rdev == 0
	case unix.S_IFREG:
		return st.Size == 0 && hasXattr(dir, name, overlayWhiteout)
	}
	return false
}

// hasXattr reports whether a file or directory, which is no link, has an attribute.
func hasXattr(dir int, name, attr string) bool {
	_, ok := getXattr(dir, name, attr)
	return ok
}

func getXattr(dir int, name, attr string) ([]byte, bool) {
	fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, false
	}
	defer unix.Close(fd)
	var b [256]byte
	n, err := unix.Fgetxattr(fd, attr, b[:])
	if err != nil {
		return nil, false
	}
	return b[:n], true
}
