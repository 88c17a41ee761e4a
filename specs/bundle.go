package specs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// LoadOptions say how a spec is loaded that is not where it was written. The zero
// value is [Load]'s.
type LoadOptions struct {
	// Root is the directory that parents and key files are below, the latter by their
	// absolute names; "" is the file system's.
	Root string
	// Checkout stands for the spec's directory where a file that the spec names is not
	// there: files of stages, and images on disk, always come from it.
	Checkout string
	// Incomplete takes a spec that names files which are not there. Who reads them has
	// the error.
	Incomplete bool
}

// allows reports whether a parent may be read.
func (o LoadOptions) allows(path string) bool {
	if o.Root == "" {
		return true
	}
	rel, err := filepath.Rel(o.Root, path)
	return err == nil && filepath.IsLocal(rel)
}

// find returns where a file that a spec names is, where stages say that one of them
// reads it. dir is the spec's directory.
func (o LoadOptions) find(f sourceFile, dir string, stages bool) sourceFile {
	switch {
	case f.dir == "" && o.Root != "":
		return sourceFile{o.Root, strings.TrimPrefix(path.Clean(f.name), "/")}
	case f.dir == "" || o.Checkout == "" || !stages && f.check() == nil:
		return f
	}
	rel, err := filepath.Rel(dir, f.dir)
	if err != nil {
		return f
	}
	return sourceFile{filepath.Join(o.Checkout, rel), f.name}
}

// chainFile is a spec's file or that of a parent.
type chainFile struct {
	path string // as it was opened
	name string // relative to the spec's directory, with slashes
	text []byte
}

// The bounds of a [Bundle], in bytes and in number.
const (
	maxBundled     = 256 << 10 // of a file that a spec names
	maxBundle      = 1 << 20   // of all files together
	maxBundleFiles = 1000
	maxAscent      = 2 * maxParents // how far above the spec's directory a file may be
)

// ErrBundle is wrapped by errors about a bundle that is none, or too large.
var ErrBundle = errors.New("not a bundle of a spec")

// A Bundle is a spec with what is needed to load it elsewhere, as JSON: its text and
// its parents', and the files that it names, as far as they are small. What only
// stages read is in it by digest.
type Bundle struct {
	Spec    string        `json:"spec"`              // name of the spec's file
	Variant string        `json:"variant,omitempty"` // that the bundle is of
	Files   []BundledFile `json:"files"`             // sorted by name
	Left    []LeftFile    `json:"left,omitempty"`    // what is not in it; sorted by name
}

// BundledFile is one file of a bundle.
type BundledFile struct {
	// Name is relative to the spec's directory, with slashes, and may begin with "..";
	// that of a key file may be absolute.
	Name  string `json:"name"`
	Text  string `json:"text,omitempty"`
	Bytes []byte `json:"bytes,omitempty"` // of a file that is not UTF-8, in place of Text
}

func (f *BundledFile) content() []byte {
	if f.Bytes != nil {
		return f.Bytes
	}
	return []byte(f.Text)
}

// LeftFile is what a spec names and a bundle does not have: files of stages, and what
// is too large.
type LeftFile struct {
	Name    string   `json:"name"` // as of a file; may be a directory or a pattern
	Exclude []string `json:"exclude,omitempty"`
	Digest  string   `json:"digest"` // "sha256:..." of the file, or of all that the name stands for
}

