package builder

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/store"
)

// A Signer says who signs an image before it is published.
type Signer struct {
	// ID stands for the key. What it signed is kept in the cache, and published again
	// where the same is to be signed by the same ID. With "" nothing is kept.
	ID string
	// Bundles says that what it makes refers to the image, and depends on what does so
	// already.
	Bundles bool
	// Open makes the key ready. It is called once at most, while layers are made, since
	// opening a key may be made slow on purpose.
	Open func() (Key, error)
}

// A Key signs.
type Key interface {
	// Name is what the result of a build calls the key.
	Name() string
	// Sign signs an image, attests predicates about it, and returns what is published
	// with it. It may read what the image has in the registry, and its error then wraps
	// that of [oci.Source].
	Sign(ctx context.Context, image *oci.Source, about []Predicate) ([]*oci.Artifact, error)
}

// A heldKey is the key of one build, which is opened once.
type heldKey struct {
	open func() (Key, error)     // nil where the build does not sign
	fail context.CancelCauseFunc // ends the build
}

// holdKey returns the context that a build has which signs: it ends with the error of a
// key that cannot be opened.
func (b *build) holdKey(ctx context.Context) (context.Context, context.CancelCauseFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	if b.o.Outputs.Sign != nil {
		b.held = heldKey{sync.OnceValues(b.o.Outputs.Sign.Open), cancel}
	}
	return ctx, cancel
}

// readyKey opens the key beside other work.
func (b *build) readyKey() {
	if b.held.open == nil {
		return
	}
	go func() {
		if _, err := b.held.open(); err != nil {
			b.held.fail(err)
		}
	}()
}

// keyFault returns why a build ended: err, or what kept its key from being opened.
func keyFault(ctx context.Context, err error) error {
	if errors.Is(err, context.Canceled) {
		return context.Cause(ctx)
	}
	return err
}

// signatures is what the cache keeps of a signed image.
type signatures struct {
	Key       string             `json:"key"` // its name
	Artifacts []oci.KeptArtifact `json:"artifacts"`
}

// sign returns the artifacts that are published with the image, none where the build
// does not sign. What is to be kept of them is kept while they are published: see
// [build.keeping].
func (b *build) sign(ctx context.Context, res *Result) ([]*oci.Artifact, error) {
	if b.o.Outputs.Sign == nil {
		return nil, nil
	}
	documents := b.documenting
	if b.documented != res { // the image was made anew
		documents = func() ([]Predicate, error) { return b.documents(ctx, res) }
	}
	about, err := b.describe(ctx, res)
	if err != nil {
		return nil, err
	}
	image, err := oci.Unpublished(res.Index, b.o.Outputs.Push, oci.OpenOptions{Insecure: b.o.Outputs.InsecureRegistry})
	if err != nil {
		return nil, err
	}
	kept, err := b.signedKey(ctx, image, about)
	if err != nil {
		return nil, err
	}
	if list := b.signedBefore(kept, res); list != nil {
		return list, nil
	}
	key, err := b.held.open()
	if err != nil {
		return nil, err
	}
	more, err := documents()
	if err != nil {
		return nil, err
	}
	list, err := key.Sign(ctx, image, append(about, more...))
	if err != nil {
		return nil, b.unsigned(err)
	}
	res.SignedBy = key.Name()
	if kept != "" {
		b.keeping.Go(func() error { return b.keepSigned(kept, signatures{Key: key.Name()}, list) })
	}
	return list, nil
}

// startDocuments has the documents of an image that was just made, and so was hardly
// signed before, written while the image is judged and tested. The caller must wait for
// what it returns.
func (b *build) startDocuments(ctx context.Context, res *Result) (wait func()) {
	b.documented = res
	b.documenting = sync.OnceValues(func() ([]Predicate, error) { return b.documents(ctx, res) })
	if b.o.Outputs.Sign == nil || res.Cached {
		return func() {}
	}
	go b.documenting()
	return func() { b.documenting() }
}

