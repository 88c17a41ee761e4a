package tree

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"maps"
	"path"
	"slices"
	"strings"
)

// Tree is a file tree. The zero value is not usable; see [New]. A Tree is not
// safe for use by several goroutines while one of them changes it.
type Tree struct {
	nodes    map[string]*Node
	children map[string]*names // of directories, made when first asked for and kept from then on
	implied  *Origin
	modTime  int64
	watched  map[string]bool     // paths that changed, nil where nobody watches
	links    map[string][]string // of a file that has hard links: their paths
}

// names are those in one directory. A slice that was given away is not changed.
type names struct {
	list   []string
	sorted bool
}

// New returns a tree that holds the root directory. Directories that are
// needed above a node and that nobody has added get the origin implied, the
// mode 0755, the owner 0:0 and the time modTime.
func New(implied *Origin, modTime int64) *Tree {
	t := &Tree{nodes: map[string]*Node{}, implied: implied, modTime: modTime}
	t.nodes["."] = &Node{Path: ".", Type: Dir, Mode: 0o755, ModTime: modTime, Origin: implied}
	return t
}

// Clean returns name, which may be absolute, as a path of a tree. A name that
// climbs above the root stays at the root, as for a process that runs in it.
func Clean(name string) string {
	p := path.Clean("/" + name)[1:]
	if p == "" {
		return "."
	}
	return p
}

// Len returns the number of nodes, the root included.
func (t *Tree) Len() int { return len(t.nodes) }

// Lookup returns the node at exactly that path, nil where there is none. It
// follows no symbolic link.
func (t *Tree) Lookup(name string) *Node { return t.nodes[name] }

// maxLinks is how many symbolic links a lookup follows, as Linux has it
// (path_resolution(7)).
const maxLinks = 40

// ErrLoop is wrapped by the error of a lookup that follows too many links.
var ErrLoop = errors.New("too many levels of symbolic links")

// Resolve returns the node that name leads to for a process whose root is this
// tree, symbolic links followed to the end. Errors wrap [fs.ErrNotExist] or
// [ErrLoop] or say that a component is not a directory.
func (t *Tree) Resolve(name string) (*Node, error) {
	p, err := t.End(name)
	if err != nil {
		return nil, err
	}
	n := t.nodes[p]
	if n == nil {
		return nil, &fs.PathError{Op: "resolve", Path: "/" + p, Err: fs.ErrNotExist}
	}
	return n, nil
}

// RealPath returns name with every symbolic link above its last element
// followed. The last element need not exist, nor need directories above it: a link
// into a place that nobody made yet, such as /var/run to /run, leads there.
func (t *Tree) RealPath(name string) (string, error) { return t.walk(name, false) }

// End returns the path that name leads to, every symbolic link followed. Nothing
// need be there.
func (t *Tree) End(name string) (string, error) { return t.walk(name, true) }

var errNotDir = errors.New("not a directory")

// walk goes through name as the kernel does (path_resolution(7)): ".." is the
// directory above where a link has led, the root is above itself, and the links
// of the whole walk are counted. followLast says whether the last element is
// followed too. What does not exist is taken for a directory.
func (t *Tree) walk(name string, followLast bool) (string, error) {
	fail := func(err error) (string, error) {
		return "", &fs.PathError{Op: "resolve", Path: "/" + Clean(name), Err: err}
	}
	at, links := ".", 0
	for rest := elements(name); len(rest) > 0; {
		part := rest[0]
		rest = rest[1:]
		if part == ".." {
			at = path.Dir(at)
			continue
		}
		next := path.Join(at, part)
		n := t.nodes[next]
		switch {
		case n == nil || n.Type == Dir:
			at = next
		case n.Type == Symlink && (followLast || len(rest) > 0):
			if links++; links > maxLinks {
				return fail(ErrLoop)
			}
			if n.Link == "" {
				return fail(fs.ErrNotExist)
			}
			if strings.HasPrefix(n.Link, "/") {
				at = "."
			}
			rest = append(elements(n.Link), rest...)
		case len(rest) > 0:
			return fail(errNotDir)
		default:
			at = next
		}
	}
	return at, nil
}

// elements returns the names in a path, without those that lead nowhere.
func elements(name string) []string {
	return slices.DeleteFunc(strings.Split(name, "/"), func(part string) bool { return part == "" || part == "." })
}

