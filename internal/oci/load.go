package oci

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"github.com/hardpan/hardpan/internal/store"
)

// A backend is where the blobs of an image that is read come from. What it returns
// need not be verified; the loader does that.
type backend interface {
	// manifest opens a manifest or index.
	manifest(ctx context.Context, d descriptor) (io.ReadCloser, error)
	// blob opens a config or layer.
	blob(ctx context.Context, d descriptor) (io.ReadCloser, error)
	// stat reports, without reading it, whether the blob can be there: a missing one
	// is an error that wraps fs.ErrNotExist.
	stat(d descriptor) error
}

const (
	maxIndexDepth = 4         // indexes within indexes
	maxManifests  = 512       // manifests that one reference may lead to
	maxAllDocs    = 128 << 20 // bytes of all manifests and configs that one reference leads to
	maxLayers     = 4096
)

// A loader reads the documents of an image, checks them, and leaves the layers to
// be read when they are opened.
type loader struct {
	backend  backend
	platform Platform // read only this one, unless it is zero
	sparse   bool     // manifests that an index lists may be missing
	count    int
	bytes    int64 // of the documents that were read

	missingLayers bool // as in [OpenOptions]
}

// root is what a reference led to.
type root struct {
	index  *Index // nil where it is the manifest of one image
	images []*Image
}

func (l *loader) load(ctx context.Context, d descriptor) (root, error) {
	r, err := l.loadAt(ctx, d, 0)
	if err != nil {
		return root{}, err
	}
	for i, img := range r.images {
		for _, other := range r.images[:i] {
			if img.Platform.normal() == other.Platform.normal() && img.Digest != other.Digest {
				return root{}, fmt.Errorf("%w: two images are for %s, %s and %s", ErrInvalid, img.Platform, other.Digest, img.Digest)
			}
		}
	}
	if len(r.images) == 0 && l.platform != (Platform{}) {
		return root{}, fmt.Errorf("%w: the image has no %s", ErrPlatform, l.platform)
	}
	if len(r.images) == 0 {
		return root{}, fmt.Errorf("%w: index %s lists no image", ErrInvalid, d.Digest)
	}
	return r, nil
}

func (l *loader) loadAt(ctx context.Context, d descriptor, depth int) (root, error) {
	if l.count++; l.count > maxManifests || depth > maxIndexDepth {
		return root{}, fmt.Errorf("%w: more than %d manifests or %d indexes deep", ErrInvalid, maxManifests, maxIndexDepth)
	}
	raw, err := l.document(ctx, d, l.backend.manifest)
	if err != nil {
		return root{}, fmt.Errorf("cannot read manifest %s: %w", d.Digest, err)
	}
	manifest, index, err := parseDocument(raw, d.MediaType)
	if err != nil {
		return root{}, fmt.Errorf("manifest %s: %w", d.Digest, err)
	}
	if manifest != nil {
		img, err := l.image(ctx, d, raw, manifest)
		if err != nil {
			return root{}, fmt.Errorf("image %s: %w", d.Digest, err)
		}
		if l.platform != (Platform{}) && !img.Platform.matches(l.platform) {
			return root{}, nil
		}
		return root{images: []*Image{img}}, nil
	}
	return l.index(ctx, d, raw, index, depth)
}

func (l *loader) index(ctx context.Context, d descriptor, raw []byte, doc *indexDoc, depth int) (root, error) {
	x := &Index{Digest: d.Digest, MediaType: mediaOr(doc.MediaType, d.MediaType, mediaIndex), Manifest: raw, Annotations: doc.Annotations}
	for _, child := range doc.Manifests {
		if !l.wanted(child) {
			x.omitted++
			x.Unread++
			continue
		}
		if err := child.validate(); err != nil {
			return root{}, fmt.Errorf("index %s: %w", d.Digest, err)
		}
		r, err := l.loadAt(ctx, child, depth+1)
		if l.sparse && errors.Is(err, fs.ErrNotExist) && l.backend.stat(child) != nil {
			x.omitted++
			x.Unread++
			continue
		}
		if err != nil {
			return root{}, err
		}
		if r.index != nil || len(r.images) == 0 {
			x.omitted++ // what was read is a part of it, flattened
		}
		if r.index != nil {
			x.Unread += r.index.Unread
		}
		if p := child.Platform; p != nil && len(r.images) == 1 && r.index == nil && !r.images[0].Platform.matches(Platform{OS: p.OS, Architecture: p.Architecture, Variant: p.Variant}) {
			return root{}, fmt.Errorf("%w: index %s lists %s for %s, its config says %s", ErrInvalid, d.Digest, child.Digest, p, r.images[0].Platform)
		}
		for _, img := range r.images {
			if !slices.ContainsFunc(x.Images, func(o *Image) bool { return o.Digest == img.Digest }) {
				x.Images = append(x.Images, img)
			}
		}
	}
	return root{index: x, images: x.Images}, nil
}

// wanted reports whether an index's entry may lead to an image that was asked for.
func (l *loader) wanted(d descriptor) bool {
	switch d.MediaType {
	case mediaManifest, mediaIndex, dockerManifest, dockerIndex, "":
	default:
		return false
	}
	if isArtifact(d) {
		return false
	}
	if d.Platform == nil {
		return true
	}
	return !d.Platform.unknown() && (l.platform == (Platform{}) || d.Platform.matches(l.platform))
}

