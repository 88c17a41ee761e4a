package builder

import (
	"archive/tar"
	"io"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"github.com/hardpan/hardpan/internal/debian"
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
	all   bool // small has all that is small
}

// readByScripts reports whether maintainer scripts are likely to read the file:
// configuration, and what packages keep in /usr/share to be copied from there. The
// content of these files is kept beside the layer, so that a package is decoded
// once. Where another file is read, the package is decoded again and all its small
// files are kept for the rest of the build.
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
		return strings.HasPrefix(name, "usr/lib/sysusers.d/") || strings.HasPrefix(name, "usr/lib/tmpfiles.d/") ||
			strings.HasPrefix(name, "usr/lib/systemd/") || name == "usr/lib/os-release" ||
			strings.HasPrefix(name, "var/lib/ghc/package.conf.d/")
	}
	dir, _, _ := strings.Cut(share, "/")
	return strings.HasPrefix(dir, "base-") || slices.Contains([]string{"ca-certificates", "debconf", "debianutils", "dpkg", "libc-bin", "pam", "pam-configs", "readline"}, dir) ||
		strings.HasPrefix(share, "zoneinfo/Etc/")
}

// The bounds of what is kept in memory, in bytes: of one file, and of a package.
const (
	smallFile    = 256 << 10
	smallPackage = 4 << 20
)

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
	if err := c.files.keepSmall(); err != nil {
		return nil, err
	}
	if b, ok := c.files.small[c.path]; ok {
		return tree.Bytes(b).Open()
	}
	return c.files.open(c.path)
}

// keepSmall reads all small files of the package, once.
func (f *debFiles) keepSmall() error {
	if f.all {
		return nil
	}
	f.all = true
	if f.small == nil {
		f.small = map[string][]byte{}
	}
	total := 0
	return f.each(func(name string, size int64, r io.Reader) (bool, error) {
		if size > smallFile || total+int(size) > smallPackage {
			return true, nil
		}
		b, err := io.ReadAll(r)
		f.small[name] = b
		total += len(b)
		return true, err
	})
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
		if more, err := visit(debian.MergedUsr(h.Name, h.Typeflag == tar.TypeDir), h.Size, d); err != nil || !more {
			return err
		}
	}
}
