package oci

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/store"
)

// Image is the image of one platform. Its fields are to be read, not changed.
type Image struct {
	Platform     Platform
	Digest       store.Digest // of the manifest
	MediaType    string       // of the manifest
	Manifest     []byte       // the document, byte for byte
	ConfigDigest store.Digest
	RawConfig    []byte // the document, byte for byte
	Config       Config // what RawConfig says
	Annotations  map[string]string
	Layers       []Layer // lowest first

	configMediaType string
}

// Index is a multi-platform image. Its fields are to be read, not changed.
type Index struct {
	Digest      store.Digest
	MediaType   string
	Manifest    []byte // the document, byte for byte
	Annotations map[string]string
	Images      []*Image // by platform

	// Unread is how many manifests the document lists, or an index that it lists, that are
	// no images by its word, for no platform, or not there: nobody has looked at them.
	Unread int
	// omitted is how many manifests the document lists that Images does not have.
	omitted int
}

// NewImage makes the image of one platform out of layers, lowest first, whose
// blobs exist, and puts its config and manifest into st. Each layer has one
// history entry. The same arguments give the same bytes.
func NewImage(st *store.Store, c Config, layers []Layer, a Annotations) (*Image, error) {
	if err := validateLayers(layers); err != nil {
		return nil, fmt.Errorf("cannot make an image for %s: %w", c.Platform, err)
	}
	raw, err := c.encode(layers)
	if err != nil {
		return nil, fmt.Errorf("cannot make an image for %s: %w", c.Platform, err)
	}
	doc := manifestDoc{
		SchemaVersion: 2, MediaType: mediaManifest,
		Config:      descriptor{MediaType: mediaConfig, Digest: store.DigestOf(raw), Size: int64(len(raw))},
		Layers:      []descriptor{},
		Annotations: a.Map(),
	}
	for _, l := range layers {
		doc.Layers = append(doc.Layers, descriptor{MediaType: l.MediaType, Digest: l.Digest, Size: l.Size})
	}
	manifest, err := encodeManifest(doc)
	if err != nil {
		return nil, fmt.Errorf("cannot make an image for %s: %w", c.Platform, err)
	}
	// What the document says, not what was given: times are whole seconds there.
	said, _, err := parseConfig(raw)
	if err != nil {
		return nil, fmt.Errorf("cannot make an image for %s: %w", c.Platform, err)
	}
	img := &Image{
		Platform: c.Platform, Digest: store.DigestOf(manifest), MediaType: mediaManifest, Manifest: manifest,
		ConfigDigest: doc.Config.Digest, RawConfig: raw, Config: said, Annotations: doc.Annotations,
		Layers: slices.Clone(layers), configMediaType: mediaConfig,
	}
	return img, keep(st, raw, manifest)
}

// BaseLayers returns the layers of img for an image that stands on it, [NewImage]'s
// lowest, with the history that goes into its config. The blobs stay what they are;
// Docker's media types are written as those of OCI that mean the same. Where the
// history of img is not that of its layers, each has an entry that says so.
func BaseLayers(img *Image) ([]Layer, []History) {
	same := map[string]string{dockerLayer: MediaLayer, dockerLayerGzip: MediaLayerGzip, dockerLayerZstd: MediaLayerZstd}
	layers := slices.Clone(img.Layers)
	for i := range layers {
		if media, ok := same[layers[i].MediaType]; ok {
			layers[i].MediaType = media
		}
	}
	history := slices.Clone(img.Config.History)
	described := 0
	for _, h := range history {
		if !h.Empty {
			described++
		}
	}
	if described != len(layers) {
		history = nil
		for range layers {
			history = append(history, History{Comment: "layer of a base image that says nothing of how it was made"})
		}
	}
	return layers, history
}

// NewIndex makes the index over images, one per platform, and puts it into st.
// The order of images does not matter.
func NewIndex(st *store.Store, images []*Image, a Annotations) (*Index, error) {
	if len(images) == 0 {
		return nil, fmt.Errorf("cannot make an image index: it has no image")
	}
	images = slices.SortedFunc(slices.Values(images), func(a, b *Image) int { return comparePlatforms(a.Platform, b.Platform) })
	doc := indexDoc{SchemaVersion: 2, MediaType: mediaIndex, Annotations: a.Map()}
	for i, img := range images {
		if i > 0 && images[i-1].Platform.normal() == img.Platform.normal() {
			return nil, fmt.Errorf("cannot make an image index: %s occurs twice", img.Platform)
		}
		doc.Manifests = append(doc.Manifests, descriptor{
			MediaType: img.MediaType, Digest: img.Digest, Size: int64(len(img.Manifest)), Platform: &img.Platform,
		})
	}
	manifest, err := encodeManifest(doc)
	if err != nil {
		return nil, fmt.Errorf("cannot make an image index: %w", err)
	}
	x := &Index{
		Digest: store.DigestOf(manifest), MediaType: mediaIndex, Manifest: manifest,
		Annotations: doc.Annotations, Images: images,
	}
	return x, keep(st, manifest)
}

