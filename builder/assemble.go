package builder

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"

	"github.com/hardpan/hardpan/internal/debian"
	"github.com/hardpan/hardpan/internal/debian/deb"
	"github.com/hardpan/hardpan/internal/lock"
	"github.com/hardpan/hardpan/internal/store"
	"github.com/hardpan/hardpan/internal/tree"
)

// member is one package of an image on its way from the lock into a layer.
type member struct {
	*lock.Package
	files  *unpacked
	plan   plan
	origin *tree.Origin // of what it ships
	record *tree.Origin // of its entry in the package database
	source *debFiles    // where the content of its files is read
}

func newMember(s *store.Store, p *lock.Package) *member {
	return &member{
		Package: p,
		origin:  &tree.Origin{Kind: tree.FromPackage, Package: p.Name, Version: p.Version, SHA256: p.SHA256},
		record: &tree.Origin{Kind: tree.FromBuilder, Package: p.Name, Version: p.Version, SHA256: p.SHA256,
			Command: "package database entry of " + p.Name},
		source: &debFiles{store: s, pkg: p},
	}
}

// addPackages puts the files of every package into the tree, in that order, and
// settles who owns a path that several claim.
func addPackages(t *tree.Tree, members []*member) error {
	owners := map[string]*member{}
	for _, m := range members {
		for i := range m.files.Entries {
			if err := addEntry(t, owners, m, &m.files.Entries[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

func addEntry(t *tree.Tree, owners map[string]*member, m *member, e *entry) error {
	n := e.node(m.origin)
	if e.Made {
		n.Origin = m.record
	}
	n.Content = debContent{m.source, e.Path}
	// A parent that another package made a link leads elsewhere, as it would for dpkg.
	real, err := t.RealPath(e.Path)
	if err != nil {
		return fmt.Errorf("package %s: %w", m.Name, err)
	}
	n.Path = real
	if e.Type == tree.Hardlink {
		if n.Link, err = t.RealPath(e.Link); err != nil {
			return fmt.Errorf("package %s: %w", m.Name, err)
		}
	}
	old := t.Lookup(real)
	if old == nil || old.Type == tree.Dir && n.Type == tree.Dir {
		owners[real] = m
		return t.Add(n)
	}
	switch other := owners[real]; {
	case n.Type == tree.Dir && old.Type == tree.Symlink, n.Type == tree.Symlink && old.Type == tree.Dir:
		// dpkg keeps a directory that another package has as a link to one, and the
		// other way round.
		if end, err := t.Resolve(linkEnd(n, old)); err == nil && end.Type == tree.Dir || errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return conflict(old, n)
	case old.Type == tree.Dir || n.Type == tree.Dir || other == nil:
		return conflict(old, n)
	case replaces(m, other):
		owners[real] = m
		return t.Set(n)
	case replaces(other, m):
		return nil
	default:
		return conflict(old, n)
	}
}

// linkEnd returns where the link of the two leads.
func linkEnd(a, b *tree.Node) string {
	if b.Type == tree.Symlink {
		return b.Path
	}
	if len(a.Link) > 0 && a.Link[0] == '/' {
		return a.Link
	}
	return a.Path + "/../" + a.Link
}

func conflict(old, n *tree.Node) error {
	return &tree.ConflictError{Path: n.Path, Old: old, New: n}
}

// replaces reports whether a's Replaces field names b (Debian Policy 7.6.1).
func replaces(a, b *member) bool {
	rel, err := debian.ParseRelations(a.files.Replaces)
	if err != nil {
		return false
	}
	for _, group := range rel {
		for _, r := range group {
			if r.Name == b.Name && r.Admits(b.Version) {
				return true
			}
		}
	}
	return false
}

// replan compares the finished tree with what each package brought and returns
// the members whose layer has to differ from the package: another owner took a
// path, a link moved one, or somebody changed a mode.
func replan(t *tree.Tree, members []*member, epoch int64) []*member {
	var changed []*member
	for _, m := range members {
		pl := plan{Rename: map[string]string{}, Mode: map[string]owner{}}
		if m.files.Latest > epoch {
			pl.Clamp = epoch
		}
		for i := range m.files.Entries {
			pl.note(t, m, &m.files.Entries[i])
		}
		if len(pl.Drop)+len(pl.Rename)+len(pl.Mode) > 0 || pl.Clamp > 0 {
			m.plan = pl
			changed = append(changed, m)
		}
	}
	return changed
}

func (pl *plan) note(t *tree.Tree, m *member, e *entry) {
	if e.Type == tree.Dir {
		return // directories are in the image's own layer, as the tree has them
	}
	real, err := t.RealPath(e.Path)
	if err != nil {
		real = e.Path
	}
	n := t.Lookup(real)
	if n == nil || !n.Layered || n.Origin != m.origin && n.Origin != m.record {
		pl.Drop = append(pl.Drop, real)
		return
	}
	if real != e.Path {
		pl.Rename[e.Path] = real
	}
	if e.Type != tree.Symlink && (n.Mode != e.Mode || n.UID != e.UID || n.GID != e.GID) {
		pl.Mode[real] = owner{n.Mode, n.UID, n.GID}
	}
}

// refresh gives the entries of the package database in the tree the form that
// they have in the layers of members which were unpacked under a plan: they list
// what is left of a package.
func refresh(t *tree.Tree, members []*member) {
	for _, m := range members {
		made := map[string]*entry{}
		for i := range m.files.Entries {
			if e := &m.files.Entries[i]; e.Made {
				made[e.Path] = e
			}
		}
		for _, name := range databaseFiles(m.Name) {
			n := t.Lookup(name)
			if n == nil || n.Origin != m.record {
				continue // the spec has a file of its own there
			}
			if e := made[name]; e != nil {
				n.Size, n.SHA256, n.ModTime = e.Size, e.SHA256, e.Time
			} else {
				t.Remove(name)
			}
		}
	}
}

// debFiles reads files of a package again, for those who want the content of one
// that has already gone into its layer.
type debFiles struct {
	store *store.Store
	pkg   *lock.Package
	once  sync.Once
	small map[string][]byte
	err   error
}

// Scripts read small files, many of one package; a package is decoded once for
// all of them.
const (
	smallFile  = 1 << 20
	smallTotal = 64 << 20
)

type debContent struct {
	files *debFiles
	path  string
}

// Open implements [tree.Content].
func (c debContent) Open() (io.ReadCloser, error) {
	c.files.once.Do(c.files.load)
	if c.files.err != nil {
		return nil, c.files.err
	}
	if b, ok := c.files.small[c.path]; ok {
		return tree.Bytes(b).Open()
	}
	return c.files.open(c.path)
}

func (f *debFiles) load() {
	f.small = map[string][]byte{}
	var total int64
	f.err = f.each(func(name string, size int64, r io.Reader) (bool, error) {
		if size > smallFile || total+size > smallTotal {
			return true, nil
		}
		b, err := io.ReadAll(r)
		f.small[name] = b
		total += size
		return true, err
	})
}

// open streams one large file.
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
		if h.Typeflag != '0' {
			continue
		}
		if more, err := visit(mergeUsr(h.Name, h.Typeflag), h.Size, d); err != nil || !more {
			return err
		}
	}
}

// unpackAll unpacks the members, the largest first so that no core waits for one
// at the end.
func unpackAll(ctx context.Context, u *unpacker, members []*member, jobs int) error {
	return parallel(ctx, jobs, bySize(members), func(ctx context.Context, m *member) error {
		un, err := u.unpack(ctx, m.Package, m.plan)
		m.files = un
		return err
	})
}
