package oci

import (
	"archive/tar"
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
)

// WriteArchive writes x as an OCI archive: the image layout, as [WriteLayout] has
// it, in a tar whose bytes depend on x and o alone. The file appears whole or not at
// all.
func WriteArchive(ctx context.Context, file string, x *Index, o LayoutOptions) error {
	err := validateRefName(o.RefName)
	if err == nil {
		err = writeArchive(ctx, file, x, o)
	}
	if err != nil {
		return fmt.Errorf("cannot write OCI archive %s: %w", file, err)
	}
	return nil
}

func writeArchive(ctx context.Context, file string, x *Index, o LayoutOptions) error {
	blobs, err := x.blobs()
	if err != nil {
		return err
	}
	o.Artifacts = lastOfEach(o.Artifacts)
	index, err := layoutIndexOf(x, o)
	if err != nil {
		return err
	}
	for _, a := range o.Artifacts {
		blobs = append(blobs, a.blobs()...)
	}
	slices.SortFunc(blobs, func(a, b blob) int { return cmp.Compare(a.digest, b.digest) })
	blobs = slices.CompactFunc(blobs, func(a, b blob) bool { return a.digest == b.digest })
	return writeTar(file, func(w *tarWriter) {
		w.document(layoutFile, []byte(layoutContent))
		w.document(indexFile, index)
		w.directory("blobs/")
		w.directory(layoutBlobs + "/")
		for _, b := range blobs {
			w.blob(ctx, layoutBlobs+"/"+b.digest.Hex(), b)
		}
	})
}

// DockerArchiveOptions say how a `docker load` archive is written.
type DockerArchiveOptions struct {
	Tags     []string // such as "example/python:3.13"; one without a tag means ":latest"
	Platform Platform // required where the index has more than one
}

// WriteDockerArchive writes one platform's image of x as the archive that `docker
// load` and `podman load` read (Docker image spec v1.2, combined image JSON). Its
// layers stay compressed; the bytes depend on the image and its tags alone. The
// file appears whole or not at all. Where the platform is to be chosen the error
// wraps [ErrPlatform].
func WriteDockerArchive(ctx context.Context, file string, x *Index, o DockerArchiveOptions) error {
	if err := writeDockerArchive(ctx, file, x, o); err != nil {
		return fmt.Errorf("cannot write docker archive %s: %w", file, err)
	}
	return nil
}

// A savedImage is an entry of a docker archive's manifest.json.
type savedImage struct {
	Config   string
	RepoTags []string
	Layers   []string
}

const savedManifest = "manifest.json"

func writeDockerArchive(ctx context.Context, file string, x *Index, o DockerArchiveOptions) error {
	img, err := x.Image(o.Platform)
	if err != nil {
		return err
	}
	saved := savedImage{Config: img.ConfigDigest.Hex() + ".json", RepoTags: []string{}, Layers: []string{}}
	for _, t := range o.Tags {
		tag, err := name.NewTag(t)
		if err != nil {
			return fmt.Errorf("tag %q: %w", t, err)
		}
		if t[max(0, len(t)-len(tag.TagStr())-1):] != ":"+tag.TagStr() {
			t += ":" + tag.TagStr()
		}
		saved.RepoTags = append(saved.RepoTags, t)
	}
	for _, l := range img.Layers {
		saved.Layers = append(saved.Layers, savedLayerName(l))
	}
	manifest, err := encode([]savedImage{saved})
	if err != nil {
		return err
	}
	return writeTar(file, func(w *tarWriter) {
		w.document(savedManifest, manifest)
		w.document(saved.Config, img.RawConfig)
		for _, b := range img.blobs() {
			if b.layer != nil {
				w.blob(ctx, savedLayerName(*b.layer), b)
			}
		}
	})
}

// savedLayerName is the layer's name in a docker archive, which its readers do not
// interpret: they look at the content for its compression.
func savedLayerName(l Layer) string {
	switch l.MediaType {
	case MediaLayerGzip, dockerLayerGzip:
		return l.Digest.Hex() + ".tar.gz"
	case MediaLayerZstd, dockerLayerZstd:
		return l.Digest.Hex() + ".tar.zst"
	}
	return l.Digest.Hex() + ".tar"
}

// writeTar makes the file out of what fill writes into its writer.
func writeTar(file string, fill func(*tarWriter)) error {
	return writeFile(file, func(out io.Writer) error {
		buffered := bufio.NewWriterSize(out, copyBuffer)
		w := &tarWriter{tar: tar.NewWriter(buffered)}
		fill(w)
		if w.err != nil {
			return w.err
		}
		if err := w.tar.Close(); err != nil {
			return err
		}
		return buffered.Flush()
	})
}

// A tarWriter writes entries that have nothing of this machine or time in them,
// and nothing more after the first error.
type tarWriter struct {
	tar *tar.Writer
	err error
}

func (w *tarWriter) header(name string, kind byte, mode, size int64) {
	if w.err == nil {
		w.err = w.tar.WriteHeader(&tar.Header{Typeflag: kind, Name: name, Mode: mode, Size: size, ModTime: time.Unix(0, 0)})
	}
}

func (w *tarWriter) directory(name string) { w.header(name, tar.TypeDir, 0o755, 0) }

func (w *tarWriter) document(name string, b []byte) {
	w.header(name, tar.TypeReg, 0o644, int64(len(b)))
	if w.err == nil {
		_, w.err = w.tar.Write(b)
	}
}

func (w *tarWriter) blob(ctx context.Context, name string, b blob) {
	if w.err == nil {
		w.err = ctx.Err()
	}
	w.header(name, tar.TypeReg, 0o644, b.size)
	if w.err != nil {
		return
	}
	if err := w.copy(b); err != nil {
		w.err = fmt.Errorf("blob %s: %w", b.digest, err)
	}
}

func (w *tarWriter) copy(b blob) error {
	r, err := b.open()
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = io.CopyBuffer(struct{ io.Writer }{w.tar}, struct{ io.Reader }{sized(r, b)}, make([]byte, copyBuffer))
	return err
}
