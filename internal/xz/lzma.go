package xz

import "math/bits"

// The model of LZMA (xz's src/liblzma/lzma/lzma_common.h): 12 states, up to 16
// positions of the alignment that pb selects, 4 previous distances.
const (
	states    = 12
	litStates = 7 // states below have a literal as their last symbol

	topValue = 1 << 24 // below it the range takes in another byte
	probBits = 11
	probInit = 1 << (probBits - 1)
	moveBits = 5
	zeroStep = 1<<32 + 1<<moveBits - 1 - 1<<probBits // makes the one step of a probability the other, see bit

	minMatch = 2
)

// lengths are the probabilities of the length of a match: 2 to 9 by position, 10 to
// 17 by position, 18 to 273.
type lengths struct {
	choice, choice2 uint16
	low, mid        [16][8]uint16
	high            [256]uint16
}

// model is what LZMA has learned of the bytes so far: the probability of a zero, in
// 2048ths, of each bit that it codes.
type model struct {
	isMatch    [16 << 4]uint16 // by state and position, as isRep0Long is
	isRep0Long [16 << 4]uint16
	isRep      [16]uint16 // by state, as the next three are
	isRep0     [16]uint16
	isRep1     [16]uint16
	isRep2     [16]uint16
	distSlot   [4][64]uint16
	distLow    [16][32]uint16 // the lower bits of distances from 4 to 127, by their slot less 4
	distAlign  [16]uint16     // the lowest four bits of greater ones
	match, rep lengths
	literal    [16][0x300]uint16
}

// reset forgets everything.
func (m *model) reset() {
	for _, p := range [][]uint16{
		m.isMatch[:], m.isRep0Long[:], m.isRep[:], m.isRep0[:], m.isRep1[:], m.isRep2[:],
		m.distAlign[:], m.match.high[:], m.rep.high[:],
	} {
		fill(p)
	}
	for i := range m.distSlot {
		fill(m.distSlot[i][:])
	}
	for i := range m.distLow {
		fill(m.distLow[i][:])
	}
	for i := range m.literal {
		fill(m.literal[i][:])
	}
	for _, l := range []*lengths{&m.match, &m.rep} {
		l.choice, l.choice2 = probInit, probInit
		for i := range l.low {
			fill(l.low[i][:])
			fill(l.mid[i][:])
		}
	}
}

func fill(p []uint16) {
	for i := range p {
		p[i] = probInit
	}
}

// chunk is the compressed bytes of one LZMA2 chunk, the largest there is. Its size
// lets an index of 16 bits reach all of it, so that damaged input needs no check
// with every byte: reading on past the end is noticed after the symbol.
type chunk [64 << 10]byte

// coder is the state of the range decoder. It is small and passed by value, so that
// it stays in registers.
type coder struct {
	rng, code uint32
	at        uint32 // of the next byte in the chunk
}

// normal takes in another byte where the range has become small.
func (c coder) normal(in *chunk) coder {
	if c.rng < topValue {
		c.rng, c.code, c.at = c.rng<<8, c.code<<8|uint32(in[uint16(c.at)]), c.at+1
	}
	return c
}

// branch decodes one bit and reports whether it is a zero. It is for bits that the
// processor predicts well.
func (c coder) branch(in *chunk, p *uint16) (coder, bool) {
	c = c.normal(in)
	bound := c.rng >> probBits * uint32(*p)
	if c.code < bound {
		c.rng = bound
		*p += (1<<probBits - *p) >> moveBits
		return c, true
	}
	c.rng, c.code = c.rng-bound, c.code-bound
	*p -= *p >> moveBits
	return c, false
}

// bit decodes one bit of probability *p and branches on nothing that depends on
// the input but the need of another byte: which bit it is can rarely be predicted
// within a literal or a distance, and a wrong guess costs more than all of this.
// The mask is all ones for a zero and none for a one.
func (c coder) bit(in *chunk, p *uint16) (coder, uint32) {
	c = c.normal(in)
	prob := uint32(*p)
	bound := c.rng >> probBits * prob
	rest := int64(c.code) - int64(bound)
	zero := uint32(rest >> 63)
	c.code = uint32(rest) + bound&zero
	c.rng += zero&(2*bound-c.rng) - bound
	*p = uint16(prob - uint32(int32(prob+zero&zeroStep)>>moveBits))
	return c, zero
}

