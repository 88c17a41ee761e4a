package syscalls

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// Where the number of a system call comes from, in machine code with its meaning.
func TestAnalyze(t *testing.T) {
	for _, test := range []struct {
		name, arch, code string
		starts           []uint64
		want             string // "number:function" each, or why it is not known
	}{
		{"immediate", "amd64", `b8 27000000  0f05  c3`, // mov eax,39; syscall; ret
			nil, "39:f"},
		{"zero", "amd64", `31c0 0f05 c3`, nil, "0:f"}, // xor eax,eax
		{"through registers", "amd64", // mov ebx,60; mov eax,ebx; syscall
			`bb 3c000000  89d8  0f05  c3`, nil, "60:f"},
		{"through the stack", "amd64", // push 9; pop rax; syscall
			`6a09 58 0f05 c3`, nil, "9:f"},
		{"through a frame", "amd64", // push rbp; mov rbp,rsp; mov dword [rbp-4],2; mov eax,[rbp-4]; syscall
			`55 4889e5 c745fc 02000000 8b45fc 0f05 5d c3`, nil, "2:f"},
		{"sum", "amd64", // mov eax,3; add eax,4; syscall
			`b8 03000000 83c004 0f05 c3`, nil, "7:f"},
		{"two branches", "amd64", // test edi,edi; jz +7; mov eax,1; jmp +5; mov eax,2; syscall
			`85ff 7407 b8 01000000 eb05 b8 02000000 0f05 c3`, nil, "1:f 2:f"},
		{"a conditional move", "amd64", // mov eax,1; mov ecx,2; cmove eax,ecx; syscall
			`b8 01000000 b9 02000000 0f44c1 0f05 c3`, nil, "1:f 2:f"},
		{"in a loop", "amd64", // mov ebx,202; L: mov eax,ebx; syscall; test eax,eax; jnz L; ret
			`bb ca000000 89d8 0f05 85c0 75f8 c3`, nil, "202:f"},
		{"vector code in between", "amd64", // mov eax,1; vmovdqu ymm0,[rsi]; vpcmpeqb ymm1,ymm0,[rdi]; vpmovmskb ecx,ymm1; vzeroupper; syscall
			`b8 01000000 c5fe6f06 c5fd740f c5fdd7c9 c5f877 0f05 c3`, nil, "1:f"},
		{"an argument", "amd64", // f0: mov eax,edi; syscall; ret   f1: mov edi,5; call f0; mov edi,6; jmp f0
			`89f8 0f05 c3  bf 05000000 e8 f1ffffff bf 06000000 e9 e7ffffff`, []uint64{0, 5}, "5:f1 6:f1"},
		{"an argument on the stack", "amd64", // f0: mov rax,[rsp+8]; syscall; ret   f1: push 42; call f0; pop rcx; ret
			`488b442408 0f05 c3  6a2a e8 f1ffffff 59 c3`, []uint64{0, 8}, "42:f1"},
		{"pushed from the stack", "amd64", // f0: mov rax,[rsp+8]; syscall; ret  f1: push [rsp+8]; call f0; pop rcx; ret  f2: push 42; call f1; pop rcx; ret
			`488b442408 0f05 c3  ff742408 e8 efffffff 59 c3  6a2a e8 eeffffff 59 c3`, []uint64{0, 8, 19}, "42:f2"},
		{"in a structure of the caller", "amd64", // f0: mov eax,[rdi]; syscall; ret  f1: sub rsp,16; mov rdi,rsp; mov dword [rsp],105; call f0; add rsp,16; ret
			`8b07 0f05 c3  4883ec10 4889e7 c70424 69000000 e8 e8ffffff 4883c410 c3`, []uint64{0, 5}, "105:f1"},
		{"in a variable", "amd64", // f0: mov eax,[rip+X]; syscall; ret   f1: mov dword [rip+X],7; ret
			`8b05 f81f0000 0f05 c3  c705 eb1f0000 07000000 c3`, []uint64{0, 9}, "7:f1"},
		{"what a function returns", "amd64", // call f1; syscall; ret   f1: ret
			`e8 03000000 0f05 c3 c3`, []uint64{0, 8}, "f0: it is what a function returns"},
		{"computed", "amd64", // imul eax,edi; syscall
			`0fafc7 0f05 c3`, nil, "f: it is computed"},
		{"after a function that does not return", "amd64", // f0: jmp +5; call f1; mov eax,1... f1: ud2
			`b8 01000000 eb05 e8 03000000 0f05 c3 0f0b`, []uint64{0, 15}, "1:f0"},
		{"a function that nothing calls", "amd64", // f0: ret  f1: mov eax,edi; syscall; ret
			`c3 89f8 0f05 c3`, []uint64{0, 1}, ""},
		{"entered by anybody", "amd64", `89f8 0f05 c3`, nil, "f: it is an argument of a function that is called through a pointer or from another file"},
		{"no system call at all", "amd64", `31c0 c3`, nil, ""},
		{"through a pointer", "amd64", // f0: lea rax,[rip+f1]; mov edi,5; call rax; mov edi,[rsi]; call rax; ret  f1: mov eax,edi; syscall; ret
			`488d05 0c000000 bf 05000000 ffd0 8b3e ffd0 c3  89f8 0f05 c3`, []uint64{0, 19}, "5:f0"},
		{"a switch", "amd64", // jmp rax; A: mov eax,1; jmp S; B: mov eax,2; S: syscall; ret
			`ffe0 b8 01000000 eb05 b8 02000000 0f05 c3`, nil, "1:f 2:f"},

		{"immediate", "arm64", `a80780d2 010000d4 c0035fd6`, nil, "61:f"},                   // mov x8,61; svc 0; ret
		{"a mask", "arm64", `e80b7db2 010000d4 c0035fd6`, nil, "56:f"},                      // orr x8,xzr,56
		{"through a register", "arm64", `a10780d2 e80301aa 010000d4 c0035fd6`, nil, "61:f"}, // mov x1,61; mov x8,x1
		{"through the stack", "arm64", // mov x1,61; str x1,[sp,-16]!; ldr x8,[sp],16; svc
			`a10780d2 e10f1ff8 e80741f8 010000d4 c0035fd6`, nil, "61:f"},
		{"a selection", "arm64", // mov x1,1; mov x2,2; csel x8,x1,x2,eq; svc
			`210080d2 420080d2 2800829a 010000d4 c0035fd6`, nil, "1:f 2:f"},
		{"an argument", "arm64", // f0: mov x8,x0; svc; ret   f1: mov x0,5; b f0
			`e80300aa 010000d4 c0035fd6  a00080d2 fcffff17`, []uint64{0, 12}, "5:f1"},
		{"a pair", "arm64", // mov x1,7; stp x1,x0,[sp,-16]!; ldp x8,x2,[sp],16; svc
			`e10080d2 e103bfa9 e80bc1a8 010000d4 c0035fd6`, nil, "7:f"},
	} {
		t.Run(test.arch+" "+test.name, func(t *testing.T) {
			starts := test.starts
			if starts == nil {
				starts = []uint64{0}
			}
			f, err := Analyze(program(t, test.arch, test.code, starts...))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, c := range f.Calls {
				function := c.Function
				if test.starts == nil {
					function = "f"
				}
				if c.Number < 0 {
					got = append(got, function+": "+c.Why)
				} else {
					got = append(got, fmt.Sprintf("%d:%s", c.Number, function))
				}
			}
			if strings.Join(got, " ") != test.want {
				t.Errorf("got %q, expected %q", strings.Join(got, " "), test.want)
			}
		})
	}
}

