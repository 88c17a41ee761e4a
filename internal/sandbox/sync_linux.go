package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// syncedName is the name of the file that stands beside a snapshot's files once
// they have reached the disk.
const syncedName = "synced"

// Sync makes every snapshot durable that there is. One that is not is whole as long
// as the machine runs, and counts as absent after that: its files may have been lost
// with the power. Where this process has made none, nothing is done. It waits for all
// that was written to the file system, whoever wrote it.
func (s *Space) Sync(ctx context.Context) error {
	if !s.unsynced.Swap(false) {
		return nil
	}
	done := make(chan error, 1)
	go func() { done <- s.sync() }()
	var err error
	select {
	case err = <-done:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		s.unsynced.Store(true)
		return fmt.Errorf("cannot make snapshots durable: %w", err)
	}
	return nil
}

// sync marks the snapshots of before the kernel was asked to write all it has.
func (s *Space) sync() error {
	dir := filepath.Join(s.dir, s.snaps())
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var names []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") || strings.HasPrefix(e.Name(), cachePrefix) {
			continue
		}
		// One of an earlier boot that has no mark may be torn, and stays without.
		if m, ok := readMeta(filepath.Join(dir, e.Name())); ok && m.Boot == s.boot && !isSynced(filepath.Join(dir, e.Name())) {
			names = append(names, e.Name())
		}
	}
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.Syncfs(fd); err != nil {
		return err
	}
	for _, name := range names {
		f, err := os.OpenFile(filepath.Join(dir, name, syncedName), os.O_WRONLY|os.O_CREATE, 0o644)
		if errors.Is(err, os.ErrNotExist) {
			continue // it was removed meanwhile
		}
		if err != nil {
			return err
		}
		f.Close()
	}
	return nil
}

func isSynced(snap string) bool {
	_, err := os.Lstat(filepath.Join(snap, syncedName))
	return err == nil
}
