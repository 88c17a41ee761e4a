package sandbox

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// What of /proc tells about the host or the kernel more than a build needs, or can
// change it (the lists are those that OCI runtimes agree on).
var (
	maskedProc   = []string{"acpi", "asound", "interrupts", "kcore", "keys", "latency_stats", "sched_debug", "scsi", "timer_list", "timer_stats"}
	readOnlyProc = []string{"bus", "fs", "irq", "sys", "sysrq-trigger"}
)

// mountProc mounts /proc: our own, or where a container hides parts of its own and the
// kernel therefore refuses another one (mount_namespaces(7)), that one.
func (r *root) mountProc(src *sources) error {
	fd, err := newMount("proc", unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOEXEC)
	if err == nil {
		r.own = true
	} else {
		if !errors.Is(err, unix.EPERM) {
			return err
		}
		fd = src.proc
	}
	if err := r.at(fd, "/proc"); err != nil {
		return fmt.Errorf("cannot mount /proc: %w", err)
	}
	r.proc = fd
	for _, name := range readOnlyProc {
		if err := r.freeze(fd, name); err != nil {
			return fmt.Errorf("cannot make /proc/%s read-only: %w", name, err)
		}
	}
	for _, name := range maskedProc {
		if err := r.mask(src, fd, name); err != nil {
			return fmt.Errorf("cannot hide /proc/%s: %w", name, err)
		}
	}
	return nil
}

// freeze mounts an entry over itself, read-only.
func (r *root) freeze(dir int, name string) error {
	fd, err := unix.OpenTree(dir, name, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := restrict(fd, unix.MOUNT_ATTR_RDONLY|unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOEXEC); err != nil {
		return err
	}
	return unix.MoveMount(fd, "", dir, name, unix.MOVE_MOUNT_F_EMPTY_PATH)
}

// mask puts nothing in the place of an entry.
func (r *root) mask(src *sources, dir int, name string) error {
	var st unix.Stat_t
	if err := unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return nil // not there, or hidden already
	}
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		fd, err := newMount("tmpfs", unix.MOUNT_ATTR_RDONLY|unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOEXEC, "mode=0555", "size=0")
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		return unix.MoveMount(fd, "", dir, name, unix.MOVE_MOUNT_F_EMPTY_PATH)
	}
	fd, err := unix.OpenTree(src.devices["null"], "", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_EMPTY_PATH)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.MoveMount(fd, "", dir, name, unix.MOVE_MOUNT_F_EMPTY_PATH)
}

// dev makes /dev.
func (r *root) dev(src *sources) error {
	fd, err := r.tmpfs("/dev", unix.MOUNT_ATTR_NOEXEC, "mode=0755", "size=64k")
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	for name := range devices {
		if mount, ok := src.devices[name]; ok {
			if err := device(fd, name, mount); err != nil {
				return fmt.Errorf("cannot make /dev/%s: %w", name, err)
			}
		}
	}
	for name, target := range map[string]string{
		"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2", "ptmx": "pts/ptmx",
	} {
		if err := unix.Symlinkat(target, fd, name); err != nil {
			return fmt.Errorf("cannot make /dev/%s: %w", name, err)
		}
	}
	for _, name := range []string{"pts", "shm"} {
		if err := unix.Mkdirat(fd, name, 0o755); err != nil {
			return fmt.Errorf("cannot make /dev/%s: %w", name, err)
		}
	}
	if err := r.pts(fd); err != nil {
		return err
	}
	shm, err := newMount("tmpfs", unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV, "mode=1777", r.memorySize())
	if err != nil {
		return err
	}
	r.memory = append(r.memory, shm)
	if err := unix.MoveMount(shm, "", fd, "shm", unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return fmt.Errorf("cannot mount /dev/shm: %w", err)
	}
	// The directory itself, not what is mounted in it.
	if err := unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}); err != nil {
		return unsupportedMount("cannot make /dev read-only", err)
	}
	return nil
}

func device(dir int, name string, mount int) error {
	fd, err := unix.Openat(dir, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, 0o666)
	if err != nil {
		return err
	}
	unix.Close(fd)
	return unix.MoveMount(mount, "", dir, name, unix.MOVE_MOUNT_F_EMPTY_PATH)
}

// pts mounts pseudo-terminals of the sandbox's own. Group tty is 5 (Debian's base-passwd).
func (r *root) pts(dev int) error {
	options := []string{"newinstance", "ptmxmode=0666", "mode=0620"}
	if r.in.req.Count > 5 {
		options = append(options, "gid=5")
	}
	fd, err := newMount("devpts", unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NOEXEC, options...)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.MoveMount(fd, "", dev, "pts", unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return fmt.Errorf("cannot mount /dev/pts: %w", err)
	}
	return nil
}

// loopback sets the loopback device of our network up.
func loopback() error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("cannot set up the loopback device: %w", err)
	}
	defer unix.Close(s)
	ifr, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	ifr.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, ifr); err != nil {
		return fmt.Errorf("cannot set up the loopback device: %w", err)
	}
	return nil
}
