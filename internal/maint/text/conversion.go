package text

import (
	"math"
	"strconv"
	"strings"
)

// conversion is a conversion of printf(3): "%-5.2f".
type conversion struct {
	Minus, Plus, Space, Zero, Alternate bool

	Width     int
	Precision int // -1 where none is given
	Verb      byte
}

// parseConversion reads the conversion at the start of text, which is a "%". star
// returns the value of a "*". used is the number of bytes, 0 where it has no end.
func parseConversion(text string, star func() int) (c conversion, used int) {
	c.Precision = -1
	i := 1
	for ; i < len(text); i++ {
		flag := map[byte]*bool{'-': &c.Minus, '+': &c.Plus, ' ': &c.Space, '0': &c.Zero, '#': &c.Alternate}[text[i]]
		if flag == nil {
			break
		}
		*flag = true
	}
	number := func() int {
		if i < len(text) && text[i] == '*' {
			i++
			return star()
		}
		from := i
		for i < len(text) && text[i] >= '0' && text[i] <= '9' {
			i++
		}
		n, err := strconv.Atoi(text[from:i])
		if err != nil && i > from {
			return math.MaxInt32
		}
		return n
	}
	if c.Width = number(); c.Width < 0 {
		c.Minus, c.Width = true, -c.Width
	}
	if i < len(text) && text[i] == '.' {
		i++
		c.Precision = number()
	}
	if i >= len(text) {
		return c, 0
	}
	c.Verb = text[i]
	return c, i + 1
}

// pad brings a number with its sign, or a text, to its width.
func (c conversion) pad(sign, body string, zeros bool) string {
	fill := max(c.Width-len(sign)-len(body), 0)
	switch {
	case c.Minus:
		return sign + body + strings.Repeat(" ", fill)
	case zeros && c.Zero:
		return sign + strings.Repeat("0", fill) + body
	}
	return strings.Repeat(" ", fill) + sign + body
}

func (c conversion) sign(negative bool) string {
	switch {
	case negative:
		return "-"
	case c.Plus:
		return "+"
	case c.Space:
		return " "
	}
	return ""
}

// Text converts a text: %s.
func (c conversion) Text(s string) string {
	if c.Precision >= 0 && c.Precision < len(s) {
		s = s[:c.Precision]
	}
	return c.pad("", s, false)
}

// Integer converts a number that is given by its decimal digits: %d and %i.
func (c conversion) Integer(digits string, negative bool) string {
	return c.pad(c.sign(negative), c.least(digits), c.Precision < 0)
}

// least adds zeros up to the precision.
func (c conversion) least(digits string) string {
	if c.Precision == 0 && digits == "0" {
		return ""
	}
	return strings.Repeat("0", max(c.Precision-len(digits), 0)) + digits
}

// Unsigned converts a number without a sign: %u, %o, %x and %X.
func (c conversion) Unsigned(v uint64) string {
	base, prefix := 10, ""
	switch c.Verb {
	case 'o':
		base = 8
	case 'x', 'X':
		base, prefix = 16, "0"+string(rune(c.Verb))
	}
	digits := c.least(strconv.FormatUint(v, base))
	switch {
	case !c.Alternate || v == 0:
		prefix = ""
	case base == 8 && !strings.HasPrefix(digits, "0"):
		digits = "0" + digits
	}
	if c.Verb == 'X' {
		digits = strings.ToUpper(digits)
	}
	return c.pad(prefix, digits, c.Precision < 0)
}

// Float converts a number: %e, %f, %g and their capitals.
func (c conversion) Float(f float64) string {
	precision := c.Precision
	if precision < 0 {
		precision = 6
	}
	a, text := math.Abs(f), ""
	finite := !math.IsNaN(f) && !math.IsInf(f, 0)
	switch {
	case math.IsNaN(f):
		text = "nan"
	case !finite:
		text = "inf"
	case c.Verb|0x20 == 'g':
		text = formatG(a, precision, c.Alternate)
	default:
		text = strconv.FormatFloat(a, c.Verb|0x20, precision, 64)
	}
	if c.Verb < 'a' {
		text = strings.ToUpper(text)
	}
	return c.pad(c.sign(math.Signbit(f)), text, finite)
}

// formatG formats a finite number that is not negative as %g does; alternate keeps
// the zeros at the end.
func formatG(n float64, precision int, alternate bool) string {
	precision = max(precision, 1)
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(n, 'e', precision-1, 64), "e")
	x, _ := strconv.Atoi(exponent) // always a number
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
