package syscalls

import (
	"cmp"
	"maps"
	"path"
	"slices"
	"strings"
)

// Program is a file of an image that was analyzed.
type Program struct {
	Path string // absolute
	*File
}

// Reason says why a system call may be made.
type Reason struct {
	File string `json:"file,omitempty"` // that makes it, or whose import leads to it
	// Chain are the functions that lead to it, the first one of File, the others of
	// the C library.
	Chain []string `json:"chain,omitempty"`
	// Why is a reason that is in no file of the image.
	Why string `json:"why,omitempty"`
}

// Reached is a system call that programs may make.
type Reached struct {
	Name   string `json:"name"`
	Number int    `json:"number"`
	Reason Reason `json:"reason"` // of several one with a short chain
}

// Result is what the programs of an image may do.
type Result struct {
	Arch    string    `json:"arch"`
	Calls   []Reached `json:"calls"`             // by name
	Unknown []Reason  `json:"unknown,omitempty"` // calls with a number that is not known
	// Foreign are files that call functions by names that scripts choose.
	Foreign []string `json:"foreign,omitempty"`
}

// node is a function of a C library.
type node struct{ library, function int }

// reach is a search from the programs through the C libraries.
type reach struct {
	programs  []Program
	libraries []int // indexes of C libraries
	numbers   map[int]*systemCall
	found     map[string]Reached
	unknown   []Reason
	seen      map[node]bool
	from      map[node]node   // which function led to one
	first     map[node]Reason // what led from outside
	queue     []node
}

// Reach returns the system calls that the programs, all of one architecture, may make
// together, and those that starting them takes.
func Reach(arch string, programs []Program) *Result {
	r := &reach{
		numbers: byNumber(arch), found: map[string]Reached{},
		seen: map[node]bool{}, from: map[node]node{}, first: map[node]Reason{},
	}
	for _, p := range programs {
		if p.Arch == arch {
			r.programs = append(r.programs, p)
		}
	}
	slices.SortFunc(r.programs, func(a, b Program) int { return cmp.Compare(a.Path, b.Path) })
	for i, p := range r.programs {
		if p.Functions != nil {
			r.libraries = append(r.libraries, i)
		}
	}
	for _, p := range r.programs {
		r.direct(p)
	}
	r.search()
	r.starting()
	res := &Result{Arch: arch, Unknown: r.unknown}
	for _, name := range slices.Sorted(maps.Keys(r.found)) {
		res.Calls = append(res.Calls, r.found[name])
	}
	for _, p := range r.programs {
		if slices.Contains(p.Imports, "ffi_call") {
			res.Foreign = append(res.Foreign, p.Path)
		}
	}
	return res
}

func (r *reach) add(call Call, why Reason) {
	if call.Number < 0 {
		why.Why = call.Why
		r.unknown = append(r.unknown, why)
		return
	}
	c := r.numbers[call.Number]
	if c == nil {
		return // the kernel does not have it
	}
	if _, ok := r.found[c.name]; !ok {
		r.found[c.name] = Reached{Name: c.name, Number: call.Number, Reason: why}
	}
}

// direct takes what a file does itself, and the functions of the C libraries that it
// names. A C library's own data may point to functions, too.
func (r *reach) direct(p Program) {
	for _, call := range p.Calls {
		why := Reason{File: p.Path}
		if call.Function != "" {
			why.Chain = []string{call.Function}
		}
		r.add(call, why)
	}
	for _, l := range r.libraries {
		library := r.programs[l]
		for _, name := range slices.Concat(p.Imports, p.Names) {
			if f, ok := library.Exports[name]; ok {
				r.enter(node{l, f}, Reason{File: p.Path, Chain: []string{name}})
			}
		}
		if library.Path == p.Path {
			for _, f := range p.Always {
				r.enter(node{l, f}, Reason{File: p.Path})
			}
		}
	}
}

func (r *reach) enter(n node, why Reason) {
	if !r.seen[n] {
		r.seen[n] = true
		r.first[n] = why
		r.queue = append(r.queue, n)
	}
}

// search goes through the C libraries breadth first, so that chains are short.
func (r *reach) search() {
	for len(r.queue) > 0 {
		n := r.queue[0]
		r.queue = r.queue[1:]
		library := r.programs[n.library]
		if n.function < 0 || n.function >= len(library.Functions) {
			continue
		}
		f := &library.Functions[n.function]
		for _, call := range f.Calls {
			r.add(call, r.chain(n))
		}
		for _, to := range f.Next {
			next := node{n.library, to}
			if !r.seen[next] {
				r.seen[next] = true
				r.from[next] = n
				r.queue = append(r.queue, next)
			}
		}
	}
}

// chain returns how a function was reached.
func (r *reach) chain(n node) Reason {
	var names []string
	for {
		library := r.programs[n.library]
		names = append(names, path.Base(library.Path)+":"+library.Functions[n.function].Name)
		if first, ok := r.first[n]; ok {
			slices.Reverse(names)
			return Reason{File: first.File, Chain: slices.Concat(first.Chain, names)}
		}
		n = r.from[n]
	}
}

// String returns the reason on one line: the file, and the functions from the first to
// the one that makes the call.
func (r Reason) String() string {
	if r.File == "" {
		return r.Why
	}
	s := r.File
	if len(r.Chain) > 0 {
		s += ": " + strings.Join(r.Chain, " -> ")
	}
	if r.Why != "" {
		s += " (" + r.Why + ")"
	}
	return s
}