func TestAnalyzeRefuses(t *testing.T) {
	good := program(t, "amd64", "c3")
	change := func(at int, b ...byte) []byte {
		bad := slices.Clone(good)
		copy(bad[at:], b)
		return bad
	}
	for name, test := range map[string]struct {
		data []byte
		want error
	}{
		"empty":             {nil, ErrNotELF},
		"text":              {[]byte(strings.Repeat("x", 100)), ErrNotELF},
		"32 bits":           {change(4, 1), ErrNotELF},
		"big-endian":        {change(5, 2), ErrNotELF},
		"another machine":   {change(18, 22, 0), ErrNotELF},
		"an object file":    {change(16, 1), ErrNotELF},
		"no segments":       {change(56, 0, 0), errMalformed},
		"segments outside":  {change(32, 0xff, 0xff, 0xff), errMalformed},
		"content outside":   {change(64+32, 0xff, 0xff, 0xff, 0xff), errMalformed},
		"less in memory":    {change(64+40, 1, 0, 0, 0), errMalformed},
		"address too large": {change(64+16, 0, 0, 0, 0, 0xff), errMalformed},
	} {
		if _, err := Analyze(test.data); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, expected %v", name, err, test.want)
		}
	}
}

// The test itself is a Go program, whose system calls the runtime makes with numbers
// in assembly code, and the rest through three functions that take the number.
func TestAnalyzeGo(t *testing.T) {
	name, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	f, err := Analyze(data)
	if err != nil {
		t.Fatal(err)
	}
	numbers := Numbers(runtime.GOARCH)
	for _, name := range []string{"futex", "openat", "pread64", "getdents64", "exit_group", "mmap", "epoll_pwait"} {
		if !slices.ContainsFunc(f.Calls, func(c Call) bool { return c.Number == numbers[name] && c.Function != "" }) {
			t.Errorf("%s is not found", name)
		}
	}
	for _, c := range f.Calls {
		if c.Number < 0 {
			t.Errorf("%s: the number is not known: %s", c.Function, c.Why)
		}
	}
	if len(f.Calls) > 150 {
		t.Errorf("%d system calls", len(f.Calls))
	}
}

