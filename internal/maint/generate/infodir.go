package generate

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/getopt"
	"github.com/hardpan/hardpan/internal/maint/shell"
)

// maxInfo bounds the text of one manual, bytes.
const maxInfo = 64 << 20

// infoDirHead is the directory of a system that has none yet.
const infoDirHead = `This is the file .../info/dir, which contains the
topmost node of the Info hierarchy, called (dir)Top.
The first time you invoke Info you start off looking at this node.
` + "\x1f" + `
File: dir,	Node: Top	This is the top of the INFO tree

  This (the Directory node) gives a menu of major topics.
  Typing "q" exits, "H" lists all Info commands, "d" returns here,
  "h" gives a primer for first-timers,
  "mEmacs<Return>" visits the Emacs manual, etc.

  In Emacs, you can click mouse button 2 on a menu item or cross reference
  to select it.

* Menu:
`

// infoEntry is an entry that a manual has for the directory.
type infoEntry struct {
	text     string
	sections []*infoSection
}

func (e *infoEntry) in(section string) bool {
	return slices.ContainsFunc(e.sections, func(s *infoSection) bool { return s.name == section })
}

// infoSection is a section that a manual wants its entries in.
type infoSection struct {
	name    string
	missing bool // in the directory
}

// installInfo is install-info(1) of texinfo: it puts the entries of one manual into
// the directory of all.
var installInfo = getopt.Command(`add-once align= append-new-sections calign= debug delete defentry= defsection= d|dir-file= e|entry=
	t|name= menuentry= c|description= I|no-indent infodir= info-dir= i|info-file= item= k|keep-old max-width= maxwidth= q|quiet silent
	r|remove remove-exactly s|section= regex= test dry-run`, 1, func(_ context.Context, c *getopt.Call) (int, error) {
	var info, dir string
	for _, o := range c.Options {
		switch o.Name {
		case "quiet", "silent", "debug":
		case "dir-file":
			dir = o.Value
		case "infodir", "info-dir":
			dir = o.Value + "/dir"
		case "info-file":
			info = o.Value
		default:
			return 0, shell.Unsupported("install-info --%s", o.Name)
		}
	}
	for _, operand := range c.Operands {
		if info == "" {
			info = operand
		} else if dir == "" {
			dir = operand
		}
	}
	if info == "" || dir == "" {
		return c.Errorf("no input file or no dir file specified; try --help for more information.")
	}
	dir = c.Path(dir)
	if !c.FS.Exists(dir) {
		if err := c.FS.WriteFile(dir, []byte(infoDirHead), 0o644); err != nil {
			return fail(c.Proc, err)
		}
	}
	old, err := c.FS.ReadFile(dir)
	if err != nil {
		return fail(c.Proc, err)
	}
	if bytes.HasPrefix(old, []byte("\x1f\x8b")) {
		return 0, shell.Unsupported("install-info with a compressed directory")
	}
	manual, err := readInfo(c.Proc, info)
	if err != nil {
		return fail(c.Proc, err)
	}
	if len(manual) < 13 {
		return c.Errorf("%s: empty file", info)
	}
	sections, entries, err := infoEntries(manual)
	if err != nil {
		return c.Errorf("%v", err)
	}
	if len(entries) == 0 {
		if !c.Has("quiet") && !c.Has("silent") {
			fmt.Fprintf(c.Stderr, "install-info: warning: no info dir entry in `%s'\n", info)
		}
		return 0, nil
	}
	for _, e := range entries {
		if e.text, err = infoFormat(e); err != nil {
			return 0, err
		}
	}
	d := readInfoDir(string(old))
	d.add(sections, entries)
	from(c.Proc, append(c.FS.Origin.Inputs, c.Path(info))...)
	if err := c.FS.WriteFile(dir, []byte(d.text(entries)), 0o644); err != nil {
		return fail(c.Proc, err)
	}
	return 0, nil
})

