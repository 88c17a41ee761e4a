package syscalls

import (
	"debug/elf"
	"encoding/binary"
	"math/bits"
)

// The stack pointer of arm64, which shares its number with the register that is zero.
const armSP = 31

var arm64 = &machine{
	name: "arm64", audit: "SCMP_ARCH_AARCH64", decode: decodeARM64, align: 4,
	number: 8, argument: 0, sp: armSP,
	scratch: 1<<19 - 1, results: registers(0, 1),
	dataOf: map[uint32]relocKind{
		uint32(elf.R_AARCH64_ABS64): relocSymbol, uint32(elf.R_AARCH64_GLOB_DAT): relocSymbol, uint32(elf.R_AARCH64_JUMP_SLOT): relocSymbol,
		uint32(elf.R_AARCH64_RELATIVE): relocRelative, uint32(elf.R_AARCH64_IRELATIVE): relocResolver,
	},
}

// signed returns the n low bits of v as a number with a sign.
func signed(v uint32, n uint) int64 { return int64(int32(v<<(32-n)) >> (32 - n)) }

// decodeARM64 decodes an instruction of A64 (Arm Architecture Reference Manual,
// C4.1) as far as it moves values or goes elsewhere; of all others it says which
// general register they write. It reports whether the word is one.
func decodeARM64(code []byte, in *inst) bool {
	if len(code) < 4 {
		return false
	}
	w := binary.LittleEndian.Uint32(code)
	in.size = 4
	switch {
	case w>>16 == 0: // udf
		in.flow = flowTrap
	case w&0x1c000000 == 0x14000000:
		armBranch(w, in)
	case w&0x1c000000 == 0x10000000:
		armImmediate(w, in)
	case w&0x0a000000 == 0x08000000:
		armMemory(w, in)
	case w&0x0e000000 == 0x0a000000:
		armRegisters(w, in)
	default:
		armVector(w, in)
	}
	return true
}

func armTarget(in *inst, words int64) uint64 { return in.pc + uint64(words*4) }

// armBranch decodes branches, exceptions and system instructions (C4.1.93).
func armBranch(w uint32, in *inst) {
	switch {
	case w>>26 == 0b000101:
		in.flow, in.target = flowJump, armTarget(in, signed(w, 26))
	case w>>26 == 0b100101:
		in.flow, in.target = flowCall, armTarget(in, signed(w, 26))
	case w>>24 == 0x54, w&0x7e000000 == 0x34000000: // b.cond, cbz
		in.flow, in.target = flowBranch, armTarget(in, signed(w>>5, 19))
	case w&0x7e000000 == 0x36000000: // tbz
		in.flow, in.target = flowBranch, armTarget(in, signed(w>>5, 14))
	case w&0xffe0001f == 0xd4000001:
		in.flow = flowSyscall
		in.wipe(0)
	case w>>24 == 0xd4:
		in.flow = flowTrap
	case w&0xfe000000 == 0xd6000000:
		armJumpRegister(w, in)
	case w == 0xd503201f:
		in.padding = true
	case w&0xfff00000 == 0xd5300000 || w&0xfff80000 == 0xd5280000: // mrs, sysl
		in.wipe(armWritten(w))
	}
}

func armJumpRegister(w uint32, in *inst) {
	to := reg(int(w >> 5 & 31))
	switch w >> 21 & 7 {
	case 0:
		in.flow, in.through = flowJumpIndirect, to
	case 1:
		in.flow, in.through = flowCallIndirect, to
	default:
		in.flow = flowReturn
	}
}

// armWritten returns the register in the field of the destination, noReg for the one
// that is zero.
func armWritten(w uint32) int {
	if r := int(w & 31); r != armSP {
		return r
	}
	return noReg
}

