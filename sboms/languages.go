package sboms

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/language"
	"github.com/hardpan/hardpan/internal/tree"
)

// LanguagePackage is a package of a programming language, as a file of the image
// states it. One that is in the image twice is listed twice.
type LanguagePackage struct {
	Type      string // of its package URL: "pypi", "npm", "golang", "maven"
	Namespace string // group of a Maven artifact
	Name      string
	Version   string // "" if nothing says it
	Homepage  string
	// Repository is what its file says of where its sources are kept.
	Repository string
	Sum        string // of a Go module, as go.sum has it

	Path   string // absolute, of the file that says so
	Within string // in that file, of the jar that it is; "" for the file itself
	// Digests are those of the jar or program that the package is, nil of a package of
	// several files.
	Digests *language.Digests
	Origin  *tree.Origin // of the file

	// Package is the index in [Image.Packages] of the Debian package that ships the
	// file, -1 if none does.
	Package int
	// Parent is the index in [Image.Languages] of the package that it is part of: the
	// program that a module was linked into, the jar that a jar is in; -1 if of none.
	Parent int
	// DependsOn are the indexes in [Image.Languages] of those that it needs and that
	// are where it looks for them. Described says that it speaks of that.
	DependsOn []int
	Described bool

	Licence  Licence
	Supplier Party

	requires []string
	lacks    bool // it needs what the image does not have where it looks
}

// ref is how documents refer to the package: by its place, for the image may have it
// in several.
func (p *LanguagePackage) ref() string {
	place := p.Path
	if p.Within != "" {
		place += "!/" + p.Within
	}
	return place + "#" + p.purl()
}

// languages fills in the packages of programming languages, and of files to which they
// belong.
func (r *reading) languages() {
	l := &languages{img: r.img, says: map[string]*language.File{}, at: map[string]int{}}
	for i := range r.img.Files {
		f := &r.img.Files[i]
		says := r.paths[f.Path[1:]].Says
		if says == nil {
			continue
		}
		f.Unread = says.Unread
		l.says[f.Path] = says
		seen := map[string]bool{}
		for k := range says.Packages {
			l.add(f, says, &says.Packages[k], -1, seen)
		}
	}
	l.assign()
	l.relate()
}

// languages are the packages of programming languages of an image as they are found.
type languages struct {
	img  *Image
	says map[string]*language.File // by absolute path
	at   map[string]int            // of the package whose metadata is there, by type and directory

	holders map[string]bool // directories whose node_modules has packages
}

// add adds a package that a file states, with those that are part of it.
func (l *languages) add(f *File, says *language.File, stated *language.Package, parent int, seen map[string]bool) {
	p := LanguagePackage{
		Type: stated.Type, Namespace: stated.Namespace, Name: stated.Name, Version: stated.Version, Homepage: stated.Homepage, Repository: stated.Repository, Sum: stated.Sum,
		Path: f.Path, Within: stated.Within, Digests: stated.Digests, Origin: f.Origin,
		Package: l.img.shippedBy(f), Parent: parent, Described: stated.Stated, requires: stated.Requires,
		Licence: statedLicence(stated.Licence, stated.Choice, f.Path), Supplier: languageSupplier(stated),
	}
	if seen[p.ref()] {
		return
	}
	seen[p.ref()] = true
	i := len(l.img.Languages)
	if file := stated.Type == language.Golang || stated.Type == language.Maven; file && parent < 0 && len(says.Packages) == 1 && stated.Name != "stdlib" {
		p.Digests = &language.Digests{SHA1: f.SHA1, SHA256: f.SHA256, SHA512: says.SHA512}
		f.language = i + 1
	}
	l.img.Languages = append(l.img.Languages, p)
	if stated.Type == language.PyPI || stated.Type == language.NPM {
		l.at[stated.Type+" "+path.Dir(f.Path)] = i
	}
	for k := range stated.Contains {
		l.add(f, says, &stated.Contains[k], i, seen)
	}
}

