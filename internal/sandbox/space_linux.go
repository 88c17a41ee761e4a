package sandbox

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// A Space is a directory of snapshots. Any number of processes may use one at once.
//
// On disk it is, below the directory:
//
//	tmp/ID.lock        held (flock(2)) by the process that makes .ID
//	MAPPING/           the snapshots whose owners are ids of this mapping
//	MAPPING/.ID/       one in the making, or on its way out
//	MAPPING/NAME/fs    a snapshot: its files, in the form overlayfs keeps an upper directory
//	MAPPING/NAME/meta  its [meta]
//	MAPPING/NAME/synced if it has reached the disk
//	MAPPING/cache-NAME/fs  a cache
type Space struct {
	dir  string
	ids  *mapping
	boot string

	copies   bool        // overlayfs cannot be mounted here: see copy_linux.go
	unsynced atomic.Bool // this process has made snapshots since the last Sync
}

// A meta is what is kept beside a snapshot's files.
type meta struct {
	Key   string   `json:"key"`
	On    []string `json:"on,omitempty"` // the keys below it
	Notes []string `json:"notes,omitempty"`
	// Boot is the boot in which the files were written. They are not synced one by
	// one: a snapshot of another boot counts only if it reached the disk (see Sync).
	Boot string `json:"boot"`
}

// Open makes dir a space where it is none, and finds out how this host lets us run.
// What a killed process left there is cleared away. The error has [ErrUnsupported]
// in its chain where the host does not let us run at all.
func Open(dir string) (*Space, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("cannot open snapshots: %w", err)
	}
	ids, err := findMapping()
	if err != nil {
		return nil, err
	}
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	s := &Space{dir: abs, ids: ids, boot: strings.TrimSpace(string(boot))}
	err = s.makeDirs()
	if errors.Is(err, errMapping) && ids.kind == idsSubordinate {
		s.ids = ids.withoutSubordinate(err)
		err = s.makeDirs()
	}
	if err != nil {
		return nil, fmt.Errorf("cannot open snapshots: %w", err)
	}
	if err := s.sweep(context.Background()); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Space) makeDirs() error {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	// Its files belong to ids that are other people's, and some are setuid: nobody
	// but us may come here.
	if err := os.Chmod(s.dir, 0o700); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(s.dir, "tmp"), 0o700); err != nil {
		return err
	}
	if _, err := os.Lstat(filepath.Join(s.dir, s.ids.name())); err == nil && !forceCopies {
		return nil
	}
	s.copies = true
	if _, err := os.Lstat(filepath.Join(s.dir, s.snaps())); err == nil {
		return nil
	}
	if s.copies = forceCopies; !s.copies {
		err := s.makeSnaps()
		if !errors.Is(err, errNoOverlay) {
			return err
		}
	}
	s.copies = true
	return s.makeSnaps()
}

// makeSnaps makes the directory of the snapshots, and tries whether a sandbox can be
// made here at all. Where it cannot, the directory goes: the next one tries again.
func (s *Space) makeSnaps() error {
	// It gets its name when it is finished: another process may come meanwhile.
	dir, err := os.MkdirTemp(filepath.Join(s.dir, "tmp"), "new")
	if err != nil {
		return err
	}
	defer os.Remove(dir)
	uid, gid := s.ids.owner()
	if err := os.Lchown(dir, uid, gid); err != nil {
		return err
	}
	spread(dir)
	snaps := filepath.Join(s.dir, s.snaps())
	err = unix.Renameat2(unix.AT_FDCWD, dir, unix.AT_FDCWD, snaps, unix.RENAME_NOREPLACE)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := s.call(context.Background(), &request{Verb: verbTry}, nil, nil); err != nil {
		os.Remove(snaps)
		return err
	}
	return nil
}

