package glib

import (
	"encoding/binary"
	"slices"
)

// gvdbTable is a table of a GVDB file, GLib's database of constant values
// (gvdb-format.h and gvdb-builder.c of the gvdb project).
type gvdbTable struct{ items HashTable[*gvdbItem] }

type gvdbItem struct {
	key    string
	index  uint32 // in its table, once that is written
	parent *gvdbItem
	// One of these is what the item holds.
	value    *variant
	table    *gvdbTable
	children []*gvdbItem // by key
}

func (t *gvdbTable) add(key string) *gvdbItem {
	item := &gvdbItem{key: key}
	t.items.Set(key, item)
	return item
}

func (t *gvdbTable) addString(key, s string) {
	t.add(key).value = newString("s", s)
}

// setParent puts an item into the list of another one, whose key begins its own.
func (item *gvdbItem) setParent(parent *gvdbItem) {
	item.parent = parent
	at := slices.IndexFunc(parent.children, func(c *gvdbItem) bool { return c.key > item.key })
	if at < 0 {
		at = len(parent.children)
	}
	parent.children = slices.Insert(parent.children, at, item)
}

const (
	gvdbHeader = 24 // bytes: "GVariant", version, options, pointer to the root table
	gvdbEntry  = 24
	noIndex    = 1<<32 - 1
)

// file returns the database with that root table.
func (t *gvdbTable) file() []byte {
	f := &gvdbFile{b: make([]byte, gvdbHeader)}
	copy(f.b, "GVariant")
	start, end := f.table(t)
	binary.LittleEndian.PutUint32(f.b[16:], start)
	binary.LittleEndian.PutUint32(f.b[20:], end)
	return f.b
}

type gvdbFile struct{ b []byte }

// allocate appends size zero bytes and returns where.
func (f *gvdbFile) allocate(align, size int) (start, end uint32) {
	f.b = append(f.b, make([]byte, -len(f.b)&(align-1))...)
	start = uint32(len(f.b))
	f.b = append(f.b, make([]byte, size)...)
	return start, uint32(len(f.b))
}

// table writes a table: two counts, the first item of each bucket, the items, and
// after them what they hold.
func (f *gvdbFile) table(t *gvdbTable) (start, end uint32) {
	n := t.items.Len()
	buckets := make([][]*gvdbItem, n)
	for _, item := range t.items.All() {
		b := Hash(item.key) % uint32(n)
		buckets[b] = slices.Insert(buckets[b], 0, item)
	}
	index := uint32(0)
	for _, bucket := range buckets {
		for _, item := range bucket {
			item.index = index
			index++
		}
	}
	start, end = f.allocate(4, 8+4*n+gvdbEntry*n)
	put := func(at uint32, v uint32) { binary.LittleEndian.PutUint32(f.b[at:], v) }
	put(start, 5<<27) // no words of the Bloom filter, whose shift is 5
	put(start+4, uint32(n))
	index = 0
	for i, bucket := range buckets {
		put(start+8+4*uint32(i), index)
		for _, item := range bucket {
			f.item(item, start+8+4*uint32(n)+gvdbEntry*index)
			index++
		}
	}
	return start, end
}

// item writes an item's entry and what it holds.
func (f *gvdbFile) item(item *gvdbItem, at uint32) {
	name, parent := item.key, uint32(noIndex)
	if item.parent != nil {
		name, parent = item.key[len(item.parent.key):], item.parent.index
	}
	key := uint32(len(f.b))
	f.b = append(f.b, name...)
	var kind byte
	var start, end uint32
	switch {
	case item.value != nil:
		kind = 'v'
		v := newVariant("v", item.value).serialise()
		start, end = f.allocate(8, len(v))
		copy(f.b[start:], v)
	case item.children != nil:
		kind = 'L'
		start, end = f.allocate(4, 4*len(item.children))
		for i, child := range item.children {
			binary.LittleEndian.PutUint32(f.b[start+4*uint32(i):], child.index)
		}
	case item.table != nil:
		kind = 'H'
		start, end = f.table(item.table)
	}
	entry := binary.LittleEndian.AppendUint32(nil, Hash(item.key))
	entry = binary.LittleEndian.AppendUint32(entry, parent)
	entry = binary.LittleEndian.AppendUint32(entry, key)
	entry = binary.LittleEndian.AppendUint16(entry, uint16(len(name)))
	entry = append(entry, kind, 0)
	entry = binary.LittleEndian.AppendUint32(entry, start)
	entry = binary.LittleEndian.AppendUint32(entry, end)
	copy(f.b[at:], entry)
}