func (l *loader) image(ctx context.Context, d descriptor, raw []byte, doc *manifestDoc) (*Image, error) {
	switch doc.Config.MediaType {
	case mediaConfig, dockerConfig:
	default:
		return nil, fmt.Errorf("%w: config of media type %.80q, expected that of a container image", ErrInvalid, doc.Config.MediaType)
	}
	if len(doc.Layers) > maxLayers {
		return nil, fmt.Errorf("%w: %d layers, at most %d are read", ErrInvalid, len(doc.Layers), maxLayers)
	}
	for _, part := range append([]descriptor{doc.Config}, doc.Layers...) {
		if err := part.validate(); err != nil {
			return nil, err
		}
	}
	rawConfig, err := l.document(ctx, doc.Config, l.backend.blob)
	if err != nil {
		return nil, fmt.Errorf("cannot read config %s: %w", doc.Config.Digest, err)
	}
	c, cdoc, err := parseConfig(rawConfig)
	if err != nil {
		return nil, fmt.Errorf("config %s: %w", doc.Config.Digest, err)
	}
	img := &Image{
		Platform: c.Platform, Digest: d.Digest, MediaType: mediaOr(doc.MediaType, d.MediaType, mediaManifest), Manifest: raw,
		ConfigDigest: doc.Config.Digest, RawConfig: rawConfig, Config: c, Annotations: doc.Annotations,
		configMediaType: doc.Config.MediaType,
	}
	img.Layers, err = l.layers(ctx, doc.Layers, cdoc)
	return img, err
}

func (l *loader) layers(ctx context.Context, list []descriptor, config configDoc) ([]Layer, error) {
	if len(list) != len(config.RootFS.DiffIDs) {
		return nil, fmt.Errorf("%w: the manifest has %d layers, the config %d diff IDs", ErrInvalid, len(list), len(config.RootFS.DiffIDs))
	}
	var history []historyDoc
	for _, h := range config.History {
		if !h.EmptyLayer {
			history = append(history, h)
		}
	}
	layers := make([]Layer, len(list))
	for i, d := range list {
		if err := l.backend.stat(d); err != nil && !l.missingLayers {
			return nil, fmt.Errorf("cannot read layer %s: %w", d.Digest, err)
		}
		layers[i] = Layer{Digest: d.Digest, DiffID: config.RootFS.DiffIDs[i], Size: d.Size, MediaType: d.MediaType, Open: func() (io.ReadCloser, error) {
			r, err := l.backend.blob(ctx, d)
			if err != nil {
				return nil, fmt.Errorf("cannot read layer %s: %w", d.Digest, err)
			}
			return verify(r, d.Digest, d.Size), nil
		}}
		if len(history) == len(list) { // else nothing says which entry is whose
			layers[i].CreatedBy, layers[i].Comment = history[i].CreatedBy, history[i].Comment
		}
	}
	return layers, nil
}

// document reads and verifies a small blob whole.
func (l *loader) document(ctx context.Context, d descriptor, open func(context.Context, descriptor) (io.ReadCloser, error)) ([]byte, error) {
	if d.Size > MaxDocument {
		return nil, fmt.Errorf("%w: %d bytes, at most %d are read", ErrTooLarge, d.Size, MaxDocument)
	}
	if l.bytes += d.Size; l.bytes > maxAllDocs {
		return nil, fmt.Errorf("%w: manifests and configs of more than %d bytes", ErrTooLarge, maxAllDocs)
	}
	r, err := open(ctx, d)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(verify(r, d.Digest, d.Size))
}

func mediaOr(candidates ...string) string {
	for _, m := range candidates {
		if m != "" {
			return m
		}
	}
	return ""
}

// OpenStored opens the index that an earlier build left in st. It reads the
// documents only, and checks of each layer that its blob is there with its size;
// the content is verified when it is read. A blob that is gone is an error that
// wraps [fs.ErrNotExist], a damaged document one that wraps [store.ErrCorrupt]:
// the image is then to be made again.
func OpenStored(ctx context.Context, st *store.Store, index store.Digest) (*Index, error) {
	r, err := openStored(ctx, st, index)
	if err != nil {
		return nil, fmt.Errorf("cannot open stored index %s: %w", index, err)
	}
	if r.index == nil {
		return nil, fmt.Errorf("cannot open stored index %s: %w: it is the manifest of one image", index, ErrInvalid)
	}
	for i, img := range r.index.Images {
		r.index.Images[i] = stored(st, img)
	}
	return r.index, nil
}

// openStored reads the documents from that manifest or index on.
func openStored(ctx context.Context, st *store.Store, digest store.Digest) (root, error) {
	if err := (descriptor{Digest: digest}).validate(); err != nil {
		return root{}, err
	}
	size, ok := st.Stat(digest)
	if !ok {
		return root{}, fs.ErrNotExist
	}
	l := &loader{backend: storeBackend{st}}
	return l.load(ctx, descriptor{Digest: digest, Size: size})
}

type storeBackend struct{ st *store.Store }

func (b storeBackend) manifest(_ context.Context, d descriptor) (io.ReadCloser, error) {
	return b.st.Open(d.Digest)
}

func (b storeBackend) blob(_ context.Context, d descriptor) (io.ReadCloser, error) {
	return b.st.Open(d.Digest)
}

func (b storeBackend) stat(d descriptor) error {
	size, ok := b.st.Stat(d.Digest)
	if !ok {
		return fmt.Errorf("it is not in the cache: %w", fs.ErrNotExist)
	}
	if size != d.Size {
		return fmt.Errorf("%w: the cache has %d bytes, stated are %d", ErrMismatch, size, d.Size)
	}
	return nil
}

func documentReader(b []byte) io.ReadCloser { return io.NopCloser(bytes.NewReader(b)) }
