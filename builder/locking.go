package builder

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/debian"
	"github.com/hardpan/hardpan/internal/debian/archive"
	"github.com/hardpan/hardpan/internal/debian/resolve"
	"github.com/hardpan/hardpan/internal/lock"
	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/store"
	"github.com/hardpan/hardpan/specs"
)

// LockMode says how a build treats the lock beside its spec.
type LockMode int

// The modes of a lock.
const (
	UseLock     LockMode = iota // use it; make it where there is none
	RequireLock                 // use it; an error where there is none
	UpdateLock                  // make it anew
)

// ErrSpec is wrapped by errors that a change of the spec, its lock or the call
// mends, as opposed to work that failed.
var ErrSpec = errors.New("the spec has to change")

// ErrNoLock is wrapped by the error of a build that needs a lock and has none.
var ErrNoLock = errors.New("no lock")

// LockResult is what [Lock] wrote.
type LockResult struct {
	Path      string         `json:"path"`
	Platforms []LockPlatform `json:"platforms"`
	Changes   []string       `json:"changes,omitempty"` // against the lock that was there: "+ curl 8.14.1-2", ...
}

// LockPlatform sums up one platform of a lock.
type LockPlatform struct {
	Platform string `json:"platform"`
	Packages int    `json:"packages"`
	Size     int64  `json:"size"` // of the .debs, bytes
}

// Lock resolves the packages of a spec, for each of its platforms and variants,
// and writes the lock beside it.
func Lock(ctx context.Context, o Options) (*LockResult, error) {
	b, err := open(o)
	if err != nil {
		return nil, err
	}
	path := lock.Path(o.Spec)
	old, _ := lock.Read(path) // a lock that cannot be read is replaced like any other
	made, err := b.resolve(ctx)
	if err != nil {
		return nil, err
	}
	if err := writeLock(path, made); err != nil {
		return nil, err
	}
	res := &LockResult{Path: path, Changes: lock.Changes(old, made)}
	for _, p := range made.Request.Platforms {
		sum := LockPlatform{Platform: p}
		for _, pkg := range made.Platforms[p].Packages {
			sum.Packages++
			sum.Size += pkg.Size
		}
		res.Platforms = append(res.Platforms, sum)
	}
	return res, nil
}

func writeLock(path string, l *lock.Lock) error {
	text, err := l.Encode()
	if err != nil {
		return err
	}
	if err := oci.WriteFile(path, text); err != nil {
		return fmt.Errorf("cannot write lock: %w", err)
	}
	return nil
}

// lockState is how a build came by its lock.
type lockState struct {
	path     string
	made     bool
	writeErr error
}

func (l *lockState) failure() string {
	if l.writeErr == nil {
		return ""
	}
	return l.writeErr.Error()
}

// readLock sets b.lock to the lock beside the spec, which it makes where there is
// none, and refuses one that does not fit.
func (b *build) readLock(ctx context.Context) (*lockState, error) {
	state := &lockState{path: lock.Path(b.o.Spec)}
	if b.o.Lock != UpdateLock {
		l, err := lock.Read(state.path)
		if err == nil {
			b.lock = l
			return state, b.fits(state.path)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%w%.0w", err, ErrSpec)
		}
		if b.o.Lock == RequireLock {
			return nil, &missingLockError{state.path}
		}
	}
	made, err := b.resolve(ctx)
	if err != nil {
		return nil, err
	}
	b.lock, state.made = made, true
	state.writeErr = writeLock(state.path, made)
	return state, nil
}

type missingLockError struct{ path string }

func (e *missingLockError) Error() string   { return "cannot build: there is no lock " + e.path }
func (e *missingLockError) Hint() string    { return "run hardpan lock and commit what it writes" }
func (e *missingLockError) Unwrap() []error { return []error{ErrNoLock, ErrSpec} }

func (b *build) fits(path string) error {
	want, err := b.request()
	if err != nil {
		return err
	}
	if err := b.lock.Fits(want); err != nil {
		return fmt.Errorf("%s: %w%.0w", path, err, ErrSpec)
	}
	return nil
}

