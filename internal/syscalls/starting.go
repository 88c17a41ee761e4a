package syscalls

// These are made by no file of an image.
var starting = []struct {
	why   string
	names []string
}{
	{"the kernel makes it for a program, at its end, after a signal, or when a call goes on", []string{"exit", "exit_group", "rt_sigreturn", "restart_syscall"}},
	{"the kernel's own code in every process (vdso(7)) falls back on it", []string{
		"clock_getres", "clock_gettime", "getcpu", "getrandom", "gettimeofday", "time",
	}},
	// runc's init process loads the filter, and then (libcontainer/standard_init_linux.go,
	// setns_init_linux.go) opens the pipe that it waits for and executes the program.
	// It is written in Go, whose runtime goes on meanwhile.
	{"runc executes the program, with the filter in force already", []string{
		"close", "close_range", "execve", "faccessat", "faccessat2", "fcntl", "fstat", "getdents64", "getpid", "getppid", "gettid",
		"lseek", "newfstatat", "openat", "openat2", "read", "readlinkat", "write",
	}},
	{"runc is a Go program, with the filter in force already", []string{
		"clone", "epoll_create1", "epoll_ctl", "epoll_pwait", "eventfd2", "futex", "madvise", "mmap", "mprotect", "munmap", "nanosleep", "pipe2",
		"rt_sigaction", "rt_sigprocmask", "sched_getaffinity", "sched_yield", "sigaltstack", "tgkill",
	}},
	// Where privileges may be gained later, the filter comes before these
	// (libcontainer/init_linux.go, finalizeNamespace).
	{"runc takes the user and the capabilities, with the filter in force already unless no-new-privileges is set", []string{
		"capget", "capset", "chdir", "fchown", "fstatfs", "getcwd", "getuid", "getgid", "prctl", "setgid", "setgroups", "setuid",
	}},
}

// starting adds what it takes to start and end any program.
func (r *reach) starting() {
	known := map[string]int{}
	for n, c := range r.numbers {
		known[c.name] = n
	}
	for _, s := range starting {
		for _, name := range s.names {
			if n, ok := known[name]; ok {
				r.add(Call{Number: n}, Reason{Why: s.why})
			}
		}
	}
}
