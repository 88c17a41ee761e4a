package generate

import "bytes"

// textPool keeps texts, each ended by a zero byte; one that another ends with takes
// no place of its own (systemd's src/basic/strbuf.c).
type textPool struct {
	bytes []byte
	root  *textNode
}

// textNode is a text, with those that differ from it after the bytes, counted from
// the end, that lead here.
type textNode struct {
	at, length int
	children   map[byte]*textNode
}

func newTextPool() *textPool { return &textPool{bytes: []byte{0}, root: &textNode{}} }

// at returns the text at a place.
func (p *textPool) at(place uint64) []byte {
	rest := p.bytes[place:]
	return rest[:bytes.IndexByte(rest, 0)]
}

// add returns the place of a text, which is added unless it is there.
func (p *textPool) add(text string) uint64 {
	if text == "" {
		return 0
	}
	node := p.root
	for depth := range len(text) + 1 {
		at := node.at + node.length - len(text)
		if depth == len(text) || node.length >= len(text) && string(p.bytes[at:at+len(text)]) == text {
			return uint64(at)
		}
		c := text[len(text)-1-depth]
		child := node.children[c]
		if child == nil {
			child = &textNode{at: len(p.bytes), length: len(text)}
			if node.children == nil {
				node.children = map[byte]*textNode{}
			}
			node.children[c] = child
			p.bytes = append(append(p.bytes, text...), 0)
			return uint64(child.at)
		}
		node = child
	}
	panic("unreachable")
}
