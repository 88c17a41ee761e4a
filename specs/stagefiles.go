package specs

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// SourcePath is one path that a [StageFile] puts into its stage.
type SourcePath struct {
	Name string      // below the directory that is copied, with slashes; "." for a file, or for the directory itself
	Type fs.FileMode // of it the type bits: a directory, a symbolic link, or none for a file
	Mode fs.FileMode // permission bits
	Size int64       // bytes, of a file
	Link string      // target of a symbolic link

	root *sourceRoot
	name string // below root
}

// Open opens a file for reading. Links that lead out of the source are not followed.
func (p *SourcePath) Open() (*os.File, error) {
	root, err := os.OpenRoot(p.root.dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return root.Open(filepath.FromSlash(p.name))
}

type sourceRoot struct{ dir string }

// isPattern reports whether a source names files by a pattern.
func isPattern(source string) bool { return strings.ContainsAny(source, "*?[{") }

// StageFiles returns what f puts into a stage, sorted by name, where f is one of
// the spec's stages' Files. A directory is copied with everything in it; a pattern
// with the paths that match it, each below what of the pattern comes before its
// first wildcard. It fails where nothing is found, and on what is neither file,
// directory nor symbolic link.
func (s *Spec) StageFiles(f *StageFile) ([]SourcePath, error) {
	source, ok := s.from().sources[f.Source]
	if !ok {
		return nil, fmt.Errorf("cannot open %q: no file that %s names: %w", f.Source, s.from().file, fs.ErrNotExist)
	}
	return source.tree(f.Exclude)
}

// tree returns the paths that the source stands for, less the excluded ones.
func (f sourceFile) tree(exclude []string) ([]SourcePath, error) {
	root, err := os.OpenRoot(f.dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	base, tops := f.name, []string{f.name}
	if isPattern(f.name) {
		var pattern string
		base, pattern = doublestar.SplitPattern(f.name)
		files := root.FS()
		if base != "." {
			if files, err = fs.Sub(files, base); err != nil {
				return nil, err
			}
		}
		if tops, err = doublestar.Glob(files, pattern, doublestar.WithNoFollow(), doublestar.WithFailOnIOErrors()); err != nil {
			return nil, cause(err)
		}
		for i := range tops {
			tops[i] = path.Join(base, tops[i])
		}
	}
	w := &sourceWalk{root: root, dir: &sourceRoot{f.dir}, base: base, exclude: exclude, seen: map[string]bool{}}
	for _, top := range tops {
		if err := w.add(top); err != nil {
			return nil, err
		}
	}
	if len(w.paths) == 0 {
		return nil, errors.New("no file matches")
	}
	slices.SortFunc(w.paths, func(a, b SourcePath) int { return cmp.Compare(a.Name, b.Name) })
	return w.paths, nil
}

// checkTree says why the source cannot be used.
func (f sourceFile) checkTree() error {
	_, err := f.tree(nil)
	return err
}

// sourceWalk collects paths below a source.
type sourceWalk struct {
	root    *os.Root
	dir     *sourceRoot
	base    string
	exclude []string
	seen    map[string]bool
	paths   []SourcePath
}

func (w *sourceWalk) add(name string) error {
	rel := "."
	if name != w.base {
		rel = strings.TrimPrefix(name, w.base+"/")
		if w.base == "." {
			rel = name
		}
	}
	if w.seen[rel] || Excluded(w.exclude, rel) {
		return nil
	}
	w.seen[rel] = true
	info, err := w.root.Lstat(filepath.FromSlash(name))
	if err != nil {
		return cause(err)
	}
	p := SourcePath{Name: rel, Type: info.Mode().Type(), Mode: sourceMode(info.Mode()), root: w.dir, name: name}
	switch p.Type {
	case 0:
		p.Size = info.Size()
	case fs.ModeDir:
		entries, err := fs.ReadDir(w.root.FS(), name)
		if err != nil {
			return cause(err)
		}
		for _, e := range entries {
			if err := w.add(path.Join(name, e.Name())); err != nil {
				return err
			}
		}
	case fs.ModeSymlink:
		if p.Link, err = w.root.Readlink(filepath.FromSlash(name)); err != nil {
			return cause(err)
		}
	default:
		return fmt.Errorf("%q is a %s, expected files, directories and links", name, describeType(p.Type))
	}
	w.paths = append(w.paths, p)
	return nil
}

// sourceMode is the mode that a file of the spec's directory has in a stage. Of the
// permissions only whether it can be executed counts, as in git: the others are the
// umask's of whoever checked it out.
func sourceMode(m fs.FileMode) fs.FileMode {
	if m.IsDir() || m&0o100 != 0 {
		return 0o755
	}
	return 0o644
}

func describeType(t fs.FileMode) string {
	switch {
	case t&fs.ModeNamedPipe != 0:
		return "named pipe"
	case t&fs.ModeSocket != 0:
		return "socket"
	default:
		return "device"
	}
}

// Excluded reports whether a pattern matches the path or a directory above it; one
// without a slash matches a name at any depth, as in .gitignore files.
func Excluded(patterns []string, name string) bool {
	for ; name != "." && name != "/"; name = path.Dir(name) {
		for _, p := range patterns {
			at := name
			if !strings.Contains(p, "/") {
				at = path.Base(name)
			}
			if ok, _ := doublestar.Match(strings.TrimSuffix(p, "/"), at); ok {
				return true
			}
		}
	}
	return false
}

// treeDigest returns a digest of all that [sourceFile.tree] finds, in hex.
func (f sourceFile) treeDigest(exclude []string) (string, error) {
	paths, err := f.tree(exclude)
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	for i := range paths {
		p := &paths[i]
		fmt.Fprintf(sum, "%q %o %o %q ", p.Name, p.Type, p.Mode, p.Link)
		if p.Type == 0 {
			content, err := p.digest()
			if err != nil {
				return "", err
			}
			sum.Write(content)
		}
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

func (p *SourcePath) digest() ([]byte, error) {
	file, err := p.Open()
	if err != nil {
		return nil, err
	}
	defer file.Close()
	h := sha256.New()
	_, err = io.Copy(h, file)
	return h.Sum(nil), err
}

// StageFilesDigest returns a digest, in hex, of all that f puts into a stage.
func (s *Spec) StageFilesDigest(f *StageFile) (string, error) {
	source, ok := s.from().sources[f.Source]
	if !ok {
		return "", fmt.Errorf("cannot open %q: no file that %s names: %w", f.Source, s.from().file, fs.ErrNotExist)
	}
	return source.treeDigest(f.Exclude)
}
