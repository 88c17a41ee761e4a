package builder

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/debian"
	"github.com/hardpan/hardpan/internal/debian/archive"
	"github.com/hardpan/hardpan/internal/debian/prune"
	"github.com/hardpan/hardpan/internal/debian/resolve"
	"github.com/hardpan/hardpan/internal/lock"
	"github.com/hardpan/hardpan/specs"
)

// repositories returns the archives of the distribution and those of the spec.
func (b *build) repositories(spec *specs.Spec) ([]archive.Repository, error) {
	repos, err := archive.DebianSuites(spec.Distro.Codename)
	if err != nil {
		return nil, b.specError([]any{"distro"}, err)
	}
	for _, r := range spec.Contents.Repositories {
		key, err := readSource(spec, r.SignedBy)
		if err != nil {
			return nil, err
		}
		keyring, err := archive.ReadKeyring(r.SignedBy, bytes.NewReader(key))
		if err != nil {
			return nil, err
		}
		repos = append(repos, archive.Repository{
			ID: archive.Redact(r.URI) + " " + r.Suite, URI: r.URI, Suite: r.Suite, Components: r.Components, Keyring: keyring,
		})
	}
	return repos, nil
}

// client returns the client of the archives, once.
func (b *build) client() (*archive.Client, error) {
	b.clients.Lock()
	defer b.clients.Unlock()
	if b.clients.archive != nil {
		return b.clients.archive, nil
	}
	o := b.o.Archive
	mirrors, err := archive.FindMirrors(archive.MirrorOptions{Mirror: o.Mirror, SecurityMirror: o.SecurityMirror})
	if err != nil {
		return nil, specFault{err}
	}
	options := archive.Options{
		Store: b.store, Mirrors: mirrors, Credentials: archive.FindCredentials(archive.CredentialOptions{}),
		Now: o.now, Snapshot: o.Snapshot,
	}
	if o.Keyring != "" {
		f, err := os.Open(o.Keyring)
		if err != nil {
			return nil, specFault{fmt.Errorf("cannot read keyring: %w", err)}
		}
		defer f.Close()
		if options.Keyring, err = archive.ReadKeyring(o.Keyring, f); err != nil {
			return nil, specFault{err}
		}
	}
	b.clients.archive, err = archive.New(options)
	return b.clients.archive, err
}

