package shell

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// echo is dash's, which always interprets backslashes and knows -n only, or bash's,
// which does so after -e.
func echo(r *run, args []string) error {
	args = args[1:]
	newline, escapes := "\n", !r.bash
	for len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' {
		if !r.bash && args[0] != "-n" || strings.Trim(args[0][1:], "neE") != "" {
			break
		}
		for _, letter := range args[0][1:] {
			switch letter {
			case 'n':
				newline = ""
			case 'e':
				escapes = true
			case 'E':
				escapes = false
			}
		}
		if args = args[1:]; !r.bash {
			break
		}
	}
	s := strings.Join(args, " ")
	if escapes {
		var stop bool
		if s, stop = unescape(s, r.bash, !r.bash); stop {
			newline = ""
		}
	}
	return r.print(s + newline)
}

// maxWidth bounds the width and the precision of printf.
const maxWidth = 1 << 20

// formatter is a call of printf (XCU printf).
type formatter struct {
	r      *run
	args   []string
	used   int // arguments, of those that are left
	out    strings.Builder
	status int
	stop   bool // by \c
}

func printf(r *run, args []string) error {
	args = args[1:]
	name := ""
	if r.bash && len(args) > 1 && args[0] == "-v" {
		name, args = args[1], args[2:]
	}
	switch {
	case len(args) > 0 && args[0] == "--":
		args = args[1:]
	case len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-':
		return r.fault("printf: Illegal option %s", args[0][:2])
	}
	if len(args) == 0 {
		return r.fault("printf: usage: printf format [arg ...]")
	}
	f := &formatter{r: r, args: args[1:]}
	for {
		f.used = 0
		err := f.format(args[0])
		if err != nil {
			return err
		}
		if f.stop || f.used == 0 || len(f.args) == 0 {
			break
		}
		if err := r.step(); err != nil {
			return err
		}
		if f.out.Len() > maxValue {
			return &LimitError{fmt.Sprintf("%d MB of printf", maxValue>>20)}
		}
	}
	if name != "" {
		r.status = f.status
		if err := r.assign(name, f.out.String()); err != nil {
			return r.refuse("printf", err)
		}
		return nil
	}
	err := r.print(f.out.String())
	r.status = max(r.status, f.status)
	return err
}

// next returns the next argument.
func (f *formatter) next() (string, bool) {
	if len(f.args) == 0 {
		return "", false
	}
	a := f.args[0]
	f.args = f.args[1:]
	f.used++
	return a, true
}

// format writes the format once.
func (f *formatter) format(s string) error {
	for i := 0; i < len(s) && !f.stop; {
		switch s[i] {
		case '\\':
			n := 0
			if i+1 < len(s) {
				if n = hexEscape(&f.out, s[i+1:], f.r.bash); n == 0 {
					n = escape(&f.out, s[i+1:], f.r.bash)
				}
			}
			if n == 0 {
				f.out.WriteByte('\\')
			}
			i += 1 + n
		case '%':
			n, err := f.directive(s[i+1:])
			if err != nil {
				return err
			}
			i += 1 + n
		default:
			f.out.WriteByte(s[i])
			i++
		}
	}
	return nil
}

// spec is what stands between "%" and the letter.
type spec struct {
	flags            string
	width, precision int // -1 where there is none
}

