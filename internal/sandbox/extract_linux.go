package sandbox

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// What tars may hold together, in entries and in bytes: no image has as much, and a
// small one can claim any size, for its files may have holes.
const (
	maxEntries = 10 << 20
	maxBytes   = 256 << 30
)

const capabilityXattr = "security.capability"

// An extractor writes the entries of tars, whoever made them, into a directory.
// No name leads out of it: links are followed within it alone.
type extractor struct {
	root    int
	layer   bool // whiteouts count, devices are left out, a directory replaces a link
	ids     int64
	kind    string
	buf     []byte
	dirs    map[string]time.Time // times to set last
	written map[string]bool      // of a layer that has whiteouts: what it brought itself
	entries int
	left    int64    // of maxBytes
	skipped []string // devices
	squash  int      // owners that are not kept

	parent     int // the directory that was opened last, and its path
	parentPath string
}

func newExtractor(root int, req *request, layer bool) *extractor {
	return &extractor{root: root, layer: layer, ids: req.Count, kind: req.IDs, buf: make([]byte, 256<<10), parent: -1, left: maxBytes}
}

// extract writes one tar.
func (x *extractor) extract(r io.Reader) error {
	x.dirs = map[string]time.Time{}
	x.written = map[string]bool{}
	tr := tar.NewReader(r)
	for {
		h, err := tr.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("cannot read tar: %w", err)
		}
		if x.entries++; x.entries > maxEntries {
			return fmt.Errorf("cannot unpack more than %d entries", maxEntries)
		}
		if err := x.entry(h, tr); err != nil {
			return fmt.Errorf("cannot unpack %q: %w", h.Name, err)
		}
	}
	// A tar may have bytes after its end, which belong to the layer.
	if _, err := io.Copy(io.Discard, r); err != nil {
		return fmt.Errorf("cannot read tar: %w", err)
	}
	return x.finish()
}

// finish sets the times of directories, which their entries changed.
func (x *extractor) finish() error {
	for name, t := range x.dirs {
		fd, err := openPhysical(x.root, name, unix.O_PATH|unix.O_DIRECTORY)
		if err != nil {
			continue // a later entry replaced it
		}
		err = setTimeFD(fd, t)
		unix.Close(fd)
		if err != nil {
			return fmt.Errorf("cannot set the time of %s: %w", name, err)
		}
	}
	x.forget()
	return nil
}

func (x *extractor) forget() {
	if x.parent >= 0 {
		unix.Close(x.parent)
	}
	x.parent, x.parentPath = -1, ""
}

var errEscapes = errors.New("the name leads out of the root")

// cleanName is the path of an entry from the root, without a slash in front.
func cleanName(name string) (string, error) {
	if strings.ContainsRune(name, 0) {
		return "", errors.New("the name has a NUL byte")
	}
	for _, e := range elements(name) {
		if e == ".." {
			return "", errEscapes
		}
	}
	return strings.TrimLeft(path.Clean("/"+name), "/"), nil
}

func (x *extractor) entry(h *tar.Header, r io.Reader) error {
	if h.Typeflag == tar.TypeXGlobalHeader {
		return nil
	}
	name, err := cleanName(h.Name)
	if err != nil {
		return err
	}
	dir, base := path.Split(name)
	if x.layer && strings.HasPrefix(base, whiteoutPrefix) {
		return x.whiteout(path.Clean("/" + dir)[1:], base)
	}
	parent, err := x.openParent(strings.TrimSuffix(dir, "/"))
	if err != nil {
		return fmt.Errorf("cannot open its directory: %w", err)
	}
	if x.layer {
		x.brought(name)
	}
	switch h.Typeflag {
	case tar.TypeDir:
		return x.dir(h, parent, name)
	case tar.TypeReg, tar.TypeGNUSparse:
		return x.file(h, parent, base, r)
	case tar.TypeSymlink:
		return x.make(parent, base, h, func() error { return unix.Symlinkat(h.Linkname, parent, base) })
	case tar.TypeLink:
		return x.link(h, parent, base)
	case tar.TypeFifo:
		return x.make(parent, base, h, func() error { return unix.Mkfifoat(parent, base, 0o600) })
	case tar.TypeChar, tar.TypeBlock:
		if !x.layer {
			return errors.New("a device cannot be made without being root of the host")
		}
		x.skipped = append(x.skipped, "/"+name)
		return nil
	}
	return fmt.Errorf("its type %q is unknown", h.Typeflag)
}

