package text

import (
	"fmt"
	"strconv"
	"strings"
)

// awkToken is a kind of token of awk (POSIX XCU awk, "grammar").
type awkToken int

const (
	awkEnd awkToken = iota
	awkNewline
	awkNumber
	awkString
	awkRegex
	awkName
	awkCall    // a name with "(" right behind it
	awkBuiltin // the name of a function of awk
	awkWord    // a reserved word
	awkSign    // an operator or another sign
)

var awkWords = map[string]bool{
	"BEGIN": true, "END": true, "function": true, "func": true, "if": true, "else": true, "while": true, "for": true, "do": true,
	"break": true, "continue": true, "next": true, "nextfile": true, "exit": true, "return": true, "delete": true, "in": true,
	"getline": true, "print": true, "printf": true,
}

// awkSyntaxError is a fault of a program.
type awkSyntaxError struct {
	line int
	text string
}

func (e *awkSyntaxError) Error() string { return fmt.Sprintf("line %d: %s", e.line, e.text) }

// awkLexer divides a program into tokens.
type awkLexer struct {
	src  string
	pos  int
	line int

	token awkToken
	text  string // of the token; a string's without its escapes
	num   float64
}

func (l *awkLexer) errorf(format string, args ...any) error {
	return &awkSyntaxError{l.line, fmt.Sprintf(format, args...)}
}

// awkSigns are the operators, long ones first.
var awkSigns = []string{
	"**=", "&&", "||", "++", "--", "+=", "-=", "*=", "/=", "%=", "^=", "**", "==", "<=", ">=", "!=", "!~", ">>",
	"{", "}", "(", ")", "[", "]", ";", ",", "+", "-", "*", "/", "%", "^", "!", ">", "<", "|", "?", ":", "~", "$", "=",
}

// next reads a token.
func (l *awkLexer) next() error {
	l.blanks()
	if l.pos >= len(l.src) {
		l.token, l.text = awkEnd, "end of program"
		return nil
	}
	c := l.src[l.pos]
	switch {
	case c == '\n':
		l.pos++
		l.line++
		l.token, l.text = awkNewline, "newline"
		return nil
	case c == '"':
		return l.string()
	case isDigit(c) || c == '.' && l.pos+1 < len(l.src) && isDigit(l.src[l.pos+1]):
		n := numberPrefix(l.src[l.pos:])
		l.token, l.text = awkNumber, n
		l.num, _ = strconv.ParseFloat(n, 64)
		l.pos += len(n)
		return nil
	case c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z':
		l.name()
		return nil
	}
	for _, sign := range awkSigns {
		if strings.HasPrefix(l.src[l.pos:], sign) {
			l.pos += len(sign)
			switch sign {
			case "**":
				sign = "^"
			case "**=":
				sign = "^="
			}
			l.token, l.text = awkSign, sign
			return nil
		}
	}
	return l.errorf("unexpected character %q", c)
}

// blanks skips spaces, comments and lines that go on.
func (l *awkLexer) blanks() {
	for l.pos < len(l.src) {
		switch c := l.src[l.pos]; {
		case c == ' ' || c == '\t' || c == '\r':
			l.pos++
		case c == '\\' && strings.HasPrefix(l.src[l.pos+1:], "\n"):
			l.pos += 2
			l.line++
		case c == '\\' && strings.HasPrefix(l.src[l.pos+1:], "\r\n"):
			l.pos += 3
			l.line++
		case c == '#':
			for l.pos < len(l.src) && l.src[l.pos] != '\n' {
				l.pos++
			}
		default:
			return
		}
	}
}

func (l *awkLexer) name() {
	from := l.pos
	for l.pos < len(l.src) && (l.src[l.pos] == '_' || byteClasses["alnum"](l.src[l.pos])) {
		l.pos++
	}
	l.text = l.src[from:l.pos]
	switch {
	case awkWords[l.text]:
		l.token = awkWord
	case awkFunctions[l.text] != nil:
		l.token = awkBuiltin
	case l.pos < len(l.src) && l.src[l.pos] == '(':
		l.token = awkCall
	default:
		l.token = awkName
	}
}

func (l *awkLexer) string() error {
	for i := l.pos + 1; i < len(l.src); i++ {
		switch l.src[i] {
		case '\\':
			i++
		case '\n':
			return l.errorf("a string without end")
		case '"':
			l.token, l.text = awkString, awkUnescape(l.src[l.pos+1:i])
			l.pos = i + 1
			return nil
		}
	}
	return l.errorf("a string without end")
}

// awkUnescape replaces the escapes of a string. As in mawk, a backslash before
// anything else stays.
func awkUnescape(text string) string {
	if strings.IndexByte(text, '\\') < 0 {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' || i+1 == len(text) {
			b.WriteByte(text[i])
			continue
		}
		i++
		c := text[i]
		at := strings.IndexByte("abfnrtv\"\\", c)
		switch {
		case at >= 0:
			b.WriteByte("\a\b\f\n\r\t\v\"\\"[at])
		case c >= '0' && c <= '7':
			v, used := setByte(text[i-1:])
			b.WriteByte(v)
			i += used - 2
		case c == 'x' && i+1 < len(text) && byteClasses["xdigit"](text[i+1]):
			digits := 1
			if i+2 < len(text) && byteClasses["xdigit"](text[i+2]) {
				digits++
			}
			v, _ := strconv.ParseUint(text[i+1:i+1+digits], 16, 8)
			b.WriteByte(byte(v))
			i += digits
		case c == '\n':
		default:
			b.WriteByte('\\')
			b.WriteByte(c)
		}
	}
	return b.String()
}

// regex reads a regular expression whose first slash is the present token, which may
// be "/=" too.
func (l *awkLexer) regex() error {
	from := l.pos
	if l.text == "/=" {
		from--
	}
	bracket := false
	for i := from; i < len(l.src); i++ {
		switch c := l.src[i]; {
		case c == '\\':
			i++
		case c == '\n':
			return l.errorf("a regular expression without end")
		case c == '[' && !bracket:
			bracket = true
			if strings.HasPrefix(l.src[i+1:], "^") {
				i++
			}
			if strings.HasPrefix(l.src[i+1:], "]") {
				i++
			}
		case c == '[' && i+1 < len(l.src) && strings.IndexByte(":.=", l.src[i+1]) >= 0:
			if end := strings.Index(l.src[i+2:], l.src[i+1:i+2]+"]"); end >= 0 {
				i += end + 3
			}
		case c == ']':
			bracket = false
		case c == '/' && !bracket:
			l.token, l.text = awkRegex, strings.ReplaceAll(l.src[from:i], `\/`, "/")
			l.pos = i + 1
			return nil
		}
	}
	return l.errorf("a regular expression without end")
}

// numberPrefix returns the longest decimal number at the start of a text, "" where
// there is none.
func numberPrefix(text string) string {
	i := 0
	digits := func() bool {
		from := i
		for i < len(text) && isDigit(text[i]) {
			i++
		}
		return i > from
	}
	if i < len(text) && (text[i] == '+' || text[i] == '-') {
		i++
	}
	whole := digits()
	if i < len(text) && text[i] == '.' {
		i++
		if !digits() && !whole {
			return ""
		}
	} else if !whole {
		return ""
	}
	end := i
	if i < len(text) && text[i]|0x20 == 'e' {
		i++
		if i < len(text) && (text[i] == '+' || text[i] == '-') {
			i++
		}
		if digits() {
			end = i
		}
	}
	return text[:end]
}
