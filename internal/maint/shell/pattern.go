package shell

import (
	"strings"
	"unicode/utf8"
)

// pattern is a pattern of XCU 2.14, as a row of tokens that each match one
// character, but for stars.
type pattern struct {
	tokens  []token
	literal string // what it matches, where it matches that and nothing else
	plain   bool   // literal counts
}

type token struct {
	kind   tokenKind
	char   rune
	ranges []runeRange
	class  []func(rune) bool
	not    bool
}

type tokenKind uint8

const (
	oneChar tokenKind = iota
	anyChar
	anyString
	bracket
)

type runeRange struct{ from, to rune }

// maxPatterns is how many patterns a shell keeps for the next time.
const maxPatterns = 1000

// pattern returns the pattern that a text is, in which a backslash quotes.
func (r *run) pattern(text string) *pattern {
	key := text
	if r.bash {
		key = "b" + text
	} else {
		key = "s" + text
	}
	s := r.shell
	if p := s.patterns[key]; p != nil {
		return p
	}
	p := parsePattern(text, r.bash)
	if s.patterns == nil || len(s.patterns) >= maxPatterns {
		s.patterns = map[string]*pattern{}
	}
	if len(text) < 1000 {
		s.patterns[key] = p
	}
	return p
}

// decode returns the first character of s: bytes for dash, and UTF-8 for bash.
func decode(s string, wide bool) (rune, int) {
	if wide && s[0] >= utf8.RuneSelf {
		if c, n := utf8.DecodeRuneInString(s); n > 1 {
			return c, n
		}
	}
	return rune(s[0]), 1
}

func parsePattern(text string, wide bool) *pattern {
	p := &pattern{plain: true}
	var literal strings.Builder
	for i := 0; i < len(text); {
		c, n := decode(text[i:], wide)
		switch {
		case c == '*':
			if k := len(p.tokens); k == 0 || p.tokens[k-1].kind != anyString {
				p.tokens = append(p.tokens, token{kind: anyString})
			}
			p.plain = false
		case c == '?':
			p.tokens, p.plain = append(p.tokens, token{kind: anyChar}), false
		case c == '[':
			if t, end := parseBracket(text, i, wide); end > 0 {
				p.tokens, p.plain = append(p.tokens, t), false
				i = end
				continue
			}
			p.tokens = append(p.tokens, token{char: c})
			literal.WriteByte('[')
		default:
			if c == '\\' && i+1 < len(text) {
				i++
				c, n = decode(text[i:], wide)
			}
			p.tokens = append(p.tokens, token{char: c})
			literal.WriteString(text[i : i+n])
		}
		i += n
	}
	if p.plain {
		p.literal = literal.String()
	}
	return p
}

// parseBracket reads a bracket expression that begins at i; end is 0 where there is
// none and the bracket stands for itself.
func parseBracket(text string, i int, wide bool) (t token, end int) {
	t.kind = bracket
	i++
	if i < len(text) && (text[i] == '!' || wide && text[i] == '^') {
		t.not = true
		i++
	}
	for first := true; ; first = false {
		if i >= len(text) {
			return t, 0
		}
		if text[i] == ']' && !first {
			return t, i + 1
		}
		if text[i] == '[' && i+1 < len(text) && strings.IndexByte(":.=", text[i+1]) >= 0 {
			if n := t.addClass(text[i:]); n > 0 {
				i += n
				continue
			}
		}
		from, n := bracketChar(text[i:], wide)
		i += n
		to := from
		if i+1 < len(text) && text[i] == '-' && text[i+1] != ']' {
			to, n = bracketChar(text[i+1:], wide)
			i += 1 + n
		}
		t.ranges = append(t.ranges, runeRange{from, to})
	}
}

func bracketChar(s string, wide bool) (rune, int) {
	if s[0] == '\\' && len(s) > 1 {
		c, n := decode(s[1:], wide)
		return c, n + 1
	}
	return decode(s, wide)
}

// addClass adds a class such as "[:alpha:]", and returns its length, 0 where there is
// none.
func (t *token) addClass(s string) int {
	end := strings.Index(s[2:], s[1:2]+"]")
	if end < 0 {
		return 0
	}
	name := s[2 : 2+end]
	if s[1] != ':' {
		if len(name) != 1 {
			return 0
		}
		t.ranges = append(t.ranges, runeRange{rune(name[0]), rune(name[0])})
		return end + 4
	}
	in, ok := classes[name]
	if !ok {
		return 0
	}
	t.class = append(t.class, in)
	return end + 4
}

