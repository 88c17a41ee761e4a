package layer

import (
	"archive/tar"
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"path"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/hardpan/hardpan/internal/store"
	"github.com/hardpan/hardpan/internal/tree"
)

// Compression is how a layer is compressed.
type Compression string

// The compressions of layers. Gzip is read by every runtime; zstd is smaller, and
// read by those of the last years.
const (
	Gzip Compression = "gzip"
	Zstd Compression = "zstd"
	// Quick is for layers that are never published, such as those of build stages: zstd
	// at its quickest.
	Quick Compression = "zstd-quick"
)

// The levels are part of every layer's digest. On Debian's packages gzip 2 is as
// quick as 1 and 3 % smaller; 5 takes twice as long for 7 % less. Who wants small
// layers chooses zstd, which is 30 % smaller.
const (
	gzipLevel = 2
	zstdLevel = zstd.SpeedBetterCompression
)

// Format names the bytes that this package writes. It changes when they do, and
// belongs into the key of whatever is cached about a layer. The level is a part, so
// that nobody can change it and forget the format.
const Format = "tar1-gzip" + string(rune('0'+gzipLevel))

// MediaType returns the media type of a layer (OCI image spec, media-types.md).
func (c Compression) MediaType() string {
	if c == Zstd || c == Quick {
		return "application/vnd.oci.image.layer.v1.tar+zstd"
	}
	return "application/vnd.oci.image.layer.v1.tar+gzip"
}

type compressor interface {
	io.WriteCloser
	Reset(io.Writer)
}

// Compressors hold a megabyte and more of tables, which are worth keeping from
// one layer to the next.
var pools = map[Compression]*sync.Pool{Gzip: {}, Zstd: {}, Quick: {}}

func (c Compression) writer() (compressor, error) {
	if pool, ok := pools[c]; ok {
		if w, ok := pool.Get().(compressor); ok {
			return w, nil
		}
	}
	switch c {
	case Gzip:
		return gzip.NewWriterLevel(io.Discard, gzipLevel)
	case Zstd:
		return zstd.NewWriter(io.Discard, zstd.WithEncoderLevel(zstdLevel), zstd.WithEncoderConcurrency(1))
	case Quick:
		return zstd.NewWriter(io.Discard, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	}
	return nil, fmt.Errorf("layer compression %q, expected %q or %q", c, Gzip, Zstd)
}

func (c Compression) reader(r io.Reader) (io.ReadCloser, error) {
	if c == Zstd || c == Quick {
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true))
		if err != nil {
			return nil, err
		}
		return z.IOReadCloser(), nil
	}
	return gzip.NewReader(r)
}

// Info describes a finished layer.
type Info struct {
	Digest      store.Digest `json:"digest"` // of the compressed bytes
	Size        int64        `json:"size"`   // of them
	DiffID      store.Digest `json:"diffID"` // of the tar
	Body        int64        `json:"body"`   // compressed bytes before the end-of-archive mark
	Compression Compression  `json:"compression"`
}

// A Watcher looks at the entries of a layer as they are written or read.
type Watcher interface {
	// Entry is told of each entry before its content, and returns where that goes, too;
	// nil for nowhere.
	Entry(h *tar.Header) (io.Writer, error)
}

// Writer writes one layer into the store.
type Writer struct {
	blob        *store.Writer
	buf         *bufio.Writer
	comp        compressor
	compression Compression
	diff        hash.Hash
	tar         *tar.Writer
	watchers    []Watcher
	piece       []byte // of a file on its way
}

// Watch has x, too, look at the entries that are added from now on.
func (w *Writer) Watch(x Watcher) { w.watchers = append(w.watchers, x) }

// NewWriter begins a layer. The caller must Close it.
func NewWriter(s *store.Store, c Compression) (*Writer, error) {
	if c == "" {
		c = Gzip
	}
	comp, err := c.writer()
	if err != nil {
		return nil, err
	}
	blob, err := s.Create()
	if err != nil {
		return nil, err
	}
	w := &Writer{blob: blob, comp: comp, compression: c, diff: sha256.New()}
	w.buf = bufio.NewWriterSize(blob, 128<<10)
	comp.Reset(w.buf)
	w.tar = tar.NewWriter(bothWriter{w.diff, comp})
	return w, nil
}

// bothWriter is io.MultiWriter for a first writer that never fails.
type bothWriter struct {
	hash hash.Hash
	next io.Writer
}

func (b bothWriter) Write(p []byte) (int, error) {
	b.hash.Write(p)
	return b.next.Write(p)
}

