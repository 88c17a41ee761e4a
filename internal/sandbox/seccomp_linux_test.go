package sandbox

import (
	"encoding/binary"
	"testing"

	seccomp "github.com/elastic/go-seccomp-bpf"
	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// TestFilter says what the kernel answers to some system calls, by running the
// filters in a machine of our own.
func TestFilter(t *testing.T) {
	filters, err := callFilters()
	if err != nil {
		t.Skip(err)
	}
	info, err := arch.GetInfo("")
	if err != nil {
		t.Fatal(err)
	}
	const allowed = unix.Errno(0)
	for _, tt := range []struct {
		call string
		arch uint32
		arg  uint64
		want unix.Errno
	}{
		{call: "openat", want: allowed},
		{call: "execve", want: allowed},
		{call: "clone", arg: unix.CLONE_VM | unix.CLONE_THREAD, want: allowed},
		{call: "clone", arg: unix.CLONE_NEWUSER, want: unix.EPERM},
		{call: "clone", arg: unix.CLONE_VM | unix.CLONE_NEWNS, want: unix.EPERM},
		{call: "clone3", want: unix.ENOSYS},
		{call: "unshare", arg: unix.CLONE_FILES, want: allowed},
		{call: "unshare", arg: unix.CLONE_NEWTIME, want: unix.EPERM},
		{call: "socket", arg: unix.AF_INET6, want: allowed},
		{call: "socket", arg: unix.AF_PACKET, want: unix.EPERM},
		{call: "socket", arg: 1<<32 | unix.AF_VSOCK, want: unix.EPERM}, // the kernel sees the lower half
		{call: "personality", arg: 0, want: allowed},
		{call: "personality", arg: 0x400000, want: unix.ENOSYS}, // READ_IMPLIES_EXEC
		{call: "ptrace", want: unix.EPERM},
		{call: "mount", want: unix.EPERM},
		{call: "io_uring_setup", want: unix.ENOSYS},
		{call: "openat", arch: uint32(arch.S390.ID), want: unix.ENOSYS},
	} {
		number, ok := info.SyscallNames[tt.call]
		if !ok {
			continue
		}
		if tt.arch == 0 {
			tt.arch = uint32(info.ID)
		}
		// struct seccomp_data, with each word as the machine of the package bpf reads it.
		data := make([]byte, 64)
		binary.BigEndian.PutUint32(data, uint32(number))
		binary.BigEndian.PutUint32(data[4:], tt.arch)
		binary.BigEndian.PutUint32(data[16:], uint32(tt.arg))
		binary.BigEndian.PutUint32(data[20:], uint32(tt.arg>>32))
		if got := answer(t, filters, data); got != tt.want {
			t.Errorf("%s(%#x): got %v, want %v", tt.call, tt.arg, got, tt.want)
		}
	}
}

// answer is the error that the kernel takes: of two the later filter's.
func answer(t *testing.T, filters [][]bpf.Instruction, data []byte) unix.Errno {
	t.Helper()
	var got unix.Errno
	for _, f := range filters {
		vm, err := bpf.NewVM(f)
		if err != nil {
			t.Fatal(err)
		}
		r, err := vm.Run(data)
		if err != nil {
			t.Fatal(err)
		}
		if uint32(r) != uint32(seccomp.ActionAllow) {
			got = unix.Errno(r & 0xffff)
		}
	}
	return got
}
