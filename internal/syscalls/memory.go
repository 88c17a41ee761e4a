package syscalls

import "slices"

// rebase goes on with the register that the base of memory got its address from. Where
// that is the stack pointer, what was stored through it in the meantime counts, too.
func (t *tracer) rebase(d *def, s *state) {
	to := mem(int(d.from.reg), s.where.disp+d.add)
	if int(d.from.reg) == t.m.sp && d.from.reg != s.where.reg && s.since != s.pc {
		aside := to
		aside.disp -= s.moved
		t.ask(s.at(s.since, aside))
	}
	if d.from.reg != s.where.reg {
		s.since, s.moved = s.pc, 0
	}
	s.where = to
}

// maxDepth bounds questions that are asked while another one is answered.
const maxDepth = 3

// fixed returns the address of memory whose base has one known value before the
// instruction at pc.
func (t *tracer) fixed(pc uint32, p place) (place, bool) {
	if t.depth == maxDepth {
		return place{}, false
	}
	t.depth++
	found := t.code.trace(pc, reg(int(p.reg)))
	t.depth--
	for _, f := range found {
		if f.why != "" || f.argument || f.value != found[0].value {
			return place{}, false
		}
	}
	if len(found) == 0 {
		return place{}, false
	}
	return abs(uint64(found[0].value + p.disp)), true
}

// pointed asks what is in memory that a variable at a fixed address points to.
func (t *tracer) pointed(d *def, s state) bool {
	stores := t.stores(uint64(d.from.disp))
	if len(stores) == 0 {
		t.fail(s.pc, "it is in memory that something points to")
	}
	for _, pc := range stores {
		for _, d := range t.storesOf(pc) {
			if d.from.kind == inReg && !d.unknown {
				t.ask(s.at(pc, mem(int(d.from.reg), s.where.disp)))
			} else if d.from.kind != inNone || d.unknown {
				t.fail(pc, "it is in memory that something points to")
			}
		}
	}
	return false
}

// global asks all instructions that store to a variable at a fixed address.
func (t *tracer) global(s state) {
	addr := uint64(s.where.disp)
	if name := t.slots[addr]; name != "" {
		t.found = append(t.found, finding{at: s.pc, symbol: name, why: "it is an address"})
		return
	}
	for _, pc := range t.stores(addr) {
		for _, d := range t.storesOf(pc) {
			next := s.at(pc, d.from)
			next.add += d.add
			switch {
			case d.unknown || d.from.kind == inAbs || d.from.kind == inMem:
				t.fail(pc, "it is in memory")
			case d.from.kind == inNone:
				t.found = append(t.found, finding{at: pc, value: next.add})
			default:
				t.ask(next)
			}
		}
	}
	if v, ok := t.word(addr); ok {
		t.found = append(t.found, finding{at: s.pc, value: int64(uint32(v)) + s.add})
	}
}

// stores returns the instructions that store to an address.
func (t *tracer) stores(addr uint64) []uint32 {
	i, _ := slices.BinarySearchFunc(t.writes, addr, func(u use, addr uint64) int {
		switch {
		case uint64(u.addr) < addr:
			return -1
		case uint64(u.addr) > addr:
			return 1
		}
		return 0
	})
	var list []uint32
	for ; i < len(t.writes) && uint64(t.writes[i].addr) == addr; i++ {
		list = append(list, t.writes[i].from)
	}
	return list
}

// storesOf returns the defs of memory of the instruction at pc.
func (t *tracer) storesOf(pc uint32) []def {
	u := t.unit(t.unitAt(pc))
	i := u.index(pc)
	if i < 0 {
		return nil
	}
	var list []def
	in := u.insts[i]
	for _, d := range in.defs[:in.n] {
		if d.to.kind == inAbs || d.to.kind == inMem {
			list = append(list, d)
		}
	}
	return list
}
