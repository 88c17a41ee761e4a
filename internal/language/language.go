package language

import (
	"path"
	"strings"
	"unicode"
)

// The types of packages, as package URLs have them (purl-spec, PURL-TYPES).
const (
	PyPI   = "pypi"
	NPM    = "npm"
	Golang = "golang"
	Maven  = "maven"
)

// Package is a package of a programming language, as a file states it.
type Package struct {
	Type      string `json:"type"`
	Namespace string `json:"namespace,omitempty"` // the group of a Maven artifact
	Name      string `json:"name"`                // with its scope of an npm package, the whole path of a Go module
	Version   string `json:"version,omitempty"`   // "" if nothing says it; "(devel)" of an unversioned Go program

	// Licence is what the file says of it: SPDX expressions, names, addresses or texts,
	// all of which hold, or of which whoever uses it may choose one.
	Licence  []string `json:"licence,omitempty"`
	Choice   bool     `json:"choice,omitempty"`
	Supplier string   `json:"supplier,omitempty"` // "Name <address>" of whoever made it
	Homepage string   `json:"homepage,omitempty"`
	// Repository is what the file says of where its sources are kept, as it is written.
	Repository string `json:"repository,omitempty"`
	// Requires are the names of packages that it says it needs, which is known if Stated.
	Requires []string `json:"requires,omitempty"`
	Stated   bool     `json:"stated,omitempty"`

	// Within is the path, in the file, of the jar that it is; "" for the file itself.
	Within  string   `json:"within,omitempty"`
	Digests *Digests `json:"digests,omitempty"` // of that jar
	// Sum is the checksum of a Go module as go.sum has it, "h1:...".
	Sum string `json:"sum,omitempty"`

	// Contains are those that are part of it: modules of a program, jars in a jar.
	Contains []Package `json:"contains,omitempty"`
}

// Digests are those of a file, in hex.
type Digests struct {
	SHA1   string `json:"sha1"`
	SHA256 string `json:"sha256"`
	SHA512 string `json:"sha512"`
}

// File is what one file says.
type File struct {
	Packages []Package `json:"packages,omitempty"`
	// Files are paths of the image that belong to the package, which a Python
	// distribution lists beside its metadata.
	Files []string `json:"files,omitempty"`
	// SHA512 is that of the file, where it is what a package is distributed as: a jar
	// or a program of Go.
	SHA512 string `json:"sha512,omitempty"`
	// Unread says why a file that should stand for packages could not be read.
	Unread string `json:"unread,omitempty"`
}

// Key returns the name by which [Package.Requires] of packages of that type refer to
// one of the name: of a Python distribution without case and with "-" for every run of
// "-", "_" and "." (Python Packaging User Guide, "Names and normalization").
func Key(kind, name string) string {
	if kind != PyPI {
		return name
	}
	return strings.ToLower(strings.Join(strings.FieldsFunc(name, func(r rune) bool { return strings.ContainsRune("-_.", r) }), "-"))
}

// Directory returns the directory that the package of a file is in, by the file's path:
// that around its metadata of a Python distribution, that of package.json.
func Directory(name string) string {
	dir := path.Dir(name)
	if base := path.Base(dir); strings.HasSuffix(base, ".dist-info") || strings.HasSuffix(base, ".egg-info") || base == "EGG-INFO" {
		return path.Dir(dir)
	}
	return dir
}

// Bounds of what is taken from a file, in bytes.
const (
	maxField   = 1 << 10
	maxLicence = 64 << 10
	maxText    = 4 << 20 // of metadata
	maxList    = 32 << 20
	maxNames   = 10_000 // that a package may say it needs
)

// clean returns a field on one line, without control characters, bounded.
func clean(s string) string { return bounded(strings.Join(strings.Fields(s), " "), maxField) }

// bounded returns valid text of at most that many bytes.
func bounded(s string, most int) string {
	if len(s) > most {
		s = s[:most]
	}
	return strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
}

// isName reports whether s can be the name or the version of a package.
func isName(s string) bool {
	return s != "" && len(s) <= maxField && s == clean(s) && !strings.ContainsAny(s, " \\<>\"")
}

// Weight returns about how many bytes of memory it takes.
func (f *File) Weight() int64 {
	n := int64(len(f.Unread))
	for _, name := range f.Files {
		n += int64(len(name)) + 16
	}
	for i := range f.Packages {
		n += f.Packages[i].weight()
	}
	return n
}

func (p *Package) weight() int64 {
	n := int64(400 + len(p.Namespace) + len(p.Name) + len(p.Version) + len(p.Supplier) + len(p.Homepage) + len(p.Repository) + len(p.Within))
	for _, s := range p.Licence {
		n += int64(len(s)) + 16
	}
	for _, s := range p.Requires {
		n += int64(len(s)) + 16
	}
	for i := range p.Contains {
		n += p.Contains[i].weight()
	}
	return n
}
