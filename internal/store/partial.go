package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// A Partial is a blob on its way in: its digest is known, its bytes arrive over
// several runs if need be. One process at a time holds it.
type Partial struct {
	store *Store
	want  Digest
	f     *os.File
	hash  hash.Hash
	size  int64
	done  bool
}

// lockPoll is the time between two looks at a partial that another process holds.
// Its lock ends with the process, so a dead one is never waited for.
const lockPoll = 50 * time.Millisecond

// OpenPartial opens the unfinished blob d, with the bytes that an earlier run
// left. While another process or goroutine holds it, OpenPartial waits until it
// is let go or ctx ends: the caller then looks with [Store.Stat] whether the
// other one finished the blob.
func (s *Store) OpenPartial(ctx context.Context, d Digest) (*Partial, error) {
	if !d.Valid() {
		return nil, fmt.Errorf("cannot download blob %q: not a sha256 digest", d)
	}
	for {
		f, err := s.lockPartial(d)
		if err != nil {
			return nil, fmt.Errorf("cannot write to cache: %w", err)
		}
		if f != nil {
			return s.resumePartial(f, d)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(lockPoll):
		}
	}
}

func (s *Store) partialPath(d Digest) string { return filepath.Join(s.dir, "partial", d.Hex()) }

// lockPartial returns the locked file, or nil where another one holds it.
func (s *Store) lockPartial(d Digest) (*os.File, error) {
	path := s.partialPath(d)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) || errors.Is(err, syscall.EINTR) {
			return nil, nil
		}
		return nil, err
	}
	// The file may have become a blob, or been removed, between open and lock: then
	// the lock is on a file without this name and guards nothing.
	held, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	if named, err := os.Stat(path); err != nil || !os.SameFile(held, named) {
		f.Close()
		return nil, nil
	}
	return f, nil
}

func (s *Store) resumePartial(f *os.File, d Digest) (*Partial, error) {
	p := &Partial{store: s, want: d, f: f, hash: sha256.New()}
	n, err := io.Copy(p.hash, f)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("cannot read cache: %w", err)
	}
	p.size = n
	return p, nil
}

// Size returns the number of bytes that are there, in bytes.
func (p *Partial) Size() int64 { return p.size }

// Digest returns the digest of the bytes that are there.
func (p *Partial) Digest() Digest { return digestOfSum(p.hash.Sum(nil)) }

// Write appends b.
func (p *Partial) Write(b []byte) (int, error) {
	n, err := p.f.Write(b)
	p.hash.Write(b[:n])
	p.size += int64(n)
	if err != nil {
		return n, fmt.Errorf("cannot write to cache: %w", err)
	}
	return n, nil
}

// Restart forgets the bytes that are there.
func (p *Partial) Restart() error {
	if err := p.f.Truncate(0); err != nil {
		return fmt.Errorf("cannot write to cache: %w", err)
	}
	if _, err := p.f.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("cannot write to cache: %w", err)
	}
	p.hash.Reset()
	p.size = 0
	return nil
}

// Commit makes the bytes visible as the blob and ends the Partial. Where they are
// not those of the blob, the error wraps [ErrCorrupt] and the Partial is as before.
func (p *Partial) Commit() error {
	if got := p.Digest(); got != p.want {
		return fmt.Errorf("%w: have %s, want %s", ErrCorrupt, got, p.want)
	}
	// The lock outlives the old name: it ends when the file is closed.
	if err := publishLocked(p.f, p.store.blobPath(p.want)); err != nil {
		return err
	}
	p.done = true
	return nil
}

// Discard removes the bytes that are there and ends the Partial.
func (p *Partial) Discard() error {
	if p.done {
		return nil
	}
	p.done = true
	err := os.Remove(p.f.Name())
	return errors.Join(err, p.f.Close())
}

// Close ends the Partial and keeps its bytes for the next run. After Commit or
// Discard it does nothing.
func (p *Partial) Close() error {
	if p.done {
		return nil
	}
	if p.size == 0 {
		return p.Discard()
	}
	p.done = true
	return p.f.Close()
}

// publishLocked is publish for a file whose lock must outlive its old name.
func publishLocked(f *os.File, path string) error {
	if err := f.Sync(); err != nil {
		return fmt.Errorf("cannot write to cache: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("cannot write to cache: %w", err)
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return fmt.Errorf("cannot write to cache: %w", err)
	}
	return f.Close()
}
