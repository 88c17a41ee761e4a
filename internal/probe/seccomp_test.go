//go:build linux && amd64

package probe

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// confinedVariable has the test binary become the probe under a filter.
const confinedVariable = "HARDPAN_PROBE_CONFINED"

func TestMain(m *testing.M) {
	if os.Getenv(confinedVariable) != "" {
		fmt.Fprintln(os.Stderr, becomeConfined(os.Args[1:]))
		os.Exit(125)
	}
	os.Exit(m.Run())
}

// calls are all that the probe asks of Linux.
var calls = []uint32{
	unix.SYS_SOCKET, unix.SYS_CONNECT, unix.SYS_GETSOCKOPT, unix.SYS_SENDMSG, unix.SYS_READ, unix.SYS_CLOSE,
	unix.SYS_PPOLL, unix.SYS_CLOCK_GETTIME, unix.SYS_WRITE, unix.SYS_EXIT_GROUP,
}

// becomeConfined replaces this process by args under a seccomp filter that kills it
// for any call but [calls] (seccomp(2)).
func becomeConfined(args []string) error {
	runtime.LockOSThread()
	path, err := syscall.BytePtrFromString(args[0])
	if err != nil {
		return err
	}
	argv, err := syscall.SlicePtrFromStrings(args)
	if err != nil {
		return err
	}
	env := []*byte{nil}
	// To get there this process starts a program, and may handle a signal before.
	allowed := append([]uint32{unix.SYS_EXECVE, unix.SYS_RT_SIGRETURN}, calls...)
	filter := []unix.SockFilter{{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}} // the number of the call
	for _, n := range allowed {
		filter = append(filter, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: n},
			unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW})
	}
	filter = append(filter, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_KILL_PROCESS})
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&program))); errno != 0 {
		return errno
	}
	_, _, errno := unix.RawSyscall(unix.SYS_EXECVE, uintptr(unsafe.Pointer(path)), uintptr(unsafe.Pointer(&argv[0])), uintptr(unsafe.Pointer(&env[0])))
	return errno
}

// TestSeccomp runs the probe under a filter that kills it for whatever else it asks
// of Linux than to talk to a socket.
func TestSeccomp(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	probe := native(t)
	for _, test := range answers {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			l := serve(t, "tcp4", "127.0.0.1:0", test.answer)
			cmd := exec.CommandContext(t.Context(), self, probe, "-t", timeoutFor(test.want), "http://localhost:"+port(l)+"/")
			cmd.Env = []string{confinedVariable + "=1"}
			want := 0
			if test.want != "" {
				want = 1
			}
			if code, out := finish(t, cmd); code != want {
				t.Errorf("exit code %d and %q, expected %d", code, out, want)
			}
		})
	}
	t.Run("the filter works", func(t *testing.T) {
		echo, err := exec.LookPath("echo")
		if err != nil {
			t.Skip("the host has no echo to compare with")
		}
		cmd := exec.CommandContext(t.Context(), self, echo)
		cmd.Env = []string{confinedVariable + "=1"}
		if code, out := finish(t, cmd); code != -1 {
			t.Errorf("echo: exit code %d and %q, expected it to be killed", code, out)
		}
	})
}
