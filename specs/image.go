package specs

import (
	"path"
	"path/filepath"
	"reflect"
	"strings"
)

// The parts of a reference to an image: in a registry by the grammar of the
// distribution project's reference package, on disk as containers-transports(5) names
// layouts and archives. What begins with a transport is never a registry's.
const (
	patternDigest = `@sha256:[0-9a-f]{64}`
	patternTag    = `:[A-Za-z0-9_][A-Za-z0-9._-]{0,127}`
	patternRepo   = `([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?/)?[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*`
	patternImage  = `^(oci|oci-archive|docker-archive):[^:@]+(:[A-Za-z0-9][A-Za-z0-9._/:-]*|` + patternDigest + `)?$` +
		`|^` + patternRepo + `(` + patternTag + `(` + patternDigest + `)?|` + patternDigest + `)$`
)

// The transports of images on disk.
const (
	TransportLayout        = "oci"            // directory of an OCI image layout
	TransportArchive       = "oci-archive"    // tar of one
	TransportDockerArchive = "docker-archive" // what `docker save` writes
)

// ImageReference names an existing image.
type ImageReference struct {
	Transport  string // one of the transports, or "" for a registry
	Path       string // with a transport: of the layout or archive
	Repository string // without one: "registry.example.com/base/python"
	Name       string // tag, or the image's name within a layout or archive; "" for none
	Digest     string // of a manifest or index, "sha256:..."; "" for none
}

// ParseImage reads a reference as a spec has it, and reports whether it is one. The
// name of a stage is none.
func ParseImage(s string) (r ImageReference, ok bool) {
	if !matches(patternImage, s) {
		return r, false
	}
	rest := s
	if before, digest, found := strings.Cut(s, "@"); found {
		rest, r.Digest = before, digest
	}
	for _, transport := range []string{TransportLayout, TransportArchive, TransportDockerArchive} {
		if place, found := strings.CutPrefix(rest, transport+":"); found {
			r.Transport = transport
			r.Path, r.Name, _ = strings.Cut(place, ":")
			return r, true
		}
	}
	if i := strings.LastIndexByte(rest, ':'); i > strings.LastIndexByte(rest, '/') {
		rest, r.Name = rest[:i], rest[i+1:]
	}
	r.Repository = rest
	return r, true
}

// IsImage reports whether what a stage starts from is an image and not a stage.
func IsImage(from string) bool {
	_, ok := ParseImage(from)
	return ok
}

// String returns the reference as [ParseImage] reads it.
func (r ImageReference) String() string {
	s := r.Repository
	if r.Transport != "" {
		s = r.Transport + ":" + r.Path
	}
	if r.Name != "" {
		s += ":" + r.Name
	}
	if r.Digest != "" {
		s += "@" + r.Digest
	}
	return s
}

// WithDigest returns the reference to a manifest or index of the same place.
func (r ImageReference) WithDigest(digest string) ImageReference {
	if r.Transport != "" {
		r.Name = "" // a place on disk takes the one or the other
	}
	r.Digest = digest
	return r
}

// Locate returns the reference for who is not in the spec's directory, in the words
// that name images on the command line.
func (s *Spec) Locate(r ImageReference) string {
	if r.Transport == "" {
		return "docker://" + r.String()
	}
	if !filepath.IsAbs(r.Path) {
		dir := filepath.Dir(s.from().file)
		if s.from().options.Checkout != "" {
			dir = s.from().options.Checkout
		}
		r.Path = filepath.Join(dir, filepath.FromSlash(r.Path))
	}
	return r.String()
}

// checkImage is the part of a reference's check that a pattern cannot say.
func checkImage(s string) error {
	r, ok := ParseImage(s)
	if ok && r.Transport != "" && path.Clean(r.Path) != r.Path {
		clean := r
		clean.Path = path.Clean(r.Path)
		return badValue(s, "a clean path", "write "+clean.String())
	}
	return nil
}

// hintImage says what a reference that is none may lack.
func hintImage(s string) string {
	if rest, ok := strings.CutPrefix(s, "docker://"); ok {
		return "write " + rest
	}
	switch {
	case matches(`^`+patternRepo+`$`, s):
		return "add the tag, or the digest as @sha256:..."
	case matches(`^(\.{0,2}/|.*\.tar$)`, s):
		return "write oci:PATH for a layout, oci-archive:PATH for an archive"
	}
	return ""
}

// empty reports whether nothing is said of contents.
func (c Contents) empty() bool { return reflect.ValueOf(c).IsZero() }
