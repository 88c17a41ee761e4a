package sandbox

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What a hostile command does. Each verb succeeds if what it attempts does.
func init() {
	verbs["status"] = func(a []string) error {
		b, err := os.ReadFile("/proc/self/status")
		for line := range strings.Lines(string(b)) {
			if name, value, _ := strings.Cut(line, ":"); name == a[0] {
				fmt.Println(strings.TrimSpace(value))
			}
		}
		return err
	}
	verbs["ptrace"] = func(a []string) error {
		runtime.LockOSThread()
		pid, _ := strconv.Atoi(a[0])
		return syscall.PtraceAttach(pid)
	}
	verbs["files"] = func(a []string) error { // works if one of a process's files can be opened anew
		entries, err := os.ReadDir("/proc/" + a[0] + "/fd")
		for _, e := range entries {
			if _, err = os.Stat("/proc/" + a[0] + "/fd/" + e.Name()); err == nil {
				return nil
			}
		}
		return err
	}
	verbs["peek"] = func(a []string) error {
		pid, _ := strconv.Atoi(a[0])
		b := make([]byte, 8)
		local := []unix.Iovec{{Base: &b[0], Len: 8}}
		_, err := unix.ProcessVMReadv(pid, local, []unix.RemoteIovec{{Base: 0x400000, Len: 8}}, 0)
		return err
	}
	verbs["mount"] = func([]string) error { return syscall.Mount("tmpfs", "/tmp", "tmpfs", 0, "") }
	verbs["bind"] = func([]string) error { return syscall.Mount("/etc", "/tmp", "", syscall.MS_BIND, "") }
	verbs["fsopen"] = func([]string) error { _, err := unix.Fsopen("tmpfs", 0); return err }
	verbs["umount"] = func(a []string) error { return syscall.Unmount(a[0], syscall.MNT_DETACH) }
	verbs["pivot"] = func([]string) error { return syscall.PivotRoot("/tmp", "/tmp") }
	verbs["mknod"] = func(a []string) error {
		major, _ := strconv.Atoi(a[1])
		minor, _ := strconv.Atoi(a[2])
		return syscall.Mknod(a[0], syscall.S_IFCHR|0o666, int(unix.Mkdev(uint32(major), uint32(minor))))
	}
	verbs["unshare"] = func([]string) error { return syscall.Unshare(syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS) }
	verbs["nest"] = func([]string) error {
		c := exec.Command("/bin/prog")
		c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER}
		return c.Run()
	}
	verbs["clone3"] = func([]string) error {
		args := struct{ flags, rest [11]uint64 }{}
		_, _, errno := syscall.RawSyscall(unix.SYS_CLONE3, uintptr(unsafe.Pointer(&args)), 88, 0)
		return errnoError(errno)
	}
	verbs["socket"] = func(a []string) error {
		var n [3]int
		for i := range n {
			n[i], _ = strconv.Atoi(a[i])
		}
		_, err := syscall.Socket(n[0], n[1], n[2])
		return err
	}
	verbs["dial"] = func(a []string) error { _, err := net.DialTimeout(a[0], a[1], time.Second); return err }
	verbs["listen"] = func(a []string) error {
		l, err := net.Listen("tcp", a[0])
		if err != nil {
			return err
		}
		go l.Accept()
		_, err = net.Dial("tcp", l.Addr().String())
		return err
	}
	verbs["kill"] = func(a []string) error {
		pid, _ := strconv.Atoi(a[0])
		return syscall.Kill(pid, syscall.SIGKILL)
	}
	verbs["hostname"] = func(a []string) error { return syscall.Sethostname([]byte(a[0])) }
	verbs["chroot"] = progChroot
	verbs["setuid"] = func([]string) error {
		// A setuid copy of this program, run by another user, must stay that user's.
		if err := exec.Command("/bin/prog", "copy", "/tmp/su").Run(); err != nil {
			return err
		}
		if err := syscall.Chmod("/tmp/su", 0o6755); err != nil {
			return err
		}
		c := exec.Command("/tmp/su", "euid")
		c.Args[0] = "prog"
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 7, Gid: 7}}
		out, err := c.Output()
		fmt.Print(string(out))
		return err
	}
	verbs["euid"] = func([]string) error { fmt.Println(os.Geteuid(), os.Getegid()); return nil }
	verbs["copy"] = func(a []string) error {
		b, err := os.ReadFile("/proc/self/exe")
		if err != nil {
			return err
		}
		return os.WriteFile(a[0], b, 0o755)
	}
	verbs["filecaps"] = func([]string) error {
		// CAP_SYS_ADMIN, permitted and effective (capability.h, VFS_CAP_REVISION_2).
		v := []byte{1, 0, 0, 2, 0, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
		if err := errors.Join(verbs["copy"]([]string{"/tmp/fc"}), unix.Setxattr("/tmp/fc", capabilityXattr, v, 0)); err != nil {
			os.Exit(98)
		}
		c := exec.Command("/tmp/fc", "mount")
		c.Args[0] = "prog"
		return c.Run()
	}
	verbs["bomb"] = func([]string) error {
		for {
			c := exec.Command("/bin/prog", "bomb")
			c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
			if c.Start() != nil {
				time.Sleep(time.Millisecond)
			}
		}
	}
	verbs["hog"] = func([]string) error {
		for {
			b := make([]byte, 8<<20)
			for i := 0; i < len(b); i += 4096 {
				b[i] = 1
			}
			hogged = append(hogged, b)
			time.Sleep(5 * time.Millisecond)
		}
	}
	verbs["hogshm"] = func(a []string) error { return progFill("/dev/shm/x", false, len(a) > 0) }
	verbs["hogmemfd"] = func([]string) error {
		fd, err := unix.MemfdCreate("x", 0)
		if err != nil {
			return err
		}
		return fill(os.NewFile(uintptr(fd), "x"))
	}
	verbs["fill"] = func(a []string) error { return progFill(a[0], false, false) }
	verbs["fillunlinked"] = func(a []string) error { return progFill(a[0], true, false) }
	verbs["fillfiles"] = func(a []string) error {
		for i := 0; ; i++ {
			f, err := os.Create(a[0] + strconv.Itoa(i))
			if err != nil {
				return err
			}
			f.Close()
		}
	}
	verbs["loop"] = func([]string) error {
		for i := 0; ; i++ {
			if i < 0 {
				return nil
			}
		}
	}
	verbs["outlive"] = func([]string) error {
		c := exec.Command("/bin/prog", "fork2")
		c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		return c.Run()
	}
	verbs["fork2"] = func([]string) error {
		c := exec.Command("/bin/prog", "sleep")
		c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		return c.Start()
	}
}

var hogged [][]byte

func errnoError(e syscall.Errno) error {
	if e == 0 {
		return nil
	}
	return e
}

func progFill(name string, unlink, once bool) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	if unlink {
		os.Remove(name)
	}
	if once {
		_, err := f.Write(make([]byte, 1<<20))
		return err
	}
	return fill(f)
}

// fill writes until it cannot, slowly enough that a test does little harm.
func fill(f *os.File) error {
	b := make([]byte, 1<<20)
	for {
		if _, err := f.Write(b); err != nil {
			return err
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// progChroot tries the old way out of a root: a directory held open above a new one.
func progChroot([]string) error {
	if err := os.MkdirAll("/tmp/jail", 0o755); err != nil {
		return err
	}
	if err := syscall.Chroot("/tmp/jail"); err != nil {
		return err
	}
	for range 64 {
		if err := syscall.Chdir(".."); err != nil {
			return err
		}
	}
	if err := syscall.Chroot("."); err != nil {
		return err
	}
	_, err := os.Stat("/etc/passwd")
	if err == nil {
		_, err = os.Stat("/bin/prog") // ours, not the host's
	}
	return err
}
