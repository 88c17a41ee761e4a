package builder

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hardpan/hardpan/internal/check/facts"
	"github.com/hardpan/hardpan/internal/debian/archive"
	"github.com/hardpan/hardpan/internal/lock"
	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/provenance"
	"github.com/hardpan/hardpan/internal/record"
	"github.com/hardpan/hardpan/internal/sandbox"
	"github.com/hardpan/hardpan/internal/store"
	"github.com/hardpan/hardpan/specs"
	"golang.org/x/sync/errgroup"
)

// Options say what to build and where from. Spec is required.
type Options struct {
	Spec      string   // path of the spec file
	Variant   string   // of the spec; "" is the spec itself
	Platforms []string // to build, such as "linux/arm64"; none means all of the spec's

	// Lock says how the lock beside the spec is treated.
	Lock LockMode
	// Epoch, unless nil, is the time of the image in place of the lock's
	// (reproducible-builds.org, SOURCE_DATE_EPOCH).
	Epoch *time.Time

	// CheckReproducible runs build stages twice; see [DifferenceError].
	CheckReproducible bool

	// FailOn is the least severity of a broken hardening rule for which nothing is
	// published, such as "high", or "never"; "" is what the spec says.
	FailOn string

	// RequireTests makes it an error where tests of the spec cannot be run here.
	RequireTests bool

	CacheDir string          // required
	Jobs     int             // packages that are unpacked at a time, and stages that run; 0 is one per CPU
	OnStep   func(StepEvent) // told what build stages do; calls come one at a time; may be nil
	Archive  ArchiveOptions
	Outputs  Outputs
	Builder  provenance.Builder // who builds; read where the image is signed
	Progress archive.Progress   // of downloads; may be nil

	now func() time.Time // the clock of the gate, for tests
}

// ArchiveOptions say where packages come from and whom to believe. The zero value
// asks the machine's apt sources and Debian's keys.
type ArchiveOptions struct {
	Mirror         string // base URI of Debian's main archive
	SecurityMirror string // base URI of Debian's security archive
	Keyring        string // file of OpenPGP keys that replaces Debian's
	Snapshot       bool   // accept an archive of the past, expired as it is

	now func() time.Time // the clock that releases are judged by, for tests
}

// Result is what a build led to.
type Result struct {
	Name      string       `json:"name"`
	Tag       string       `json:"tag"`
	Digest    store.Digest `json:"digest"` // of the index
	Created   time.Time    `json:"created"`
	Lock      string       `json:"lock"`                // path of the lock file
	Locked    bool         `json:"locked"`              // the lock was made or renewed by this call
	LockError string       `json:"lockError,omitempty"` // why a lock that was made could not be written
	Cached    bool         `json:"cached"`              // nothing had to be built
	Images    []ImageStats `json:"images"`
	Stages    []StageStats `json:"stages,omitempty"` // that ran or were replayed

	// Differences are those that [Options.CheckReproducible] found outside of the image.
	Differences []Difference `json:"differences,omitempty"`

	Hardening []Hardening  `json:"hardening,omitempty"` // of all platforms
	Tests     []TestResult `json:"tests,omitempty"`     // of all platforms

	Written  []Written `json:"written"`
	SignedBy string    `json:"signedBy,omitempty"` // what the key that signed calls itself

	Index *oci.Index `json:"-"` // in the cache
}

// ImageStats is what a person wants to know of one platform's image.
type ImageStats struct {
	Platform string       `json:"platform"`
	Digest   store.Digest `json:"digest"`   // of the manifest
	Size     int64        `json:"size"`     // of the layers, compressed, bytes
	Unpacked int64        `json:"unpacked"` // of the files, bytes
	Layers   int          `json:"layers"`
	Packages int          `json:"packages"` // those of a base image among them
	Paths    int          `json:"paths"`
	Stripped []RuleStats  `json:"stripped,omitempty"`
	Dropped  []string     `json:"dropped,omitempty"`  // packages that an exclusion kept out
	LeftOut  []LeftOut    `json:"leftOut,omitempty"`  // packages that a hardening rule kept out
	Skipped  []string     `json:"skipped,omitempty"`  // commands of maintainer scripts that had no effect
	Warnings []string     `json:"warnings,omitempty"` // what programs of the image may lack

	// Symbols are blobs of the cache with debugging symbols of stripped files.
	Symbols []store.Digest `json:"symbols,omitempty"`
}

