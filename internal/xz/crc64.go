package xz

import (
	"encoding/binary"
	"hash/crc64"
	"math/bits"
	"sync"
)

// crc is the CRC-64 of ECMA-182, as hash/crc64 has it. It goes through two parts of
// what is written at once, since each byte of one waits for the byte before it.
type crc struct{ sum uint64 }

var ecma = crc64.MakeTable(crc64.ECMA)

// lane is the length of such a part, in bytes: a power of two of at least 8.
const lane = 16 << 10

// crcTables are what the eight bytes of a register become: eight bytes later, and a lane
// later where all that comes is zero.
type crcTables struct{ eight, lane [8][256]uint64 }

var crcTable = sync.OnceValue(func() *crcTables {
	t := &crcTables{}
	t.eight[7] = *ecma
	for k := 6; k >= 0; k-- {
		for i, v := range t.eight[k+1] {
			t.eight[k][i] = ecma[byte(v)] ^ v>>8
		}
	}
	// What becomes of each bit of a register, of which the rest is the sum.
	var become [64]uint64
	for i := range become {
		become[i] = look(&t.eight, 1<<i)
	}
	for range bits.TrailingZeros(lane) - 3 {
		var twice [64]uint64
		for i, v := range become {
			twice[i] = sumOf(&become, v)
		}
		become = twice
	}
	for k := range t.lane {
		for i := range t.lane[k] {
			t.lane[k][i] = sumOf(&become, uint64(i)<<(8*k))
		}
	}
	return t
})

func sumOf(become *[64]uint64, register uint64) (sum uint64) {
	for ; register != 0; register &= register - 1 {
		sum ^= become[bits.TrailingZeros64(register)]
	}
	return sum
}

func look(t *[8][256]uint64, v uint64) uint64 {
	return t[0][byte(v)] ^ t[1][byte(v>>8)] ^ t[2][byte(v>>16)] ^ t[3][byte(v>>24)] ^
		t[4][byte(v>>32)] ^ t[5][byte(v>>40)] ^ t[6][byte(v>>48)] ^ t[7][v>>56]
}

// Write never fails.
func (c *crc) Write(p []byte) (int, error) {
	n := len(p)
	if n >= 2*lane {
		t := crcTable()
		for ; len(p) >= 2*lane; p = p[2*lane:] {
			first, second := ^c.sum, uint64(0)
			x, y := p[:lane], p[lane:2*lane]
			for len(x) >= 8 && len(y) >= 8 {
				first = look(&t.eight, first^binary.LittleEndian.Uint64(x))
				second = look(&t.eight, second^binary.LittleEndian.Uint64(y))
				x, y = x[8:], y[8:]
			}
			c.sum = ^(look(&t.lane, first) ^ second)
		}
	}
	c.sum = crc64.Update(c.sum, ecma, p)
	return n, nil
}

func (c *crc) Sum(b []byte) []byte { return binary.BigEndian.AppendUint64(b, c.sum) }
func (c *crc) Reset()              { c.sum = 0 }
func (c *crc) Size() int           { return crc64.Size }
func (c *crc) BlockSize() int      { return 1 }
