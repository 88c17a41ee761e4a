package syscalls

import (
	"cmp"
	"debug/elf"
	"encoding/binary"
	"slices"
	"sort"
)

// edge leads from an instruction to code that it goes to or takes the address of.
type edge struct {
	from, to uint32
	kind     edgeKind
}

type edgeKind uint8

const (
	edgeCall edgeKind = iota
	edgeJump          // out of a function
	edgeTake          // the address is made, and may be called by anybody
)

// use is an instruction that goes through, reads or writes a word of memory that it
// has the address of.
type use struct {
	from uint32
	addr uint32
}

// code is what one pass over all instructions of an object finds.
type code struct {
	*object
	units   []uint32 // where functions begin, sorted; the last one is an end
	edges   []edge   // by to
	sites   []uint32 // system calls
	through []use    // calls and jumps through a word, by from
	reads   []use    // loads of a word
	writes  []use    // stores to a word, by addr
	cache   map[int]*unit
	data    []uint64        // addresses of code that data has
	taken   map[uint32]bool // addresses of code that are made somewhere
	depth   int             // of questions that are being answered
	dead    map[uint32]bool // functions, and whether they never return
}

// scan reads all code once.
func scan(o *object) *code {
	c := &code{object: o, cache: map[int]*unit{}, taken: map[uint32]bool{}, dead: map[uint32]bool{}}
	if o.sparse() {
		o.callTargets()
	}
	for _, addr := range o.starts {
		c.units = append(c.units, uint32(addr))
	}
	for i := range c.units {
		c.scanUnit(i)
	}
	c.takePointers()
	c.takeWords()
	for _, e := range c.edges {
		if e.kind == edgeTake {
			c.taken[e.to] = true
		}
	}
	slices.SortFunc(c.edges, func(a, b edge) int { return cmp.Or(cmp.Compare(a.to, b.to), cmp.Compare(a.from, b.from)) })
	slices.SortStableFunc(c.writes, func(a, b use) int { return cmp.Compare(a.addr, b.addr) })
	return c
}

// takePointers notes the functions that words of data point to. Words of the global
// offset table are read by instructions that have their address, and by no others; what
// only compares one with something (glibc does, to see whether a signal interrupted
// a system call) does not call it.
func (c *code) takePointers() {
	table := map[uint64]uint64{}
	got := c.section(".got")
	for _, p := range c.pointers {
		if c.stretchOf(p.to) == nil {
			continue
		}
		if got != nil && p.at >= got.Addr && p.at-got.Addr < got.Size {
			table[p.at] = p.to
		} else {
			c.taken[uint32(p.to)] = true
			c.data = append(c.data, p.to)
		}
	}
	for _, u := range slices.Concat(c.reads, c.through) {
		if to, ok := table[uint64(u.addr)]; ok {
			c.connect(u.from, to, edgeTake)
		}
	}
}

// takeWords notes the functions whose address is in the data of a file that is
// loaded where it says, and so has no relocations for them.
func (c *code) takeWords() {
	if c.kind != elf.ET_EXEC {
		return
	}
	for i := range c.sections {
		s := &c.sections[i]
		if flags := elf.SectionFlag(s.Flags); flags&elf.SHF_ALLOC == 0 || flags&elf.SHF_EXECINSTR != 0 {
			continue
		}
		for b := c.content(s); len(b) >= 8; b = b[8:] {
			if to := binary.LittleEndian.Uint64(b); to < maxSpan && c.sure[to] {
				c.taken[uint32(to)] = true
			}
		}
	}
}

// sparseUnit is the mean size of functions, in bytes, above which tables evidently do
// not name most of them.
const sparseUnit = 4096

func (o *object) sparse() bool {
	var size int
	for _, s := range o.code {
		size += len(s.code)
	}
	return size/max(1, len(o.starts)) > sparseUnit
}

// callTargets makes a start of every address that is called.
func (o *object) callTargets() {
	var in inst
	for _, s := range o.code {
		for at := 0; at < len(s.code); at += in.size {
			o.step(&s, at, &in)
			if in.flow == flowCall && o.stretchOf(in.target) != nil && in.target%o.m.align == 0 {
				o.starts = append(o.starts, in.target)
			}
		}
	}
	o.seal()
}

// step decodes the instruction at an offset of a stretch. What is none is passed over
// by one step, and changes all registers.
func (o *object) step(s *stretch, at int, in *inst) {
	in.reset(s.addr + uint64(at))
	if o.m.decode(s.code[at:], in) && at+in.size <= len(s.code) {
		return
	}
	in.reset(s.addr + uint64(at))
	in.size, in.wiped = int(o.m.align), ^uint32(0)
}

