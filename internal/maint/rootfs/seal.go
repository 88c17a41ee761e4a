package rootfs

import (
	"fmt"
	"io"
	"strings"
	"syscall"

	"github.com/hardpan/hardpan/internal/tree"
)

// SealedError says that scripts read a file that stands for something random.
type SealedError struct{ Path string }

func (e *SealedError) Error() string {
	return "reading " + e.Path + ", which is random, is not supported"
}

// sealed is the content of a file that stands for something random. It has the size
// of one byte, so that scripts see that something is there.
type sealed struct{}

// Open fails: nobody has the content.
func (sealed) Open() (io.ReadCloser, error) { return nil, fmt.Errorf("the content is random") }

const sealedSize = 1

// Seal makes a file that stands for something random, such as a private key: it has
// a place, an owner and a mode, can be copied and moved, but has no content that
// could be read. See [FS.Sealed] and [FS.Unsealed].
func (f *FS) Seal(name string, perm uint32) error {
	to, err := f.target(name, perm)
	if err != nil {
		return err
	}
	if err := f.charge(sealedSize); err != nil {
		return err
	}
	i := f.inodeOf(to)
	if i.open > 0 {
		f.release(i)
		return fail("open", name, syscall.ETXTBSY)
	}
	i.data, i.shared, i.summed, i.dirty = nil, 0, 0, false
	c := tree.Node{Content: sealed{}, Size: sealedSize, SHA256: new(inode).digest(), Origin: f.Origin}
	err = f.fill(i, &c)
	f.release(i)
	return err
}

// Sealed returns the paths of the files that stand for something random.
func (f *FS) Sealed() []string {
	f.flush()
	var paths []string
	for n := range f.Tree.All() {
		if IsSealed(n) {
			paths = append(paths, "/"+n.Path)
		}
	}
	return paths
}

// IsSealed reports whether name leads to such a file.
func (f *FS) IsSealed(name string) bool {
	n, err := f.Stat(name)
	return err == nil && IsSealed(n)
}

// IsSealed reports whether a node's content is one that [FS.Seal] gives.
func IsSealed(n *tree.Node) bool { _, ok := n.Content.(sealed); return ok }

// Unsealed returns the error of the first try to read such a file, nil where there
// was none. A script that did so has gone on without what it needs.
func (f *FS) Unsealed() *SealedError { return f.unsealed }

// read notes that the content of a file is asked for, which fails where it is
// sealed.
func (f *FS) read(n *tree.Node) error {
	if !IsSealed(n) {
		return nil
	}
	if f.unsealed == nil {
		f.unsealed = &SealedError{"/" + strings.TrimPrefix(n.Path, "/")}
	}
	return f.unsealed
}
