package desktop

import (
	"encoding/binary"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hardpan/hardpan/internal/maint/glib"
)

// mimeCache is the file mime.cache, version 1.2: all of the database, for programs
// that map it into memory (update-mime-database.cpp of shared-mime-info).
type mimeCache struct {
	b       []byte
	strings glib.HashTable[uint32] // where each is
}

// cache returns the file. m.magic is sorted already.
func (m *mimeTypes) cache() []byte {
	c := &mimeCache{b: make([]byte, 44)}
	m.collectStrings(&c.strings)
	for s := range c.strings.All() {
		c.strings.Set(s, uint32(len(c.b)))
		c.b = append(c.b, padded(s)...)
	}
	ofType := func(key string, t *mimeType) [][]uint32 { return [][]uint32{{c.at(key), c.at(t.name)}} }
	icon := func(key, icon string) [][]uint32 { return [][]uint32{{c.at(key), c.at(icon)}} }
	parts := []func(){
		func() { writeMap(c, &m.aliases, ofType) },
		func() { c.parents(&m.parents) },
		func() { c.globs(m, isLiteral) },
		func() { c.suffixes(m) },
		func() { c.globs(m, isFull) },
		func() { c.magic(m) },
		func() {
			writeMap(c, &m.namespaces, func(key string, t *mimeType) [][]uint32 {
				uri, name, _ := strings.Cut(key, " ")
				return [][]uint32{{c.at(uri), c.at(name), c.at(t.name)}}
			})
		},
		func() { writeMap(c, &m.icons, icon) },
		func() { writeMap(c, &m.genericIcons, icon) },
		func() {
			// The program looks for names with a line break, which are not there.
			c.card(append([]uint32{uint32(m.types.Len())}, make([]uint32, m.types.Len())...)...)
		},
	}
	binary.BigEndian.PutUint32(c.b, 1<<16|2)
	for i, write := range parts {
		binary.BigEndian.PutUint32(c.b[4+4*i:], uint32(len(c.b)))
		write()
	}
	return c.b
}

// collectStrings puts all strings of the cache into a table, in the order that gives
// it the slots of the real one.
func (m *mimeTypes) collectStrings(strs *glib.HashTable[uint32]) {
	add := func(list ...string) {
		for _, s := range list {
			strs.Set(s, 0)
		}
	}
	for key, t := range m.aliases.All() {
		add(key, t.name)
	}
	for key, list := range m.parents.All() {
		add(key)
		add(list...)
	}
	for key, list := range m.globs.All() {
		if !isSimple(key) {
			add(key)
		}
		for _, g := range list {
			add(g.typ.name)
		}
	}
	for _, g := range m.magic {
		add(g.typ.name)
	}
	for key, t := range m.namespaces.All() {
		uri, name, _ := strings.Cut(key, " ")
		add(t.name, uri, name)
	}
	for key, icon := range m.genericIcons.All() {
		add(key, icon)
	}
	for key, icon := range m.icons.All() {
		add(key, icon)
	}
}

func (c *mimeCache) card(list ...uint32) {
	for _, n := range list {
		c.b = binary.BigEndian.AppendUint32(c.b, n)
	}
}

// at returns where a string is, 0 where it is not.
func (c *mimeCache) at(s string) uint32 { at, _ := c.strings.Get(s); return at }