// renamed are functions of glibc that make another call than the one of their name.
var renamed = map[string]string{
	"adjtimex": "clock_adjtime", "creat": "openat", "eventfd": "eventfd2", "fork": "clone", "fstat": "newfstatat", "futimesat": "utimensat",
	"getrlimit": "prlimit64", "lstat": "newfstatat", "mknod": "mknodat", "nanosleep": "clock_nanosleep", "open": "openat", "pipe": "pipe2", "poll": "ppoll",
	"select": "pselect6", "semop": "semtimedop", "setrlimit": "prlimit64", "signalfd": "signalfd4", "stat": "newfstatat", "utime": "utimensat", "utimes": "utimensat",
	"vfork": "clone", "exit": "exit_group", "pause": "ppoll", "inotify_init": "inotify_init1", "epoll_create": "epoll_create1", "access": "faccessat", "dup2": "dup3",
	"syslog": "sendto", "getpmsg": "", "putpmsg": "", // which writes to the log, or is of no use on Linux
	"time": "", "gettimeofday": "", "clock_gettime": "", "getcpu": "", // of the vdso
}

// Every function of this machine's C library that has the name of a system call leads to
// that call.
func TestCLibrary(t *testing.T) {
	for _, name := range []string{"/lib/x86_64-linux-gnu/libc.so.6", "/lib/aarch64-linux-gnu/libc.so.6"} {
		data, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		checkCLibrary(t, data)
		return
	}
	t.Skip("SKIPPED: needs glibc on the host, where Debian has it: no C library was analyzed")
}

func checkCLibrary(t *testing.T, data []byte) {
	f, err := Analyze(data)
	if err != nil {
		t.Fatal(err)
	}
	numbers := Numbers(f.Arch)
	checked := 0
	for name := range f.Exports {
		if _, ok := numbers[name]; !ok {
			continue
		}
		checked++
		calls := map[string]bool{"": true}
		for _, c := range Reach(f.Arch, []Program{{Path: "/libc", File: &File{Arch: f.Arch, Functions: f.Functions, Exports: f.Exports}}, {Path: "/bin/x", File: &File{Arch: f.Arch, Imports: []string{name}}}}).Calls {
			if c.Reason.File != "" {
				calls[c.Name] = true
			}
		}
		other, ok := renamed[name]
		if !calls[name] && !(ok && calls[other]) {
			t.Errorf("function %s does not lead to the system call: %v", name, calls)
		}
	}
	if checked < 200 {
		t.Errorf("%d functions have the name of a system call", checked)
	}
	for _, function := range f.Functions {
		for _, c := range function.Calls {
			if c.Number < 0 {
				t.Errorf("%s: %s", function.Name, c.Why)
			}
		}
	}
}