// Bundle returns the bundle of the variant that s is. base is what it is a variant of,
// whose other variants' files are in it too, since [Load] asks for them. The error wraps
// [ErrBundle] where the texts alone are too large.
func (s *Spec) Bundle(base *Spec) (*Bundle, error) {
	b := &bundler{chain: s.from().chain, size: maxBundle, bundle: &Bundle{Variant: s.variant}, have: map[string]bool{}}
	for i, f := range b.chain {
		if i == 0 {
			b.bundle.Spec = f.name
		}
		if b.size -= len(f.text); b.size < 0 {
			return nil, fmt.Errorf("%w: the texts have more than %d bytes", ErrBundle, maxBundle)
		}
		b.put(f.name, f.text)
	}
	if err := b.stageFiles(s); err != nil {
		return nil, err
	}
	for _, name := range append([]string{s.variant, ""}, base.VariantNames()...) {
		v, err := base.Variant(name)
		if err != nil {
			return nil, err
		}
		if err := b.named(v); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(b.bundle.Files, func(x, y BundledFile) int { return strings.Compare(x.Name, y.Name) })
	slices.SortFunc(b.bundle.Left, func(x, y LeftFile) int { return strings.Compare(x.Name, y.Name) })
	return b.bundle, nil
}

// bundler makes a bundle.
type bundler struct {
	chain  []chainFile
	size   int // bytes that there is room for
	bundle *Bundle
	have   map[string]bool
}

func (b *bundler) put(name string, content []byte) {
	f := BundledFile{Name: name, Text: string(content)}
	if !utf8.Valid(content) {
		f.Text, f.Bytes = "", content
	}
	b.have[name] = true
	b.bundle.Files = append(b.bundle.Files, f)
}

// named adds the files that get into the image, and keys.
func (b *bundler) named(s *Spec) error {
	stages := map[string]bool{}
	for _, stage := range s.Stages {
		for _, f := range stage.Files {
			stages[f.Source] = true
		}
	}
	for _, source := range slices.Sorted(maps.Keys(s.from().sources)) {
		f := s.from().sources[source]
		names := slices.DeleteFunc(b.names(f), func(name string) bool { return b.have[name] })
		if stages[source] || len(names) == 0 {
			continue
		}
		content, err := f.read(min(maxBundled, b.size))
		if errors.Is(err, ErrBundle) {
			digest, err := f.digest()
			if err != nil {
				return fmt.Errorf("cannot read %q, which %s names: %w", source, s.from().file, err)
			}
			for _, name := range names {
				b.have[name] = true
				b.bundle.Left = append(b.bundle.Left, LeftFile{Name: name, Digest: "sha256:" + digest})
			}
			continue
		}
		if err != nil {
			return fmt.Errorf("cannot read %q, which %s names: %w", source, s.from().file, err)
		}
		for _, name := range names {
			b.size -= len(content)
			b.put(name, content)
		}
	}
	return nil
}

// read returns the content of a file of at most so many bytes.
func (f sourceFile) read(most int) ([]byte, error) {
	file, err := f.open()
	if err != nil {
		return nil, err
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, int64(most)+1))
	if err == nil && len(content) > most {
		err = fmt.Errorf("%w: more than %d bytes", ErrBundle, most)
	}
	return content, err
}

