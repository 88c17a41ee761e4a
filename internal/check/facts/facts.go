package facts

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/hardpan/hardpan/internal/check/secrets"
	"github.com/hardpan/hardpan/internal/harden/tool"
	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/record"
	"github.com/hardpan/hardpan/internal/tree"
)

// Type is the type of a path.
type Type uint8

// The types. Devices and pipes are of type Other.
const (
	Regular Type = iota
	Directory
	Symlink
	Hardlink
	Other
)

// File is a path of a layer.
type File struct {
	Path  string `json:"p"`           // clean, without a leading slash
	Link  string `json:"l,omitempty"` // of a symbolic link as written; of a hard link the clean path
	Size  int64  `json:"s,omitempty"` // bytes; of a hard link those of its file
	MD5   MD5    `json:"h,omitzero"`  // of a regular file; zero of one that is vouched for, unless Read read it
	CRC   uint64 `json:"r,omitempty"` // of a large one: equal files have equal ones
	Mode  uint32 `json:"m,omitempty"` // permission bits with set-id and sticky bits
	UID   uint32 `json:"u,omitempty"`
	GID   uint32 `json:"g,omitempty"`
	Layer int    `json:"-"` // index, 0 is the lowest
	Type  Type   `json:"t,omitempty"`
	Kind  byte   `json:"k,omitempty"` // of a path of type Other, the tar type flag

	Capability tree.Capability `json:"c,omitempty"`
	Tools      []tool.Tool     `json:"a,omitempty"`
	ELF        *ELF            `json:"e,omitempty"` // of a regular file that is one
	Vouched    bool            `json:"x,omitempty"` // see [NewGatherer]
}

// MD5 is the sum that dpkg has of a file. It safeguards nothing.
type MD5 [md5.Size]byte

// MarshalText returns the sum in hex digits.
func (m MD5) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, m[:]), nil }

// UnmarshalText reads hex digits.
func (m *MD5) UnmarshalText(digits []byte) error {
	if len(digits) != hex.EncodedLen(len(m)) {
		return fmt.Errorf("MD5 sum has %d digits", len(digits))
	}
	_, err := hex.Decode(m[:], digits)
	return err
}

// Executable reports whether somebody may run the file.
func (f *File) Executable() bool { return f.Type == Regular && f.Mode&0o111 != 0 }

// Layer is a layer of the image.
type Layer struct {
	Digest    string // of the blob
	CreatedBy string
	Size      int64 // bytes of the blob
	Unpacked  int64 // bytes of its files
}

// Hidden is a file of a lower layer that a later one replaces or removes: its bytes
// are pulled with every image and can be read by whoever has it.
type Hidden struct {
	*File
	By      int  // the layer that hides it
	Removed bool // by a whiteout, and not replaced
}

// Secret is what looks like a secret in the content of a file of some layer.
type Secret struct {
	*File
	secrets.Finding
	Visible bool // in the image as it is run
}

// Step is an entry of the config's history (OCI image spec, config.md).
type Step struct {
	CreatedBy string `json:"created_by"`
	Comment   string `json:"comment"`
	Empty     bool   `json:"empty_layer"`
}

// Image is what is known of an image.
type Image struct {
	*oci.Image
	Record  *record.Record // nil of an image that hardpan did not build
	History []Step
	Layers  []Layer
	Hidden  []Hidden
	Secrets []Secret
	// Whiteouts are the paths that layers remove, a line "layer path" each.
	Whiteouts []Whiteout
	Unpacked  int64 // bytes of the files of all layers

	files map[string]*File
	texts map[string][]byte
	paths []string // of files, sorted
	// resolved are answers of Resolve, which rules ask for the same links again and again.
	resolved map[string]*File
	// Incomplete says that files which describe the image were too large to keep.
	Incomplete bool

	accounts *Accounts
	system   *System
	release  map[string]string
}

// Whiteout is a path that a layer removes from those below.
type Whiteout struct {
	Path  string
	Layer int
}

// All returns the files of the image as it is run, by path.
func (i *Image) All() iter.Seq[*File] {
	return func(yield func(*File) bool) {
		for _, p := range i.paths {
			if !yield(i.files[p]) {
				return
			}
		}
	}
}

// Len is the number of paths of the image as it is run.
func (i *Image) Len() int { return len(i.paths) }