// resolve fetches the signed indexes and resolves every platform and variant.
func (b *build) resolve(ctx context.Context) (*lock.Lock, error) {
	request, err := b.request()
	if err != nil {
		return nil, err
	}
	client, err := b.client()
	if err != nil {
		return nil, err
	}
	repos, err := b.allRepositories()
	if err != nil {
		return nil, err
	}
	releases := make([]*archive.Release, len(repos))
	numbers := make([]int, len(repos))
	for i := range numbers {
		numbers[i] = i
	}
	err = parallel(ctx, len(repos), numbers, func(ctx context.Context, i int) (err error) {
		releases[i], err = client.Release(ctx, repos[i])
		return err
	})
	if err != nil {
		return nil, err
	}
	l := &lock.Lock{LockVersion: lock.Version, Request: request, Platforms: map[string]lock.Platform{}}
	for i, r := range releases {
		l.Archives = append(l.Archives, lock.Archive{
			ID: r.ID, URI: repos[i].URI, Suite: repos[i].Suite, Codename: r.Codename, Date: r.Date.UTC(),
			ValidUntil: r.ValidUntil.UTC(), InRelease: string(r.Digest), SignedBy: r.SignedBy,
		})
	}
	if l.Images, err = b.resolveImages(ctx); err != nil {
		return nil, err
	}
	slices.SortFunc(l.Archives, func(a, b lock.Archive) int { return strings.Compare(a.ID, b.ID) })
	systems, err := b.systems()
	if err != nil {
		return nil, err
	}
	for _, p := range b.base.Platforms {
		if l.Platforms[p.String()], err = b.resolvePlatform(ctx, p, systems, releases, l.Images); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// allRepositories returns the archives of the spec, its variants and their stages.
func (b *build) allRepositories() ([]archive.Repository, error) {
	var all []archive.Repository
	systems, err := b.systems()
	if err != nil {
		return nil, err
	}
	for _, sys := range systems {
		repos, err := b.repositories(sys.spec)
		if err != nil {
			return nil, err
		}
		for _, r := range repos {
			if !slices.ContainsFunc(all, func(a archive.Repository) bool { return a.ID == r.ID }) {
				all = append(all, r)
			}
		}
	}
	return all, nil
}

func (b *build) resolvePlatform(ctx context.Context, p specs.Platform, systems []system, releases []*archive.Release, images []lock.Image) (lock.Platform, error) {
	u := resolve.NewUniverse(p.DebianArch())
	for _, r := range releases {
		if err := b.readIndexes(ctx, u, r); err != nil {
			return lock.Platform{}, err
		}
	}
	all := newMerger(len(systems))
	for _, sys := range systems {
		base, err := b.baseImage(ctx, sys.spec, images, p)
		if err != nil {
			return lock.Platform{}, err
		}
		sol, err := solveOn(ctx, u, p, sys, base)
		if err != nil {
			return lock.Platform{}, err
		}
		policy, err := policyOf(sys.spec)
		if err != nil {
			return lock.Platform{}, err
		}
		var left []prune.Left
		if len(policy.PackageRules()) > 0 {
			if sol, left, err = prune.Solution(sol); err != nil {
				return lock.Platform{}, fmt.Errorf("%s: cannot tell what only maintainer scripts need: %w", p, err)
			}
		}
		all.add(sys.name, sol, left)
	}
	return all.platform(), nil
}

// solve resolves the packages of one system, and further ones.
func solve(ctx context.Context, u *resolve.Universe, sys system, further ...resolve.Request) (*resolve.Solution, error) {
	var requests []resolve.Request
	for _, r := range sys.spec.Contents.Packages {
		requests = append(requests, resolve.Request{Name: r.Name, Architecture: r.Arch, Pin: r.Version, Exclude: r.Exclude})
	}
	asked := len(requests)
	if sys.stage {
		for _, name := range u.Essential() {
			named := func(r resolve.Request) bool { return r.Name == name }
			if !slices.ContainsFunc(requests[:asked], named) {
				requests = append(requests, resolve.Request{Name: name})
			}
		}
	}
	return resolve.Resolve(ctx, u, append(requests, further...))
}

func (b *build) readIndexes(ctx context.Context, u *resolve.Universe, r *archive.Release) error {
	indexes, err := r.Indexes(u.Architecture())
	if err != nil {
		return err
	}
	for _, ix := range indexes {
		text, err := b.clients.archive.Index(ctx, r, ix, b.o.Progress)
		if err != nil {
			return err
		}
		err = addIndex(u, r.ID, text)
		text.Close()
		if err != nil {
			return fmt.Errorf("%s: %s: %w", r.ID, ix.Name, err)
		}
	}
	return nil
}

func addIndex(u *resolve.Universe, id string, text io.Reader) error {
	for p, err := range debian.ReadPackages(text) {
		if err != nil {
			return err
		}
		p.Archive = id
		if err := u.Add(p); err != nil {
			return err
		}
	}
	return nil
}

// merger joins the solutions of a spec's systems into one list, in which each
// package says which of them have it.
type merger struct {
	systems  int                      // how many there are
	packages map[string]*lock.Package // by name and version
	dropped  map[string]*lock.Dropped

	installed map[string]*lock.Installed
}

func newMerger(systems int) *merger {
	return &merger{systems, map[string]*lock.Package{}, map[string]*lock.Dropped{}, map[string]*lock.Installed{}}
}

func (m *merger) add(system string, sol *resolve.Solution, left []prune.Left) {
	for _, s := range sol.Packages {
		key := s.Name + "\x00" + s.Version
		p, ok := m.packages[key]
		if !ok {
			p = &lock.Package{
				Name: s.Name, Version: s.Version, Architecture: s.Architecture, Source: s.Source, SourceVersion: s.SourceVersion,
				Archive: s.Archive, Path: s.Filename, Size: s.Size, SHA256: s.SHA256, SHA512: s.SHA512,
				InstalledSize: s.InstalledSize, Why: s.Reason.String(),
			}
			m.packages[key] = p
		}
		p.Variants = append(p.Variants, system)
	}
	for _, s := range sol.Installed {
		key := s.Name + "\x00" + s.Version
		if m.installed[key] == nil {
			m.installed[key] = &lock.Installed{Name: s.Name, Version: s.Version, Architecture: s.Architecture, Why: s.Reason.String()}
		}
		m.installed[key].Variants = append(m.installed[key].Variants, system)
	}
	for _, d := range sol.Dropped {
		by := d.By + ": " + d.Relation
		e, ok := m.dropped[d.Package+"\x00"+system]
		if !ok {
			e = &lock.Dropped{Name: d.Package, Variants: []string{system}}
			m.dropped[d.Package+"\x00"+system] = e
		}
		e.NeededBy = append(e.NeededBy, by)
	}
	for _, l := range left {
		m.dropped[l.Package+"\x00"+system] = &lock.Dropped{Name: l.Package, NeededBy: l.NeededBy, Why: l.Why, Variants: []string{system}}
	}
}

func (m *merger) platform() lock.Platform {
	var p lock.Platform
	for _, key := range slices.Sorted(maps.Keys(m.packages)) {
		pkg := m.packages[key]
		if len(pkg.Variants) == m.systems {
			pkg.Variants = nil
		}
		p.Packages = append(p.Packages, *pkg)
	}
	for _, key := range slices.Sorted(maps.Keys(m.installed)) {
		in := m.installed[key]
		if len(in.Variants) == m.systems {
			in.Variants = nil
		}
		p.Installed = append(p.Installed, *in)
	}
	for _, key := range slices.Sorted(maps.Keys(m.dropped)) {
		d := m.dropped[key]
		slices.Sort(d.NeededBy)
		if last := len(p.Dropped) - 1; last >= 0 && sameDrop(&p.Dropped[last], d) {
			p.Dropped[last].Variants = append(p.Dropped[last].Variants, d.Variants...)
			continue
		}
		p.Dropped = append(p.Dropped, *d)
	}
	for i := range p.Dropped {
		if len(p.Dropped[i].Variants) == m.systems {
			p.Dropped[i].Variants = nil
		}
	}
	return p
}

// sameDrop reports whether two packages are one that was dropped for the same reason.
func sameDrop(a, b *lock.Dropped) bool {
	return a.Name == b.Name && a.Why == b.Why && slices.Equal(a.NeededBy, b.NeededBy)
}