// readInfo reads a manual, which is there under its name or compressed.
func readInfo(p *shell.Proc, name string) ([]byte, error) {
	at := p.Path(name)
	if !p.FS.Exists(at) && p.FS.Exists(at+".gz") {
		at += ".gz"
	}
	b, err := p.FS.ReadFile(at)
	if err != nil {
		return nil, err
	}
	for magic, by := range map[string]string{"\xfd7zXZ": "xz", "BZ": "bzip2", "LZIP": "lzip"} {
		if bytes.HasPrefix(b, []byte(magic)) {
			return nil, shell.Unsupported("install-info: a manual compressed by %s", by)
		}
	}
	if !bytes.HasPrefix(b, []byte("\x1f\x8b")) {
		return b, nil
	}
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", at, err)
	}
	text, err := io.ReadAll(io.LimitReader(z, maxInfo+1))
	if err == nil && len(text) > maxInfo {
		return nil, shell.Unsupported("install-info: %s: a manual of more than %d bytes", at, maxInfo)
	}
	return text, err
}

// infoEntries returns the sections and entries that a manual has for the directory,
// the last of each first. An entry is for the sections that were named since the
// entries before it.
func infoEntries(text []byte) (sections []*infoSection, entries []*infoEntry, err error) {
	const section, start, end = "INFO-DIR-SECTION ", "START-INFO-DIR-ENTRY", "END-INFO-DIR-ENTRY"
	var entry *strings.Builder
	var tail int // sections from before
	closed := false
	add := func() {
		entries = slices.Insert(entries, 0, &infoEntry{entry.String(), slices.Clone(sections[:len(sections)-tail])})
	}
	for line := range bytes.Lines(text) {
		word := string(bytes.TrimSuffix(line, []byte("\n")))
		switch name, ok := strings.CutPrefix(word, section); {
		case ok:
			if closed {
				tail, closed = len(sections), false
			}
			sections = slices.Insert(sections, 0, &infoSection{name, true})
		case word == start && entry != nil:
			return nil, nil, fmt.Errorf("%s without matching %s", start, end)
		case word == start:
			if len(sections) == 0 {
				sections = []*infoSection{{"Miscellaneous", true}}
			}
			entry, closed = &strings.Builder{}, true
		case entry == nil:
		case word == end:
			add()
			entry = nil
		default:
			if strings.HasPrefix(word, "* ") && entry.Len() > 0 {
				add()
				entry.Reset()
			}
			entry.Write(line)
		}
	}
	if entry != nil {
		return nil, nil, fmt.Errorf("%s without matching %s", start, end)
	}
	return sections, entries, nil
}

// infoDir is the directory: its lines, and what comes before each of them.
type infoDir struct {
	lines []infoLine // and an empty one after the last
	nodes []infoNode // the last first
}

type infoLine struct {
	text     string
	gone     bool
	entries  []*infoEntry
	sections []*infoSection
}

type infoNode struct {
	name     string
	end      int // the line after it
	sections []infoMenu
}

// infoMenu is a section of a menu: lines from that after its name, and the line
// after its last.
type infoMenu struct {
	name       string
	start, end int
}

func readInfoDir(text string) *infoDir {
	d := &infoDir{}
	for line := range strings.Lines(text) {
		d.lines = append(d.lines, infoLine{text: strings.TrimSuffix(line, "\n")})
	}
	header, menu := false, false
	var node *infoNode
	end := func(i int) {
		if node != nil && len(node.sections) > 0 {
			node.sections[len(node.sections)-1].end = i
		}
	}
	var nodes []*infoNode
	for i, line := range d.lines {
		if header {
			if _, name, ok := strings.Cut(line.text, "Node:"); ok {
				name = strings.TrimLeft(name, " \t")
				if stop := strings.IndexAny(name, ",\t"); stop >= 0 {
					name = name[:stop]
				}
				node.name = name
			}
			header = false
		}
		if strings.HasPrefix(line.text, "\x1f") {
			end(i)
			if node != nil {
				node.end = i
			}
			node, header, menu = &infoNode{}, true, false
			nodes = append(nodes, node)
		}
		menu = menu || node != nil && strings.HasPrefix(line.text, "* Menu:")
		if menu && line.text != "" && !strings.ContainsAny(line.text[:1], "* \t") {
			end(i)
			node.sections = append(node.sections, infoMenu{name: line.text, start: i + 1})
		}
	}
	end(len(d.lines))
	if node != nil {
		node.end = len(d.lines)
	}
	for _, n := range slices.Backward(nodes) {
		d.nodes = append(d.nodes, *n)
	}
	d.lines = append(d.lines, infoLine{})
	return d
}

