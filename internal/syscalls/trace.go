package syscalls

import (
	"sort"
)

// A finding is a value that a place may have, or why it is not known.
type finding struct {
	at    uint32 // the instruction that sets it
	value int64
	why   string // "" if the value is known
	// argument: the value is the first argument of the exported function at at.
	argument bool
	// exported: why holds only if another file calls the function at at by its name.
	exported bool
	symbol   string // that the value is the address of, from another file
}

// maxSteps bounds the work of one question. What is asked beyond is not known.
const maxSteps = 1 << 16

// maxAdded is above what compilers add to make one number of another.
const maxAdded = 512

// unit is the decoded code of one function.
type unit struct {
	insts    []inst
	from     map[uint64][]int32 // jumps and branches, by target
	indirect []int32            // jumps to where only data says
}

// state is a question: what does the place, plus add, hold before the instruction at pc?
type state struct {
	pc    uint32
	where place
	add   int64
	// since is where the question about memory with this base began, and moved how
	// the stack pointer has changed from pc to there.
	since uint32
	moved int64
}

// at returns the question about another place, from the instruction at pc on.
func (s state) at(pc uint32, where place) state {
	return state{pc: pc, where: where, add: s.add, since: pc}
}

// tracer answers one question by going backwards through the code.
type tracer struct {
	*code
	seen  map[state]bool
	work  []state
	found []finding
	lost  bool // some way back ended where the place has no value
	idle  bool // some way back ended in a function that nothing calls
}

// trace returns the values that a place may have before the instruction at pc: none, if
// only functions that nothing calls lead to it.
func (c *code) trace(pc uint32, where place) []finding {
	t := tracer{code: c, seen: map[state]bool{}}
	t.ask(state{}.at(pc, where))
	for steps := 0; len(t.work) > 0; steps++ {
		if steps == maxSteps {
			t.fail(pc, "it takes too long to find out")
			break
		}
		s := t.work[len(t.work)-1]
		t.work = t.work[:len(t.work)-1]
		t.back(s)
	}
	if len(t.found) == 0 && (t.lost || !t.idle) {
		t.fail(pc, "nothing is seen to set it")
	}
	return t.found
}

func (t *tracer) ask(s state) {
	if s.add > maxAdded || s.add < -maxAdded {
		t.fail(s.pc, "it is computed in a loop")
		return
	}
	if !t.seen[s] {
		t.seen[s] = true
		t.work = append(t.work, s)
	}
}

func (t *tracer) fail(at uint32, why string) {
	t.found = append(t.found, finding{at: at, why: why})
}

// unit decodes the function at an index of units, once.
func (c *code) unit(i int) *unit {
	if u := c.cache[i]; u != nil {
		return u
	}
	u := &unit{from: map[uint64][]int32{}}
	if s, from, to := c.bounds(i); s != nil {
		for at := from; at < to; {
			var in inst
			c.step(s, at, &in)
			n := int32(len(u.insts))
			switch in.flow {
			case flowJump, flowBranch:
				u.from[in.target] = append(u.from[in.target], n)
			case flowJumpIndirect:
				u.indirect = append(u.indirect, n)
			}
			u.insts = append(u.insts, in)
			at += in.size
		}
	}
	if len(c.cache) > 4096 {
		clear(c.cache)
	}
	c.cache[i] = u
	return u
}

// index returns which instruction of the unit begins at pc, -1 if none.
func (u *unit) index(pc uint32) int {
	i := sort.Search(len(u.insts), func(i int) bool { return u.insts[i].pc >= uint64(pc) })
	if i == len(u.insts) || u.insts[i].pc != uint64(pc) {
		return -1
	}
	return i
}

