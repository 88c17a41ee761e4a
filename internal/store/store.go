package store

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// ErrCorrupt is wrapped by errors about a file whose content does not have the
// digest or size that it is stored under. The file has been removed.
var ErrCorrupt = errors.New("corrupt cache entry")

// ErrMissing is wrapped by errors about a blob that is not there; perhaps another
// reader found it corrupt and removed it.
var ErrMissing = errors.New("missing cache entry")

// Digest is a SHA-256 digest in the OCI form "sha256:" + 64 lower-case hex digits
// (OCI image spec, descriptor.md, Digests).
type Digest string

// DigestOf returns the digest of b.
func DigestOf(b []byte) Digest {
	sum := sha256.Sum256(b)
	return digestOfSum(sum[:])
}

func digestOfSum(sum []byte) Digest { return Digest("sha256:" + hex.EncodeToString(sum)) }

// FromHex returns the digest with the given 64 hex digits, which it checks.
func FromHex(digits string) (Digest, error) {
	d := Digest("sha256:" + strings.ToLower(digits))
	if !d.Valid() {
		return "", fmt.Errorf("sha256 %q: want 64 hex digits", digits)
	}
	return d, nil
}

// Hex returns the digits of d without the algorithm.
func (d Digest) Hex() string { return strings.TrimPrefix(string(d), "sha256:") }

// Valid reports whether d has the documented form.
func (d Digest) Valid() bool {
	digits, ok := strings.CutPrefix(string(d), "sha256:")
	if !ok || len(digits) != 64 {
		return false
	}
	for i := range len(digits) {
		c := digits[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// Store is a cache directory. Its methods may be called from any number of
// goroutines and processes.
type Store struct {
	dir   string
	notes string // the directory of entries, dir but for [Store.Afresh]
}

// A temporary file of that age is the leftover of a process that died; a partial
// download is worth keeping for a run on another day.
const (
	staleAfter        = 24 * time.Hour
	partialStaleAfter = 7 * 24 * time.Hour
)

// Open opens the cache in dir, which it creates with mode 0700 where it is missing.
func Open(dir string) (*Store, error) {
	for _, sub := range []string{"blobs/sha256", "keys", "tmp", "partial"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return nil, fmt.Errorf("cannot open cache: %w", err)
		}
	}
	s := &Store{dir: dir, notes: dir}
	s.clearStale("tmp", staleAfter)
	s.clearStale("partial", partialStaleAfter)
	return s, nil
}

func (s *Store) clearStale(sub string, age time.Duration) {
	entries, err := os.ReadDir(filepath.Join(s.dir, sub))
	if err != nil {
		return
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > age {
			os.RemoveAll(filepath.Join(s.dir, sub, e.Name()))
		}
	}
}

// Afresh returns a store with the blobs of s, each still to be verified when it is
// read, and none of its entries: it has what was downloaded, and knows nothing of what
// was made of it. Its own entries, and what its users put into its directory, go with
// remove.
func (s *Store) Afresh() (fresh *Store, remove func() error, err error) {
	notes, err := os.MkdirTemp(filepath.Join(s.dir, "tmp"), "afresh-*")
	if err != nil {
		return nil, nil, fmt.Errorf("cannot open cache: %w", err)
	}
	return &Store{dir: s.dir, notes: notes}, func() error { return os.RemoveAll(notes) }, nil
}

// Dir returns the directory of the cache, for what is neither a blob nor an entry.
func (s *Store) Dir() string { return s.notes }

func (s *Store) blobPath(d Digest) string {
	return filepath.Join(s.dir, "blobs", "sha256", d.Hex()[:2], d.Hex())
}

// Stat returns the size of blob d in bytes, and whether it is in the store. It
// does not read the content.
func (s *Store) Stat(d Digest) (int64, bool) {
	if !d.Valid() {
		return 0, false
	}
	info, err := os.Stat(s.blobPath(d))
	if err != nil || !info.Mode().IsRegular() {
		return 0, false
	}
	return info.Size(), true
}

// Open opens blob d for reading. Reads are verified: the last Read returns an
// error that wraps [ErrCorrupt] instead of io.EOF where the content is not that
// of d, and the blob is then removed. A caller that stops early has read
// unverified bytes. A missing blob is an error that wraps [ErrMissing] and [fs.ErrNotExist].
func (s *Store) Open(d Digest) (io.ReadCloser, error) {
	if !d.Valid() {
		return nil, fmt.Errorf("cannot open blob %q: not a sha256 digest", d)
	}
	f, err := os.Open(s.blobPath(d))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %w", ErrMissing, err)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot open cached blob: %w", err)
	}
	return &verifiedReader{store: s, want: d, f: f, hash: sha256.New()}, nil
}

// OpenSection opens size bytes of blob d from offset on. Nothing is verified: the
// caller knows what the bytes should be, and asks [Store.Blame] where they are not.
func (s *Store) OpenSection(d Digest, offset, size int64) (io.ReadCloser, error) {
	f, err := os.Open(s.blobPath(d))
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{io.NewSectionReader(f, offset, size), f}, nil
}

