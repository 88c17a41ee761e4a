package dpkg

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// format is a parsed show format (dpkg-query(1), --showformat).
type format []element

type element struct {
	text  string // where field is ""
	field string
	width int // negative: to the left; 0: as long as it is
}

// parseFormat reads a show format.
func parseFormat(s string) (format, error) {
	var f format
	var text strings.Builder
	flush := func() {
		if text.Len() > 0 {
			f = append(f, element{text: text.String()})
			text.Reset()
		}
	}
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s):
			i++
			switch s[i] {
			case 'n':
				text.WriteByte('\n')
			case 't':
				text.WriteByte('\t')
			case 'r':
				text.WriteByte('\r')
			default:
				text.WriteByte(s[i])
			}
		case strings.HasPrefix(s[i:], "${"):
			end := strings.IndexByte(s[i:], '}')
			if end < 0 {
				return nil, errors.New("missing closing brace")
			}
			flush()
			name, width, ok := strings.Cut(s[i+2:i+end], ";")
			e := element{field: name}
			if ok {
				n, err := strconv.Atoi(width)
				if err != nil {
					bad := strings.TrimLeft(width, "-0123456789") + " "
					return nil, fmt.Errorf("invalid character '%c' in field width", bad[0])
				}
				e.width = max(min(n, 1<<12), -1<<12)
			}
			f = append(f, e)
			i += end
		default:
			text.WriteByte(s[i])
		}
	}
	flush()
	return f, nil
}

// write writes the format with the values of one package.
func (f format) write(b *strings.Builder, value func(field string) string) {
	for _, e := range f {
		if e.field == "" {
			b.WriteString(e.text)
			continue
		}
		v := value(e.field)
		switch {
		case e.width == 0:
			b.WriteString(v)
		case e.width > 0:
			fmt.Fprintf(b, "%*.*s", e.width, e.width, v)
		default:
			fmt.Fprintf(b, "%-*.*s", -e.width, -e.width, v)
		}
	}
}

// field returns what ${NAME} is for a package, "" for what it does not have.
func (d *Dpkg) field(pkg *Package, name string) string {
	want := "install"
	if pkg.State == NotInstalled && !slices.Contains(d.sys.Packages, pkg) {
		want = "unknown"
	}
	switch strings.ToLower(name) {
	case "package":
		return pkg.Name
	case "version":
		return pkg.Version
	case "architecture":
		return pkg.Architecture
	case "status":
		return want + " ok " + pkg.State.String()
	case "conffiles":
		var lines []string
		for _, c := range pkg.Conffiles {
			lines = append(lines, " "+c.Path+" "+c.MD5)
		}
		return strings.Join(lines, "\n")
	case "binary:package":
		return d.qualified(pkg)
	case "binary:summary", "binary:synopsis":
		summary, _, _ := strings.Cut(pkg.Control.Get("Description"), "\n")
		return summary
	case "db:status-want":
		return want
	case "db:status-status":
		return pkg.State.String()
	case "db:status-eflag":
		return "ok"
	case "db:status-abbrev":
		return want[:1] + string(pkg.State.abbreviation()) + " "
	case "db-fsys:files":
		var b strings.Builder
		for _, name := range pkg.Paths {
			b.WriteString(" " + name + "\n")
		}
		return b.String()
	case "source:package":
		source, _, _ := strings.Cut(pkg.Control.Get("Source"), " ")
		if source == "" {
			return pkg.Name
		}
		return source
	case "source:version":
		return sourceVersion(pkg)
	case "source:upstream-version":
		v := sourceVersion(pkg)
		if _, rest, ok := strings.Cut(v, ":"); ok {
			v = rest
		}
		if i := strings.LastIndexByte(v, '-'); i >= 0 {
			v = v[:i]
		}
		return v
	case "essential", "protected":
		if v := pkg.Control.Get(name); v != "" {
			return v
		}
		if pkg.State != NotInstalled {
			return "no"
		}
		return ""
	}
	return pkg.Control.Get(name)
}

func sourceVersion(pkg *Package) string {
	if _, v, ok := strings.Cut(pkg.Control.Get("Source"), "("); ok {
		return strings.TrimSuffix(v, ")")
	}
	return pkg.Version
}