// Add writes the entry of n, whose content, for a file, is read from r.
func (w *Writer) Add(n *tree.Node, r io.Reader) error {
	h := header(n)
	if err := w.tar.WriteHeader(h); err != nil {
		return fmt.Errorf("layer entry %q: %w", n.Path, err)
	}
	to := []io.Writer{w.tar}
	for _, x := range w.watchers {
		watching, err := x.Entry(h)
		if err != nil {
			return fmt.Errorf("layer entry %q: %w", n.Path, err)
		}
		if watching != nil {
			to = append(to, watching)
		}
	}
	if n.Type != tree.File {
		return nil
	}
	if w.piece == nil {
		w.piece = make([]byte, 32<<10)
	}
	// What has a method to copy itself by would be given a buffer for each file.
	copied, err := io.CopyBuffer(struct{ io.Writer }{io.MultiWriter(to...)}, struct{ io.Reader }{r}, w.piece)
	if err != nil {
		return fmt.Errorf("layer entry %q: %w", n.Path, err)
	}
	if copied != n.Size {
		return fmt.Errorf("layer entry %q: %d bytes, expected %d", n.Path, copied, n.Size)
	}
	return nil
}

// capabilityRecord is the PAX record of a file's capability, which every runtime
// reads (OCI image spec, layer.md, File Attributes).
const capabilityRecord = "SCHILY.xattr.security.capability"

// Capability returns the capability of a layer's entry, "" where it has none.
func Capability(h *tar.Header) tree.Capability {
	return tree.Capability(hex.EncodeToString([]byte(h.PAXRecords[capabilityRecord])))
}

func header(n *tree.Node) *tar.Header {
	h := &tar.Header{Name: n.Path, Mode: int64(n.Mode), Uid: int(n.UID), Gid: int(n.GID)}
	h.ModTime = time.Unix(n.ModTime, 0)
	if n.Capability != "" {
		h.PAXRecords = map[string]string{capabilityRecord: string(n.Capability.Bytes())}
	}
	switch n.Type {
	case tree.File:
		h.Typeflag, h.Size = tar.TypeReg, n.Size
	case tree.Dir:
		h.Typeflag, h.Name = tar.TypeDir, n.Path+"/"
	case tree.Symlink:
		h.Typeflag, h.Linkname = tar.TypeSymlink, n.Link
	case tree.Hardlink:
		h.Typeflag, h.Linkname = tar.TypeLink, path.Clean(n.Link)
	}
	return h
}

// Finish ends the layer and puts it into the store.
func (w *Writer) Finish() (Info, error) {
	if err := w.tar.Flush(); err != nil {
		return Info{}, err
	}
	if err := w.endMember(); err != nil {
		return Info{}, err
	}
	return w.end()
}

// end writes the end-of-archive mark as a member of its own and commits.
func (w *Writer) end() (Info, error) {
	body := w.blob.Size()
	w.comp.Reset(w.buf)
	if err := w.tar.Close(); err != nil {
		return Info{}, err
	}
	if err := w.endMember(); err != nil {
		return Info{}, err
	}
	size := w.blob.Size()
	digest, err := w.blob.Commit("")
	if err != nil {
		return Info{}, err
	}
	diff := store.Digest("sha256:" + hex.EncodeToString(w.diff.Sum(nil)))
	return Info{Digest: digest, Size: size, DiffID: diff, Body: body, Compression: w.compression}, nil
}

func (w *Writer) endMember() error {
	if err := w.comp.Close(); err != nil {
		return err
	}
	return w.buf.Flush()
}

// Close discards the layer unless it was finished.
func (w *Writer) Close() error {
	if w.comp != nil {
		w.comp.Reset(io.Discard)
		pools[w.compression].Put(w.comp)
		w.comp = nil
	}
	return w.blob.Close()
}

// Join writes the layer that holds the entries of parts, in that order, by
// copying their compressed bytes. All must have the same compression. Where parts
// are damaged in the store the error wraps [store.ErrCorrupt], and all that are
// have been removed.
func Join(ctx context.Context, s *store.Store, parts []Info) (Info, error) {
	w, err := NewWriter(s, parts[0].Compression)
	if err != nil {
		return Info{}, err
	}
	defer w.Close()
	for _, p := range parts {
		if err := ctx.Err(); err != nil {
			return Info{}, err
		}
		if err := w.join(s, p); err != nil {
			return Info{}, fmt.Errorf("cannot join layer %s: %w", p.Digest, blame(s, parts, p, err))
		}
	}
	if err := w.buf.Flush(); err != nil {
		return Info{}, err
	}
	return w.end()
}

// blame returns err or, where parts are damaged, the reason for it.
func blame(s *store.Store, parts []Info, at Info, err error) error {
	if err = s.Blame(at.Digest, err); errors.Is(err, store.ErrCorrupt) {
		for _, p := range parts {
			s.Verify(p.Digest)
		}
	}
	return err
}

// join copies the body of one layer, and hashes what it holds.
func (w *Writer) join(s *store.Store, p Info) error {
	if p.Compression != w.compression {
		return fmt.Errorf("compression is %s, expected %s", p.Compression, w.compression)
	}
	r, err := s.Open(p.Digest)
	if err != nil {
		return err
	}
	defer r.Close()
	plain, err := w.compression.reader(io.TeeReader(io.LimitReader(r, p.Body), w.buf))
	if err != nil {
		return err
	}
	defer plain.Close()
	if _, err := io.Copy(w.diff, plain); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, r) // to the end, where the digest is compared
	return err
}
