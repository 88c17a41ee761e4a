package syscalls

// flow says where a processor goes after an instruction.
type flow uint8

const (
	flowNext         flow = iota
	flowJump              // to target
	flowBranch            // to target, or on
	flowCall              // target, and on when that returns
	flowReturn            //
	flowJumpIndirect      // to where a register or memory says
	flowCallIndirect      // likewise, and on
	flowTrap              // nowhere: ud2, hlt, brk
	flowSyscall           // into the kernel, and on
)

// onward reports whether the next instruction may be reached from this one.
func (f flow) onward() bool {
	return f != flowJump && f != flowReturn && f != flowJumpIndirect && f != flowTrap
}

// noReg is no register; others are numbered as the processor does, the stack
// pointer by its number of the architecture.
const noReg = -1

// A place holds a value: a register, memory that a register points to, or memory at
// a fixed address.
type place struct {
	kind placeKind
	reg  int8  // of a register; the base of memory
	disp int64 // from the base; the address
}

type placeKind uint8

const (
	inNone placeKind = iota
	inReg
	inMem
	inAbs
)

func reg(r int) place                { return place{kind: inReg, reg: int8(r)} }
func mem(base int, disp int64) place { return place{kind: inMem, reg: int8(base), disp: disp} }
func abs(addr uint64) place          { return place{kind: inAbs, disp: int64(addr)} }

// A def is one value that an instruction writes: a constant, or what another place
// holds, with a number added.
type def struct {
	to      place
	from    place // kind inNone: the value is add alone
	add     int64
	maybe   bool // the place may keep its value (cmov)
	unknown bool // nothing is known of the value
}

// inst is one decoded instruction, as far as it matters for where values come from.
type inst struct {
	pc      uint64
	size    int
	flow    flow
	target  uint64 // of a direct jump, branch or call
	through place  // of an indirect jump or call
	defs    [3]def
	n       int    // defs that are used
	wiped   uint32 // registers with a value that is not known afterwards, as bits
	ref     uint64 // an address that the instruction makes, 0 if none
	padding bool   // it does nothing, as what fills the space between blocks
	wide    bool   // arm64: ref is a page, the start of an address
}

func (in *inst) reset(pc uint64) {
	*in = inst{pc: pc}
}

func (in *inst) define(d def) {
	in.defs[in.n] = d
	in.n++
}

func (in *inst) wipe(regs ...int) {
	for _, r := range regs {
		if r >= 0 {
			in.wiped |= 1 << r
		}
	}
}

// A machine is what differs between architectures.
type machine struct {
	name     string // as GOARCH
	audit    string // as seccomp_arch_add(3) has it, SCMP_ARCH_*
	decode   func(code []byte, in *inst) bool
	align    uint64 // of instructions, bytes
	number   int    // register with the number of the system call
	argument int    // register with the first argument of a function
	sp       int
	pushes   int64  // bytes that a call puts on the stack
	scratch  uint32 // registers that a call leaves undefined (C's calling convention)
	results  uint32 // those of them with a result
	golang   bool   // the calling convention is Go's
	dataOf   map[uint32]relocKind
}

// relocKind is what a relocation puts into a word.
type relocKind uint8

const (
	relocOther    relocKind = iota
	relocSymbol             // the address of a symbol
	relocRelative           // an address in the file itself
	relocResolver           // what the function at an address returns (IRELATIVE)
)

func registers(regs ...int) uint32 {
	var m uint32
	for _, r := range regs {
		m |= 1 << r
	}
	return m
}

// forGo returns the machine with Go's calling convention (Go's internal ABI): a call
// leaves no register as it was but that of the stack, and may return values in any.
func (m *machine) forGo() *machine {
	g := *m
	g.golang = true
	g.scratch = ^uint32(1 << m.sp)
	g.results = g.scratch
	return &g
}
