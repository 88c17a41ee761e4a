package rootfs

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"syscall"

	"github.com/hardpan/hardpan/internal/tree"
)

// FS is the file system of an image.
type FS struct {
	Tree *tree.Tree
	Time int64 // of what is made, seconds since 1970

	// Origin is that of what is made and changed from now on.
	Origin *tree.Origin
	// MaxWritten bounds the content that may be written in all, bytes; 0 is no bound.
	MaxWritten int64

	written int64
	links   map[string][]string // by path of a file: its other names
	open    []*File             // with content that the tree does not have yet
}

// New returns the file system of t, whose new paths get that time.
func New(t *tree.Tree, time int64) *FS { return &FS{Tree: t, Time: time} }

// LimitError says that scripts wrote more than an image may get from them.
type LimitError struct{ Limit int64 }

func (e *LimitError) Error() string {
	return fmt.Sprintf("more than %d MB written, which is the limit for maintainer scripts", e.Limit>>20)
}

func fail(op, name string, err error) error {
	return &fs.PathError{Op: op, Path: name, Err: err}
}

// resolve returns the path in the tree that name leads to, and the node there,
// nil where there is none but could be. follow says whether a link in the last
// place is followed.
func (f *FS) resolve(op, name string, follow bool) (string, *tree.Node, error) {
	if name == "" {
		return "", nil, fail(op, name, syscall.ENOENT)
	}
	if strings.ContainsRune(name, 0) {
		return "", nil, fail(op, name, syscall.EINVAL)
	}
	dir := strings.HasSuffix(name, "/") || strings.HasSuffix(name, "/.")
	at, err := f.Tree.RealPath(name)
	if err != nil {
		return "", nil, fail(op, name, errno(err))
	}
	n := f.Tree.Lookup(at)
	if n != nil && n.Type == tree.Symlink && (follow || dir) {
		if at, err = f.Tree.End(name); err != nil {
			return "", nil, fail(op, name, errno(err))
		}
		n = f.Tree.Lookup(at)
	}
	if n == nil {
		if parent := f.Tree.Lookup(path.Dir(at)); parent == nil {
			return "", nil, fail(op, name, syscall.ENOENT)
		} else if parent.Type != tree.Dir {
			return "", nil, fail(op, name, syscall.ENOTDIR)
		}
		return at, nil, nil
	}
	if dir && n.Type != tree.Dir {
		return "", nil, fail(op, name, syscall.ENOTDIR)
	}
	return at, n, nil
}

// errno returns the error of a system call for one of the tree's.
func errno(err error) error {
	switch {
	case errors.Is(err, tree.ErrLoop):
		return syscall.ELOOP
	case errors.Is(err, fs.ErrNotExist):
		return syscall.ENOENT
	}
	return syscall.ENOTDIR
}

// Stat returns the node that name leads to; for a further name of a file, that file.
func (f *FS) Stat(name string) (*tree.Node, error) { return f.stat("stat", name, true) }

// Lstat is Stat, but a link in the last place is not followed.
func (f *FS) Lstat(name string) (*tree.Node, error) { return f.stat("lstat", name, false) }

func (f *FS) stat(op, name string, follow bool) (*tree.Node, error) {
	f.flush()
	_, n, err := f.resolve(op, name, follow)
	if err != nil {
		return nil, err
	}
	if n == nil {
		return nil, fail(op, name, syscall.ENOENT)
	}
	return f.file(n), nil
}

// file returns the file that a hard link is another name of, and any other node
// as it is.
func (f *FS) file(n *tree.Node) *tree.Node {
	if n.Type == tree.Hardlink {
		if to := f.Tree.Lookup(n.Link); to != nil {
			return to
		}
	}
	return n
}

// Exists reports whether name leads to anything.
func (f *FS) Exists(name string) bool { _, err := f.Stat(name); return err == nil }

// IsDir reports whether name leads to a directory.
func (f *FS) IsDir(name string) bool {
	n, err := f.Stat(name)
	return err == nil && n.Type == tree.Dir
}

