package xz

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"

	library "github.com/therootcompany/xz"
)

// Errors that the errors of a Reader wrap. One that ends too early is
// io.ErrUnexpectedEOF.
var (
	ErrFormat      = errors.New("not in the format xz")
	ErrData        = errors.New("damaged")
	ErrUnsupported = errors.New("not supported")
)

// MaxDictionary is the size of the largest dictionary that is allowed, in bytes: that
// of xz -9, the most that dpkg-deb asks for.
const MaxDictionary = 64 << 20

const (
	headerMagic = "\xfd7zXZ\x00"
	footerMagic = "YZ"
	headerSize  = 12 // of a stream, and of its footer
	filterLZMA2 = 0x21
)

// Reader reads what streams of xz hold, one after the other. It is not for use by
// several goroutines.
type Reader struct {
	src     source
	lzma2   lzma2Decoder
	flags   [2]byte // of the stream
	check   hash.Hash
	block   block
	blocks  tally
	inBlock bool
	began   bool      // a block has begun, in this stream or one before
	ready   []byte    // decoded and not yet read
	other   io.Reader // decodes all, where it is none of what this package decodes
	err     error
}

// block is what the header of a block states and what came of it, in bytes.
type block struct {
	begin         int64 // in the source
	header        int64
	packed, plain int64 // as stated; -1 for not
	sofar         int64 // decoded
}

// NewReader returns a Reader that reads from r, which it may read further than xz
// goes. It fails with ErrFormat where r does not begin as xz.
func NewReader(r io.Reader) (*Reader, error) {
	z := new(Reader)
	return z, z.Reset(r)
}

// Reset makes z begin anew with r, as NewReader does. It keeps the memory of the
// dictionary.
func (z *Reader) Reset(r io.Reader) error {
	if z.src.Reader == nil {
		z.src.Reader = bufio.NewReaderSize(r, 64<<10)
		z.lzma2.src = &z.src
	} else {
		z.src.Reader.Reset(r)
	}
	z.src.n = 0
	z.inBlock, z.began, z.ready, z.other = false, false, nil, nil
	z.err = z.streamHeader()
	return z.err
}

func (z *Reader) Read(p []byte) (int, error) {
	for len(z.ready) == 0 && len(p) > 0 {
		if z.other != nil {
			return z.other.Read(p)
		}
		if z.err != nil {
			return 0, z.err
		}
		z.err = z.next()
	}
	n := copy(p, z.ready)
	z.ready = z.ready[n:]
	return n, nil
}

// next goes one step on: some bytes of a block, or what stands before the next.
func (z *Reader) next() error {
	if !z.inBlock {
		size, err := z.src.readByte()
		if err != nil {
			return err
		}
		if size == 0 {
			return z.index()
		}
		return z.blockHeader(size)
	}
	out, err := z.lzma2.more()
	if err == io.EOF {
		z.inBlock = false
		return z.blockEnd()
	}
	if err != nil {
		return err
	}
	if z.check != nil {
		z.check.Write(out)
	}
	if z.block.sofar += int64(len(out)); z.block.plain >= 0 && z.block.sofar > z.block.plain {
		return ErrData
	}
	z.ready = out
	return nil
}

