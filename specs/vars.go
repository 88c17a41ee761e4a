package specs

import (
	"maps"
	"slices"
	"strings"
)

// substituter puts the values of vars in place of ${NAME}.
type substituter struct {
	vars map[string]string
	p    *problems
}

// readVars returns the vars of a merged spec. A var's value is text as it stands:
// it cannot use another var, so that there is no order and no circle.
func (p *problems) readVars(n *node) map[string]string {
	vars := map[string]string{}
	if n == nil {
		return vars
	}
	for _, e := range n.entries {
		if !p.checkFormat(formats["variable"], e.key, e.pos, "vars") {
			continue
		}
		text, ok := p.text(e.value, "vars."+e.key)
		if ok && strings.Contains(text, "${") {
			p.add(e.value.pos, "write the value out", "vars.%s: found %s, expected text that uses no other variable", e.key, quote(text))
		}
		vars[e.key] = text
	}
	return vars
}

// tree returns n with every text in it substituted.
func (s *substituter) tree(n *node) *node {
	out := *n
	switch n.kind {
	case scalar:
		s.scalar(&out)
	case sequence:
		out.items = make([]*node, len(n.items))
		for i, item := range n.items {
			out.items[i] = s.tree(item)
		}
	case mapping:
		out.entries = make([]entry, len(n.entries))
		for i, e := range n.entries {
			out.entries[i] = entry{e.key, e.pos, s.tree(e.value)}
		}
	}
	return &out
}

// scalar substitutes in n's text. A value that a variable made, such as uid:
// "${UID}", is read as text or as a number, whatever is expected; the quotes say
// nothing, because YAML needs them around ${UID} within {}.
func (s *substituter) scalar(n *node) {
	if !strings.Contains(n.text, "$") {
		return
	}
	text, ok := s.text(n)
	n.substituted = text != n.text
	n.text, n.damaged = text, !ok
}

// text returns n's text substituted, and false where that cannot be done.
func (s *substituter) text(n *node) (string, bool) {
	var out strings.Builder
	rest, good := n.text, true
	for {
		before, after, ok := strings.Cut(rest, "$")
		out.WriteString(before)
		switch {
		case !ok:
			return out.String(), good
		case strings.HasPrefix(after, "$"):
			out.WriteByte('$')
			rest = after[1:]
		case strings.HasPrefix(after, "{"):
			name, tail, closed := strings.Cut(after[1:], "}")
			if !closed || !matches(patternVariable, name) {
				s.p.add(n.pos, "write $${ for a ${ that is to stay", "found %s, expected ${NAME}", quote("$"+after))
				return n.text, false
			}
			value, defined := s.vars[name]
			if !defined {
				good = false
				names := slices.Sorted(maps.Keys(s.vars))
				s.p.add(n.pos, "define it in vars, or write $${"+name+"} for text that is to stay",
					"undefined variable ${%s}%s", name, didYouMean(name, names))
			}
			out.WriteString(value)
			rest = tail
		default:
			out.WriteByte('$')
			rest = after
		}
	}
}

// escape returns text that the substitution turns into s.
func escape(s string) string { return strings.ReplaceAll(s, "$", "$$") }
