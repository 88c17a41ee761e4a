package regex

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// peek returns the next token without moving on.
func (p *parser) peek() (lexeme, error) {
	if p.pos >= len(p.src) {
		return lexeme{token: tEnd}, nil
	}
	rest := p.src[p.pos:]
	r, width := utf8.DecodeRuneInString(rest)
	if r == '\\' {
		return p.escaped(rest)
	}
	t := lexeme{token: tChar, r: r, width: width}
	basic := p.basic()
	switch {
	case r == '.':
		t.token = tAny
	case r == '[':
		t.token = tBracket
	case r == '*':
		t.token = tStar
	case r == '^':
		t.token = tCaret
	case r == '$':
		t.token = tDollar
	case r == '+' && (!basic || p.o.Syntax == Emacs):
		t.token = tPlus
	case r == '?' && (!basic || p.o.Syntax == Emacs):
		t.token = tOption
	case r == '{' && !basic:
		t.token = tBrace
	case r == '(' && !basic:
		t.token = tOpen
	case r == ')' && !basic:
		t.token = tClose
	case r == '|' && !basic:
		t.token = tAlt
	}
	return t, nil
}

// escapedOperators are those of basic expressions.
var escapedOperators = map[rune]token{'(': tOpen, ')': tClose, '|': tAlt, '{': tBrace, '+': tPlus, '?': tOption}

// escaped returns the token that starts with a backslash.
func (p *parser) escaped(rest string) (lexeme, error) {
	if len(rest) == 1 {
		return lexeme{}, ErrBackslash
	}
	if p.o.Syntax == Awk {
		if r, n := p.escape(rest); n > 0 {
			return lexeme{token: tChar, r: r, width: n}, nil
		}
	}
	r, width := utf8.DecodeRuneInString(rest[1:])
	t := lexeme{token: tChar, r: r, width: 1 + width}
	if op, ok := escapedOperators[r]; ok && p.basic() && (op < tStar || op > tBrace || p.o.Syntax != Emacs) {
		t.token = op
	}
	switch r {
	case '1', '2', '3', '4', '5', '6', '7', '8', '9':
		if p.o.Syntax != Awk {
			t.token = tBack
		}
	case 'w', 'W', 's', 'S':
		t.token = tClass
	case 'b', 'y':
		if (r == 'y') == (p.o.Syntax == Awk) {
			t.token, t.place = tPlace, wordEdge
		}
	case 'B':
		t.token, t.place = tPlace, notWordEdge
	case '<':
		t.token, t.place = tPlace, wordStart
	case '>':
		t.token, t.place = tPlace, wordEnd
	case '`':
		t.token, t.place = tPlace, textStart
	case '\'':
		t.token, t.place = tPlace, textEnd
	}
	return t, nil
}

// escape returns the character that an escape of awk stands for, and how long that
// is; 0 where rest does not start with one.
func (p *parser) escape(rest string) (rune, int) {
	if i := strings.IndexByte("abfnrtv", rest[1]); i >= 0 {
		return rune("\a\b\f\n\r\t\v"[i]), 2
	}
	if c := rest[1]; c == '"' || c == '/' {
		return rune(c), 2
	}
	if rest[1] == 'x' {
		end := 2
		for end < len(rest) && end < 4 && strings.IndexByte("0123456789abcdefABCDEF", rest[end]) >= 0 {
			end++
		}
		if v, err := strconv.ParseUint(rest[2:end], 16, 8); err == nil {
			return p.byteRune(byte(v)), end
		}
		return 0, 0
	}
	v, i := 0, 1
	for i < len(rest) && i < 4 && rest[i] >= '0' && rest[i] <= '7' {
		v, i = v*8+int(rest[i]-'0'), i+1
	}
	if i == 1 {
		return 0, 0
	}
	return p.byteRune(byte(v)), i
}

// byteRune returns the character that a byte is.
func (p *parser) byteRune(b byte) rune {
	if b >= utf8.RuneSelf && p.o.Bytes {
		return byteBase + rune(b)
	}
	return rune(b)
}

// bracket reads a bracket expression (XBD 9.3.5) behind its "[".
func (p *parser) bracket() (*set, error) {
	s := &set{fold: p.o.FoldCase}
	if err := p.classSyntax(); err != nil {
		return nil, err
	}
	if strings.HasPrefix(p.src[p.pos:], "^") {
		s.not = true
		p.pos++
	}
	for first := true; ; first = false {
		if p.pos >= len(p.src) {
			return nil, ErrBracket
		}
		if p.src[p.pos] == ']' && !first {
			p.pos++
			return s, nil
		}
		if name, ok, err := p.named(":"); err != nil {
			return nil, err
		} else if ok {
			if classes[name].ascii == nil || name == "word" {
				return nil, ErrClass
			}
			if p.o.FoldCase && (name == "upper" || name == "lower") {
				name = "alpha"
			}
			s.addClass(name, p.o.Bytes)
			continue
		}
		if err := p.element(s); err != nil {
			return nil, err
		}
	}
}

// classSyntax refuses [:space:], as GNU's tools do.
func (p *parser) classSyntax() error {
	rest := p.src[p.pos:]
	if !strings.HasPrefix(rest, ":") || p.o.Syntax == Awk {
		return nil
	}
	if end := strings.IndexByte(rest[1:], ']'); end > 0 && rest[end] == ':' {
		return ErrClassSyntax
	}
	return nil
}

// element reads one character or a range of them.
func (p *parser) element(s *set) error {
	lo, err := p.member()
	if err != nil {
		return err
	}
	rest := p.src[p.pos:]
	if len(rest) < 2 || rest[0] != '-' || rest[1] == ']' {
		s.add(lo, lo)
		return nil
	}
	p.pos++
	hi, err := p.member()
	if err != nil {
		return err
	}
	if lo > hi {
		return ErrRange
	}
	s.add(lo, hi)
	return nil
}

// member reads one character of a bracket expression.
func (p *parser) member() (rune, error) {
	for _, sign := range []string{".", "="} {
		name, ok, err := p.named(sign)
		if err != nil {
			return 0, err
		}
		if ok {
			if r, size := utf8.DecodeRuneInString(name); size == len(name) && size > 0 {
				return r, nil
			}
			return 0, ErrCollation
		}
	}
	rest := p.src[p.pos:]
	if rest[0] == '\\' && len(rest) > 1 {
		if p.o.Syntax == Awk {
			if r, n := p.escape(rest); n > 0 {
				p.pos += n
				return r, nil
			}
		}
		if p.o.Syntax == Awk {
			p.pos++
			rest = rest[1:]
		}
	}
	r, size := utf8.DecodeRuneInString(rest)
	p.pos += size
	return r, nil
}

// named reads [:name:], [.x.] or [=x=].
func (p *parser) named(sign string) (string, bool, error) {
	rest := p.src[p.pos:]
	if p.o.Syntax == Emacs || !strings.HasPrefix(rest, "["+sign) {
		return "", false, nil
	}
	end := strings.Index(rest[2:], sign+"]")
	if end < 0 {
		return "", false, ErrBracket
	}
	p.pos += end + 4
	return rest[2 : 2+end], true, nil
}
