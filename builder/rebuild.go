package builder

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/hardpan/hardpan/internal/debian/archive"
	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/provenance"
	"github.com/hardpan/hardpan/internal/sandbox"
	"github.com/hardpan/hardpan/internal/store"
	"github.com/hardpan/hardpan/specs"
)

// ErrRebuild is wrapped by errors about an image that cannot be built again here.
var ErrRebuild = errors.New("cannot be built again")

// RebuildOptions say where what an image is built from is found. CacheDir is required.
type RebuildOptions struct {
	// Source is the directory of the spec in a checkout, which has what the bundle of the
	// spec leaves out; "" for none.
	Source string

	CacheDir string // for downloads; what is remembered there of other builds is not used
	Jobs     int    // as in [Options]
	Archive  ArchiveOptions
	// AllowNetwork lets stages whose spec asks for it (network: host) reach what the caller's
	// machine reaches. Whoever wrote the spec chose their commands.
	AllowNetwork     bool
	InsecureRegistry bool             // allow plain HTTP to a registry of a base image
	OnStep           func(StepEvent)  // as in [Options]
	Progress         archive.Progress // as in [Options]
}

// Rebuilt is what was built again.
type Rebuilt struct {
	Index    *oci.Index // in the cache
	Warnings []string   // what of the image this machine could not make
}

// Rebuild builds an image again from what is attested of it. Spec and lock are those of
// the provenance, by their digests, before anything is built; and nothing is taken over
// from earlier builds but downloads, each of which has the digest that the lock says. No
// test is run, and stages with secrets are not: their commands could take the
// caller's. Nor are those that want the network, unless the caller says so. Errors wrap
// [ErrRebuild], but for one of the context.
func Rebuild(ctx context.Context, in *provenance.Inputs, o RebuildOptions) (*Rebuilt, error) {
	res, err := rebuild(ctx, in, o)
	if err != nil && ctx.Err() == nil {
		err = fmt.Errorf("%w: %w", ErrRebuild, err)
	}
	return res, err
}

func rebuild(ctx context.Context, in *provenance.Inputs, o RebuildOptions) (_ *Rebuilt, err error) {
	dir, err := os.MkdirTemp("", "hardpan-spec-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	base, err := layOut(dir, in, o.Source)
	if err != nil {
		return nil, withoutPlace(err, dir)
	}
	b, err := openSpec(Options{
		Variant: in.Variant, Platforms: in.Platforms, Epoch: &in.Created, CacheDir: o.CacheDir, Jobs: o.Jobs,
		Archive: o.Archive, OnStep: o.OnStep, Progress: o.Progress, Outputs: Outputs{InsecureRegistry: o.InsecureRegistry},
	}, base)
	if err != nil {
		return nil, withoutPlace(err, dir)
	}
	fresh, remove, err := b.store.Afresh()
	if err != nil {
		return nil, err
	}
	b.store = fresh
	defer func() { err = errors.Join(err, b.forget(context.WithoutCancel(ctx)), remove()) }()
	b.lock = in.Lock
	res, err := b.again(ctx, in, o.AllowNetwork)
	if errors.Is(err, fs.ErrNotExist) && o.Source == "" { // an image on disk
		err = fmt.Errorf("%w: %s", err, needsSource)
	}
	return res, withoutPlace(err, dir)
}

// needsSource is what to do where attested documents do not have all.
const needsSource = "name a checkout of the spec's directory with --source"

// layOut loads the attested spec from files below dir, and refuses one that is not what
// the provenance says.
func layOut(dir string, in *provenance.Inputs, checkout string) (*specs.Spec, error) {
	bundle, err := specs.DecodeBundle(in.Spec)
	if err != nil {
		return nil, err
	}
	if bundle.Variant != in.Variant {
		return nil, fmt.Errorf("the attested spec is of the variant %.100q, the provenance of %.100q", bundle.Variant, in.Variant)
	}
	path, load, err := bundle.Lay(dir, checkout)
	if err != nil {
		return nil, err
	}
	base, err := load.Load(path)
	if err != nil {
		return nil, fmt.Errorf("the attested spec: %w", err)
	}
	spec, err := base.Variant(in.Variant)
	if err != nil {
		return nil, fmt.Errorf("the attested spec: %w", err)
	}
	if missing := bundle.Missing(spec); len(missing) > 0 {
		if checkout == "" {
			return nil, fmt.Errorf("only the digest is attested of %s, which the spec names: %s", strings.Join(missing, ", "), needsSource)
		}
		return nil, fmt.Errorf("%s in %s is not what was attested", strings.Join(missing, ", "), checkout)
	}
	text, err := spec.Canonical()
	if err != nil {
		return nil, err
	}
	if is := store.DigestOf(text); string(is) != in.SpecDigest {
		return nil, fmt.Errorf("the attested spec is %s, the provenance was made with %.80s", is, in.SpecDigest)
	}
	return base, nil
}

// again builds the image, with the lock and the store that b has.
func (b *build) again(ctx context.Context, in *provenance.Inputs, network bool) (*Rebuilt, error) {
	for _, stage := range b.spec.Stages {
		if len(stage.Secrets) > 0 {
			return nil, fmt.Errorf("stage %s needs secrets, which only its builder has", stage.Name)
		}
		if stage.Network == specs.NetworkHost && !network {
			return nil, fmt.Errorf("stage %s wants the network of this machine, where its commands could reach what you can: --allow-network lets it", stage.Name)
		}
	}
	if err := b.fits("the attested lock"); err != nil {
		return nil, err
	}
	platforms, err := b.platforms()
	if err != nil {
		return nil, err
	}
	if len(platforms) != len(in.Platforms) {
		return nil, fmt.Errorf("the provenance names a platform twice: %s", strings.Join(in.Platforms, ", "))
	}
	res, err := b.image(ctx)
	if errors.Is(err, archive.ErrNotFound) {
		return nil, fmt.Errorf("%w: name an archive that still has it with --mirror and --security-mirror, such as a snapshot of %s", err, b.lock.Epoch().Format("2006-01-02"))
	}
	if err != nil {
		return nil, err
	}
	again := &Rebuilt{Index: res.Index}
	for _, img := range res.Images {
		for _, w := range img.Warnings {
			again.Warnings = append(again.Warnings, img.Platform+": "+w)
		}
	}
	return again, nil
}

// forget removes what stages left behind, whose files may be of other ids than ours.
func (b *build) forget(ctx context.Context) error {
	at := filepath.Join(b.store.Dir(), snapshotDir)
	if _, err := os.Stat(at); err != nil {
		return nil
	}
	space, err := sandbox.Open(at)
	if err != nil {
		return err
	}
	return space.RemoveAll(ctx)
}

// withoutPlace returns err without the directory that a spec was laid out in, which
// says nothing to anybody.
func withoutPlace(err error, dir string) error {
	if err == nil {
		return nil
	}
	return &placeError{err, dir}
}

type placeError struct {
	error
	dir string
}

func (e *placeError) Unwrap() error { return e.error }
func (e *placeError) Error() string {
	text := e.error.Error()
	for _, place := range []string{e.dir, ".hardpan"} {
		text = strings.ReplaceAll(text, place+string(filepath.Separator), "")
	}
	return text
}

// bundle returns the predicate of the spec, nil where it is withheld or too large.
func (b *build) bundle() ([]byte, error) {
	if b.o.Outputs.WithholdSpec {
		return nil, nil
	}
	bundle, err := b.spec.Bundle(b.base)
	if errors.Is(err, specs.ErrBundle) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return bundle.Encode()
}
