package oci

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/hardpan/hardpan/internal/store"
)

// Media types of layers (OCI image spec, layer.md).
const (
	MediaLayer     = "application/vnd.oci.image.layer.v1.tar"
	MediaLayerGzip = "application/vnd.oci.image.layer.v1.tar+gzip"
	MediaLayerZstd = "application/vnd.oci.image.layer.v1.tar+zstd"
)

// maxZstdWindow bounds the memory that a zstd layer may ask of its reader. zstd(1)
// uses 8 MiB up to level 19.
const maxZstdWindow = 64 << 20

// Layer is one layer of an image.
type Layer struct {
	Digest    store.Digest // of the blob, as compressed
	DiffID    store.Digest // of the tar inside
	Size      int64        // of the blob, in bytes
	MediaType string       // such as [MediaLayerGzip]
	CreatedBy string       // history: what made it
	Comment   string       // history

	// Open opens the blob. Its reads are verified: the last Read returns an error
	// instead of io.EOF where the content is not that of Digest, as
	// [store.Store.Open] does it.
	Open func() (io.ReadCloser, error)
}

// Uncompressed opens the tar of the layer. Reads are verified against DiffID and,
// beneath, against Digest; an error wraps [ErrMismatch] or, from the cache,
// [store.ErrCorrupt], or [ErrInvalid] where a blob with its digest cannot be
// decompressed.
func (l Layer) Uncompressed() (io.ReadCloser, error) {
	opened, err := l.Open()
	if err != nil {
		return nil, err
	}
	blob := &compressedReader{ReadCloser: opened}
	r := &uncompressedReader{layer: l, blob: blob, hash: sha256.New()}
	switch l.MediaType {
	case MediaLayer, dockerLayer:
		r.tar = blob
	case MediaLayerGzip, dockerLayerGzip:
		r.tar, err = gzip.NewReader(blob) // reads all members, as layer.md allows
	case MediaLayerZstd, dockerLayerZstd:
		var d *zstd.Decoder
		if d, err = zstd.NewReader(blob, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxZstdWindow)); err == nil {
			r.tar, r.release = d, d.Close
		}
	default:
		err = fmt.Errorf("%w: media type %.80q of a layer", ErrInvalid, l.MediaType)
	}
	if err != nil {
		err = blob.explain(err)
		blob.Close()
		return nil, fmt.Errorf("cannot read layer %s: %w", l.Digest, err)
	}
	return r, nil
}

type uncompressedReader struct {
	layer   Layer
	blob    *compressedReader
	tar     io.Reader
	hash    hash.Hash
	release func()
}

func (r *uncompressedReader) Read(p []byte) (int, error) {
	n, err := r.tar.Read(p)
	r.hash.Write(p[:n])
	if err == nil {
		return n, nil
	}
	if err == io.EOF {
		err = r.finish()
	} else {
		err = r.blob.explain(err)
	}
	if err != io.EOF {
		err = fmt.Errorf("cannot read layer %s: %w", r.layer.Digest, err)
	}
	return n, err
}

// compressedReader is the blob that a decompressor reads, with what reading it led to.
type compressedReader struct {
	io.ReadCloser
	err error
}

func (r *compressedReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	r.err = err
	return n, err
}

// explain returns why decompressing ended with err: the blob could not be read, it is
// another than its digest says, or, if neither, it was never valid.
func (r *compressedReader) explain(err error) error {
	if r.err == nil {
		_, r.err = io.Copy(io.Discard, r.ReadCloser)
	}
	if r.err != nil && r.err != io.EOF {
		return r.err
	}
	if errors.Is(err, ErrInvalid) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrInvalid, err)
}

// finish checks, at the end of the tar, the diff ID and what the decompressor may
// have left unread of the blob. It returns io.EOF where all is well.
func (r *uncompressedReader) finish() error {
	if _, err := io.Copy(io.Discard, r.blob); err != nil {
		return err
	}
	if got := digestOf(r.hash); got != r.layer.DiffID {
		return fmt.Errorf("%w: its tar has digest %s, the config's diff ID is %s", ErrMismatch, got, r.layer.DiffID)
	}
	return io.EOF
}

func (r *uncompressedReader) Close() error {
	if r.release != nil {
		r.release()
	}
	return r.blob.Close()
}

func digestOf(h hash.Hash) store.Digest {
	return store.Digest("sha256:" + hex.EncodeToString(h.Sum(nil)))
}

// verify wraps the reader of a blob so that its last Read returns an error that
// wraps [ErrMismatch] instead of io.EOF where digest or size differ.
func verify(r io.ReadCloser, want store.Digest, size int64) io.ReadCloser {
	return &verifiedReader{ReadCloser: r, want: want, size: size, hash: sha256.New()}
}

type verifiedReader struct {
	io.ReadCloser
	want store.Digest
	size int64
	n    int64
	hash hash.Hash
}

func (r *verifiedReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	r.hash.Write(p[:n])
	r.n += int64(n)
	switch {
	case r.n > r.size:
		return n, fmt.Errorf("%w: blob %s has more than the %d bytes stated", ErrMismatch, r.want, r.size)
	case errors.Is(err, io.EOF) && r.n < r.size:
		return n, fmt.Errorf("%w: blob %s has %d bytes, stated are %d", ErrMismatch, r.want, r.n, r.size)
	case err == io.EOF:
		if got := digestOf(r.hash); got != r.want {
			return n, fmt.Errorf("%w: blob %s has digest %s", ErrMismatch, r.want, got)
		}
	case err != nil:
		err = fmt.Errorf("blob %s: %w", r.want, err)
	}
	return n, err
}