// RealPath returns the absolute path that name leads to, without any link in it
// (realpath(3)). Nothing need be there.
func (f *FS) RealPath(name string) (string, error) {
	at, err := f.Tree.End(name)
	if err != nil {
		return "", fail("realpath", name, errno(err))
	}
	return abs(at), nil
}

func abs(at string) string {
	if at == "." {
		return "/"
	}
	return "/" + at
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

// ReadFile returns the content of the file that name leads to.
func (f *FS) ReadFile(name string) ([]byte, error) {
	n, err := f.stat("open", name, true)
	if err != nil {
		return nil, err
	}
	if n.Type == tree.Dir {
		return nil, fail("read", name, syscall.EISDIR)
	}
	return f.Tree.ReadFile(n.Path)
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

// set puts n into the tree as something made now.
func (f *FS) set(op, name string, n *tree.Node) error {
	if err := f.charge(nodeCost); err != nil {
		return err
	}
	n.ModTime, n.Origin, n.Layered = f.Time, f.Origin, false
	if err := f.Tree.Set(n); err != nil {
		return fail(op, name, syscall.ENOTDIR)
	}
	return nil
}

// WriteFile makes the content of the file that name leads to b, and the file where
// there is none, with the mode perm.
func (f *FS) WriteFile(name string, b []byte, perm uint32) error {
	w, err := f.Create(name, perm)
	if err != nil {
		return err
	}
	if _, err := w.Write(b); err != nil {
		return err
	}
	return w.Close()
}

// Mkdir makes a directory.
func (f *FS) Mkdir(name string, perm uint32) error {
	at, n, err := f.resolve("mkdir", strings.TrimRight(name, "/"), false)
	if err != nil {
		if strings.Trim(name, "/") == "" && name != "" {
			err = fail("mkdir", name, syscall.EEXIST)
		}
		return err
	}
	if n != nil {
		return fail("mkdir", name, syscall.EEXIST)
	}
	d := &tree.Node{Path: at, Type: tree.Dir, Mode: perm & 0o7777}
	f.inherit(d)
	return f.set("mkdir", name, d)
}

// inherit gives what is made in a directory with the set-group-id bit the group of
// that directory, and a directory the bit too (mkdir(2)).
func (f *FS) inherit(n *tree.Node) {
	parent := f.Tree.Lookup(path.Dir(n.Path))
	if parent == nil || parent.Mode&tree.SetGID == 0 {
		return
	}
	n.GID = parent.GID
	if n.Type == tree.Dir {
		n.Mode |= tree.SetGID
	}
}

// MkdirAll makes a directory and those above it that are missing.
func (f *FS) MkdirAll(name string, perm uint32) error {
	if n, err := f.Stat(name); err == nil {
		if n.Type != tree.Dir {
			return fail("mkdir", name, syscall.ENOTDIR)
		}
		return nil
	}
	trimmed := strings.TrimRight(name, "/")
	if i := strings.LastIndexByte(trimmed, '/'); i > 0 {
		if err := f.MkdirAll(trimmed[:i], perm); err != nil {
			return err
		}
	}
	return f.Mkdir(trimmed, perm)
}

// Symlink makes a symbolic link to target.
func (f *FS) Symlink(target, name string) error {
	at, n, err := f.resolve("symlink", name, false)
	if err != nil {
		return err
	}
	if n != nil {
		return fail("symlink", name, syscall.EEXIST)
	}
	l := &tree.Node{Path: at, Type: tree.Symlink, Mode: 0o777, Link: target}
	f.inherit(l)
	return f.set("symlink", name, l)
}

// Link gives a file a further name. An image's layers have hard links within a
// package only, so that the new name is a file of its own with the same content.
func (f *FS) Link(old, name string) error {
	f.flush()
	_, from, err := f.resolve("link", old, false)
	if err != nil {
		return err
	}
	if from == nil {
		return fail("link", old, syscall.ENOENT)
	}
	if from.Type == tree.Dir {
		return fail("link", old, syscall.EPERM)
	}
	at, n, err := f.resolve("link", name, false)
	if err != nil {
		return err
	}
	if n != nil {
		return fail("link", name, syscall.EEXIST)
	}
	c := *f.file(from)
	c.Path = at
	if err := f.charge(c.Size); err != nil {
		return err
	}
	return f.set("link", name, &c)
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
	w, err := f.Create(name, perm)
	if err != nil {
		return err
	}
	w.dirty = false // what was there is replaced, not emptied
	if err := w.Close(); err != nil {
		return err
	}
	to, err := f.stat("open", name, true)
	if err != nil {
		return err
	}
	if err := f.charge(from.Size); err != nil {
		return err
	}
	for _, at := range append(slices.Clone(f.names(to)), to.Path) {
		c := *to
		c.Path, c.Size, c.SHA256, c.Content, c.ELF = at, from.Size, from.SHA256, from.Content, from.ELF
		if err := f.set("write", name, &c); err != nil {
			return err
		}
	}
	delete(f.links, to.Path)
	return nil
}

// Remove removes a file, a link or an empty directory.
func (f *FS) Remove(name string) error {
	f.flush()
	at, n, err := f.resolve("remove", name, false)
	if err != nil {
		return err
	}
	switch {
	case n == nil:
		return fail("remove", name, syscall.ENOENT)
	case f.throughLink(name):
		return fail("remove", name, syscall.ENOTDIR)
	case at == ".":
		return fail("remove", name, syscall.EBUSY)
	case n.Type == tree.Dir && len(f.Tree.ReadDir(at)) > 0:
		return fail("remove", name, syscall.ENOTEMPTY)
	}
	f.detach(n)
	f.Tree.Remove(at)
	return nil
}

// throughLink reports whether name is that of a link with a slash after it, which
// leads to a directory but cannot be removed by that name.
func (f *FS) throughLink(name string) bool {
	trimmed := strings.TrimRight(name, "/")
	if trimmed == name {
		return false
	}
	n, err := f.stat("lstat", trimmed, false)
	return err == nil && n.Type == tree.Symlink
}

// RemoveAll removes name and all below it. Where there is nothing it does nothing.
func (f *FS) RemoveAll(name string) error {
	f.flush()
	at, n, err := f.resolve("remove", name, false)
	if errors.Is(err, fs.ErrNotExist) || err == nil && n == nil {
		return nil
	}
	if err != nil {
		return err
	}
	if at == "." {
		return fail("remove", name, syscall.EBUSY)
	}
	if f.throughLink(name) {
		return fail("remove", name, syscall.ENOTDIR)
	}
	for _, below := range f.below(n) {
		f.detach(below)
	}
	f.Tree.Remove(at)
	return nil
}

// below returns n and all nodes below it, a directory before what it holds.
func (f *FS) below(n *tree.Node) []*tree.Node {
	nodes := []*tree.Node{n}
	if n.Type == tree.Dir {
		for _, name := range f.Tree.ReadDir(n.Path) {
			if child := f.Tree.Lookup(path.Join(n.Path, name)); child != nil {
				nodes = append(nodes, f.below(child)...)
			}
		}
	}
	return nodes
}

// Rename moves old to name, in whose place it comes (rename(2)).
func (f *FS) Rename(old, name string) error {
	f.flush()
	from, n, err := f.resolve("rename", strings.TrimRight(old, "/"), false)
	if err != nil {
		return err
	}
	if n == nil {
		return fail("rename", old, syscall.ENOENT)
	}
	to, there, err := f.resolve("rename", strings.TrimRight(name, "/"), false)
	switch {
	case err != nil:
		return err
	case from == to || there != nil && f.file(there) == f.file(n):
		return nil
	case from == "." || to == "." || strings.HasPrefix(to, from+"/"):
		return fail("rename", name, syscall.EINVAL)
	case there != nil && there.Type == tree.Dir && n.Type != tree.Dir:
		return fail("rename", name, syscall.EISDIR)
	case there != nil && there.Type != tree.Dir && n.Type == tree.Dir:
		return fail("rename", name, syscall.ENOTDIR)
	case there != nil && there.Type == tree.Dir && len(f.Tree.ReadDir(to)) > 0:
		return fail("rename", name, syscall.ENOTEMPTY)
	}
	if there != nil {
		f.detach(there)
		f.Tree.Remove(to)
	}
	moved := f.below(n)
	for _, m := range moved {
		f.detach(m)
	}
	moved = f.below(n) // hard links have become files
	f.Tree.Remove(from)
	for _, m := range moved {
		c := *m
		c.Path = path.Join(to, strings.TrimPrefix(m.Path, from))
		time := c.ModTime
		if err := f.set("rename", name, &c); err != nil {
			return err
		}
		f.Tree.Lookup(c.Path).ModTime = time // a file that moves keeps its time
	}
	return nil
}

// Chmod sets the mode of what name leads to.
func (f *FS) Chmod(name string, mode uint32) error {
	n, err := f.stat("chmod", name, true)
	if err != nil {
		return err
	}
	return f.change(n, func(c *tree.Node) { c.Mode = mode & 0o7777 })
}

// Owner keeps an owner or a group as it is, for Chown.
const Owner = ^uint32(0)

// Chown sets the owner and the group, where they are not [Owner]. follow says
// whether a link in the last place is followed. The bits that let a program run as
// its owner or group are cleared on files (chown(2)).
func (f *FS) Chown(name string, uid, gid uint32, follow bool) error {
	n, err := f.stat("chown", name, follow)
	if err != nil {
		return err
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
		c.Mode &^= tree.SetUID
		if c.Mode&0o010 != 0 {
			c.Mode &^= tree.SetGID
		}
	})
}

// Touch sets the time of what name leads to. follow says whether a link in the last
// place is followed.
func (f *FS) Touch(name string, time int64, follow bool) error {
	n, err := f.stat("utimes", name, follow)
	if err != nil {
		return err
	}
	if n.Layered {
		return nil // the package's time is as good as any, and costs no layer
	}
	c := *n
	c.ModTime = time
	return f.Tree.Set(&c)
}

// change gives a node and its other names other metadata. The bytes stay where
// they are.
func (f *FS) change(n *tree.Node, do func(*tree.Node)) error {
	c := *n
	do(&c)
	if c.Mode == n.Mode && c.UID == n.UID && c.GID == n.GID {
		return nil
	}
	c.Origin = f.changedFrom(n)
	for _, name := range f.names(n) {
		if l := *f.Tree.Lookup(name); l.Type == tree.Hardlink {
			l.Mode, l.UID, l.GID = c.Mode, c.UID, c.GID
			if err := f.Tree.Set(&l); err != nil {
				return err
			}
		}
	}
	return f.Tree.Set(&c)
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

// Links returns how many other names the file n has, which are hard links to it.
func (f *FS) Links(n *tree.Node) int { return len(f.names(n)) }

// names returns the other names of a file.
func (f *FS) names(n *tree.Node) []string {
	if n.Type != tree.File {
		return nil
	}
	if f.links == nil {
		f.links = map[string][]string{}
		for l := range f.Tree.All() {
			if l.Type == tree.Hardlink {
				f.links[l.Link] = append(f.links[l.Link], l.Path)
			}
		}
	}
	return f.links[n.Path]
}

// detach prepares a name of a file for being removed or replaced. Where it is the
// file itself, its other names become files of their own, for in a layer they
// would refer to what is not there.
func (f *FS) detach(n *tree.Node) {
	file := f.file(n)
	names := f.names(file)
	if n != file {
		f.links[file.Path] = slices.DeleteFunc(slices.Clone(names), func(name string) bool { return name == n.Path })
		return
	}
	for _, name := range names {
		c := *file
		c.Path, c.Layered, c.Origin = name, false, f.Tree.Lookup(name).Origin
		_ = f.Tree.Set(&c) // a file in the place of its link
	}
	delete(f.links, file.Path)
}