// add finds the places of entries in the sections that are there, and of the
// sections that are not.
func (d *infoDir) add(sections []*infoSection, entries []*infoEntry) {
	for _, n := range d.nodes {
		for k := range n.sections {
			m := &n.sections[k]
			for m.end > m.start && d.lines[m.end-1].text == "" {
				m.end--
			}
			i := slices.IndexFunc(sections, func(s *infoSection) bool { return s.name == m.name })
			if i < 0 {
				continue
			}
			sections[i].missing = false
			at := m.end
			for _, e := range entries {
				if e.in(m.name) {
					at = d.place(e, m, at)
					d.insert(e, at)
				}
			}
		}
	}
	top := slices.IndexFunc(d.nodes, func(n infoNode) bool { return n.name == "Top" })
	if top < 0 {
		return
	}
	for _, s := range sections {
		if !s.missing {
			continue
		}
		menus := d.nodes[top].sections
		at := d.nodes[top].end
		for i, m := range menus {
			if lower(s.name) >= lower(m.name) {
				continue
			}
			if at = menus[0].start - 2; i > 0 {
				at = menus[i-1].end
			}
			break
		}
		d.lines[at].sections = append(d.lines[at].sections, s)
	}
}

func lower(s string) string { return strings.ToLower(s) }

// place returns the line of a section before which an entry belongs: at, unless an
// entry there is greater. Entries of the same name give way.
func (d *infoDir) place(e *infoEntry, m *infoMenu, at int) int {
	for i := m.end - 1; i >= m.start-1; i-- {
		line := &d.lines[i]
		if !strings.HasPrefix(line.text, "*") {
			continue
		}
		if !line.gone && compareItems(e.text, line.text) == 0 {
			line.gone = true
			for j := i + 1; j < m.end && !strings.HasPrefix(d.lines[j].text, "*"); j++ {
				d.lines[j].gone = true
			}
		}
		if compareItems(e.text, line.text) < 0 {
			at = i
		}
	}
	return at
}

// insert puts an entry before a line, in order with others that come there.
func (d *infoDir) insert(e *infoEntry, at int) {
	list := d.lines[at].entries
	i := slices.IndexFunc(list, func(other *infoEntry) bool { return compareItems(e.text, other.text) < 0 })
	if i < 0 {
		i = len(list)
	}
	d.lines[at].entries = slices.Insert(list, i, e)
}

// compareItems compares menu items by their names, which end at a colon.
func compareItems(a, b string) int {
	for i := range min(len(a), len(b)) {
		switch x, y := int8(a[i]), int8(b[i]); { // signed, as on most machines
		case x == ':' && y == ':':
			return 0
		case x == ':':
			return -1
		case y == ':':
			return 1
		case x != y:
			return int(x) - int(y)
		}
	}
	return 0
}

// text is the directory with what was added.
func (d *infoDir) text(entries []*infoEntry) string {
	sorted := slices.Clone(entries)
	slices.SortStableFunc(sorted, func(a, b *infoEntry) int {
		x, _, _ := strings.Cut(a.text, ":")
		y, _, _ := strings.Cut(b.text, ":")
		n := min(len(x), len(y))
		return strings.Compare(lower(x[:n]), lower(y[:n]))
	})
	var b strings.Builder
	for i, line := range d.lines {
		for _, e := range line.entries {
			b.WriteString(e.text)
		}
		slices.SortStableFunc(line.sections, func(x, y *infoSection) int { return strings.Compare(x.name, y.name) })
		for _, s := range line.sections {
			b.WriteString("\n" + s.name + "\n")
			for _, e := range sorted {
				if e.in(s.name) {
					b.WriteString(e.text)
				}
			}
		}
		if i < len(d.lines)-1 && !line.gone {
			b.WriteString(line.text + "\n")
		}
	}
	return b.String()
}
