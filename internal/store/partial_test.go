package store

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func openPartial(t *testing.T, s *Store, d Digest) *Partial {
	t.Helper()
	p, err := s.OpenPartial(context.Background(), d)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func write(t *testing.T, p *Partial, text string) {
	t.Helper()
	if _, err := p.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
}

func partials(t *testing.T, s *Store) int {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(s.Dir(), "partial"))
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// TestPartial follows a blob that comes in two runs.
func TestPartial(t *testing.T) {
	s, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	d := DigestOf([]byte("hello world"))
	p := openPartial(t, s, d)
	write(t, p, "hello ")
	if err := p.Commit(); !errors.Is(err, ErrCorrupt) {
		t.Errorf("commit of a half: have %v, want %v", err, ErrCorrupt)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	p = openPartial(t, s, d)
	if p.Size() != 6 {
		t.Errorf("second run: have %d bytes, want 6", p.Size())
	}
	write(t, p, "world")
	if err := p.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Errorf("close after commit: %v", err)
	}
	if b, err := s.ReadFile(d); err != nil || string(b) != "hello world" {
		t.Errorf("have %q, %v", b, err)
	}
	if n := partials(t, s); n != 0 {
		t.Errorf("%d files left in partial", n)
	}
}

func TestPartialRestartAndDiscard(t *testing.T) {
	s, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	d := DigestOf([]byte("right"))
	p := openPartial(t, s, d)
	write(t, p, "something wrong")
	if err := p.Restart(); err != nil {
		t.Fatal(err)
	}
	write(t, p, "right")
	if got := p.Digest(); got != d {
		t.Errorf("digest after restart: have %s, want %s", got, d)
	}
	if err := p.Discard(); err != nil {
		t.Fatal(err)
	}
	if n := partials(t, s); n != 0 {
		t.Errorf("%d files left in partial", n)
	}
	// One that got no byte is not worth keeping.
	if err := openPartial(t, s, d).Close(); err != nil {
		t.Fatal(err)
	}
	if n := partials(t, s); n != 0 {
		t.Errorf("%d files left in partial", n)
	}
}

// TestPartialIsHeldByOne: a second one waits, and sees the blob or the bytes.
func TestPartialIsHeldByOne(t *testing.T) {
	s, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	d := DigestOf([]byte("text"))
	first := openPartial(t, s, d)
	write(t, first, "te")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := s.OpenPartial(ctx, d); !errors.Is(err, context.Canceled) {
		t.Errorf("while held: have %v, want %v", err, context.Canceled)
	}
	second := make(chan *Partial)
	go func() {
		p, err := s.OpenPartial(context.Background(), d)
		if err != nil {
			t.Error(err)
		}
		second <- p
	}()
	write(t, first, "xt")
	if err := first.Commit(); err != nil {
		t.Fatal(err)
	}
	p := <-second
	defer p.Close()
	if _, ok := s.Stat(d); !ok || p.Size() != 0 {
		t.Errorf("after the first: blob there %v, partial has %d bytes, want none", ok, p.Size())
	}
}

func TestOpenClearsStalePartials(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	for text, age := range map[string]time.Duration{"old": 8 * 24 * time.Hour, "young": 6 * 24 * time.Hour} {
		p := openPartial(t, s, DigestOf([]byte(text+"!")))
		write(t, p, text)
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		at := time.Now().Add(-age)
		if err := os.Chtimes(s.partialPath(DigestOf([]byte(text+"!"))), at, at); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Open(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(s.partialPath(DigestOf([]byte("young!")))); err != nil || partials(t, s) != 1 {
		t.Errorf("want the young one only: %v, %d files", err, partials(t, s))
	}
}
