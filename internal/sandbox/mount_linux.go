package sandbox

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// sources are mounts of the host that a child has taken copies of, not yet
// attached anywhere. They are opened as the calling user: what the snapshots lie
// below may be closed to the ids inside, as /root is.
type sources struct {
	base    int // the directory of the space, to mount over
	snaps   int
	proc    int // -1 but for steps
	devices map[string]int
	mounts  []int // of the step's mounts; -1 where there is no source
}

// devices are those of the host that a step sees (mknod(2) is not for us), by their
// minor numbers under the major ones 1 and, for the terminal, 5 (Linux, admin-guide/devices.txt).
var devices = map[string]uint32{"null": 3, "zero": 5, "full": 7, "random": 8, "urandom": 9, "tty": 0}

// checkDevice refuses a device of the host that a step could not use, or that is
// none: a container may have anything in its place.
func checkDevice(name string, fd int) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return fmt.Errorf("cannot look at /dev/%s: %w", name, err)
	}
	major := uint32(1)
	if name == "tty" {
		major = 5
	}
	minor := devices[name]
	e := &Error{Doing: "cannot give /dev/" + name + " to a step"}
	switch {
	case st.Mode&unix.S_IFMT != unix.S_IFCHR || unix.Major(st.Rdev) != major || unix.Minor(st.Rdev) != minor:
		e.Err = fmt.Errorf("%w: it is not the character device %d, %d", ErrUnsupported, major, minor)
		e.Help = fmt.Sprintf("make it anew as root: rm /dev/%s; mknod -m 666 /dev/%[1]s c %d %d", name, major, minor)
	case st.Mode&0o666 != 0o666:
		e.Err = fmt.Errorf("%w: its mode is %04o, expected 0666", ErrUnsupported, st.Mode&0o7777)
		e.Help = "as root: chmod 666 /dev/" + name
	default:
		return nil
	}
	return e
}

func openTree(path string) (int, error) {
	return unix.OpenTree(unix.AT_FDCWD, path, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE)
}

func (in *inner) openSources() (*sources, error) {
	s := sources{proc: -1, devices: map[string]int{}}
	var err error
	if s.base, err = unix.Open(".", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err != nil {
		return nil, fmt.Errorf("cannot open the space: %w", err)
	}
	if s.snaps, err = openTree(in.req.Snaps); err != nil {
		return nil, unsupportedMount("cannot take a copy of the mount of the snapshots", err)
	}
	if in.req.Step == nil {
		return &s, nil
	}
	if s.proc, err = openTree("/proc"); err != nil {
		return nil, unsupportedMount("cannot take a copy of /proc", err)
	}
	for name := range devices {
		fd, err := openTree("/dev/" + name)
		if errors.Is(err, unix.ENOENT) {
			continue // a container may have fewer
		}
		if err != nil {
			return nil, unsupportedMount("cannot take a copy of /dev/"+name, err)
		}
		if err := checkDevice(name, fd); err != nil {
			return nil, err
		}
		s.devices[name] = fd
	}
	for _, m := range in.req.Step.Mounts {
		fd := -1
		if m.Source != "" {
			if fd, err = openTree(m.Source); err != nil {
				return nil, fmt.Errorf("cannot mount %s at %s: %w", m.Source, m.Target, err)
			}
		}
		s.mounts = append(s.mounts, fd)
	}
	return &s, nil
}

func unsupportedMount(doing string, err error) error {
	e := &Error{Doing: doing, Err: err}
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) {
		e.Err = fmt.Errorf("%w: %w", ErrUnsupported, err)
		e.Help = "needed: Linux 5.11 or newer and, in a container, a seccomp profile that allows mount, open_tree, move_mount, fsopen and fsmount in a user namespace"
	}
	return e
}

// attach makes a tmpfs the working directory and puts the snapshots there, at
// "space". The tmpfs lies over the space's own directory, which is sure to exist.
func (s *sources) attach() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("cannot part from the mounts of the host: %w", err)
	}
	fd, err := newMount("tmpfs", unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV, "mode=0755", "size=1m")
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := moveMountAt(fd, s.base); err != nil {
		return fmt.Errorf("cannot mount a tmpfs: %w", err)
	}
	if err := unix.Fchdir(fd); err != nil {
		return err
	}
	for _, dir := range []string{"space", "root", "empty"} {
		if err := unix.Mkdir(dir, 0o755); err != nil {
			return fmt.Errorf("cannot make a mount point: %w", err)
		}
	}
	if err := moveMount(s.snaps, "space"); err != nil {
		return fmt.Errorf("cannot mount the snapshots: %w", err)
	}
	return nil
}

// enterRoot makes dir the root, and the host's mounts go.
func enterRoot(dir string) error {
	if err := unix.Chdir(dir); err != nil {
		return fmt.Errorf("cannot enter the root: %w", err)
	}
	// The old root is stacked over the new one for a moment: no directory is needed for it.
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("cannot change the root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("cannot part from the host's files: %w", err)
	}
	return unix.Chdir("/")
}

