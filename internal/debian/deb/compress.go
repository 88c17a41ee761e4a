package deb

import (
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/hardpan/hardpan/internal/xz"
)

// maxWindow bounds the window of a zstd stream, in bytes, as [xz.MaxDictionary] does
// the dictionary of an xz stream.
const maxWindow = xz.MaxDictionary

// Decoders are what one Reader after the other decompresses with. That of xz holds a
// dictionary of some 8 MiB, which is worth keeping from one package to the next. The zero
// value is ready.
type Decoders struct{ xz xz.Reader }

// decompress returns the plain bytes of a member whose name ends in suffix, and
// what frees the decoder.
func (d *Decoders) decompress(r io.Reader, suffix string) (io.Reader, func(), error) {
	switch suffix {
	case "":
		return r, func() {}, nil
	case ".gz":
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, nil, fmt.Errorf("gzip: %w", err)
		}
		return z, func() {}, nil
	case ".xz":
		if err := d.xz.Reset(r); err != nil {
			return nil, nil, fmt.Errorf("xz: %w", err)
		}
		return &d.xz, func() {}, nil
	case ".zst":
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderLowmem(true))
		if err != nil {
			return nil, nil, fmt.Errorf("zstd: %w", err)
		}
		return z, z.Close, nil
	}
	return nil, nil, fmt.Errorf("compression %q, expected .xz, .zst, .gz or none", suffix)
}

// ErrTooLarge is wrapped by the error of a package that unpacks to more than its
// limit allows: a decompression bomb, or a package that needs a higher limit.
var ErrTooLarge = errors.New("unpacks to more than the limit")

// limitReader fails with ErrTooLarge after limit bytes.
type limitReader struct {
	r     io.Reader
	limit int64
	left  int64
	what  string
}

func newLimitReader(r io.Reader, limit int64, what string) *limitReader {
	return &limitReader{r: r, limit: limit, left: limit, what: what}
}

func (l *limitReader) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	if l.left -= int64(n); l.left < 0 {
		return 0, tooLarge(l.what, l.limit)
	}
	return n, err
}

func tooLarge(what string, limit int64) error {
	return fmt.Errorf("%s %w of %d bytes", what, ErrTooLarge, limit)
}