// ConflictError says that two origins claim one path.
type ConflictError struct {
	Path     string
	Old, New *Node
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("/%s: %s of %s is also %s of %s", e.Path, e.New.Type, e.New.Origin, e.Old.Type, e.Old.Origin)
}

// Add puts n into the tree and makes the directories above it that are missing.
// A path that the tree has already is a [*ConflictError], except that a
// directory may be added again: the first one's metadata stays. The path must be
// clean and none of its parents a symbolic link; see [Tree.RealPath].
func (t *Tree) Add(n *Node) error {
	if n.Path != Clean(n.Path) {
		return fmt.Errorf("path %q is not clean", n.Path)
	}
	if old := t.nodes[n.Path]; old != nil {
		if old.Type == Dir && n.Type == Dir {
			if old.Origin == t.implied { // made for a child before its owner came
				t.place(n)
			}
			return nil
		}
		return &ConflictError{Path: n.Path, Old: old, New: n}
	}
	if err := t.makeParents(n.Path, n); err != nil {
		return err
	}
	t.put(n)
	return nil
}

// Watch begins to note which paths are added, replaced and removed.
func (t *Tree) Watch() { t.watched = map[string]bool{} }

// Changed returns the sorted paths that changed since [Tree.Watch], and begins
// anew.
func (t *Tree) Changed() []string {
	paths := slices.Sorted(maps.Keys(t.watched))
	clear(t.watched)
	return paths
}

// place makes n the node at its path.
func (t *Tree) place(n *Node) {
	t.unlink(t.nodes[n.Path])
	if n.Type == Hardlink {
		if t.links == nil {
			t.links = map[string][]string{}
		}
		t.links[n.Link] = append(slices.Clip(t.links[n.Link]), n.Path)
	}
	t.nodes[n.Path] = n
	if t.watched != nil {
		t.watched[n.Path] = true
	}
}

// unlink takes a node that is about to go out of the index of hard links.
func (t *Tree) unlink(n *Node) {
	if n == nil || n.Type != Hardlink {
		return
	}
	rest := slices.DeleteFunc(slices.Clone(t.links[n.Link]), func(name string) bool { return name == n.Path })
	if t.links[n.Link] = rest; len(rest) == 0 {
		delete(t.links, n.Link)
	}
}

// Hardlinks returns the paths that are hard links to the file at name, in the order
// in which they came. The caller may not change them.
func (t *Tree) Hardlinks(name string) []string { return t.links[name] }

// HandOver makes one of the hard links to the file at name the file itself, which the
// others then lead to, so that name can be replaced or removed without them. It
// returns the path of that one, "" where the file has no hard links.
func (t *Tree) HandOver(name string) string {
	links := t.links[name]
	if len(links) == 0 {
		return ""
	}
	heir := links[0]
	file := *t.nodes[name]
	file.Path = heir
	t.place(&file)
	for _, other := range links[1:] {
		link := *t.nodes[other]
		link.Link = heir
		t.place(&link)
	}
	return heir
}

// put stores n at a path that has no node.
func (t *Tree) put(n *Node) {
	t.place(n)
	if t.children != nil {
		t.enter(n.Path)
	}
}

func (t *Tree) enter(name string) {
	dir := path.Dir(name)
	if t.children[dir] == nil {
		t.children[dir] = &names{}
	}
	entries := t.children[dir]
	entries.list, entries.sorted = append(entries.list, path.Base(name)), false
}

func (t *Tree) makeParents(name string, of *Node) error {
	dir := path.Dir(name)
	switch n := t.nodes[dir]; {
	case n == nil:
		if err := t.makeParents(dir, of); err != nil {
			return err
		}
		t.put(&Node{Path: dir, Type: Dir, Mode: 0o755, ModTime: t.modTime, Origin: t.implied})
	case n.Type != Dir:
		return fmt.Errorf("/%s of %s: its parent /%s is a %s of %s", of.Path, of.Origin, dir, n.Type, n.Origin)
	}
	return nil
}

// Set puts n into the tree like [Tree.Add] but takes the place of whatever was
// at its path. A directory that holds anything cannot be replaced by another type.
func (t *Tree) Set(n *Node) error {
	if old := t.nodes[n.Path]; old != nil {
		if old.Type == Dir && n.Type != Dir && (n.Path == "." || len(t.ReadDir(n.Path)) > 0) {
			return &ConflictError{Path: n.Path, Old: old, New: n}
		}
		t.place(n)
		return nil
	}
	return t.Add(n)
}

