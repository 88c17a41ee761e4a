package sandbox

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A copiedRoot is the root of a step that is a copy of its stack.
type copiedRoot struct {
	files  int
	since  unix.Timespec // what changed at this time, or later, the step changed
	points []mountPoint
}

// A mountPoint was made for the step and goes with it.
type mountPoint struct {
	path  string
	above unix.Stat_t // the directory that it was made in, before that
}

// copyStack makes a copy of the snapshots the root. The mount points that they lack
// are made in it.
func (r *root) copyStack(src *sources, files int) error {
	if err := r.in.materialize(r.in.req.On, files); err != nil {
		return err
	}
	r.copied = &copiedRoot{files: files}
	r.base, r.top = files, files
	if err := r.nameLocalhost(src); err != nil {
		return err
	}
	if err := r.scaffold(src); err != nil {
		return err
	}
	var err error
	if r.copied.since, err = r.in.fileTime(); err != nil {
		return err
	}
	mount, err := openTree("space/" + r.in.req.Temp + "/fs")
	if err != nil {
		return err
	}
	attrs := uint64(unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV)
	if r.st.ReadOnly {
		attrs |= unix.MOUNT_ATTR_RDONLY
	}
	if err := restrict(mount, attrs); err != nil {
		return err
	}
	if err := moveMount(mount, "root"); err != nil {
		return err
	}
	r.fd = mount
	return nil
}

// remember notes mount points that are about to be made below found, open as at.
func (c *copiedRoot) remember(at int, found string, missing []string) error {
	p := mountPoint{path: path.Join(found, missing[0])}
	if err := unix.Fstat(at, &p.above); err != nil {
		return err
	}
	c.points = append(c.points, p)
	for i := range missing[1:] {
		c.points = append(c.points, mountPoint{path: path.Join(found, path.Join(missing[:i+2]...))})
	}
	return nil
}

// finish takes the mount points away into which the step has put nothing and which
// are not above its working directory, and keeps what it changed.
func (c *copiedRoot) finish(in *inner, temp int, clock time.Time) error {
	workDir := "/"
	if fd, err := openPhysical(c.files, in.req.Step.Dir, unix.O_PATH); err == nil { // else it was in a mount
		unix.Close(fd)
		workDir = in.req.Step.Dir
	}
	for _, p := range slices.Backward(c.points) {
		dir, base := path.Split(p.path)
		if strings.HasPrefix(workDir+"/", "/"+p.path+"/") {
			continue
		}
		fd, err := openPhysical(c.files, dir, unix.O_RDONLY|unix.O_DIRECTORY)
		if err != nil {
			continue // the step has removed it
		}
		var st unix.Stat_t
		if unix.Fstatat(fd, base, &st, unix.AT_SYMLINK_NOFOLLOW) == nil {
			if st.Mode&unix.S_IFMT == unix.S_IFDIR {
				_ = unix.Unlinkat(fd, base, unix.AT_REMOVEDIR) // if it is empty
			} else if st.Size == 0 {
				_ = unix.Unlinkat(fd, base, 0)
			}
		}
		if p.above.Nlink > 0 {
			_ = unix.UtimesNanoAt(fd, "", []unix.Timespec{p.above.Atim, p.above.Mtim}, unix.AT_EMPTY_PATH)
		}
		unix.Close(fd)
	}
	return in.compare(temp, c.files, c.since, clock)
}

// unmountAll takes away what is mounted in the root, when the command has ended: what
// is mounted over cannot be removed.
func (r *root) unmountAll() error {
	fd, err := unix.Openat(r.proc, "self/mountinfo", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(fd), "mountinfo")
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		return fmt.Errorf("cannot tell what is mounted: %w", err)
	}
	var targets []string
	for line := range strings.Lines(string(b)) {
		if fields := strings.Fields(line); len(fields) > 4 && fields[4] != "/" { // proc_pid_mountinfo(5)
			targets = append(targets, mountEscapes.Replace(fields[4]))
		}
	}
	slices.Sort(targets)
	for _, target := range slices.Backward(targets) {
		err := unix.Unmount(target, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
		if err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) { // it went with one below it
			return fmt.Errorf("cannot unmount %s: %w", target, err)
		}
	}
	return nil
}

var mountEscapes = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`, `\043`, "#")
