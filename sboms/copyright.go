package sboms

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/debian"
)

// errFreeForm is the error about a copyright file that is meant for people.
var errFreeForm = errors.New("it is free-form text")

// readCopyright reads /usr/share/doc/PACKAGE/copyright in the machine-readable format
// (https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/). A package is
// under the licences of all its Files paragraphs. A file in another form is an error;
// free-form text, which nothing is concluded from, wraps [errFreeForm].
func readCopyright(b []byte) (Licence, error) {
	r := debian.NewControlReader(bytes.NewReader(b))
	header, err := r.Next()
	if err != nil || !isMachineReadable(header.Get("Format")) {
		return Licence{}, errFreeForm
	}
	c := copyrightFile{texts: map[string]string{}, custom: map[string]CustomLicence{}}
	paragraphs := []debian.Paragraph{header}
	for {
		p, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return Licence{}, err
		}
		paragraphs = append(paragraphs, p)
	}
	l, err := c.licence(paragraphs)
	l.Upstream = header.Get("Source")
	return l, err
}

// freeForm returns the licence of a source package whose copyright file is text for
// people: a licence of its own, of that text. Nothing more is concluded from it.
func freeForm(source, file string, text []byte) Licence {
	c := CustomLicence{Name: "copyright file of " + source, Text: strings.ToValidUTF8(string(text), "\uFFFD")}
	c.ID = customID(source+"-copyright", c.Text)
	return Licence{Expression: c.ID, Custom: []CustomLicence{c}, Source: file + " is free-form text, from which nothing is concluded: it stands for itself"}
}

// isMachineReadable reports whether a Format field names version 1.0 of the format or
// one of the drafts it came out of, which packages still name.
func isMachineReadable(format string) bool {
	format = strings.ToLower(format)
	return strings.Contains(format, "copyright-format/1.") || strings.Contains(format, "deps/dep5") || strings.Contains(format, "deps/dep-5")
}

// copyrightFile is what its paragraphs add up to.
type copyrightFile struct {
	texts  map[string]string // of licences, by short name in lower case
	custom map[string]CustomLicence
}

func (c *copyrightFile) licence(paragraphs []debian.Paragraph) (Licence, error) {
	for _, p := range paragraphs {
		name, text := cutLicense(p)
		if key := strings.ToLower(name); text != "" && c.texts[key] == "" {
			c.texts[key] = text
		}
	}
	stating := slices.DeleteFunc(slices.Clone(paragraphs), func(p debian.Paragraph) bool { return p.Get("Files") == "" })
	if len(stating) == 0 && paragraphs[0].Get("License") != "" { // the header speaks for the whole package
		stating = paragraphs[:1]
	}
	if len(stating) == 0 {
		return Licence{}, errors.New("it has no paragraph with Files")
	}
	var terms []term
	var notices []string
	for _, p := range stating {
		if p.Get("License") == "" {
			return Licence{}, fmt.Errorf("line %d: a paragraph with Files has no License", p[0].Line)
		}
		terms = append(terms, c.term(cutLicense(p)))
		for line := range strings.Lines(p.Get("Copyright")) {
			if line = strings.TrimSpace(line); line != "" && line != "." && !slices.Contains(notices, line) {
				notices = append(notices, line)
			}
		}
	}
	slices.SortFunc(terms, func(a, b term) int { return strings.Compare(a.String(), b.String()) })
	l := Licence{Expression: join("AND", terms).String(), Copyright: strings.Join(notices, "\n")}
	for _, custom := range c.custom {
		l.Custom = append(l.Custom, custom)
	}
	slices.SortFunc(l.Custom, func(a, b CustomLicence) int { return strings.Compare(a.ID, b.ID) })
	return l, nil
}

// cutLicense returns the synopsis of a License field and the text below it, unfolded
// as deb822(5) folds it.
func cutLicense(p debian.Paragraph) (synopsis, text string) {
	synopsis, below, _ := strings.Cut(p.Get("License"), "\n")
	var b strings.Builder
	for line := range strings.Lines(below) {
		line = strings.TrimRight(strings.TrimPrefix(strings.TrimPrefix(line, " "), "\t"), " \t\n")
		if line == "." {
			line = ""
		}
		b.WriteString(line + "\n")
	}
	return strings.TrimSpace(synopsis), strings.Trim(b.String(), "\n")
}

// term returns what a License field says. A synopsis that is no expression is taken,
// with the text, for a licence of its own.
func (c *copyrightFile) term(synopsis, text string) term {
	t, ok := parseSynopsis(synopsis, func(name string) string {
		own := ""
		if name == synopsis {
			own = text
		}
		return c.identifier(name, own)
	})
	if !ok {
		return term{id: c.add(synopsis, text)}
	}
	return t
}

// identifier returns what stands for a licence in an expression. Without a text of
// its own the licence has the one that another paragraph gives the name.
func (c *copyrightFile) identifier(name, text string) string {
	switch id := spdxName(name); {
	case strings.Contains(id, " OR "):
		return "(" + id + ")"
	case id != "":
		return id
	}
	return c.add(name, cmp.Or(text, c.texts[strings.ToLower(name)]))
}

func (c *copyrightFile) add(name, text string) string {
	id := customID(name, text)
	c.custom[id] = CustomLicence{ID: id, Name: name, Text: text}
	return id
}