// classes are those of the C locale (XBD 7.3.1).
var classes = map[string]func(rune) bool{
	"alpha":  isAlpha,
	"digit":  isDigit,
	"alnum":  func(c rune) bool { return isAlpha(c) || isDigit(c) },
	"upper":  func(c rune) bool { return c >= 'A' && c <= 'Z' },
	"lower":  func(c rune) bool { return c >= 'a' && c <= 'z' },
	"space":  func(c rune) bool { return c == ' ' || c >= '\t' && c <= '\r' },
	"blank":  func(c rune) bool { return c == ' ' || c == '\t' },
	"punct":  func(c rune) bool { return c > ' ' && c < 0x7f && !isAlpha(c) && !isDigit(c) },
	"print":  func(c rune) bool { return c >= ' ' && c < 0x7f },
	"graph":  func(c rune) bool { return c > ' ' && c < 0x7f },
	"cntrl":  func(c rune) bool { return c < ' ' || c == 0x7f },
	"xdigit": func(c rune) bool { return isDigit(c) || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F' },
}

func isAlpha(c rune) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
func isDigit(c rune) bool { return c >= '0' && c <= '9' }

// fits reports whether a character matches a token that is no star.
func (t *token) fits(c rune) bool {
	switch t.kind {
	case oneChar:
		return t.char == c
	case anyChar:
		return true
	}
	for _, r := range t.ranges {
		if c >= r.from && c <= r.to {
			return !t.not
		}
	}
	for _, in := range t.class {
		if in(c) {
			return !t.not
		}
	}
	return t.not
}

// match reports whether the whole of s matches p. Its cost is at most the product of
// both lengths.
func (r *run) match(p *pattern, s string) (bool, error) {
	if p.plain {
		return p.literal == s, nil
	}
	at, star, back, work := 0, -1, 0, 0
	for i := 0; i < len(s); {
		if work += 8; work%unitsPerStep == 0 {
			if err := r.work(unitsPerStep); err != nil {
				return false, err
			}
		}
		c, n := decode(s[i:], r.bash)
		switch {
		case at < len(p.tokens) && p.tokens[at].kind == anyString:
			star, back = at, i
			at++
		case at < len(p.tokens) && p.tokens[at].fits(c):
			at++
			i += n
		case star >= 0: // the last star takes one more
			_, n := decode(s[back:], r.bash)
			back += n
			i, at = back, star+1
		default:
			return false, nil
		}
	}
	for at < len(p.tokens) && p.tokens[at].kind == anyString {
		at++
	}
	return at == len(p.tokens), r.work(work % unitsPerStep)
}

// beginnings returns the lengths of the shortest and the longest beginning of s that
// p matches, -1 where there is none. All that p may be at is followed at once.
func (r *run) beginnings(p *pattern, s string) (shortest, longest int, err error) {
	return r.scan(p.tokens, s, func(s string) (rune, int) { return decode(s, r.bash) }, func(s string, n int) string { return s[n:] })
}

// endings is beginnings for the ends of s.
func (r *run) endings(p *pattern, s string) (shortest, longest int, err error) {
	tokens := make([]token, len(p.tokens))
	for i, t := range p.tokens {
		tokens[len(tokens)-1-i] = t
	}
	last := func(s string) (rune, int) {
		if r.bash {
			if c, n := utf8.DecodeLastRuneInString(s); n > 1 {
				return c, n
			}
		}
		return rune(s[len(s)-1]), 1
	}
	return r.scan(tokens, s, last, func(s string, n int) string { return s[:len(s)-n] })
}

func (r *run) scan(tokens []token, s string, next func(string) (rune, int), without func(string, int) string) (shortest, longest int, err error) {
	shortest, longest = -1, -1
	now, then := make([]bool, len(tokens)+1), make([]bool, len(tokens)+1)
	now[0] = true
	for done := 0; ; {
		alive := false
		for k, t := range tokens {
			if now[k] && t.kind == anyString {
				now[k+1] = true
			}
			alive = alive || now[k]
		}
		if now[len(tokens)] {
			if longest = done; shortest < 0 {
				shortest = done
			}
		}
		if s == "" || !alive {
			return shortest, longest, nil
		}
		if err := r.work(4*len(tokens) + 16); err != nil {
			return -1, -1, err
		}
		c, n := next(s)
		clear(then)
		for k := range tokens {
			if !now[k] {
				continue
			}
			if t := &tokens[k]; t.kind == anyString {
				then[k] = true
			} else if t.fits(c) {
				then[k+1] = true
			}
		}
		now, then = then, now
		s = without(s, n)
		done += n
	}
}

// quotePattern returns a pattern that matches s and nothing else.
func quotePattern(s string) string {
	if !strings.ContainsAny(s, `*?[]\-!^`) {
		return s
	}
	var b strings.Builder
	for i := range len(s) {
		if strings.IndexByte(`*?[]\-!^`, s[i]) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
