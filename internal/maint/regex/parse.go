package regex

import (
	"strconv"
	"strings"
	"unicode"
)

// maxRepeat is RE_DUP_MAX of glibc; maxDepth bounds groups within groups.
const (
	maxRepeat = 32767
	maxDepth  = 200
)

type token int

const (
	tEnd token = iota
	tChar
	tAny
	tBracket
	tStar
	tPlus
	tOption
	tBrace
	tOpen
	tClose
	tAlt
	tCaret
	tDollar
	tBack
	tPlace
	tClass
)

// lexeme is a token with its text.
type lexeme struct {
	token token
	r     rune // of tChar; the digit of tBack; the letter of tClass
	place place
	width int
}

type parser struct {
	src   string
	pos   int
	o     Options
	depth int

	groups int
	closed map[int]bool // groups that a back-reference may refer to
	back   bool         // a back-reference was seen
}

func (p *parser) basic() bool {
	return p.o.Syntax == Basic || p.o.Syntax == Grep || p.o.Syntax == Emacs
}

// parse reads an expression.
func (p *parser) parse() (*node, error) {
	n, err := p.alternatives()
	if err == nil && p.pos < len(p.src) {
		err = ErrUnopened
	}
	return n, err
}

func (p *parser) alternatives() (*node, error) {
	alt := &node{kind: kAlt}
	for {
		n, err := p.branch()
		if err != nil {
			return nil, err
		}
		alt.subs = append(alt.subs, n)
		t, err := p.peek()
		if err != nil {
			return nil, err
		}
		if t.token != tAlt {
			break
		}
		p.pos += t.width
	}
	if len(alt.subs) == 1 {
		return alt.subs[0], nil
	}
	return alt, nil
}

// branch reads what is between two alternation signs.
func (p *parser) branch() (*node, error) {
	seq := &node{kind: kSeq}
	repeatable := false
	for {
		t, err := p.peek()
		if err != nil {
			return nil, err
		}
		switch t.token {
		case tEnd, tAlt:
			return seq, nil
		case tClose:
			if p.depth > 0 {
				return seq, nil
			}
			if p.basic() || p.o.Syntax == Extended {
				return nil, ErrUnopened
			}
			t = lexeme{token: tChar, r: ')', width: 1}
		}
		if t.token >= tStar && t.token <= tBrace {
			done, err := p.repetition(seq, t, repeatable)
			if err != nil {
				return nil, err
			}
			repeatable = repeatable || done
			continue
		}
		p.pos += t.width
		n, err := p.atom(t, len(seq.subs) == 0)
		if err != nil {
			return nil, err
		}
		seq.subs = append(seq.subs, n)
		repeatable = n.kind != kAssert // a star after ^ is a star
	}
}

// repetition applies an operator to the last part of seq. Where there is none to
// apply it to, the dialect decides what it means.
func (p *parser) repetition(seq *node, t lexeme, repeatable bool) (literal bool, err error) {
	if !repeatable {
		return p.withoutOperand(seq, t)
	}
	if last := seq.subs[len(seq.subs)-1]; p.o.Syntax == Basic && last.kind == kRepeat && (t.token == tStar || t.token == tBrace) {
		return false, ErrRepeat
	}
	lo, hi := 0, -1
	switch t.token {
	case tPlus:
		lo = 1
	case tOption:
		hi = 1
	case tBrace:
		var ok bool
		if lo, hi, ok, err = p.interval(t.width); err != nil {
			return false, err
		}
		if !ok { // { is a character like any other
			seq.subs = append(seq.subs, p.char('{'))
			p.pos += t.width
			return true, nil
		}
		t.width = 0
	}
	p.pos += t.width
	last := len(seq.subs) - 1
	seq.subs[last] = &node{kind: kRepeat, subs: []*node{seq.subs[last]}, lo: lo, hi: hi}
	return false, nil
}

