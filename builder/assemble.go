package builder

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/hardpan/hardpan/internal/debian"
	"github.com/hardpan/hardpan/internal/lock"
	"github.com/hardpan/hardpan/internal/maint"
	"github.com/hardpan/hardpan/internal/record"
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

// placement says where in an image the files of its packages go.
type placement struct {
	tree     *tree.Tree
	owners   map[string]*member // of files and links
	moved    map[*entry]string  // where entries went that are not at their package's path
	installs installer
	epoch    int64             // time of directories
	stripped []record.Stripped // privileges that scripts gave and policy took
	base     *baseImage        // that the image stands on, or nil
}

// installer is dpkg's part in an installation: the scripts, see
// [maint.Installation], or what they did the last time, see [maint.Replay].
type installer interface {
	Preinst(ctx context.Context, i int) error
	Unpacked(i int)
	Diverted(pkg, path string) string
	Configure(ctx context.Context, batch maint.Batch) error
	Report() *maint.Report
}

// at returns the path that an entry of m has in the image: diversions move it, and
// a parent that another package made a link leads elsewhere, as for dpkg. Paths of
// packages are above /usr no more, so those of diversions are not either.
func (p *placement) at(m *member, name string) (string, error) {
	return p.tree.RealPath(p.installs.Diverted(m.Name, name))
}

func newPlacement(t *tree.Tree, in installer, epoch int64) *placement {
	return &placement{tree: t, owners: map[string]*member{}, moved: map[*entry]string{}, installs: in, epoch: epoch}
}

// unpack puts the files of a batch of packages into the tree, in that order, each
// after its preinst, and settles who owns a path that several claim.
func (p *placement) unpack(ctx context.Context, members []*member, batch []int) error {
	for _, i := range batch {
		if err := p.installs.Preinst(ctx, i); err != nil {
			return err
		}
		m := members[i]
		for j := range m.files.Entries {
			if err := p.add(m, &m.files.Entries[j]); err != nil {
				return err
			}
		}
		p.installs.Unpacked(i)
	}
	return nil
}

func (p *placement) add(m *member, e *entry) error {
	t := p.tree
	n := e.node(m.origin)
	if e.Made {
		n.Origin = m.record
	}
	if n.Type == tree.Dir {
		n.ModTime = p.epoch // the newest thing in it is the image's
	}
	n.Content = debContent{m.source, e.Path}
	real, err := p.at(m, e.Path)
	if err != nil {
		return fmt.Errorf("package %s: %w", m.Name, err)
	}
	n.Path = real
	if real != e.Path {
		p.moved[e] = real
	}
	if e.Type == tree.Hardlink {
		if n.Link, err = p.at(m, e.Link); err != nil {
			return fmt.Errorf("package %s: %w", m.Name, err)
		}
	}
	old := t.Lookup(real)
	if old == nil || old.Type == tree.Dir && n.Type == tree.Dir {
		p.owners[real] = m
		return t.Add(n)
	}
	switch other := p.owners[real]; {
	case other == nil && old.Type == tree.Symlink && n.Type == tree.Symlink && old.Link == n.Link:
		p.owners[real] = m // a link of a merged /usr, made before its package came
		return t.Set(n)
	case n.Type == tree.Dir && old.Type == tree.Symlink, n.Type == tree.Symlink && old.Type == tree.Dir:
		// dpkg keeps a directory that another package has as a link to one, and the
		// other way round.
		if end, err := t.Resolve(linkEnd(n, old)); err == nil && end.Type == tree.Dir || errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return conflict(old, n)
	case old.Type == tree.Dir || n.Type == tree.Dir || other == nil && !p.base.has(old):
		return conflict(old, n)
	case p.base.has(old): // whose every path is compared in the end
		if p.base.same(n) {
			return nil
		}
		p.owners[real] = m
		p.tree.HandOver(real)
		return t.Set(n)
	case replaces(m, other):
		p.owners[real] = m
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
func (p *placement) replan(members []*member, epoch int64) []*member {
	var changed []*member
	for _, m := range members {
		pl := plan{Rename: map[string]string{}, Mode: map[string]owner{}}
		if m.files.Latest > epoch {
			pl.Clamp = &epoch
		}
		for i := range m.files.Entries {
			pl.note(p, m, &m.files.Entries[i])
		}
		if len(pl.Drop)+len(pl.Rename)+len(pl.Mode) > 0 || pl.Clamp != nil {
			m.plan = pl
			changed = append(changed, m)
		}
	}
	return changed
}

// verify makes sure that tree and layers agree: each file of the tree that is to be
// in a package's layer is in that of its owner, and a package's layer has no other.
func (p *placement) verify(members []*member) error {
	left := 0
	for n := range p.tree.All() {
		if n.Layered && !(p.base != nil && p.owners[n.Path] == nil) { // those of the base [build.settle] has compared
			left++
		}
	}
	for _, m := range members {
		for i := range m.files.Entries {
			e := &m.files.Entries[i]
			if e.Type == tree.Dir {
				continue
			}
			n := p.tree.Lookup(e.Path)
			if n == nil || !n.Layered || p.owners[e.Path] != m {
				return fmt.Errorf("/%s is in the layer of package %s and has no place in the image: a fault of hardpan", e.Path, m.Name)
			}
			left--
		}
	}
	if left != 0 {
		return fmt.Errorf("%d files of the image are in no layer: a fault of hardpan", left)
	}
	return nil
}

func (pl *plan) note(p *placement, m *member, e *entry) {
	if e.Type == tree.Dir {
		return // directories are in the image's own layer, as the tree has them
	}
	real := cmp.Or(p.moved[e], e.Path)
	n := p.tree.Lookup(real)
	// A script may have changed mode and owner, and so the origin; the file stays where it is.
	if n == nil || !n.Layered || p.owners[real] != m {
		pl.Drop = append(pl.Drop, e.Path)
		return
	}
	if real != e.Path {
		pl.Rename[e.Path] = real
	}
	if o := (owner{n.Mode, n.UID, n.GID, n.Capability}); e.Type != tree.Symlink && o != (owner{e.Mode, e.UID, e.GID, e.Capability}) {
		pl.Mode[real] = o
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
