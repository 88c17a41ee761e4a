package syscalls

// armMemory decodes loads and stores (Arm Architecture Reference Manual, C4.1.94).
func armMemory(w uint32, in *inst) {
	vector := w>>26&1 != 0
	switch {
	case w&0x3f000000 == 0x08000000: // exclusive and ordered ones, compare and swap
		in.wipe(armWritten(w), armWritten(w>>10), armWritten(w>>16))
	case w&0x3b000000 == 0x18000000: // relative to the instruction
		if !vector {
			in.wipe(armWritten(w))
		}
	case w&0x3a000000 == 0x28000000:
		armPair(w, in, vector)
	case w&0x3b000000 == 0x39000000: // with an offset
		size := w >> 30
		armSingle(w, in, vector, int64(w>>10&0xfff)<<size)
	case w&0x3b200000 == 0x38000000:
		armIndexed(w, in, vector)
	case w&0x3b200c00 == 0x38200800: // with a register as the offset
		if !vector && w>>22&3 != 0 {
			in.wipe(armWritten(w))
		}
	case w&0x3b200c00 == 0x38200000: // atomic ones
		in.wipe(armWritten(w))
	case vector && w&0xbf000000 == 0x0c000000 || vector && w&0xbf000000 == 0x0d000000:
		if w>>23&1 != 0 {
			armBase(w, in) // of vectors, with the address going on
		}
	default:
		in.wipe(armWritten(w))
	}
}

// armBase says that the base register of an access changes in a way that is not known.
func armBase(w uint32, in *inst) { in.wipe(int(w >> 5 & 31)) }

// armSingle is a load or store of one register at a distance from the base.
func armSingle(w uint32, in *inst, vector bool, disp int64) {
	base := int(w >> 5 & 31)
	at := mem(base, disp)
	load := w>>22&3 != 0
	if vector {
		load = w>>22&1 != 0
	}
	whole := w>>30 >= 2 // 32 or 64 bits; where a sign is extended, numbers have none
	switch {
	case w>>22&3 == 2 && w>>30 == 3 && !vector: // prefetch
	case vector && load:
	case vector:
		in.define(def{to: at, unknown: true})
	case load && armWritten(w) == noReg:
	case load && whole:
		in.define(def{to: reg(int(w & 31)), from: at})
	case load:
		in.wipe(armWritten(w))
	default:
		in.define(armStored(w&31, at, w>>30 >= 2))
	}
}

// armStored is the def of memory by a register.
func armStored(r uint32, at place, whole bool) def {
	switch {
	case !whole:
		return def{to: at, unknown: true}
	case r == armSP:
		return def{to: at} // zero
	}
	return def{to: at, from: reg(int(r))}
}

// armIndexed is armSingle with a small distance, and a base that may change.
func armIndexed(w uint32, in *inst, vector bool) {
	base := int(w >> 5 & 31)
	disp := signed(w>>12, 9)
	change := def{to: reg(base), from: reg(base), add: disp}
	switch w >> 10 & 3 {
	case 1: // after
		armSingle(w, in, vector, 0)
		in.define(change)
	case 3: // before
		in.define(change)
		armSingle(w, in, vector, 0)
	default:
		armSingle(w, in, vector, disp)
	}
}

// armPair is a load or store of two registers.
func armPair(w uint32, in *inst, vector bool) {
	base := int(w >> 5 & 31)
	size := int64(4)
	switch {
	case vector:
		size <<= w >> 30
	case w>>30 == 2:
		size = 8
	}
	disp := signed(w>>15, 7) * size
	change := def{to: reg(base), from: reg(base), add: disp}
	mode := w >> 23 & 3
	at := mem(base, disp)
	if mode&1 != 0 {
		at = mem(base, 0)
	}
	if mode == 3 {
		in.define(change)
	}
	first, second := w&31, w>>10&31
	next := at
	next.disp += size
	switch load := w>>22&1 != 0; {
	case vector && load:
	case vector:
		in.define(def{to: at, unknown: true})
		in.define(def{to: next, unknown: true})
	case load && (w>>30 == 1 || int(first) == base):
		in.wipe(armWritten(first), armWritten(second))
	case load:
		in.loadPair(first, at)
		in.loadPair(second, next)
	default:
		in.define(armStored(first, at, true))
		in.define(armStored(second, next, true))
	}
	if mode == 1 {
		in.define(change)
	}
}

func (in *inst) loadPair(r uint32, from place) {
	if r != armSP {
		in.define(def{to: reg(int(r)), from: from})
	}
}