// back asks what was before, of everything that may lead to the instruction.
func (t *tracer) back(s state) {
	number := t.unitAt(s.pc)
	if number < 0 {
		t.fail(s.pc, "it is in no function")
		return
	}
	u := t.unit(number)
	at := u.index(s.pc)
	if at < 0 {
		t.fail(s.pc, "something leads into the middle of an instruction")
		return
	}
	led := false
	for _, from := range u.from[uint64(s.pc)] {
		t.before(&u.insts[from], s)
		led = true
	}
	if at > 0 && t.returns(&u.insts[at-1]) {
		t.before(&u.insts[at-1], s)
		led = true
	}
	isStart := t.units[number] == s.pc
	if isStart && t.unset(s.where) {
		t.lost = true
		return
	}
	called := t.enter(s)
	switch {
	case led || called:
	case !isStart:
		t.orphan(u, s)
	case t.falls(number, s):
	case t.taken[s.pc] || t.exported(s.pc) || t.entry == uint64(s.pc):
		t.entered(s)
	default:
		t.idle = true
	}
}

// unset reports whether the place is below the stack where a function begins, and so
// has no value yet.
func (t *tracer) unset(p place) bool {
	return p.kind == inMem && int(p.reg) == t.m.sp && p.disp < 0
}

// orphan asks the indirect jumps of the function, which is how the branches of a
// switch are reached. Where there are none, the instruction is where an exception is
// caught, or code that nothing leads to.
func (t *tracer) orphan(u *unit, s state) {
	if u.insts[u.index(s.pc)].padding {
		return
	}
	for _, i := range u.indirect {
		t.before(&u.insts[i], s)
	}
	if len(u.indirect) == 0 && t.unwound(s) {
		t.fail(s.pc, "an exception is caught before it")
	}
}

// unwound reports whether the place keeps its value while the stack is unwound.
func (t *tracer) unwound(s state) bool {
	return s.where.kind != inReg || t.m.scratch>>s.where.reg&1 == 0
}

// falls goes on in the function before, if its end leads here: a function of assembly
// code with a label that something calls.
func (t *tracer) falls(number int, s state) bool {
	if number == 0 || t.sure[uint64(s.pc)] {
		return false
	}
	before := t.unit(number - 1)
	n := len(before.insts)
	if n == 0 || before.insts[n-1].pc+uint64(before.insts[n-1].size) != uint64(s.pc) || !t.returns(&before.insts[n-1]) {
		return false
	}
	t.before(&before.insts[n-1], s)
	return true
}

// returns reports whether the next instruction is reached from in.
func (t *tracer) returns(in *inst) bool {
	return in.flow.onward() && !t.callsEndless(in, maxEndlessDepth)
}

// enter asks the callers of the instruction, and jumps to it from other functions.
func (t *tracer) enter(s state) bool {
	led := false
	for _, e := range t.incoming(s.pc) {
		before := s.at(e.from, s.where)
		switch e.kind {
		case edgeTake:
			continue
		case edgeCall:
			before.where = t.atCall(s.where)
		}
		led = true
		t.ask(before)
	}
	if led && (t.taken[s.pc] || t.exported(s.pc)) {
		t.entered(s)
	}
	return led
}

// atCall returns where a place of a function's start is at the call: the call puts
// the address to return to on the stack.
func (t *tracer) atCall(p place) place {
	if p.kind == inMem && int(p.reg) == t.m.sp {
		p.disp -= t.m.pushes
	}
	return p
}

// entered says what is known of a function that unknown code may call.
func (t *tracer) entered(s state) {
	switch {
	case s.where == reg(t.m.argument) && s.add == 0 && t.labels[uint64(s.pc)] == syscallFunction:
		t.found = append(t.found, finding{at: s.pc, argument: true})
	case s.where.kind == inAbs:
		t.global(s)
	case !t.taken[s.pc] && t.exported(s.pc):
		t.found = append(t.found, finding{at: s.pc, exported: true, why: "it is an argument of an exported function"})
	case t.passed(s):
	default:
		t.fail(s.pc, "it is an argument of a function that is called through a pointer or from another file")
	}
}

// maxIndirect bounds the calls through pointers, of one file, that are asked what they pass.
const maxIndirect = 512