// streamHeader reads the first 12 bytes of a stream (2.1.1).
func (z *Reader) streamHeader() error {
	var head [headerSize]byte
	if err := z.src.readFull(head[:]); err != nil {
		if z.began {
			return err
		}
		return fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if string(head[:6]) != headerMagic {
		return ErrFormat
	}
	if crc32.ChecksumIEEE(head[6:8]) != binary.LittleEndian.Uint32(head[8:]) {
		return ErrData
	}
	z.flags = [2]byte(head[6:8])
	z.blocks.reset()
	switch id := z.flags[1]; {
	case z.flags[0] != 0 || id > 15:
		return fmt.Errorf("%w: stream flags %#x", ErrUnsupported, z.flags)
	case id == 0:
		z.check = nil
	case id == 1:
		z.check = crc32.NewIEEE()
	case id == 4:
		z.check = &crc{}
	case id == 10:
		z.check = sha256.New()
	default:
		return fmt.Errorf("%w: check %d", ErrUnsupported, id)
	}
	return nil
}

// blockHeader reads the rest of the header of a block (3.1), whose first byte is
// that of its size.
func (z *Reader) blockHeader(size byte) error {
	z.block = block{begin: z.src.n - 1, header: (int64(size) + 1) * 4}
	head := make([]byte, z.block.header)
	head[0] = size
	if err := z.src.readFull(head[1:]); err != nil {
		return err
	}
	text, sum := head[:len(head)-4], head[len(head)-4:]
	if crc32.ChecksumIEEE(text) != binary.LittleEndian.Uint32(sum) {
		return ErrData
	}
	f := fields{rest: text[2:]}
	z.block.packed, z.block.plain = -1, -1
	if text[1]&0x40 != 0 {
		z.block.packed = f.number()
	}
	if text[1]&0x80 != 0 {
		z.block.plain = f.number()
	}
	id, properties := f.number(), f.sized()
	if !f.ok() {
		return ErrData
	}
	if text[1]&0x3f != 0 || id != filterLZMA2 {
		return z.delegate(head)
	}
	if len(properties) != 1 || properties[0] > 40 || len(bytes.Trim(f.rest, "\x00")) > 0 {
		return ErrData
	}
	return z.beginBlock(properties[0])
}

func (z *Reader) beginBlock(property byte) error {
	dictionary := int64(2|property&1) << (property>>1 + 11)
	if dictionary > MaxDictionary {
		return fmt.Errorf("%w: a dictionary of %d bytes, the limit is %d", ErrUnsupported, dictionary, MaxDictionary)
	}
	ring := dictionary
	if z.block.plain >= 0 {
		ring = min(ring, z.block.plain)
	}
	z.lzma2.begin(uint32(dictionary), uint32(ring))
	if z.check != nil {
		z.check.Reset()
	}
	z.inBlock, z.began = true, true
	return nil
}

// delegate leaves a stream with other filters than LZMA2, such as those for
// programs, which no Debian package has, to the library.
func (z *Reader) delegate(head []byte) error {
	if z.began || z.blocks.n > 0 {
		return fmt.Errorf("%w: other filters in a later block", ErrUnsupported)
	}
	var first [headerSize]byte
	copy(first[:], headerMagic)
	copy(first[6:], z.flags[:])
	binary.LittleEndian.PutUint32(first[8:], crc32.ChecksumIEEE(z.flags[:]))
	var err error
	z.other, err = library.NewReader(io.MultiReader(bytes.NewReader(first[:]), bytes.NewReader(head), z.src.Reader), MaxDictionary)
	return err
}

// blockEnd reads the padding and the check of a block (3.3, 3.4).
func (z *Reader) blockEnd() error {
	b := &z.block
	packed := z.src.n - b.begin - b.header
	if b.packed >= 0 && b.packed != packed || b.plain >= 0 && b.plain != b.sofar {
		return ErrData
	}
	var tail [3 + 64]byte
	padding, size := int(-(b.header+packed)&3), 0
	if z.check != nil {
		size = z.check.Size()
	}
	if err := z.src.readFull(tail[:padding+size]); err != nil {
		return err
	}
	if !zero(tail[:padding]) {
		return ErrData
	}
	if z.check != nil && !bytes.Equal(z.sum(), tail[padding:padding+size]) {
		return fmt.Errorf("%w: its checksum differs", ErrData)
	}
	z.blocks.add(b.header+packed+int64(size), b.sofar)
	return nil
}

// sum returns the check of the block as xz writes it: CRCs have their lowest byte
// first.
func (z *Reader) sum() []byte {
	sum := z.check.Sum(nil)
	if len(sum) <= 8 {
		for i, j := 0, len(sum)-1; i < j; i, j = i+1, j-1 {
			sum[i], sum[j] = sum[j], sum[i]
		}
	}
	return sum
}

func zero(p []byte) bool {
	for _, b := range p {
		if b != 0 {
			return false
		}
	}
	return true
}
