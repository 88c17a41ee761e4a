package specs

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
)

// sourceFile is a file that a spec names: below the directory of the file that
// names it, or, for a key file, by its absolute path.
type sourceFile struct {
	dir  string // "" for an absolute path
	name string
}

func newSourceFile(dir, name string) sourceFile {
	if path.IsAbs(name) {
		dir = ""
	}
	return sourceFile{dir, name}
}

// open opens the file for reading. Symbolic links that lead out of the directory
// are not followed.
func (f sourceFile) open() (*os.File, error) {
	if f.dir == "" {
		return os.Open(f.name)
	}
	root, err := os.OpenRoot(f.dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return root.Open(filepath.FromSlash(f.name))
}

// check says why the file cannot be used, without opening it, as opening a named
// pipe would wait.
func (f sourceFile) check() error {
	info, err := f.stat()
	if err != nil {
		return cause(err)
	}
	if !info.Mode().IsRegular() {
		return errors.New("not a regular file")
	}
	return nil
}

func (f sourceFile) stat() (fs.FileInfo, error) {
	if f.dir == "" {
		return os.Stat(f.name)
	}
	root, err := os.OpenRoot(f.dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return root.Stat(filepath.FromSlash(f.name))
}

// relativeTo returns the file's name from a directory, with slashes.
func (f sourceFile) relativeTo(dir string) string {
	if f.dir == "" {
		return f.name
	}
	rel, err := filepath.Rel(dir, f.dir)
	if err != nil {
		return f.name
	}
	return path.Join(filepath.ToSlash(rel), f.name)
}

// digest returns the SHA-256 of the file's bytes in hex.
func (f sourceFile) digest() (string, error) {
	file, err := f.open()
	if err != nil {
		return "", err
	}
	defer file.Close()
	h := sha256.New()
	if _, err := io.Copy(h, file); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// OpenSource opens a file that the spec names: a path's or a stage file's Source,
// or a repository's SignedBy. Those are relative to the directory of the spec that
// was loaded, also where a parent in another directory names them. A name that the
// spec does not have is [io/fs.ErrNotExist].
func (s *Spec) OpenSource(name string) (*os.File, error) {
	f, ok := s.from().sources[name]
	if !ok {
		return nil, fmt.Errorf("cannot open %q: no file that %s names: %w", name, s.from().file, fs.ErrNotExist)
	}
	return f.open()
}