// request returns what the spec asks of its archives, with all variants.
func (b *build) request() (lock.Request, error) {
	r := lock.Request{Distro: b.base.Distro.String(), Packages: map[string][]string{}}
	for _, p := range b.base.Platforms {
		r.Platforms = append(r.Platforms, p.String())
	}
	slices.Sort(r.Platforms)
	for _, name := range b.variants() {
		spec, err := b.base.Variant(name)
		if err != nil {
			return r, err
		}
		r.Packages[name] = []string{}
		for _, p := range spec.Contents.Packages {
			r.Packages[name] = append(r.Packages[name], p.String())
		}
		for _, repo := range spec.Contents.Repositories {
			line, err := repositoryLine(spec, repo)
			if err != nil {
				return r, err
			}
			if !slices.Contains(r.Repositories, line) {
				r.Repositories = append(r.Repositories, line)
			}
		}
	}
	return r, nil
}

// variants returns the names of the spec's variants with "" for the spec itself.
func (b *build) variants() []string { return append([]string{""}, b.base.VariantNames()...) }

// repositoryLine describes a further archive, its key by digest.
func repositoryLine(spec *specs.Spec, r specs.Repository) (string, error) {
	key, err := readSource(spec, r.SignedBy)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(key)
	return strings.Join([]string{r.URI, r.Suite, strings.Join(r.Components, ","), "sha256:" + hex.EncodeToString(sum[:])}, " "), nil
}

