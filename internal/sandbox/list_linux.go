package sandbox

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// maxDepth is how deep the directories of a tree may lie: a path of PATH_MAX bytes
// has no more elements.
const maxDepth = 2048

// Changes lists what a snapshot changed in the stack that it was made over, sorted
// by path. A directory is listed if it is new or its owner or mode changed, and one
// that is removed without what was in it.
func (s *Space) Changes(ctx context.Context, key string) ([]Change, error) {
	m, ok := s.meta(key)
	if !ok {
		return nil, fmt.Errorf("cannot list changes: %w: %s", ErrNoSnapshot, key)
	}
	req := &request{Verb: verbChanges, Names: []string{snapName(key)}}
	if s.need(m.On) == nil {
		req.On = snapNames(m.On)
	}
	var changes []Change
	err := s.call(ctx, req, nil, func(r io.Reader) error {
		dec := json.NewDecoder(bufio.NewReaderSize(r, 64<<10))
		for {
			var c Change
			switch err := dec.Decode(&c); err {
			case nil:
				changes = append(changes, c)
			case io.EOF:
				return nil
			default:
				return err
			}
		}
	})
	if err != nil {
		return nil, fmt.Errorf("cannot list changes: %w", err)
	}
	slices.SortFunc(changes, func(a, b Change) int { return cmp.Compare(a.Path, b.Path) })
	return changes, nil
}

// stackOf opens the merged view of snapshots, which cannot be written to.
func (in *inner) stackOf(names []string) (root int, err error) {
	if err := in.hold(names); err != nil {
		return -1, err
	}
	if in.req.Copy {
		return in.merged(names)
	}
	if len(names) > 0 {
		// Alone, too, a snapshot is seen through overlayfs: it may hold whiteouts.
		lower := append([]string{"empty"}, lowerDirs(names)...)
		if err := mountOverlay(lower, "", "", "root"); err != nil {
			return -1, err
		}
	}
	return unix.Open("root", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
}

// entries reads a directory, sorted by name.
func entries(dir int) ([]string, error) {
	d, err := openDir(dir, ".")
	if err != nil {
		return nil, err
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	slices.Sort(names)
	return names, err
}

// A lister sends the changes of a snapshot.
type lister struct {
	enc   *json.Encoder
	below int // the stack below; -1 where it is unknown
}

func (in *inner) changes() error {
	l := &lister{below: -1}
	if len(in.req.On) > 0 && !in.req.Copy {
		below, err := in.stackOf(in.req.On)
		if err != nil {
			return err
		}
		l.below = below
	}
	if err := in.hold(in.req.Names); err != nil {
		return err
	}
	fd, err := unix.Openat(in.space, in.req.Names[0]+"/fs", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(in.out, 64<<10)
	if in.req.Copy {
		// What it changed stands beside it, or else is all that it has.
		f, err := in.file(in.req.Names[0] + "/" + changesName)
		if err == nil {
			defer f.Close()
			_, err = io.Copy(w, f)
			return errors.Join(err, w.Flush())
		}
		if !errors.Is(err, unix.ENOENT) {
			return err
		}
	}
	l.enc = json.NewEncoder(w)
	if err := l.walk(fd, "", 0); err != nil {
		return err
	}
	return w.Flush()
}

func (l *lister) walk(dir int, name string, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("%s: %w", name, unix.ENAMETOOLONG)
	}
	names, err := entries(dir)
	if err != nil {
		return err
	}
	for _, e := range names {
		if err := l.entry(dir, name, e, depth); err != nil {
			return err
		}
	}
	return nil
}

func (l *lister) entry(dir int, above, base string, depth int) error {
	var st unix.Stat_t
	if err := unix.Fstatat(dir, base, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	name := above + "/" + base
	old, existed := l.old(name)
	if isWhiteout(dir, base, &st) {
		if l.below >= 0 && !existed {
			return nil
		}
		return l.enc.Encode(Change{Path: name, Removed: true})
	}
	c := changeOf(name, &st)
	isDir := st.Mode&unix.S_IFMT == unix.S_IFDIR
	if c.Type == fs.ModeSymlink {
		c.Link, _ = readlinkAt(dir, base)
	}
	if !isDir || !existed || old.Mode != st.Mode || old.Uid != st.Uid || old.Gid != st.Gid {
		if err := l.enc.Encode(c); err != nil {
			return err
		}
	}
	if !isDir {
		return nil
	}
	fd, err := unix.Openat(dir, base, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if existed && old.Mode&unix.S_IFMT == unix.S_IFDIR {
		if v, ok := getXattr(fd, ".", overlayOpaque); ok && string(v) == "y" {
			if err := l.hidden(fd, name); err != nil {
				return err
			}
		}
	}
	return l.walk(fd, name, depth+1)
}

// hidden lists what an opaque directory hides of the one below and has not itself.
func (l *lister) hidden(dir int, name string) error {
	below, err := openPhysical(l.below, name, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil
	}
	defer unix.Close(below)
	names, err := entries(below)
	if err != nil {
		return err
	}
	for _, e := range names {
		var st unix.Stat_t
		if unix.Fstatat(dir, e, &st, unix.AT_SYMLINK_NOFOLLOW) == nil {
			continue
		}
		if err := l.enc.Encode(Change{Path: name + "/" + e, Removed: true}); err != nil {
			return err
		}
	}
	return nil
}

// old is what the stack below has at a path.
func (l *lister) old(name string) (st unix.Stat_t, ok bool) {
	if l.below < 0 {
		return st, false
	}
	fd, err := openPhysical(l.below, name, unix.O_PATH)
	if err != nil {
		return st, false
	}
	defer unix.Close(fd)
	return st, unix.Fstat(fd, &st) == nil
}

func changeOf(name string, st *unix.Stat_t) Change {
	c := Change{Path: name, UID: st.Uid, GID: st.Gid, ModTime: time.Unix(st.Mtim.Unix()).UTC(), Type: fileType(st), Mode: permissions(st)}
	if c.Type == 0 {
		c.Size = st.Size
	}
	return c
}

func fileType(st *unix.Stat_t) fs.FileMode {
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return fs.ModeDir
	case unix.S_IFLNK:
		return fs.ModeSymlink
	case unix.S_IFIFO:
		return fs.ModeNamedPipe
	case unix.S_IFSOCK:
		return fs.ModeSocket
	case unix.S_IFCHR:
		return fs.ModeDevice | fs.ModeCharDevice
	case unix.S_IFBLK:
		return fs.ModeDevice
	}
	return 0
}

func permissions(st *unix.Stat_t) fs.FileMode {
	m := fs.FileMode(st.Mode & 0o777)
	for bit, mode := range map[uint32]fs.FileMode{unix.S_ISUID: fs.ModeSetuid, unix.S_ISGID: fs.ModeSetgid, unix.S_ISVTX: fs.ModeSticky} {
		if st.Mode&bit != 0 {
			m |= mode
		}
	}
	return m
}
