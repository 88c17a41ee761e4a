package oci

import (
	"context"
	"fmt"
	"io"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/hardpan/hardpan/internal/store"
)

// ImportOptions say how an image is brought into a store. The zero value is useful.
type ImportOptions struct {
	Jobs int // layers that are fetched at a time; 0 is 4
	// Start, unless nil, is told of each layer that is fetched, by the name to show and
	// its size in bytes, and returns what is to be told of each n bytes more and, once,
	// of the end. It is called from several goroutines.
	Start func(name string, size int64) (add func(n int64), done func(error))
}

// Import brings the image for p into st, or where p is zero the only one: manifest,
// config and layers, each verified by digest and size. A layer that st has is not
// fetched again, nor is one twice by two processes at a time. The layers of the image
// that it returns are read from st.
//
// Layers are those of OCI or of Docker's schema 2, as a tar, with gzip or with zstd;
// others, such as encrypted ones, are refused with an error that wraps [ErrInvalid].
// An error about a platform wraps [ErrPlatform]; one about content names the digest
// that it should have.
func Import(ctx context.Context, st *store.Store, s *Source, p Platform, o ImportOptions) (*Image, error) {
	img, err := s.Image(p)
	if err != nil {
		return nil, fmt.Errorf("cannot import: %w", err)
	}
	if err := importLayers(ctx, st, img, o); err != nil {
		return nil, fmt.Errorf("cannot import image %s: %w", img.Digest, err)
	}
	if err := keep(st, img.RawConfig, img.Manifest); err != nil {
		return nil, fmt.Errorf("cannot import image %s: %w", img.Digest, err)
	}
	return stored(st, img), nil
}

func importLayers(ctx context.Context, st *store.Store, img *Image, o ImportOptions) error {
	known := []string{MediaLayer, MediaLayerGzip, MediaLayerZstd, dockerLayer, dockerLayerGzip, dockerLayerZstd}
	for _, l := range img.Layers {
		if !slices.Contains(known, l.MediaType) {
			return fmt.Errorf("%w: layer %s has the media type %.80q, expected a tar that is plain or compressed with gzip or zstd", ErrInvalid, l.Digest, l.MediaType)
		}
	}
	if o.Jobs <= 0 {
		o.Jobs = 4
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(o.Jobs)
	for _, b := range img.blobs() {
		if b.layer != nil {
			group.Go(func() error { return importLayer(ctx, st, b, o) })
		}
	}
	return group.Wait()
}

// importLayer fetches one layer, unless st has it or gets it from another process
// while this one waits.
func importLayer(ctx context.Context, st *store.Store, b blob, o ImportOptions) (err error) {
	if has(st, b) {
		return nil
	}
	in, err := st.OpenPartial(ctx, b.digest)
	if err != nil {
		return err
	}
	defer in.Close()
	if has(st, b) {
		return in.Discard()
	}
	// What an interrupted run left cannot be continued: a source is read from the start.
	if err := in.Restart(); err != nil {
		return err
	}
	to := io.Writer(in)
	if o.Start != nil {
		add, done := o.Start("layer "+b.digest.Hex()[:12], b.size)
		to = io.MultiWriter(in, countingWriter(add))
		defer func() { done(err) }()
	}
	r, err := b.open()
	if err != nil {
		return err
	}
	defer r.Close()
	if _, err := io.CopyBuffer(to, struct{ io.Reader }{&contextReader{ctx, r}}, make([]byte, copyBuffer)); err != nil {
		return fmt.Errorf("cannot fetch layer %s: %w", b.digest, err)
	}
	return in.Commit()
}

func has(st *store.Store, b blob) bool {
	size, ok := st.Stat(b.digest)
	return ok && size == b.size
}

// countingWriter is told how many bytes are written.
type countingWriter func(n int64)

func (w countingWriter) Write(p []byte) (int, error) {
	w(int64(len(p)))
	return len(p), nil
}

// contextReader ends with its context.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c *contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// stored returns img with layers that are read from st, which verifies them.
func stored(st *store.Store, img *Image) *Image {
	in := *img
	in.Layers = slices.Clone(img.Layers)
	for i := range in.Layers {
		d := in.Layers[i].Digest
		in.Layers[i].Open = func() (io.ReadCloser, error) { return st.Open(d) }
	}
	return &in
}

// OpenStoredImage opens the image with that manifest which [Import] or a build left in
// st, as [OpenStored] does an index, with the same errors.
func OpenStoredImage(ctx context.Context, st *store.Store, manifest store.Digest) (*Image, error) {
	r, err := openStored(ctx, st, manifest)
	if err != nil {
		return nil, fmt.Errorf("cannot open stored image %s: %w", manifest, err)
	}
	if r.index != nil {
		return nil, fmt.Errorf("cannot open stored image %s: %w: it is an index", manifest, ErrInvalid)
	}
	return stored(st, r.images[0]), nil
}
