package syscalls

import (
	"cmp"
	"debug/elf"
	"fmt"
	"maps"
	"slices"
)

// syscallFunction is the function of a C library that makes the system call whose
// number is its argument (syscall(2)).
const syscallFunction = "syscall"

// File is what an ELF file says of the system calls that it may make. It is what is
// remembered of a file, and so depends on nothing but its content.
type File struct {
	Arch string `json:"arch"` // as GOARCH: "amd64" or "arm64"
	// Problem says why nothing is known of the file: it is malformed, or for another machine.
	Problem string   `json:"problem,omitempty"`
	Interp  string   `json:"interp,omitempty"`
	Soname  string   `json:"soname,omitempty"`
	Needed  []string `json:"needed,omitempty"`

	// Imports are the functions and variables of other files that it uses.
	Imports []string `json:"imports,omitempty"`
	// Names are words of its data that it may look functions up by (dlsym(3)).
	Names []string `json:"names,omitempty"`
	// Calls are the system calls that its own instructions make. Of a C library,
	// Functions has them.
	Calls []Call `json:"calls,omitempty"`
	// Functions are those of a C library, of which each program reaches some.
	Functions []Function `json:"functions,omitempty"`
	// Always are the indexes of functions that every program reaches.
	Always []int `json:"always,omitempty"`
	// Exports are the indexes of functions that programs call by name.
	Exports map[string]int `json:"exports,omitempty"`
}

// Call is a system call that instructions of a file may make.
type Call struct {
	Number   int    `json:"number"`             // -1 if it is not known
	Function string `json:"function,omitempty"` // that says the number
	Why      string `json:"why,omitempty"`      // the number is not known
}

// Function is a function of a C library.
type Function struct {
	Name  string `json:"name,omitempty"`
	Calls []Call `json:"calls,omitempty"` // of its own instructions
	Next  []int  `json:"next,omitempty"`  // functions that it calls or takes the address of
}

// Analyze reads an ELF file. What it returns holds for whatever a program does that
// keeps to the ABI: a number may be passed in registers, on the stack, and in
// variables, but not in memory that several pointers lead to. The error wraps
// [ErrNotELF] for what is no program or library of a known architecture.
func Analyze(data []byte) (*File, error) {
	o, err := parse(data)
	if err != nil {
		return nil, err
	}
	f := &File{Arch: o.m.name, Interp: o.interp, Soname: o.soname, Needed: o.needed}
	defined := map[string]uint64{}
	for _, s := range o.symbols {
		switch {
		case s.name == "":
		case !s.defined:
			f.Imports = append(f.Imports, s.name)
		case s.kind == elf.STT_FUNC || s.kind == elf.STT_GNU_IFUNC:
			if _, ok := defined[s.name]; !ok {
				defined[s.name] = s.addr
			}
		}
	}
	slices.Sort(f.Imports)
	f.Imports = slices.Compact(f.Imports)
	f.Names = o.lookups(f.Imports)
	if len(o.code) == 0 {
		return f, nil
	}
	c := scan(o)
	calls := c.calls()
	_, hasSyscall := defined[syscallFunction]
	if _, hasStart := defined["__libc_start_main"]; hasSyscall && hasStart && o.kind == elf.ET_DYN {
		c.graph(f, calls, defined)
		return f, nil
	}
	for _, list := range calls {
		f.Calls = append(f.Calls, list...)
	}
	f.Calls = unique(f.Calls)
	return f, nil
}

// unique leaves one reason for each number, the first by name.
func unique(calls []Call) []Call {
	slices.SortFunc(calls, func(a, b Call) int {
		return cmp.Or(cmp.Compare(a.Number, b.Number), cmp.Compare(a.Function, b.Function), cmp.Compare(a.Why, b.Why))
	})
	return slices.CompactFunc(calls, func(a, b Call) bool { return a.Number == b.Number && a.Number >= 0 || a == b })
}

// calls returns the system calls of each function, by the index of its unit.
func (c *code) calls() map[int][]Call {
	calls := map[int][]Call{}
	for _, pc := range c.sites {
		c.collect(calls, pc, reg(c.m.number))
	}
	// Calls of the C library's function syscall, through the word with its address.
	for _, u := range c.through {
		if c.slots[uint64(u.addr)] == syscallFunction {
			c.collect(calls, u.from, reg(c.m.argument))
		}
	}
	for _, u := range c.reads {
		if c.slots[uint64(u.addr)] == syscallFunction && !c.jumpsThrough(u) {
			c.collectLoaded(calls, u.from)
		}
	}
	if c.kept[syscallFunction] {
		calls[-1] = append(calls[-1], Call{Number: -1, Why: "the address of the function syscall is in its data"})
	}
	return calls
}

