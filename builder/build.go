package builder

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/hardpan/hardpan/internal/debian/archive"
	"github.com/hardpan/hardpan/internal/lock"
	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/store"
	"github.com/hardpan/hardpan/specs"
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

	CacheDir string // required
	Jobs     int    // packages that are unpacked at a time; 0 is one per CPU
	Archive  ArchiveOptions
	Progress archive.Progress // of downloads; may be nil
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

	Index *oci.Index `json:"-"`
}

// ImageStats is what a person wants to know of one platform's image.
type ImageStats struct {
	Platform string       `json:"platform"`
	Digest   store.Digest `json:"digest"`   // of the manifest
	Size     int64        `json:"size"`     // of the layers, compressed, bytes
	Unpacked int64        `json:"unpacked"` // of the files, bytes
	Layers   int          `json:"layers"`
	Packages int          `json:"packages"`
	Paths    int          `json:"paths"`
	Stripped []RuleStats  `json:"stripped,omitempty"`
	Dropped  []string     `json:"dropped,omitempty"` // packages that an exclusion kept out
	Skipped  []string     `json:"skipped,omitempty"` // packages whose scripts were given no effect
}

// RuleStats is what one hardening rule left out.
type RuleStats struct {
	Rule  string `json:"rule"`
	Paths int    `json:"paths"`
	Size  int64  `json:"size"` // bytes
}

// build is one run of [Build].
type build struct {
	o     Options
	store *store.Store
	spec  *specs.Spec
	lock  *lock.Lock
	epoch time.Time
}

// Build builds the image of a spec. The result's Index is in the cache, from
// where oci's writers put it into a layout, an archive or a registry.
func Build(ctx context.Context, o Options) (*Result, error) {
	b, err := open(o)
	if err != nil {
		return nil, err
	}
	locked, err := b.readLock(ctx)
	if err != nil {
		return nil, err
	}
	res, err := b.image(ctx)
	if err != nil {
		return nil, err
	}
	res.Lock, res.Locked, res.LockError = locked.path, locked.made, locked.failure()
	return res, nil
}

// open loads the spec and the cache.
func open(o Options) (*build, error) {
	if o.Jobs <= 0 {
		o.Jobs = runtime.GOMAXPROCS(0)
	}
	spec, err := specs.Load(o.Spec)
	if err != nil {
		return nil, err
	}
	if spec, err = spec.Variant(o.Variant); err != nil {
		return nil, err
	}
	if err := unsupported(spec); err != nil {
		return nil, err
	}
	if len(o.Platforms) == 0 {
		for _, p := range spec.Platforms {
			o.Platforms = append(o.Platforms, p.String())
		}
	}
	slices.Sort(o.Platforms)
	o.Platforms = slices.Compact(o.Platforms)
	s, err := store.Open(o.CacheDir)
	if err != nil {
		return nil, err
	}
	return &build{o: o, store: s, spec: spec}, nil
}

// image returns the index that an equal build left in the cache, or makes it.
func (b *build) image(ctx context.Context) (*Result, error) {
	b.epoch = b.lock.Epoch()
	if b.o.Epoch != nil {
		b.epoch = b.o.Epoch.UTC().Truncate(time.Second)
	}
	key, err := b.key()
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
	res = Result{Name: b.spec.Name, Tag: b.spec.Version + b.spec.TagSuffix, Created: b.epoch}
	images := make([]*oci.Image, len(b.o.Platforms))
	for i, platform := range b.o.Platforms {
		made, stats, err := b.platform(ctx, platform)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", platform, err)
		}
		images[i] = made
		res.Images = append(res.Images, *stats)
	}
	if res.Index, err = oci.NewIndex(b.store, images, b.annotations()); err != nil {
		return nil, err
	}
	res.Digest = res.Index.Digest
	return &res, b.store.Set("image", key, &res)
}
