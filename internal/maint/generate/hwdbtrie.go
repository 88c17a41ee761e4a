package generate

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// hwdbTrie is the hardware database: what matches, by its beginning, with the
// properties of each (systemd's src/libsystemd/sd-hwdb/hwdb-internal.h).
type hwdbTrie struct {
	root  *hwdbNode
	texts *textPool
}

type hwdbNode struct {
	prefix   uint64 // the text that all below share, after the byte that leads here
	children []hwdbChild
	values   []hwdbValue
}

type hwdbChild struct {
	first byte
	node  *hwdbNode
}

// hwdbValue is a property; key, value and file are places in the texts.
type hwdbValue struct {
	key, value, file uint64
	line             uint32
	priority         uint16
}

// hwdbProperty is a property, with the place that it was read at.
type hwdbProperty struct {
	key, value, file string
	line             uint32
	priority         uint16
}

func newHwdbTrie() *hwdbTrie { return &hwdbTrie{root: &hwdbNode{}, texts: newTextPool()} }

// insert gives what matches a property, in place of one of the same key. Texts are
// added in the order in which systemd adds them, as their places depend on it.
func (t *hwdbTrie) insert(match string, v hwdbProperty) {
	node := t.root
	for {
		prefix := t.texts.at(node.prefix)
		p := 0
		for p < len(prefix) && p < len(match) && prefix[p] == match[p] {
			p++
		}
		if p < len(prefix) {
			below := &hwdbNode{prefix: node.prefix + uint64(p) + 1, children: node.children, values: node.values}
			first := prefix[p]
			*node = hwdbNode{prefix: t.texts.add(string(prefix[:p]))}
			node.child(first, below)
		}
		match = match[p:]
		if match == "" {
			t.set(node, v)
			return
		}
		i, ok := node.find(match[0])
		if !ok {
			leaf := &hwdbNode{prefix: t.texts.add(match[1:])}
			node.child(match[0], leaf)
			t.set(leaf, v)
			return
		}
		node, match = node.children[i].node, match[1:]
	}
}

func (n *hwdbNode) find(first byte) (int, bool) {
	return slices.BinarySearchFunc(n.children, first, func(c hwdbChild, b byte) int { return int(c.first) - int(b) })
}

func (n *hwdbNode) child(first byte, node *hwdbNode) {
	i, _ := n.find(first)
	n.children = slices.Insert(n.children, i, hwdbChild{first, node})
}

func (t *hwdbTrie) set(n *hwdbNode, p hwdbProperty) {
	v := hwdbValue{key: t.texts.add(p.key), line: p.line, priority: p.priority}
	v.value, v.file = t.texts.add(p.value), t.texts.add(p.file)
	key := t.texts.at(v.key)
	i, ok := slices.BinarySearchFunc(n.values, key, func(o hwdbValue, key []byte) int { return bytes.Compare(t.texts.at(o.key), key) })
	if ok {
		n.values[i] = v
		return
	}
	n.values = slices.Insert(n.values, i, v)
}

// Sizes of the parts of the file, bytes.
const (
	hwdbHeaderSize, hwdbNodeSize, hwdbChildSize, hwdbValueSize = 80, 24, 16, 32
)

// encode returns the database as a file: a header, the nodes, each after those
// below it, and the texts (trie_store of hwdb-util.c).
func (t *hwdbTrie) encode(version uint64) []byte {
	texts := uint64(hwdbHeaderSize) + t.root.size()
	b := make([]byte, hwdbHeaderSize, texts+uint64(len(t.texts.bytes)))
	b, root := t.root.encode(b, texts)
	nodes := uint64(len(b) - hwdbHeaderSize)
	b = append(b, t.texts.bytes...)
	header := append(make([]byte, 0, hwdbHeaderSize), "KSLPHHRH"...)
	for _, n := range []uint64{
		version, uint64(len(b)), hwdbHeaderSize, hwdbNodeSize, hwdbChildSize, hwdbValueSize,
		root, nodes, uint64(len(t.texts.bytes)),
	} {
		header = binary.LittleEndian.AppendUint64(header, n)
	}
	copy(b, header)
	return b
}

// size returns how many bytes the node and those below it take.
func (n *hwdbNode) size() uint64 {
	sum := uint64(hwdbNodeSize + len(n.children)*hwdbChildSize + len(n.values)*hwdbValueSize)
	for _, c := range n.children {
		sum += c.node.size()
	}
	return sum
}

// encode appends the nodes below the node, and the node, and returns its place.
// texts is the place of the texts.
func (n *hwdbNode) encode(b []byte, texts uint64) ([]byte, uint64) {
	places := make([]uint64, len(n.children))
	for i, c := range n.children {
		b, places[i] = c.node.encode(b, texts)
	}
	at, le := uint64(len(b)), binary.LittleEndian
	b = le.AppendUint64(b, texts+n.prefix)
	b = le.AppendUint64(b, uint64(byte(len(n.children))))
	b = le.AppendUint64(b, uint64(len(n.values)))
	for i, c := range n.children {
		b = le.AppendUint64(b, uint64(c.first))
		b = le.AppendUint64(b, places[i])
	}
	for _, v := range n.values {
		b = le.AppendUint64(b, texts+v.key)
		b = le.AppendUint64(b, texts+v.value)
		b = le.AppendUint64(b, texts+v.file)
		b = le.AppendUint32(b, v.line)
		b = le.AppendUint16(b, v.priority)
		b = append(b, 0, 0)
	}
	return b, at
}