func encodeManifest(doc any) ([]byte, error) {
	b, err := encode(doc)
	if err == nil && len(b) > MaxDocument {
		err = fmt.Errorf("%w: the manifest has %d bytes, at most %d are allowed", ErrTooLarge, len(b), MaxDocument)
	}
	return b, err
}

func validateLayers(layers []Layer) error {
	for i, l := range layers {
		switch {
		case !l.Digest.Valid():
			return fmt.Errorf("layer %d: digest %q, expected sha256: and 64 hex digits", i, l.Digest)
		case !l.DiffID.Valid():
			return fmt.Errorf("layer %d: diff ID %q, expected sha256: and 64 hex digits", i, l.DiffID)
		case l.Size < 0 || l.Open == nil:
			return fmt.Errorf("layer %d: %s has no content", i, l.Digest)
		case !slices.Contains([]string{MediaLayer, MediaLayerGzip, MediaLayerZstd}, l.MediaType):
			return fmt.Errorf("layer %d: media type %q, expected %s, +gzip or +zstd", i, l.MediaType, MediaLayer)
		}
	}
	return nil
}

// keep puts the documents that are not in st yet into it. Reading what is there is
// cheaper than the fsync of writing it again.
func keep(st *store.Store, documents ...[]byte) error {
	for _, b := range documents {
		if _, err := st.ReadFile(store.DigestOf(b)); err == nil {
			continue
		}
		if _, err := st.Put(b); err != nil {
			return err
		}
	}
	return nil
}

// Image returns the image of x for platform p. The error wraps [ErrPlatform].
func (x *Index) Image(p Platform) (*Image, error) { return choose(x.Images, p) }

// choose returns the image for p or, where p is zero, the only one.
func choose(images []*Image, p Platform) (*Image, error) {
	var have []string
	for _, img := range images {
		if p != (Platform{}) && img.Platform.matches(p) {
			return img, nil
		}
		have = append(have, img.Platform.String())
	}
	if p != (Platform{}) {
		return nil, fmt.Errorf("%w: the image has no %s, it has %s", ErrPlatform, p, strings.Join(have, ", "))
	}
	if len(images) != 1 {
		return nil, withHint(fmt.Errorf("%w: the image has %s, one of them must be chosen", ErrPlatform, strings.Join(have, ", ")),
			"name one platform")
	}
	return images[0], nil
}

// A blob is what an output stores under a digest.
type blob struct {
	digest store.Digest
	size   int64
	media  string
	layer  *Layer // nil for a document
	open   func() (io.ReadCloser, error)
}

func documentBlob(d store.Digest, media string, b []byte) blob {
	return blob{digest: d, size: int64(len(b)), media: media, open: func() (io.ReadCloser, error) {
		return documentReader(b), nil
	}}
}

// blobs returns the layers and the config of the image, each once.
func (img *Image) blobs() []blob {
	var list []blob
	seen := map[store.Digest]bool{}
	for i := range img.Layers {
		l := &img.Layers[i]
		if !seen[l.Digest] {
			seen[l.Digest] = true
			list = append(list, blob{digest: l.Digest, size: l.Size, media: l.MediaType, layer: l, open: l.Open})
		}
	}
	return append(list, documentBlob(img.ConfigDigest, img.configMediaType, img.RawConfig))
}

// content returns the layers and configs of all images, each once.
func (x *Index) content() []blob {
	var list []blob
	seen := map[store.Digest]bool{}
	for _, img := range x.Images {
		for _, b := range img.blobs() {
			if !seen[b.digest] {
				seen[b.digest] = true
				list = append(list, b)
			}
		}
	}
	return list
}

// blobs returns everything that the index leads to and itself, each once.
func (x *Index) blobs() ([]blob, error) {
	if err := x.complete(); err != nil {
		return nil, err
	}
	list := x.content()
	for _, img := range x.Images {
		if img.Digest != x.Digest { // unless it stands for itself
			list = append(list, documentBlob(img.Digest, img.MediaType, img.Manifest))
		}
	}
	return append(list, documentBlob(x.Digest, x.MediaType, x.Manifest)), nil
}

// complete reports an index of which only a part was read: written out, it would
// lead to manifests that are not there.
func (x *Index) complete() error {
	if x.omitted > 0 {
		return fmt.Errorf("cannot write index %s: %d of its manifests were not read", x.Digest, x.omitted)
	}
	return nil
}

func (x *Index) descriptor(refName string) descriptor {
	d := descriptor{MediaType: x.MediaType, Digest: x.Digest, Size: int64(len(x.Manifest))}
	if refName != "" {
		d.Annotations = map[string]string{annotationRefName: refName}
	}
	return d
}
