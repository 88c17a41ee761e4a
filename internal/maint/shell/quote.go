package shell

import (
	"path"
	"strconv"
	"strings"
	"unicode/utf8"
)

// quote quotes a text with single quotes, as the shell does where it prints what can
// be read again.
func (r *run) quote(s string) string {
	if r.bash {
		return quote(s)
	}
	var b strings.Builder
	for {
		text := s[:len(s)-len(strings.TrimLeft(s, "'"))]
		if i := strings.IndexByte(s, '\''); i != 0 || text == "" {
			if i < 0 {
				i = len(s)
			}
			b.WriteString("'" + s[:i] + "'")
			s = s[i:]
		} else {
			b.WriteString("''")
		}
		quotes := len(s) - len(strings.TrimLeft(s, "'"))
		if quotes == 0 {
			return b.String()
		}
		b.WriteString(`"` + s[:quotes] + `"`)
		if s = s[quotes:]; s == "" {
			return b.String()
		}
	}
}

// quote quotes a text with single quotes, for origins and errors.
func quote(s string) string {
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// text returns a command as an origin and an error show it, in one line.
func text(args []string) string {
	words := make([]string, len(args))
	size := 0
	for i, a := range args {
		if i == 0 && strings.HasPrefix(a, "/") {
			a = path.Base(a)
		}
		if size > maxShown {
			words = words[:i]
			break
		}
		a = shortened(a, 200)
		if a == "" || strings.ContainsAny(a, " \t\n'\"\\$*?;|&<>()`") {
			a = quote(a)
		}
		words[i] = a
		size += len(a)
	}
	return strings.ReplaceAll(shortened(strings.Join(words, " "), maxShown), "\n", " ")
}

// maxShown is how much of a command is shown, bytes.
const maxShown = 500

func shortened(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "..."
}

// ansiC interprets what is in bash's $'...'.
func ansiC(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		n := 0
		switch c := s[i]; c {
		case 'c':
			if i+1 < len(s) {
				i++
				b.WriteByte(s[i] & 0x1f)
			}
		case 'x', 'u', 'U':
			width := map[byte]int{'x': 2, 'u': 4, 'U': 8}[c]
			for n < width && i+1+n < len(s) && classes["xdigit"](rune(s[i+1+n])) {
				n++
			}
			v, err := strconv.ParseUint(s[i+1:i+1+n], 16, 32)
			switch {
			case err != nil:
				b.WriteString(`\` + string(rune(c)))
			case c == 'x':
				b.WriteByte(byte(v))
			default:
				b.WriteRune(rune(v))
			}
			i += n
		default:
			var used int
			if used = escape(&b, s[i:], true); used == 0 {
				b.WriteByte('\\')
				b.WriteByte(c)
				used = 1
			}
			i += used - 1
		}
	}
	text, _, _ := strings.Cut(b.String(), "\x00")
	return text
}

// escape writes the character that a backslash before s means (XCU printf), and
// returns how much of s it takes, 0 where it means none. more says that those of
// bash count too.
func escape(b *strings.Builder, s string, more bool) int {
	if s == "" {
		return 0
	}
	if i := strings.IndexByte(`abfnrtv\`, s[0]); i >= 0 {
		b.WriteByte("\a\b\f\n\r\t\v\\"[i])
		return 1
	}
	if s[0] == 'e' {
		b.WriteByte('\x1b')
		return 1
	}
	if more {
		if i := strings.IndexByte(`E'"?`, s[0]); i >= 0 {
			b.WriteByte("\x1b'\"?"[i])
			return 1
		}
	}
	n, v := 0, 0
	for n < 3 && n < len(s) && s[n] >= '0' && s[n] <= '7' {
		v = v*8 + int(s[n]-'0')
		n++
	}
	if n > 0 {
		b.WriteByte(byte(v))
	}
	return n
}

// unescape interprets the escapes of %b, and of echo. more says that those of bash
// count too, octal that \101 does as well as \0101; stop says that \c ended all.
func unescape(s string, more, octal bool) (text string, stop bool) {
	if strings.IndexByte(s, '\\') < 0 {
		return s, false
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		rest := s[i+1:]
		switch rest[0] {
		case 'c':
			return b.String(), true
		case '0': // and up to three digits after it
			i++
			rest = rest[1:]
			if rest == "" || rest[0] < '0' || rest[0] > '7' {
				b.WriteByte(0)
				continue
			}
		}
		n := hexEscape(&b, rest, more)
		if n == 0 && (octal || s[i] == '0' || rest[0] < '0' || rest[0] > '7') {
			n = escape(&b, rest, more && rest[0] != '\'' && rest[0] != '"' && rest[0] != '?')
		}
		if n == 0 {
			b.WriteByte('\\')
			b.WriteByte(rest[0])
			n = 1
		}
		i += n
	}
	return b.String(), false
}

// hexEscape is escape for bash's \xHH, \uHHHH and \UHHHHHHHH.
func hexEscape(b *strings.Builder, s string, more bool) int {
	width := map[byte]int{'x': 2, 'u': 4, 'U': 8}[s[0]]
	if !more || width == 0 {
		return 0
	}
	n := 1
	for n <= width && n < len(s) && classes["xdigit"](rune(s[n])) {
		n++
	}
	v, err := strconv.ParseUint(s[1:n], 16, 32)
	if err != nil {
		return 0
	}
	if s[0] == 'x' {
		b.WriteByte(byte(v))
	} else {
		b.WriteRune(rune(v))
	}
	return n
}
