package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func openStore(t *testing.T) *Store {
	t.Helper()
	s, err := Open(filepath.Join(t.TempDir(), "cache"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func put(t *testing.T, s *Store, text string) Digest {
	t.Helper()
	d, err := s.Put([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// temporary returns the names of temporary files.
func temporary(t *testing.T, s *Store) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(s.dir, "tmp"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestDigest(t *testing.T) {
	const empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	if d := DigestOf(nil); d != "sha256:"+empty || d.Hex() != empty || !d.Valid() {
		t.Errorf("of nothing: %s", d)
	}
	if d, err := FromHex(strings.ToUpper(empty)); err != nil || d != DigestOf(nil) {
		t.Errorf("from upper case: %s, %v", d, err)
	}
	for _, digits := range []string{"", "ab", empty + "0", empty[:63] + "g", empty[:63] + "/", "../../" + empty[6:]} {
		if d, err := FromHex(digits); err == nil {
			t.Errorf("%q is taken for %s", digits, d)
		}
	}
	for _, d := range []Digest{"", "sha256:", "sha512:" + empty, "sha256:" + Digest(strings.ToUpper(empty))} {
		if d.Valid() {
			t.Errorf("%q is valid", d)
		}
	}
}

func TestBlob(t *testing.T) {
	s := openStore(t)
	for _, text := range []string{"", "text", strings.Repeat("long ", 100_000)} {
		d := put(t, s, text)
		if size, ok := s.Stat(d); !ok || size != int64(len(text)) {
			t.Errorf("%s: %d bytes, %v", d, size, ok)
		}
		if b, err := s.ReadFile(d); err != nil || string(b) != text {
			t.Errorf("%s: %d bytes read, %v", d, len(b), err)
		}
		if put(t, s, text) != d {
			t.Errorf("%s stored again has another digest", d)
		}
		if err := s.Remove(d); err != nil {
			t.Error(err)
		}
		if _, err := s.Open(d); !errors.Is(err, fs.ErrNotExist) || !errors.Is(err, ErrMissing) {
			t.Errorf("removed: %v", err)
		}
		if err := s.Remove(d); err != nil {
			t.Errorf("removed again: %v", err)
		}
	}
	if _, err := s.Open("sha256:../../etc/passwd"); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a path for a digest: %v", err)
	}
}

func TestWriter(t *testing.T) {
	s := openStore(t)
	w, err := s.Create()
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(w, "te")
	io.WriteString(w, "xt")
	if w.Size() != 4 || w.Digest() != DigestOf([]byte("text")) {
		t.Errorf("%d bytes, %s", w.Size(), w.Digest())
	}
	if _, ok := s.Stat(w.Digest()); ok {
		t.Error("there before it is committed")
	}
	if _, err := w.Commit(DigestOf([]byte("other"))); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), string(w.Digest())) {
		t.Errorf("committed as another: %v", err)
	}
	if err := w.Close(); err != nil || len(temporary(t, s)) > 0 {
		t.Errorf("closed: %v, left %v", err, temporary(t, s))
	}
	if err := w.Close(); err != nil {
		t.Errorf("closed again: %v", err)
	}
}

// A blob whose bytes changed is found where it is read to the end, and is gone then.
func TestDamage(t *testing.T) {
	for name, damage := range map[string]func([]byte) []byte{
		"flipped": func(b []byte) []byte { b[0] ^= 1; return b },
		"cut":     func(b []byte) []byte { return b[:len(b)-1] },
		"longer":  func(b []byte) []byte { return append(b, 'x') },
		"empty":   func([]byte) []byte { return nil },
	} {
		for how, read := range map[string]func(*Store, Digest) error{
			"read":   func(s *Store, d Digest) error { _, err := s.ReadFile(d); return err },
			"verify": func(s *Store, d Digest) error { return s.Verify(d) },
			"blame":  func(s *Store, d Digest) error { return s.Blame(d, errors.New("decoder confused")) },
		} {
			s := openStore(t)
			d := put(t, s, "some text")
			if err := os.WriteFile(s.blobPath(d), damage([]byte("some text")), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := read(s, d); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), string(d)) {
				t.Errorf("%s, %s: %v", name, how, err)
			}
			if _, ok := s.Stat(d); ok {
				t.Errorf("%s, %s: the blob is still there", name, how)
			}
		}
	}
	s := openStore(t)
	d := put(t, s, "some text")
	if cause := errors.New("decoder confused"); s.Blame(d, cause) != cause || s.Blame(d, nil) != nil {
		t.Error("a sound blob is blamed")
	}
	if _, ok := s.Stat(d); !ok {
		t.Error("a sound blob is gone")
	}
}

func TestEntry(t *testing.T) {
	s := openStore(t)
	type value struct{ A, B string }
	var got value
	if s.Get("kind", "key", &got) {
		t.Error("found what nobody stored")
	}
	for i := range 2 {
		want := value{"a", fmt.Sprint("line\n", i)}
		if err := s.Set("kind", "key", want); err != nil {
			t.Fatal(err)
		}
		if !s.Get("kind", "key", &got) || got != want {
			t.Errorf("have %+v, want %+v", got, want)
		}
	}
	if s.Get("kind", "other", &got) || s.Get("other", "key", &got) {
		t.Error("found under another kind or key")
	}
	whole, err := os.ReadFile(s.entryPath("kind", "key"))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"body":      strings.Replace(string(whole), `"a"`, `"b"`, 1),
		"digest":    "sha256:" + strings.Repeat("0", 64) + string(whole[71:]),
		"cut":       string(whole[:len(whole)-1]),
		"no body":   string(whole[:72]),
		"empty":     "",
		"not JSON":  string(DigestOf([]byte("{"))) + "\n{",
		"longer":    string(whole) + " ",
		"all zeros": strings.Repeat("\x00", len(whole)),
	} {
		if err := os.WriteFile(s.entryPath("kind", "key"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if s.Get("kind", "key", &got) {
			t.Errorf("%s: a damaged entry is found", name)
		}
		if _, err := os.Stat(s.entryPath("kind", "key")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: a damaged entry stays: %v", name, err)
		}
	}
	if err := s.Set("kind", "key", func() {}); err == nil || len(temporary(t, s)) > 0 {
		t.Errorf("stored what JSON has not: %v, left %v", err, temporary(t, s))
	}
}

// Writers and readers of the same blobs and entries, through several handles as
// several processes have them, see a whole one or none.
func TestConcurrentWriters(t *testing.T) {
	dir := t.TempDir()
	text := strings.Repeat("some text ", 10_000)
	d := DigestOf([]byte(text))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			s, err := Open(dir)
			if err != nil {
				t.Error(err)
				return
			}
			for range 5 {
				if _, err := s.Put([]byte(text)); err != nil {
					t.Error(err)
				}
				if b, err := s.ReadFile(d); err != nil || string(b) != text {
					t.Errorf("read %d bytes: %v", len(b), err)
				}
				if err := s.Set("kind", "key", text); err != nil {
					t.Error(err)
				}
				var got string
				if !s.Get("kind", "key", &got) || got != text {
					t.Errorf("entry of %d bytes", len(got))
				}
			}
		})
	}
	wg.Wait()
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if left := temporary(t, s); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// What a killed process left is cleared away once it is a day old, and not before:
// it may be another's who is at work.
func TestOpenClearsStaleTemporaries(t *testing.T) {
	s := openStore(t)
	for name, age := range map[string]time.Duration{"blob-old": 25 * time.Hour, "key-old": 72 * time.Hour, "blob-young": 23 * time.Hour} {
		file := filepath.Join(s.dir, "tmp", name)
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		at := time.Now().Add(-age)
		if err := os.Chtimes(file, at, at); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Open(s.dir); err != nil {
		t.Fatal(err)
	}
	if left := temporary(t, s); len(left) != 1 || left[0] != "blob-young" {
		t.Errorf("left %v, want blob-young only", left)
	}
}

func TestOpenRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(file); err == nil || !strings.HasPrefix(err.Error(), "cannot open cache: ") {
		t.Errorf("a file for a directory: %v", err)
	}
}

func TestReplace(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "spec.lock")
	for _, text := range []string{"first", "second"} {
		if err := Replace(file, []byte(text)); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(file)
		info, _ := os.Stat(file)
		if err != nil || string(b) != text || info.Mode() != 0o644 {
			t.Errorf("have %q, %v, mode %v", b, err, info.Mode())
		}
	}
	if err := Replace(filepath.Join(dir, "missing", "file"), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("in a missing directory: %v", err)
	}
	if err := os.Mkdir(filepath.Join(dir, "directory"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := Replace(filepath.Join(dir, "directory"), nil); err == nil {
		t.Error("a directory was replaced")
	}
	entries, _ := os.ReadDir(dir)
	if len(entries) != 2 {
		t.Errorf("left: %v", entries)
	}
}
