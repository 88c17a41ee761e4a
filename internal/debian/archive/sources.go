package archive

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/debian"
)

// Source is one entry of the apt sources of a machine (sources.list(5)).
type Source struct {
	Types         []string // "deb", "deb-src"
	URIs          []string
	Suites        []string
	Components    []string
	Architectures []string // none means those of the machine
	SignedBy      string   // path, fingerprint or embedded key, as written
	Trusted       bool     // trusted=yes
	File          string   // where it was read
	Line          int      // first line of the entry, counted from 1
}

// ReadSources reads the apt sources below dir, which is /etc/apt on a real
// machine: sources.list, and the .list and .sources files of sources.list.d in
// the order of their names. Disabled entries are left out. Files that do not
// exist or cannot be read are skipped; a malformed entry is skipped too and
// reported in the error, beside the entries that are good.
func ReadSources(dir string) ([]Source, error) {
	files := []string{filepath.Join(dir, "sources.list")}
	entries, _ := os.ReadDir(filepath.Join(dir, "sources.list.d")) // sorted by name
	for _, e := range entries {
		if ext := filepath.Ext(e.Name()); ext == ".list" || ext == ".sources" {
			files = append(files, filepath.Join(dir, "sources.list.d", e.Name()))
		}
	}
	var all []Source
	var errs []error
	for _, name := range files {
		sources, err := readSourceFile(name)
		all = append(all, sources...)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return all, errors.Join(errs...)
}

func readSourceFile(name string) ([]Source, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	parse := ParseSourcesList
	if filepath.Ext(name) == ".sources" {
		parse = ParseSources
	}
	sources, err := parse(f)
	for i := range sources {
		sources[i].File = name
	}
	if err != nil {
		return sources, fmt.Errorf("%s: %w", name, err)
	}
	return sources, nil
}

// ParseSources reads entries in deb822 style (sources.list(5), DEB822-STYLE
// FORMAT). Entries with "Enabled: no" are left out.
func ParseSources(r io.Reader) ([]Source, error) {
	var sources []Source
	control := debian.NewControlReader(r)
	for {
		p, err := control.Next()
		if err == io.EOF {
			return sources, nil
		}
		if err != nil {
			return sources, err
		}
		if isFalse(p.Get("Enabled")) {
			continue
		}
		s := Source{
			Types:         strings.Fields(p.Get("Types")),
			URIs:          strings.Fields(p.Get("URIs")),
			Suites:        strings.Fields(p.Get("Suites")),
			Components:    strings.Fields(p.Get("Components")),
			Architectures: strings.Fields(p.Get("Architectures")),
			SignedBy:      strings.TrimSpace(p.Get("Signed-By")),
			Trusted:       isTrue(p.Get("Trusted")),
			Line:          p[0].Line,
		}
		if len(s.Types) == 0 || len(s.URIs) == 0 || len(s.Suites) == 0 {
			return sources, fmt.Errorf("line %d: entry without Types, URIs or Suites", s.Line)
		}
		sources = append(sources, s)
	}
}

// ParseSourcesList reads entries in one-line style (sources.list(5), ONE-LINE-STYLE
// FORMAT): type [ option=value ... ] uri suite [component...]
func ParseSourcesList(r io.Reader) ([]Source, error) {
	var sources []Source
	var errs []error
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		line, _, _ := strings.Cut(lines.Text(), "#")
		if strings.TrimSpace(line) == "" {
			continue
		}
		s, err := parseSourceLine(line)
		if err != nil {
			errs = append(errs, fmt.Errorf("line %d: %w", n, err))
			continue
		}
		s.Line = n
		sources = append(sources, s)
	}
	if err := lines.Err(); err != nil {
		errs = append(errs, err)
	}
	return sources, errors.Join(errs...)
}

func parseSourceLine(line string) (Source, error) {
	kind, rest, _ := strings.Cut(strings.TrimSpace(strings.ReplaceAll(line, "\t", " ")), " ")
	if kind != "deb" && kind != "deb-src" {
		return Source{}, fmt.Errorf("found %.40q, expected deb or deb-src", kind)
	}
	s := Source{Types: []string{kind}}
	rest = strings.TrimSpace(rest)
	if strings.HasPrefix(rest, "[") {
		options, after, ok := strings.Cut(rest[1:], "]")
		if !ok {
			return Source{}, errors.New("options without closing ]")
		}
		if err := s.setOptions(strings.Fields(options)); err != nil {
			return Source{}, err
		}
		rest = after
	}
	words := strings.Fields(rest)
	// A cdrom's URI has its label in brackets, with spaces.
	if len(words) > 0 && strings.HasPrefix(words[0], "cdrom:[") {
		for len(words) > 1 && !strings.Contains(words[0], "]") {
			words[1] = words[0] + " " + words[1]
			words = words[1:]
		}
	}
	if len(words) < 2 {
		return Source{}, errors.New("entry without uri and suite")
	}
	s.URIs, s.Suites, s.Components = words[:1], words[1:2], words[2:]
	return s, nil
}

func (s *Source) setOptions(options []string) error {
	for _, option := range options {
		name, value, ok := strings.Cut(option, "=")
		if !ok {
			return fmt.Errorf("option %.40q: want name=value", option)
		}
		name = strings.TrimRight(name, "+-") // arch+= and arch-= change a default we do not use
		switch strings.ToLower(name) {
		case "arch":
			s.Architectures = strings.Split(value, ",")
		case "signed-by":
			s.SignedBy = value
		case "trusted":
			s.Trusted = isTrue(value)
		}
	}
	return nil
}

// isFalse and isTrue read a boolean as apt does (apt-pkg/contrib/strutl.cc, StringToBool).
func isFalse(v string) bool {
	return slices.Contains([]string{"no", "false", "without", "off", "disable", "0"}, strings.ToLower(strings.TrimSpace(v)))
}

func isTrue(v string) bool {
	return slices.Contains([]string{"yes", "true", "with", "on", "enable", "1"}, strings.ToLower(strings.TrimSpace(v)))
}
