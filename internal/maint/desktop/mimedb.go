package desktop

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/getopt"
	"github.com/hardpan/hardpan/internal/maint/glib"
	"github.com/hardpan/hardpan/internal/maint/shell"
	"github.com/hardpan/hardpan/internal/tree"
)

// mediaTypes are those whose directories are cleaned of types that are gone.
var mediaTypes = []string{
	"all", "uri", "print", "text", "application", "image", "audio", "inode", "video", "message", "model", "multipart",
	"x-content", "x-epoc", "x-scheme-handler", "font", "chemical",
}

// updateMIME is update-mime-database(1). It does not ask whether the database is
// newer than the packages' files: what it makes is the same.
func (c Config) updateMIME(_ context.Context, call *getopt.Call) (int, error) {
	if call.Has("h") || call.Has("v") || call.Has("V") {
		return 0, shell.Unsupported("%s", strings.Join(call.Args, " "))
	}
	if len(call.Operands) != 1 {
		fmt.Fprintf(call.Stderr, "Usage: %s [-hvVn] MIME-DIR\n", call.Args[0])
		return 1, nil
	}
	dir := strings.TrimRight(call.Path(call.Operands[0]), "/")
	packages := dir + "/packages"
	if !call.FS.IsDir(packages) {
		fmt.Fprintf(call.Stderr, "Directory '%s' does not exist!\n", packages)
		return 1, nil
	}
	version, err := c.upstream("shared-mime-info")
	if err != nil {
		return 0, err
	}
	m := &mimeTypes{say: func(format string, args ...any) { fmt.Fprintf(call.Stdout, format+"\n", args...) }}
	from, err := m.loadAll(call.Proc, packages)
	if err != nil {
		return 0, err
	}
	inputs(call.Proc, from...)
	w := &mimeWriter{Proc: call.Proc, dir: dir}
	if err := w.writeAll(m, version); err != nil {
		return call.Fail(err)
	}
	return 0, nil
}

// loadAll reads the files of packages, Override.xml last.
func (m *mimeTypes) loadAll(p *shell.Proc, dir string) ([]string, error) {
	names, err := p.FS.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var from []string
	for _, name := range names {
		if strings.HasSuffix(name, ".xml") && name != ".xml" && name != "Override.xml" {
			from = append(from, dir+"/"+name)
		}
	}
	if slices.Contains(names, "Override.xml") {
		from = append(from, dir+"/Override.xml")
	}
	for _, name := range from {
		b, err := p.FS.ReadFile(name)
		if err == nil {
			err = m.load(name, string(b))
		}
		if err != nil {
			return nil, shell.Unsupported("update-mime-database with %s, which cannot be read (%v),", name, err)
		}
	}
	return from, nil
}

// mimeWriter writes the files of the database.
type mimeWriter struct {
	*shell.Proc
	dir string
}

// write replaces a file, unless it is as it shall be.
func (w *mimeWriter) write(name string, b []byte) error {
	at := w.dir + "/" + name
	if old, err := w.FS.ReadFile(at); err == nil && string(old) == string(b) {
		return nil
	}
	if err := w.FS.WriteFile(at+".new", b, 0o666&^w.Umask); err != nil {
		return err
	}
	return w.FS.Rename(at+".new", at)
}

func (w *mimeWriter) writeAll(m *mimeTypes, version string) error {
	if err := w.deleteOld(m); err != nil {
		return err
	}
	for _, t := range m.types.All() {
		if err := w.typeFile(t); err != nil {
			return err
		}
	}
	globs := m.sortedGlobs()
	slices.SortStableFunc(m.magic, func(a, b *magic) int {
		if a.none || b.none {
			return boolean(b.none) - boolean(a.none)
		}
		return cmp.Or(b.priority-a.priority, compareTypes(a.typ, b.typ))
	})
	slices.SortStableFunc(m.treeMagic, func(a, b *treeMagic) int { return cmp.Or(b.priority-a.priority, compareTypes(a.typ, b.typ)) })
	for _, f := range []struct {
		name string
		b    []byte
	}{
		{"globs", globFile(globs)}, {"globs2", glob2File(globs)}, {"magic", m.magicFile()},
		{"XMLnamespaces", lines(&m.namespaces, func(key string, t *mimeType) string { return key + " " + t.name }, true)},
		{"subclasses", lines(&m.parents, func(key string, list []string) string { return key + " " + strings.Join(list, "\n"+key+" ") }, false)},
		{"aliases", lines(&m.aliases, func(key string, t *mimeType) string { return key + " " + t.name }, true)},
		{"types", lines(&m.types, func(key string, _ *mimeType) string { return key }, true)},
		{"generic-icons", lines(&m.genericIcons, func(key, icon string) string { return key + ":" + icon }, false)},
		{"icons", lines(&m.icons, func(key, icon string) string { return key + ":" + icon }, false)},
		{"treemagic", m.treeMagicFile()}, {"mime.cache", m.cache()}, {"version", []byte(version + "\n")},
	} {
		if err := w.write(f.name, f.b); err != nil {
			return err
		}
	}
	return nil
}

