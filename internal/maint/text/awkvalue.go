package text

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// awkValue is a value of awk: a string, a number, or both.
type awkValue struct {
	kind awkKind
	s    string
	n    float64
}

type awkKind int

const (
	kindNone   awkKind = iota // not set: "" and 0
	kindString                //
	kindNumber                //
	kindInput                 // read, and so a number too if it looks like one
)

func awkNum(n float64) awkValue    { return awkValue{kind: kindNumber, n: n} }
func awkInt(n int) awkValue        { return awkNum(float64(n)) }
func awkStr(s string) awkValue     { return awkValue{kind: kindString, s: s} }
func awkFromIn(s string) awkValue  { return awkValue{kind: kindInput, s: s} }
func awkTruth(holds bool) awkValue { return awkInt(map[bool]int{true: 1}[holds]) }

// num returns the value as a number.
func (v awkValue) num() float64 {
	switch v.kind {
	case kindNumber:
		return v.n
	case kindNone:
		return 0
	}
	n, _ := strconv.ParseFloat(numberPrefix(strings.TrimLeft(v.s, " \t\n\r\f\v")), 64)
	return n
}

// looksNumeric returns the number that a value of the input is, if it is one.
func (v awkValue) looksNumeric() (float64, bool) {
	switch v.kind {
	case kindNumber, kindNone:
		return v.n, true
	case kindString:
		return 0, false
	}
	s := strings.Trim(v.s, " \t\n\r\f\v")
	if p := numberPrefix(s); p == "" || p != s {
		return 0, false
	}
	n, _ := strconv.ParseFloat(s, 64)
	return n, true
}

// truth reports whether the value counts as true.
func (v awkValue) truth() bool {
	if n, ok := v.looksNumeric(); ok {
		return n != 0
	}
	return v.s != ""
}

// str returns the value as a string; format is CONVFMT or OFMT.
func (v awkValue) str(format string) string {
	if v.kind != kindNumber {
		return v.s
	}
	switch {
	case math.IsNaN(v.n):
		return "nan"
	case math.IsInf(v.n, 0):
		return strings.ToLower(strings.TrimPrefix(strconv.FormatFloat(v.n, 'g', -1, 64), "+"))
	case v.n == math.Trunc(v.n) && math.Abs(v.n) < 1<<53:
		return strconv.FormatInt(int64(v.n), 10)
	case format == "%.6g":
		return formatG(v.n, 6, false)
	}
	return awkFormatNumber(format, v.n)
}

func awkFormatNumber(format string, n float64) string {
	out, err := awkFormat(format, []awkValue{awkNum(n)}, "%.6g", false)
	if err != nil {
		return formatG(n, 6, false)
	}
	return out
}

// formatG formats as %g of printf(3); alternate keeps the zeros at the end.
func formatG(n float64, precision int, alternate bool) string {
	if precision == 0 {
		precision = 1
	}
	e := strconv.FormatFloat(n, 'e', precision-1, 64)
	mantissa, exponent, _ := strings.Cut(e, "e")
	x, err := strconv.Atoi(exponent)
	if err != nil {
		return e // an infinity
	}
	if x >= -4 && x < precision {
		mantissa, exponent = strconv.FormatFloat(n, 'f', precision-1-x, 64), ""
	}
	if !alternate && strings.Contains(mantissa, ".") {
		mantissa = strings.TrimRight(strings.TrimRight(mantissa, "0"), ".")
	}
	if exponent == "" {
		return mantissa
	}
	return mantissa + "e" + exponent
}

var errMissingArgument = errors.New("not enough arguments passed to printf")

// awkFormat is sprintf.
func awkFormat(format string, args []awkValue, convfmt string, chars bool) (string, error) {
	var b strings.Builder
	missing := false
	next := func() awkValue {
		if len(args) == 0 {
			missing = true
			return awkValue{}
		}
		v := args[0]
		args = args[1:]
		return v
	}
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			b.WriteByte(format[i])
			continue
		}
		if strings.HasPrefix(format[i+1:], "%") {
			b.WriteByte('%')
			i++
			continue
		}
		spec, used := parseSpec(format[i:], next)
		if used == 0 {
			b.WriteString(format[i:])
			break
		}
		i += used - 1
		if max(spec.width, spec.precision) > 1<<20 || b.Len() > maxSedSpace {
			return "", fmt.Errorf("a field of %d characters", max(spec.width, spec.precision))
		}
		if spec.write(&b, next(), convfmt, chars); missing {
			return "", errMissingArgument
		}
	}
	return b.String(), nil
}

// formatSpec is one conversion of printf(3).
type formatSpec struct {
	minus, plus, space, zero, sharp bool
	width, precision                int // precision is -1 if none was given
	verb                            byte
}