// armImmediate decodes data processing with an immediate (C4.1.92).
func armImmediate(w uint32, in *inst) {
	rd, rn := int(w&31), int(w>>5&31)
	switch w >> 23 & 7 {
	case 0, 1: // adr, adrp
		disp := signed(w>>5, 19)<<2 | int64(w>>29&3)
		if rd == armSP {
			return
		}
		if w>>31 == 0 {
			in.ref = in.pc + uint64(disp)
		} else {
			in.ref, in.wide = in.pc&^0xfff+uint64(disp<<12), true
		}
		in.define(def{to: reg(rd), add: int64(in.ref)})
	case 2: // add, sub
		v := int64(w >> 10 & 0xfff)
		if w>>22&1 != 0 {
			v <<= 12
		}
		if w>>30&1 != 0 {
			v = -v
		}
		if w>>29&1 != 0 && rd == armSP {
			return // cmp
		}
		in.define(def{to: reg(rd), from: reg(rn), add: v})
	case 5: // movn, movz, movk
		armMoveWide(w, in)
	case 4: // and, orr, eor, ands
		if w>>29&3 == 3 && rd == armSP {
			return
		}
		if v, ok := armMask(w); ok && w>>29&3 == 1 && rn == armSP {
			in.define(def{to: reg(rd), add: int64(v)}) // orr rd, xzr, #v
			return
		}
		in.wipe(rd)
	default:
		in.wipe(armWritten(w))
	}
}

// armMask returns the immediate of a logical instruction: some ones, rotated, and
// repeated to the whole width (shared/functions/integer, DecodeBitMasks).
func armMask(w uint32) (uint64, bool) {
	n, immr, imms := w>>22&1, w>>16&63, w>>10&63
	length := bits.Len32(n<<6|^imms&63) - 1
	if length < 1 {
		return 0, false
	}
	size := uint(1) << length
	ones, rotate := uint(imms)&(size-1)+1, uint(immr)&(size-1)
	if ones == size {
		return 0, false
	}
	element := uint64(1)<<ones - 1
	if rotate > 0 {
		element = element>>rotate | element<<(size-rotate)
	}
	if size < 64 {
		element &= 1<<size - 1
	}
	var v uint64
	for i := uint(0); i < 64; i += size {
		v |= element << i
	}
	if w>>31 == 0 {
		v &= 1<<32 - 1
	}
	return v, true
}

func armMoveWide(w uint32, in *inst) {
	rd := armWritten(w)
	if rd == noReg {
		return
	}
	v := int64(w>>5&0xffff) << (w >> 21 & 3 * 16)
	switch w >> 29 & 3 {
	case 0:
		in.define(def{to: reg(rd), add: ^v})
	case 2:
		in.define(def{to: reg(rd), add: v})
	default:
		in.wipe(rd)
	}
}

// armRegisters decodes data processing with registers (C4.1.95).
func armRegisters(w uint32, in *inst) {
	rd := armWritten(w)
	rn, rm := int(w>>5&31), int(w>>16&31)
	switch {
	case rd == noReg:
	case w&0x7fe0ffe0 == 0x2a0003e0: // mov
		if rm == armSP {
			in.define(def{to: reg(rd)})
		} else {
			in.define(def{to: reg(rd), from: reg(rm)})
		}
	case w&0x7fe00c00 == 0x1a800000: // csel
		armSelect(rd, rn, rm, in)
	case w&0x3fe00000 == 0x3a400000: // ccmp
	default:
		in.wipe(rd)
	}
}

// armSelect is csel: rd gets one register or the other, of which it may be one.
func armSelect(rd, rn, rm int, in *inst) {
	choice := func(from int, maybe bool) {
		d := def{to: reg(rd), from: reg(from), maybe: maybe}
		if from == armSP {
			d.from = place{} // zero
		}
		in.define(d)
	}
	switch rd {
	case rm:
		choice(rn, true)
	case rn:
		choice(rm, true)
	default:
		choice(rn, false)
		choice(rm, true)
	}
}

// armVector decodes the vector and floating-point instructions that write a general
// register (C4.1.96), and those of SVE, of which any might.
func armVector(w uint32, in *inst) {
	switch {
	case w&0x5f20fc00 == 0x1e200000, // between floating point and integer
		w&0x5f200000 == 0x1e000000,                             // fixed point
		w&0xbfe0fc00 == 0x0e003c00, w&0xbfe0fc00 == 0x0e002c00, // umov, smov
		w&0x1e000000 == 0x04000000: // SVE
		in.wipe(armWritten(w))
	}
}
