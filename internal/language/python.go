package language

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"errors"
	"io"
	"path"
	"strings"
	"unicode"
)

// readMetadata reads the core metadata of a Python distribution, METADATA or PKG-INFO
// (Python Packaging User Guide, "Core metadata specifications"): fields as in the
// header of a message.
func readMetadata(b []byte) *File {
	p := Package{Type: PyPI, Stated: true}
	var expression, licence, author, address, maintainer, maintainerAddress string
	var classifiers []string
	for name, value := range headerFields(b) {
		switch name {
		case "name":
			p.Name = value
		case "version":
			p.Version = value
		case "license-expression":
			expression = value
		case "license":
			licence = value
		case "classifier":
			if c, ok := strings.CutPrefix(clean(value), "License :: "); ok && len(classifiers) < 20 {
				classifiers = append(classifiers, c)
			}
		case "author":
			author = value
		case "author-email":
			address = value
		case "maintainer":
			maintainer = value
		case "maintainer-email":
			maintainerAddress = value
		case "home-page":
			p.Homepage = clean(value)
		case "project-url":
			label, url, _ := strings.Cut(value, ",")
			switch wellKnown(label) {
			case "homepage", "home":
				p.Homepage = cmp.Or(p.Homepage, clean(url))
			case "source", "repository", "sourcecode", "github":
				p.Repository = cmp.Or(p.Repository, clean(url))
			}
		case "requires-dist":
			if need := requirement(value); need != "" && len(p.Requires) < maxNames {
				p.Requires = append(p.Requires, need)
			}
		}
	}
	if !isName(p.Name) || !isName(p.Version) {
		return &File{Unread: "it has no Name and Version of a Python distribution"}
	}
	p.Licence = pythonLicence(expression, licence, classifiers)
	if p.Supplier = party(author, address); p.Supplier == "" {
		p.Supplier = party(maintainer, maintainerAddress)
	}
	return &File{Packages: []Package{p}}
}

// wellKnown returns the label of an address as tools compare it (PyPA specifications,
// "Well-known Project URLs in Metadata").
func wellKnown(label string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, label)
}

// headerFields yields the fields before the first empty line, their names in lower
// case, their values with the lines that continue them.
func headerFields(b []byte) func(yield func(name, value string) bool) {
	return func(yield func(name, value string) bool) {
		var name string
		var value []string
		flush := func() bool { return name == "" || yield(name, strings.Join(value, "\n")) }
		for line := range bytes.Lines(b) {
			text := strings.TrimRight(string(line), "\r\n")
			if text == "" {
				break
			}
			if text[0] == ' ' || text[0] == '\t' {
				value = append(value, strings.TrimPrefix(strings.TrimSpace(text), "|"))
				continue
			}
			if !flush() {
				return
			}
			before, after, ok := strings.Cut(text, ":")
			name, value = "", nil
			if ok {
				name, value = strings.ToLower(strings.TrimSpace(before)), []string{strings.TrimSpace(after)}
			}
		}
		flush()
	}
}

// pythonLicence returns what is said most exactly: an expression, else what the field
// License says, else what the classifiers do.
func pythonLicence(expression, licence string, classifiers []string) []string {
	switch licence = strings.TrimSpace(licence); {
	case expression != "":
		return []string{clean(expression)}
	case licence != "" && !strings.EqualFold(licence, "UNKNOWN") && !strings.Contains(licence, "\n"):
		return []string{clean(licence)}
	case len(classifiers) > 0:
		return classifiers
	case licence != "" && !strings.EqualFold(licence, "UNKNOWN"):
		return []string{bounded(licence, maxLicence)}
	}
	return nil
}

// party joins a name and an address, of which the address may have the name.
func party(name, address string) string {
	name, address = clean(name), clean(address)
	if first, _, ok := strings.Cut(address, ","); ok && strings.Contains(first, "@") {
		address = first // the first of several
	}
	switch {
	case name == "UNKNOWN" || name == "None":
		name = ""
	case strings.Contains(address, "<") || name == "" || address == "" || address == "UNKNOWN":
	default:
		return name + " <" + address + ">"
	}
	if name == "" || strings.Contains(address, "<") {
		if address == "UNKNOWN" {
			return ""
		}
		return address
	}
	return name
}

// requirement returns the name in a dependency specifier (PEP 508), "" where only an
// extra asks for it.
func requirement(s string) string {
	s, marker, _ := strings.Cut(s, ";")
	if strings.Contains(marker, "extra") {
		return ""
	}
	s = strings.TrimSpace(s)
	if end := strings.IndexAny(s, " \t([<>=!~@"); end >= 0 {
		s = s[:end]
	}
	if !isName(s) {
		return ""
	}
	return Key(PyPI, s)
}

// readRecord reads the list of a distribution's files, CSV with paths that are
// relative to the directory that it is installed in (Python Packaging User Guide,
// "Recording installed projects").
func readRecord(dir string, b []byte) *File {
	r := csv.NewReader(bytes.NewReader(b))
	r.FieldsPerRecord, r.ReuseRecord = -1, true
	f := &File{}
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return f
		}
		if err != nil {
			return &File{Unread: clean(err.Error())}
		}
		f.add(dir, row[0])
	}
}

// readInstalled reads the list that setup.py install writes, a path a line.
func readInstalled(dir string, b []byte) *File {
	f := &File{}
	for line := range bytes.Lines(b) {
		if name := strings.TrimSpace(string(line)); name != "" {
			f.add(dir, name)
		}
	}
	return f
}

// add adds a path, relative to a directory of the image.
func (f *File) add(dir, name string) {
	if !path.IsAbs(name) {
		name = path.Join("/", dir, name)
	}
	if name = strings.TrimPrefix(path.Clean(name), "/"); name != "" && name == bounded(name, 4<<10) {
		f.Files = append(f.Files, name)
	}
}
