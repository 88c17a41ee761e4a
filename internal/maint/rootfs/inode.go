package rootfs

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"slices"

	"github.com/hardpan/hardpan/internal/tree"
)

// inode is one file, where it has more than its name in the tree: because it is open,
// or because a script gave it further names. The names that its package gave it are
// the tree's ([tree.Hardlink]) until one of them is written, moved or removed; from
// then on each is a file of its own in the tree, for a layer has hard links within a
// package only, and the inode keeps them the same.
type inode struct {
	names  []*tree.Node // in the tree; the first is what Stat returns
	linked bool         // the tree does not say that the names are those of one file
	open   int          // handles

	data   []byte // while it is open; what was given away is not changed
	shared int    // bytes of data that were given away
	dirty  bool   // data is not in the tree
	sealed bool   // something random was written to it while it is open
	origin *tree.Origin
	sum    hash.Hash // of the first bytes of data
	summed int       // how many
}

// file returns the file that a node is a name of: the same for all its names.
func (f *FS) file(n *tree.Node) *tree.Node {
	if i := f.lookup(n); i != nil {
		return i.names[0]
	}
	if n.Type == tree.Hardlink {
		if to := f.Tree.Lookup(n.Link); to != nil {
			return to
		}
	}
	return n
}

// lookup returns the inode of a node of the tree, nil where it has none. Names whose
// nodes others replaced, as the unpacking of a package does, are forgotten.
func (f *FS) lookup(n *tree.Node) *inode {
	if i := f.inodes[n.Path]; i != nil {
		f.prune(i)
	}
	return f.inodes[n.Path]
}

func (f *FS) prune(i *inode) {
	i.names = slices.DeleteFunc(i.names, func(name *tree.Node) bool {
		if f.Tree.Lookup(name.Path) == name {
			return false
		}
		delete(f.inodes, name.Path)
		return true
	})
}

// inodeOf returns the inode of a node, which it makes where there is none.
func (f *FS) inodeOf(n *tree.Node) *inode {
	if i := f.lookup(n); i != nil {
		return i
	}
	n = f.file(n)
	i := &inode{names: []*tree.Node{n}}
	for _, name := range f.Tree.Hardlinks(n.Path) {
		i.names = append(i.names, f.Tree.Lookup(name))
	}
	for _, name := range i.names {
		f.inodes[name.Path] = i
	}
	return i
}

// release forgets an inode of which the tree says all.
func (f *FS) release(i *inode) {
	if i.open > 0 || i.linked && len(i.names) > 1 {
		return
	}
	for _, name := range i.names {
		delete(f.inodes, name.Path)
	}
}

// repoint says that the node of a name was replaced by another one of the same file.
func (f *FS) repoint(n *tree.Node) {
	if i := f.inodes[n.Path]; i != nil {
		for k, name := range i.names {
			if name.Path == n.Path {
				i.names[k] = n
			}
		}
	}
}

// names returns the other names of a file.
func (f *FS) names(n *tree.Node) []string {
	var names []string
	if i := f.lookup(n); i != nil {
		for _, name := range i.names {
			if name.Path != n.Path {
				names = append(names, name.Path)
			}
		}
		return names
	}
	if n.Type == tree.File {
		return f.Tree.Hardlinks(n.Path)
	}
	return nil
}

// Links returns how many other names the file n has, which are hard links to it.
func (f *FS) Links(n *tree.Node) int { return len(f.names(f.file(n))) }

// fill gives all names of a file the content of c, and its origin. What is written to
// loses its capability (capabilities(7)).
func (f *FS) fill(i *inode, c *tree.Node) error {
	main := *i.names[0]
	for _, name := range slices.Clone(i.names) {
		n := main
		n.Path, n.Type, n.ModTime, n.Origin = name.Path, tree.File, f.Time, c.Origin
		n.Size, n.SHA256, n.Content, n.ELF, n.Capability = c.Size, c.SHA256, c.Content, c.ELF, ""
		if err := f.set("write", "/"+n.Path, &n); err != nil {
			return err
		}
	}
	i.linked = i.linked || len(i.names) > 1
	return nil
}

// separate makes each name of a file that is another name in the tree a file there.
// It comes before one of them is moved or removed.
func (f *FS) separate(i *inode) {
	main := *i.names[0]
	for _, name := range slices.Clone(i.names) {
		if name.Type != tree.Hardlink {
			continue
		}
		n := main
		n.Path, n.Layered, n.Origin = name.Path, false, name.Origin
		_ = f.Tree.Set(&n) // a file in the place of its link cannot fail
		f.repoint(&n)
		i.linked = true
	}
}

// detach takes a name from its file, since it is about to be removed or moved. The
// node may be replaced by another one for the same path.
func (f *FS) detach(n *tree.Node) {
	if n.Type == tree.Dir || f.inodes[n.Path] == nil && n.Type != tree.Hardlink && len(f.Tree.Hardlinks(n.Path)) == 0 {
		return
	}
	i := f.inodeOf(n)
	if n.Type != tree.Hardlink { // what is another name in a layer needs the one that it is of
		f.separate(i)
	}
	i.names = slices.DeleteFunc(i.names, func(name *tree.Node) bool { return name.Path == n.Path })
	delete(f.inodes, n.Path)
	f.release(i)
}

// bytes gives data away.
func (i *inode) bytes() []byte {
	i.shared = max(i.shared, len(i.data))
	return slices.Clip(i.data)
}

// digest returns the SHA-256 of data. What was added at the end since the last time
// is all that is hashed.
func (i *inode) digest() string {
	if i.sum == nil || i.summed > len(i.data) || i.summed == 0 {
		i.sum, i.summed = sha256.New(), 0
	}
	i.sum.Write(i.data[i.summed:])
	i.summed = len(i.data)
	return hex.EncodeToString(i.sum.Sum(nil))
}

// flush brings what was written into the tree, so that a reader sees it. A file that
// has no name any more stays as it is.
func (f *FS) flush() {
	for len(f.dirty) > 0 {
		i := f.dirty[0]
		f.dirty = f.dirty[1:]
		_ = f.flushOne(i) // a limit, of which the writer hears when it closes
	}
}

func (f *FS) flushOne(i *inode) error {
	if f.prune(i); !i.dirty || len(i.names) == 0 {
		return nil
	}
	i.dirty = false
	if i.sealed {
		return f.fill(i, &tree.Node{Content: sealed{}, Size: sealedSize, SHA256: new(inode).digest(), Origin: i.origin})
	}
	return f.fill(i, &tree.Node{Size: int64(len(i.data)), SHA256: i.digest(), Content: tree.Bytes(i.bytes()), Origin: i.origin})
}
