package lock

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Version is the version of the format, which a lock states as lockVersion.
const Version = 1

// Lock is the content of a lock file.
type Lock struct {
	LockVersion int                 `json:"lockVersion"`
	Request     Request             `json:"request"`
	Archives    []Archive           `json:"archives"`         // sorted by ID
	Images      []Image             `json:"images,omitempty"` // existing images that the spec stands on, sorted by reference
	Platforms   map[string]Platform `json:"platforms"`
}

// Request is the part of a spec that a lock answers. A lock fits a spec whose
// Request is equal.
//
// Packages are those of systems. A system is named by its variant, "" for the spec
// itself, and for a build stage by "@" and the stage's name after it.
type Request struct {
	Distro       string              `json:"distro"`
	Platforms    []string            `json:"platforms"`              // sorted
	Packages     map[string][]string `json:"packages"`               // by system; in the spec's order
	Repositories []string            `json:"repositories,omitempty"` // "uri suite components key-sha256", in the spec's order
	Images       []string            `json:"images,omitempty"`       // references, as the spec has them, sorted
	Rules        map[string][]string `json:"rules,omitempty"`        // hardening rules that leave packages out, by system; none where a system has none
}

// Archive is one signed index that packages were taken from.
type Archive struct {
	ID         string    `json:"id"`            // "debian/trixie-security"
	URI        string    `json:"uri,omitempty"` // of a repository of the spec; a distro's mirror is the machine's affair
	Suite      string    `json:"suite"`
	Codename   string    `json:"codename,omitempty"`
	Date       time.Time `json:"date"`
	ValidUntil time.Time `json:"validUntil,omitzero"`
	InRelease  string    `json:"inRelease"` // digest of the signed file, "sha256:..."
	SignedBy   []string  `json:"signedBy"`  // fingerprints of the keys whose signatures were good
}

// Image is what a reference to an existing image led to.
type Image struct {
	Reference string            `json:"reference"` // as the spec has it
	Digest    string            `json:"digest"`    // of what it names, an index or the manifest of one image: "sha256:..."
	Platforms map[string]string `json:"platforms"` // digests of manifests by platform
}

// Image returns what a reference of the spec led to, nil where the lock has none.
func (l *Lock) Image(reference string) *Image {
	for i := range l.Images {
		if l.Images[i].Reference == reference {
			return &l.Images[i]
		}
	}
	return nil
}

// Platform is what was resolved for one platform.
type Platform struct {
	Packages []Package `json:"packages"` // sorted by name
	// Installed are packages that a base image has and that others count on, sorted by
	// name. They are not installed again.
	Installed []Installed `json:"installed,omitempty"`
	Dropped   []Dropped   `json:"dropped,omitempty"`
}

// Package is one package of the image.
type Package struct {
	Name          string   `json:"name"`
	Version       string   `json:"version"`
	Architecture  string   `json:"architecture"`
	Source        string   `json:"source"`
	SourceVersion string   `json:"sourceVersion"`
	Archive       string   `json:"archive"` // ID of an Archive
	Path          string   `json:"path"`    // below the archive's base
	Size          int64    `json:"size"`    // of the .deb, bytes
	SHA256        string   `json:"sha256"`
	SHA512        string   `json:"sha512,omitempty"`
	InstalledSize int64    `json:"installedSize,omitempty"` // KiB, as the index states it
	Why           string   `json:"why"`                     // "requested", or the package and relation that needs it
	Variants      []string `json:"variants,omitempty"`      // systems that have it; none means all
}

// Installed is a package of a base image that a request or a package names.
type Installed struct {
	Name         string   `json:"name"`
	Version      string   `json:"version"`
	Architecture string   `json:"architecture"`
	Why          string   `json:"why"`                // as of a package
	Variants     []string `json:"variants,omitempty"` // systems that stand on it; none means all
}

// In reports whether the system stands on the package.
func (p *Installed) In(system string) bool {
	return len(p.Variants) == 0 || slices.Contains(p.Variants, system)
}

// Dropped is a package that an exclusion of the spec or a hardening rule kept out
// although something depends on it.
type Dropped struct {
	Name     string   `json:"name"`
	NeededBy []string `json:"neededBy"`      // "ca-certificates: openssl (>= 1.1.1)", sorted
	Why      string   `json:"why,omitempty"` // of a hardening rule; "" for an exclusion, which is the spec's to explain
	Variants []string `json:"variants,omitempty"`
}

// In reports whether the system has the package.
func (p *Package) In(system string) bool {
	return len(p.Variants) == 0 || slices.Contains(p.Variants, system)
}

// Epoch returns the time of the newest archive, which is the clock of a build.
func (l *Lock) Epoch() time.Time {
	var newest time.Time
	for _, a := range l.Archives {
		if a.Date.After(newest) {
			newest = a.Date
		}
	}
	return newest.UTC()
}

