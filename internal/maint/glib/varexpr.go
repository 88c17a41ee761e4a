package glib

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

func typeError(typ string) error { return fmt.Errorf("can not parse as value of type '%s'", typ) }

// maybeExpr is a value that may stand for "just" itself.
type maybeExpr struct{ expr }

func (e maybeExpr) value(typ string) (*variant, error) {
	base := strings.TrimLeft(typ, "m")
	v, err := e.expr.value(base)
	for i := len(typ) - len(base) - 1; err == nil && i >= 0; i-- {
		v = newVariant(typ[i:], v)
	}
	return v, err
}

func (e maybeExpr) pattern() (string, error) {
	p, err := e.expr.pattern()
	return "M" + p, err
}

// resolve gives a value the type that it has where nothing asks for another one.
func resolve(e expr) (*variant, error) {
	p, err := e.pattern()
	if err != nil {
		return nil, err
	}
	if strings.Contains(p, "*") {
		return nil, errors.New("unable to infer type")
	}
	return e.value(strings.NewReplacer("M", "", "S", "s", "N", "i").Replace(p))
}

type justExpr struct{ expr }

func (e justExpr) pattern() (string, error) {
	if e.expr == nil {
		return "m*", nil
	}
	p, err := e.expr.pattern()
	return "m" + p, err
}

func (e justExpr) value(typ string) (*variant, error) {
	if typ[0] != 'm' {
		return nil, typeError(typ)
	}
	if e.expr == nil {
		return newVariant(typ), nil
	}
	v, err := e.expr.value(typ[1:])
	return newVariant(typ, v), err
}

type typedExpr struct {
	typ string
	expr
}

func (e typedExpr) pattern() (string, error) { return e.typ, nil }

type arrayExpr []expr

func (e arrayExpr) pattern() (string, error) {
	if len(e) == 0 {
		return "a*", nil
	}
	p, err := commonPattern(e)
	return "a" + p, err
}

func (e arrayExpr) value(typ string) (*variant, error) {
	if typ[0] != 'a' {
		return nil, typeError(typ)
	}
	v := newVariant(typ)
	for _, kid := range e {
		k, err := kid.value(typ[1:])
		if err != nil {
			return nil, err
		}
		v.kids = append(v.kids, k)
	}
	return v, nil
}

type tupleExpr []expr

func (e tupleExpr) pattern() (string, error) {
	all := "("
	for _, kid := range e {
		p, err := kid.pattern()
		if err != nil {
			return "", err
		}
		all += p
	}
	return all + ")", nil
}

func (e tupleExpr) value(typ string) (*variant, error) {
	if typ[0] != '(' {
		return nil, typeError(typ)
	}
	members := memberTypes(typ)
	if len(members) != len(e) {
		return nil, typeError(typ)
	}
	v := newVariant(typ)
	for i, kid := range e {
		k, err := kid.value(members[i])
		if err != nil {
			return nil, err
		}
		v.kids = append(v.kids, k)
	}
	return v, nil
}

type boxedExpr struct{ inner expr }

func (e boxedExpr) pattern() (string, error) { return "v", nil }

func (e boxedExpr) value(typ string) (*variant, error) {
	if typ != "v" {
		return nil, typeError(typ)
	}
	v, err := resolve(e.inner)
	return newVariant(typ, v), err
}

type dictExpr struct {
	keys, values []expr
	entry        bool // a single entry, and no array of them
}

func (e *dictExpr) pattern() (string, error) {
	if len(e.keys) == 0 {
		return "a{**}", nil
	}
	key, err := commonPattern(e.keys)
	if err != nil {
		return "", err
	}
	key = strings.TrimPrefix(key, "M")
	if !strings.Contains(basicTypes+"NS", key[:1]) {
		return "", errors.New("dictionary keys must have basic types")
	}
	value, err := e.values[0].pattern()
	if e.entry {
		return "{" + key[:1] + value + "}", err
	}
	return "a{" + key[:1] + value + "}", err
}

func (e *dictExpr) value(typ string) (*variant, error) {
	if e.entry {
		if typ[0] != '{' {
			return nil, typeError(typ)
		}
		return e.item(typ, 0)
	}
	if !strings.HasPrefix(typ, "a{") {
		return nil, typeError(typ)
	}
	v := newVariant(typ)
	for i := range e.keys {
		k, err := e.item(typ[1:], i)
		if err != nil {
			return nil, err
		}
		v.kids = append(v.kids, k)
	}
	return v, nil
}

func (e *dictExpr) item(typ string, i int) (*variant, error) {
	members := memberTypes(typ)
	key, err := e.keys[i].value(members[0])
	if err != nil {
		return nil, err
	}
	value, err := e.values[i].value(members[1])
	return newVariant(typ, key, value), err
}

