package sandbox

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// stepCaps are the capabilities that a command keeps as root, in its own user
// namespace: to make files that belong to others, to install programs that become
// others, to change the root as package managers do. Not among them: raw sockets,
// devices, mounts, tracing, the network's set-up, anything of the system.
var stepCaps = []int{
	unix.CAP_CHOWN, unix.CAP_DAC_OVERRIDE, unix.CAP_FOWNER, unix.CAP_FSETID, unix.CAP_KILL, unix.CAP_SETGID,
	unix.CAP_SETUID, unix.CAP_SETPCAP, unix.CAP_NET_BIND_SERVICE, unix.CAP_SYS_CHROOT, unix.CAP_SETFCAP,
}

// A confinement is what holds a command, for [Facts].
type confinement struct {
	seccomp, landlock string
	emulator          string
	scoped            bool // abstract sockets outside are out of reach
}

// confine takes from the calling thread, and so from the command that it starts,
// what no build needs. Nothing gives it back: the thread must end after that. That
// is why go-landlock has no part in this: it restricts every thread of the process,
// and ours goes on to keep the snapshot.
func (c *command) confine() error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("cannot give up new privileges: %w", err)
	}
	keep := stepCaps
	if c.st.UID != 0 {
		keep = nil
	}
	if err := boundCaps(keep); err != nil {
		return fmt.Errorf("cannot give up capabilities: %w", err)
	}
	var err error
	if c.held.emulator != "" && c.emulator < 0 {
		c.held.landlock = "none: the emulator's file, which it would have to allow, is out of sight"
	} else if c.held.landlock, c.held.scoped, err = landlock(c.emulator); err != nil {
		return fmt.Errorf("cannot restrict it by landlock: %w", err)
	}
	c.held.seccomp, err = filterSyscalls()
	return err
}

// boundCaps bounds what a program that is executed can have. The thread itself, which
// has still to become the command's user, keeps what it has.
func boundCaps(keep []int) error {
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return err
	}
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&hdr, &data[0]); err != nil {
		return err
	}
	data[0].Inheritable, data[1].Inheritable = 0, 0
	if err := unix.Capset(&hdr, &data[0]); err != nil {
		return err
	}
	kept := map[int]bool{}
	for _, c := range keep {
		kept[c] = true
	}
	for cap := 0; ; cap++ {
		if kept[cap] {
			continue
		}
		err := unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(cap), 0, 0, 0)
		if errors.Is(err, unix.EINVAL) {
			return nil // beyond the kernel's last one
		}
		if err != nil {
			return err
		}
	}
}

// Access rights of landlock(7), by the version of its interface that brought them.
const (
	landlockBase = unix.LANDLOCK_ACCESS_FS_EXECUTE | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_READ_FILE |
		unix.LANDLOCK_ACCESS_FS_READ_DIR | unix.LANDLOCK_ACCESS_FS_REMOVE_DIR | unix.LANDLOCK_ACCESS_FS_REMOVE_FILE |
		unix.LANDLOCK_ACCESS_FS_MAKE_CHAR | unix.LANDLOCK_ACCESS_FS_MAKE_DIR | unix.LANDLOCK_ACCESS_FS_MAKE_REG |
		unix.LANDLOCK_ACCESS_FS_MAKE_SOCK | unix.LANDLOCK_ACCESS_FS_MAKE_FIFO | unix.LANDLOCK_ACCESS_FS_MAKE_BLOCK |
		unix.LANDLOCK_ACCESS_FS_MAKE_SYM
	landlockV2      = landlockBase | unix.LANDLOCK_ACCESS_FS_REFER
	landlockV3      = landlockV2 | unix.LANDLOCK_ACCESS_FS_TRUNCATE
	landlockDevices = unix.LANDLOCK_ACCESS_FS_MAKE_CHAR | unix.LANDLOCK_ACCESS_FS_MAKE_BLOCK
)

// landlock puts the thread into a domain that has the files of its root, the emulator
// that is open as such, if it is not negative, and nothing else, should it get hold of something else; that makes no devices, changes no
// mounts, and, from version 6 on, reaches no process and no abstract socket outside:
// with the host's network those of the host would be in reach. It returns the
// version, or "none", and whether the latter is so.
func landlock(emulator int) (held string, scoped bool, err error) {
	version, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 || version < 2 { // the first one cannot rename from directory to directory
		return "none", false, nil
	}
	attr := unix.LandlockRulesetAttr{Access_fs: landlockV2}
	size := unsafe.Sizeof(attr.Access_fs)
	if version >= 3 {
		attr.Access_fs = landlockV3
	}
	if version >= 6 {
		attr.Scoped = unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | unix.LANDLOCK_SCOPE_SIGNAL
		size = unsafe.Sizeof(attr)
	}
	fd, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)), size, 0)
	if errno != 0 {
		return "", false, errno
	}
	defer unix.Close(int(fd))
	root, err := unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", false, err
	}
	defer unix.Close(root)
	rules := []unix.LandlockPathBeneathAttr{{Allowed_access: attr.Access_fs &^ landlockDevices, Parent_fd: int32(root)}}
	if emulator >= 0 {
		rules = append(rules, unix.LandlockPathBeneathAttr{Allowed_access: unix.LANDLOCK_ACCESS_FS_EXECUTE | unix.LANDLOCK_ACCESS_FS_READ_FILE, Parent_fd: int32(emulator)})
	}
	for i := range rules {
		if _, _, errno = unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, fd, unix.LANDLOCK_RULE_PATH_BENEATH, uintptr(unsafe.Pointer(&rules[i])), 0, 0, 0); errno != 0 {
			return "", false, errno
		}
	}
	if _, _, errno = unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, fd, 0, 0); errno == unix.E2BIG {
		return "none: this process is in as many domains as there may be", false, nil
	} else if errno != 0 {
		return "", false, errno
	}
	return "v" + strconv.Itoa(int(version)), attr.Scoped != 0, nil
}

// preferVictim makes the processes of a sandbox those that the kernel kills first
// where the whole machine is out of memory. It is no error where it cannot.
func preferVictim() {
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("900"), 0)
}
