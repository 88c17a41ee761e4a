package rootfs

import (
	"errors"
	"io/fs"
	"strings"
	"syscall"

	"github.com/hardpan/hardpan/internal/tree"
)

// What a path may cost (limits.h, path_resolution(7)).
const (
	maxPath  = 4096
	maxName  = 255
	maxLinks = 40
)

// place is where a path leads to: a directory that exists, and a name in it.
type place struct {
	path  string     // of the tree
	node  *tree.Node // nil where there is nothing
	last  lastKind
	slash bool // the path ended with slashes, so that it means a directory
}

// lastKind is what the last element of a path is.
type lastKind int

const (
	lastName   lastKind = iota
	lastDot             // "."
	lastDotDot          // ".."
	lastRoot            // there is none: "/"
)

// resolve goes through a path as the kernel does (path_resolution(7)): each element
// but the last must be there and be a directory or lead to one. follow says whether a
// link in the last place is followed; it is too where a slash follows it.
func (f *FS) resolve(op, name string, follow bool) (place, error) {
	return f.walk(op, name, walking{follow: follow, followSlash: true})
}

// parent is resolve for what makes, removes or moves the last element, which a slash
// after it does not make a link be followed.
func (f *FS) parent(op, name string) (place, error) { return f.walk(op, name, walking{}) }

// walking is how the last element of a path is treated.
type walking struct {
	follow      bool // a link
	followSlash bool // a link with a slash after it
	create      bool // a file is to be made there, of which there is none with a slash after it
}

// baseDirectories are directories that base-files has, which is essential (Debian Policy
// 3.8): every script may put something into them, in an image without that package too.
var baseDirectories = map[string]bool{
	"etc": true, "etc/default": true, "etc/profile.d": true, "home": true, "opt": true, "run": true, "srv": true, "tmp": true,
	"usr": true, "usr/bin": true, "usr/lib": true, "usr/sbin": true, "usr/share": true, "usr/share/man": true, "usr/share/misc": true,
	"var": true, "var/cache": true, "var/lib": true, "var/lib/misc": true, "var/log": true, "var/opt": true, "var/spool": true, "var/tmp": true,
}

func (f *FS) walk(op, name string, how walking) (place, error) {
	switch {
	case name == "":
		return place{}, fail(op, name, syscall.ENOENT)
	case strings.IndexByte(name, 0) >= 0:
		return place{}, fail(op, name, syscall.EINVAL)
	case len(name) >= maxPath:
		return place{}, fail(op, name, syscall.ENAMETOOLONG)
	}
	at, rest, links := place{path: ".", node: f.Tree.Lookup("."), last: lastRoot}, name, 0
	for {
		rest = strings.TrimLeft(rest, "/")
		if rest == "" {
			return at, nil
		}
		if at.node == nil && baseDirectories[at.path] {
			// What is put into it brings it, as a directory above another path.
			at.node = &tree.Node{Path: at.path, Type: tree.Dir, Mode: 0o755}
		}
		if at.node == nil {
			return place{}, fail(op, name, syscall.ENOENT)
		}
		if at.node.Type != tree.Dir {
			return place{}, fail(op, name, syscall.ENOTDIR)
		}
		part := rest
		if i := strings.IndexByte(rest, '/'); i >= 0 {
			part = rest[:i]
		}
		rest = rest[len(part):]
		if len(part) > maxName {
			return place{}, fail(op, name, syscall.ENAMETOOLONG)
		}
		next := f.step(at, part)
		next.slash = rest != ""
		final := strings.Trim(rest, "/") == ""
		if final && how.create && next.slash && next.last == lastName {
			return place{}, fail(op, name, syscall.EISDIR)
		}
		if n := next.node; n != nil && n.Type == tree.Symlink && (!final || how.follow || next.slash && how.followSlash) {
			if links++; links > maxLinks {
				return place{}, fail(op, name, syscall.ELOOP)
			}
			if len(n.Link)+len(rest) > 2*maxPath {
				return place{}, fail(op, name, syscall.ENAMETOOLONG)
			}
			if strings.HasPrefix(n.Link, "/") {
				at = place{path: ".", node: f.Tree.Lookup("."), last: lastRoot}
			}
			rest = n.Link + rest
			continue
		}
		at = next
	}
}

// step goes from a directory to one of its names.
func (f *FS) step(at place, part string) place {
	switch part {
	case ".":
		return place{path: at.path, node: at.node, last: lastDot}
	case "..":
		up := dirOf(at.path)
		return place{path: up, node: f.Tree.Lookup(up), last: lastDotDot}
	}
	to := part
	if at.path != "." {
		to = at.path + "/" + part
	}
	return place{path: to, node: f.Tree.Lookup(to)}
}

// RealPath returns the absolute path that name leads to, without any link in it
// (realpath(3)). Nothing need be there.
func (f *FS) RealPath(name string) (string, error) {
	at, err := f.Tree.End(name)
	switch {
	case name == "":
		return "", fail("realpath", name, syscall.ENOENT)
	case err == nil:
		return abs(at), nil
	case errors.Is(err, tree.ErrLoop):
		return "", fail("realpath", name, syscall.ELOOP)
	case errors.Is(err, fs.ErrNotExist):
		return "", fail("realpath", name, syscall.ENOENT)
	}
	return "", fail("realpath", name, syscall.ENOTDIR)
}