// assign says of each file to which package of several files it belongs: one that its
// list of files has, or in whose directory it is. What came to the image otherwise than
// the package is not its.
func (l *languages) assign() {
	listed := map[string]int{}
	for i := range l.img.Files {
		f := &l.img.Files[i]
		at, ok := l.at[language.PyPI+" "+path.Dir(f.Path)]
		if !ok || l.says[f.Path] == nil {
			continue
		}
		for _, name := range l.says[f.Path].Files {
			listed["/"+name] = at
		}
	}
	for i := range l.img.Files {
		f := &l.img.Files[i]
		if f.language > 0 {
			continue
		}
		at, ok := listed[f.Path]
		if !ok {
			at, ok = l.around(f)
		}
		if ok && sameSource(f.Origin, l.img.Languages[at].Origin) {
			f.language = at + 1
		}
	}
}

// around returns the package in whose directory a file is.
func (l *languages) around(f *File) (int, bool) {
	for dir := path.Dir(f.Path); dir != "/" && path.Base(dir) != "node_modules"; dir = path.Dir(dir) {
		if i, ok := l.at[language.NPM+" "+dir]; ok {
			return i, true
		}
		if i, ok := l.at[language.PyPI+" "+dir]; ok && isMetadata(dir) {
			return i, true
		}
	}
	return 0, false
}

// isMetadata reports whether a directory has nothing but the metadata of a Python
// distribution.
func isMetadata(dir string) bool {
	return strings.HasSuffix(dir, ".dist-info") || strings.HasSuffix(dir, ".egg-info") || path.Base(dir) == "EGG-INFO"
}

// sameSource reports whether two files came by the same line of the spec, or from the
// same package or layer of a base.
func sameSource(a, b *tree.Origin) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Kind == b.Kind && a.Stage == b.Stage && a.Spec == b.Spec && a.Package == b.Package && a.Base == b.Base
}

// relate finds what the packages say they need where their language looks for it.
func (l *languages) relate() {
	python := map[string]int{}
	for i := range l.img.Languages {
		if p := &l.img.Languages[i]; p.Type == language.PyPI {
			dirs := []string{language.Directory(p.Path)}
			if path.Base(dirs[0]) == distPackages {
				dirs = append(dirs, distPackages)
			}
			for _, dir := range dirs {
				key := dir + "\n" + language.Key(p.Type, p.Name)
				if _, ok := python[key]; !ok {
					python[key] = i
				}
			}
		}
	}
	for i := range l.img.Languages {
		p := &l.img.Languages[i]
		var places []string
		switch p.Type {
		case language.PyPI:
			places = []string{language.Directory(p.Path) + "\n", distPackages + "\n"}
		case language.NPM:
			places = l.modules(path.Dir(p.Path))
		}
		for _, need := range p.requires {
			met := false
			for _, place := range places {
				found, ok := python[place+need]
				if p.Type == language.NPM {
					found, ok = l.at[place+need]
				}
				if !ok {
					continue
				}
				met = true
				if found != i && !slices.Contains(p.DependsOn, found) {
					p.DependsOn = append(p.DependsOn, found)
				}
				break
			}
			p.lacks = p.lacks || !met
		}
		if p.Parent >= 0 {
			parent := &l.img.Languages[p.Parent]
			parent.DependsOn = append(parent.DependsOn, i)
		}
	}
	for i := range l.img.Languages {
		slices.Sort(l.img.Languages[i].DependsOn)
	}
}

// distPackages is the name of the directories in which Debian's Python looks for the
// packages of all programs.
const distPackages = "dist-packages"

