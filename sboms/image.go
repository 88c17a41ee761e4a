package sboms

import (
	"slices"
	"strings"
	"time"

	"github.com/hardpan/hardpan/internal/lock"
	"github.com/hardpan/hardpan/internal/record"
	"github.com/hardpan/hardpan/internal/store"
	"github.com/hardpan/hardpan/internal/tree"
)

// Image is what the documents say of one image of one platform, in no format yet.
// Its lists are sorted.
type Image struct {
	Name     string // of the spec; of another image its title, else its digest
	Version  string // of the spec, with its variant; "" if nothing says it
	Platform string // "linux/amd64"
	Digest   store.Digest
	Created  time.Time // in UTC; 1970 if the image has no time
	SHA512   string    // of the manifest, in hex
	// Publisher is who publishes the image, and its documents, with how to reach them,
	// as labels or annotations say it; without a name if they do not.
	Publisher Party
	// Licence is what the image's label or annotation says; "" if it is no expression.
	Licence string
	// Sources is the address of what the image was made from, as those say it.
	Sources string

	Distro string // as purls have it, "debian-13"; "" if nothing says it
	// Namespace is that of the purls of the image's packages, "debian".
	Namespace string

	Archives []lock.Archive // that the packages were taken from; none without a record
	Packages []Package      // by name and architecture
	// Bases are the images that it stands on, the nearest first.
	Bases []*record.Base
	// Components are programs that hardpan itself added, by name.
	Components []record.Component
	// Languages are the packages of programming languages, by the file that says so.
	Languages []LanguagePackage
	Files     []File // regular files and links, by path

	// Recorded says that the image has the record of its build.
	Recorded     bool
	Completeness Completeness
	// Gaps are the reasons for which the list is [Incomplete], one line each.
	Gaps []string

	// ToolVersion is the version of hardpan, which documents name as their tool.
	// The caller sets it.
	ToolVersion string
}

// Completeness says how far the lists of an image can be relied on.
type Completeness string

// The words are CycloneDX's (1.6, compositions.aggregate).
const (
	Complete   Completeness = "complete"   // every package and file is listed and has an origin
	Incomplete Completeness = "incomplete" // the image has what its record does not explain, or packages that are not read
	Unknown    Completeness = "unknown"    // the image has no record of its build
)

// Package is a Debian package of an image.
type Package struct {
	lock.Package // without a record only name, version, architecture and source

	Maintainer string // "Name <address>", as the control file has it
	Homepage   string
	Section    string

	// Described says that the image has the package's control fields, without which
	// nothing is known of its dependencies.
	Described bool
	// DependsOn are the indexes in [Image.Packages] of the packages that satisfy
	// Depends and Pre-Depends (Debian Policy 7.2).
	DependsOn []int
	// Unmet are entries of Depends and Pre-Depends that no package of the image
	// satisfies.
	Unmet []string
	// Requested says that the image has it for its own sake: the spec names it or,
	// without a record, no other package needs it.
	Requested bool

	Licence Licence
	// Location is where the .deb can be fetched from, and Sources the description of its
	// source package, beside which that lies; "" if nothing says it.
	Location string
	Sources  string
	// Supplier is who publishes the package: the archive's owner or, for an archive
	// of the spec and without a record, its maintainer.
	Supplier Party

	control  *control
	archives []lock.Archive // of the image, or of the base image that it came with
}

// File is a regular file or a link of an image.
type File struct {
	Path   string // absolute
	Type   tree.Type
	Size   int64  // bytes; of a regular file and a hard link
	SHA256 string // 64 hex digits; of a regular file and a hard link
	SHA1   string // 40 hex digits, which SPDX 2.3 asks for
	Mode   uint32
	Link   string // target of a symbolic link as written, absolute path of a hard link's file
	// Origin says where the file comes from; nil if nothing says it.
	Origin *tree.Origin
	// Unread says why it is not known which packages of a language the file stands for,
	// where it should stand for some.
	Unread string

	language int // 1 + index in [Image.Languages] of the package that it belongs to
}

// hasContent reports whether the documents list the file, as those are lists of content.
func (f *File) hasContent() bool { return f.SHA256 != "" }

// A part of an image is what a file belongs to.
type part struct {
	kind  partKind
	index int // in the list of that kind
}

type partKind int

const (
	ofImage partKind = iota // the image itself, in no package
	ofPackage
	ofComponent
	ofLanguage
)

// owner returns what the file belongs to.
func (img *Image) owner(f *File) part {
	for i := range img.Components {
		if c := &img.Components[i]; "/"+c.Path == f.Path && c.SHA256 == f.SHA256 {
			return part{ofComponent, i}
		}
	}
	if i := img.shippedBy(f); i >= 0 {
		return part{ofPackage, i}
	}
	if f.language > 0 {
		return part{ofLanguage, f.language - 1}
	}
	return part{}
}

// shippedBy returns the index of the Debian package that ships the file, or -1.
func (img *Image) shippedBy(f *File) int {
	if f.Origin == nil || f.Origin.Kind != tree.FromPackage && f.Origin.Kind != tree.FromBase || f.Origin.Package == "" {
		return -1
	}
	i, ok := slices.BinarySearchFunc(img.Packages, f.Origin.Package, func(p Package, name string) int {
		return strings.Compare(p.Name, name)
	})
	if !ok {
		return -1
	}
	return i
}

// contents returns the files that the documents list by what they belong to.
func (img *Image) contents() map[part][]*File {
	m := map[part][]*File{}
	for i := range img.Files {
		if f := &img.Files[i]; f.hasContent() {
			owner := img.owner(f)
			m[owner] = append(m[owner], f)
		}
	}
	return m
}

// roots returns the indexes of packages from which the dependencies lead to all
// others: those that were requested, and of those that nothing leads to the first.
func (img *Image) roots() []int {
	return roots(len(img.Packages), func(i int) bool { return img.Packages[i].Requested }, func(i int) []int { return img.Packages[i].DependsOn })
}

// roots returns of n nodes those that are first, and of those that no node so far
// leads to the first.
func roots(n int, first func(int) bool, next func(int) []int) []int {
	var roots []int
	seen := make([]bool, n)
	var visit func(int)
	visit = func(i int) {
		if !seen[i] {
			seen[i] = true
			for _, d := range next(i) {
				visit(d)
			}
		}
	}
	for i := range n {
		if first(i) {
			roots = append(roots, i)
			visit(i)
		}
	}
	for i := range n {
		if !seen[i] {
			roots = append(roots, i)
			visit(i)
		}
	}
	slices.Sort(roots)
	return roots
}