// withoutOperand reads an operator where there is nothing to repeat.
func (p *parser) withoutOperand(seq *node, t lexeme) (literal bool, err error) {
	sign := p.src[p.pos+t.width-1]
	switch p.o.Syntax {
	case Extended:
		return false, ErrRepeat
	case Basic, Awk:
		if (t.token == tBrace) == (p.o.Syntax == Basic) {
			return false, ErrRepeat
		}
	case Egrep:
		if t.token != tBrace {
			p.pos += t.width
			return false, nil // without effect
		}
		if _, _, ok, err := p.interval(t.width); ok || err != nil {
			return false, err
		}
	}
	seq.subs = append(seq.subs, p.char(rune(sign)))
	p.pos += t.width
	return true, nil
}

// interval reads {n,m}, and moves behind it where it is one. In some dialects what
// is no interval is text.
func (p *parser) interval(width int) (lo, hi int, ok bool, err error) {
	rest := p.src[p.pos+width:]
	closing := "}"
	if p.basic() {
		closing = `\}`
	}
	lax := p.o.Syntax == Egrep || p.o.Syntax == Awk
	body, _, found := strings.Cut(rest, closing)
	first, second, comma := strings.Cut(body, ",")
	bad := func(err error) (int, int, bool, error) {
		if lax {
			err = nil
		}
		return 0, 0, false, err
	}
	switch {
	case !found:
		return bad(ErrBrace)
	case !digits(first) || !digits(second) || body == "":
		return bad(ErrInterval)
	}
	lo, hi = 0, -1
	if first != "" {
		lo, _ = strconv.Atoi(first)
	}
	switch {
	case !comma:
		hi = lo
	case second != "":
		hi, _ = strconv.Atoi(second)
	}
	if len(first) > 5 || len(second) > 5 || lo > maxRepeat || hi > maxRepeat {
		return 0, 0, false, ErrSize
	}
	if hi >= 0 && lo > hi {
		return 0, 0, false, ErrInterval
	}
	p.pos += width + len(body) + len(closing)
	return lo, hi, true, nil
}

func digits(s string) bool { return strings.Trim(s, "0123456789") == "" }

func (p *parser) char(r rune) *node {
	return &node{kind: kSet, set: &set{ranges: []rune{r, r}, fold: p.o.FoldCase}}
}

func (p *parser) assertion(at place) *node { return &node{kind: kAssert, place: at} }

// atom returns the node of a token that has been read.
func (p *parser) atom(t lexeme, first bool) (*node, error) {
	switch t.token {
	case tAny:
		return &node{kind: kSet, set: &set{not: true}}, nil
	case tBracket:
		s, err := p.bracket()
		return &node{kind: kSet, set: s}, err
	case tOpen:
		return p.group()
	case tBack:
		n := int(t.r - '0')
		if !p.closed[n] {
			return nil, ErrBackReference
		}
		p.back = true
		return &node{kind: kBack, number: n}, nil
	case tPlace:
		return p.assertion(t.place), nil
	case tClass:
		s := &set{not: unicode.IsUpper(t.r)}
		s.addClass(map[rune]string{'w': "word", 's': "space"}[unicode.ToLower(t.r)], p.o.Bytes)
		return &node{kind: kSet, set: s}, nil
	case tCaret:
		if !p.basic() || first {
			return p.assertion(p.line(lineStart, textStart)), nil
		}
		return p.char('^'), nil
	case tDollar:
		if p.basic() {
			if next, err := p.peek(); err != nil {
				return nil, err
			} else if next.token != tEnd && next.token != tClose && next.token != tAlt {
				return p.char('$'), nil
			}
		}
		return p.assertion(p.line(lineEnd, textEnd)), nil
	}
	return p.char(t.r), nil
}

func (p *parser) line(line, text place) place {
	if p.o.Multiline {
		return line
	}
	return text
}

func (p *parser) group() (*node, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, ErrSize
	}
	p.groups++
	n := &node{kind: kGroup, number: p.groups}
	sub, err := p.alternatives()
	if err != nil {
		return nil, err
	}
	t, err := p.peek()
	if err != nil {
		return nil, err
	}
	if t.token != tClose {
		return nil, ErrParenthesis
	}
	p.pos += t.width
	p.depth--
	p.closed[n.number] = true
	n.subs = []*node{sub}
	return n, nil
}