// modules returns where a module below dir looks for others, the nearest place first
// (Node.js, "Modules: CommonJS modules", Loading from node_modules folders), and last
// where Debian's are: beginnings of keys of l.at. Places without any are left out.
func (l *languages) modules(dir string) []string {
	if l.holders == nil {
		l.holders = map[string]bool{}
		for i := range l.img.Languages {
			if at := l.img.Languages[i].Path; l.img.Languages[i].Type == language.NPM {
				if end := strings.LastIndex(at, "/node_modules/"); end >= 0 {
					l.holders[at[:end]] = true
				}
			}
		}
	}
	var places []string
	for ; dir != "/"; dir = path.Dir(dir) {
		if l.holders[dir] {
			places = append(places, language.NPM+" "+dir+"/node_modules/")
		}
	}
	if l.holders[""] {
		places = append(places, language.NPM+" /node_modules/")
	}
	return append(places, language.NPM+" /usr/share/nodejs/")
}

// languageRoots returns the indexes of packages of languages from which their
// dependencies lead to all others, by the Debian package that ships them, -1 for none.
func (img *Image) languageRoots() map[int][]int {
	led := make([]bool, len(img.Languages))
	for i := range img.Languages {
		for _, d := range img.Languages[i].DependsOn {
			led[d] = true
		}
	}
	by := map[int][]int{}
	for _, i := range roots(len(img.Languages), func(i int) bool { return !led[i] }, func(i int) []int { return img.Languages[i].DependsOn }) {
		by[img.Languages[i].Package] = append(by[img.Languages[i].Package], i)
	}
	return by
}

// languageParts returns the indexes of packages of languages by what they are part of.
func (img *Image) languageParts() map[part][]int {
	m := map[part][]int{}
	for i := range img.Languages {
		owner := part{}
		switch p := &img.Languages[i]; {
		case p.Parent >= 0:
			owner = part{ofLanguage, p.Parent}
		case p.Package >= 0:
			owner = part{ofPackage, p.Package}
		}
		m[owner] = append(m[owner], i)
	}
	return m
}

// languageSupplier is who made a package. Where the package does not say it, the names
// of Go modules and Maven artifacts begin with whose they are.
func languageSupplier(p *language.Package) Party {
	by := maintainer(p.Supplier)
	switch first, rest, _ := strings.Cut(p.Name, "/"); {
	case by.Name != "":
		if p.Name == "stdlib" && p.Type == language.Golang {
			by.Organization, by.Web = true, "https://go.dev/"
		}
		by.Organization = by.Organization || p.Type == language.Maven // whose fields are about vendors
	case p.Type == language.Golang && strings.Contains(first, "."):
		owner := first
		if name, _, _ := strings.Cut(rest, "/"); slices.Contains([]string{"github.com", "gitlab.com", "bitbucket.org", "codeberg.org"}, first) && name != "" {
			owner += "/" + name
		}
		by = Party{Name: owner, Web: "https://" + owner, Organization: true}
	case p.Type == language.Maven:
		by = Party{Name: p.Namespace, Organization: true}
	case p.Type == language.NPM && strings.HasPrefix(first, "@"):
		by = Party{Name: first, Organization: true}
	}
	return by
}

// purl returns the package URL (types pypi, npm, golang, maven).
func (p *LanguagePackage) purl() string {
	name, version := p.Name, p.Version
	namespace := p.Namespace
	switch p.Type {
	case language.PyPI:
		name = strings.ReplaceAll(strings.ToLower(name), "_", "-")
	case language.Golang:
		if version == "(devel)" {
			version = ""
		}
		name = strings.ToLower(name)
		fallthrough
	case language.NPM:
		if i := strings.LastIndex(name, "/"); i >= 0 {
			namespace, name = name[:i], name[i+1:]
		}
	case language.Maven:
		namespace = cmp.Or(namespace, name) // the type demands one; syft writes the name, too
	}
	text := "pkg:" + p.Type
	for segment := range strings.SplitSeq(namespace, "/") {
		if segment != "" {
			text += "/" + purlEncode(segment)
		}
	}
	text += "/" + purlEncode(name)
	if version != "" {
		text += "@" + purlEncode(version)
	}
	return text
}
