package desktop

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// newMagic reads a <magic>.
func newMagic(t *mimeType, f *node) (*magic, error) {
	g := &magic{priority: percent(f, "priority"), typ: t}
	if g.priority < 0 {
		return nil, fmt.Errorf("Bad priority (%d) in <magic> element", g.priority)
	}
	var err error
	if g.matches, err = newMatches(f); err != nil {
		return nil, fmt.Errorf("Error in <match> element: %w", err)
	}
	if len(g.matches) == 0 {
		return nil, errors.New("Incomplete <magic> element")
	}
	return g, nil
}

// only says whether an element is the one that may be there.
func only(n *node, name string) error {
	if n.space != freeSpace {
		return errors.New("Element found with non-freedesktop.org namespace")
	}
	if n.name != name {
		return fmt.Errorf("Expected <%s> element, but found <%s> instead", name, n.name)
	}
	return nil
}

func newMatches(parent *node) ([]*match, error) {
	var list []*match
	for _, n := range parent.elements() {
		if err := only(n, "match"); err != nil {
			return nil, err
		}
		m := &match{length: 1, wordSize: 1}
		if err := m.offset(n); err != nil {
			return nil, err
		}
		if err := m.value(n); err != nil {
			return nil, err
		}
		var err error
		if m.matches, err = newMatches(n); err != nil {
			return nil, err
		}
		list = append(list, m)
	}
	return list, nil
}

// offset reads where a value may be: "4" or "0:64".
func (m *match) offset(n *node) error {
	s, _ := n.get("offset")
	if s == "" {
		return errors.New("Missing 'offset' attribute")
	}
	first, last, isRange := strings.Cut(s, ":")
	start, err := strconv.Atoi(strings.TrimLeft(first, " \t\n\v\f\r"))
	if err != nil {
		return errors.New("Invalid offset")
	}
	m.start = start
	if !isRange {
		return nil
	}
	end, err := strconv.Atoi(strings.TrimLeft(last, " \t\n\v\f\r"))
	if err != nil || start < 0 || end < start {
		return errors.New("Invalid offset")
	}
	m.length = end - start + 1
	return nil
}

// value reads what is looked for, and its mask.
func (m *match) value(n *node) error {
	typ, ok := n.get("type")
	if !ok {
		return errors.New("Missing 'type' attribute in <match>")
	}
	value, _ := n.get("value")
	mask, hasMask := n.get("mask")
	size := map[string]int{"byte": 1, "host16": 2, "big16": 2, "little16": 2, "host32": 4, "big32": 4, "little32": 4}[typ]
	switch {
	case size == 0 && typ != "string":
		return fmt.Errorf("Unknown magic type '%s'", typ)
	case value == "":
		return errors.New("No value specified")
	case typ == "string":
		m.data = unescapeMagic(value)
		if hasMask && len(m.data) > 0 {
			var err error
			if m.mask, err = stringMask(mask, len(m.data)); err != nil {
				return err
			}
		}
		return nil
	}
	if strings.HasPrefix(typ, "host") {
		m.wordSize = size
	}
	var err error
	if m.data, err = number(value, size, typ[0] == 'l'); err != nil {
		return fmt.Errorf("Value is not a number of %d bytes: %s", size, value)
	}
	if hasMask {
		if m.mask, err = number(mask, 8, typ[0] == 'l'); err != nil {
			return errors.New("Mask is not a number")
		}
		if typ[0] == 'l' {
			m.mask = m.mask[:size]
		} else {
			m.mask = m.mask[8-size:]
		}
	}
	return nil
}

