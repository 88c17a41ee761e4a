package syscalls

import (
	"debug/elf"
	"encoding/binary"
)

// Registers of x86-64, numbered as in instructions (Intel SDM, volume 2, 2.2.1.2).
const (
	rax = iota
	rcx
	rdx
	rbx
	rsp
	rbp
	rsi
	rdi
	r8
	r9
	r10
	r11
)

var amd64 = &machine{
	name: "amd64", audit: "SCMP_ARCH_X86_64", decode: decodeX86, align: 1,
	number: rax, argument: rdi, sp: rsp, pushes: 8,
	scratch: registers(rax, rcx, rdx, rsi, rdi, r8, r9, r10, r11), results: registers(rax, rdx),
	dataOf: map[uint32]relocKind{
		uint32(elf.R_X86_64_64): relocSymbol, uint32(elf.R_X86_64_GLOB_DAT): relocSymbol, uint32(elf.R_X86_64_JMP_SLOT): relocSymbol,
		uint32(elf.R_X86_64_RELATIVE): relocRelative, uint32(elf.R_X86_64_IRELATIVE): relocResolver,
	},
}

// x86 is the state of decoding one instruction.
type x86 struct {
	in   *inst
	code []byte
	at   int
	ok   bool

	rex     byte
	word    bool // operand size prefix, 66
	rep     byte // F2 or F3, or 0
	segment bool // fs or gs
	short   bool // address size prefix, 67

	hasModRM bool
	mod      byte
	regField int // with REX.R
	rm       int // with REX.B; a register where mod is 3

	memory place // of the operand where mod is not 3; kind inNone if it has an index
}

// decodeX86 decodes the instruction that code begins with (Intel SDM, volume 2) and
// reports whether it is one. It knows the length of every instruction of 64-bit
// mode, and which general registers each one writes.
func decodeX86(code []byte, in *inst) bool {
	d := x86{in: in, code: code, ok: true}
	d.prefixes()
	op := d.byte()
	switch {
	case op == 0x0f:
		d.escape()
	case op == 0xc4 || op == 0xc5:
		d.vex(op)
	case op == 0x62:
		d.evex()
	case op == 0x8f && d.peek()&0x1f >= 8:
		d.xop()
	default:
		d.one(op)
	}
	in.size = d.at
	return d.ok && d.at <= 15
}

func (d *x86) peek() byte {
	if d.at < len(d.code) {
		return d.code[d.at]
	}
	return 0
}

func (d *x86) byte() byte {
	if d.at >= len(d.code) {
		d.ok = false
		d.at++
		return 0
	}
	d.at++
	return d.code[d.at-1]
}

// imm reads a number of n bytes, with its sign.
func (d *x86) imm(n int) int64 {
	if d.at+n > len(d.code) {
		d.ok = false
		d.at += n
		return 0
	}
	b := d.code[d.at:]
	d.at += n
	switch n {
	case 1:
		return int64(int8(b[0]))
	case 2:
		return int64(int16(binary.LittleEndian.Uint16(b)))
	case 4:
		return int64(int32(binary.LittleEndian.Uint32(b)))
	}
	return int64(binary.LittleEndian.Uint64(b))
}

// immz reads an immediate of the operand's size, at most 32 bits.
func (d *x86) immz() int64 {
	if d.word && d.rex&8 == 0 {
		return d.imm(2)
	}
	return d.imm(4)
}

func (d *x86) prefixes() {
	for d.at < len(d.code) && d.at < 14 {
		switch b := d.code[d.at]; b {
		case 0x66:
			d.word = true
		case 0xf2, 0xf3:
			d.rep = b
		case 0x64, 0x65:
			d.segment = true
		case 0x67:
			d.short = true
		case 0xf0, 0x2e, 0x36, 0x3e, 0x26:
		default:
			if b&0xf0 == 0x40 {
				d.rex = b
				d.at++
			}
			return
		}
		d.at++
	}
}

