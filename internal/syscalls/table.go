package syscalls

import (
	_ "embed"
	"slices"
	"strconv"
	"strings"
	"sync"
)

//go:generate go run testdata/generate.go

//go:embed table.txt
var tableText string

// systemCall is one line of the table.
type systemCall struct {
	name    string
	numbers map[string]int // by architecture
	plain   bool           // Docker's default profile allows it without a capability
}

var table = sync.OnceValue(func() []systemCall {
	var list []systemCall
	for line := range strings.Lines(tableText) {
		f := strings.Fields(line)
		if len(f) != 4 || f[0] == "#" {
			continue
		}
		c := systemCall{name: f[0], numbers: map[string]int{}, plain: f[3] == "+"}
		for i, arch := range []string{"amd64", "arm64"} {
			if n, err := strconv.Atoi(f[1+i]); err == nil {
				c.numbers[arch] = n
			}
		}
		list = append(list, c)
	}
	return list
})

// byNumber has the system calls of an architecture.
func byNumber(arch string) map[int]*systemCall {
	m := map[int]*systemCall{}
	list := table()
	for i := range list {
		if n, ok := list[i].numbers[arch]; ok {
			m[n] = &list[i]
		}
	}
	return m
}

// Names returns the system calls of an architecture (GOARCH), sorted: all that Linux
// has, and those of them that Docker's default profile lets a container without
// capabilities make.
func Names(arch string) (all, plain []string) {
	for _, c := range table() {
		if _, ok := c.numbers[arch]; ok {
			all = append(all, c.name)
			if c.plain {
				plain = append(plain, c.name)
			}
		}
	}
	slices.Sort(all)
	slices.Sort(plain)
	return all, plain
}

// Architecture returns the name that seccomp_arch_add(3) has for a GOARCH, "" for one
// whose instructions this package does not know.
func Architecture(arch string) string {
	for _, m := range []*machine{amd64, arm64} {
		if m.name == arch {
			return m.audit
		}
	}
	return ""
}

// Numbers returns the numbers of an architecture's system calls (GOARCH), by name.
func Numbers(arch string) map[string]int {
	numbers := map[string]int{}
	for n, c := range byNumber(arch) {
		numbers[c.name] = n
	}
	return numbers
}