// deleteOld removes the files of types that nobody describes any more.
func (w *mimeWriter) deleteOld(m *mimeTypes) error {
	for _, media := range mediaTypes {
		names, err := w.FS.ReadDir(w.dir + "/" + media)
		if err != nil {
			continue // most are not there
		}
		for _, name := range slices.Clone(names) {
			subtype, ok := strings.CutSuffix(name, ".xml")
			if _, known := m.types.Get(media + "/" + subtype); !ok || subtype == "" || known {
				continue
			}
			if err := w.FS.Remove(path.Join(w.dir, media, name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// typeFile writes the file of one type.
func (w *mimeWriter) typeFile(t *mimeType) error {
	media := w.dir + "/" + asciiLower(t.media())
	if n, err := w.FS.Stat(media); err != nil || n.Type != tree.Dir {
		if err := w.FS.Mkdir(media, 0o755&^w.Umask); err != nil {
			return err
		}
	}
	root := &node{name: "mime-type", declared: []xmlAttr{{space: freeSpace}}, attrs: []xmlAttr{{name: "type", value: t.name}}}
	root.kids = append([]*node{{name: isComment, text: "Created automatically by update-mime-database. DO NOT EDIT!"}}, t.fields...)
	var b strings.Builder
	root.write(&b, 0, true)
	return w.write(asciiLower(t.name)+".xml", []byte("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"+b.String()+"\n"))
}

func boolean(b bool) int {
	if b {
		return 1
	}
	return 0
}

// compareTypes compares media and subtype.
func compareTypes(a, b *mimeType) int {
	am, as, _ := strings.Cut(a.name, "/")
	bm, bs, _ := strings.Cut(b.name, "/")
	return cmp.Or(strings.Compare(am, bm), strings.Compare(as, bs))
}

// sortedGlobs returns all patterns, the weightiest first.
func (m *mimeTypes) sortedGlobs() []*glob {
	var all []*glob
	for _, list := range m.globs.All() {
		all = append(all, list...)
	}
	slices.SortStableFunc(all, func(a, b *glob) int {
		if a.none || b.none {
			return boolean(b.none) - boolean(a.none)
		}
		return b.weight - a.weight
	})
	return slices.DeleteFunc(all, func(g *glob) bool { return strings.Contains(g.pattern, "\n") })
}

const generated = "# This file was automatically generated by the\n# update-mime-database command. DO NOT EDIT!\n"

func globFile(globs []*glob) []byte {
	b := []byte(generated)
	for _, g := range globs {
		b = fmt.Appendf(b, "%s:%s\n", g.typ.name, g.pattern)
	}
	return b
}

func glob2File(globs []*glob) []byte {
	b := []byte(generated)
	for _, g := range globs {
		if g.caseSensitive {
			b = fmt.Appendf(b, "%d:%s:%s:cs\n", g.weight, g.typ.name, g.pattern)
		}
		b = fmt.Appendf(b, "%d:%s:%s\n", g.weight, g.typ.name, g.pattern)
	}
	return b
}

// lines writes a line for each item of a table.
func lines[V any](table *glib.HashTable[V], line func(string, V) string, sorted bool) []byte {
	var list []string
	for key, v := range table.All() {
		list = append(list, line(key, v)+"\n")
	}
	if sorted {
		slices.Sort(list)
	}
	return []byte(strings.Join(list, ""))
}

func (m *mimeTypes) magicFile() []byte {
	b := []byte("MIME-Magic\x00\n")
	for _, g := range m.magic {
		b = fmt.Appendf(b, "[%d:%s]\n", g.priority, g.typ.name)
		b = appendMatches(b, g.matches, 0)
	}
	return b
}

func appendMatches(b []byte, list []*match, indent int) []byte {
	for _, m := range list {
		if indent > 0 {
			b = fmt.Append(b, indent)
		}
		b = fmt.Appendf(b, ">%d=", m.start)
		b = binary.BigEndian.AppendUint16(b, uint16(len(m.data)))
		b = append(b, m.data...)
		if m.mask != nil {
			b = append(append(b, '&'), m.mask...)
		}
		if m.wordSize != 1 {
			b = fmt.Appendf(b, "~%d", m.wordSize)
		}
		if m.length != 1 {
			b = fmt.Appendf(b, "+%d", m.length)
		}
		b = appendMatches(append(b, '\n'), m.matches, indent+1)
	}
	return b
}

func (m *mimeTypes) treeMagicFile() []byte {
	b := []byte("MIME-TreeMagic\x00\n")
	for _, g := range m.treeMagic {
		b = fmt.Appendf(b, "[%d:%s]\n", g.priority, g.typ.name)
		b = appendTreeMatches(b, g.matches, 0)
	}
	return b
}

func appendTreeMatches(b []byte, list []*treeMatch, indent int) []byte {
	for _, m := range list {
		if indent > 0 {
			b = fmt.Append(b, indent)
		}
		b = fmt.Appendf(b, ">\"%s\"=%s", m.path, m.kind)
		if m.matchCase {
			b = append(b, ",match-case"...)
		}
		if m.executable {
			b = append(b, ",executable"...)
		}
		if m.nonEmpty {
			b = append(b, ",non-empty"...)
		}
		if m.mimetype != "" {
			b = append(append(b, ','), m.mimetype...)
		}
		b = appendTreeMatches(append(b, '\n'), m.matches, indent+1)
	}
	return b
}