// spread tells ext4 that what lies below a directory is not related (FS_TOPDIR_FL of
// ioctl_iflags(2), chattr +T): each snapshot then begins in a group of blocks of its
// own. Otherwise all of them share one, and ext4, which for some minutes does not
// reuse an inode that was removed, looks at each such one for every new file: to
// make a snapshot after another one was removed took five times as long. Other file
// systems do not know the flag, which is no error.
func spread(dir string) {
	const topDir = 0x20000
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	if flags, err := unix.IoctlGetInt(fd, unix.FS_IOC_GETFLAGS); err == nil {
		_ = unix.IoctlSetPointerInt(fd, unix.FS_IOC_SETFLAGS, flags|topDir)
	}
}

// snaps is the name of the directory of the snapshots.
func (s *Space) snaps() string {
	if s.copies {
		return s.ids.name() + "-copy"
	}
	return s.ids.name()
}

// forceCopies makes copies of snapshots everywhere. It is for tests.
var forceCopies bool

// snapName is the name of the directory of a snapshot: short, because a hundred of
// them must fit the options of a mount on older kernels.
func snapName(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:12])
}

func snapNames(keys []string) []string {
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = snapName(k)
	}
	return names
}

// Has reports whether there is a snapshot under key.
func (s *Space) Has(key string) bool {
	_, ok := s.meta(key)
	return ok
}

func (s *Space) meta(key string) (meta, bool) {
	snap := filepath.Join(s.dir, s.snaps(), snapName(key))
	m, ok := readMeta(snap)
	if !ok || m.Key != key {
		return m, false
	}
	return m, m.Boot == s.boot || isSynced(snap)
}

func readMeta(snap string) (m meta, ok bool) {
	b, err := os.ReadFile(filepath.Join(snap, "meta"))
	return m, err == nil && json.Unmarshal(b, &m) == nil
}

// need fails with [ErrNoSnapshot] where one of the keys has no snapshot.
func (s *Space) need(keys []string) error {
	for _, k := range keys {
		if !s.Has(k) {
			return fmt.Errorf("%w: %s", ErrNoSnapshot, k)
		}
	}
	return nil
}

// A claim is the right to a temporary directory, for as long as the file is open:
// here or in a child.
type claim struct {
	id   string
	lock *os.File
}

func (s *Space) claim() (*claim, error) {
	for {
		c := &claim{id: rand.Text()[:16]}
		path := filepath.Join(s.dir, "tmp", c.id+".lock")
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return nil, fmt.Errorf("cannot write to snapshots: %w", err)
		}
		c.lock = f
		// A sweep may look at the file before it is locked: it then takes and removes
		// it, and the next name is tried.
		if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
			if _, err := os.Lstat(path); err == nil {
				return c, nil
			}
		}
		f.Close()
	}
}

// drop gives a claim back, whose directory is gone.
func (s *Space) drop(c *claim) {
	os.Remove(c.lock.Name())
	c.lock.Close()
}

// sweep removes what processes that are gone have left.
func (s *Space) sweep(ctx context.Context) error {
	locks, err := filepath.Glob(filepath.Join(s.dir, "tmp", "*.lock"))
	if err != nil || len(locks) == 0 {
		return err
	}
	var dead []*claim
	var left []string
	for _, path := range locks {
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			continue
		}
		if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
			f.Close()
			continue
		}
		id := strings.TrimSuffix(filepath.Base(path), ".lock")
		found, _ := filepath.Glob(filepath.Join(s.dir, "*", "."+id))
		if len(found) > 0 {
			if filepath.Base(filepath.Dir(found[0])) != s.snaps() {
				f.Close() // left under other ids: not ours to remove
				continue
			}
			left = append(left, "."+id)
		}
		dead = append(dead, &claim{id: id, lock: f})
	}
	if len(left) > 0 {
		if err := s.call(ctx, &request{Verb: verbSweep, Names: left}, nil, nil); err != nil {
			return fmt.Errorf("cannot clear away what an earlier run left in %s: %w", s.dir, err)
		}
	}
	for _, c := range dead {
		s.drop(c)
	}
	return nil
}
