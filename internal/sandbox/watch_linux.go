package sandbox

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// A watch holds a step to the limits that the kernel does not hold without
// control groups, which an ordinary user seldom has: it looks, from within the
// sandbox, at what the processes and the changes take. A step may be over a limit for
// as long as one look is from the next.
type watch struct {
	limits Limits
	proc   int    // /proc
	ns     string // of our processes in a /proc that shows others too, else ""
	memory []int  // mounts of files in memory
	disk   *diskWatch
	start  int64 // memory that the machine had to spare
	peak   int64 // bytes
	buf    []byte
}

// The time from one look to the next: shorter near a limit, longer if looking is dear.
const (
	minPause = 10 * time.Millisecond
	maxPause = 100 * time.Millisecond
)

func newWatch(r *root, files int) (*watch, error) {
	w := &watch{limits: r.st.Limits, proc: r.proc, memory: r.memory, buf: make([]byte, 8<<10)}
	if !r.own {
		var err error
		if w.ns, err = readlinkAt(w.proc, "self/ns/pid"); err != nil {
			return nil, fmt.Errorf("cannot tell the processes of a step from others: %w", err)
		}
	}
	w.start = w.available()
	var err error
	w.disk, err = newDiskWatch(r.st.Limits.Disk, files, r.caches)
	if r.copied != nil {
		w.disk.since = r.copied.since
	}
	return w, err
}

// run looks until ended is closed, and calls exceed with the limit that the step
// went over.
func (w *watch) run(ended <-chan struct{}, exceed func(limit string)) {
	pause := minPause
	for {
		select {
		case <-ended:
			return
		case <-time.After(pause):
		}
		start := time.Now()
		limit, near := w.look()
		if limit != "" {
			exceed(limit)
			return
		}
		pause = max(20*time.Since(start), minPause)
		if !near {
			pause = max(pause, maxPause)
		}
	}
}

// look returns the limit that is passed, or whether one is near.
func (w *watch) look() (exceeded string, near bool) {
	u := w.usage()
	w.peak = max(w.peak, u.memory())
	switch {
	case u.threads > int64(w.limits.Processes):
		return "processes", true
	case u.memory() > w.limits.Memory && w.exactly(u) > w.limits.Memory:
		return "memory", true
	case w.disk.full(func() int64 { _, disk := w.deleted(); return disk }):
		return "disk", true
	}
	near = u.memory() > w.limits.Memory/2 || u.threads > int64(w.limits.Processes/2) || w.disk.near()
	return "", near
}

// A usage is what the processes take together, in bytes. Memory that several of
// them share counts several times.
type usage struct {
	threads, anon, shared, swap int64
	files                       int64 // in memory, that processes have not mapped
}

func (u *usage) memory() int64 { return u.anon + u.swap + max(u.shared, u.files) }

// usage adds up what /proc says (proc_pid_status(5)).
func (w *watch) usage() *usage {
	u := &usage{}
	for _, pid := range w.pids() {
		status := w.read(pid + "/status")
		u.threads += field(status, "\nThreads:")
		u.anon += field(status, "\nRssAnon:") << 10
		u.shared += field(status, "\nRssShmem:") << 10
		u.swap += field(status, "\nVmSwap:") << 10
	}
	for _, fd := range w.memory {
		var st unix.Statfs_t
		if unix.Fstatfs(fd, &st) == nil {
			u.files += int64(st.Blocks-st.Bfree) * st.Bsize
		}
	}
	// Files that have no name (memfd_create(2)) show only in what the machine lacks.
	if w.start-w.available() > w.limits.Memory-u.memory() {
		hidden, _ := w.deleted()
		u.files += hidden
	}
	return u
}

// exactly is what u is when shared memory counts once: dear to find out.
func (w *watch) exactly(u *usage) int64 {
	exact := usage{files: u.files}
	for _, pid := range w.pids() {
		rollup := w.read(pid + "/smaps_rollup")
		if len(rollup) == 0 { // an older kernel's
			return u.memory()
		}
		exact.anon += field(rollup, "\nPss_Anon:") << 10
		exact.shared += field(rollup, "\nPss_Shmem:") << 10
		exact.swap += field(rollup, "\nSwapPss:") << 10
	}
	return exact.memory()
}

