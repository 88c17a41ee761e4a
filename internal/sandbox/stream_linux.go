package sandbox

import (
	"encoding/binary"
	"errors"
	"io"
)

// A stream between the caller and a child is a row of chunks: a length of four
// bytes, little endian, and so many bytes. A length of zero ends a part, so that a
// part that was cut off is never taken for a whole one.

const maxChunk = 1 << 20

type partWriter struct{ w io.Writer }

func (p partWriter) Write(b []byte) (n int, err error) {
	for len(b) > 0 {
		c := b[:min(len(b), maxChunk)]
		var head [4]byte
		binary.LittleEndian.PutUint32(head[:], uint32(len(c)))
		if _, err := p.w.Write(head[:]); err != nil {
			return n, err
		}
		m, err := p.w.Write(c)
		n += m
		if err != nil {
			return n, err
		}
		b = b[len(c):]
	}
	return n, nil
}

// end ends the part.
func (p partWriter) end() error {
	_, err := p.w.Write(make([]byte, 4))
	return err
}

// A partReader reads one part. Its end is io.EOF; that of the stream within it is
// io.ErrUnexpectedEOF.
type partReader struct {
	r    io.Reader
	left uint32
	done bool
}

func (p *partReader) Read(b []byte) (int, error) {
	if p.done {
		return 0, io.EOF
	}
	if p.left == 0 {
		var head [4]byte
		if _, err := io.ReadFull(p.r, head[:]); err != nil {
			return 0, cutOff(err)
		}
		if p.left = binary.LittleEndian.Uint32(head[:]); p.left == 0 {
			p.done = true
			return 0, io.EOF
		}
	}
	n, err := p.r.Read(b[:min(len(b), int(p.left))])
	p.left -= uint32(n)
	return n, cutOff(err)
}

func cutOff(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