type boolExpr bool

func (e boolExpr) pattern() (string, error) { return "b", nil }

func (e boolExpr) value(typ string) (*variant, error) {
	if typ != "b" {
		return nil, typeError(typ)
	}
	v := &variant{typ: typ, bytes: []byte{0}}
	if e {
		v.bytes[0] = 1
	}
	return v, nil
}

type numberExpr string

func (e numberExpr) pattern() (string, error) {
	s := string(e)
	if strings.Contains(s, ".") || !strings.HasPrefix(s, "0x") && strings.Contains(s, "e") || strings.Contains(s, "inf") || strings.Contains(s, "nan") {
		return "d", nil
	}
	return "N", nil
}

func (e numberExpr) value(typ string) (*variant, error) {
	if typ == "d" {
		return e.double()
	}
	limits := map[string][2]uint64{ // of the negative and of the positive values
		"y": {0, math.MaxUint8}, "n": {1 << 15, math.MaxInt16}, "q": {0, math.MaxUint16}, "i": {1 << 31, math.MaxInt32},
		"u": {0, math.MaxUint32}, "x": {1 << 63, math.MaxInt64}, "t": {0, math.MaxUint64}, "h": {1 << 31, math.MaxInt32},
	}
	s, negative := strings.CutPrefix(string(e), "-")
	if !negative {
		s = strings.TrimPrefix(s, "+")
	}
	base := 10
	switch {
	case strings.HasPrefix(s, "0x") || strings.HasPrefix(s, "0X"):
		s, base = s[2:], 16
	case strings.HasPrefix(s, "0"):
		base = 8
	}
	n, err := strconv.ParseUint(s, base, 64)
	if errors.Is(err, strconv.ErrRange) {
		return nil, errors.New("integer too big for any type")
	}
	if err != nil {
		return nil, errors.New("invalid character in number")
	}
	limit, ok := limits[typ]
	switch {
	case !ok:
		return nil, typeError(typ)
	case negative && n > limit[0] || !negative && n > limit[1]:
		return nil, fmt.Errorf("number out of range for type '%s'", typ)
	case negative:
		n = -n
	}
	_, size := layout(typ)
	return &variant{typ: typ, bytes: binary.LittleEndian.AppendUint64(nil, n)[:size]}, nil
}

func (e numberExpr) double() (*variant, error) {
	s := string(e)
	if hex := strings.ToLower(s); strings.Contains(hex, "0x") && !strings.Contains(hex, "p") {
		s += "p0" // which Go asks for, and C does not
	}
	f, err := strconv.ParseFloat(s, 64)
	if errors.Is(err, strconv.ErrRange) {
		return nil, errors.New("number too big for any type")
	}
	if err != nil {
		return nil, errors.New("invalid character in number")
	}
	return &variant{typ: "d", bytes: binary.LittleEndian.AppendUint64(nil, math.Float64bits(f))}, nil
}

type stringExpr string

func (e stringExpr) pattern() (string, error) { return "S", nil }

func (e stringExpr) value(typ string) (*variant, error) {
	switch {
	case typ == "o" && !validObjectPath(string(e)):
		return nil, errors.New("not a valid object path")
	case typ == "g" && !validSignature(string(e)):
		return nil, errors.New("not a valid signature")
	case typ != "s" && typ != "o" && typ != "g":
		return nil, typeError(typ)
	}
	return newString(typ, string(e)), nil
}

// validObjectPath follows the D-Bus specification.
func validObjectPath(s string) bool {
	if s == "/" {
		return true
	}
	for part := range strings.SplitSeq(strings.TrimPrefix(s, "/"), "/") {
		if part == "" || strings.ContainsFunc(part, func(r rune) bool { return r > 127 || !isAlnum(byte(r)) && r != '_' }) {
			return false
		}
	}
	return strings.HasPrefix(s, "/")
}

// validSignature follows the D-Bus specification: types one after another, of those
// that D-Bus has.
func validSignature(s string) bool {
	if len(s) > 255 || strings.ContainsAny(s, "m?*r") || typeDepth(s) > maxTypeDepth {
		return false
	}
	for s != "" {
		var first string
		if first, s = firstType(s); first == "" || strings.Contains(first, "()") {
			return false
		}
	}
	return true
}

