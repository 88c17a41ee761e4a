package syscalls

import "strings"

// endlessNames are functions that do not return, so that what follows a call of them
// is not reached from it.
var endlessNames = map[string]bool{
	"abort": true, "exit": true, "_exit": true, "_Exit": true, "quick_exit": true, "longjmp": true, "siglongjmp": true, "__longjmp_chk": true,
	"pthread_exit": true, "__stack_chk_fail": true, "__chk_fail": true, "__fortify_fail": true, "__libc_fatal": true,
	"__assert_fail": true, "__assert_perror_fail": true, "err": true, "errx": true, "verr": true, "verrx": true,
	"_Unwind_Resume": true, "__cxa_throw": true, "__cxa_rethrow": true, "__cxa_bad_cast": true, "_ZSt9terminatev": true,
	"runtime.throw": true, "runtime.fatalthrow": true, "runtime.fatal": true, "runtime.goexit": true, "runtime.gopanic": true,
}

func endlessName(name string) bool {
	return endlessNames[name] || strings.Contains(name, "__throw_") || strings.HasPrefix(name, "runtime.panic")
}

// maxEndlessDepth bounds how far calls are followed to see whether one returns.
const maxEndlessDepth = 4

// endlessAt reports whether the function at an address never returns, following calls so
// deep.
func (c *code) endlessAt(addr uint32, depth int) bool {
	if known, ok := c.dead[addr]; ok {
		return known
	}
	if name := c.labels[uint64(addr)]; name != "" && endlessName(name) {
		c.dead[addr] = true
		return true
	}
	if depth == 0 || c.m.golang { // functions of Go's runtime leave by other ways
		return false // and not remembered: from elsewhere it may be seen
	}
	c.dead[addr] = false // of a recursion
	c.dead[addr] = !c.comesBack(addr, depth-1)
	return c.dead[addr]
}

// comesBack reports whether a return, or what may be one, is reached from an address.
func (c *code) comesBack(addr uint32, depth int) bool {
	number := c.unitAt(addr)
	if number < 0 {
		return true
	}
	u := c.unit(number)
	start := u.index(addr)
	if start < 0 {
		return true
	}
	seen := make([]bool, len(u.insts))
	work := []int{start}
	for len(work) > 0 {
		i := work[len(work)-1]
		work = work[:len(work)-1]
		if seen[i] {
			continue
		}
		seen[i] = true
		in := &u.insts[i]
		if c.leaves(u, in, depth) {
			return true
		}
		if to := u.index(uint32(in.target)); to >= 0 && (in.flow == flowJump || in.flow == flowBranch) {
			work = append(work, to)
		}
		if !in.flow.onward() || c.callsEndless(in, depth) {
			continue
		}
		if i == len(u.insts)-1 {
			return true // into the next function
		}
		work = append(work, i+1)
	}
	return false
}

// leaves reports whether the instruction may lead back to the caller.
func (c *code) leaves(u *unit, in *inst, depth int) bool {
	switch in.flow {
	case flowReturn:
		return true
	case flowJumpIndirect:
		return in.through.kind != inAbs || !endlessName(c.slots[uint64(in.through.disp)])
	case flowJump, flowBranch:
		return u.index(uint32(in.target)) < 0 && (c.stretchOf(in.target) == nil || !c.endlessAt(uint32(in.target), depth))
	}
	return false
}

func (c *code) callsEndless(in *inst, depth int) bool {
	switch in.flow {
	case flowCall:
		return c.stretchOf(in.target) != nil && c.endlessAt(uint32(in.target), depth)
	case flowCallIndirect:
		return in.through.kind == inAbs && endlessName(c.slots[uint64(in.through.disp)])
	}
	return false
}