// trees are the arrays of probabilities that there are: their sizes are known to the
// compiler, which then need not check an index.
type trees interface {
	[8]uint16 | [16]uint16 | [32]uint16 | [64]uint16 | [256]uint16
}

// tree decodes a number below size, a power of two of at most len(probs), highest bit
// first. Its probabilities are those of the bits above.
//
// It does what bit does. But what takes time is that each bit waits for the one before
// it, and so the probabilities of both bits that may come next are read meanwhile. Those
// read after the last bit are not used.
func tree[A trees](c coder, in *chunk, probs *A, size uint32) (coder, uint32) {
	rng, code, at := c.rng, c.code, c.at
	mask := uint32(len(*probs)) - 1
	symbol, prob := uint32(1), uint32((*probs)[1])
	for symbol < size {
		if rng < topValue {
			rng, code, at = rng<<8, code<<8|uint32(in[uint16(at)]), at+1
		}
		bound := rng >> probBits * prob
		rest := int64(code) - int64(bound)
		zero := uint32(rest >> 63)
		(*probs)[symbol&mask] = uint16(prob - uint32(int32(prob+zero&zeroStep)>>moveBits))
		symbol <<= 1
		next0, next1 := uint32((*probs)[symbol&mask]), uint32((*probs)[(symbol+1)&mask])
		prob = next1 + zero&(next0-next1)
		symbol += 1 + zero
		code = uint32(rest) + bound&zero
		rng = (rng - bound) + zero&(2*bound-rng)
	}
	return coder{rng, code, at}, symbol - size
}

// reverse decodes a number below size, lowest bit first.
func reverse[A trees](c coder, in *chunk, probs *A, size uint32) (coder, uint32) {
	c, number := tree(c, in, probs, size)
	return c, uint32(bits.Reverse8(uint8(number))) >> bits.LeadingZeros8(uint8(size-1))
}

// direct decodes a number of so many bits that are as likely zero as one.
func (c coder) direct(in *chunk, bits uint32) (coder, uint32) {
	number := uint32(0)
	for range bits {
		c = c.normal(in)
		c.rng >>= 1
		rest := int64(c.code) - int64(c.rng)
		zero := uint32(rest >> 63)
		c.code = uint32(rest) + c.rng&zero
		number = number<<1 + 1 + zero
	}
	return c, number
}

// matchedByte decodes a byte that follows a match: the byte that would have been
// the next of the match says which probabilities are its own, as long as the bits
// agree.
func (c coder) matchedByte(in *chunk, probs *[0x300]uint16, match byte) (coder, uint32) {
	symbol, offset, expected := uint32(1), uint32(0x100), uint32(match)
	for symbol < 0x100 {
		expected <<= 1
		bit := expected & offset
		var zero uint32
		c, zero = c.bit(in, &probs[offset+bit+symbol])
		symbol = symbol<<1 + 1 + zero
		offset &= bit ^ zero
	}
	return c, symbol - 0x100
}

// length decodes the length of a match, in bytes.
func (c coder) length(in *chunk, l *lengths, position uint32) (coder, uint32) {
	c, zero := c.branch(in, &l.choice)
	if zero {
		c, n := tree(c, in, &l.low[position&15], 8)
		return c, minMatch + n
	}
	if c, zero = c.branch(in, &l.choice2); zero {
		c, n := tree(c, in, &l.mid[position&15], 8)
		return c, minMatch + 8 + n
	}
	c, n := tree(c, in, &l.high, 256)
	return c, minMatch + 16 + n
}

// distance decodes how far back a match of n bytes is; 0 is the last byte.
func (m *model) distance(c coder, in *chunk, n uint32) (coder, uint32) {
	c, slot := tree(c, in, &m.distSlot[min(n-minMatch, 3)], 64)
	if slot < 4 {
		return c, slot
	}
	width := slot>>1 - 1
	high := (2 | slot&1) << width
	if slot < 14 {
		c, low := reverse(c, in, &m.distLow[(slot-4)&15], 1<<width)
		return c, high + low
	}
	c, middle := c.direct(in, width-4)
	c, low := reverse(c, in, &m.distAlign, 16)
	return c, high + middle<<4 + low
}
