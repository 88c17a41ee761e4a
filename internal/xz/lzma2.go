package xz

import (
	"encoding/binary"
	"io"
)

// slack is how much longer than the dictionary the ring is at least, so that copying
// eight bytes at a time may run over the end of a match without harm.
const slack = 64

// window is the last bytes that were decoded, those that nobody has read yet among
// them.
type window struct {
	buf  []byte // a ring
	size uint32 // of the dictionary: no match is further back
	pos  uint32 // of the next byte in buf
	full uint32 // bytes since the dictionary was reset, at most len(buf)
}

func (w *window) reset() {
	w.pos, w.full = 0, 0
	w.buf[len(w.buf)-1] = 0 // what is taken for the byte before the first
}

// lzmaDecoder decodes what LZMA made of one chunk after the other.
type lzmaDecoder struct {
	window
	coder
	state   uint32
	rep     [4]uint32 // the last distances; 0 is the last byte
	pending uint32    // bytes of a match that are to come
	lc      uint32    // bits of the previous byte that select the probabilities of a literal
	lp, pb  uint32    // masks of the position that select those of literals, and the others
	model
	in chunk
}

// resetState forgets all but the window and the properties.
func (d *lzmaDecoder) resetState() {
	d.state, d.rep = 0, [4]uint32{}
	d.model.reset()
}

// properties takes the byte that says lc, lp and pb, and reports whether it is one.
func (d *lzmaDecoder) properties(b byte) bool {
	if b > (4*5+4)*9+8 {
		return false
	}
	lc, lp, pb := uint32(b%9), uint32(b/9%5), uint32(b/45)
	if lc+lp > 4 {
		return false
	}
	d.lc, d.lp, d.pb = lc, 1<<lp-1, 1<<pb-1
	return true
}

// start takes the first bytes of a chunk, which begins the range decoder anew.
func (d *lzmaDecoder) start() bool {
	d.coder = coder{rng: 1<<32 - 1, code: binary.BigEndian.Uint32(d.in[1:]), at: 5}
	return d.in[0] == 0
}

// decode decodes until the window is at limit, in the ring.
func (d *lzmaDecoder) decode(limit uint32) error {
	in, m, c := &d.in, &d.model, d.coder
	buf, pos, state := d.buf, d.pos, d.state
	r0, r1, r2, r3 := d.rep[0], d.rep[1], d.rep[2], d.rep[3]
	n := d.pending
	previous := uint32(buf[(pos+uint32(len(buf))-1)%uint32(len(buf))])
	for {
		if n > 0 {
			if r0 >= d.size || r0 >= pos && r0 >= d.full {
				return ErrData
			}
			now := min(n, limit-pos)
			n -= now
			pos = copyMatch(buf, pos, r0, now)
			previous = uint32(buf[pos-1])
		}
		if pos >= limit {
			break
		}
		at := (state<<4 | pos&d.pb) & 0xff
		var zero bool
		if c, zero = c.branch(in, &m.isMatch[at]); zero {
			probs := &m.literal[((pos&d.lp)<<d.lc+previous>>(8-d.lc))&15]
			var b uint32
			if state < litStates {
				c, b = tree(c, in, (*[0x100]uint16)(probs[:]), 0x100)
				state = max(state, 3) - 3
			} else {
				from := pos - r0 - 1
				if r0 >= pos {
					from += uint32(len(buf))
				}
				c, b = c.matchedByte(in, probs, buf[from])
				if state < 10 {
					state -= 3
				} else {
					state -= 6
				}
			}
			buf[pos], previous = byte(b), b
			pos++
			continue
		}
		after := state // what the next state is counted from
		if state = 7; after >= litStates {
			state = 10
		}
		if c, zero = c.branch(in, &m.isRep[after&15]); zero {
			r3, r2, r1 = r2, r1, r0
			c, n = c.length(in, &m.match, pos&d.pb)
			c, r0 = m.distance(c, in, n)
			continue
		}
		if c, zero = c.branch(in, &m.isRep0[after&15]); zero {
			if c, zero = c.branch(in, &m.isRep0Long[at]); zero {
				if state = 9; after >= litStates {
					state = 11
				}
				n = 1
				continue
			}
		} else if c, zero = c.branch(in, &m.isRep1[after&15]); zero {
			r0, r1 = r1, r0
		} else if c, zero = c.branch(in, &m.isRep2[after&15]); zero {
			r0, r1, r2 = r2, r0, r1
		} else {
			r0, r1, r2, r3 = r3, r0, r1, r2
		}
		if state = 8; after >= litStates {
			state = 11
		}
		c, n = c.length(in, &m.rep, pos&d.pb)
	}
	d.coder = c.normal(in)
	d.rep = [4]uint32{r0, r1, r2, r3}
	d.pos, d.state, d.pending = pos, state, n
	d.full = max(d.full, pos)
	return nil
}