// directive writes what a "%" means, and returns the length of what follows it.
func (f *formatter) directive(s string) (int, error) {
	if s != "" && s[0] == '%' {
		f.out.WriteByte('%')
		return 1, nil
	}
	if len(s) > 1 && f.r.bash && s[0] == '(' {
		return 0, Unsupported("printf %%(")
	}
	n := len(s) - len(strings.TrimLeft(s, "#-+ 0"))
	sp := spec{flags: s[:n], width: -1, precision: -1}
	var err error
	if n, err = f.size(s, n, &sp.width); err != nil {
		return 0, err
	}
	if sp.width < -1 {
		sp.flags, sp.width = sp.flags+"-", -sp.width
	}
	if n < len(s) && s[n] == '.' {
		sp.precision = 0
		if n, err = f.size(s, n+1, &sp.precision); err != nil {
			return 0, err
		}
	}
	if n == len(s) {
		return 0, f.invalid(s)
	}
	switch c := s[n]; c {
	case 'b':
		arg, _ := f.next()
		var text string
		text, f.stop = unescape(arg, f.r.bash, true)
		f.pad(f.cut(text, sp), sp)
	case 'c':
		arg, _ := f.next()
		if arg == "" {
			arg = "\x00"
		}
		f.pad(arg[:1], sp)
	case 's':
		arg, _ := f.next()
		f.pad(f.cut(arg, sp), sp)
	case 'q':
		if !f.r.bash {
			return 0, f.invalid(s[:n+1])
		}
		arg, _ := f.next()
		f.pad(bashQuote(arg), sp)
	case 'd', 'i', 'o', 'u', 'x', 'X':
		return n + 1, f.integer(c, sp)
	case 'e', 'E', 'f', 'F', 'g', 'G':
		return n + 1, f.float(c, sp)
	default:
		return 0, f.invalid(s[:n+1])
	}
	return n + 1, nil
}

func (f *formatter) invalid(s string) error {
	if err := f.r.print(f.out.String()); err != nil {
		return err
	}
	return f.r.fault("printf: %%%s: invalid directive", s)
}

// size reads a width or a precision that begins at n, and returns where it ends.
func (f *formatter) size(s string, n int, to *int) (int, error) {
	if n < len(s) && s[n] == '*' {
		arg, _ := f.next()
		v, err := f.number(arg)
		if err != nil {
			return 0, err
		}
		*to = int(min(max(v, -maxWidth-1), maxWidth+1))
		n++
	} else {
		end := n
		for end < len(s) && isDigit(rune(s[end])) {
			end++
		}
		if end > n {
			v, err := strconv.Atoi(s[n:end])
			if err != nil {
				v = maxWidth + 1
			}
			*to, n = v, end
		}
	}
	if *to > maxWidth || *to < -maxWidth {
		return 0, &LimitError{fmt.Sprintf("printf with a width of more than %d", maxWidth)}
	}
	return n, nil
}

func (f *formatter) cut(s string, sp spec) string {
	if sp.precision >= 0 && sp.precision < len(s) {
		return s[:sp.precision]
	}
	return s
}

func (f *formatter) pad(s string, sp spec) {
	n := max(sp.width-len(s), 0)
	if strings.Contains(sp.flags, "-") {
		f.out.WriteString(s + strings.Repeat(" ", n))
		return
	}
	f.out.WriteString(strings.Repeat(" ", n) + s)
}

// complain notes an argument that is no number.
func (f *formatter) complain(arg, what string) error {
	f.status = 1
	return f.r.complain(1, "printf: %s: %s", arg, what)
}

// number reads an integer as strtoimax(3) does with base 0.
func (f *formatter) number(arg string) (int64, error) {
	if arg != "" && (arg[0] == '\'' || arg[0] == '"') {
		if len(arg) == 1 {
			return 0, nil
		}
		c, _ := decode(arg[1:], f.r.bash)
		return int64(c), nil
	}
	s := strings.TrimLeft(arg, " \t\n\v\f\r")
	sign := s[:min(1, len(s))]
	if sign == "-" || sign == "+" {
		s = s[1:]
	}
	if arg == "" {
		return 0, nil
	}
	if s == "" || !isDigit(rune(s[0])) {
		return 0, f.complain(arg, "expected numeric value")
	}
	n := numberLength(s)
	base, digits := 10, s[:n]
	if len(digits) > 1 && digits[0] == '0' {
		base, digits = 8, digits[1:]
		if digits[0] == 'x' || digits[0] == 'X' {
			base, digits = 16, digits[1:]
		}
	}
	u, err := strconv.ParseUint(digits, base, 64)
	v := int64(u)
	if sign == "-" {
		v = -v
	}
	switch {
	case err != nil || u > math.MaxInt64 && sign == "-":
		if v = math.MaxInt64; sign == "-" {
			v = math.MinInt64
		}
		return v, f.complain(arg, "Numerical result out of range")
	case n < len(s):
		return v, f.complain(arg, "not completely converted")
	}
	return v, nil
}

