package regex

import "unicode/utf8"

// A row is an expression of characters one after the other, perhaps at the start or the
// end of a text: what scripts ask grep for most. Package regexp needs longer to compile
// such an expression than to be done without.
type row struct {
	chars      []*set
	start, end bool // of the text
}

// rowOf returns the row that n is, nil where it is none.
func rowOf(n *node) *row {
	r := &row{}
	if !r.append(n) {
		return nil
	}
	return r
}

// append reports whether the row goes on with n.
func (r *row) append(n *node) bool {
	switch {
	case n.kind == kSeq:
		for _, sub := range n.subs {
			if !r.append(sub) {
				return false
			}
		}
	case r.end:
		return false
	case n.kind == kSet:
		r.chars = append(r.chars, n.set)
	case n.kind == kAssert && n.place == textEnd:
		r.end = true
	case n.kind == kAssert && n.place == textStart && len(r.chars) == 0:
		r.start = true
	default:
		return false
	}
	return true
}

// match reports whether the row is somewhere in text.
func (r *row) match(text string) bool {
	for !r.begins(text) {
		if r.start || text == "" {
			return false
		}
		text = text[width(text, 0):]
	}
	return true
}

func (r *row) begins(text string) bool {
	for _, s := range r.chars {
		c, size := utf8.DecodeRuneInString(text)
		if size == 0 || !s.has(c) {
			return false
		}
		text = text[size:]
	}
	return !r.end || text == ""
}
