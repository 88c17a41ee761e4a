package profile

import (
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/syscalls"
)

// Seccomp is what a seccomp profile was computed from, and what it came to.
type Seccomp struct {
	Arch    string `json:"arch"`
	Allowed int    `json:"allowed"` // system calls that the profile allows
	Default int    `json:"default"` // those that Docker's default profile allows on the architecture
	All     int    `json:"all"`     // those that Linux has on the architecture
	// Calls are the allowed ones with the reason of each.
	Calls []syscalls.Reached `json:"calls"`
	// Refused are those that a program of the image could make, but no container
	// without capabilities may.
	Refused []syscalls.Reached `json:"refused,omitempty"`

	reached *syscalls.Result
}

// seccomp computes what the programs call. Where the number of a call is not known,
// all that Docker's default profile allows is allowed.
func seccomp(arch string, programs []syscalls.Program, f *Facts) *Seccomp {
	all, plain := syscalls.Names(arch)
	res := syscalls.Reach(arch, programs)
	s := &Seccomp{Arch: arch, Default: len(plain), All: len(all), reached: res}
	isPlain := map[string]bool{}
	for _, name := range plain {
		isPlain[name] = true
	}
	reached := map[string]bool{}
	for _, c := range res.Calls {
		reached[c.Name] = true
		if isPlain[c.Name] {
			s.Calls = append(s.Calls, c)
		} else {
			s.Refused = append(s.Refused, c)
		}
	}
	if len(res.Unknown) > 0 {
		u := res.Unknown[0]
		f.unknown("which system call %s makes in %v (%s): all are allowed that Docker's default profile allows", u.File, u.Chain, u.Why)
		for _, name := range plain {
			if !reached[name] {
				s.Calls = append(s.Calls, syscalls.Reached{Name: name, Reason: u})
			}
		}
		slices.SortFunc(s.Calls, func(a, b syscalls.Reached) int { return strings.Compare(a.Name, b.Name) })
	}
	for _, file := range res.Foreign {
		f.unknown("which functions %s calls: scripts name them (foreign function interface); of those that no file of the image imports the system calls are not allowed", file)
	}
	s.Allowed = len(s.Calls)
	return s
}

// seccompDoc is a profile as Docker, Podman, CRI-O and containerd read it, with the
// members only that the OCI runtime spec has too (config-linux.md, Seccomp).
type seccompDoc struct {
	DefaultAction   string        `json:"defaultAction"`
	DefaultErrnoRet int           `json:"defaultErrnoRet"`
	Architectures   []string      `json:"architectures"`
	Syscalls        []seccompRule `json:"syscalls"`
}

type seccompRule struct {
	Names    []string     `json:"names"`
	Action   string       `json:"action"`
	ErrnoRet *int         `json:"errnoRet,omitempty"`
	Args     []seccompArg `json:"args,omitempty"`
}

type seccompArg struct {
	Index    uint   `json:"index"`
	Value    uint64 `json:"value"`
	ValueTwo uint64 `json:"valueTwo,omitempty"`
	Op       string `json:"op"`
}

// Errors of errno(3), which are the same numbers on both architectures.
const (
	ePERM  = 1
	eNOSYS = 38
)

// namespaces are the flags of clone(2) that make namespaces.
const namespaces = 0x7e020000

// conditions are those of Docker's default profile, for calls that it allows with some
// arguments only.
var conditions = map[string][]seccompArg{
	"clone": {{Index: 0, Value: namespaces, Op: "SCMP_CMP_MASKED_EQ"}},
	// AF_ALG (38) and AF_VSOCK (40) are not for containers.
	"socket": {
		{Index: 0, Value: 38, Op: "SCMP_CMP_LT"}, {Index: 0, Value: 39, Op: "SCMP_CMP_EQ"}, {Index: 0, Value: 40, Op: "SCMP_CMP_GT"},
	},
	"personality": {
		{Index: 0, Value: 0x0, Op: "SCMP_CMP_EQ"}, {Index: 0, Value: 0x8, Op: "SCMP_CMP_EQ"}, {Index: 0, Value: 0x20000, Op: "SCMP_CMP_EQ"},
		{Index: 0, Value: 0x20008, Op: "SCMP_CMP_EQ"}, {Index: 0, Value: 0xffffffff, Op: "SCMP_CMP_EQ"},
	},
}

// document writes the profile. What no program reaches does not exist for it: ENOSYS
// is what programs and libraries have a second way for, where EPERM makes them give
// up. What needs a capability is refused as the kernel would.
func (s *Seccomp) document() seccompDoc {
	perm, nosys := ePERM, eNOSYS
	plain := seccompRule{Action: "SCMP_ACT_ALLOW"}
	refused := seccompRule{Action: "SCMP_ACT_ERRNO", ErrnoRet: &perm}
	absent := seccompRule{Action: "SCMP_ACT_ERRNO", ErrnoRet: &nosys}
	var conditional []seccompRule
	for _, c := range s.Calls {
		args := conditions[c.Name]
		if args == nil {
			plain.Names = append(plain.Names, c.Name)
		}
		for _, a := range args {
			conditional = append(conditional, seccompRule{Names: []string{c.Name}, Action: "SCMP_ACT_ALLOW", Args: []seccompArg{a}})
		}
	}
	for _, c := range s.Refused {
		if c.Name == "clone3" { // whose flags no filter sees; programs then use clone
			absent.Names = append(absent.Names, c.Name)
		} else {
			refused.Names = append(refused.Names, c.Name)
		}
	}
	doc := seccompDoc{DefaultAction: "SCMP_ACT_ERRNO", DefaultErrnoRet: eNOSYS, Architectures: []string{syscalls.Architecture(s.Arch)}}
	doc.Syscalls = append(append(doc.Syscalls, plain), conditional...)
	for _, r := range []seccompRule{refused, absent} {
		if len(r.Names) > 0 {
			doc.Syscalls = append(doc.Syscalls, r)
		}
	}
	return doc
}
