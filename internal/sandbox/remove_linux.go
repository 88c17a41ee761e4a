package sandbox

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// maxHeld is how deep a tree is walked with a descriptor held for each level.
const maxHeld = 200

// A remover takes a tree away, however deep: what lies too deep is moved up first.
type remover struct {
	top   int // the tree's own directory
	moved int
}

// removeTree removes a file or a directory with all that is in it. What is missing
// is no error.
func removeTree(dir int, name string) error {
	if err := unix.Unlinkat(dir, name, 0); err == nil || errors.Is(err, unix.ENOENT) {
		return nil
	}
	top, err := openDir(dir, name)
	if err != nil {
		return fmt.Errorf("cannot remove %s: %w", name, err)
	}
	defer top.Close()
	r := remover{top: int(top.Fd())}
	for {
		if err := r.empty(top, 0); err != nil {
			return fmt.Errorf("cannot remove %s: %w", name, err)
		}
		err := unix.Unlinkat(dir, name, unix.AT_REMOVEDIR)
		if err == nil {
			return nil
		}
		if !errors.Is(err, unix.ENOTEMPTY) || r.moved == 0 {
			return fmt.Errorf("cannot remove %s: %w", name, err)
		}
	}
}

func openDir(dir int, name string) (*os.File, error) {
	fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

// empty removes what is in a directory.
func (r *remover) empty(dir *os.File, depth int) error {
	if _, err := dir.Seek(0, io.SeekStart); err != nil {
		return err
	}
	fd := int(dir.Fd())
	entries, err := dir.ReadDir(-1)
	if err != nil {
		return err
	}
	for _, e := range entries {
		switch {
		case !e.IsDir():
			err = unix.Unlinkat(fd, e.Name(), 0)
		case unix.Unlinkat(fd, e.Name(), unix.AT_REMOVEDIR) == nil:
		case depth > maxHeld:
			r.moved++
			err = unix.Renameat(fd, e.Name(), r.top, ".deep"+strconv.Itoa(r.moved))
		default:
			err = r.descend(fd, e.Name(), depth)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *remover) descend(dir int, name string, depth int) error {
	sub, err := openDir(dir, name)
	if err != nil {
		return err
	}
	defer sub.Close()
	if err := r.empty(sub, depth+1); err != nil {
		return err
	}
	return unix.Unlinkat(dir, name, unix.AT_REMOVEDIR)
}

// sweep removes temporary directories that nobody works on.
func (in *inner) sweep() error {
	for _, name := range in.req.Names {
		if err := removeTree(in.space, name); err != nil {
			return err
		}
	}
	return nil
}

// remove takes snapshots away: first their names, so that nobody begins to use them,
// then, when nobody uses them any more, their files.
func (in *inner) remove() error {
	if err := unix.Mkdirat(in.space, in.req.Temp, 0o700); err != nil {
		return err
	}
	temp, err := unix.Openat(in.space, in.req.Temp, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(temp)
	for _, name := range in.req.Names {
		err := unix.Renameat(in.space, name, temp, name)
		if errors.Is(err, unix.ENOENT) {
			continue
		}
		if err != nil {
			return err
		}
		fd, err := unix.Openat(temp, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		if err := unix.Flock(fd, unix.LOCK_EX); err != nil {
			return err
		}
		unix.Close(fd)
	}
	return removeTree(in.space, in.req.Temp)
}

// removeAll takes everything away that is not in the making.
func (in *inner) removeAll() error {
	names, err := entries(in.space)
	if err != nil {
		return err
	}
	in.req.Names = slices.DeleteFunc(names, func(name string) bool { return strings.HasPrefix(name, ".") })
	return in.remove()
}

// hold keeps the snapshots named from being removed while this child lives.
func (in *inner) hold(names []string) error {
	for _, name := range names {
		fd, err := unix.Openat(in.space, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("%w: %s", ErrNoSnapshot, name)
		}
		if err != nil {
			return err
		}
		if err := unix.Flock(fd, unix.LOCK_SH); err != nil {
			return fmt.Errorf("cannot lock snapshot %s: %w", name, err)
		}
		// One that is on its way out was moved before it was locked.
		var held, now unix.Stat_t
		if err := unix.Fstat(fd, &held); err != nil {
			return err
		}
		if err := unix.Fstatat(in.space, name, &now, unix.AT_SYMLINK_NOFOLLOW); err != nil || now.Ino != held.Ino {
			return fmt.Errorf("%w: %s", ErrNoSnapshot, name)
		}
		in.held = append(in.held, os.NewFile(uintptr(fd), name))
	}
	return nil
}
