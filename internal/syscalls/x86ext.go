package syscalls

// escape decodes the opcodes after 0F (Intel SDM, volume 2, tables ).
func (d *x86) escape() {
	in := d.in
	op := d.byte()
	switch {
	case op == 0x38:
		op = d.byte()
		d.modRM(0)
		if op == 0xf0 || op == 0xf1 || op == 0xf5 || op == 0xf6 {
			in.wipe(d.regField) // movbe, crc32, adcx
		}
		return
	case op == 0x3a:
		op = d.byte()
		d.modRM(1)
		d.imm(1)
		d.extract(op)
		return
	case op >= 0x40 && op < 0x50: // cmov
		d.modRM(0)
		from := d.operand()
		in.define(def{to: reg(d.regField), from: from, maybe: true, unknown: from.kind == inNone || !d.whole()})
		return
	case op >= 0x80 && op < 0x90:
		d.jump(flowBranch, 4)
		return
	case op >= 0x90 && op < 0xa0:
		d.modRM(0)
		d.wipeByteRM()
		return
	case op >= 0xc8 && op < 0xd0:
		in.wipe(int(op&7) | int(d.rex&1)<<3)
		return
	}
	switch op {
	case 0x05:
		in.flow = flowSyscall
		in.wipe(rax, rcx, r11)
	case 0x06, 0x08, 0x09, 0x0e, 0x30, 0x37, 0x77, 0xaa:
	case 0x07, 0x34, 0x35:
		in.wipe(rax)
	case 0x0b:
		in.flow = flowTrap
	case 0x31, 0x32, 0x33:
		in.wipe(rax, rdx)
	case 0xa2:
		in.wipe(rax, rbx, rcx, rdx)
	case 0xa0, 0xa8:
		d.push(place{}, 0, false)
	case 0xa1, 0xa9:
		in.define(def{to: reg(rsp), from: reg(rsp), add: 8})
	case 0x0f, 0x70, 0x71, 0x72, 0x73, 0xc2, 0xc4, 0xc5, 0xc6, 0xa4, 0xac, 0xba:
		d.modRM(1)
		d.imm(1)
		d.written(op)
	case 0x04, 0x0a, 0x0c, 0x24, 0x25, 0x26, 0x27, 0x36, 0x39, 0x3b, 0x3c, 0x3d, 0x3e, 0x3f, 0xa6, 0xa7:
		d.ok = false
	default:
		d.modRM(0)
		d.written(op)
		in.padding = op == 0x1f
	}
}

// written says which general registers an opcode after 0F writes.
func (d *x86) written(op byte) {
	in := d.in
	switch op {
	case 0x00, 0x20, 0x21, 0x78, 0xa4, 0xa5, 0xab, 0xac, 0xad, 0xb3, 0xbb:
		if op != 0x78 || d.rep == 0 && !d.word {
			d.wipeRM()
		}
	case 0x01:
		if d.mod == 3 {
			in.wipe(rax, rcx, rdx, d.rm)
		}
	case 0x02, 0x03, 0xaf, 0xb2, 0xb4, 0xb5, 0xb8, 0xbc, 0xbd, 0x50, 0xd7, 0xc5, 0xbe, 0xbf:
		in.wipe(d.regField)
	case 0xb6, 0xb7:
		in.wipe(d.regField)
	case 0x2c, 0x2d:
		if d.rep != 0 {
			in.wipe(d.regField)
		}
	case 0x7e:
		if d.rep == 0 {
			d.wipeRM()
		}
	case 0xae:
		if d.rep == 0xf3 && d.mod == 3 {
			in.wipe(d.rm) // rdfsbase
		}
	case 0x1e:
		if d.rep == 0xf3 && d.mod == 3 && d.regField&7 == 1 {
			in.wipe(d.rm) // rdssp
		}
	case 0xba:
		if d.regField&7 > 4 {
			d.wipeRM()
		}
	case 0xb0:
		d.wipeByteRM()
		in.wipe(rax)
	case 0xb1:
		d.wipeRM()
		in.wipe(rax)
	case 0xc0:
		d.wipeByteRM()
		in.wipe(d.byteReg(d.regField))
	case 0xc1:
		d.wipeRM()
		in.wipe(d.regField)
	case 0xc7:
		if d.mod == 3 {
			in.wipe(d.rm) // rdrand, rdseed, rdpid
		} else if d.regField&7 == 1 {
			in.wipe(rax, rdx) // cmpxchg8b
		}
	}
}

