package syscalls

// one decodes an opcode of one byte (Intel SDM, volume 2, table A-2).
func (d *x86) one(op byte) {
	in := d.in
	switch {
	case op < 0x40:
		d.arithmetic(op)
	case op < 0x58 && op >= 0x50:
		d.push(reg(int(op&7)|int(d.rex&1)<<3), 0, true)
	case op < 0x60 && op >= 0x58:
		d.pop(reg(int(op&7) | int(d.rex&1)<<3))
	case op >= 0x70 && op < 0x80:
		d.jump(flowBranch, 1)
	case op >= 0x80 && op < 0x84:
		d.immediateGroup(op)
	case op >= 0x91 && op < 0x98, op == 0x90 && d.rex&1 != 0:
		in.wipe(rax, int(op&7)|int(d.rex&1)<<3)
	case op >= 0xb0 && op < 0xb8:
		d.imm(1)
		in.wipe(d.byteReg(int(op&7) | int(d.rex&1)<<3))
	case op >= 0xb8 && op < 0xc0:
		to := reg(int(op&7) | int(d.rex&1)<<3)
		if d.rex&8 != 0 {
			d.set(to, d.imm(8))
		} else {
			v := d.immz()
			d.set(to, int64(uint32(v)))
		}
	case op >= 0xd8 && op < 0xe0:
		d.modRM(0)
		if op == 0xdf && d.mod == 3 {
			in.wipe(rax) // fnstsw ax
		}
	case op >= 0xa4 && op < 0xb0 && op != 0xa8 && op != 0xa9:
		in.wipe(rsi, rdi, rcx)
		if op == 0xac || op == 0xad {
			in.wipe(rax)
		}
	case op >= 0xe0 && op < 0xe4:
		in.wipe(rcx)
		d.jump(flowBranch, 1)
	default:
		d.single(op)
	}
}

// arithmetic decodes add, or, adc, sbb, and, sub, xor and cmp in their short forms.
func (d *x86) arithmetic(op byte) {
	kind := op >> 3 & 7
	form := op & 7
	if form > 5 {
		d.ok = false
		return
	}
	const cmp = 7
	switch form {
	case 0, 1, 2, 3:
		d.modRM(0)
		switch {
		case kind == cmp:
		case d.mod == 3 && d.rm == d.regField && form&1 == 1 && (kind == 5 || kind == 6):
			d.set(reg(d.rm), 0) // sub r,r and xor r,r
		case form == 0:
			d.wipeByteRM()
		case form == 1:
			d.wipeRM()
		case form == 2:
			d.in.wipe(d.byteReg(d.regField))
		default:
			d.in.wipe(d.regField)
		}
	case 4:
		d.imm(1)
		if kind != cmp {
			d.in.wipe(rax)
		}
	case 5:
		d.arithmeticImmediate(kind, reg(rax), d.immz())
	}
}

// immediateGroup decodes the same with an immediate operand.
func (d *x86) immediateGroup(op byte) {
	size := 1
	switch {
	case op == 0x82:
		d.ok = false
		return
	case op == 0x81 && d.word && d.rex&8 == 0:
		size = 2
	case op == 0x81:
		size = 4
	}
	d.modRM(size)
	v := d.imm(size)
	kind := byte(d.regField & 7)
	if op == 0x80 {
		if kind != 7 {
			d.wipeByteRM()
		}
		return
	}
	d.arithmeticImmediate(kind, d.operand(), v)
}

func (d *x86) arithmeticImmediate(kind byte, to place, v int64) {
	switch {
	case kind == 7: // cmp
	case kind == 0 && d.whole() && to.kind == inReg:
		d.in.define(def{to: to, from: to, add: v})
	case kind == 5 && d.whole() && to.kind == inReg:
		d.in.define(def{to: to, from: to, add: -v})
	case kind == 1 && v == -1 || kind == 4 && v == 0:
		d.set(to, v)
	case kind == 4 && to.kind == inReg && to.reg == rsp:
		// and rsp,-16: what was stored before is not found again.
		d.in.wipe(rsp)
	default:
		d.wipePlace(to)
	}
}

