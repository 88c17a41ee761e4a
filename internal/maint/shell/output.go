package shell

import (
	"math"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// echo is dash's, which always interprets backslashes and knows -n only, or bash's,
// which interprets them after -e.
func echo(r *run, args []string) error {
	args = args[1:]
	newline, interpret := "\n", !r.bash
	for len(args) > 0 {
		letters, option := strings.CutPrefix(args[0], "-")
		if !option || letters == "" || strings.Trim(letters, "neE") != "" || !r.bash && args[0] != "-n" {
			break
		}
		if strings.Contains(letters, "n") {
			newline = ""
		}
		if i := strings.LastIndexAny(letters, "eE"); i >= 0 {
			interpret = letters[i] == 'e'
		}
		args = args[1:]
		if !r.bash {
			break
		}
	}
	s := strings.Join(args, " ")
	if interpret && strings.Contains(s, `\`) {
		var stop bool
		if s, stop = unescape(s, escapesOfEcho, r.bash); stop {
			newline = ""
		}
	}
	return r.print(s + newline)
}

// escapes says which backslash escapes are interpreted.
type escapes int

const (
	escapesOfEcho   escapes = iota // of echo and of %b: \c ends, \0 may be before octal digits
	escapesOfFormat                // of the format of printf
)

// unescape interprets the escapes of echo and printf (XCU echo, printf). stop says
// that \c ended the text.
func unescape(s string, kind escapes, bash bool) (text string, stop bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		c := s[i]
		at := strings.IndexByte(`abefnrtv\`, c)
		switch {
		case c == 'c' && (kind == escapesOfEcho || bash):
			return b.String(), true
		case at >= 0:
			b.WriteByte("\a\b\x1b\f\n\r\t\v\\"[at])
		case bash && (c == 'x' || c == 'u' || c == 'U'):
			i += unescapeHex(&b, s[i:]) - 1
		case bash && kind == escapesOfFormat && (c == '"' || c == '\''):
			b.WriteByte(c)
		case c >= '0' && c <= '7':
			most := i + 3
			if c == '0' && kind == escapesOfEcho {
				most++
			}
			n := 0
			for ; i < len(s) && i < most && s[i] >= '0' && s[i] <= '7'; i++ {
				n = n*8 + int(s[i]-'0')
			}
			i--
			b.WriteByte(byte(n))
		default:
			b.WriteByte('\\')
			b.WriteByte(c)
		}
	}
	return b.String(), false
}

// unescapeHex interprets bash's \xHH, \uHHHH and \UHHHHHHHH, and returns how long
// that is without the backslash.
func unescapeHex(b *strings.Builder, s string) int {
	end := 1
	most := map[byte]int{'x': 2, 'u': 4, 'U': 8}[s[0]]
	for end < len(s) && end <= most && strings.IndexByte("0123456789abcdefABCDEF", s[end]) >= 0 {
		end++
	}
	v, err := strconv.ParseUint(s[1:end], 16, 32)
	switch {
	case err != nil:
		b.WriteString(`\` + s[:1])
	case s[0] == 'x':
		b.WriteByte(byte(v))
	default:
		b.WriteString(string(rune(v)))
	}
	return end
}

// printer is one call of printf.
type printer struct {
	r    *run
	args []string
	used bool // an argument was there to be taken
	stop bool // \c of %b ended all
	out  strings.Builder
}

// printf is the builtin printf (XCU printf), which goes through its format until no
// argument is left.
func printf(r *run, args []string) error {
	name := ""
	if r.bash && len(args) > 2 && args[1] == "-v" {
		name, args = args[2], args[2:]
	}
	if len(args) > 1 && args[1] == "--" {
		args = args[1:]
	}
	if len(args) < 2 {
		return r.complain(2, "printf: usage: printf format [arg ...]")
	}
	p := &printer{r: r, args: args[2:]}
	r.status = 0
	for again := true; again; again = p.used && len(p.args) > 0 && !p.stop {
		if err := p.format(args[1]); err != nil {
			return err
		}
		if p.out.Len() > maxValue {
			return &LimitError{"output of printf"}
		}
	}
	if name != "" {
		return r.set(name, p.out.String())
	}
	status := r.status
	err := r.print(p.out.String())
	r.status = status
	return err
}

// complain says what is wrong, and goes on.
func (p *printer) complain(format string, args ...any) error {
	return p.r.complain(1, "printf: "+format, args...)
}

func (p *printer) next() string {
	if len(p.args) == 0 {
		return ""
	}
	arg := p.args[0]
	p.args, p.used = p.args[1:], true
	return arg
}

// format goes through the format once.
func (p *printer) format(format string) error {
	for format != "" && !p.stop {
		i := strings.IndexByte(format, '%')
		if i < 0 {
			i = len(format)
		}
		text, stop := unescape(format[:i], escapesOfFormat, p.r.bash)
		p.out.WriteString(text)
		if p.stop = stop; stop || i == len(format) {
			return nil
		}
		format = format[i:]
		if strings.HasPrefix(format, "%%") {
			p.out.WriteByte('%')
			format = format[2:]
			continue
		}
		var bad error
		c, used := ParseConversion(format, func() int {
			n, err := p.integer(p.next())
			bad = err
			return int(int64(n))
		})
		switch {
		case bad != nil:
			return bad
		case used == 0:
			p.stop = true
			return p.r.complain(2, "printf: missing format character")
		case max(c.Width, c.Precision) > maxValue:
			return &LimitError{"width of printf"}
		}
		format = format[used:]
		if err := p.convert(c); err != nil {
			return err
		}
	}
	return nil
}

func (p *printer) convert(c Conversion) error {
	switch c.Verb {
	case 's':
		p.out.WriteString(c.Text(p.next()))
	case 'b':
		text, stop := unescape(p.next(), escapesOfEcho, p.r.bash)
		p.stop = stop
		p.out.WriteString(c.Text(text))
	case 'c':
		text := p.next()
		if text == "" && !p.r.bash {
			text = "\x00"
		}
		p.out.WriteString(c.Text(text[:min(1, len(text))]))
	case 'd', 'i', 'u', 'o', 'x', 'X':
		v, err := p.integer(p.next())
		if err != nil {
			return err
		}
		if c.Verb == 'd' || c.Verb == 'i' {
			n := int64(v)
			p.out.WriteString(c.Integer(strings.TrimPrefix(strconv.FormatInt(n, 10), "-"), n < 0))
		} else {
			p.out.WriteString(c.Unsigned(v))
		}
	case 'e', 'E', 'f', 'F', 'g', 'G':
		f, err := p.float(p.next())
		if err != nil {
			return err
		}
		p.out.WriteString(c.Float(f))
	case 'q':
		if !p.r.bash {
			p.stop = true
			return p.r.complain(2, "printf: %%%c: invalid directive", c.Verb)
		}
		quoted, err := syntax.Quote(p.next(), syntax.LangBash)
		if err != nil {
			return Unsupported("printf: %%q of this text")
		}
		p.out.WriteString(c.Text(quoted))
	default:
		if p.r.bash {
			return Unsupported("printf: the conversion %%%c", c.Verb)
		}
		p.stop = true
		return p.r.complain(2, "printf: %%%c: invalid directive", c.Verb)
	}
	return nil
}

// integer reads a number as strtoimax(3) does, or the code of a character behind a
// quote.
func (p *printer) integer(text string) (uint64, error) {
	if text == "" {
		return 0, nil
	}
	if text[0] == '"' || text[0] == '\'' {
		return uint64((text + "\x00")[1]), nil
	}
	trimmed := strings.TrimLeft(text, " \t\n")
	digits, negative := strings.CutPrefix(trimmed, "-")
	digits = strings.TrimPrefix(digits, "+")
	base := 10
	switch {
	case len(digits) > 2 && (digits[:2] == "0x" || digits[:2] == "0X"):
		base, digits = 16, digits[2:]
	case strings.HasPrefix(digits, "0"):
		base = 8
	}
	end := 0
	for end < len(digits) {
		if _, err := strconv.ParseUint(digits[end:end+1], base, 8); err != nil {
			break
		}
		end++
	}
	if end == 0 {
		return 0, p.complain("%s: expected numeric value", text)
	}
	v, err := strconv.ParseUint(digits[:end], base, 64)
	switch {
	case err != nil || v > math.MaxInt64 && negative:
		v = math.MaxInt64
		err = p.complain("%s: Numerical result out of range", text)
	case end < len(digits):
		err = p.complain("%s: not completely converted", text)
	}
	if negative {
		v = -v
	}
	return v, err
}

func (p *printer) float(text string) (float64, error) {
	if text == "" {
		return 0, nil
	}
	if text[0] == '"' || text[0] == '\'' {
		return float64((text + "\x00")[1]), nil
	}
	trimmed := strings.TrimLeft(text, " \t\n")
	for end := min(len(trimmed), 400); end > 0; end-- {
		f, err := strconv.ParseFloat(trimmed[:end], 64)
		if err != nil || strings.Contains(trimmed[:end], "_") {
			continue
		}
		if end < len(trimmed) {
			return f, p.complain("%s: not completely converted", text)
		}
		return f, nil
	}
	return 0, p.complain("%s: expected numeric value", text)
}