// pids are the processes of the sandbox but for this one.
func (w *watch) pids() []string {
	names, err := entries(w.proc)
	if err != nil {
		return nil
	}
	self := "1"
	if w.ns != "" {
		self, _ = readlinkAt(w.proc, "self")
	}
	pids := names[:0]
	for _, name := range names {
		if name[0] < '0' || name[0] > '9' || name == self {
			continue
		}
		if w.ns != "" {
			if ns, err := readlinkAt(w.proc, name+"/ns/pid"); err != nil || ns != w.ns {
				continue
			}
		}
		pids = append(pids, name)
	}
	return pids
}

// read reads the beginning of a file of /proc. A process that is gone has none.
func (w *watch) read(name string) []byte {
	fd, err := unix.Openat(w.proc, name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	n, _ := io.ReadFull(f, w.buf)
	return w.buf[:n]
}

// field is the number after a name.
func field(b []byte, name string) int64 {
	i := bytes.Index(b, []byte(name))
	if i < 0 {
		return 0
	}
	b = bytes.TrimLeft(b[i+len(name):], " \t")
	n := 0
	for n < len(b) && b[n] >= '0' && b[n] <= '9' {
		n++
	}
	v, _ := strconv.ParseInt(string(b[:n]), 10, 64)
	return v
}

// available is how many bytes of memory the machine has to spare (proc_meminfo(5)).
func (w *watch) available() int64 { return field(w.read("meminfo"), "\nMemAvailable:") << 10 }

// deleted is what files take that have no name but are open: in memory, and on a disk.
func (w *watch) deleted() (memory, disk int64) {
	seen := map[[2]uint64]bool{}
	for _, pid := range w.pids() {
		dir, err := unix.Openat(w.proc, pid+"/fd", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			continue
		}
		names, _ := entries(dir)
		for _, name := range names {
			var st unix.Stat_t
			if unix.Fstatat(dir, name, &st, 0) != nil || st.Nlink > 0 || st.Mode&unix.S_IFMT != unix.S_IFREG || seen[[2]uint64{st.Dev, st.Ino}] {
				continue
			}
			seen[[2]uint64{st.Dev, st.Ino}] = true
			if inMemory(dir, name) {
				memory += st.Blocks * 512
			} else {
				disk += st.Blocks * 512
			}
		}
		unix.Close(dir)
	}
	return memory, disk
}

func inMemory(dir int, name string) bool {
	fd, err := unix.Openat(dir, name, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	var st unix.Statfs_t
	return unix.Fstatfs(fd, &st) == nil && (st.Type == unix.TMPFS_MAGIC || st.Type == unix.HUGETLBFS_MAGIC)
}

// A diskWatch holds the changes to so many bytes, and the growth of each cache. How
// large a cache was in the beginning is not found out, because most steps never come
// near a limit: what it has grown by before it is first looked through is free.
type diskWatch struct {
	limit  int64
	files  int           // the changes
	since  unix.Timespec // of them, where there are other files
	caches []int
	began  []int64 // bytes that each cache took when it was first looked through
	taken  int64   // by the largest of them, when they were last looked through
	free   int64   // bytes that the file system had to spare then
	next   time.Time
}

func newDiskWatch(limit int64, files int, caches []int) (*diskWatch, error) {
	d := &diskWatch{limit: limit, files: files, caches: caches, next: time.Now().Add(diskInterval)}
	var err error
	if d.free, err = d.spare(); err != nil {
		return nil, fmt.Errorf("cannot watch the disk: %w", err)
	}
	return d, nil
}

// diskInterval is the least time after which directories are looked through even
// though their file system does not seem fuller: others may have made room there.
const diskInterval = 5 * time.Second

func (d *diskWatch) spare() (int64, error) {
	var st unix.Statfs_t
	err := unix.Fstatfs(d.files, &st)
	return int64(st.Bfree) * st.Bsize, err
}

func (d *diskWatch) near() bool {
	free, err := d.spare()
	return err != nil || d.free-free > (d.limit-d.taken)/2
}

// full reports whether a limit is passed. Directories are looked through only if the
// file system has lost as much as is left to them.
func (d *diskWatch) full(deleted func() int64) bool {
	free, err := d.spare()
	if err == nil && d.free-free <= d.limit-d.taken && time.Now().Before(d.next) {
		return false
	}
	start := time.Now()
	d.free, d.taken = free, diskUse(d.files, d.since)+deleted()
	for i, c := range d.caches {
		now := diskUse(c, unix.Timespec{})
		if len(d.began) == i {
			d.began = append(d.began, now)
		}
		d.taken = max(d.taken, now-d.began[i])
	}
	d.next = time.Now().Add(max(diskInterval, 50*time.Since(start)))
	return d.taken > d.limit
}
