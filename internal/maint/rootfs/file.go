package rootfs

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"syscall"

	"github.com/hardpan/hardpan/internal/tree"
)

// File is a file that is open for writing.
type File struct {
	fs    *FS
	path  string
	buf   []byte
	dirty bool
}

// Create opens the file that name leads to for writing and empties it; where there
// is none it is made with the mode perm.
func (f *FS) Create(name string, perm uint32) (*File, error) { return f.openFile(name, perm, false) }

// Append opens the file that name leads to for writing at its end; where there is
// none it is made with the mode perm.
func (f *FS) Append(name string, perm uint32) (*File, error) { return f.openFile(name, perm, true) }

func (f *FS) openFile(name string, perm uint32, keep bool) (*File, error) {
	f.flush()
	at, n, err := f.resolve("open", name, true)
	if err != nil {
		return nil, err
	}
	w := &File{fs: f, path: at}
	switch {
	case n == nil && strings.HasSuffix(name, "/"):
		return nil, fail("open", name, syscall.EISDIR)
	case n == nil:
		c := &tree.Node{Path: at, Type: tree.File, Mode: perm & 0o7777}
		f.inherit(c)
		if err := f.store(c, nil); err != nil {
			return nil, err
		}
	case n.Type == tree.Dir:
		return nil, fail("open", name, syscall.EISDIR)
	default:
		file := f.file(n)
		w.path = file.Path
		if keep {
			b, err := f.Tree.ReadFile(file.Path)
			if err != nil {
				return nil, err
			}
			w.buf = slices.Clip(b)
		} else {
			w.dirty = file.Size > 0
		}
	}
	f.open = append(f.open, w)
	return w, nil
}

// Write appends p. It fails with a [*LimitError] where too much was written in all.
func (w *File) Write(p []byte) (int, error) {
	if err := w.fs.charge(int64(len(p))); err != nil {
		return 0, err
	}
	w.buf, w.dirty = append(w.buf, p...), w.dirty || len(p) > 0
	return len(p), nil
}

// Close ends the writing.
func (w *File) Close() error {
	w.fs.open = slices.DeleteFunc(w.fs.open, func(o *File) bool { return o == w })
	return w.flush()
}

// flush brings what was written into the tree, so that a reader sees it.
func (f *FS) flush() {
	for _, w := range f.open {
		_ = w.flush() // fails where the file is gone, and then there is nothing to see
	}
}

func (w *File) flush() error {
	if !w.dirty {
		return nil
	}
	w.dirty = false
	n := w.fs.Tree.Lookup(w.path)
	if n == nil || n.Type != tree.File {
		return nil // removed while it was open
	}
	b := slices.Clone(w.buf)
	for _, name := range w.fs.names(n) {
		c := *n
		c.Path = name
		if err := w.fs.store(&c, b); err != nil {
			return err
		}
	}
	delete(w.fs.links, n.Path)
	c := *n
	return w.fs.store(&c, b)
}

// store puts a file with content b into the tree.
func (f *FS) store(n *tree.Node, b []byte) error {
	sum := sha256.Sum256(b)
	n.Size, n.SHA256, n.Content, n.ELF = int64(len(b)), hex.EncodeToString(sum[:]), tree.Bytes(b), nil
	return f.set("write", "/"+n.Path, n)
}
