package rootfs

import (
	"io"
	"slices"
	"syscall"

	"github.com/hardpan/hardpan/internal/tree"
)

// File is an open file. It stays the same file when its names are moved or removed.
type File struct {
	fs     *FS
	inode  *inode
	origin *tree.Origin
	offset int
	write  bool // for writing, else for reading
	end    bool // each write goes to the end of the file
	closed bool
}

// Create opens the file that name leads to for writing and empties it; where there
// is none it is made with the mode perm.
func (f *FS) Create(name string, perm uint32) (*File, error) {
	n, err := f.target(name, perm)
	if err != nil {
		return nil, err
	}
	w, err := f.handle(n, false, true)
	if err != nil {
		return nil, err
	}
	w.inode.sealed = false
	if w.inode.data = nil; n.Size > 0 || n.Capability != "" {
		w.inode.shared, w.inode.summed = 0, 0
		w.changed()
	}
	return w, nil
}

// Append opens the file that name leads to for writing at its end; where there is
// none it is made with the mode perm.
func (f *FS) Append(name string, perm uint32) (*File, error) {
	n, err := f.target(name, perm)
	if err != nil {
		return nil, err
	}
	w, err := f.handle(n, true, true)
	if err != nil {
		return nil, err
	}
	w.end = true
	return w, nil
}

// Open opens the file that name leads to for reading. What others write to it
// meanwhile is seen.
func (f *FS) Open(name string) (*File, error) {
	n, err := f.stat("open", name, true)
	if err != nil {
		return nil, err
	}
	if n.Type == tree.Dir {
		return nil, fail("read", name, syscall.EISDIR)
	}
	return f.handle(n, true, false)
}

// target returns the file that name leads to, and makes it where there is none, with
// the mode perm (open(2), O_CREAT).
func (f *FS) target(name string, perm uint32) (*tree.Node, error) {
	f.flush()
	at, err := f.walk("open", name, walking{follow: true, create: true})
	switch {
	case err != nil:
		return nil, err
	case at.node != nil && at.node.Type == tree.Dir:
		return nil, fail("open", name, syscall.EISDIR)
	case at.node != nil && !f.User.may(f.file(at.node), mayWrite):
		return nil, fail("open", name, syscall.EACCES)
	case at.node != nil:
		return f.file(at.node), nil
	}
	n := &tree.Node{Path: at.path, Type: tree.File, Mode: perm & 0o7777, Content: tree.Bytes(nil), SHA256: new(inode).digest()}
	return n, f.made("open", name, n)
}

// handle opens a file of the tree. load says whether its content counts.
func (f *FS) handle(n *tree.Node, load, write bool) (*File, error) {
	i := f.lookup(n)
	if r := f.recent; i == nil && r != nil && r.open == 0 && len(r.names) == 1 && r.names[0] == n {
		i = r // its content and how it was hashed are known
		f.inodes[n.Path] = i
	}
	if i == nil {
		i = f.inodeOf(n)
	}
	if load && i.open == 0 && (i != f.recent || i.data == nil) {
		b, err := f.content(i.names[0])
		if err != nil {
			f.release(i)
			return nil, err
		}
		i.data, i.shared, i.summed = slices.Clip(b), len(b), 0
	}
	i.open++
	return &File{fs: f, inode: i, origin: f.Origin, write: write}, nil
}

// changed notes that the tree does not have the file's content.
func (w *File) changed() {
	if !w.inode.dirty {
		w.inode.dirty = true
		w.fs.dirty = append(w.fs.dirty, w.inode)
	}
	w.inode.origin = w.origin
}

// Write writes p where the last write ended, or at the end of a file that is open for
// appending. It fails with a [*LimitError] where too much was written in all.
func (w *File) Write(p []byte) (int, error) {
	if !w.write {
		return 0, syscall.EBADF
	}
	if len(p) == 0 {
		return 0, nil
	}
	i := w.inode
	if i.sealed {
		return len(p), nil // beside what nobody knows
	}
	if w.end {
		w.offset = len(i.data)
	}
	gap := max(w.offset-len(i.data), 0)
	if err := w.fs.charge(int64(len(p) + gap)); err != nil {
		return 0, err
	}
	if w.offset < i.shared {
		i.data, i.shared = slices.Clone(i.data), 0
	}
	if w.offset < i.summed {
		i.summed = 0
	}
	i.data = append(i.data, make([]byte, gap)...)
	n := copy(i.data[w.offset:], p)
	i.data = append(i.data, p[n:]...)
	w.offset += len(p)
	w.changed()
	return len(p), nil
}

// Seal writes something random: from now on the file stands for it, as those do that
// [FS.Seal] makes.
func (w *File) Seal() error {
	if !w.write {
		return syscall.EBADF
	}
	if err := w.fs.charge(sealedSize); err != nil {
		return err
	}
	i := w.inode
	i.data, i.shared, i.summed, i.sealed = nil, 0, 0, true
	w.changed()
	return nil
}

// Read reads what comes after the last read.
func (w *File) Read(p []byte) (int, error) {
	if w.write {
		return 0, syscall.EBADF
	}
	if w.inode.sealed {
		return 0, w.fs.read(w.inode.names[0])
	}
	if w.offset >= len(w.inode.data) {
		if len(p) == 0 {
			return 0, nil
		}
		return 0, io.EOF
	}
	n := copy(p, w.inode.data[w.offset:])
	w.offset += n
	return n, nil
}

// Close ends the reading and writing.
func (w *File) Close() error {
	if w.closed {
		return nil
	}
	w.closed = true
	i := w.inode
	err := w.fs.flushOne(i)
	if i.open--; i.open == 0 {
		w.fs.dirty = slices.DeleteFunc(w.fs.dirty, func(o *inode) bool { return o == i })
		w.fs.recent = i
		w.fs.release(i)
		if i.linked && len(i.names) > 1 || len(i.names) == 0 {
			i.data = nil
		}
	}
	return err
}
