package deb

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

const (
	arMagic      = "!<arch>\n"
	arHeaderSize = 60
)

// arReader reads the members of an ar archive in the common format of deb(5):
// names of at most 15 characters, a trailing slash allowed.
type arReader struct {
	r    *bufio.Reader
	left int64 // bytes of the current member not read yet
	pad  int64 // 1 where a padding byte follows it
}

func newArReader(r *bufio.Reader) (*arReader, error) {
	magic := make([]byte, len(arMagic))
	if _, err := io.ReadFull(r, magic); err != nil {
		return nil, truncated(err, "archive header")
	}
	if string(magic) != arMagic {
		return nil, fmt.Errorf("not a .deb: begins with %q, expected %q", magic, arMagic)
	}
	return &arReader{r: r}, nil
}

// next goes to the next member and returns its name, or io.EOF.
func (a *arReader) next() (string, error) {
	if _, err := io.CopyN(io.Discard, a.r, a.left+a.pad); err != nil {
		return "", truncated(err, "member")
	}
	a.left, a.pad = 0, 0
	var h [arHeaderSize]byte
	if _, err := io.ReadFull(a.r, h[:]); err != nil {
		if err == io.EOF {
			return "", io.EOF
		}
		return "", truncated(err, "member header")
	}
	if h[58] != '`' || h[59] != '\n' {
		return "", fmt.Errorf("bad ar member header: ends with %q, expected \"`\\n\"", h[58:])
	}
	size, err := strconv.ParseInt(strings.TrimRight(string(h[48:58]), " "), 10, 64)
	if err != nil || size < 0 {
		return "", fmt.Errorf("bad ar member header: size %q is not a number of bytes", h[48:58])
	}
	a.left, a.pad = size, size%2
	return strings.TrimSuffix(strings.TrimRight(string(h[:16]), " "), "/"), nil
}

func (a *arReader) Read(p []byte) (int, error) {
	if a.left == 0 {
		return 0, io.EOF
	}
	n, err := a.r.Read(p[:min(int64(len(p)), a.left)])
	a.left -= int64(n)
	if err == io.EOF && a.left > 0 {
		err = truncated(err, "member")
	}
	return n, err
}

// ErrTruncated is wrapped by the error of a package that ends too early.
var ErrTruncated = errors.New("truncated .deb")

func truncated(err error, in string) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return fmt.Errorf("%w: it ends within its %s", ErrTruncated, in)
	}
	return err
}
