package xz

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"hash/crc32"
	"io"
)

// source reads the packed bytes and counts them. An end is never expected where it
// reads.
type source struct {
	*bufio.Reader
	n int64
}

func (s *source) readByte() (byte, error) {
	var b [1]byte
	err := s.readFull(b[:])
	return b[0], err
}

func (s *source) readFull(p []byte) error {
	n, err := io.ReadFull(s.Reader, p)
	s.n += int64(n)
	if err == io.EOF && len(p) > 0 {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// tally is the number of blocks of a stream and a hash of their sizes, which its
// index must repeat.
type tally struct {
	n    int64
	hash hash.Hash
}

func (t *tally) reset() { t.n, t.hash = 0, sha256.New() }

func (t *tally) add(packed, plain int64) {
	var sizes [16]byte
	binary.LittleEndian.PutUint64(sizes[:], uint64(packed))
	binary.LittleEndian.PutUint64(sizes[8:], uint64(plain))
	t.hash.Write(sizes[:])
	t.n++
}

func (t *tally) equal(u tally) bool {
	return t.n == u.n && string(t.hash.Sum(nil)) == string(u.hash.Sum(nil))
}

// fields are the fields of the header of a block. After one that is not there or
// not well-formed there are no more.
type fields struct {
	rest []byte
	bad  bool
}

func (f *fields) ok() bool { return !f.bad }

func (f *fields) number() int64 {
	n, size := number(f.rest)
	if size <= 0 {
		f.bad, f.rest = true, nil
		return 0
	}
	f.rest = f.rest[size:]
	return n
}

// sized returns bytes that follow their number.
func (f *fields) sized() []byte {
	n := f.number()
	if n > int64(len(f.rest)) {
		f.bad, f.rest = true, nil
		return nil
	}
	p := f.rest[:n]
	f.rest = f.rest[n:]
	return p
}

// number decodes an integer of at most nine bytes (1.2) in its shortest form, and
// returns its size, 0 for none.
func number(p []byte) (int64, int) {
	var n int64
	for i, b := range p {
		if i == 9 || b == 0 && i > 0 {
			break
		}
		n |= int64(b&0x7f) << (7 * i)
		if b < 0x80 {
			return n, i + 1
		}
	}
	return 0, 0
}

// index reads the rest of the index (4), whose first byte is 0, the footer (2.1.2)
// and what stands before another stream.
func (z *Reader) index() error {
	begin := z.src.n - 1
	sum := crc32.NewIEEE()
	sum.Write([]byte{0})
	n, err := z.summed(sum)
	if err != nil {
		return err
	}
	if n != z.blocks.n {
		return ErrData
	}
	var listed tally
	listed.reset()
	for range n {
		packed, err := z.summed(sum)
		if err != nil {
			return err
		}
		plain, err := z.summed(sum)
		if err != nil {
			return err
		}
		listed.add(packed, plain)
	}
	var tail [3 + 4]byte
	padding := -(z.src.n - begin) & 3
	if err := z.src.readFull(tail[:padding+4]); err != nil {
		return err
	}
	sum.Write(tail[:padding])
	if !listed.equal(z.blocks) || !zero(tail[:padding]) || sum.Sum32() != binary.LittleEndian.Uint32(tail[padding:]) {
		return ErrData
	}
	if err := z.footer(z.src.n - begin); err != nil {
		return err
	}
	return z.streamEnd()
}

// summed reads one number of the index and adds its bytes to sum.
func (z *Reader) summed(sum hash.Hash32) (int64, error) {
	var p [9]byte
	for i := range p {
		b, err := z.src.readByte()
		if err != nil {
			return 0, err
		}
		if p[i] = b; b < 0x80 {
			sum.Write(p[:i+1])
			n, size := number(p[:i+1])
			if size == 0 {
				return 0, ErrData
			}
			return n, nil
		}
	}
	return 0, ErrData
}

// footer reads what repeats the header and the size of the index.
func (z *Reader) footer(index int64) error {
	var foot [headerSize]byte
	if err := z.src.readFull(foot[:]); err != nil {
		return err
	}
	if crc32.ChecksumIEEE(foot[4:10]) != binary.LittleEndian.Uint32(foot[:]) ||
		int64(binary.LittleEndian.Uint32(foot[4:]))*4+4 != index ||
		[2]byte(foot[8:10]) != z.flags || string(foot[10:]) != footerMagic {
		return ErrData
	}
	return nil
}

// streamEnd reads the padding after a stream, of zeros in fours, and begins the next
// stream. It returns io.EOF where there is none.
func (z *Reader) streamEnd() error {
	for {
		four, err := z.src.Peek(4)
		if len(four) == 0 && err == io.EOF {
			return io.EOF
		}
		if err != nil && err != io.EOF {
			return err
		}
		if !zero(four) {
			return z.streamHeader()
		}
		if len(four) < 4 {
			return ErrData
		}
		z.src.Discard(4)
		z.src.n += 4
	}
}