// copyMatch copies n bytes that are back+1 bytes before pos, and returns the position
// after them.
func copyMatch(buf []byte, pos, back, n uint32) uint32 {
	from := pos - back - 1
	if back >= pos {
		from += uint32(len(buf))
	}
	end := pos + n
	if top := uint32(len(buf)) - 8; back >= 7 && end <= top && from+n <= top {
		for ; pos < end; pos, from = pos+8, from+8 {
			binary.LittleEndian.PutUint64(buf[pos:], binary.LittleEndian.Uint64(buf[from:]))
		}
		return end
	}
	for ; pos < end; pos++ {
		buf[pos] = buf[from]
		if from++; from == uint32(len(buf)) {
			from = 0
		}
	}
	return end
}

// lzma2Decoder decodes the chunks that a block of xz consists of (xz-file-format.txt,
// 5.3.1; the control bytes are those of xz's lzma2_decoder.c).
type lzma2Decoder struct {
	lzmaDecoder
	src       *source
	compacted bool   // the chunk is LZMA's
	left      uint32 // bytes of the chunk to come
	needDict  bool
	needProps bool
	packed    uint32 // its bytes before
}

// begin begins a block. The ring holds the dictionary, or all of a block that is
// smaller.
func (d *lzma2Decoder) begin(dictionary, ring uint32) {
	d.window.size = dictionary
	if size := int(ring+15)&^15 + slack; len(d.buf) < size {
		d.buf = make([]byte, size)
	}
	d.window.reset()
	d.left, d.pending = 0, 0
	d.needDict, d.needProps = true, true
}

// step is how many bytes are decoded at once: few enough that they are still in
// the processor's cache when they are read.
const step = 64 << 10

// more decodes some bytes and returns them; they are valid until the next call. It
// returns io.EOF after the last.
func (d *lzma2Decoder) more() ([]byte, error) {
	if d.left == 0 {
		if err := d.header(); err != nil {
			return nil, err
		}
	}
	if d.pos == uint32(len(d.buf)) {
		d.pos = 0
	}
	begin := d.pos
	limit := min(begin+min(d.left, step), uint32(len(d.buf)))
	if err := d.fill(limit); err != nil {
		return nil, err
	}
	if d.left -= limit - begin; d.left == 0 && d.compacted && (d.pending > 0 || d.code != 0 || d.at != d.packed) {
		return nil, ErrData
	}
	return d.buf[begin:limit], nil
}

func (d *lzma2Decoder) fill(limit uint32) error {
	if !d.compacted {
		err := d.src.readFull(d.buf[d.pos:limit])
		d.pos, d.full = limit, max(d.full, limit)
		return err
	}
	if err := d.decode(limit); err != nil {
		return err
	}
	if d.at > d.packed {
		return ErrData
	}
	return nil
}

// header reads what stands before a chunk, and the chunk where it is LZMA's.
func (d *lzma2Decoder) header() error {
	control, err := d.src.readByte()
	if err != nil {
		return err
	}
	if control == 0 {
		return io.EOF
	}
	if control >= 0xe0 || control == 1 {
		d.needDict, d.needProps = false, true
		d.window.reset()
	} else if d.needDict {
		return ErrData
	}
	var head [5]byte
	if control < 0x80 {
		if control > 2 {
			return ErrData
		}
		if err := d.src.readFull(head[:2]); err != nil {
			return err
		}
		d.compacted, d.left = false, uint32(binary.BigEndian.Uint16(head[:]))+1
		return nil
	}
	if err := d.src.readFull(head[:4]); err != nil {
		return err
	}
	d.compacted = true
	d.left = uint32(control&0x1f)<<16 + uint32(binary.BigEndian.Uint16(head[:])) + 1
	d.packed = uint32(binary.BigEndian.Uint16(head[2:])) + 1
	return d.prepare(control)
}

// prepare resets what the control byte says and reads the chunk.
func (d *lzma2Decoder) prepare(control byte) error {
	switch {
	case control >= 0xc0:
		properties, err := d.src.readByte()
		if err != nil {
			return err
		}
		if !d.properties(properties) {
			return ErrData
		}
		d.needProps = false
		d.resetState()
	case d.needProps:
		return ErrData
	case control >= 0xa0:
		d.resetState()
	}
	if d.packed < 5 {
		return ErrData
	}
	if err := d.src.readFull(d.in[:d.packed]); err != nil {
		return err
	}
	if !d.start() {
		return ErrData
	}
	return nil
}
