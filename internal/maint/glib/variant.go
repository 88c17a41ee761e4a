package glib

import (
	"encoding/binary"
	"math"
	"strings"
)

// variant is a GVariant: a value with its type, which is written as in D-Bus, with
// "m" for what may be missing (the GVariant specification).
type variant struct {
	typ   string
	bytes []byte     // of a basic type, as they are serialised
	kids  []*variant // of a container; of "m" none or one
}

func newVariant(typ string, kids ...*variant) *variant { return &variant{typ: typ, kids: kids} }

func newString(typ, s string) *variant { return &variant{typ: typ, bytes: append([]byte(s), 0)} }

// newTuple returns the tuple of values.
func newTuple(kids ...*variant) *variant {
	typ := "("
	for _, k := range kids {
		typ += k.typ
	}
	return newVariant(typ+")", kids...)
}

// text is the string of a variant of a string type.
func (v *variant) text() string { return string(v.bytes[:len(v.bytes)-1]) }

// firstType splits a type string after its first complete type, "" where it has none.
func firstType(s string) (first, rest string) {
	if s == "" {
		return "", s
	}
	switch s[0] {
	case 'a', 'm':
		element, rest := firstType(s[1:])
		if element == "" {
			return "", s
		}
		return s[:1] + element, rest
	case '(':
		rest := s[1:]
		for !strings.HasPrefix(rest, ")") {
			var member string
			if member, rest = firstType(rest); member == "" {
				return "", s
			}
		}
		return s[:len(s)-len(rest)+1], rest[1:]
	case '{':
		if len(s) < 2 || !strings.ContainsRune(basicTypes+"?", rune(s[1])) {
			return "", s
		}
		value, rest := firstType(s[2:])
		if value == "" || !strings.HasPrefix(rest, "}") {
			return "", s
		}
		return s[:len(s)-len(rest)+1], rest[1:]
	}
	if strings.IndexByte(basicTypes+"v?*r", s[0]) < 0 {
		return "", s
	}
	return s[:1], s[1:]
}

const basicTypes = "bynqiuxthdsog"

// maxTypeDepth is how deep types nest (G_VARIANT_MAX_RECURSION_DEPTH).
const maxTypeDepth = 128

// typeDepth returns how many containers a type string can have in one another at
// most.
func typeDepth(s string) int {
	depth, deepest := 0, 0
	run := 0 // of the prefixes "a" and "m"
	for _, c := range s {
		switch c {
		case 'a', 'm':
			run++
			deepest = max(deepest, depth+run)
			continue
		case '(', '{':
			depth += run + 1
			deepest = max(deepest, depth)
		case ')', '}':
			depth--
		}
		run = 0
	}
	return deepest
}

// validType says whether a string is one type (g_variant_type_string_is_valid).
func validType(s string) bool {
	if len(s) > 1<<16 || typeDepth(s) >= maxTypeDepth {
		return false
	}
	first, rest := firstType(s)
	return first != "" && rest == ""
}

// memberTypes returns the types in a tuple or dictionary entry.
func memberTypes(typ string) []string {
	var list []string
	for rest := typ[1 : len(typ)-1]; rest != ""; {
		var t string
		t, rest = firstType(rest)
		list = append(list, t)
	}
	return list
}

// layout returns the alignment of a type and its size, 0 where that varies, in bytes.
func layout(typ string) (align, size int) {
	switch typ[0] {
	case 'b', 'y':
		return 1, 1
	case 'n', 'q':
		return 2, 2
	case 'i', 'u', 'h':
		return 4, 4
	case 'x', 't', 'd':
		return 8, 8
	case 'v':
		return 8, 0
	case 'a', 'm':
		align, _ = layout(typ[1:])
		return align, 0
	case '(', '{':
		return tupleLayout(memberTypes(typ))
	}
	return 1, 0 // strings
}

func tupleLayout(members []string) (align, size int) {
	align, fixed := 1, true
	for _, m := range members {
		a, s := layout(m)
		align = max(align, a)
		fixed = fixed && s > 0
		size += -size&(a-1) + s
	}
	switch {
	case !fixed:
		return align, 0
	case len(members) == 0:
		return 1, 1
	}
	return align, size + -size&(align-1)
}

// serialise returns the bytes of a value, little-endian, in normal form.
func (v *variant) serialise() []byte {
	switch v.typ[0] {
	case 'v':
		return append(append(v.kids[0].serialise(), 0), v.kids[0].typ...)
	case 'm':
		if len(v.kids) == 0 {
			return nil
		}
		b := v.kids[0].serialise()
		if _, size := layout(v.typ[1:]); size == 0 {
			b = append(b, 0)
		}
		return b
	case 'a':
		return v.serialiseArray()
	case '(', '{':
		return v.serialiseTuple()
	}
	return append([]byte(nil), v.bytes...)
}

// serialiseArray puts the ends of elements whose size varies after them.
func (v *variant) serialiseArray() []byte {
	if v.bytes != nil {
		return append([]byte(nil), v.bytes...)
	}
	align, size := layout(v.typ[1:])
	var b []byte
	var ends []int
	for _, k := range v.kids {
		b = append(b, make([]byte, -len(b)&(align-1))...)
		b = append(b, k.serialise()...)
		if size == 0 {
			ends = append(ends, len(b))
		}
	}
	return appendOffsets(b, ends)
}

// serialiseTuple puts the ends of members whose size varies, but for the last one,
// after them in reverse.
func (v *variant) serialiseTuple() []byte {
	align, size := layout(v.typ)
	var b []byte
	var ends []int
	for i, k := range v.kids {
		a, s := layout(k.typ)
		b = append(b, make([]byte, -len(b)&(a-1))...)
		b = append(b, k.serialise()...)
		if s == 0 && i < len(v.kids)-1 {
			ends = append([]int{len(b)}, ends...)
		}
	}
	if size > 0 {
		if len(v.kids) == 0 {
			return []byte{0}
		}
		return append(b, make([]byte, -len(b)&(align-1))...)
	}
	return appendOffsets(b, ends)
}

// appendOffsets appends offsets, each of as many bytes as the whole needs.
func appendOffsets(b []byte, offsets []int) []byte {
	width := 8
	switch n := len(offsets); {
	case len(b)+n <= math.MaxUint8:
		width = 1
	case len(b)+2*n <= math.MaxUint16:
		width = 2
	case len(b)+4*n <= math.MaxUint32:
		width = 4
	}
	for _, o := range offsets {
		b = append(b, binary.LittleEndian.AppendUint64(nil, uint64(o))[:width]...)
	}
	return b
}

// number returns the value of a variant of a type that has numbers, for comparison.
func (v *variant) compare(w *variant) int {
	bits := func(v *variant) uint64 {
		return binary.LittleEndian.Uint64(append(append([]byte(nil), v.bytes...), make([]byte, 8)...))
	}
	a, b := bits(v), bits(w)
	switch v.typ {
	case "d":
		return compareOrGreater(math.Float64frombits(a), math.Float64frombits(b))
	case "n":
		return compareOrGreater(int16(a), int16(b))
	case "i":
		return compareOrGreater(int32(a), int32(b))
	case "x":
		return compareOrGreater(int64(a), int64(b))
	}
	return compareOrGreater(a, b)
}

// compareOrGreater compares as g_variant_compare does: what is neither equal nor
// greater, as a NaN, is less.
func compareOrGreater[T int16 | int32 | int64 | uint64 | float64](a, b T) int {
	switch {
	case a == b:
		return 0
	case a > b:
		return 1
	}
	return -1
}