// LeftOut is a package that others depend on only for their maintainer scripts.
type LeftOut struct {
	Package string `json:"package"`
	Why     string `json:"why"`
}

// RuleStats is what one hardening rule left out of the packages.
type RuleStats struct {
	Rule  string `json:"rule"`
	Paths int    `json:"paths"`
	Size  int64  `json:"size"` // bytes
}

// build is one run of [Build].
type build struct {
	o         Options
	store     *store.Store
	press     *press                          // writes its layers
	records   map[store.Digest]*record.Record // of images that were made, by manifest, until somebody asks
	base      *specs.Spec                     // as the file has it
	spec      *specs.Spec                     // the variant of it that is built, or the system of a stage
	system    string                          // whose packages are built, as the lock names it
	stage     bool                            // commands run in it
	without   []string                        // packages of it that are left out
	canonical string                          // the spec in the form that keys and digests are made of
	lock      *lock.Lock
	clients   *clients
	epoch     time.Time
	held      heldKey
	keeping   errgroup.Group                // puts what was signed into the cache
	known     map[store.Digest]*facts.Image // of images that are judged, until that is attested

	documented  *Result // whose documents those are, see [build.startDocuments]
	documenting func() ([]Predicate, error)

	stages    map[string]*stageRun // by platform and name, see [build.stageRun]
	snapshots *sandbox.Space       // see [build.space]
	telling   sync.Mutex           // held while OnStep is called
	early     string               // the layout to whose place layers are written early; "" for none
	ahead     *oci.Ahead           // which does that; nil until it begins
	percent   func()               // undoes what [build.saveMemory] did; nil for nothing
}

// clients holds the client of the archives, which is made when it is first needed.
type clients struct {
	sync.Mutex // damaged packages ask for it side by side
	archive    *archive.Client
}

// Build builds the image of a spec and writes it to its outputs.
func Build(ctx context.Context, o Options) (*Result, error) {
	b, err := open(o)
	if err != nil {
		return nil, err
	}
	platforms, err := b.platforms()
	if err != nil {
		return nil, err
	}
	if err := o.Outputs.check(platforms); err != nil {
		return nil, specFault{err}
	}
	if layout := b.layout(); layout != "" {
		if err := oci.CheckLayout(layout); err != nil {
			return nil, err
		}
	}
	if _, err := b.gateLevel(); err != nil {
		return nil, err
	}
	locked, err := b.readLock(ctx)
	if err != nil {
		return nil, err
	}
	ctx, release := b.holdKey(ctx)
	defer release(nil)
	b.early = b.layout()
	defer func() {
		b.ahead.Close()
		if b.percent != nil {
			b.percent()
		}
	}()
	res, err := b.image(ctx)
	if err != nil {
		return nil, keyFault(ctx, err)
	}
	defer b.startDocuments(ctx, res)()
	if o.CheckReproducible {
		if err := b.twice(ctx, platforms, res); err != nil {
			return nil, err
		}
	}
	if res.Hardening, err = b.gate(ctx, res); err != nil {
		return nil, err
	}
	if res.Tests, err = b.test(ctx, res, false); err != nil {
		return nil, err
	}
	if res, err = b.publish(ctx, res); err != nil {
		return nil, err
	}
	if b.snapshots != nil {
		// What stages made should outlive the machine's next start. It costs a wait for
		// the disk, after the image is published.
		if err := b.snapshots.Sync(ctx); err != nil {
			return nil, err
		}
	}
	res.Lock, res.Locked, res.LockError = locked.path, locked.made, locked.failure()
	return res, nil
}

// open loads the spec and the cache.
func open(o Options) (*build, error) {
	base, err := specs.Load(o.Spec)
	if err != nil {
		return nil, err
	}
	return openSpec(o, base)
}

// openSpec is open for a spec that is loaded.
func openSpec(o Options, base *specs.Spec) (*build, error) {
	if o.Jobs <= 0 {
		o.Jobs = runtime.GOMAXPROCS(0)
	}
	spec, err := base.Variant(o.Variant)
	if err != nil {
		return nil, err
	}
	b := &build{o: o, base: base, spec: spec, system: o.Variant, clients: &clients{}}
	if _, err := b.policy(); err != nil {
		return nil, err
	}
	canonical, err := spec.Canonical()
	if err != nil {
		return nil, err
	}
	b.canonical = string(canonical)
	if b.store, err = store.Open(o.CacheDir); err != nil {
		return nil, err
	}
	b.known = map[store.Digest]*facts.Image{}
	b.press, b.records = newPress(b.store, b.compression(), o.Outputs.Describe), map[store.Digest]*record.Record{}
	return b, nil
}

