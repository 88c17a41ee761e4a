package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// Where overlayfs cannot be mounted, such as over the root of a container that is an
// overlay itself, snapshots are kept as copies: each is the whole of its stack, and
// beside it stands what it changed. It costs time, and disk but for what can be
// shared by hard links, and needs nothing of the kernel.

// changesName is the name of the file beside such a snapshot's files, with a [Change]
// a line. One that stands on nothing has none: everything in it is its change.
const changesName = "changes"

// merged opens the files of a stack: those of its last snapshot, if that was made
// over the others, or a copy made for the occasion.
func (in *inner) merged(names []string) (root int, err error) {
	if len(names) == 0 {
		return in.scratch("merged")
	}
	if in.whole(names) == len(names)-1 {
		return unix.Openat(in.space, names[len(names)-1]+"/fs", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	}
	if root, err = in.scratch("merged"); err != nil {
		return -1, err
	}
	return root, in.materialize(names, root)
}

// scratch makes a directory in the temporary one and opens it.
func (in *inner) scratch(name string) (int, error) {
	for _, dir := range []string{in.req.Temp, in.req.Temp + "/" + name} {
		if err := unix.Mkdirat(in.space, dir, 0o755); err != nil && !errors.Is(err, unix.EEXIST) {
			return -1, err
		}
	}
	return unix.Openat(in.space, in.req.Temp+"/"+name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
}

// whole is the index of the last snapshot that was made over those before it, or -1.
func (in *inner) whole(names []string) int {
	for i := len(names) - 1; i >= 0; i-- {
		var m meta
		if err := in.readJSON(names[i]+"/meta", func(dec *json.Decoder) error { return dec.Decode(&m) }); err == nil && slices.Equal(snapNames(m.On), names[:i]) {
			return i
		}
	}
	return -1
}

// file opens a file beside a snapshot.
func (in *inner) file(name string) (*os.File, error) {
	fd, err := unix.Openat(in.space, name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

func (in *inner) readJSON(name string, read func(*json.Decoder) error) error {
	f, err := in.file(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return read(json.NewDecoder(f))
}

// materialize copies the files of a stack to a directory.
func (in *inner) materialize(names []string, to int) error {
	first := in.whole(names)
	for i, name := range names[max(first, 0):] {
		from, err := unix.Openat(in.space, name+"/fs", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		c := newCopier(from, to)
		err = in.readJSON(name+"/"+changesName, c.apply)
		if i == 0 && first >= 0 || errors.Is(err, unix.ENOENT) {
			err = c.tree(from, to, "", 0)
		}
		unix.Close(from)
		if err != nil {
			return fmt.Errorf("cannot copy a snapshot: %w", err)
		}
	}
	return nil
}

// A copier copies files from one tree to another. Both are ours: links in them are
// not followed.
type copier struct {
	from, to int
	linked   map[[2]uint64]string // of files with several names, the first in the copy
	clone    bool                 // the file system may be able to share blocks
}

func newCopier(from, to int) *copier {
	return &copier{from: from, to: to, linked: map[[2]uint64]string{}, clone: true}
}

// apply copies what a snapshot changed.
func (c *copier) apply(dec *json.Decoder) error {
	for {
		var ch Change
		if err := dec.Decode(&ch); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		dir, base := path.Split(ch.Path)
		to, err := mkdirAll(c.to, dir)
		if err == nil && ch.Removed {
			err = removeTree(to, base)
		} else if err == nil {
			var from int
			if from, err = openPhysical(c.from, dir, unix.O_PATH|unix.O_DIRECTORY); err == nil {
				_, err = c.entry(from, to, base, rel(ch.Path))
				unix.Close(from)
			}
		}
		unix.Close(to)
		if err != nil {
			return fmt.Errorf("%s: %w", ch.Path, err)
		}
	}
}

// tree copies a directory with all that is in it.
func (c *copier) tree(from, to int, name string, depth int) error {
	if depth > maxDepth {
		return unix.ENAMETOOLONG
	}
	names, err := entries(from)
	if err != nil {
		return err
	}
	for _, e := range names {
		isDir, err := c.entry(from, to, e, path.Join(name, e))
		if err == nil && isDir {
			err = c.descend(from, to, e, path.Join(name, e), depth)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", path.Join(name, e), err)
		}
	}
	return copyDirMeta(from, to)
}

func (c *copier) descend(from, to int, base, name string, depth int) error {
	const flags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	sub, err := unix.Openat(from, base, flags, 0)
	if err != nil {
		return err
	}
	defer unix.Close(sub)
	into, err := unix.Openat(to, base, flags, 0)
	if err != nil {
		return err
	}
	defer unix.Close(into)
	return c.tree(sub, into, name, depth+1)
}

// entry copies one entry; of a directory its owner and mode alone.
func (c *copier) entry(from, to int, base, name string) (isDir bool, err error) {
	var st, old unix.Stat_t
	if err := unix.Fstatat(from, base, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return false, err
	}
	isDir = st.Mode&unix.S_IFMT == unix.S_IFDIR
	if unix.Fstatat(to, base, &old, unix.AT_SYMLINK_NOFOLLOW) == nil && !(isDir && old.Mode&unix.S_IFMT == unix.S_IFDIR) {
		if err := removeTree(to, base); err != nil {
			return false, err
		}
	}
	id := [2]uint64{st.Dev, st.Ino}
	if first, ok := c.linked[id]; ok && !isDir && st.Nlink > 1 {
		return false, unix.Linkat(c.to, first, to, base, 0)
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		if err := unix.Mkdirat(to, base, 0o700); err != nil && !errors.Is(err, unix.EEXIST) {
			return false, err
		}
	case unix.S_IFREG:
		err = c.file(from, to, base)
	case unix.S_IFLNK:
		var target string
		if target, err = readlinkAt(from, base); err == nil {
			err = unix.Symlinkat(target, to, base)
		}
	case unix.S_IFIFO, unix.S_IFSOCK:
		err = unix.Mknodat(to, base, st.Mode&unix.S_IFMT|0o600, 0)
	}
	if err != nil {
		return false, err
	}
	if st.Nlink > 1 && !isDir {
		c.linked[id] = name
	}
	return isDir, c.metadata(from, to, base, &st)
}

func (c *copier) metadata(from, to int, base string, st *unix.Stat_t) error {
	if err := unix.Fchownat(to, base, int(st.Uid), int(st.Gid), unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFLNK {
		if err := unix.Fchmodat(to, base, st.Mode&0o7777, 0); err != nil {
			return err
		}
	}
	if st.Mode&unix.S_IFMT == unix.S_IFREG && st.Mode&0o111 != 0 {
		if v, ok := getXattr(from, base, capabilityXattr); ok {
			if err := setXattr(to, base, capabilityXattr, v); err != nil {
				return err
			}
		}
	}
	return unix.UtimesNanoAt(to, base, []unix.Timespec{st.Atim, st.Mtim}, unix.AT_SYMLINK_NOFOLLOW)
}

func setXattr(dir int, name, attr string, value []byte) error {
	fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Fsetxattr(fd, attr, value, 0)
}

// file copies the content of a file: by sharing its blocks where the file system can.
func (c *copier) file(from, to int, base string) error {
	in, err := unix.Openat(from, base, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	r := os.NewFile(uintptr(in), base)
	defer r.Close()
	out, err := unix.Openat(to, base, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	w := os.NewFile(uintptr(out), base)
	defer w.Close()
	if c.clone {
		if unix.IoctlFileClone(out, in) == nil {
			return nil
		}
		c.clone = false
	}
	_, err = io.Copy(w, r) // copy_file_range(2)
	return err
}

// A comparison finds out what a step changed in a copy of its stack.
type comparison struct {
	since unix.Timespec // of the file system's clock: when the copy was complete
	clock time.Time     // see [Step.Clock]
	enc   *json.Encoder
}

// fileTime is the time that the file system gives to what changes now. It is later
// than that of everything that changed before it was asked for.
func (in *inner) fileTime() (t unix.Timespec, err error) {
	time.Sleep(20 * time.Millisecond) // the clock of a file system ticks, at least this often
	fd, err := in.scratch("marker")
	if err != nil {
		return t, err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	err = unix.Fstat(fd, &st)
	return st.Ctim, err
}

// compare writes beside the files of a snapshot what they have that its stack has
// not, and shares the others with it.
func (in *inner) compare(temp, files int, since unix.Timespec, clock time.Time) error {
	below, err := in.merged(in.req.On)
	if err != nil {
		return err
	}
	fd, err := unix.Openat(temp, changesName, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, 0o644)
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(fd), changesName)
	defer f.Close()
	c := &comparison{since: since, clock: clock, enc: json.NewEncoder(f)}
	return c.walk(below, files, "/", 0)
}

// walk compares two directories; below is -1 where there is none.
func (c *comparison) walk(below, files int, name string, depth int) error {
	if depth > maxDepth {
		return unix.ENAMETOOLONG
	}
	var st unix.Stat_t
	if err := unix.Fstat(files, &st); err != nil {
		return err
	}
	now, err := entries(files)
	if err != nil {
		return err
	}
	var before []string
	if below >= 0 {
		if before, err = entries(below); err != nil {
			return err
		}
	}
	for _, e := range before {
		if _, ok := slices.BinarySearch(now, e); !ok {
			if err := c.enc.Encode(Change{Path: path.Join(name, e), Removed: true}); err != nil {
				return err
			}
		}
	}
	for _, e := range now {
		_, existed := slices.BinarySearch(before, e)
		if err := c.entry(below, files, existed, name, e, depth); err != nil {
			return err
		}
	}
	// To share files changes the time of the directory.
	return unix.UtimesNanoAt(files, "", []unix.Timespec{st.Atim, st.Mtim}, unix.AT_EMPTY_PATH)
}

func (c *comparison) entry(below, files int, existed bool, above, base string, depth int) error {
	var st, old unix.Stat_t
	if err := unix.Fstatat(files, base, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	if existed {
		if err := unix.Fstatat(below, base, &old, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return err
		}
	}
	name := path.Join(above, base)
	isDir := st.Mode&unix.S_IFMT == unix.S_IFDIR
	same := existed && old.Mode == st.Mode && old.Uid == st.Uid && old.Gid == st.Gid
	if !isDir && same && earlier(st.Ctim, c.since) {
		return share(below, files, base, &st)
	}
	if !isDir || !same {
		ch := changeOf(name, &st)
		if ch.Type == os.ModeSymlink {
			ch.Link, _ = readlinkAt(files, base)
		}
		if !c.clock.IsZero() && ch.ModTime.After(c.clock) {
			ch.ModTime = c.clock.UTC()
		}
		if err := c.enc.Encode(ch); err != nil {
			return err
		}
	}
	if !isDir {
		return nil
	}
	sub, err := unix.Openat(files, base, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(sub)
	was := -1
	if existed && old.Mode&unix.S_IFMT == unix.S_IFDIR {
		if was, err = unix.Openat(below, base, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0); err != nil {
			return err
		}
		defer unix.Close(was)
	}
	return c.walk(was, sub, name, depth+1)
}

func earlier(a, b unix.Timespec) bool { return a.Sec < b.Sec || a.Sec == b.Sec && a.Nsec < b.Nsec }

// share puts a link to the file below in the place of an unchanged copy: no snapshot
// is ever written to. It is no error where that cannot be.
func share(below, files int, base string, st *unix.Stat_t) error {
	const name = ".hardpan-share" // for a moment
	if st.Mode&unix.S_IFMT != unix.S_IFREG || st.Nlink > 1 || unix.Linkat(below, base, files, name, 0) != nil {
		return nil
	}
	if err := unix.Renameat(files, name, files, base); err != nil {
		return errors.Join(err, unix.Unlinkat(files, name, 0))
	}
	return nil
}
