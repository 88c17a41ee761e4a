package builder

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/lock"
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
	// Installed are packages of a base image, "name version", that others count on.
	Installed []string  `json:"installed,omitempty"`
	LeftOut   []LeftOut `json:"leftOut,omitempty"` // of all variants or some
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
		for _, in := range made.Platforms[p].Installed {
			sum.Installed = append(sum.Installed, in.Name+" "+in.Version)
		}
		sum.LeftOut = leftOut(made.Platforms[p].Dropped)
		res.Platforms = append(res.Platforms, sum)
	}
	return res, nil
}

func writeLock(path string, l *lock.Lock) error {
	text, err := l.Encode()
	if err != nil {
		return err
	}
	if err := store.Replace(path, text); err != nil {
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
			return nil, specFault{err}
		}
		if b.o.Lock == RequireLock {
			return nil, &missingLockError{state.path}
		}
		if err := b.pinned(); err != nil {
			return nil, err
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
		return specFault{fmt.Errorf("%s: %w", path, err)}
	}
	return nil
}

// request returns what the spec asks of its archives, with all variants, and which
// rules then leave packages out.
func (b *build) request() (lock.Request, error) {
	r := lock.Request{Distro: b.base.Distro.String(), Packages: map[string][]string{}, Rules: map[string][]string{}}
	for _, p := range b.base.Platforms {
		r.Platforms = append(r.Platforms, p.String())
	}
	slices.Sort(r.Platforms)
	var err error
	if r.Images, err = b.imageRequests(); err != nil {
		return r, err
	}
	systems, err := b.systems()
	if err != nil {
		return r, err
	}
	for _, sys := range systems {
		spec := sys.spec
		r.Packages[sys.name] = []string{}
		for _, p := range spec.Contents.Packages {
			r.Packages[sys.name] = append(r.Packages[sys.name], p.String())
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
		policy, err := policyOf(spec)
		if err != nil {
			return r, err
		}
		if rules := policy.PackageRules(); len(rules) > 0 {
			r.Rules[sys.name] = rules
		}
	}
	return r, nil
}

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