// parseSpec reads a conversion, and returns how long it is; 0 where it has no end.
func parseSpec(text string, next func() awkValue) (f formatSpec, used int) {
	f.precision = -1
	i := 1
	for ; i < len(text); i++ {
		switch text[i] {
		case '-':
			f.minus = true
			continue
		case '+':
			f.plus = true
			continue
		case ' ':
			f.space = true
			continue
		case '0':
			f.zero = true
			continue
		case '#':
			f.sharp = true
			continue
		}
		break
	}
	number := func() int {
		if i < len(text) && text[i] == '*' {
			i++
			return int(next().num())
		}
		from := i
		for i < len(text) && isDigit(text[i]) {
			i++
		}
		n, _ := strconv.Atoi(text[from:i])
		return n
	}
	if f.width = number(); f.width < 0 {
		f.minus, f.width = true, -f.width
	}
	if i < len(text) && text[i] == '.' {
		i++
		f.precision = number()
	}
	for i < len(text) && strings.IndexByte("hlLqjzt", text[i]) >= 0 {
		i++
	}
	if i >= len(text) {
		return f, 0
	}
	f.verb = text[i]
	return f, i + 1
}

func (f formatSpec) write(b *strings.Builder, v awkValue, convfmt string, chars bool) {
	text, sign := "", ""
	switch f.verb {
	case 'd', 'i':
		text, sign = f.integer(v.num())
	case 'o', 'x', 'X', 'u':
		text = f.unsigned(v.num())
	case 'e', 'E', 'f', 'F', 'g', 'G':
		text, sign = f.float(v.num())
	case 'c':
		text = v.s
		if n, ok := v.looksNumeric(); ok && v.kind != kindNone {
			text = string([]byte{byte(int(n))})
		} else {
			text = (text + "\x00")[:1]
		}
		f.zero = false
	case 's':
		text = v.str(convfmt)
		if f.precision >= 0 && f.precision < len(text) {
			text = text[:f.precision]
		}
		f.zero = false
	default:
		text = "%" + string(rune(f.verb))
	}
	size := len(text) + len(sign)
	if chars {
		size = len([]rune(text)) + len(sign)
	}
	pad := max(f.width-size, 0)
	switch {
	case f.minus:
		b.WriteString(sign + text + strings.Repeat(" ", pad))
	case f.zero && (f.precision < 0 || strings.IndexByte("dioxXu", f.verb) < 0):
		b.WriteString(sign + strings.Repeat("0", pad) + text)
	default:
		b.WriteString(strings.Repeat(" ", pad) + sign + text)
	}
}

func (f formatSpec) sign(negative bool) string {
	switch {
	case negative:
		return "-"
	case f.plus:
		return "+"
	case f.space:
		return " "
	}
	return ""
}

func (f formatSpec) integer(n float64) (text, sign string) {
	if math.IsNaN(n) || math.IsInf(n, 0) {
		return strings.Trim(strings.ToLower(strconv.FormatFloat(math.Abs(n), 'g', -1, 64)), "+"), f.sign(n < 0)
	}
	n = math.Trunc(n)
	text = strconv.FormatFloat(math.Abs(n), 'f', -1, 64)
	return f.digits(text), f.sign(n < 0)
}

func (f formatSpec) digits(text string) string {
	return strings.Repeat("0", max(f.precision-len(text), 0)) + text
}

func (f formatSpec) unsigned(n float64) string {
	u := uint64(int64(n))
	if n >= 1<<63 {
		u = uint64(n)
	}
	prefix := ""
	base := 10
	switch f.verb {
	case 'o':
		base = 8
		prefix = "0"
	case 'x', 'X':
		base = 16
		prefix = "0" + string(rune(f.verb))
	}
	text := strconv.FormatUint(u, base)
	if f.verb == 'X' {
		text = strings.ToUpper(text)
	}
	if !f.sharp || u == 0 || base == 10 {
		prefix = ""
	}
	return prefix + f.digits(text)
}

func (f formatSpec) float(n float64) (text, sign string) {
	precision := f.precision
	if precision < 0 {
		precision = 6
	}
	a := math.Abs(n)
	switch {
	case math.IsNaN(n) || math.IsInf(n, 0):
		text = strings.ToLower(strings.Trim(strconv.FormatFloat(a, 'g', -1, 64), "+"))
	case f.verb|0x20 == 'g':
		text = formatG(a, precision, f.sharp)
	default:
		text = strconv.FormatFloat(a, f.verb|0x20, precision, 64)
	}
	if f.verb < 'a' {
		text = strings.ToUpper(text)
	}
	return text, f.sign(math.Signbit(n))
}
