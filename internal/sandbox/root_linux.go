package sandbox

import (
	"errors"
	"fmt"
	"path"
	"strconv"

	"golang.org/x/sys/unix"
)

// A root is the system of a step while it is put together.
type root struct {
	in   *inner
	st   *Step
	base int  // the merged snapshots, to look things up in
	top  int  // a directory over them that holds the mount points they lack
	fd   int  // the finished root
	proc int  // its /proc
	own  bool // which shows the sandbox's processes and no others

	memory  []int       // the mounts of files in memory that the step may write
	caches  []int       // the mounts of its caches
	copied  *copiedRoot // where overlayfs cannot be mounted
	scratch int         // the one among the step's mounts that is in memory and not read-only; or -1
}

// makeRoot mounts everything a step sees at "root".
func (in *inner) makeRoot(src *sources, temp, files int) (*root, error) {
	r := &root{in: in, st: in.req.Step, scratch: -1}
	if err := r.stack(src, temp, files); err != nil {
		return nil, err
	}
	if err := r.mountProc(src); err != nil {
		return nil, err
	}
	if err := r.dev(src); err != nil {
		return nil, err
	}
	for _, dir := range r.st.Writable {
		if err := r.writable(dir); err != nil {
			return nil, fmt.Errorf("cannot make %s writable: %w", dir, err)
		}
	}
	if err := r.mounts(src); err != nil {
		return nil, err
	}
	if err := r.workDir(); err != nil {
		return nil, fmt.Errorf("cannot make the working directory %s: %w", r.st.Dir, err)
	}
	return r, nil
}

// workDir makes the directory that the command begins in, if it is missing.
func (r *root) workDir() error {
	_, missing, err := physical(r.base, r.st.Dir)
	if err != nil || len(missing) == 0 {
		return err
	}
	fd, err := mkdirAll(r.fd, r.st.Dir)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var st, top unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if err := unix.Fstat(r.fd, &top); err != nil || st.Dev != top.Dev {
		return err // it lies in something mounted
	}
	// Where it is above a mount point it was there already, in what is not kept.
	// A change moves it, and what is above it, to where the changes are.
	return unix.Fchmodat(fd, ".", 0o755, 0)
}

