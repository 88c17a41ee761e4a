package rootfs

import (
	"errors"
	"io/fs"
	"path"
	"strings"
	"syscall"

	"github.com/hardpan/hardpan/internal/tree"
)

// vacant returns where name is to be made: its directory is there, and it is not.
func (f *FS) vacant(op, name string, dir bool) (string, error) {
	at, err := f.parent(op, name)
	switch {
	case err != nil:
		return "", err
	case at.last != lastName || at.node != nil:
		return "", fail(op, name, syscall.EEXIST)
	case at.slash && !dir:
		return "", fail(op, name, syscall.ENOENT)
	}
	return at.path, nil
}

// Mkdir makes a directory. Of perm, the permission and the sticky bit count (mkdir(2)).
func (f *FS) Mkdir(name string, perm uint32) error {
	at, err := f.vacant("mkdir", name, true)
	if err != nil {
		return err
	}
	return f.made("mkdir", name, &tree.Node{Path: at, Type: tree.Dir, Mode: perm & (0o777 | tree.Sticky)})
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
	err := f.Mkdir(trimmed, perm)
	if errors.Is(err, syscall.EEXIST) && f.IsDir(name) { // "a/.", now that there is "a"
		return nil
	}
	return err
}

// Symlink makes a symbolic link to target.
func (f *FS) Symlink(target, name string) error {
	if target == "" {
		return fail("symlink", name, syscall.ENOENT)
	}
	if len(target) >= maxPath {
		return fail("symlink", name, syscall.ENAMETOOLONG)
	}
	at, err := f.vacant("symlink", name, false)
	if err != nil {
		return err
	}
	if err := f.charge(int64(len(target))); err != nil {
		return err
	}
	return f.made("symlink", name, &tree.Node{Path: at, Type: tree.Symlink, Mode: 0o777, Link: target})
}

// Link gives a file a further name: what is written to one is in the other. An
// image's layers have hard links within a package only, so that in the tree the new
// name is a file of its own with the same content.
func (f *FS) Link(old, name string) error {
	from, err := f.stat("link", old, false)
	if err != nil {
		return err
	}
	at, err := f.vacant("link", name, false)
	if err != nil {
		return err
	}
	if from.Type == tree.Dir {
		return fail("link", old, syscall.EPERM)
	}
	if err := f.charge(from.Size); err != nil {
		return err
	}
	i := f.inodeOf(from)
	c := *from
	c.Path, c.Origin = at, f.Origin
	if err := f.set("link", name, &c); err != nil {
		return err
	}
	i.names, i.linked = append(i.names, &c), true
	f.inodes[at] = i
	return nil
}

// Remove removes a file, a link or an empty directory, as [os.Remove] does.
func (f *FS) Remove(name string) error {
	f.flush()
	at, err := f.parent("remove", name)
	if err != nil {
		return err
	}
	n := at.node
	switch {
	case at.last == lastRoot:
		return fail("remove", name, syscall.EBUSY)
	case at.last == lastDot:
		return fail("remove", name, syscall.EINVAL)
	case at.last == lastDotDot:
		return fail("remove", name, syscall.ENOTEMPTY)
	case n == nil:
		return fail("remove", name, syscall.ENOENT)
	case n.Type != tree.Dir && at.slash:
		return fail("remove", name, syscall.ENOTDIR)
	case n.Type == tree.Dir && len(f.Tree.ReadDir(at.path)) > 0:
		return fail("remove", name, syscall.ENOTEMPTY)
	case !f.mayChange(at.path):
		return fail("remove", name, syscall.EACCES)
	}
	f.detach(n)
	f.Tree.Remove(at.path)
	return nil
}