// openParent opens a directory, and makes it and those above it where they are missing.
func (x *extractor) openParent(dir string) (int, error) {
	if x.parent >= 0 && dir == x.parentPath {
		return x.parent, nil
	}
	fd, err := openIn(x.root, dir, unix.O_PATH|unix.O_DIRECTORY)
	if errors.Is(err, unix.ENOENT) {
		fd, err = mkdirAll(x.root, dir)
	}
	if err != nil {
		return -1, err
	}
	x.forget()
	x.parent, x.parentPath = fd, dir
	return fd, nil
}

// mkdirAll makes a directory of the tree below root and those above it, where they
// are missing.
func mkdirAll(root int, dir string) (int, error) {
	found, missing, err := physical(root, dir)
	if err != nil {
		return -1, err
	}
	fd, err := openPhysical(root, found, unix.O_PATH|unix.O_DIRECTORY)
	for _, e := range missing {
		if err != nil {
			return -1, err
		}
		if e == "." || e == ".." {
			unix.Close(fd)
			return -1, unix.ENOENT
		}
		err = unix.Mkdirat(fd, e, 0o755)
		up := fd
		if err == nil {
			fd, err = unix.Openat(up, e, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		}
		unix.Close(up)
	}
	return fd, err
}

// dir makes a directory or takes the one that is there.
func (x *extractor) dir(h *tar.Header, parent int, name string) error {
	base := path.Base("/" + name)
	if name == "" {
		base = "."
	}
	err := unix.Mkdirat(parent, base, 0o700)
	if errors.Is(err, unix.EEXIST) {
		var st unix.Stat_t
		if err := unix.Fstatat(parent, base, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return err
		}
		switch {
		case st.Mode&unix.S_IFMT == unix.S_IFDIR:
			err = nil
		case !x.layer && st.Mode&unix.S_IFMT == unix.S_IFLNK:
			if fd, err := openIn(x.root, name, unix.O_PATH|unix.O_DIRECTORY); err == nil {
				unix.Close(fd)
				return nil // a link to a directory stands for it
			}
			fallthrough
		default:
			if err := removeTree(parent, base); err != nil {
				return err
			}
			err = unix.Mkdirat(parent, base, 0o700)
		}
	}
	if err != nil {
		return err
	}
	fd, err := unix.Openat(parent, base, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	x.dirs[name] = h.ModTime
	return x.metadata(fd, h)
}

func (x *extractor) file(h *tar.Header, parent int, base string, r io.Reader) error {
	if x.left -= h.Size; x.left < 0 {
		return errors.New("there are too many bytes to unpack")
	}
	fd := -1
	err := x.replace(parent, base, func() (err error) {
		fd, err = unix.Openat(parent, base, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
		return err
	})
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if h.Size > 0 {
		if _, err := io.CopyBuffer(fdWriter(fd), onlyReader{r}, x.buf); err != nil {
			return err
		}
	}
	if err := x.metadata(fd, h); err != nil {
		return err
	}
	return setTimeFD(fd, h.ModTime)
}

// onlyReader hides io.WriterTo, so that the buffer given is the one used.
type onlyReader struct{ io.Reader }

// fdWriter writes to a file without the poller of an os.File.
type fdWriter int

func (fd fdWriter) Write(b []byte) (n int, err error) {
	for n < len(b) {
		m, err := unix.Write(int(fd), b[n:])
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return n, err
		}
		n += m
	}
	return n, nil
}

// replace calls create, a second time where something else was in its place.
func (x *extractor) replace(parent int, base string, create func() error) error {
	if base == "" {
		return errors.New("the root can only be a directory")
	}
	err := create()
	if errors.Is(err, unix.EEXIST) {
		if err := removeTree(parent, base); err != nil {
			return err
		}
		err = create()
	}
	return err
}

// link makes a hard link to what the tar, or one below it, has brought.
func (x *extractor) link(h *tar.Header, parent int, base string) error {
	target, err := cleanName(h.Linkname)
	if err != nil {
		return fmt.Errorf("hard link to %q: %w", h.Linkname, err)
	}
	dir, last := path.Split(target)
	fd, err := openIn(x.root, dir, unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return fmt.Errorf("hard link to %q: %w", h.Linkname, err)
	}
	defer unix.Close(fd)
	var from, to unix.Stat_t
	if unix.Fstatat(fd, last, &from, unix.AT_SYMLINK_NOFOLLOW) == nil && unix.Fstatat(parent, base, &to, unix.AT_SYMLINK_NOFOLLOW) == nil && from.Ino == to.Ino && from.Dev == to.Dev {
		return nil
	}
	return x.replace(parent, base, func() error { return unix.Linkat(fd, last, parent, base, 0) })
}

// make makes a symbolic link or a FIFO.
func (x *extractor) make(parent int, base string, h *tar.Header, create func() error) error {
	if err := x.replace(parent, base, create); err != nil {
		return err
	}
	uid, gid, err := x.owner(h)
	if err != nil {
		return err
	}
	if err := unix.Fchownat(parent, base, uid, gid, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return fmt.Errorf("cannot give it to %d:%d: %w", uid, gid, err)
	}
	if h.Typeflag != tar.TypeSymlink {
		if err := unix.Fchmodat(parent, base, uint32(h.Mode&0o7777), 0); err != nil {
			return err
		}
	}
	return setTimeAt(parent, base, h.ModTime)
}

// owner is the owner that an entry gets.
func (x *extractor) owner(h *tar.Header) (uid, gid int, err error) {
	if x.kind == idsOne {
		if h.Uid != 0 || h.Gid != 0 {
			x.squash++
		}
		return 0, 0, nil
	}
	if int64(h.Uid) >= x.ids || int64(h.Gid) >= x.ids || h.Uid < 0 || h.Gid < 0 {
		return 0, 0, fmt.Errorf("its owner is %d:%d, and a sandbox of this host has the ids 0 to %d", h.Uid, h.Gid, x.ids-1)
	}
	return h.Uid, h.Gid, nil
}

// metadata sets owner, mode and capabilities of an open file or directory, in the
// order in which none undoes another.
func (x *extractor) metadata(fd int, h *tar.Header) error {
	uid, gid, err := x.owner(h)
	if err != nil {
		return err
	}
	if err := unix.Fchown(fd, uid, gid); err != nil {
		return fmt.Errorf("cannot give it to %d:%d: %w", uid, gid, err)
	}
	if err := unix.Fchmod(fd, uint32(h.Mode&0o7777)); err != nil {
		return err
	}
	if v, ok := h.PAXRecords["SCHILY.xattr."+capabilityXattr]; ok && h.Typeflag != tar.TypeDir {
		if err := unix.Fsetxattr(fd, capabilityXattr, []byte(v), 0); err != nil {
			return fmt.Errorf("cannot set its capabilities: %w", err)
		}
	}
	return nil
}

func times(t time.Time) []unix.Timespec {
	if t.Unix() < 0 || t.IsZero() {
		t = time.Unix(0, 0)
	}
	ts := unix.NsecToTimespec(t.UnixNano())
	return []unix.Timespec{ts, ts}
}

func setTimeFD(fd int, t time.Time) error { return setTimeAt(fd, "", t) }

// setTimeAt sets the time of an entry, or of what is open as dir where base is "".
func setTimeAt(dir int, base string, t time.Time) error {
	flags := unix.AT_SYMLINK_NOFOLLOW
	if base == "" {
		flags = unix.AT_EMPTY_PATH
	}
	return unix.UtimesNanoAt(dir, base, times(t), flags)
}