// names returns the names that a file has as the spec's texts lead to it: a directory
// may be reached in several ways.
func (b *bundler) names(f sourceFile) []string {
	if f.dir == "" {
		return []string{f.name}
	}
	var names []string
	for _, c := range b.chain {
		if name := path.Join(path.Dir(c.name), f.name); filepath.Dir(c.path) == f.dir && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// stageFiles adds the digests of what stages read.
func (b *bundler) stageFiles(s *Spec) error {
	for _, stage := range s.Stages {
		for i := range stage.Files {
			f := &stage.Files[i]
			digest, err := s.StageFilesDigest(f)
			if err != nil {
				return fmt.Errorf("cannot read %q, which %s names: %w", f.Source, s.from().file, err)
			}
			left := LeftFile{Name: f.Source, Exclude: f.Exclude, Digest: "sha256:" + digest}
			same := func(l LeftFile) bool {
				return l.Name == left.Name && l.Digest == left.Digest && slices.Equal(l.Exclude, left.Exclude)
			}
			if !slices.ContainsFunc(b.bundle.Left, same) {
				b.bundle.Left = append(b.bundle.Left, left)
			}
		}
	}
	return nil
}

// Encode returns the bundle as JSON, the same for equal bundles.
func (b *Bundle) Encode() ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(b); err != nil {
		return nil, fmt.Errorf("cannot encode spec: %w", err)
	}
	return out.Bytes(), nil
}

// DecodeBundle reads a bundle and checks its names and bounds. Errors wrap [ErrBundle].
func DecodeBundle(text []byte) (*Bundle, error) {
	var b Bundle
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&b); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBundle, err)
	}
	if d.More() {
		return nil, fmt.Errorf("%w: more than one JSON value", ErrBundle)
	}
	if len(b.Files) > maxBundleFiles {
		return nil, fmt.Errorf("%w: %d files, at most %d are read", ErrBundle, len(b.Files), maxBundleFiles)
	}
	size, has := 0, false
	for i := range b.Files {
		f := &b.Files[i]
		if !bundledName(f.Name) || i > 0 && b.Files[i-1].Name >= f.Name {
			return nil, fmt.Errorf("%w: the file name %.200q is not clean, there twice or not in its place", ErrBundle, f.Name)
		}
		size += len(f.content())
		has = has || f.Name == b.Spec
	}
	switch {
	case size > maxBundle:
		return nil, fmt.Errorf("%w: %d bytes, at most %d are read", ErrBundle, size, maxBundle)
	case !has || path.Base(b.Spec) != b.Spec:
		return nil, fmt.Errorf("%w: it has no spec %.200q", ErrBundle, b.Spec)
	}
	return &b, nil
}

// bundledName reports whether a name is clean, and not far above the spec's directory.
func bundledName(name string) bool {
	return name != "" && name != "." && name != "/" && path.Base(name) != ".." && path.Clean(name) == name &&
		!strings.ContainsAny(name, "\x00\\") && strings.Count(name, "../") <= maxAscent
}

// level is the name of the directories that a bundle is laid out in, which leave room
// for names with "..".
const level = ".hardpan"

// Lay writes the files below dir, which is empty, so that they find each other, and
// returns the spec's path and the options that load it. checkout is the directory of
// the spec in a checkout, which has what the bundle does not, or "".
func (b *Bundle) Lay(dir, checkout string) (spec string, o LoadOptions, err error) {
	ascent := 0
	for i := range b.Files {
		ascent = max(ascent, strings.Count(b.Files[i].Name, "../"))
	}
	o = LoadOptions{Root: dir, Checkout: checkout, Incomplete: true}
	within := filepath.Join(append([]string{dir}, slices.Repeat([]string{level}, ascent+1)...)...)
	if err := os.MkdirAll(within, 0o700); err != nil {
		return "", o, fmt.Errorf("cannot lay out spec: %w", err)
	}
	for i := range b.Files {
		f := &b.Files[i]
		to := filepath.Join(within, filepath.FromSlash(f.Name))
		if path.IsAbs(f.Name) {
			to = filepath.Join(dir, filepath.FromSlash(f.Name))
		}
		err := os.MkdirAll(filepath.Dir(to), 0o700)
		if err == nil {
			err = os.WriteFile(to, f.content(), 0o600)
		}
		if err != nil {
			return "", o, fmt.Errorf("cannot lay out spec: %w", err)
		}
	}
	return filepath.Join(within, b.Spec), o, nil
}

// Missing returns the names of what the bundle leaves out and s, which was loaded from
// it, does not find as it was.
func (b *Bundle) Missing(s *Spec) []string {
	var missing []string
	for _, l := range b.Left {
		f, ok := s.from().sources[l.Name]
		if !ok {
			continue
		}
		digest, err := f.treeDigest(l.Exclude)
		if err == nil && "sha256:"+digest == l.Digest {
			continue
		}
		if digest, err := f.digest(); err == nil && "sha256:"+digest == l.Digest {
			continue
		}
		missing = append(missing, l.Name)
	}
	return missing
}
