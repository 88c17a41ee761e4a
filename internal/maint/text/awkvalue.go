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
	}
	return awkFormatNumber(format, v.n)
}

func awkFormatNumber(format string, n float64) string {
	out, err := awkFormat(format, []awkValue{awkNum(n)}, "%.6g", false)
	if err != nil {
		return strconv.FormatFloat(n, 'g', 6, 64)
	}
	return out
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
		c, used := parseConversion(format[i:], func() int { return int(next().num()) })
		if used == 0 {
			b.WriteString(format[i:])
			break
		}
		i += used - 1
		if max(c.Width, c.Precision) > 1<<20 || b.Len() > maxSedSpace {
			return "", fmt.Errorf("a field of %d characters", max(c.Width, c.Precision))
		}
		b.WriteString(awkConvert(c, next(), convfmt, chars))
		if missing {
			return "", errMissingArgument
		}
	}
	return b.String(), nil
}

// awkConvert converts one value.
func awkConvert(c conversion, v awkValue, convfmt string, chars bool) string {
	switch c.Verb {
	case 'd', 'i':
		n := v.num()
		if math.IsNaN(n) || math.IsInf(n, 0) {
			c.Verb = 'f'
			return c.Float(n)
		}
		n = math.Trunc(n)
		return c.Integer(strconv.FormatFloat(math.Abs(n), 'f', -1, 64), n < 0)
	case 'o', 'x', 'X', 'u':
		n := v.num()
		if n >= 1<<63 {
			return c.Unsigned(uint64(n))
		}
		return c.Unsigned(uint64(int64(n)))
	case 'e', 'E', 'f', 'F', 'g', 'G':
		return c.Float(v.num())
	case 'c':
		if n, ok := v.looksNumeric(); ok && v.kind != kindNone {
			return c.Text(string([]byte{byte(int(n))}))
		}
		return c.Text((v.s + "\x00")[:1])
	case 's':
		text := v.str(convfmt)
		if chars { // widths are those of characters
			runes := []rune(text)
			if c.Precision >= 0 && c.Precision < len(runes) {
				text = string(runes[:c.Precision])
			}
			c.Precision = -1
			c.Width += len(text) - len([]rune(text))
		}
		return c.Text(text)
	}
	return "%" + string(rune(c.Verb))
}
