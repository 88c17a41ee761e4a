package oci

import (
	"bytes"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/hardpan/hardpan/internal/store"
)

// V1 returns img as go-containerregistry has images, for libraries that take them.
func (img *Image) V1() (v1.Image, error) { return partial.CompressedToImage(v1Image{img}) }

// V1 returns x as go-containerregistry has indexes, for libraries that take them.
func (x *Index) V1() v1.ImageIndex { return v1Index{x} }

func v1Hash(d store.Digest) v1.Hash { return v1.Hash{Algorithm: "sha256", Hex: d.Hex()} }

type v1Image struct{ img *Image }

func (i v1Image) RawManifest() ([]byte, error)        { return i.img.Manifest, nil }
func (i v1Image) RawConfigFile() ([]byte, error)      { return i.img.RawConfig, nil }
func (i v1Image) MediaType() (types.MediaType, error) { return types.MediaType(i.img.MediaType), nil }

func (i v1Image) LayerByDigest(h v1.Hash) (partial.CompressedLayer, error) {
	for _, b := range i.img.blobs() {
		if string(b.digest) == h.String() {
			return v1Layer{b}, nil
		}
	}
	return nil, fmt.Errorf("image %s has no blob %s", i.img.Digest, h)
}

// v1Layer is a blob as the library has layers. A config counts as one there.
type v1Layer struct{ blob }

func (l v1Layer) Digest() (v1.Hash, error)            { return v1Hash(l.digest), nil }
func (l v1Layer) Size() (int64, error)                { return l.size, nil }
func (l v1Layer) MediaType() (types.MediaType, error) { return types.MediaType(l.media), nil }
func (l v1Layer) Compressed() (io.ReadCloser, error)  { return l.open() }
func (l v1Layer) Uncompressed() (io.ReadCloser, error) {
	if l.layer == nil {
		return l.open()
	}
	return l.layer.Uncompressed()
}

func (l v1Layer) DiffID() (v1.Hash, error) {
	if l.layer == nil {
		return v1Hash(l.digest), nil
	}
	return v1Hash(l.layer.DiffID), nil
}

type v1Index struct{ x *Index }

func (i v1Index) MediaType() (types.MediaType, error) { return types.MediaType(i.x.MediaType), nil }
func (i v1Index) Digest() (v1.Hash, error)            { return v1Hash(i.x.Digest), nil }
func (i v1Index) Size() (int64, error)                { return int64(len(i.x.Manifest)), nil }
func (i v1Index) RawManifest() ([]byte, error)        { return i.x.Manifest, nil }

func (i v1Index) IndexManifest() (*v1.IndexManifest, error) {
	return v1.ParseIndexManifest(bytes.NewReader(i.x.Manifest))
}

func (i v1Index) Image(h v1.Hash) (v1.Image, error) {
	for _, img := range i.x.Images {
		if string(img.Digest) == h.String() {
			return img.V1()
		}
	}
	return nil, fmt.Errorf("index %s has no image %s", i.x.Digest, h)
}

// ImageIndex finds nothing: an index of this package has no index in it.
func (i v1Index) ImageIndex(h v1.Hash) (v1.ImageIndex, error) {
	return nil, fmt.Errorf("index %s has no index %s", i.x.Digest, h)
}
