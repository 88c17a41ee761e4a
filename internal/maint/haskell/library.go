package haskell

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// library is the description of an installed library (InstalledPackageInfo of Cabal).
type library struct {
	fields       map[string]field
	name         string // of the package
	part         string // of the package that the library is, "" for the main one
	version      []uint64
	license      license
	modules      []module
	hidden       []string
	abi, id, key string
}

// field is the content of a field: its lines with the columns that they begin at, and
// whether the first is that of the name.
type field struct {
	lines []fieldLine
	row   int // of the name
}

type fieldLine struct {
	row, column int
	text        string
}

// module is one that a library offers, which may be another library's.
type module struct{ name, from, as string }

// knownFields are those of a description that are read.
var knownFields = strings.Fields(`name version package-name lib-name visibility id instantiated-with key license copyright maintainer author
	stability homepage package-url synopsis description category abi indefinite exposed exposed-modules hidden-modules trusted import-dirs
	library-dirs library-dirs-static dynamic-library-dirs data-dir hs-libraries extra-libraries extra-libraries-static extra-ghci-libraries
	include-dirs includes depends abi-depends cc-options cxx-options ld-options framework-dirs frameworks haddock-interfaces haddock-html`)

// splitFields divides a description into fields; a line that is indented goes on with
// the field before it, and one with "--" in front is a comment.
func splitFields(text string) (map[string]field, error) {
	fields, last := map[string]field{}, ""
	for row, line := range strings.Split(text, "\n") {
		content := strings.TrimLeft(line, " ")
		column := len(line) - len(content)
		switch {
		case content == "" || strings.HasPrefix(content, "--"):
			continue
		case strings.ContainsAny(line, "\t\r") || strings.HasPrefix(content, "{") || strings.HasPrefix(content, "}"):
			return nil, fmt.Errorf("line %d: found a tab or a brace", row+1)
		case column > 0 && last == "":
			return nil, fmt.Errorf("line %d: found an indented line before a field", row+1)
		case column > 0:
			f := fields[last]
			f.lines = append(f.lines, fieldLine{row, column, content})
			fields[last] = f
			continue
		}
		name, rest, ok := strings.Cut(content, ":")
		name = strings.ToLower(strings.TrimSpace(name))
		if _, twice := fields[name]; !ok || twice || !slices.Contains(knownFields, name) {
			return nil, fmt.Errorf("line %d: found %q, expected a field that is known, once", row+1, content)
		}
		last = name
		f := field{row: row}
		if value := strings.TrimLeft(rest, " "); value != "" {
			f.lines = append(f.lines, fieldLine{row, len(content) - len(value), value})
		}
		fields[name] = f
	}
	return fields, nil
}

// text returns a field as free text: without the indentation that all lines share.
func (f field) text() string {
	if len(f.lines) == 0 {
		return ""
	}
	if len(f.lines) == 1 {
		return f.lines[0].text
	}
	left := f.lines[0].column
	for _, l := range f.lines[1:] {
		left = min(left, l.column)
	}
	var b strings.Builder
	for i, l := range f.lines {
		if i > 0 {
			b.WriteString(strings.Repeat("\n", l.row-f.lines[i-1].row))
		}
		if i > 0 || l.row != f.row {
			b.WriteString(strings.Repeat(" ", l.column-left))
		}
		b.WriteString(l.text)
	}
	return b.String()
}

// tokens returns the words of a field, which blanks or commas part and which may be
// quoted.
func (f field) tokens() ([]string, error) {
	var words []string
	for _, l := range f.lines {
		for s := l.text; ; {
			s = strings.TrimLeft(s, " ,")
			if s == "" {
				break
			}
			if s[0] != '"' {
				end := strings.IndexAny(s, " ,")
				if end < 0 {
					end = len(s)
				}
				words = append(words, s[:end])
				s = s[end:]
				continue
			}
			end := strings.IndexByte(s[1:], '"')
			if end < 0 || strings.Contains(s[1:1+end], `\`) {
				return nil, fmt.Errorf("found %s, expected a string without escapes", s)
			}
			words = append(words, s[1:1+end])
			s = s[2+end:]
		}
	}
	return words, nil
}

func (l *library) text(name string) string { return l.fields[name].text() }

// list returns a field's words, which parseLibrary has found right.
func (l *library) list(name string) []string {
	words, _ := l.fields[name].tokens()
	return words
}

func (l *library) truth(name string) bool { return strings.EqualFold(l.text(name), "true") }

// parseLibrary reads a description.
func parseLibrary(text string) (*library, error) {
	fields, err := splitFields(text)
	if err != nil {
		return nil, err
	}
	for name, f := range fields {
		switch name {
		case "copyright", "maintainer", "author", "stability", "homepage", "package-url", "synopsis", "description", "category":
			continue
		}
		if _, err := f.tokens(); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	l := &library{fields: fields, id: fields["id"].text(), key: fields["key"].text(), abi: fields["abi"].text(), hidden: nil}
	l.hidden = l.list("hidden-modules")
	for _, name := range []string{"instantiated-with", "abi-depends"} {
		if len(fields[name].lines) > 0 {
			return nil, fmt.Errorf("found %s, which is not supported", name)
		}
	}
	l.name = fields["name"].text()
	if rest, ok := strings.CutPrefix(l.name, "z-"); ok {
		l.name, l.part, ok = strings.Cut(rest, "-z-")
		if !ok || strings.Contains(rest, "zz") || strings.Contains(l.part, "-z-") {
			return nil, fmt.Errorf("found the name %q, expected z-PACKAGE-z-LIBRARY", fields["name"].text())
		}
	}
	for n := range strings.SplitSeq(fields["version"].text(), ".") {
		v, err := strconv.ParseUint(n, 10, 31)
		if err != nil {
			return nil, fmt.Errorf("found version %q", fields["version"].text())
		}
		l.version = append(l.version, v)
	}
	if l.name == "" || l.id == "" {
		return nil, errors.New("found no name or no id")
	}
	if l.license, err = parseLicense(fields["license"].text()); err != nil {
		return nil, err
	}
	words := l.list("exposed-modules")
	for i := 0; i < len(words); i++ {
		if words[i] != "from" {
			l.modules = append(l.modules, module{name: words[i]})
			continue
		}
		if i++; i == len(words) || len(l.modules) == 0 {
			return nil, errors.New(`found "from" without a module`)
		}
		from, as, ok := strings.Cut(words[i], ":")
		if !ok {
			return nil, fmt.Errorf("found %q, expected a library and a module", words[i])
		}
		l.modules[len(l.modules)-1].from, l.modules[len(l.modules)-1].as = from, as
	}
	return l, nil
}