// modRM reads the operands. trailing is how many bytes of an immediate follow, which
// an address relative to the instruction's end counts too.
func (d *x86) modRM(trailing int) {
	b := d.byte()
	d.hasModRM = true
	d.mod = b >> 6
	d.regField = int(b>>3&7) | int(d.rex&4)<<1
	d.rm = int(b&7) | int(d.rex&1)<<3
	if d.mod == 3 {
		return
	}
	base, index := d.rm, false
	if b&7 == 4 {
		sib := d.byte()
		base = int(sib&7) | int(d.rex&1)<<3
		index = sib>>3&7 != 4 || d.rex&2 != 0
		if sib&7 == 5 && d.mod == 0 {
			disp := d.imm(4)
			d.memory = d.memoryAt(!index, abs(uint64(disp)))
			return
		}
	} else if b&7 == 5 && d.mod == 0 {
		disp := d.imm(4)
		d.memory = d.memoryAt(true, abs(d.in.pc+uint64(int64(d.at+trailing)+disp)))
		return
	}
	var disp int64
	switch d.mod {
	case 1:
		disp = d.imm(1)
	case 2:
		disp = d.imm(4)
	}
	d.memory = d.memoryAt(!index, mem(base, disp))
}

func (d *x86) memoryAt(known bool, p place) place {
	if !known || d.segment || d.short {
		return place{}
	}
	return p
}

// operand returns the place of the r/m operand, of kind inNone where it is unknown.
func (d *x86) operand() place {
	if d.mod == 3 {
		return reg(d.rm)
	}
	return d.memory
}

// wipeRM says that the r/m operand gets a value that is not known.
func (d *x86) wipeRM() {
	if d.mod == 3 {
		d.in.wipe(d.rm)
	} else if d.memory.kind != inNone {
		d.in.define(def{to: d.memory, unknown: true})
	}
}

// byteReg returns the register that an 8-bit register is a part of.
func (d *x86) byteReg(r int) int {
	if d.rex == 0 && r >= 4 && r < 8 {
		return r - 4 // ah, ch, dh, bh
	}
	return r
}

func (d *x86) wipeByteRM() {
	if d.mod == 3 {
		d.in.wipe(d.byteReg(d.rm))
	} else {
		d.wipeRM()
	}
}

// whole reports whether the operands are the whole register or its lower half,
// writing which clears the upper one.
func (d *x86) whole() bool { return !d.word || d.rex&8 != 0 }

// move says that to gets what from holds.
func (d *x86) move(to, from place) {
	switch {
	case to.kind == inNone:
	case from.kind == inNone || !d.whole():
		d.wipePlace(to)
	default:
		d.in.define(def{to: to, from: from})
	}
}

func (d *x86) wipePlace(p place) {
	switch p.kind {
	case inReg:
		d.in.wipe(int(p.reg))
	case inMem, inAbs:
		d.in.define(def{to: p, unknown: true})
	}
}

// set says that to gets a constant.
func (d *x86) set(to place, value int64) {
	if to.kind == inNone {
		return
	}
	if !d.whole() {
		d.wipePlace(to)
		return
	}
	d.in.define(def{to: to, add: value})
	if v := uint64(value); v > 0xfff && value > 0 {
		d.in.ref = v // it may be an address of a file that is loaded where it says
	}
}

// push and pop move the stack pointer and one word.
func (d *x86) push(from place, value int64, known bool) {
	switch { // what is pushed is as it was before the stack pointer moves
	case from.kind == inMem && from.reg == rsp:
		from.disp += 8
	case from == reg(rsp):
		value = 8
	}
	d.in.define(def{to: reg(rsp), from: reg(rsp), add: -8})
	d.in.define(def{to: mem(rsp, 0), from: from, add: value, unknown: !known})
}

func (d *x86) pop(to place) {
	d.in.define(def{to: to, from: mem(rsp, 0), unknown: to.kind == inNone})
	d.in.define(def{to: reg(rsp), from: reg(rsp), add: 8})
}

func (d *x86) jump(f flow, size int) {
	disp := d.imm(size)
	d.in.flow = f
	d.in.target = d.in.pc + uint64(int64(d.at)+disp)
}