func readSource(spec *specs.Spec, name string) ([]byte, error) {
	f, err := spec.OpenSource(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

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
	if b.archive != nil {
		return b.archive, nil
	}
	o := b.o.Archive
	mirrors, err := archive.FindMirrors(archive.MirrorOptions{Mirror: o.Mirror, SecurityMirror: o.SecurityMirror})
	if err != nil {
		return nil, fmt.Errorf("%w%.0w", err, ErrSpec)
	}
	options := archive.Options{
		Store: b.store, Mirrors: mirrors, Credentials: archive.FindCredentials(archive.CredentialOptions{}),
		Now: o.now, Snapshot: o.Snapshot,
	}
	if o.Keyring != "" {
		f, err := os.Open(o.Keyring)
		if err != nil {
			return nil, fmt.Errorf("cannot read keyring: %w%.0w", err, ErrSpec)
		}
		defer f.Close()
		if options.Keyring, err = archive.ReadKeyring(o.Keyring, f); err != nil {
			return nil, err
		}
	}
	b.archive, err = archive.New(options)
	return b.archive, err
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
	slices.SortFunc(l.Archives, func(a, b lock.Archive) int { return strings.Compare(a.ID, b.ID) })
	for _, p := range b.base.Platforms {
		if l.Platforms[p.String()], err = b.resolvePlatform(ctx, p, releases); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// allRepositories returns the archives of the spec and of its variants.
func (b *build) allRepositories() ([]archive.Repository, error) {
	var all []archive.Repository
	for _, name := range b.variants() {
		spec, err := b.base.Variant(name)
		if err != nil {
			return nil, err
		}
		repos, err := b.repositories(spec)
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

func (b *build) resolvePlatform(ctx context.Context, p specs.Platform, releases []*archive.Release) (lock.Platform, error) {
	u := resolve.NewUniverse(p.DebianArch())
	for _, r := range releases {
		if err := b.readIndexes(ctx, u, r); err != nil {
			return lock.Platform{}, err
		}
	}
	all := newMerger(b.variants())
	for _, variant := range b.variants() {
		spec, err := b.base.Variant(variant)
		if err != nil {
			return lock.Platform{}, err
		}
		var requests []resolve.Request
		for _, r := range spec.Contents.Packages {
			requests = append(requests, resolve.Request{Name: r.Name, Architecture: r.Arch, Pin: r.Version, Exclude: r.Exclude})
		}
		sol, err := resolve.Resolve(ctx, u, requests)
		if err != nil {
			return lock.Platform{}, requestError(spec, p, err)
		}
		all.add(variant, sol)
	}
	return all.platform(), nil
}

func (b *build) readIndexes(ctx context.Context, u *resolve.Universe, r *archive.Release) error {
	indexes, err := r.Indexes(u.Architecture())
	if err != nil {
		return err
	}
	for _, ix := range indexes {
		text, err := b.archive.Index(ctx, r, ix, b.o.Progress)
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

// requestError puts the place of the package in the spec in front of an error.
func requestError(spec *specs.Spec, p specs.Platform, err error) error {
	re, ok := errors.AsType[*resolve.RequestError](err)
	if !ok {
		return fmt.Errorf("%s: cannot resolve packages: %w", p, err)
	}
	return positioned(spec, []any{"contents", "packages", re.Index}, re.Err)
}

// positioned returns err as an error at the place of a value in the spec.
func positioned(spec *specs.Spec, path []any, err error) error {
	e := &specs.Error{Position: spec.Position(path...), Message: err.Error(), Err: err}
	if h, ok := errors.AsType[interface {
		error
		Hint() string
	}](err); ok {
		e.Advice = h.Hint()
	}
	return e
}

func (b *build) specError(path []any, err error) error { return positioned(b.spec, path, err) }

// merger joins the solutions of a spec's variants into one list, in which each
// package says which of them have it.
type merger struct {
	variants []string
	packages map[string]*lock.Package // by name and version
	dropped  map[string]*lock.Dropped
}

func newMerger(variants []string) *merger {
	return &merger{variants, map[string]*lock.Package{}, map[string]*lock.Dropped{}}
}

func (m *merger) add(variant string, sol *resolve.Solution) {
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
		p.Variants = append(p.Variants, variant)
	}
	for _, d := range sol.Dropped {
		by := d.By + ": " + d.Relation
		e, ok := m.dropped[d.Package+"\x00"+variant]
		if !ok {
			e = &lock.Dropped{Name: d.Package, Variants: []string{variant}}
			m.dropped[d.Package+"\x00"+variant] = e
		}
		e.NeededBy = append(e.NeededBy, by)
	}
}

func (m *merger) platform() lock.Platform {
	var p lock.Platform
	for _, key := range slices.Sorted(maps.Keys(m.packages)) {
		pkg := m.packages[key]
		if len(pkg.Variants) == len(m.variants) {
			pkg.Variants = nil
		}
		p.Packages = append(p.Packages, *pkg)
	}
	for _, key := range slices.Sorted(maps.Keys(m.dropped)) {
		d := m.dropped[key]
		slices.Sort(d.NeededBy)
		if last := len(p.Dropped) - 1; last >= 0 && p.Dropped[last].Name == d.Name && slices.Equal(p.Dropped[last].NeededBy, d.NeededBy) {
			p.Dropped[last].Variants = append(p.Dropped[last].Variants, d.Variants...)
			continue
		}
		p.Dropped = append(p.Dropped, *d)
	}
	for i := range p.Dropped {
		if len(p.Dropped[i].Variants) == len(m.variants) {
			p.Dropped[i].Variants = nil
		}
	}
	return p
}

// fetch brings the packages into the store.
func (b *build) fetch(ctx context.Context, packages []*lock.Package) error {
	var items []archive.Item
	for _, p := range packages {
		digest, err := store.FromHex(p.SHA256)
		if err != nil {
			return err
		}
		repo, err := b.repository(p.Archive)
		if err != nil {
			return err
		}
		if size, ok := b.store.Stat(digest); !ok || size != p.Size {
			items = append(items, archive.Item{Repository: repo, Path: p.Path, Size: p.Size, Digest: digest})
		}
	}
	if len(items) == 0 {
		return nil
	}
	client, err := b.client()
	if err != nil {
		return err
	}
	return client.Fetch(ctx, items, b.o.Progress)
}

// repository returns the archive of that id in the lock.
func (b *build) repository(id string) (archive.Repository, error) {
	for _, a := range b.lock.Archives {
		if a.ID == id {
			return archive.Repository{ID: a.ID, URI: a.URI, Suite: a.Suite}, nil
		}
	}
	return archive.Repository{}, fmt.Errorf("the lock has no archive %q", id)
}
