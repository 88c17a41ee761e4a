package glib

import (
	"fmt"
	"strings"
)

// parseVariant reads a value of a type from its text form, as g_variant_parse does
// (gvariant-text-format of GLib's manual).
func parseVariant(typ, text string) (*variant, error) {
	p := &varParser{text: text}
	e, err := p.expr(maxTypeDepth)
	if err != nil {
		return nil, err
	}
	v, err := e.value(typ)
	if err != nil {
		return nil, err
	}
	if p.peek() != "" {
		return nil, fmt.Errorf("%d:expected end of input", p.at-len(p.token))
	}
	return v, nil
}

// varParser splits the text into tokens.
type varParser struct {
	text  string
	at    int    // behind token
	token string // the present one, "" before it was looked at
}

func isSpace(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' && c != '\v' }
func isDigit(c byte) bool { return '0' <= c && c <= '9' }
func isLower(c byte) bool { return 'a' <= c && c <= 'z' }
func isAlpha(c byte) bool { return isLower(c | 0x20) }
func isAlnum(c byte) bool { return isAlpha(c) || isDigit(c) }

// peek returns the present token, "" at the end.
func (p *varParser) peek() string {
	if p.token != "" {
		return p.token
	}
	for p.at < len(p.text) && isSpace(p.text[p.at]) {
		p.at++
	}
	rest := p.text[p.at:]
	if rest == "" || rest[0] == 0 {
		return ""
	}
	p.token = rest[:tokenEnd(rest)]
	p.at += len(p.token)
	return p.token
}

// tokenEnd returns the length of the token that a text begins with.
func tokenEnd(s string) int {
	while := func(i int, is func(byte) bool) int {
		for i < len(s) && is(s[i]) {
			i++
		}
		return i
	}
	switch c := s[0]; {
	case strings.IndexByte("-+.", c) >= 0 || isDigit(c):
		return while(0, func(c byte) bool { return isAlnum(c) || strings.IndexByte("-+.", c) >= 0 })
	case c == 'b' && len(s) > 1 && (s[1] == '\'' || s[1] == '"'):
		return 1 + quotedEnd(s[1:])
	case isLower(c):
		return while(0, isAlnum)
	case c == '\'' || c == '"':
		return quotedEnd(s)
	case c == '@' || c == '%':
		brackets := 0
		return while(1, func(c byte) bool {
			switch {
			case c == '(' || c == '{':
				brackets++
			case c == ')' || c == '}':
				brackets--
				return brackets >= 0
			}
			return c != 0 && strings.IndexByte(",:>]", c) < 0 && !isSpace(c)
		})
	}
	return 1
}

// quotedEnd returns where the string that s begins with ends.
func quotedEnd(s string) int {
	i := 1
	for ; i < len(s) && s[i] != s[0] && s[i] != 0; i++ {
		if s[i] == '\\' {
			if i++; i == len(s) || s[i] == 0 {
				return i
			}
		}
	}
	if i < len(s) && s[i] != 0 {
		i++
	}
	return i
}

func (p *varParser) consume(token string) bool {
	if p.peek() != token {
		return false
	}
	p.token = ""
	return true
}

func (p *varParser) errorf(format string, args ...any) error {
	return fmt.Errorf("%d:"+format, append([]any{p.at - len(p.token)}, args...)...)
}

func (p *varParser) require(token, purpose string) error {
	if !p.consume(token) {
		return p.errorf("expected '%s'%s", token, purpose)
	}
	return nil
}

// expr is what a text says, before its type is known.
type expr interface {
	// pattern returns the types that fit: a type string that may have "N" for any
	// number, "S" for any string, "*" for any type and "M" for "m" or nothing.
	pattern() (string, error)
	value(typ string) (*variant, error)
}

func (p *varParser) expr(depth int) (expr, error) {
	if depth == 0 {
		return nil, p.errorf("variant nested too deeply")
	}
	t := p.peek()
	two := len(t) > 1
	switch {
	case t == "":
	case t[0] == '[':
		return p.array(depth)
	case t[0] == '(':
		return p.tuple(depth)
	case t[0] == '<':
		return p.boxed(depth)
	case t[0] == '{':
		return p.dictionary(depth)
	case t == "true" || t == "false":
		p.token = ""
		return maybeExpr{boolExpr(t == "true")}, nil
	case isDigit(t[0]) || strings.IndexByte("-+.", t[0]) >= 0 || t == "inf" || t == "nan":
		p.token = ""
		return maybeExpr{numberExpr(t)}, nil
	case t[0] == 'n' || t[0] == 'j':
		return p.maybe(depth)
	case t[0] == '@' || two && isAlpha(t[0]) && isAlpha(t[1]):
		return p.typed(depth)
	case t[0] == '\'' || t[0] == '"':
		return p.stringExpr()
	case t[0] == 'b' && two && (t[1] == '\'' || t[1] == '"'):
		return p.byteString()
	}
	return nil, p.errorf("expected value")
}

func (p *varParser) array(depth int) (expr, error) {
	p.consume("[")
	var a arrayExpr
	for !p.consume("]") {
		if len(a) > 0 {
			if err := p.require(",", " or ']' to follow array element"); err != nil {
				return nil, err
			}
		}
		e, err := p.expr(depth - 1)
		if err != nil {
			return nil, err
		}
		a = append(a, e)
	}
	return maybeExpr{a}, nil
}

func (p *varParser) tuple(depth int) (expr, error) {
	p.consume("(")
	var t tupleExpr
	for !p.consume(")") {
		if len(t) > 1 {
			if err := p.require(",", " or ')' to follow tuple element"); err != nil {
				return nil, err
			}
		}
		e, err := p.expr(depth - 1)
		if err != nil {
			return nil, err
		}
		if t = append(t, e); len(t) == 1 {
			if err := p.require(",", " after first tuple element"); err != nil {
				return nil, err
			}
		}
	}
	return maybeExpr{t}, nil
}

func (p *varParser) boxed(depth int) (expr, error) {
	p.consume("<")
	e, err := p.expr(depth - 1)
	if err != nil {
		return nil, err
	}
	return maybeExpr{boxedExpr{e}}, p.require(">", " to follow variant value")
}

func (p *varParser) dictionary(depth int) (expr, error) {
	p.consume("{")
	d := &dictExpr{}
	if p.consume("}") {
		return maybeExpr{d}, nil
	}
	for {
		key, err := p.expr(depth - 1)
		if err != nil {
			return nil, err
		}
		d.keys = append(d.keys, key)
		if len(d.keys) == 1 && p.consume(",") {
			d.entry = true
		} else if err := p.require(":", " to follow dictionary entry key"); err != nil {
			return nil, err
		}
		value, err := p.expr(depth - 1)
		if err != nil {
			return nil, err
		}
		d.values = append(d.values, value)
		if d.entry {
			return maybeExpr{d}, p.require("}", " at end of dictionary entry")
		}
		if p.consume("}") {
			return maybeExpr{d}, nil
		}
		if err := p.require(",", " or '}' to follow dictionary entry"); err != nil {
			return nil, err
		}
	}
}

func (p *varParser) maybe(depth int) (expr, error) {
	switch {
	case p.consume("just"):
		e, err := p.expr(depth - 1)
		return justExpr{e}, err
	case p.consume("nothing"):
		return justExpr{}, nil
	}
	return nil, p.errorf("unknown keyword")
}

var typeWords = map[string]string{
	"boolean": "b", "byte": "y", "int16": "n", "uint16": "q", "int32": "i", "handle": "h", "uint32": "u", "int64": "x",
	"uint64": "t", "double": "d", "string": "s", "objectpath": "o", "signature": "g",
}

func (p *varParser) typed(depth int) (expr, error) {
	t := p.peek()
	typ, ok := typeWords[t]
	if t[0] == '@' {
		typ = t[1:]
		switch {
		case !validType(typ):
			return nil, p.errorf("invalid type declaration")
		case typeDepth(typ) > depth:
			return nil, p.errorf("type declaration recurses too deeply")
		case strings.ContainsAny(typ, "*?r"):
			return nil, p.errorf("type declarations must be definite")
		}
	} else if !ok {
		return nil, p.errorf("unknown keyword")
	}
	p.token = ""
	e, err := p.expr(depth - 1)
	return typedExpr{typ, e}, err
}
