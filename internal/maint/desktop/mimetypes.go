package desktop

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/glib"
)

// freeSpace is the namespace of the files that describe types (the Shared MIME-info
// Database specification).
const freeSpace = "http://www.freedesktop.org/standards/shared-mime-info"

// mimeTypes is all that the files of packages say of MIME types. Its tables are GLib's,
// whose order the files made of them show.
type mimeTypes struct {
	types        glib.HashTable[*mimeType]
	namespaces   glib.HashTable[*mimeType] // by URI, space, name
	globs        glib.HashTable[[]*glob]   // by pattern
	magic        []*magic
	treeMagic    []*treeMagic
	parents      glib.HashTable[[]string]
	aliases      glib.HashTable[*mimeType]
	icons        glib.HashTable[string]
	genericIcons glib.HashTable[string]

	say func(format string, args ...any)
}

type mimeType struct {
	name   string // "text/plain"
	fields []*node
}

func (t *mimeType) media() string { media, _, _ := strings.Cut(t.name, "/"); return media }

type glob struct {
	pattern       string
	typ           *mimeType
	weight        int
	none          bool // stands for all patterns of the type, which are deleted
	caseSensitive bool
}

type magic struct {
	priority int
	typ      *mimeType
	matches  []*match
	none     bool
}

type match struct {
	start, length, wordSize int
	data, mask              []byte
	matches                 []*match
	index                   int // in the cache
}

type treeMagic struct {
	priority int
	typ      *mimeType
	matches  []*treeMatch
}

type treeMatch struct {
	path, kind, mimetype            string
	matchCase, executable, nonEmpty bool
	matches                         []*treeMatch
}

// load reads one file.
func (m *mimeTypes) load(filename, text string) error {
	root, err := parseXML(text)
	if err != nil {
		return err
	}
	if root.space != freeSpace {
		m.say("Wrong namespace on document element in '%s' (should be %s)", filename, freeSpace)
		return nil
	}
	if root.name != "mime-info" {
		m.say("Root element <%s> is not <mime-info> (in '%s')", root.name, filename)
		return nil
	}
	for _, n := range root.elements() {
		t, err := m.typeOf(n)
		if err == nil {
			err = m.loadType(t, n)
		}
		if err != nil {
			name := "unknown/unknown"
			if t != nil {
				name = t.name
			}
			m.say("Error in type '%s' (in %s): %v.", name, filename, err)
		}
	}
	return nil
}

// typeOf returns the type that an element describes.
func (m *mimeTypes) typeOf(n *node) (*mimeType, error) {
	if n.space != freeSpace || n.name != "mime-type" {
		return nil, errors.New("Excepted <mime-type>, but got wrong name or namespace")
	}
	name, ok := n.get("type")
	if !ok {
		return nil, errors.New("<mime-type> element has no 'type' attribute")
	}
	if strings.Count(name, "/") != 1 {
		return nil, fmt.Errorf("Invalid MIME-type '%s'", name)
	}
	t, ok := m.types.Get(name)
	if !ok {
		t = &mimeType{name: name}
		m.types.Set(name, t)
	}
	return t, nil
}

// loadType reads the elements that describe a type, and keeps those that its own
// file will have.
func (m *mimeTypes) loadType(t *mimeType, n *node) error {
	for _, field := range n.elements() {
		if field.space == freeSpace {
			keep, err := m.field(t, field)
			if err != nil {
				return err
			}
			if !keep {
				continue
			}
		}
		c := field.standalone()
		if c.prefix == "" && c.space == freeSpace {
			c.declared = nil
		}
		if field.space == freeSpace && field.name == "comment" {
			i := slices.IndexFunc(t.fields, func(k *node) bool {
				return k.space == freeSpace && k.name == "comment" && k.language() == field.language()
			})
			if i >= 0 {
				t.fields = slices.Delete(t.fields, i, i+1)
			}
		}
		t.fields = append(t.fields, c)
	}
	return nil
}

// field takes in one element, and says whether it belongs into the type's own file.
func (m *mimeTypes) field(t *mimeType, f *node) (keep bool, err error) {
	switch f.name {
	case "comment", "acronym", "expanded-acronym":
		return true, nil
	case "glob":
		return true, m.glob(t, f)
	case "glob-deleteall":
		m.addGlob(&glob{pattern: "__NOGLOBS__", typ: t, none: true})
		return true, nil
	case "magic":
		g, err := newMagic(t, f)
		if err == nil {
			m.magic = append(m.magic, g)
		}
		return false, err
	case "magic-deleteall":
		no := &match{length: 1, wordSize: 1, data: []byte("__NOMAGIC__")}
		m.magic = append(m.magic, &magic{typ: t, matches: []*match{no}, none: true})
	case "treemagic":
		g, err := newTreeMagic(t, f)
		if err == nil {
			m.treeMagic = append(m.treeMagic, g)
		}
		return false, err
	case "alias", "sub-class-of":
		other, _ := f.get("type")
		if !strings.Contains(other, "/") {
			return false, fmt.Errorf("Incorrect or missing 'type' attribute in <%s>", f.name)
		}
		if f.name == "alias" {
			m.aliases.Set(other, t)
		} else {
			list, _ := m.parents.Get(t.name)
			m.parents.Set(t.name, append(list, other))
		}
		return true, nil
	case "root-XML":
		return false, m.namespace(t, f)
	case "icon", "generic-icon":
		name, ok := f.get("name")
		if ok && f.name == "icon" {
			m.icons.Set(t.name, name)
		} else if ok {
			m.genericIcons.Set(t.name, name)
		}
		return ok, nil
	}
	return false, nil
}

func (m *mimeTypes) addGlob(g *glob) {
	list, _ := m.globs.Get(g.pattern)
	m.globs.Set(g.pattern, append(list, g))
}

func (m *mimeTypes) glob(t *mimeType, f *node) error {
	weight := percent(f, "weight")
	pattern, _ := f.get("pattern")
	if pattern == "" {
		return errors.New("Missing 'pattern' attribute in <glob> element")
	}
	sensitive, _ := f.get("case-sensitive")
	g := &glob{pattern: pattern, typ: t, weight: weight, caseSensitive: sensitive == "true"}
	if !g.caseSensitive {
		g.pattern = asciiLower(pattern)
	}
	m.addGlob(g)
	if weight < 0 {
		return fmt.Errorf("Bad weight (%d) in <glob> element", weight)
	}
	return nil
}

func asciiLower(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// percent returns the value of an attribute from 0 to 100, 50 where it is not given
// and -1 where it is wrong.
func percent(f *node, name string) int {
	s, ok := f.get(name)
	if !ok {
		return 50
	}
	n, err := strconv.ParseInt(strings.TrimLeft(s, " \t\n\v\f\r"), 10, 32)
	if err != nil || n < 0 || n > 100 {
		return -1
	}
	return int(n)
}

// namespace takes in a <root-XML>.
func (m *mimeTypes) namespace(t *mimeType, f *node) error {
	uri, hasURI := f.get("namespaceURI")
	name, hasName := f.get("localName")
	switch {
	case !hasURI:
		return errors.New("Missing 'namespaceURI' attribute'")
	case !hasName:
		return errors.New("Missing 'localName' attribute'")
	case uri == "" && name == "":
		return errors.New("namespaceURI and localName attributes can't both be empty")
	case strings.ContainsAny(uri+name, " \n"):
		return errors.New("namespaceURI and localName cannot contain spaces or newlines")
	}
	m.namespaces.Set(uri+" "+name, t)
	return nil
}