// passed asks the file's own calls through pointers, where these are the only ones that
// may reach a function: those with a constant are taken for calls of it, and those
// without for calls of others. It reports false where that is no answer.
func (t *tracer) passed(s state) bool {
	if t.depth > 0 || len(t.indirect) > maxIndirect || t.exported(s.pc) || t.entry == uint64(s.pc) || s.where.kind != inReg {
		return false
	}
	t.depth++
	defer func() { t.depth-- }()
	some := false
	for _, pc := range t.indirect {
		for _, f := range t.code.trace(pc, s.where) {
			if f.why == "" && !f.argument && f.value >= 0 && f.value < maxNumber {
				f.value += s.add
				t.found = append(t.found, f)
				some = true
			}
		}
	}
	return some
}

// exported reports whether other files may call the function.
func (t *tracer) exported(pc uint32) bool { return t.exports[uint64(pc)] }

// before asks what the place was before the instruction in, which set it or left it.
func (t *tracer) before(in *inst, s state) {
	s.pc = uint32(in.pc)
	if s.where.kind == inAbs {
		t.global(s)
		return
	}
	if in.flow == flowCall || in.flow == flowCallIndirect {
		scratch, results := t.convention(s.pc)
		if s.where.kind == inReg && scratch>>s.where.reg&1 != 0 {
			if results>>s.where.reg&1 != 0 {
				t.fail(s.pc, "it is what a function returns")
			}
			t.lost = true // no compiler uses what a call leaves undefined
			return
		}
		t.ask(s)
		return
	}
	if s.where.kind != inNone && in.wiped>>s.where.reg&1 != 0 {
		t.fail(s.pc, "it is computed")
		return
	}
	for i := in.n - 1; i >= 0; i-- {
		d := &in.defs[i]
		if !s.uses(d) {
			s.move(t.m, d)
			continue
		}
		if d.maybe {
			t.through(in, i, s)
		}
		if !t.apply(d, &s) {
			return
		}
	}
	t.ask(s)
}

// through asks the same with the def at i left out, as if it had not happened.
func (t *tracer) through(in *inst, i int, s state) {
	for i--; i >= 0; i-- {
		if d := &in.defs[i]; s.uses(d) && !t.apply(d, &s) {
			return
		}
	}
	t.ask(s)
}

// move notes how the def changes the stack pointer.
func (s *state) move(m *machine, d *def) {
	if d.to == reg(m.sp) && d.from == d.to {
		s.moved += d.add
	}
}

// convention returns the registers that a call leaves undefined, and those of them with
// results. In Go's own code a call leaves no register as it was but that of the stack,
// and may return values in any (Go's internal ABI).
func (t *tracer) convention(pc uint32) (scratch, results uint32) {
	if i := t.unitAt(pc); i >= 0 && t.golang[uint64(t.units[i])] {
		all := ^uint32(1 << t.m.sp)
		return all, all
	}
	return t.m.scratch, t.m.results
}

// uses reports whether the def sets the place, or the register that it is based on.
func (s *state) uses(d *def) bool {
	return d.to == s.where || s.where.kind == inMem && d.to.kind == inReg && d.to.reg == s.where.reg
}

// apply replaces the place by what it got its value from. It reports false where that
// ends the search.
func (t *tracer) apply(d *def, s *state) bool {
	if d.to == s.where {
		switch {
		case d.unknown:
			t.fail(s.pc, "it is computed")
			return false
		case d.from.kind == inNone:
			t.found = append(t.found, finding{at: s.pc, value: d.add + s.add})
			return false
		}
		s.where, s.add = d.from, s.add+d.add
		s.since, s.moved = s.pc, 0
	} else { // the base of memory
		switch {
		case d.from.kind == inMem && !d.unknown:
			if at, ok := t.fixed(s.pc, d.from); ok {
				return t.pointed(&def{from: at}, *s)
			}
			fallthrough
		case d.unknown:
			t.fail(s.pc, "it is in memory that something points to")
			return false
		case d.from.kind == inNone:
			s.where = abs(uint64(d.add + s.where.disp))
		case d.from.kind == inAbs:
			return t.pointed(d, *s)
		default:
			t.rebase(d, s)
		}
	}
	if s.where.kind == inAbs {
		t.global(*s)
		return false
	}
	return true
}
