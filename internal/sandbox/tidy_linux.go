package sandbox

import (
	"time"

	"golang.org/x/sys/unix"
)

// inodeSize is what a file takes of a disk beside its content, about.
const inodeSize = 1024

// A tidier goes over the changes of a step.
type tidier struct {
	latest time.Time
	since  unix.Timespec // files that changed earlier are none of the step's
	taken  int64
	live   bool // the step still runs: what is gone counts no more
}

// tidy gives what is newer than latest that time, unless it is zero, and returns
// how many bytes of disk everything takes that changed since then.
func tidy(dir int, latest time.Time, since unix.Timespec) (taken int64, err error) {
	t := &tidier{latest: latest, since: since}
	err = t.walk(dir, 0)
	return t.taken, err
}

// diskUse is how many bytes of disk a directory takes that processes write to.
func diskUse(dir int, since unix.Timespec) int64 {
	t := &tidier{live: true, since: since}
	_ = t.walk(dir, 0)
	return t.taken
}

func (t *tidier) late(st *unix.Stat_t) bool {
	return !t.latest.IsZero() && time.Unix(st.Mtim.Unix()).After(t.latest)
}

// walk goes depth first: what is done in a directory changes its time.
func (t *tidier) walk(dir, depth int) error {
	if depth > maxDepth {
		return unix.ENAMETOOLONG
	}
	names, err := entries(dir)
	if err != nil {
		return err
	}
	for _, e := range names {
		if err := t.entry(dir, e, depth); err != nil && !t.live {
			return err
		}
	}
	var st unix.Stat_t
	if err := unix.Fstat(dir, &st); err != nil || !t.late(&st) {
		return err
	}
	return setTimeFD(dir, t.latest)
}

func (t *tidier) entry(dir int, name string, depth int) error {
	var st unix.Stat_t
	if err := unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	isDir := st.Mode&unix.S_IFMT == unix.S_IFDIR
	if !isDir && earlier(st.Ctim, t.since) {
		return nil
	}
	// Of a file with several names each takes its share.
	t.taken += (st.Blocks*512 + inodeSize) / max(int64(st.Nlink), 1)
	if isDir {
		t.taken += st.Blocks * 512 // that of a directory counts its subdirectories
		fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		return t.walk(fd, depth+1)
	}
	if t.late(&st) && !isWhiteout(dir, name, &st) {
		return setTimeAt(dir, name, t.latest)
	}
	return nil
}