// single decodes the other opcodes of one byte.
func (d *x86) single(op byte) {
	in := d.in
	switch op {
	case 0x63:
		d.modRM(0)
		d.move(reg(d.regField), d.operand())
	case 0x68:
		d.push(place{}, d.immz(), true)
	case 0x6a:
		d.push(place{}, d.imm(1), true)
	case 0x69:
		size := 4
		if !d.whole() {
			size = 2
		}
		d.modRM(size)
		d.imm(size)
		in.wipe(d.regField)
	case 0x6b:
		d.modRM(1)
		d.imm(1)
		in.wipe(d.regField)
	case 0x6c, 0x6d, 0x6e, 0x6f:
		in.wipe(rdi, rsi, rcx)
	case 0x84, 0x85:
		d.modRM(0)
	case 0x86:
		d.modRM(0)
		d.wipeByteRM()
		in.wipe(d.byteReg(d.regField))
	case 0x87:
		d.modRM(0)
		d.wipeRM()
		in.wipe(d.regField)
	case 0x88:
		d.modRM(0)
		d.wipeByteRM()
	case 0x89:
		d.modRM(0)
		d.move(d.operand(), reg(d.regField))
	case 0x8a:
		d.modRM(0)
		in.wipe(d.byteReg(d.regField))
	case 0x8b:
		d.modRM(0)
		d.move(reg(d.regField), d.operand())
	case 0x8c:
		d.modRM(0)
		d.wipeRM()
	case 0x8d:
		d.lea()
	case 0x8e:
		d.modRM(0)
	case 0x8f:
		d.modRM(0)
		d.pop(d.operand())
	case 0x90:
		in.padding = true
	case 0x9b, 0x9e, 0xf5, 0xf8, 0xf9, 0xfa, 0xfb, 0xfc, 0xfd:
	case 0x98, 0x9f:
		in.wipe(rax)
	case 0x99:
		in.wipe(rdx)
	case 0x9c:
		d.push(place{}, 0, false)
	case 0x9d:
		in.define(def{to: reg(rsp), from: reg(rsp), add: 8})
	case 0xa0, 0xa1, 0xa2, 0xa3:
		size := 8
		if d.short {
			size = 4
		}
		d.imm(size)
		in.wipe(rax)
	case 0xa8:
		d.imm(1)
	case 0xa9:
		d.immz()
	default:
		d.rest(op)
	}
}

func (d *x86) lea() {
	d.modRM(0)
	to := reg(d.regField)
	switch d.memory.kind {
	case inAbs:
		d.in.define(def{to: to, add: d.memory.disp})
		d.in.ref = uint64(d.memory.disp)
	case inMem:
		d.in.define(def{to: to, from: reg(int(d.memory.reg)), add: d.memory.disp})
	default:
		d.in.wipe(d.regField)
	}
	if d.mod == 3 {
		d.ok = false
	}
}

func (d *x86) rest(op byte) {
	in := d.in
	switch op {
	case 0xc0, 0xc1:
		d.modRM(1)
		d.imm(1)
		d.shifted(op)
	case 0xd0, 0xd1, 0xd2, 0xd3:
		d.modRM(0)
		d.shifted(op)
	case 0xc2, 0xca:
		d.imm(2)
		in.flow = flowReturn
	case 0xc3, 0xcb, 0xcf:
		in.flow = flowReturn
	case 0xc6:
		d.modRM(1)
		d.imm(1)
		d.wipeByteRM()
	case 0xc7:
		size := 4
		if !d.whole() {
			size = 2
		}
		d.modRM(size)
		d.set(d.operand(), d.imm(size))
	case 0xc8:
		d.imm(2)
		d.imm(1)
		in.wipe(rsp, rbp)
	case 0xc9:
		// leave: rsp is rbp, and rbp is popped.
		in.define(def{to: reg(rsp), from: reg(rbp), add: 8})
		in.wipe(rbp)
	case 0xcc, 0xf4:
		in.flow = flowTrap
	case 0xcd:
		d.imm(1)
		in.wipe(rax)
	case 0xd7, 0xec, 0xed:
		in.wipe(rax)
	case 0xe4, 0xe5, 0xe6, 0xe7:
		d.imm(1)
		in.wipe(rax)
	case 0xe8:
		d.jump(flowCall, 4)
	case 0xe9:
		d.jump(flowJump, 4)
	case 0xeb:
		d.jump(flowJump, 1)
	case 0xee, 0xef, 0xf1:
	case 0xf6, 0xf7:
		d.unary(op)
	case 0xfe:
		d.modRM(0)
		d.wipeByteRM()
		d.ok = d.ok && d.regField&7 < 2
	case 0xff:
		d.lastGroup()
	default:
		d.ok = false
	}
}

func (d *x86) shifted(op byte) {
	if op&1 == 0 {
		d.wipeByteRM()
	} else {
		d.wipeRM()
	}
}

// unary decodes test, not, neg, mul, imul, div and idiv.
func (d *x86) unary(op byte) {
	size := 1
	if op == 0xf7 {
		size = 4
		if !d.whole() {
			size = 2
		}
	}
	kind := d.peek() >> 3 & 7
	if kind > 1 {
		size = 0
	}
	d.modRM(size)
	if size > 0 {
		d.imm(size)
	}
	switch {
	case kind > 3:
		d.in.wipe(rax, rdx)
	case kind > 1 && op == 0xf6:
		d.wipeByteRM()
	case kind > 1:
		d.wipeRM()
	}
}

// lastGroup decodes inc, dec, call, jmp and push.
func (d *x86) lastGroup() {
	d.modRM(0)
	switch d.regField & 7 {
	case 0, 1:
		d.wipeRM()
	case 2:
		d.in.flow, d.in.through = flowCallIndirect, d.operand()
	case 3:
		d.in.flow = flowCallIndirect
	case 4:
		d.in.flow, d.in.through = flowJumpIndirect, d.operand()
	case 5:
		d.in.flow = flowJumpIndirect
	case 6:
		from := d.operand()
		d.push(from, 0, from.kind != inNone)
	default:
		d.ok = false
	}
}
