package layer

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/tree"
)

// Entry is one member of a layer's archive. Its Path is the name there, which nobody
// has looked at yet; that of a hard link's Link is one too.
type Entry struct {
	tree.Node
	// Special says what the member is that a tree has no type for, such as "device";
	// "" for all others.
	Special string
}

// Overlay is the tree that layers make on top of one another, as a runtime that
// extracts them one by one would have it (OCI image spec, layer.md, Applying
// Changesets).
type Overlay struct {
	Tree *tree.Tree
	// Special has the paths of what the tree has no type for, by path.
	Special map[string]string
}

// NewOverlay returns an overlay on t, which the layers of an image are then applied to.
func NewOverlay(t *tree.Tree) *Overlay { return &Overlay{Tree: t, Special: map[string]string{}} }

// The names of members that say what is gone (OCI image spec, layer.md, Whiteouts).
const (
	whiteout     = ".wh."
	whiteoutMeta = ".wh..wh." // of aufs, which nobody extracts
	opaque       = ".wh..wh..opq"
)

// IsWhiteout reports whether a member of a layer stands for the absence of another.
func IsWhiteout(name string) bool {
	name = tree.Clean(name)
	return strings.HasPrefix(path.Base(name), whiteout) || strings.HasPrefix(name, whiteoutMeta)
}

// Apply puts the next layer on top. Its whiteouts hide what lower layers have,
// wherever in the layer they are, and never what it has itself. Links among the
// parents of a name are followed within the tree, as in a process whose root it is.
// A file whose name goes keeps its content under its other names.
//
// An error says which member cannot be extracted: one below a file, a link to
// nothing, or a whiteout of no name. The tree is of no use then.
func (o *Overlay) Apply(entries []Entry) error {
	for i := range entries {
		if err := o.hide(entries[i].Path); err != nil {
			return err
		}
	}
	for i := range entries {
		e := &entries[i]
		if IsWhiteout(e.Path) {
			continue
		}
		if err := o.add(e); err != nil {
			return fmt.Errorf("%.200q cannot be extracted: %w", e.Path, err)
		}
	}
	return nil
}

// hide does what a whiteout says.
func (o *Overlay) hide(name string) error {
	dir, base := path.Split(tree.Clean(name))
	if !strings.HasPrefix(base, whiteout) || strings.HasPrefix(base, whiteoutMeta) && base != opaque {
		return nil
	}
	hidden := strings.TrimPrefix(base, whiteout)
	if base != opaque && (hidden == "" || hidden == "." || hidden == "..") {
		return fmt.Errorf("%.200q cannot be extracted: it hides no name", name)
	}
	if base != opaque {
		at, err := o.Tree.RealPath(dir + hidden)
		if err != nil {
			return nil // below what is no directory, nothing is there
		}
		o.remove(at)
		return nil
	}
	at, err := o.Tree.End(dir)
	if err != nil {
		return nil
	}
	for _, child := range slices.Clone(o.Tree.ReadDir(at)) {
		o.remove(path.Join(at, child))
	}
	maps.DeleteFunc(o.Special, func(p, _ string) bool { return inside(p, at) })
	return nil
}

func (o *Overlay) add(e *Entry) error {
	at, err := o.Tree.RealPath(tree.Clean(e.Path))
	if err != nil {
		return err
	}
	n := e.Node
	n.Path = at
	if at == "." {
		if n.Type != tree.Dir || e.Special != "" {
			return fmt.Errorf("the root is a %s", n.Type)
		}
		return o.Tree.Set(&n)
	}
	if e.Special != "" {
		o.remove(at)
		o.Special[at] = e.Special
		return nil
	}
	if n.Type == tree.Hardlink {
		return o.link(&n)
	}
	if old := o.Tree.Lookup(at); old == nil || old.Type != tree.Dir || n.Type != tree.Dir {
		o.remove(at)
	}
	return o.Tree.Set(&n)
}

// link gives a file another name. The file then has the owner and the mode that the
// link's member states, under all its names: who extracts it sets them again.
func (o *Overlay) link(n *tree.Node) error {
	target, err := o.Tree.RealPath(tree.Clean(n.Link))
	if err != nil {
		return err
	}
	to := o.Tree.Lookup(target)
	switch {
	case to == nil:
		return fmt.Errorf("it is a hard link to /%.200s, which is not there", target)
	case target == n.Path:
		return fmt.Errorf("it is a hard link to itself")
	case to.Type == tree.Dir:
		return fmt.Errorf("it is a hard link to the directory /%.200s", target)
	}
	file := *to // as it may go with what is at the link's name
	if to.Type == tree.Hardlink {
		file = *o.Tree.Lookup(to.Link)
	}
	if file.Path == n.Path {
		return nil // it is a name of that file already
	}
	o.remove(n.Path)
	if file.Type == tree.Symlink {
		file.Path = n.Path
		return o.Tree.Set(&file)
	}
	if n.Capability == "" {
		n.Capability = file.Capability
	}
	file.Mode, file.UID, file.GID, file.ModTime, file.Capability = n.Mode, n.UID, n.GID, n.ModTime, n.Capability
	if err := o.Tree.Set(&file); err != nil {
		return err
	}
	for _, name := range o.Tree.Hardlinks(file.Path) {
		other := *o.Tree.Lookup(name)
		other.Mode, other.UID, other.GID, other.ModTime, other.Capability = n.Mode, n.UID, n.GID, n.ModTime, n.Capability
		if err := o.Tree.Set(&other); err != nil {
			return err
		}
	}
	n.Link = file.Path
	return o.Tree.Set(n)
}

// remove takes what is at a path out of the tree, with all below it. Of files that
// have names elsewhere one of these becomes the file.
func (o *Overlay) remove(at string) {
	maps.DeleteFunc(o.Special, func(p, _ string) bool { return p == at || inside(p, at) })
	n := o.Tree.Lookup(at)
	if n == nil || at == "." {
		return
	}
	var below []*tree.Node
	o.walk(n, func(n *tree.Node) { below = append(below, n) })
	for _, n := range below {
		if n.Type == tree.Hardlink {
			o.Tree.Remove(n.Path)
		}
	}
	for _, n := range below {
		if n.Type == tree.File {
			o.Tree.HandOver(n.Path)
		}
	}
	o.Tree.Remove(at)
}

func (o *Overlay) walk(n *tree.Node, visit func(*tree.Node)) {
	visit(n)
	if n.Type == tree.Dir {
		for _, child := range o.Tree.ReadDir(n.Path) {
			o.walk(o.Tree.Lookup(path.Join(n.Path, child)), visit)
		}
	}
}

// inside reports whether a path is below a directory.
func inside(p, dir string) bool {
	return dir == "." || len(p) > len(dir) && p[len(dir)] == '/' && p[:len(dir)] == dir
}