// File returns the file at a path, which is not followed; nil where there is none.
func (i *Image) File(name string) *File { return i.files[tree.Clean(name)] }

// maxHops is how many links Linux follows.
const maxHops = 40

// maxResolved bounds the answers of Resolve that are kept.
const maxResolved = 1 << 16

// Resolve returns the file or directory that a path leads to through symbolic and
// hard links, nil where it leads nowhere.
func (i *Image) Resolve(name string) *File {
	if f, ok := i.resolved[name]; ok {
		return f
	}
	f := i.resolve(name)
	if len(i.resolved) < maxResolved {
		if i.resolved == nil {
			i.resolved = map[string]*File{}
		}
		i.resolved[name] = f
	}
	return f
}

func (i *Image) resolve(name string) *File {
	rest := strings.Split(tree.Clean(name), "/")
	at := ""
	for hops := 0; len(rest) > 0; {
		if rest[0] == ".." {
			at = path.Dir(at)
			if at == "." {
				at = ""
			}
			rest = rest[1:]
			continue
		}
		at = path.Join(at, rest[0])
		rest = rest[1:]
		f := i.files[at]
		if f == nil || f.Type != Symlink {
			continue
		}
		if hops++; hops > maxHops || len(rest) > 4096 {
			return nil
		}
		if strings.HasPrefix(f.Link, "/") {
			at = ""
		} else if at = path.Dir(at); at == "." {
			at = ""
		}
		target := slices.DeleteFunc(strings.Split(f.Link, "/"), func(s string) bool { return s == "" || s == "." })
		rest = append(target, rest...)
	}
	f := i.files[at]
	if f != nil && f.Type == Hardlink {
		return i.files[f.Link]
	}
	return f
}

// Text returns the content of a file that describes the system, nil where the image
// has none or it is none of those that are kept.
func (i *Image) Text(name string) []byte {
	f := i.Resolve(name)
	if f == nil {
		return nil
	}
	return i.texts[f.Path]
}

// Texts returns the kept files whose path matches.
func (i *Image) Texts(match func(string) bool) iter.Seq2[*File, []byte] {
	return func(yield func(*File, []byte) bool) {
		for _, p := range slices.Sorted(maps.Keys(i.texts)) {
			if match(p) && !yield(i.files[p], i.texts[p]) {
				return
			}
		}
	}
}

// Look returns the program that a command's first word runs: itself if it is a
// path, else the first in the directories of the config's PATH.
func (i *Image) Look(command string) *File {
	if command == "" {
		return nil
	}
	if strings.Contains(command, "/") {
		return i.Resolve(absolute(i.Config.WorkingDir, command))
	}
	for _, dir := range i.SearchPath() {
		if f := i.Resolve(path.Join("/", dir, command)); f != nil && f.Type == Regular {
			return f
		}
	}
	return nil
}

func absolute(dir, name string) string {
	if path.IsAbs(name) {
		return name
	}
	return path.Join("/", dir, name)
}

// SearchPath returns the directories of PATH, or those that runtimes give a process
// whose image says none.
func (i *Image) SearchPath() []string {
	list := "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	if v, ok := i.Env("PATH"); ok {
		list = v
	}
	return strings.Split(list, ":")
}

// Env returns a variable of the config's environment.
func (i *Image) Env(name string) (string, bool) {
	for _, e := range i.Config.Env {
		if k, v, _ := strings.Cut(e, "="); k == name {
			return v, true
		}
	}
	return "", false
}

// Created is when the image was made, by its config or annotations; zero if neither
// says it, or says the epoch, which reproducible builds put there.
func (i *Image) Created() time.Time {
	t := i.Config.Created
	if t.Unix() <= 0 {
		if said, err := time.Parse(time.RFC3339, i.Said("org.opencontainers.image.created")); err == nil {
			t = said
		}
	}
	if t.Unix() <= 24*60*60 || t.Year() == 1980 {
		return time.Time{}
	}
	return t
}

// Said returns an annotation of the manifest or else a label.
func (i *Image) Said(key string) string {
	if v := i.Annotations[key]; v != "" {
		return v
	}
	return i.Config.Labels[key]
}

// history reads what [oci.Config] leaves out.
func history(config []byte) []Step {
	var doc struct{ History []Step }
	if json.Unmarshal(config, &doc) != nil {
		return nil
	}
	return doc.History
}
