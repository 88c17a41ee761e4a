package generate

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

// journalDatabase is the file that has all message catalogs.
const journalDatabase = "/var/lib/systemd/catalog/database"

// catalogDirs are where catalogs are, the most important last.
var catalogDirs = []string{"/usr/lib/systemd/catalog", "/usr/local/lib/systemd/catalog"}

// journalctl is journalctl(1), of which --update-catalog is known.
func journalctl(_ context.Context, p *shell.Proc) (int, error) {
	for _, a := range p.Args[1:] {
		if a != "--update-catalog" && a != "--root=/" && a != "--root=" && a != "-q" && a != "--quiet" {
			return 0, shell.Unsupported("journalctl %s", a)
		}
	}
	if !slices.Contains(p.Args, "--update-catalog") {
		return 0, shell.Unsupported("journalctl without --update-catalog")
	}
	files := map[string]string{}
	for _, dir := range catalogDirs {
		names, err := p.FS.ReadDir(dir)
		if err != nil {
			continue
		}
		for _, name := range names {
			if strings.HasSuffix(name, ".catalog") {
				files[name] = dir + "/" + name
			}
		}
	}
	var c messages
	var used []string
	for _, name := range slices.Sorted(maps.Keys(files)) {
		text, err := p.FS.ReadFile(files[name])
		if err != nil {
			return fail(p, err)
		}
		if err := c.read(name, string(text)); err != nil {
			return 0, shell.Unsupported("journalctl --update-catalog: %s: %v:", files[name], err)
		}
		used = append(used, files[name])
	}
	if len(c.entries) == 0 {
		return 0, nil
	}
	from(p, used...)
	if err := p.FS.MkdirAll(path.Dir(journalDatabase), 0o755); err != nil {
		return fail(p, err)
	}
	if err := p.FS.WriteFile(journalDatabase, c.database(), 0o644); err != nil {
		return fail(p, err)
	}
	return 0, nil
}

// message is one entry of a catalog.
type message struct {
	id             [16]byte
	language, text string
}

// messages are the entries of all catalogs, in the order in which they were read.
type messages struct{ entries []message }

// fileLanguage returns the language that the name of a catalog has:
// "systemd.de.catalog" is German.
func fileLanguage(name string) string {
	base := strings.TrimSuffix(name, ".catalog")
	i := strings.LastIndexByte(base, '.')
	if i < 0 || len(base)-i-1 > 31 {
		return ""
	}
	return base[i+1:]
}

// read reads a catalog (systemd's src/libsystemd/sd-journal/catalog.c,
// catalog_import_file).
func (c *messages) read(name, text string) error {
	byDefault := fileLanguage(name)
	var m *message
	blank := true
	finish := func() error {
		if m == nil {
			return nil
		}
		if m.text == "" {
			return fmt.Errorf("an entry without a text")
		}
		return c.add(*m)
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" {
			blank = true
			continue
		}
		if line[0] == '#' || line[0] == ';' {
			continue
		}
		if id, language, ok := entryLine(line); blank && ok {
			if err := finish(); err != nil {
				return err
			}
			m = &message{id: id, language: cmp.Or(language, byDefault)}
			blank = false
			continue
		}
		if m == nil {
			return fmt.Errorf("a text before the first entry")
		}
		if blank {
			m.text += "\n"
		}
		m.text += line + "\n"
		blank = false
	}
	return finish()
}

// entryLine reads the line that begins an entry: "-- ID LANGUAGE".
func entryLine(line string) (id [16]byte, language string, ok bool) {
	rest, ok := strings.CutPrefix(line, "-- ")
	if !ok || len(rest) < 32 || len(rest) > 32 && rest[32] != ' ' {
		return id, "", false
	}
	b, err := hex.DecodeString(rest[:32])
	if err != nil {
		return id, "", false
	}
	return [16]byte(b), strings.TrimSpace(rest[32:]), true
}

// add puts an entry into the catalog. One that is there already is an override of
// another file, which is not known here.
func (c *messages) add(m message) error {
	if slices.ContainsFunc(c.entries, func(o message) bool { return o.id == m.id && o.language == m.language }) {
		return fmt.Errorf("entry %x %s is in two catalogs", m.id, m.language)
	}
	c.entries = append(c.entries, m)
	return nil
}

// database returns the content of the database: a header, the entries by
// identifier and language, and the texts.
func (c *messages) database() []byte {
	t := newTextPool()
	type item struct {
		ID       [16]byte
		Language [32]byte
		Offset   uint64
	}
	var items []item
	for _, m := range c.entries {
		it := item{ID: m.id, Offset: t.add(m.text)}
		copy(it.Language[:31], m.language)
		items = append(items, it)
	}
	slices.SortFunc(items, func(a, b item) int {
		return cmp.Or(bytes.Compare(a.ID[:], b.ID[:]), bytes.Compare(a.Language[:], b.Language[:]))
	})
	const headerSize, itemSize = 40, 56
	out := append([]byte("RHHHKSLP"), make([]byte, 8)...)
	for _, n := range []int{headerSize, len(items), itemSize} {
		out = binary.LittleEndian.AppendUint64(out, uint64(n))
	}
	for _, it := range items {
		out = append(append(out, it.ID[:]...), it.Language[:]...)
		out = binary.LittleEndian.AppendUint64(out, it.Offset)
	}
	return append(out, t.bytes...)
}
