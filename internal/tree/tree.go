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
	children map[string][]string // sorted names, made when first asked for
	implied  *Origin
	modTime  int64
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
	p, err := t.RealPath(name)
	if err != nil {
		return nil, err
	}
	n := t.nodes[p]
	if n != nil && n.Type == Symlink {
		return t.follow(n, 1)
	}
	if n == nil {
		return nil, &fs.PathError{Op: "resolve", Path: "/" + Clean(name), Err: fs.ErrNotExist}
	}
	return n, nil
}

// RealPath returns name with every symbolic link above its last element
// followed. The last element need not exist, nor need directories above it.
func (t *Tree) RealPath(name string) (string, error) {
	return t.realPath(Clean(name), 0)
}

func (t *Tree) realPath(name string, links int) (string, error) {
	if name == "." {
		return ".", nil
	}
	dir := "."
	parts := strings.Split(name, "/")
	for i, part := range parts[:len(parts)-1] {
		at := path.Join(dir, part)
		n := t.nodes[at]
		switch {
		case n == nil || n.Type == Dir:
			dir = at
		case n.Type == Symlink:
			target, err := t.follow(n, links+1)
			if errors.Is(err, fs.ErrNotExist) {
				// A link into a place that nobody made yet, such as /var/run to /run.
				return t.realPath(path.Join(linkTarget(n), path.Join(parts[i+1:]...)), links+1)
			}
			if err != nil {
				return "", err
			}
			if target.Type != Dir {
				return "", &fs.PathError{Op: "resolve", Path: "/" + name, Err: errNotDir}
			}
			dir = target.Path
		default:
			return "", &fs.PathError{Op: "resolve", Path: "/" + name, Err: errNotDir}
		}
	}
	return path.Join(dir, parts[len(parts)-1]), nil
}

var errNotDir = errors.New("not a directory")

func linkTarget(n *Node) string {
	if strings.HasPrefix(n.Link, "/") {
		return Clean(n.Link)
	}
	return Clean(path.Join(path.Dir(n.Path), n.Link))
}

func (t *Tree) follow(n *Node, links int) (*Node, error) {
	for ; n.Type == Symlink; links++ {
		if links > maxLinks {
			return nil, &fs.PathError{Op: "resolve", Path: "/" + n.Path, Err: ErrLoop}
		}
		p, err := t.realPath(linkTarget(n), links)
		if err != nil {
			return nil, err
		}
		next := t.nodes[p]
		if next == nil {
			return nil, &fs.PathError{Op: "resolve", Path: "/" + p, Err: fs.ErrNotExist}
		}
		n = next
	}
	return n, nil
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
				t.nodes[n.Path] = n
			}
			return nil
		}
		return &ConflictError{Path: n.Path, Old: old, New: n}
	}
	if err := t.makeParents(n.Path, n); err != nil {
		return err
	}
	t.nodes[n.Path] = n
	t.children = nil
	return nil
}

func (t *Tree) makeParents(name string, of *Node) error {
	dir := path.Dir(name)
	switch n := t.nodes[dir]; {
	case n == nil:
		if err := t.makeParents(dir, of); err != nil {
			return err
		}
		t.nodes[dir] = &Node{Path: dir, Type: Dir, Mode: 0o755, ModTime: t.modTime, Origin: t.implied}
	case n.Type != Dir:
		return fmt.Errorf("/%s of %s: its parent /%s is a %s of %s", of.Path, of.Origin, dir, n.Type, n.Origin)
	}
	return nil
}

// Set puts n into the tree like [Tree.Add] but takes the place of whatever was
// at its path. A directory that holds anything cannot be replaced by another type.
func (t *Tree) Set(n *Node) error {
	if old := t.nodes[n.Path]; old != nil {
		if old.Type == Dir && n.Type != Dir && len(t.ReadDir(n.Path)) > 0 {
			return &ConflictError{Path: n.Path, Old: old, New: n}
		}
		t.nodes[n.Path] = n
		if old.Type == Dir != (n.Type == Dir) {
			t.children = nil
		}
		return nil
	}
	return t.Add(n)
}

// Remove takes the node at name out of the tree, with everything below it.
func (t *Tree) Remove(name string) {
	n := t.nodes[name]
	if n == nil || name == "." {
		return
	}
	if n.Type == Dir {
		for _, child := range t.ReadDir(name) {
			t.Remove(path.Join(name, child))
		}
	}
	delete(t.nodes, name)
	t.children = nil
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

// ReadFile returns the content of the file that name leads to.
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
	return b, nil
}

// ReadDir returns the sorted names in the directory at name.
func (t *Tree) ReadDir(name string) []string {
	if t.children == nil {
		t.children = make(map[string][]string)
		for p := range t.nodes {
			if p != "." {
				dir := path.Dir(p)
				t.children[dir] = append(t.children[dir], path.Base(p))
			}
		}
		for _, names := range t.children {
			slices.Sort(names)
		}
	}
	return t.children[name]
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