// unitAt returns the index of the unit that an address is in, -1 if none.
func (c *code) unitAt(addr uint32) int {
	return sort.Search(len(c.units), func(i int) bool { return c.units[i] > addr }) - 1
}

// bounds returns the code of a unit.
func (c *code) bounds(i int) (s *stretch, from, to int) {
	start := uint64(c.units[i])
	if s = c.stretchOf(start); s == nil {
		return nil, 0, 0
	}
	end := s.end()
	if i+1 < len(c.units) {
		end = min(end, uint64(c.units[i+1]))
	}
	return s, int(start - s.addr), int(end - s.addr)
}

func (c *code) scanUnit(i int) {
	s, from, to := c.bounds(i)
	if s == nil {
		return
	}
	start, end := s.addr+uint64(from), s.addr+uint64(to)
	var in inst
	var pages pages
	for at := from; at < to; at += in.size {
		c.step(s, at, &in)
		pages.follow(c.m, &in)
		c.note(&in, start, end)
	}
}

// note keeps what an instruction of the unit from start to end says.
func (c *code) note(in *inst, start, end uint64) {
	pc := uint32(in.pc)
	switch in.flow {
	case flowSyscall:
		c.sites = append(c.sites, pc)
	case flowCall:
		c.connect(pc, in.target, edgeCall)
	case flowJump, flowBranch:
		if in.target < start || in.target >= end || in.target == start {
			c.connect(pc, in.target, edgeJump)
		}
	case flowCallIndirect, flowJumpIndirect:
		if in.through.kind == inAbs {
			c.through = append(c.through, use{pc, uint32(in.through.disp)})
		}
	}
	if in.ref != 0 && !in.wide {
		c.connect(pc, in.ref, edgeTake)
	}
	for _, d := range in.defs[:in.n] {
		if d.to.kind == inAbs && uint64(d.to.disp) < maxSpan {
			c.writes = append(c.writes, use{pc, uint32(d.to.disp)})
		}
		if d.from.kind == inAbs && uint64(d.from.disp) < maxSpan {
			c.reads = append(c.reads, use{pc, uint32(d.from.disp)})
		}
	}
}

func (c *code) connect(from uint32, to uint64, kind edgeKind) {
	if to%c.m.align == 0 && c.stretchOf(to) != nil {
		c.edges = append(c.edges, edge{from, uint32(to), kind})
	}
}

// incoming returns the edges that lead to an address.
func (c *code) incoming(addr uint32) []edge {
	i := sort.Search(len(c.edges), func(i int) bool { return c.edges[i].to >= addr })
	j := i
	for j < len(c.edges) && c.edges[j].to == addr {
		j++
	}
	return c.edges[i:j]
}

// pages follows addresses that arm64 makes of a page and what is added to it. It
// reads instructions in the order of their addresses, which is how compilers place
// the two. On amd64, where instructions have whole addresses, it does nothing.
type pages [32]uint64

func (p *pages) follow(m *machine, in *inst) {
	if m.name != "arm64" {
		return
	}
	for i := range in.defs[:in.n] {
		d := &in.defs[i]
		d.from, d.to = p.resolve(d.from), p.resolve(d.to)
		if d.to.kind != inReg {
			continue
		}
		var known uint64
		switch {
		case in.wide:
			known = in.ref
		case d.unknown || d.maybe:
		case d.from.kind == inReg && p.address(d.from.reg) != 0:
			known = p.address(d.from.reg) + uint64(d.add)
			in.ref = known
		case d.from.kind == inAbs:
			known = uint64(d.from.disp) | loadedMark
		}
		p[d.to.reg] = known
	}
	if in.through.kind == inReg && p[in.through.reg]&loadedMark != 0 {
		in.through = abs(p[in.through.reg] &^ loadedMark)
	}
	for r := range p {
		if in.wiped>>r&1 != 0 {
			p[r] = 0
		}
	}
}

// loadedMark tells that a register has what a word of memory holds, and not the
// word's address.
const loadedMark = 1 << 63

// address returns the address that a register has, 0 if that is not known.
func (p *pages) address(r int8) uint64 {
	if p[r]&loadedMark != 0 {
		return 0
	}
	return p[r]
}

// resolve makes memory at a known address of memory that a register points to.
func (p *pages) resolve(at place) place {
	if at.kind == inMem && p.address(at.reg) != 0 {
		return abs(p.address(at.reg) + uint64(at.disp))
	}
	return at
}
