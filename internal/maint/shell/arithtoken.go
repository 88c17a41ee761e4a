package shell

import (
	"math"
	"strconv"
	"strings"
)

// operators are those of both shells; bash's others follow.
var (
	operators     = []string{"<<=", ">>=", "<<", ">>", "<=", ">=", "==", "!=", "&&", "||", "*=", "/=", "%=", "+=", "-=", "&=", "^=", "|="}
	bashOperators = append([]string{"**", "++", "--"}, operators...)
)

// token returns the next token, "" at the end.
func (a *arithmetic) token() string {
	if a.next != "" {
		return a.next
	}
	for a.at < len(a.text) && strings.IndexByte(" \t\n", a.text[a.at]) >= 0 {
		a.at++
	}
	rest := a.text[a.at:]
	if rest == "" {
		return ""
	}
	n := 0
	if isNameChar(rest[0]) {
		for n < len(rest) && (isNameChar(rest[n]) || n > 0 && a.r.bash && rest[n] == '#' && isDigit(rune(rest[0]))) {
			n++
		}
		if !a.r.bash && isDigit(rune(rest[0])) {
			n = numberLength(rest[:n])
		}
	} else {
		list := operators
		if a.r.bash {
			list = bashOperators
		}
		n = 1
		for _, op := range list {
			if strings.HasPrefix(rest, op) {
				n = len(op)
				break
			}
		}
	}
	a.next = rest[:n]
	return a.next
}

// numberLength returns how much of a text strtol(3) takes for a number.
func numberLength(s string) int {
	digits, n := "0123456789", 0
	if s[0] == '0' {
		digits = "01234567"
		if len(s) > 2 && (s[1] == 'x' || s[1] == 'X') && strings.IndexByte("0123456789abcdefABCDEF", s[2]) >= 0 {
			digits, n = "0123456789abcdefABCDEF", 2
		}
	}
	for n < len(s) && strings.IndexByte(digits, s[n]) >= 0 {
		n++
	}
	return n
}

func isNameChar(c byte) bool { return c == '_' || isAlpha(rune(c)) || isDigit(rune(c)) }

func (a *arithmetic) take() string {
	t := a.token()
	a.at += len(t)
	a.next = ""
	return t
}

// parseNumber reads a number as strtol(3) does with base 0; bash has "base#digits"
// too.
func parseNumber(t string, bash bool) (int64, bool) {
	base, digits := 10, t
	if i := strings.IndexByte(t, '#'); i >= 0 && bash {
		b, err := strconv.Atoi(t[:i])
		if err != nil || b < 2 || b > 36 {
			return 0, false
		}
		base, digits = b, t[i+1:]
	} else if t[0] == '0' && len(t) > 1 {
		base, digits = 8, t[1:]
		if t[1] == 'x' || t[1] == 'X' {
			base, digits = 16, t[2:]
		}
	}
	n, err := strconv.ParseUint(digits, base, 64)
	if ne, ok := err.(*strconv.NumError); ok && ne.Err == strconv.ErrRange && !bash {
		return math.MaxInt64, true
	}
	if n > math.MaxInt64 && !bash {
		n = math.MaxInt64
	}
	return int64(n), err == nil
}

// strtol reads the whole of a text as a number in any of C's notations; no text is 0.
func strtol(s string) (int64, bool) {
	s = strings.Trim(s, " \t\n\v\f\r")
	negative := strings.HasPrefix(s, "-")
	if negative || strings.HasPrefix(s, "+") {
		s = s[1:]
	} else if s == "" {
		return 0, true
	}
	if s == "" || !isDigit(rune(s[0])) || numberLength(s) != len(s) {
		return 0, false
	}
	n, ok := parseNumber(s, false)
	if negative {
		n = -n
	}
	return n, ok
}