func (f *formatter) integer(c byte, sp spec) error {
	arg, _ := f.next()
	v, err := f.number(arg)
	if err != nil {
		return err
	}
	var digits, sign string
	switch c {
	case 'd', 'i':
		digits = strings.TrimPrefix(strconv.FormatInt(v, 10), "-")
		switch {
		case v < 0:
			sign = "-"
		case strings.Contains(sp.flags, "+"):
			sign = "+"
		case strings.Contains(sp.flags, " "):
			sign = " "
		}
	default:
		base := map[byte]int{'o': 8, 'u': 10, 'x': 16, 'X': 16}[c]
		digits = strconv.FormatUint(uint64(v), base)
		if strings.Contains(sp.flags, "#") && v != 0 {
			sign = map[byte]string{'x': "0x", 'X': "0x"}[c]
			if c == 'o' {
				digits = "0" + digits
			}
		}
	}
	if sp.precision == 0 && v == 0 {
		digits = ""
	}
	if n := sp.precision - len(digits); n > 0 {
		digits = strings.Repeat("0", n) + digits
	} else if n := sp.width - len(digits) - len(sign); sp.precision < 0 && n > 0 && strings.Contains(sp.flags, "0") && !strings.Contains(sp.flags, "-") {
		digits = strings.Repeat("0", n) + digits
	}
	if s := sign + digits; c == 'X' {
		f.pad(strings.ToUpper(s), sp)
	} else {
		f.pad(s, sp)
	}
	return nil
}

func (f *formatter) float(c byte, sp spec) error {
	arg, _ := f.next()
	var v float64
	switch {
	case arg == "":
	case arg[0] == '\'' || arg[0] == '"':
		n, err := f.number(arg)
		if err != nil {
			return err
		}
		v = float64(n)
	default:
		var err error
		if v, err = strconv.ParseFloat(strings.TrimLeft(arg, " \t\n"), 64); err != nil || strings.Contains(arg, "_") {
			return Unsupported("printf: the number %s", arg)
		}
	}
	if math.IsInf(v, 0) || math.IsNaN(v) {
		return Unsupported("printf: the number %s", arg)
	}
	if sp.precision < 0 {
		sp.precision = 6
	}
	if (c == 'g' || c == 'G') && strings.Contains(sp.flags, "#") {
		return Unsupported("printf %%#%c", c)
	}
	flags := ""
	for _, flag := range "+- 0" {
		if strings.ContainsRune(sp.flags, flag) && !(flag == '0' && strings.Contains(sp.flags, "-")) {
			flags += string(flag)
		}
	}
	fmt.Fprintf(&f.out, "%"+flags+"*.*"+string(c), max(sp.width, 0), sp.precision, v)
	return nil
}

// bashQuote quotes as bash's %q does.
func bashQuote(s string) string {
	if s == "" {
		return "''"
	}
	var b strings.Builder
	for _, c := range []byte(s) {
		if c < ' ' || c >= 0x7f {
			return ansiCQuote(s)
		}
		if !isNameChar(c) && strings.IndexByte("%+-./:=@", c) < 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(c)
	}
	return b.String()
}

func ansiCQuote(s string) string {
	var b strings.Builder
	b.WriteString("$'")
	for _, c := range []byte(s) {
		switch i := strings.IndexByte("\a\b\x1b\f\n\r\t\v\\'", c); {
		case i >= 0:
			b.WriteString(`\` + `abEfnrtv\'`[i:i+1])
		case c < ' ' || c >= 0x7f:
			fmt.Fprintf(&b, `\%03o`, c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String() + "'"
}