// platforms returns the platforms to build, which must be the spec's, sorted.
func (b *build) platforms() ([]specs.Platform, error) {
	all := slices.Clone(b.spec.Platforms)
	slices.SortFunc(all, func(x, y specs.Platform) int { return strings.Compare(x.String(), y.String()) })
	if len(b.o.Platforms) == 0 {
		return all, nil
	}
	var names []string
	for _, p := range all {
		names = append(names, p.String())
	}
	for _, name := range b.o.Platforms {
		if !slices.Contains(names, name) {
			return nil, specFault{fmt.Errorf("platform %q is not one of the spec's: %s", name, strings.Join(names, ", "))}
		}
	}
	return slices.DeleteFunc(all, func(p specs.Platform) bool { return !slices.Contains(b.o.Platforms, p.String()) }), nil
}

// image returns the index that an equal build left in the cache, or makes it.
func (b *build) image(ctx context.Context) (*Result, error) {
	b.epoch = b.lock.Epoch()
	if b.o.Epoch != nil {
		b.epoch = b.o.Epoch.UTC().Truncate(time.Second)
	}
	platforms, err := b.platforms()
	if err != nil {
		return nil, err
	}
	key, err := b.key(platforms)
	if err != nil {
		return nil, err
	}
	var res Result
	if b.store.Get("image", key, &res) {
		if res.Index, err = oci.OpenStored(ctx, b.store, res.Digest); err == nil {
			res.Cached = true
			return &res, nil
		}
	}
	b.readyKey()
	for range healing {
		if err = b.make(ctx, platforms, &res); !healable(err) {
			break
		}
		b.verifyPackages(platforms)
	}
	if err != nil {
		return nil, err
	}
	return &res, b.store.Set("image", key, &res)
}

// healing is how often an image is made while the cache turns out to be damaged.
// Each time all packages or all layers of a platform are verified, and the damaged
// ones removed, so that more is of use to images of many platforms only.
const healing = 4

// healable reports whether err is of a damaged cache. What is missing was there when it
// was looked for: whoever writes layers ahead, or another build, may find one damaged
// and remove it first.
func healable(err error) bool {
	return errors.Is(err, store.ErrCorrupt) || errors.Is(err, store.ErrMissing)
}

// verifyPackages removes damaged packages from the cache.
func (b *build) verifyPackages(platforms []specs.Platform) {
	for _, p := range b.needed(platforms) {
		b.damaged(p)
	}
}

// make makes the index, and says in res what it is.
func (b *build) make(ctx context.Context, platforms []specs.Platform, res *Result) error {
	*res = Result{Name: b.spec.Name, Tag: b.spec.Tag(), Created: b.epoch}
	b.stages = map[string]*stageRun{}
	if err := b.fetch(ctx, b.needed(platforms)); err != nil {
		return err
	}
	var images []*oci.Image
	for _, p := range platforms {
		copies, err := b.copies(ctx, p)
		if err != nil {
			return err
		}
		img, stats, err := b.platform(ctx, p, copies)
		if err != nil {
			return err
		}
		for _, c := range copies {
			if c.Debug != "" {
				stats.Symbols = append(stats.Symbols, c.Debug)
			}
		}
		images = append(images, img)
		res.Images = append(res.Images, *stats)
	}
	index, err := oci.NewIndex(b.store, images, b.annotations(""))
	if err != nil {
		return err
	}
	res.Index, res.Digest, res.Stages = index, index.Digest, b.stageStats()
	return nil
}

// needed returns the packages of all platforms, each once.
func (b *build) needed(platforms []specs.Platform) []*lock.Package {
	var needed []*lock.Package
	seen := map[string]bool{}
	for _, p := range platforms {
		for _, m := range b.members(p) {
			if !seen[m.SHA256] {
				seen[m.SHA256] = true
				needed = append(needed, m.Package)
			}
		}
	}
	return needed
}