// stack mounts the snapshots, the mount points they lack, and over them the
// directory that takes the changes.
func (r *root) stack(src *sources, temp, files int) error {
	if r.in.req.Copy {
		return r.copyStack(src, files)
	}
	lower := append([]string{"empty"}, lowerDirs(r.in.req.On)...)
	if err := mountOverlay(lower, "", "", "root"); err != nil {
		return err
	}
	var err error
	if r.base, err = unix.Open("root", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err != nil {
		return err
	}
	if err := r.nameLocalhost(src); err != nil {
		return err
	}
	for _, dir := range []string{"top", "work"} {
		if err := unix.Mkdirat(temp, dir, 0o755); err != nil {
			return err
		}
	}
	if r.top, err = unix.Openat(temp, "top", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err != nil {
		return err
	}
	for _, dir := range []int{r.top, files} {
		if err := copyDirMeta(r.base, dir); err != nil {
			return err
		}
	}
	if err := r.scaffold(src); err != nil {
		return err
	}
	dir := "space/" + r.in.req.Temp
	lower = append(lower[1:], dir+"/top")
	if r.st.ReadOnly {
		err = mountOverlay(lower, "", "", "root")
	} else {
		err = mountOverlay(lower, dir+"/fs", dir+"/work", "root")
	}
	if err != nil {
		return err
	}
	r.fd, err = unix.Open("root", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	return err
}

// localHosts is the hosts(5) of a step that has no network.
const localHosts = "127.0.0.1 localhost\n::1 localhost\n127.0.1.1 "

// nameLocalhost gives a step without a network an /etc/hosts where its root has
// none: a resolver that cannot ask anybody does not even know localhost. A step may
// write to it; that is kept no more than the file.
func (r *root) nameLocalhost(src *sources) error {
	if r.st.Network != NetworkNone || r.st.mountsAt("/etc/hosts") {
		return nil
	}
	_, missing, err := physical(r.base, "/etc/hosts")
	if err != nil || len(missing) == 0 {
		return nil
	}
	r.scratch = len(r.st.Mounts)
	r.st.Mounts = append(r.st.Mounts, Mount{Bytes: []byte(localHosts + r.st.Hostname + "\n"), Mode: 0o644, Target: "/etc/hosts"})
	src.mounts = append(src.mounts, -1)
	return nil
}

// scaffold makes the mount points that are missing. They lie in a directory of
// their own below the one that takes the changes, so that they are in no snapshot.
func (r *root) scaffold(src *sources) error {
	dirs := append([]string{"/proc", "/dev"}, r.st.Writable...)
	var files []string
	for i, m := range r.st.Mounts {
		var st unix.Stat_t
		if fd := src.mounts[i]; fd >= 0 {
			if err := unix.Fstat(fd, &st); err != nil {
				return err
			}
		}
		if st.Mode&unix.S_IFMT == unix.S_IFDIR {
			dirs = append(dirs, m.Target)
		} else {
			files = append(files, m.Target)
		}
	}
	for _, d := range dirs {
		if err := r.point(d, true); err != nil {
			return fmt.Errorf("cannot make mount point %s: %w", d, err)
		}
	}
	for _, f := range files {
		if err := r.point(f, false); err != nil {
			return fmt.Errorf("cannot make mount point %s: %w", f, err)
		}
	}
	return nil
}

// point makes one mount point, if there is nothing in its place.
func (r *root) point(target string, isDir bool) error {
	found, missing, err := physical(r.base, target)
	if err != nil || len(missing) == 0 {
		return err
	}
	at, name := r.top, ""
	for _, e := range elements(found) {
		if at, err = r.step(at, e, true); err != nil {
			return err
		}
		name = path.Join(name, e)
		below, err := openPhysical(r.base, name, unix.O_PATH|unix.O_DIRECTORY)
		if err != nil {
			return err
		}
		err = copyDirMeta(below, at)
		unix.Close(below)
		if err != nil {
			return err
		}
	}
	if r.copied != nil {
		if err := r.copied.remember(at, found, missing); err != nil {
			return err
		}
	}
	for i, e := range missing {
		if at, err = r.step(at, e, isDir || i < len(missing)-1); err != nil {
			return err
		}
	}
	return nil
}

// step makes an entry of a directory and opens it.
func (r *root) step(at int, name string, isDir bool) (int, error) {
	if name == "." || name == ".." {
		return -1, unix.ENOENT
	}
	if !isDir {
		return unix.Openat(at, name, unix.O_RDONLY|unix.O_CREAT|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o644)
	}
	if err := unix.Mkdirat(at, name, 0o755); err != nil && !errors.Is(err, unix.EEXIST) {
		return -1, err
	}
	return unix.Openat(at, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
}

// at attaches a mount at a path of the root.
func (r *root) at(mount int, target string) error {
	fd, err := openIn(r.fd, target, unix.O_PATH)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return moveMountAt(mount, fd)
}

// tmpfs mounts a tmpfs at a path of the root and opens it.
func (r *root) tmpfs(target string, attrs int, options ...string) (int, error) {
	fd, err := newMount("tmpfs", unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV|attrs, options...)
	if err != nil {
		return -1, err
	}
	if err := r.at(fd, target); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("cannot mount a tmpfs at %s: %w", target, err)
	}
	return fd, nil
}

func (r *root) writable(dir string) error {
	fd, err := openIn(r.fd, dir, unix.O_PATH|unix.O_DIRECTORY)
	if errors.Is(err, unix.ENOENT) { // it lies in one that is writable, and so empty
		fd, err = mkdirAll(r.fd, dir)
	}
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if below, err := openIn(r.base, dir, unix.O_PATH|unix.O_DIRECTORY); err == nil {
		err = unix.Fstat(below, &st)
		unix.Close(below)
		if err != nil {
			return err
		}
	}
	m, err := r.tmpfs(dir, 0, "mode="+strconv.FormatUint(uint64(st.Mode&0o7777), 8), fmt.Sprintf("uid=%d", st.Uid), fmt.Sprintf("gid=%d", st.Gid), r.memorySize())
	if err == nil {
		r.memory = append(r.memory, m)
	}
	return err
}

// memorySize bounds a tmpfs: its files are memory.
func (r *root) memorySize() string {
	return "size=" + strconv.FormatInt(min(r.st.Limits.Memory, r.st.Limits.Disk), 10)
}

// restrict sets attributes of a mount and of those on it.
func restrict(fd int, attrs uint64) error {
	err := unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, &unix.MountAttr{Attr_set: attrs})
	if err != nil {
		return unsupportedMount("cannot restrict a mount", err)
	}
	return nil
}

// mounts mounts what the step asks for.
func (r *root) mounts(src *sources) error {
	secrets := -1
	for i, m := range r.st.Mounts {
		fd := src.mounts[i]
		if fd < 0 {
			var err error
			if fd, err = r.secret(&secrets, i, m); err != nil {
				return fmt.Errorf("cannot make %s: %w", m.Target, err)
			}
		}
		attrs := uint64(unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV)
		if m.ReadOnly || fd != src.mounts[i] && i != r.scratch {
			attrs |= unix.MOUNT_ATTR_RDONLY
		}
		if err := restrict(fd, attrs); err != nil {
			return err
		}
		if err := r.at(fd, m.Target); err != nil {
			return fmt.Errorf("cannot mount at %s: %w", m.Target, err)
		}
		if m.Source == "" && m.Cache != "" {
			r.caches = append(r.caches, fd)
		} else {
			unix.Close(fd)
		}
	}
	return nil
}

// secret makes a file in memory, and a mount of it alone.
func (r *root) secret(dir *int, i int, m Mount) (int, error) {
	if *dir < 0 {
		fd, err := newMount("tmpfs", unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV, "mode=0700", "size=16m")
		if err != nil {
			return -1, err
		}
		if err := unix.Mkdir("secrets", 0o700); err != nil {
			return -1, err
		}
		if err := moveMount(fd, "secrets"); err != nil {
			return -1, err
		}
		*dir = fd
	}
	name := strconv.Itoa(i)
	fd, err := unix.Openat(*dir, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, 0o400)
	if err != nil {
		return -1, err
	}
	defer unix.Close(fd)
	if _, err := fdWriter(fd).Write(m.Bytes); err != nil {
		return -1, err
	}
	if m.Mode != 0 {
		if err := unix.Fchmod(fd, uint32(m.Mode.Perm())); err != nil {
			return -1, err
		}
	}
	if err := unix.Fchown(fd, int(r.st.UID), int(r.st.GID)); err != nil {
		return -1, err
	}
	return openTree("secrets/" + name)
}