// escapes are those that both kinds of strings know.
var escapes = map[byte]byte{'a': '\a', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', 'v': '\v'}

var errUnterminated = errors.New("unterminated string constant")

// unquote reads the string of a token that starts with its quote. special reads the
// escapes that only one kind of string knows, and returns what is behind them.
func unquote(token string, special func(out []byte, s string) ([]byte, string, error)) ([]byte, error) {
	quote, s := token[0], token[1:]
	out := []byte{}
	for {
		if s == "" {
			return nil, errUnterminated
		}
		c := s[0]
		s = s[1:]
		switch {
		case c == quote:
			return out, nil
		case c != '\\':
			out = append(out, c)
			continue
		case s == "":
			return nil, errUnterminated
		}
		before := len(s)
		var err error
		if out, s, err = special(out, s); err != nil {
			return nil, err
		}
		if len(s) != before {
			continue
		}
		switch c = s[0]; {
		case escapes[c] != 0:
			out = append(out, escapes[c])
		case c != '\n':
			out = append(out, c)
		}
		s = s[1:]
	}
}

func (p *varParser) stringExpr() (expr, error) {
	out, err := unquote(p.token, func(out []byte, s string) ([]byte, string, error) {
		digits := map[byte]int{'u': 4, 'U': 8}[s[0]]
		if digits == 0 {
			return out, s, nil
		}
		n, err := strconv.ParseUint(s[1:min(1+digits, len(s))], 16, 32)
		if err != nil || n == 0 || len(s) < 1+digits {
			return nil, "", fmt.Errorf("invalid %d-character unicode escape", digits)
		}
		return utf8.AppendRune(out, rune(n)), s[1+digits:], nil
	})
	if err != nil {
		return nil, p.errorf("%w", err)
	}
	p.token = ""
	return maybeExpr{stringExpr(out)}, nil
}

type bytesExpr []byte

func (e bytesExpr) pattern() (string, error) { return "ay", nil }

func (e bytesExpr) value(typ string) (*variant, error) {
	if typ != "ay" {
		return nil, typeError(typ)
	}
	return &variant{typ: typ, bytes: e}, nil
}

func (p *varParser) byteString() (expr, error) {
	out, err := unquote(p.token[1:], func(out []byte, s string) ([]byte, string, error) {
		var n, i int
		for ; i < 3 && i < len(s) && '0' <= s[i] && s[i] <= '7'; i++ {
			n = n<<3 | int(s[i]-'0')
		}
		if i > 0 {
			out = append(out, byte(n))
		}
		return out, s[i:], nil
	})
	if err != nil {
		return nil, p.errorf("%w", err)
	}
	p.token = ""
	if i := strings.IndexByte(string(out), 0); i >= 0 {
		out = out[:i] // it is a string of C
	}
	return maybeExpr{bytesExpr(append(out, 0))}, nil
}

var errNoCommonType = errors.New("unable to find a common type")

// commonPattern returns the types that fit all values.
func commonPattern(list []expr) (string, error) {
	all, err := list[0].pattern()
	for _, e := range list[1:] {
		if err != nil {
			return "", err
		}
		var p string
		if p, err = e.pattern(); err == nil {
			var ok bool
			if all, ok = coalesce(all, p); !ok {
				err = errNoCommonType
			}
		}
	}
	return all, err
}

// coalesce returns what fits both patterns.
func coalesce(left, right string) (string, bool) {
	var out []byte
	for left != "" && right != "" {
		if left[0] == right[0] {
			out = append(out, left[0])
			left, right = left[1:], right[1:]
			continue
		}
		if !narrow(&out, &left, &right) && !narrow(&out, &right, &left) {
			return "", false
		}
	}
	return string(out), left == "" && right == ""
}

// narrow lets what one allows beyond the other give way.
func narrow(out *[]byte, one, other *string) bool {
	take := func(s *string, n int) { *out, *s = append(*out, (*s)[:n]...), (*s)[n:] }
	a, b := (*one)[0], (*other)[0]
	switch {
	case a == '*' && b != ')':
		take(other, patternEnd(*other))
		*one = (*one)[1:]
	case a == 'M' && b == 'm':
		take(other, 1)
	case a == 'M' && b != '*':
		*one = (*one)[1:]
	case a == 'N' && strings.IndexByte("ynqiuxthd", b) >= 0, a == 'S' && strings.IndexByte("sog", b) >= 0:
		take(other, 1)
		*one = (*one)[1:]
	default:
		return false
	}
	return true
}

// patternEnd returns the length of the first complete type of a pattern.
func patternEnd(s string) int {
	i := 0
	for i < len(s) && strings.IndexByte("amM", s[i]) >= 0 {
		i++
	}
	for depth := 0; i < len(s); {
		switch s[i] {
		case '(', '{':
			depth++
		case ')', '}':
			depth--
		}
		if i++; depth <= 0 {
			break
		}
	}
	return i
}