// number returns the bytes of a number as strtoul(3) reads it. Only those of four
// bytes may be too large, and lose what does not fit.
func number(s string, size int, little bool) ([]byte, error) {
	s = strings.TrimLeft(s, " \t\n\v\f\r")
	s, negative := strings.CutPrefix(s, "-")
	if !negative {
		s = strings.TrimPrefix(s, "+")
	}
	base := 10
	if len(s) > 1 && (s[:2] == "0x" || s[:2] == "0X") {
		s, base = s[2:], 16
	} else if strings.HasPrefix(s, "0") {
		base = 8
	}
	n, err := strconv.ParseUint(s, base, 64)
	if err != nil {
		return nil, err
	}
	if negative {
		n = -n
	}
	if size == 1 && n > math.MaxUint8 || size == 2 && n > math.MaxUint16 {
		return nil, strconv.ErrRange
	}
	if little || size == 1 {
		return binary.LittleEndian.AppendUint64(nil, n)[:size], nil
	}
	return binary.BigEndian.AppendUint64(nil, n)[8-size:], nil
}

var magicEscapes = map[byte]byte{'n': '\n', 'r': '\r', 'b': '\b', 't': '\t', 'f': '\f', 'v': '\v'}

// unescapeMagic reads the escapes of C in a value.
func unescapeMagic(s string) []byte {
	var out []byte
	digits := func(i, most, base int) (n, end int) {
		for end = i; end < len(s) && end < i+most; end++ {
			d, err := strconv.ParseUint(s[end:end+1], base, 8)
			if err != nil {
				break
			}
			n = n*base + int(d)
		}
		return n, end
	}
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			out = append(out, s[i])
			continue
		}
		if i++; i == len(s) {
			break
		}
		switch c := s[i]; {
		case magicEscapes[c] != 0:
			out = append(out, magicEscapes[c])
		case '0' <= c && c <= '7':
			n, end := digits(i, 3, 8)
			out, i = append(out, byte(n)), end-1
		case c == 'x':
			n, end := digits(i+1, 2, 16)
			if end == i+1 {
				n = 'x'
			}
			out, i = append(out, byte(n)), end-1
		default:
			out = append(out, c)
		}
	}
	return out
}

// stringMask reads the mask of a string, in hexadecimal digits from the left.
func stringMask(s string, size int) ([]byte, error) {
	hex, ok := strings.CutPrefix(s, "0x")
	if !ok {
		return nil, errors.New("String masks must be in base 16 (starting with 0x)")
	}
	mask := make([]byte, size)
	for i := range len(hex) {
		d, err := strconv.ParseUint(hex[i:i+1], 16, 8)
		if err != nil {
			return nil, fmt.Errorf("'%c' is not a valid hex digit", hex[i])
		}
		if i >= 2*size {
			return nil, errors.New("Mask is longer than value")
		}
		if i%2 == 0 {
			d <<= 4
		}
		mask[i/2] |= byte(d)
	}
	return mask, nil
}

// newTreeMagic reads a <treemagic>.
func newTreeMagic(t *mimeType, f *node) (*treeMagic, error) {
	g := &treeMagic{priority: percent(f, "priority"), typ: t}
	if g.priority < 0 {
		return nil, fmt.Errorf("Bad priority (%d) in <treemagic> element", g.priority)
	}
	var err error
	if g.matches, err = newTreeMatches(f); err != nil {
		return nil, fmt.Errorf("Error in <treematch> element: %w", err)
	}
	return g, nil
}

func newTreeMatches(parent *node) ([]*treeMatch, error) {
	var list []*treeMatch
	for _, n := range parent.elements() {
		if err := only(n, "treematch"); err != nil {
			return nil, err
		}
		m := &treeMatch{}
		var ok bool
		if m.path, ok = n.get("path"); !ok {
			return nil, errors.New("Missing 'path' attribute in <treematch>")
		}
		m.kind, ok = n.get("type")
		if !ok {
			m.kind = "any"
		} else if m.kind != "file" && m.kind != "directory" && m.kind != "link" {
			return nil, errors.New("Invalid 'type' attribute in <treematch>")
		}
		for name, flag := range map[string]*bool{"executable": &m.executable, "match-case": &m.matchCase, "non-empty": &m.nonEmpty} {
			s, _ := n.get(name)
			*flag = s == "true"
		}
		m.mimetype, _ = n.get("mimetype")
		var err error
		if m.matches, err = newTreeMatches(n); err != nil {
			return nil, err
		}
		list = append(list, m)
	}
	return list, nil
}
