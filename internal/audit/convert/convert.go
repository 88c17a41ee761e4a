package convert

import (
	"cmp"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/hardpan/hardpan/internal/audit/dockerfile"
)

// Options say what the spec is called. Context is needed.
type Options struct {
	// Context is the directory of the Dockerfile, which the sources of COPY lie in. The
	// spec belongs there, too.
	Context string
	// Name of the image; empty is that of the file or its directory.
	Name string
	// Version of the image; empty is that of its label, else 1.0.
	Version string
}

// Note says what of a line the spec does not have, or has otherwise, and why.
type Note struct {
	Line    int    `json:"line"` // of the Dockerfile; 0 for none
	Subject string `json:"subject"`
	Text    string `json:"text"`
}

// Result is a spec.
type Result struct {
	Spec  []byte
	Notes []Note
}

// Spec converts a Dockerfile that was read.
func Spec(f *dockerfile.File, o Options) (*Result, error) {
	if f.Final().Windows {
		return nil, fmt.Errorf("%s: the image is one of Windows, which no spec describes", f.Name)
	}
	c := &converter{file: f, options: o, names: map[*dockerfile.Stage]string{}}
	c.distro = c.distribution()
	c.spec = spec{Name: c.name(), Version: c.version(), Distro: "debian/" + c.distro}
	c.stages()
	c.final()
	slices.SortStableFunc(c.notes, func(a, b Note) int { return cmp.Compare(a.Line, b.Line) })
	c.notes = slices.Compact(c.notes)
	text, err := c.spec.yaml(c.header())
	if err != nil {
		return nil, err
	}
	return &Result{text, c.notes}, nil
}

// converter is one conversion.
type converter struct {
	file     *dockerfile.File
	options  Options
	distro   string // codename
	spec     spec
	notes    []Note
	names    map[*dockerfile.Stage]string
	ran      bool     // a stage runs commands
	venvs    []string // virtual environments that stages make
	prefixes []string // directories that pip was told to install into
}

func (c *converter) note(line int, subject, format string, args ...any) {
	c.notes = append(c.notes, Note{line, subject, fmt.Sprintf(format, args...)})
}

// header is the first lines of the spec: where it comes from and what it lacks.
func (c *converter) header() string {
	var b strings.Builder
	b.WriteString("Written by hardpan audit --fix from " + filepath.Base(c.file.Name) + ".\n")
	if len(c.notes) > 0 {
		b.WriteString("\nNot carried over, or otherwise:\n")
	}
	for _, n := range c.notes {
		place := ""
		if n.Line > 0 {
			place = fmt.Sprintf("line %d, ", n.Line)
		}
		text := strings.Map(func(r rune) rune {
			if r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029 || r == 0xfeff {
				return ' '
			}
			return r
		}, n.Text)
		b.WriteString("- " + place + n.Subject + ": " + text + "\n")
	}
	return b.String()
}

// compiled compiles an expression when it is first asked, so that verbs which convert
// nothing do not pay for it at their start.
func compiled(text string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(text) })
}

var notInName = compiled(`[^a-z0-9]+`)

// slug makes a name of lower-case letters and digits with single dashes.
func slug(s string) string {
	return strings.Trim(notInName().ReplaceAllString(strings.ToLower(s), "-"), "-")
}

func (c *converter) name() string {
	name := c.options.Name
	if name == "" {
		name = ImageName(c.file.Name)
	}
	return cmp.Or(slug(name), "image")
}

// ImageName is what the image of a Dockerfile is called: the part of the file's name that
// is not Dockerfile, or else its directory's.
func ImageName(file string) string {
	base := filepath.Base(file)
	lower := strings.ToLower(base)
	for _, word := range []string{"dockerfile", "containerfile"} {
		lower = strings.Trim(strings.ReplaceAll(lower, word, ""), ".-_")
	}
	if lower == "" {
		if dir, err := filepath.Abs(filepath.Dir(file)); err == nil {
			lower = filepath.Base(dir)
		}
	}
	return cmp.Or(slug(lower), "image")
}

var tag = compiled(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$`)

func (c *converter) version() string {
	v := c.options.Version
	if v == "" {
		v = c.labels()["org.opencontainers.image.version"]
	}
	if !tag().MatchString(v) {
		v = "1.0"
	}
	return v
}
