package builder

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/lock"
	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/store"
	"github.com/hardpan/hardpan/specs"
)

// standing is an existing image that a spec stands on, or a stage of it.
type standing struct {
	reference string
	spec      *specs.Spec // that has it
	path      []any       // of the reference in spec
	partial   bool        // only stages of the building machine's platform start from it
}

// standings returns the images that the spec, its variants and their stages stand on,
// each once, by reference.
func (b *build) standings() ([]standing, error) {
	var all []standing
	add := func(s standing) {
		i := slices.IndexFunc(all, func(o standing) bool { return o.reference == s.reference })
		switch {
		case i < 0:
			all = append(all, s)
		case !s.partial:
			all[i].partial = false
		}
	}
	for _, name := range append([]string{""}, b.base.VariantNames()...) {
		spec, err := b.base.Variant(name)
		if err != nil {
			return nil, err
		}
		if spec.From != "" {
			add(standing{reference: spec.From, spec: spec, path: []any{"from"}})
		}
		for i, stage := range spec.Stages {
			if specs.IsImage(stage.From) {
				add(standing{stage.From, spec, []any{"stages", i, "from"}, stage.Platform == specs.PlatformBuild})
			}
		}
	}
	slices.SortFunc(all, func(a, b standing) int { return strings.Compare(a.reference, b.reference) })
	return all, nil
}

// imageRequests returns the references of the spec, as a lock has them.
func (b *build) imageRequests() ([]string, error) {
	all, err := b.standings()
	var references []string
	for _, s := range all {
		references = append(references, s.reference)
	}
	return references, err
}

// unpinnedError says that a reference without a digest would be followed without a
// lock, wherever it leads today.
type unpinnedError struct{ reference string }

func (e *unpinnedError) Error() string {
	return fmt.Sprintf("image %q has no digest, and no lock pins it", e.reference)
}
func (e *unpinnedError) Hint() string {
	return "run hardpan lock, which writes its digest down, or add the digest as @sha256:..."
}
func (e *unpinnedError) Unwrap() []error { return []error{ErrNoLock, ErrSpec} }

// pinned refuses a spec with references that have no digest, for who has no lock.
func (b *build) pinned() error {
	all, err := b.standings()
	if err != nil {
		return err
	}
	for _, s := range all {
		if r, _ := specs.ParseImage(s.reference); r.Digest == "" {
			return positioned(s.spec, s.path, &unpinnedError{s.reference})
		}
	}
	return nil
}

// resolveImages finds out what the spec's references lead to.
func (b *build) resolveImages(ctx context.Context) ([]lock.Image, error) {
	all, err := b.standings()
	if err != nil {
		return nil, err
	}
	var images []lock.Image
	for _, s := range all {
		img, err := b.resolveImage(ctx, s)
		if err != nil {
			return nil, imageError(s.spec, s.path, err)
		}
		images = append(images, *img)
	}
	return images, nil
}

// resolveImage asks for each platform of the spec what a reference leads to. The
// reference is followed once: the further platforms are asked for by the digest.
func (b *build) resolveImage(ctx context.Context, s standing) (*lock.Image, error) {
	r, ok := specs.ParseImage(s.reference)
	if !ok {
		return nil, fmt.Errorf("%q is not an image", s.reference)
	}
	found := &lock.Image{Reference: s.reference, Platforms: map[string]string{}}
	for _, p := range b.base.Platforms {
		src, err := oci.Open(ctx, s.spec.Locate(r), b.openImage(p))
		if errors.Is(err, oci.ErrPlatform) && s.partial {
			continue
		}
		if err != nil {
			return nil, err
		}
		found.Digest, found.Platforms[p.String()] = string(src.Digest), string(src.Images[0].Digest)
		r = r.WithDigest(found.Digest)
		if err := src.Close(); err != nil {
			return nil, err
		}
	}
	if found.Digest == "" { // only for other platforms than the spec's
		src, err := oci.Open(ctx, s.spec.Locate(r), b.openImage(specs.Platform{}))
		if err != nil {
			return nil, err
		}
		found.Digest = string(src.Digest)
		return found, src.Close()
	}
	return found, nil
}

func (b *build) openImage(p specs.Platform) oci.OpenOptions {
	return oci.OpenOptions{Platform: ociPlatform(p), Insecure: b.o.Outputs.InsecureRegistry}
}

func ociPlatform(p specs.Platform) oci.Platform {
	return oci.Platform{OS: p.OS, Architecture: p.Architecture, Variant: p.Variant}
}

// existing returns the image that a reference of the spec leads to by the lock, which
// it brings into the store unless it is there. path is that of the reference in the
// spec. For a platform that the lock has no manifest of, such as the building
// machine's, the digest of the index answers.
func (b *build) existing(ctx context.Context, reference string, p specs.Platform, path ...any) (*oci.Image, error) {
	locked := b.lock.Image(reference)
	if locked == nil {
		return nil, b.specError(path, fmt.Errorf("the lock has no image %q", reference))
	}
	return b.imageOfReference(ctx, b.spec, locked, p, path)
}

// imageOfReference is existing for a reference of any spec.
func (b *build) imageOfReference(ctx context.Context, spec *specs.Spec, locked *lock.Image, p specs.Platform, path []any) (*oci.Image, error) {
	want := store.Digest(locked.Platforms[p.String()])
	if want != "" {
		img, err := oci.OpenStoredImage(ctx, b.store, want)
		if err == nil || !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, store.ErrCorrupt) {
			return img, err
		}
	}
	img, err := b.importImage(ctx, spec, locked, p)
	if err == nil && want != "" && img.Digest != want {
		err = fmt.Errorf("image %s is %s for %s, the lock says %s", locked.Reference, img.Digest, p, want)
	}
	if err != nil {
		return nil, imageError(spec, path, err)
	}
	return img, nil
}

// imageError puts the place of a reference in front of an error. A place that has no
// image, or none for the platform, is the spec's fault; what a registry or a disk does
// is not.
func imageError(spec *specs.Spec, path []any, err error) error {
	if errors.Is(err, oci.ErrPlatform) || errors.Is(err, fs.ErrNotExist) {
		return positioned(spec, path, err)
	}
	return fmt.Errorf("%s: %w", spec.Position(path...), err)
}

func (b *build) importImage(ctx context.Context, spec *specs.Spec, locked *lock.Image, p specs.Platform) (*oci.Image, error) {
	r, ok := specs.ParseImage(locked.Reference)
	if !ok {
		return nil, fmt.Errorf("%q is not an image", locked.Reference)
	}
	src, err := oci.Open(ctx, spec.Locate(r.WithDigest(locked.Digest)), b.openImage(p))
	if err != nil {
		return nil, err
	}
	defer src.Close()
	o := oci.ImportOptions{Jobs: b.o.Jobs}
	if progress := b.o.Progress; progress != nil {
		o.Start = func(name string, size int64) (func(int64), func(error)) {
			task := progress.Start(name, size)
			return task.Add, task.Done
		}
	}
	return oci.Import(ctx, b.store, src, ociPlatform(p), o)
}