// ReadFile returns the verified content of blob d.
func (s *Store) ReadFile(d Digest) ([]byte, error) {
	r, err := s.Open(d)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

// Verify reads blob d to its end. A damaged blob is removed, and the error wraps
// [ErrCorrupt].
func (s *Store) Verify(d Digest) error {
	r, err := s.Open(d)
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = io.Copy(io.Discard, r)
	return err
}

// Blame returns err, which reading blob d led to, or where d is damaged, and so the
// reason for whatever its reader made of it, an error that wraps [ErrCorrupt]; the
// blob is then removed.
func (s *Store) Blame(d Digest, err error) error {
	if err == nil || errors.Is(err, ErrCorrupt) {
		return err
	}
	if damage := s.Verify(d); errors.Is(damage, ErrCorrupt) {
		return damage
	}
	return err
}

// Remove deletes blob d where it exists.
func (s *Store) Remove(d Digest) error {
	if !d.Valid() {
		return nil
	}
	if err := os.Remove(s.blobPath(d)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

type verifiedReader struct {
	store *Store
	want  Digest
	f     *os.File
	hash  hash.Hash
}

func (r *verifiedReader) Read(p []byte) (int, error) {
	n, err := r.f.Read(p)
	r.hash.Write(p[:n])
	if err == io.EOF {
		if got := digestOfSum(r.hash.Sum(nil)); got != r.want {
			r.store.Remove(r.want)
			return n, fmt.Errorf("%w: blob %s has digest %s", ErrCorrupt, r.want, got)
		}
	}
	return n, err
}

func (r *verifiedReader) Close() error { return r.f.Close() }

// Writer writes one new blob. Close it whether or not it was committed.
type Writer struct {
	store *Store
	f     *os.File
	hash  hash.Hash
	size  int64
	done  bool
}

// Create begins a blob whose digest is not known yet.
func (s *Store) Create() (*Writer, error) {
	f, err := os.CreateTemp(filepath.Join(s.dir, "tmp"), "blob-*")
	if err != nil {
		return nil, fmt.Errorf("cannot write to cache: %w", err)
	}
	return &Writer{store: s, f: f, hash: sha256.New()}, nil
}

// Write appends p to the blob.
func (w *Writer) Write(p []byte) (int, error) {
	n, err := w.f.Write(p)
	w.hash.Write(p[:n])
	w.size += int64(n)
	if err != nil {
		return n, fmt.Errorf("cannot write to cache: %w", err)
	}
	return n, nil
}

// Size returns the number of bytes written so far.
func (w *Writer) Size() int64 { return w.size }

// Digest returns the digest of what was written so far.
func (w *Writer) Digest() Digest { return digestOfSum(w.hash.Sum(nil)) }

// Commit makes the blob visible under its digest, which it returns. With want
// not empty, a blob of any other digest is discarded and the error wraps
// [ErrCorrupt].
func (w *Writer) Commit(want Digest) (Digest, error) {
	got := w.Digest()
	if want != "" && got != want {
		return "", fmt.Errorf("%w: have %s, want %s", ErrCorrupt, got, want)
	}
	if err := publish(w.f, w.store.blobPath(got)); err != nil {
		return "", err
	}
	w.done = true
	return got, nil
}

// Close discards the blob unless it was committed.
func (w *Writer) Close() error {
	if w.done {
		return nil
	}
	w.done = true
	w.f.Close()
	return os.Remove(w.f.Name())
}

// Put stores b and returns its digest.
func (s *Store) Put(b []byte) (Digest, error) {
	w, err := s.Create()
	if err != nil {
		return "", err
	}
	defer w.Close()
	if _, err := w.Write(b); err != nil {
		return "", err
	}
	return w.Commit("")
}

// Replace makes the file at path hold b, whole or not at all, with mode 0644. It is
// for files outside the cache that a caller writes.
func Replace(path string, b []byte) error {
	return ReplaceWith(path, func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	})
}

// ReplaceWith is Replace for what write writes.
func ReplaceWith(path string, write func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // after publish the name is gone and this does nothing
	defer f.Close()
	if err := f.Chmod(0o644); err != nil {
		return err
	}
	if err := write(f); err != nil {
		return err
	}
	return publish(f, path)
}

// publish makes a finished temporary file durable under its final name.
func publish(f *os.File, path string) error {
	if err := f.Sync(); err != nil {
		return fmt.Errorf("cannot write to cache: %w", err)
	}
	return moveTo(f, path)
}

// moveTo gives a finished temporary file its final name.
func moveTo(f *os.File, path string) error {
	if err := f.Close(); err != nil {
		return fmt.Errorf("cannot write to cache: %w", err)
	}
	err := os.Rename(f.Name(), path)
	if errors.Is(err, fs.ErrNotExist) { // which is seldom: directories outlive what is in them
		if err = os.MkdirAll(filepath.Dir(path), 0o700); err == nil {
			err = os.Rename(f.Name(), path)
		}
	}
	if err != nil {
		return fmt.Errorf("cannot write to cache: %w", err)
	}
	return nil
}
