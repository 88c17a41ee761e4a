package sandbox

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// openIn opens a path of the tree below root as a process whose root that is would:
// symbolic links are followed, but never out of it, and /proc's magic ones not at all.
func openIn(root int, name string, flags int) (int, error) {
	how := unix.OpenHow{Flags: uint64(flags | unix.O_CLOEXEC), Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS}
	for {
		fd, err := unix.Openat2(root, rel(name), &how)
		// EAGAIN: something was renamed on the way, and the kernel cannot be sure.
		if !errors.Is(err, unix.EINTR) && !errors.Is(err, unix.EAGAIN) {
			return fd, err
		}
	}
}

// openPhysical opens a path of the tree below root in which no link occurs.
func openPhysical(root int, name string, flags int) (int, error) {
	how := unix.OpenHow{Flags: uint64(flags | unix.O_CLOEXEC | unix.O_NOFOLLOW), Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS}
	for {
		fd, err := unix.Openat2(root, rel(name), &how)
		if !errors.Is(err, unix.EINTR) && !errors.Is(err, unix.EAGAIN) {
			return fd, err
		}
	}
}

// rel is a path as the *at system calls want it.
func rel(name string) string {
	if name = strings.TrimLeft(path.Clean("/"+name), "/"); name == "" {
		return "."
	}
	return name
}

// maxLinks is how many symbolic links a path may lead over (path_resolution(7)).
const maxLinks = 40

// physical follows the links of a path as far as the path exists, and returns the
// part without links that does, and the elements that are missing.
func physical(root int, name string) (found string, missing []string, err error) {
	todo := elements(name)
	links := 0
	for len(todo) > 0 {
		e := todo[0]
		todo = todo[1:]
		switch e {
		case ".":
			continue
		case "..":
			found = strings.TrimSuffix(path.Dir("/" + found)[1:], "/")
			continue
		}
		next := path.Join(found, e)
		fd, err := openPhysical(root, next, unix.O_PATH)
		if errors.Is(err, unix.ENOENT) {
			return found, append([]string{e}, todo...), nil
		}
		if err != nil {
			return "", nil, fmt.Errorf("cannot resolve %s: %w", name, err)
		}
		target, isLink, err := readLink(fd)
		unix.Close(fd)
		if err != nil {
			return "", nil, fmt.Errorf("cannot resolve %s: %w", name, err)
		}
		if !isLink {
			found = next
			continue
		}
		if links++; links > maxLinks {
			return "", nil, fmt.Errorf("cannot resolve %s: %w", name, unix.ELOOP)
		}
		if strings.HasPrefix(target, "/") {
			found = ""
		}
		todo = append(elements(target), todo...)
	}
	return found, nil, nil
}

func elements(name string) []string {
	return strings.FieldsFunc(name, func(r rune) bool { return r == '/' })
}

// readLink returns the target of what is open as fd, if that is a symbolic link.
func readLink(fd int) (target string, isLink bool, err error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFLNK {
		return "", false, err
	}
	target, err = readlinkAt(fd, "")
	return target, true, err
}

func readlinkAt(dir int, name string) (string, error) {
	var b [unix.PathMax]byte
	n, err := unix.Readlinkat(dir, name, b[:])
	if err != nil {
		return "", err
	}
	return string(b[:n]), nil
}