// Remove takes the node at name out of the tree, with everything below it. The
// root stays.
func (t *Tree) Remove(name string) {
	if t.nodes[name] == nil || name == "." {
		return
	}
	t.removeAll(name)
	if entries := t.children[path.Dir(name)]; entries != nil {
		base := path.Base(name)
		entries.list = slices.DeleteFunc(slices.Clone(entries.list), func(n string) bool { return n == base })
	}
}

// removeAll removes name and what is below it, and leaves its entry above.
func (t *Tree) removeAll(name string) {
	if t.nodes[name].Type == Dir {
		for _, child := range t.ReadDir(name) {
			t.removeAll(path.Join(name, child))
		}
		delete(t.children, name)
	}
	t.unlink(t.nodes[name])
	delete(t.nodes, name)
	if t.watched != nil {
		t.watched[name] = true
	}
}

// WriteFile puts a file with content b at name.
func (t *Tree) WriteFile(name string, b []byte, mode uint32, origin *Origin) error {
	sum := sha256.Sum256(b)
	return t.Set(&Node{
		Path: name, Type: File, Mode: mode, ModTime: t.modTime, Size: int64(len(b)),
		SHA256: hex.EncodeToString(sum[:]), Content: Bytes(b), Origin: origin,
	})
}

// Symlink puts a symbolic link to target at name.
func (t *Tree) Symlink(name, target string, origin *Origin) error {
	return t.Set(&Node{Path: name, Type: Symlink, Mode: 0o777, ModTime: t.modTime, Link: target, Origin: origin})
}

// Mkdir puts a directory at name unless there is one.
func (t *Tree) Mkdir(name string, mode uint32, origin *Origin) error {
	return t.Add(&Node{Path: name, Type: Dir, Mode: mode, ModTime: t.modTime, Origin: origin})
}

// maxReadFile bounds what ReadFile holds in memory, in bytes.
const maxReadFile = 64 << 20

// ReadFile returns the content of the file that name leads to, checked against its
// digest.
func (t *Tree) ReadFile(name string) ([]byte, error) {
	n, err := t.Resolve(name)
	if err != nil {
		return nil, err
	}
	if n.Type == Hardlink {
		if n = t.nodes[n.Link]; n == nil {
			return nil, &fs.PathError{Op: "read", Path: "/" + Clean(name), Err: fs.ErrNotExist}
		}
	}
	if n.Type != File {
		return nil, fmt.Errorf("read /%s: is a %s", n.Path, n.Type)
	}
	if n.Size > maxReadFile {
		return nil, fmt.Errorf("read /%s: %d bytes, at most %d can be read", n.Path, n.Size, int64(maxReadFile))
	}
	r, err := n.Content.Open()
	if err != nil {
		return nil, fmt.Errorf("read /%s: %w", n.Path, err)
	}
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(r, n.Size+1))
	if err != nil {
		return nil, fmt.Errorf("read /%s: %w", n.Path, err)
	}
	if sum := sha256.Sum256(b); n.SHA256 != "" && hex.EncodeToString(sum[:]) != n.SHA256 {
		return nil, fmt.Errorf("read /%s: content has sha256 %x, expected %s", n.Path, sum, n.SHA256)
	}
	return b, nil
}

// ReadDir returns the sorted names in the directory at name. The caller may not
// change them.
func (t *Tree) ReadDir(name string) []string {
	if t.children == nil {
		t.children = make(map[string]*names)
		for p := range t.nodes {
			if p != "." {
				t.enter(p)
			}
		}
	}
	entries := t.children[name]
	if entries == nil {
		return nil
	}
	if !entries.sorted {
		entries.list, entries.sorted = slices.Sorted(slices.Values(entries.list)), true
	}
	return slices.Clip(entries.list)
}

// Glob returns the sorted paths of the tree that match pattern (see [path.Match]).
func (t *Tree) Glob(pattern string) []string {
	var found []string
	for p := range t.nodes {
		if ok, _ := path.Match(pattern, p); ok {
			found = append(found, p)
		}
	}
	slices.Sort(found)
	return found
}

// All returns the nodes in the order of their paths, where a directory comes
// before what it holds.
func (t *Tree) All() iter.Seq[*Node] {
	return func(yield func(*Node) bool) {
		for _, p := range slices.Sorted(maps.Keys(t.nodes)) {
			if !yield(t.nodes[p]) {
				return
			}
		}
	}
}