// Path returns where the lock of a spec file stands: beside it, its ending
// replaced by ".lock".
func Path(spec string) string {
	return strings.TrimSuffix(spec, filepath.Ext(spec)) + ".lock"
}

// Encode returns the bytes of the lock file, the same for equal locks.
func (l *Lock) Encode() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(l); err != nil {
		return nil, fmt.Errorf("cannot encode lock: %w", err)
	}
	return b.Bytes(), nil
}

// Read reads the lock file at name. A missing file is an error that wraps
// [fs.ErrNotExist].
func Read(name string) (*Lock, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("cannot read lock: %w", err)
	}
	l, err := Decode(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return l, nil
}

// Decode reads a lock and checks what a build will rely on.
func Decode(b []byte) (*Lock, error) {
	var l Lock
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&l); err != nil {
		return nil, positioned(b, err)
	}
	if dec.More() {
		return nil, errors.New("more than one JSON value, expected one lock")
	}
	if err := l.check(); err != nil {
		return nil, err
	}
	return &l, nil
}

// positioned gives a syntax error its line.
func positioned(b []byte, err error) error {
	var offset int64
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		offset = e.Offset
	} else if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		offset = e.Offset
	} else {
		return fmt.Errorf("not a lock: %w", err)
	}
	return fmt.Errorf("line %d: not a lock: %w", 1+bytes.Count(b[:min(int64(len(b)), offset)], []byte{'\n'}), err)
}

func (l *Lock) check() error {
	if l.LockVersion != Version {
		return fmt.Errorf("lockVersion is %d, expected %d", l.LockVersion, Version)
	}
	if err := l.checkImages(); err != nil {
		return err
	}
	ids := map[string]bool{}
	for _, a := range l.Archives {
		ids[a.ID] = true
	}
	for _, platform := range slices.Sorted(maps.Keys(l.Platforms)) {
		p := l.Platforms[platform]
		seen := map[string]bool{}
		for i := range p.Packages {
			pkg := &p.Packages[i]
			if err := pkg.check(ids); err != nil {
				return fmt.Errorf("%s: package %q: %w", platform, pkg.Name, err)
			}
			for _, v := range variantKeys(pkg.Variants) {
				if seen[pkg.Name+"\x00"+v] {
					return fmt.Errorf("%s: package %q is in it twice", platform, pkg.Name)
				}
				seen[pkg.Name+"\x00"+v] = true
			}
		}
		for _, in := range p.Installed {
			if !nameForm.MatchString(in.Name) || in.Version == "" {
				return fmt.Errorf("%s: installed package %q has the version %q, expected a name and a version", platform, in.Name, in.Version)
			}
		}
	}
	return nil
}

// checkImages checks that each reference has one answer, in order.
func (l *Lock) checkImages() error {
	for i, img := range l.Images {
		switch {
		case i > 0 && l.Images[i-1].Reference >= img.Reference:
			return fmt.Errorf("image %q is in it twice or not in its place", img.Reference)
		case !digestForm.MatchString(img.Digest):
			return fmt.Errorf("image %q: digest is %q, expected sha256: and 64 hex digits", img.Reference, img.Digest)
		}
		for _, platform := range slices.Sorted(maps.Keys(img.Platforms)) {
			if d := img.Platforms[platform]; !digestForm.MatchString(d) {
				return fmt.Errorf("image %q: %s is %q, expected sha256: and 64 hex digits", img.Reference, platform, d)
			}
		}
	}
	return nil
}

func variantKeys(variants []string) []string {
	if len(variants) == 0 {
		return []string{"*"}
	}
	return variants
}

// nameForm is the form of package names (Debian Policy 5.6.1). Names become parts
// of paths.
var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9+.-]+$`)

var (
	sha256Form = regexp.MustCompile(`^[0-9a-f]{64}$`)
	digestForm = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
)

func (p *Package) check(archives map[string]bool) error {
	switch {
	case p.Name == "" || p.Version == "" || p.Architecture == "":
		return errors.New("name, version and architecture are needed")
	case !nameForm.MatchString(p.Name):
		return errors.New("its name is not one of a Debian package")
	case !sha256Form.MatchString(p.SHA256):
		return fmt.Errorf("sha256 is %q, expected 64 hex digits", p.SHA256)
	case p.Size <= 0:
		return fmt.Errorf("size is %d, expected bytes", p.Size)
	case !fs.ValidPath(p.Path):
		return fmt.Errorf("path is %q, expected a path below the archive", p.Path)
	case !archives[p.Archive]:
		return fmt.Errorf("archive %q is not one of the lock's", p.Archive)
	}
	return nil
}