// RemoveAll removes name and all below it. Where there is nothing it does nothing.
func (f *FS) RemoveAll(name string) error {
	f.flush()
	at, err := f.parent("remove", name)
	switch {
	case errors.Is(err, fs.ErrNotExist) || err == nil && at.node == nil:
		return nil
	case err != nil:
		return err
	case at.path == ".":
		return fail("remove", name, syscall.EBUSY)
	case at.last != lastName:
		return fail("remove", name, syscall.EINVAL)
	case at.slash && at.node.Type != tree.Dir:
		return fail("remove", name, syscall.ENOTDIR)
	case !f.mayChange(at.path):
		return fail("remove", name, syscall.EACCES)
	}
	for _, below := range f.below(nil, at.path) {
		f.detach(f.Tree.Lookup(below))
	}
	f.Tree.Remove(at.path)
	return nil
}

// below adds the path of a node and of all nodes below it, a directory before what
// it holds.
func (f *FS) below(paths []string, at string) []string {
	paths = append(paths, at)
	if f.Tree.Lookup(at).Type == tree.Dir {
		for _, name := range f.Tree.ReadDir(at) {
			paths = f.below(paths, path.Join(at, name))
		}
	}
	return paths
}

// Rename moves old to name, in whose place it comes (rename(2)).
func (f *FS) Rename(old, name string) error {
	f.flush()
	from, err := f.parent("rename", old)
	if err != nil {
		return err
	}
	to, err := f.parent("rename", name)
	if err != nil {
		return err
	}
	if no := f.renames(from, to); no != 0 {
		return fail("rename", old, no)
	}
	if !f.mayChange(from.path) || !f.mayChange(to.path) {
		return fail("rename", old, syscall.EACCES)
	}
	if to.node != nil {
		if f.file(to.node) == f.file(from.node) {
			return nil
		}
		f.detach(to.node)
		f.Tree.Remove(to.path)
	}
	moved := f.below(nil, from.path)
	if err := f.charge(int64(len(moved)) * nodeCost); err != nil {
		return err
	}
	nodes := make([]tree.Node, len(moved))
	files := make([]*inode, len(moved))
	for k, at := range moved {
		n := f.Tree.Lookup(at)
		files[k] = f.forMove(n)
		nodes[k] = *f.Tree.Lookup(at) // a hard link has become a file
	}
	f.Tree.Remove(from.path)
	for k := range nodes {
		n := &nodes[k]
		n.Path, n.Origin = to.path+n.Path[len(from.path):], f.changedFrom(n)
		if i := files[k]; i != nil {
			i.names = append(i.names, n)
			f.inodes[n.Path] = i
		}
		if err := f.set("rename", name, n); err != nil {
			return err
		}
	}
	return nil
}

// forMove takes a name from its file for as long as it moves, and returns the file,
// nil where it has no more than that name.
func (f *FS) forMove(n *tree.Node) *inode {
	if n.Type == tree.Dir || f.inodes[n.Path] == nil && n.Type != tree.Hardlink && len(f.Tree.Hardlinks(n.Path)) == 0 {
		return nil
	}
	i := f.inodeOf(n)
	f.separate(i)
	for k, name := range i.names {
		if name.Path == n.Path {
			i.names = append(i.names[:k:k], i.names[k+1:]...)
			break
		}
	}
	delete(f.inodes, n.Path)
	return i
}

// renames returns why a move cannot be, 0 where it can (rename(2)).
func (f *FS) renames(from, to place) syscall.Errno {
	switch {
	case from.last != lastName || to.last != lastName:
		return syscall.EBUSY
	case from.node == nil:
		return syscall.ENOENT
	case from.node.Type != tree.Dir && (from.slash || to.slash):
		return syscall.ENOTDIR
	case strings.HasPrefix(to.path, from.path+"/"):
		return syscall.EINVAL
	case strings.HasPrefix(from.path, to.path+"/"):
		return syscall.ENOTEMPTY
	case to.node == nil || to.path == from.path:
		return 0
	case from.node.Type == tree.Dir && to.node.Type != tree.Dir:
		return syscall.ENOTDIR
	case from.node.Type != tree.Dir && to.node.Type == tree.Dir:
		return syscall.EISDIR
	case to.node.Type == tree.Dir && len(f.Tree.ReadDir(to.path)) > 0:
		return syscall.ENOTEMPTY
	}
	return 0
}