// sortedKeys returns the keys of a table.
func sortedKeys[V any](table *glib.HashTable[V]) []string {
	keys := make([]string, 0, table.Len())
	for key := range table.All() {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// writeMap writes a list of what rows returns for each item of a table, by key.
func writeMap[V any](c *mimeCache, table *glib.HashTable[V], rows func(string, V) [][]uint32) {
	var all [][]uint32
	for _, key := range sortedKeys(table) {
		v, _ := table.Get(key)
		all = append(all, rows(key, v)...)
	}
	c.card(uint32(len(all)))
	for _, row := range all {
		c.card(row...)
	}
}

// parents writes the types that others are subclasses of.
func (c *mimeCache) parents(table *glib.HashTable[[]string]) {
	keys := sortedKeys(table)
	c.card(uint32(len(keys)))
	at := uint32(len(c.b) + 8*len(keys))
	for _, key := range keys {
		list, _ := table.Get(key)
		c.card(c.at(key), at)
		at += 4 + 4*uint32(len(list))
	}
	for _, key := range keys {
		list, _ := table.Get(key)
		c.card(uint32(len(list)))
		for _, parent := range list {
			c.card(c.at(parent))
		}
	}
}

// A pattern is a literal name, "*" with a simple end, or a full pattern.
func isLiteral(pattern string) bool { return !strings.ContainsAny(pattern, `*\[?`) }

func isSimple(pattern string) bool {
	rest, ok := strings.CutPrefix(pattern, "*")
	return ok && isLiteral(rest)
}

func isFull(pattern string) bool { return !isLiteral(pattern) && !isSimple(pattern) }

func (g *glob) flags() uint32 { return uint32(boolean(g.caseSensitive)) << 8 }

// globs writes the patterns of one kind.
func (c *mimeCache) globs(m *mimeTypes, kind func(string) bool) {
	writeMap(c, &m.globs, func(key string, list []*glob) [][]uint32 {
		if !kind(key) {
			return nil
		}
		var rows [][]uint32
		for _, g := range list {
			rows = append(rows, []uint32{c.at(g.pattern), c.at(g.typ.name), uint32(g.weight)&0xff | g.flags()})
		}
		return rows
	})
}

// suffix is a character of the tree of the ends of names, read from the right. The
// character 0 ends one, and has a type.
type suffix struct {
	char     rune
	mimetype string
	weight   int
	flags    uint32
	children []*suffix
}

// insert adds an end of names to the characters of one level.
func insertSuffix(list []*suffix, end []rune, g *glob) []*suffix {
	i := slices.IndexFunc(list, func(s *suffix) bool { return s.char >= end[0] })
	if i < 0 {
		i = len(list)
	}
	if i == len(list) || list[i].char != end[0] {
		list = slices.Insert(list, i, &suffix{char: end[0]})
	}
	s := list[i]
	if len(end) > 1 {
		s.children = insertSuffix(s.children, end[1:], g)
		return list
	}
	for i, child := range s.children {
		if child.char == 0 && child.mimetype == g.typ.name {
			child.weight = max(child.weight, g.weight)
			return list
		}
		if child.char != 0 {
			s.children = slices.Insert(s.children, i, &suffix{mimetype: g.typ.name, weight: g.weight, flags: g.flags()})
			return list
		}
	}
	s.children = append(s.children, &suffix{mimetype: g.typ.name, weight: g.weight, flags: g.flags()})
	return list
}

// suffixes writes the tree of the ends of names, level by level.
func (c *mimeCache) suffixes(m *mimeTypes) {
	var level []*suffix
	for key, list := range m.globs.All() {
		if !isSimple(key) || len(key) == 1 || !utf8.ValidString(key) {
			continue
		}
		end := []rune(key[1:])
		slices.Reverse(end)
		for _, g := range list {
			level = insertSuffix(level, end, g)
		}
	}
	c.card(uint32(len(level)), uint32(len(c.b)+8))
	next := uint32(len(c.b) + 12*len(level))
	for len(level) > 0 {
		var below []*suffix
		for _, s := range level {
			if s.char == 0 {
				c.card(0, c.at(s.mimetype), uint32(s.weight)&0xff|s.flags)
			} else {
				c.card(uint32(s.char), uint32(len(s.children)), next)
			}
			next += 12 * uint32(len(s.children))
			below = append(below, s.children...)
		}
		level = below
	}
}

// magic writes what is looked for in files: the rules, the matches of all of them,
// and their values.
func (c *mimeCache) magic(m *mimeTypes) {
	var all []*match
	var collect func(list []*match)
	collect = func(list []*match) {
		for _, k := range list {
			k.index = len(all)
			all = append(all, k)
		}
		for _, k := range list {
			collect(k.matches)
		}
	}
	for _, g := range m.magic {
		collect(g.matches)
	}
	extent := 0
	for _, k := range all {
		extent = max(extent, len(k.data)+k.start+k.length)
	}
	c.card(uint32(len(m.magic)), uint32(extent), uint32(len(c.b)+12))
	start := uint32(len(c.b) + 16*len(m.magic))
	place := func(list []*match) uint32 { return start + 32*uint32(list[0].index) }
	for _, g := range m.magic {
		c.card(uint32(g.priority), c.at(g.typ.name), uint32(len(g.matches)), place(g.matches))
	}
	var values []byte
	value := func(b []byte) uint32 {
		at := start + 32*uint32(len(all)) + uint32(len(values))
		values = append(append(values, b...), make([]byte, -len(b)&3)...)
		return at
	}
	for _, k := range all {
		c.card(uint32(k.start), uint32(k.length), uint32(k.wordSize), uint32(len(k.data)), value(k.data))
		mask, children := uint32(0), uint32(0)
		if k.mask != nil {
			mask = value(k.mask)
		}
		if len(k.matches) > 0 {
			children = place(k.matches)
		}
		c.card(mask, uint32(len(k.matches)), children)
	}
	c.b = append(c.b, values...)
}
