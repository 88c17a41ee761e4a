package archive

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/hardpan/hardpan/internal/store"
	"github.com/hardpan/hardpan/internal/xz"
)

// maxText bounds the text of an index whose size the Release does not list, in
// bytes.
const maxText = 1 << 30

// kindText is the kind of the store's entries that tell the text of an index, by the
// digest of the index as fetched. Decoding xz takes ten times as long as the same text as
// zstd; plain text takes nothing, but four times the disk.
const kindText = "packages"

// textEntry says where the text of an index is.
type textEntry struct {
	Blob   store.Digest `json:"blob"` // the text, compressed with zstd
	Size   int64        `json:"size"` // of the text, in bytes
	Digest store.Digest `json:"digest"`
}

// Index returns the text of a Packages index of a Release, fetched where the store
// does not have it. Size and digest are checked of the file as fetched and, where
// the Release lists them, of the text: then the last Read returns an error in place
// of io.EOF, and what was read before must not be used. Errors: [ErrMismatch],
// [ErrNotFound], [ErrForbidden], [ErrUnreachable]. progress may be nil.
func (c *Client) Index(ctx context.Context, r *Release, ix Index, progress Progress) (io.ReadCloser, error) {
	if text, err := c.cachedText(ix); err == nil {
		return text, nil
	}
	err := c.fetchText(ctx, r, ix, progress)
	if errors.Is(err, store.ErrCorrupt) || errors.Is(err, fs.ErrNotExist) {
		// The file was damaged in the cache, or another process has just unpacked and
		// removed it. Both heal by looking again.
		if text, err := c.cachedText(ix); err == nil {
			return text, nil
		}
		err = c.fetchText(ctx, r, ix, progress)
	}
	if err != nil {
		return nil, err
	}
	return c.cachedText(ix)
}

func (c *Client) fetchText(ctx context.Context, r *Release, ix Index, progress Progress) error {
	if err := c.fetchIndex(ctx, r, ix, progress); err != nil {
		return err
	}
	err := c.unpack(r, ix)
	if err == nil {
		c.o.Store.Remove(ix.Digest) // the text takes its place
	}
	return err
}

// fetchIndex brings the index as listed into the store, from its by-hash name where
// the archive has those: that one stays right while a mirror updates.
func (c *Client) fetchIndex(ctx context.Context, r *Release, ix Index, progress Progress) error {
	if progress == nil {
		progress = noProgress{}
	}
	dir := "dists/" + r.repository.Suite
	names := []string{path.Join(dir, ix.Name)}
	if r.byHash {
		names = []string{path.Join(dir, path.Dir(ix.Name), "by-hash/SHA256", ix.Digest.Hex()), names[0]}
	}
	var err error
	for _, name := range names {
		var b blob
		b, err = c.blob(Item{Repository: r.repository, Path: name, Size: ix.Size, Digest: ix.Digest})
		if err != nil {
			return err
		}
		if c.present(b) {
			return nil
		}
		b.name = fmt.Sprintf("%s %s/%s", r.ID, ix.Component, ix.Architecture)
		if err = c.download(ctx, b, progress); !errors.Is(err, ErrNotFound) {
			return err
		}
	}
	return err
}

// unpack turns the index in the store into its text, recompressed for fast reading.
func (c *Client) unpack(r *Release, ix Index) error {
	packed, err := c.o.Store.Open(ix.Digest)
	if err != nil {
		return err
	}
	defer packed.Close()
	fail := func(err error) error { return fmt.Errorf("cannot unpack %s of %s: %w", ix.Name, r.ID, err) }
	text, err := decompress(packed, ix.Name)
	if err != nil {
		return fail(err)
	}
	out, err := c.o.Store.Create()
	if err != nil {
		return err
	}
	defer out.Close()
	enc, err := zstd.NewWriter(out, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return fail(err)
	}
	defer enc.Close()
	check := newTextReader(text, ix)
	if _, err := io.Copy(enc, check); err != nil {
		return fail(err)
	}
	// To the end of the file, where the store checks its digest.
	if _, err := io.Copy(io.Discard, packed); err != nil {
		return fail(err)
	}
	if err := enc.Close(); err != nil {
		return fail(err)
	}
	digest, err := out.Commit("")
	if err != nil {
		return fail(err)
	}
	return c.o.Store.Set(kindText, string(ix.Digest), textEntry{digest, check.size, check.digest()})
}

func decompress(r io.Reader, name string) (io.Reader, error) {
	switch {
	case strings.HasSuffix(name, ".xz"):
		return xz.NewReader(r)
	case strings.HasSuffix(name, ".gz"):
		return gzip.NewReader(r)
	}
	return r, nil
}

// cachedText opens the text of an index in the store. A damaged one is removed and
// reported as absent.
func (c *Client) cachedText(ix Index) (io.ReadCloser, error) {
	var e textEntry
	if !c.o.Store.Get(kindText, string(ix.Digest), &e) {
		return nil, fs.ErrNotExist
	}
	// Read whole: the store vouches for the bytes before the decoder sees them.
	b, err := c.o.Store.ReadFile(e.Blob)
	if err != nil {
		return nil, err
	}
	dec, err := zstd.NewReader(bytes.NewReader(b), zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	if ix.TextDigest == "" {
		ix.TextSize, ix.TextDigest = e.Size, e.Digest
	}
	return &cachedReader{newTextReader(dec, ix), dec, func() { c.o.Store.Remove(e.Blob) }}, nil
}

// cachedReader removes a text from the store that proves to be wrong.
type cachedReader struct {
	*textReader
	dec    *zstd.Decoder
	remove func()
}

func (r *cachedReader) Read(p []byte) (int, error) {
	n, err := r.textReader.Read(p)
	if err != nil && err != io.EOF {
		r.remove()
	}
	return n, err
}

func (r *cachedReader) Close() error {
	r.dec.Close()
	return nil
}

// textReader checks the size and digest of a text as it is read, and stops at the
// byte that is too many: a decompression bomb does not get further.
type textReader struct {
	r    io.Reader
	want Index
	hash hash.Hash
	size int64
}

func newTextReader(r io.Reader, want Index) *textReader {
	return &textReader{r: r, want: want, hash: sha256.New()}
}

func (t *textReader) digest() store.Digest {
	return store.Digest(fmt.Sprintf("sha256:%x", t.hash.Sum(nil)))
}

func (t *textReader) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	t.hash.Write(p[:n])
	t.size += int64(n)
	limit := t.want.TextSize
	if limit < 0 {
		limit = maxText
	}
	switch {
	case t.size > limit:
		return 0, t.mismatch("more than %d bytes", limit)
	case err != io.EOF || t.want.TextDigest == "":
		return n, err
	case t.size != limit:
		return 0, t.mismatch("%d bytes", t.size)
	case t.digest() != t.want.TextDigest:
		return 0, &failure{kind: ErrMismatch, msg: fmt.Sprintf("text of %s: found sha256 %s, expected %s", t.want.Name, t.digest().Hex(), t.want.TextDigest.Hex())}
	}
	return n, io.EOF
}

func (t *textReader) mismatch(format string, found int64) error {
	limit := t.want.TextSize
	if limit < 0 {
		limit = maxText
	}
	return &failure{kind: ErrMismatch, msg: fmt.Sprintf("text of %s: found "+format+", expected %d", t.want.Name, found, limit)}
}