// jumpsThrough reports whether the load is a part of a jump through the word, of
// which arm64 makes several instructions.
func (c *code) jumpsThrough(load use) bool {
	const near = 16 // bytes
	return slices.ContainsFunc(c.through, func(u use) bool { return u.addr == load.addr && u.from-load.from <= near })
}

// collectLoaded is about a function that has the address of syscall in a register:
// any of its calls through a register may be the one.
func (c *code) collectLoaded(calls map[int][]Call, pc uint32) {
	number := c.unitAt(pc)
	some := false
	for _, in := range c.unit(number).insts {
		if (in.flow == flowCallIndirect || in.flow == flowJumpIndirect) && in.through.kind == inReg {
			c.collect(calls, uint32(in.pc), reg(c.m.argument))
			some = true
		}
	}
	if !some {
		calls[number] = append(calls[number], Call{Number: -1, Function: c.name(pc), Why: "it keeps the address of the function syscall"})
	}
}

// maxNumber is above all numbers of system calls.
const maxNumber = 1 << 12

// collect traces the number of a system call and gives each value to the function
// that says it, which is a caller where the number is an argument.
func (c *code) collect(calls map[int][]Call, pc uint32, where place) {
	for _, f := range c.trace(pc, where) {
		if f.argument {
			continue
		}
		call := Call{Number: int(uint32(f.value)), Function: c.name(f.at), Why: f.why}
		if call.Why != "" {
			call.Number = -1
		} else if call.Number >= maxNumber {
			continue // the kernel has none of that number
		}
		number := c.unitAt(f.at)
		calls[number] = append(calls[number], call)
	}
}

// name returns the name of the function that an address is in, or its address.
func (c *code) name(pc uint32) string {
	number := c.unitAt(pc)
	if number < 0 {
		return fmt.Sprintf("%#x", pc)
	}
	start := uint64(c.units[number])
	if name := c.labels[start]; name != "" {
		return name
	}
	return fmt.Sprintf("%#x", start)
}

// graph fills in the functions of a C library.
func (c *code) graph(f *File, calls map[int][]Call, defined map[string]uint64) {
	f.Functions = make([]Function, len(c.units))
	for i := range c.units {
		if name := c.labels[uint64(c.units[i])]; name != "" {
			f.Functions[i].Name = name
		} else {
			f.Functions[i].Name = fmt.Sprintf("%#x", c.units[i])
		}
		f.Functions[i].Calls = unique(calls[i])
	}
	next := func(from uint32, to int) {
		i := c.unitAt(from)
		if to >= 0 && i >= 0 && i != to {
			f.Functions[i].Next = append(f.Functions[i].Next, to)
		}
	}
	for _, e := range c.edges {
		next(e.from, c.unitAt(e.to))
	}
	for _, u := range slices.Concat(c.through, c.reads) {
		if addr, ok := defined[c.slots[uint64(u.addr)]]; ok {
			next(u.from, c.unitAt(uint32(addr)))
		}
	}
	// What runs on from one function into the next.
	for i := 1; i < len(c.units); i++ {
		if insts := c.unit(i - 1).insts; len(insts) > 0 && c.runsOn(insts) {
			next(c.units[i-1], i)
		}
	}
	for i := range f.Functions {
		slices.Sort(f.Functions[i].Next)
		f.Functions[i].Next = slices.Compact(f.Functions[i].Next)
	}
	c.roots(f, defined)
}

// runsOn reports whether the last of the instructions leads to the one after it.
func (c *code) runsOn(insts []inst) bool {
	last := &insts[len(insts)-1]
	return last.flow.onward() && !c.callsEndless(last, maxEndlessDepth)
}

// roots fills in where programs enter a C library.
func (c *code) roots(f *File, defined map[string]uint64) {
	f.Exports = map[string]int{}
	for name, addr := range defined {
		if i := c.unitAt(uint32(addr)); c.stretchOf(addr) != nil && i >= 0 {
			f.Exports[name] = i
		}
	}
	always := map[int]bool{}
	for _, addr := range slices.Concat(c.data, c.initial) {
		if c.stretchOf(addr) != nil {
			always[c.unitAt(uint32(addr))] = true
		}
	}
	f.Always = slices.Sorted(maps.Keys(always))
}