// newMount makes a file system that is mounted nowhere yet. An option is a name, or
// a name and a value with = between.
func newMount(kind string, attrs int, options ...string) (int, error) {
	fsfd, err := unix.Fsopen(kind, unix.FSOPEN_CLOEXEC)
	if err != nil {
		return -1, unsupportedMount("cannot make a "+kind, err)
	}
	defer unix.Close(fsfd)
	for _, o := range options {
		name, value, ok := strings.Cut(o, "=")
		if ok {
			err = unix.FsconfigSetString(fsfd, name, value)
		} else {
			err = unix.FsconfigSetFlag(fsfd, name)
		}
		if err != nil {
			return -1, fmt.Errorf("cannot set option %s of a %s: %w%s", name, kind, err, fsLog(fsfd))
		}
	}
	if err := unix.FsconfigCreate(fsfd); err != nil {
		return -1, fmt.Errorf("cannot make a %s: %w%s", kind, err, fsLog(fsfd))
	}
	fd, err := unix.Fsmount(fsfd, unix.FSMOUNT_CLOEXEC, attrs)
	if err != nil {
		return -1, fmt.Errorf("cannot make a mount of a %s: %w%s", kind, err, fsLog(fsfd))
	}
	return fd, nil
}

// fsLog is what the kernel has to say about a file system that it did not make.
func fsLog(fsfd int) string {
	var b [512]byte
	var all []string
	for {
		n, err := unix.Read(fsfd, b[:])
		if err != nil || n <= 0 {
			break
		}
		all = append(all, strings.TrimSpace(string(b[:n])))
	}
	if len(all) == 0 {
		return ""
	}
	return " (" + strings.Join(all, "; ") + ")"
}

func moveMount(fd int, target string) error {
	return unix.MoveMount(fd, "", unix.AT_FDCWD, target, unix.MOVE_MOUNT_F_EMPTY_PATH)
}

// moveMountAt attaches a mount at an open directory or file.
func moveMountAt(fd, target int) error {
	return unix.MoveMount(fd, "", target, "", unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH)
}

// mountOverlay stacks directories, lowest first, named from the working directory,
// below upper ("" makes the result read-only).
func mountOverlay(lower []string, upper, work, target string) error {
	fsfd, err := unix.Fsopen("overlay", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return unsupportedMount("cannot make an overlay", err)
	}
	defer unix.Close(fsfd)
	for i := len(lower) - 1; i >= 0; i-- {
		err := unix.FsconfigSetString(fsfd, "lowerdir+", lower[i])
		if i == len(lower)-1 && errors.Is(err, unix.EINVAL) { // before Linux 6.7
			return mountOverlayByOptions(lower, upper, work, target)
		}
		if err != nil {
			return fmt.Errorf("cannot stack %s: %w%s", lower[i], err, fsLog(fsfd))
		}
	}
	set := []string{"userxattr"}
	if upper != "" {
		set = append(set, "upperdir="+upper, "workdir="+work, "volatile")
	}
	for _, o := range set {
		name, value, ok := strings.Cut(o, "=")
		if ok {
			err = unix.FsconfigSetString(fsfd, name, value)
		} else {
			err = unix.FsconfigSetFlag(fsfd, name)
		}
		if err != nil {
			return fmt.Errorf("cannot set option %s of an overlay: %w%s", name, err, fsLog(fsfd))
		}
	}
	if err := unix.FsconfigCreate(fsfd); err != nil {
		return fmt.Errorf("cannot make an overlay: %w%s", err, fsLog(fsfd))
	}
	fd, err := unix.Fsmount(fsfd, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV)
	if err != nil {
		return fmt.Errorf("cannot make a mount of an overlay: %w%s", err, fsLog(fsfd))
	}
	defer unix.Close(fd)
	return moveMount(fd, target)
}

// mountOverlayByOptions is the way of older kernels: everything in one string,
// which must fit a page.
func mountOverlayByOptions(lower []string, upper, work, target string) error {
	var b strings.Builder
	b.WriteString("userxattr,lowerdir=")
	for i := len(lower) - 1; i >= 0; i-- {
		b.WriteString(lower[i])
		if i > 0 {
			b.WriteByte(':')
		}
	}
	if upper != "" {
		fmt.Fprintf(&b, ",upperdir=%s,workdir=%s,volatile", upper, work)
	}
	if b.Len() >= os.Getpagesize() {
		return fmt.Errorf("cannot stack %d snapshots: this kernel takes as many as fit %d bytes of options", len(lower), os.Getpagesize())
	}
	if err := unix.Mount("overlay", target, "overlay", unix.MS_NOSUID|unix.MS_NODEV, b.String()); err != nil {
		return fmt.Errorf("cannot make an overlay: %w", err)
	}
	return nil
}
