package builder

import (
	"archive/tar"
	"io"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"github.com/hardpan/hardpan/internal/debian/deb"
	"github.com/hardpan/hardpan/internal/lock"
	"github.com/hardpan/hardpan/internal/store"
	"github.com/hardpan/hardpan/internal/tree"
)

// debFiles reads files of a package again, for those who want the content of one
// that has already gone into its layer.
type debFiles struct {
	store *store.Store
	pkg   *lock.Package
	once  sync.Once
	small map[string][]byte
}

// readByScripts reports whether the effects of maintainer scripts may read the file:
// configuration, and what packages keep in /usr/share to be copied from there. The
// content of these files is kept beside the layer, so that a package is decoded
// once. Others are found all the same, by decoding it again.
func readByScripts(name string, size int64) bool {
	if size > smallFile {
		return false
	}
	top, below, _ := strings.Cut(name, "/")
	if top == "etc" {
		return true
	}
	share, ok := strings.CutPrefix(below, "share/")
	if top != "usr" || !ok {
		return strings.HasPrefix(name, "usr/lib/sysusers.d/") || name == "usr/lib/os-release"
	}
	dir, _, _ := strings.Cut(share, "/")
	return strings.HasPrefix(dir, "base-") || slices.Contains([]string{"ca-certificates", "debianutils", "libc-bin", "readline"}, dir)
}

// smallFile bounds the files that are kept, in bytes.
const smallFile = 256 << 10

type debContent struct {
	files *debFiles
	path  string
}

// Open implements [tree.Content].
func (c debContent) Open() (io.ReadCloser, error) {
	c.files.once.Do(func() { c.files.store.Get("small", c.files.pkg.SHA256, &c.files.small) })
	if b, ok := c.files.small[c.path]; ok {
		return tree.Bytes(b).Open()
	}
	return c.files.open(c.path)
}

// open streams one file out of the package.
func (f *debFiles) open(name string) (io.ReadCloser, error) {
	pr, pw := io.Pipe()
	go func() {
		found := false
		err := f.each(func(at string, _ int64, r io.Reader) (bool, error) {
			if at != name {
				return true, nil
			}
			found = true
			_, err := io.Copy(pw, r)
			return false, err
		})
		if err == nil && !found {
			err = &fs.PathError{Op: "open", Path: "/" + name, Err: fs.ErrNotExist}
		}
		pw.CloseWithError(err)
	}()
	return pr, nil
}

// each calls visit with every regular file of the package until it returns false.
func (f *debFiles) each(visit func(name string, size int64, r io.Reader) (bool, error)) error {
	digest, err := store.FromHex(f.pkg.SHA256)
	if err != nil {
		return err
	}
	return f.store.Blame(digest, f.eachOf(digest, visit))
}

func (f *debFiles) eachOf(digest store.Digest, visit func(name string, size int64, r io.Reader) (bool, error)) error {
	blob, err := f.store.Open(digest)
	if err != nil {
		return err
	}
	defer blob.Close()
	d, err := deb.NewReader(blob, deb.Limits{Data: deb.DataLimit(f.pkg.InstalledSize)})
	if err != nil {
		return err
	}
	defer d.Close()
	for {
		h, err := d.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		if more, err := visit(mergeUsr(h.Name, h.Typeflag), h.Size, d); err != nil || !more {
			return err
		}
	}
}