// documents returns what the describers say of the index and its images.
func (b *build) documents(ctx context.Context, res *Result) (all []Predicate, err error) {
	for _, d := range b.o.Outputs.Describe {
		list, err := d.Describe(ctx, res.Index, b.store)
		if err != nil {
			return nil, err
		}
		all = append(all, list...)
	}
	return all, nil
}

// signedKey returns the key of what the cache keeps, "" for nothing: all that the
// signed artifacts depend on. Those that the registry has already are kept or replaced
// by signing, and so are part of it.
func (b *build) signedKey(ctx context.Context, image *oci.Source, about []Predicate) (string, error) {
	if b.o.Outputs.Sign.ID == "" {
		return "", nil
	}
	key := signedFormat + "\x00" + b.o.Outputs.Sign.ID + "\x00" + image.Repository + "\x00" + string(image.Digest)
	for _, d := range b.o.Outputs.Describe {
		key += "\x00" + d.Key
	}
	for _, p := range about {
		key += "\x00" + string(p.Subject) + " " + p.Type + " " + string(store.DigestOf(p.Document))
	}
	subjects := []store.Digest{image.Digest}
	for _, img := range image.Images {
		subjects = append(subjects, img.Digest)
	}
	for _, subject := range subjects {
		for _, kind := range []oci.ArtifactKind{oci.Signatures, oci.Attestations} {
			existing, err := image.Artifacts(ctx, subject, kind)
			if err != nil {
				return "", &unreachedError{b.o.Outputs.Push, err}
			}
			for _, a := range existing {
				key += "\x00" + string(a.Digest())
			}
		}
		if !b.o.Outputs.Sign.Bundles {
			continue
		}
		existing, err := image.Referrers(ctx, subject)
		if err != nil {
			return "", &unreachedError{b.o.Outputs.Push, err}
		}
		for _, a := range existing {
			key += "\x00" + string(a.Digest())
		}
	}
	return key, nil
}

// unsigned returns why an image could not be signed: err, or what it means where the
// registry did not say what signatures it has.
func (b *build) unsigned(err error) error {
	if errors.Is(err, oci.ErrUnread) && !errors.Is(err, context.Canceled) {
		return &unreachedError{b.o.Outputs.Push, err}
	}
	return err
}

// An unreachedError is a registry that cannot say what signatures it has.
type unreachedError struct {
	place string
	err   error
}

func (e *unreachedError) Error() string { return fmt.Sprintf("cannot push to %s: %v", e.place, e.err) }
func (e *unreachedError) Unwrap() error { return e.err }

// Hint is that of the cause, where it has one.
func (e *unreachedError) Hint() string {
	if known, ok := errors.AsType[interface {
		error
		Hint() string
	}](e.err); ok {
		return known.Hint()
	}
	const state = "nothing was published and no tag was moved; "
	if !errors.Is(e.err, oci.ErrUnread) {
		return state + "what the registry has there is damaged: remove that tag from it, and build again"
	}
	return state + "build again when the registry answers: what was made is kept"
}

// signedFormat changes where [Key.Sign] makes other artifacts of the same.
const signedFormat = "signed2"

// signedBefore returns the artifacts that the cache keeps under key, nil where they are
// not all there.
func (b *build) signedBefore(key string, res *Result) []*oci.Artifact {
	var kept signatures
	if key == "" || !b.store.Get("signed", key, &kept) {
		return nil
	}
	var list []*oci.Artifact
	for _, k := range kept.Artifacts {
		a, err := oci.OpenKept(b.store, k)
		if err != nil {
			return nil // what is missing or damaged is made again
		}
		list = append(list, a)
	}
	res.SignedBy = kept.Key
	return list
}

func (b *build) keepSigned(key string, kept signatures, list []*oci.Artifact) error {
	for _, a := range list {
		k, err := a.Keep(b.store)
		if err != nil {
			return err
		}
		kept.Artifacts = append(kept.Artifacts, k)
	}
	return b.store.Set("signed", key, kept)
}