// extract says what the opcodes after 0F 3A write that have a general register.
func (d *x86) extract(op byte) {
	switch op {
	case 0x14, 0x15, 0x16, 0x17:
		d.wipeRM()
	case 0x61, 0x63:
		d.in.wipe(rcx)
	}
}

// vex decodes instructions with a VEX prefix (Intel SDM, volume 2, 2.3).
func (d *x86) vex(op byte) {
	p := d.byte()
	field, space := p, byte(1)
	d.rex = ^p >> 5 & 4
	if op == 0xc4 {
		d.rex = ^p >> 5 & 7
		space = p & 0x1f
		field = d.byte()
		d.rex |= field >> 4 & 8
	}
	d.vector(space, field&3, int(^field>>3&15))
}

// vector decodes what follows a VEX prefix. register is the one of field vvvv.
func (d *x86) vector(space, prefix byte, register int) {
	in := d.in
	op := d.byte()
	switch space {
	case 1:
		if op == 0x77 {
			return // vzeroupper
		}
		if hasImmediate(op) {
			d.modRM(1)
			d.imm(1)
		} else {
			d.modRM(0)
		}
		switch {
		case op == 0x7e && prefix == 1:
			d.wipeRM()
		case op == 0x50 || op == 0xd7 || op == 0xc5 || op == 0x93, (op == 0x2c || op == 0x2d) && prefix >= 2:
			in.wipe(d.regField)
		}
	case 2:
		d.modRM(0)
		switch op {
		case 0xf2, 0xf5, 0xf7:
			in.wipe(d.regField)
		case 0xf3:
			in.wipe(register)
		case 0xf6:
			in.wipe(d.regField, register)
		}
	case 3:
		d.modRM(1)
		d.imm(1)
		d.extract(op)
		if op == 0xf0 {
			in.wipe(d.regField)
		}
	default:
		d.ok = false
	}
}

// hasImmediate is about opcodes after 0F of vector instructions.
func hasImmediate(op byte) bool {
	return op >= 0x70 && op <= 0x73 || op == 0xc2 || op >= 0xc4 && op <= 0xc6
}

// evex decodes instructions with an EVEX prefix (Intel SDM, volume 2, 2.7).
func (d *x86) evex() {
	p0, p1 := d.byte(), d.byte()
	d.byte()
	space, prefix := p0&7, p1&3
	d.rex = ^p0>>5&7 | p1>>4&8
	op := d.byte()
	switch space {
	case 1, 5, 6:
		if space == 1 && hasImmediate(op) {
			d.modRM(1)
			d.imm(1)
		} else {
			d.modRM(0)
		}
		switch op {
		case 0x7e:
			if prefix == 1 {
				d.wipeRM()
			}
		case 0x2c, 0x2d, 0x78, 0x79:
			if prefix >= 2 {
				d.in.wipe(d.regField)
			}
		case 0xc5:
			d.in.wipe(d.regField)
		}
	case 2:
		d.modRM(0)
	case 3:
		d.modRM(1)
		d.imm(1)
		d.extract(op)
	default:
		d.ok = false
	}
}

// xop decodes AMD's instructions with an XOP prefix (AMD64 manual, volume 3).
func (d *x86) xop() {
	p := d.byte()
	field := d.byte()
	d.rex = ^p>>5&7 | field>>4&8
	op := d.byte()
	switch p & 0x1f {
	case 8:
		d.modRM(1)
		d.imm(1)
	case 9:
		d.modRM(0)
		if op == 1 || op == 2 {
			d.in.wipe(int(^field >> 3 & 15))
		}
	case 10:
		d.modRM(4)
		d.imm(4)
		d.in.wipe(d.regField)
	default:
		d.ok = false
	}
}
