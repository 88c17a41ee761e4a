package oci

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// An output is made under a name ".NAME.partial-XXXX" beside its final one and
// holds a lock, flock(2), while its writer lives. A name like that without a lock
// is what a killed writer left, and the next writer of NAME removes it.

const partialMark = ".partial-"

// createPartial makes an empty file or directory to become path and locks it.
// Modes are those that the umask leaves.
func createPartial(path string, dir bool) (*os.File, error) {
	parent, base := filepath.Dir(path), filepath.Base(path)
	sweepPartial(parent, "."+base+partialMark)
	for {
		name := filepath.Join(parent, "."+base+partialMark+rand.Text()[:8])
		var f *os.File
		var err error
		if dir {
			if err = os.Mkdir(name, 0o777); err == nil {
				if f, err = os.Open(name); errors.Is(err, fs.ErrNotExist) {
					continue // as below
				}
			}
		} else {
			f, err = os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o666)
		}
		if err != nil {
			if _, e := os.Stat(parent); e != nil {
				err = e // which has a name that the caller knows
			}
			return nil, err
		}
		// Another writer's sweep may have come between the making and the lock.
		if tryLock(f) != errLocked && sameFile(f, name) {
			return f, nil
		}
		f.Close()
	}
}

// sweepPartial removes what killed writers left in parent under that prefix. What
// cannot be removed stays: it is not this writer's business.
func sweepPartial(parent, prefix string) {
	entries, err := os.ReadDir(parent)
	if err != nil {
		return
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), prefix) || !e.IsDir() && !e.Type().IsRegular() {
			continue
		}
		f, err := os.Open(filepath.Join(parent, e.Name()))
		if err != nil {
			continue
		}
		if tryLock(f) == nil {
			os.RemoveAll(f.Name())
		}
		f.Close()
	}
}

var errLocked = errors.New("locked by another process")

// tryLock takes the exclusive lock on f's file, or returns errLocked, or another
// error where the file system has no such locks. Closing f gives it back.
func tryLock(f *os.File) error {
	for {
		switch err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err {
		case syscall.EINTR:
		case syscall.EWOULDBLOCK:
			return errLocked
		default:
			return err
		}
	}
}

// lockDir opens the directory and waits for its lock. It reports locked as false
// where the file system has no locks.
func lockDir(ctx context.Context, dir string) (f *os.File, locked bool, err error) {
	for {
		if f, err = os.Open(dir); err != nil {
			return nil, false, err
		}
		err = tryLock(f)
		if err != errLocked {
			if sameFile(f, dir) {
				return f, err == nil, nil
			}
			f.Close() // replaced meanwhile by another directory of that name
			continue
		}
		f.Close()
		select {
		case <-ctx.Done():
			return nil, false, fmt.Errorf("waiting for another writer: %w", ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// sameFile reports whether name still is the file that f has open.
func sameFile(f *os.File, name string) bool {
	a, err := f.Stat()
	if err != nil {
		return false
	}
	b, err := os.Stat(name)
	return err == nil && os.SameFile(a, b)
}

// writeFile makes the file path out of what write writes: whole or not at all.
func writeFile(path string, write func(io.Writer) error) (err error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%s exists and is not a regular file", path)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := createPartial(path, false)
	if err != nil {
		return err
	}
	defer f.Close()
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	if err := write(f); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes the names in a directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return ignoreUnsupported(d.Sync())
}

// ignoreUnsupported drops the error of file systems that cannot sync a directory.
func ignoreUnsupported(err error) error {
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	return err
}
