package text

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

// tr is tr(1), for which characters are bytes.
func tr(_ context.Context, p *shell.Proc) (int, error) {
	opts, sets, err := options(p, "+cCdst", "complement=c delete=d squeeze-repeats=s truncate-set1=t")
	if err != nil {
		return 1, err
	}
	f := flags(opts)
	least := 2
	if f["d"] != f["s"] {
		least = 1
	}
	if len(sets) < least || len(sets) > 2 || f["d"] && !f["s"] && len(sets) > 1 {
		return p.Errorf("wrong number of operands")
	}
	t := &translation{}
	first, err := expandSet(sets[0], -1)
	if err == nil && (f["c"] || f["C"]) {
		first = complement(first)
	}
	var second []byte
	if err == nil && len(sets) == 2 {
		second, err = expandSet(sets[1], len(first))
	}
	if err != nil {
		return p.Errorf("%v", err)
	}
	if err := t.prepare(f, sets, first, second); err != nil {
		return p.Errorf("%v", err)
	}
	b, err := read(p, "-")
	if err != nil {
		return 1, err
	}
	_, err = p.Stdout.Write(t.apply(b))
	return 0, err
}

// translation is what tr does with each byte.
type translation struct {
	to      [256]byte
	remove  [256]bool
	squeeze [256]bool
}

func (t *translation) prepare(f map[string]bool, sets []string, first, second []byte) error {
	for i := range t.to {
		t.to[i] = byte(i)
	}
	squeezed := first
	switch {
	case f["d"]:
		for _, c := range first {
			t.remove[c] = true
		}
		squeezed = second
	case len(sets) == 2:
		squeezed = second
		if f["t"] {
			first = first[:min(len(first), len(second))]
		}
		if len(second) == 0 {
			if len(first) > 0 {
				return fmt.Errorf("when not truncating set1, string2 must be non-empty")
			}
			break
		}
		for i, c := range first {
			t.to[c] = second[min(i, len(second)-1)]
		}
	}
	if f["s"] {
		for _, c := range squeezed {
			t.squeeze[c] = true
		}
	}
	return nil
}

func (t *translation) apply(b []byte) []byte {
	out := make([]byte, 0, len(b))
	last := -1
	for _, c := range b {
		if t.remove[c] {
			continue
		}
		if c = t.to[c]; t.squeeze[c] && int(c) == last {
			continue
		}
		last = int(c)
		out = append(out, c)
	}
	return out
}

func complement(set []byte) []byte {
	var out []byte
	for c := range 256 {
		if bytes.IndexByte(set, byte(c)) < 0 {
			out = append(out, byte(c))
		}
	}
	return out
}

// expandSet returns the bytes that a set of tr stands for. size is that of the first
// set, to which [c*] fills the second; -1 for the first set.
func expandSet(text string, size int) ([]byte, error) {
	var out []byte
	fill, fillAt := byte(0), -1
	for i := 0; i < len(text); {
		if text[i] == '[' {
			if set, used, err := setClass(text[i:]); err != nil {
				return nil, err
			} else if used > 0 {
				out, i = append(out, set...), i+used
				continue
			}
			if c, n, used := setRepeat(text[i:]); used > 0 && size >= 0 {
				if n == 0 {
					fill, fillAt = c, len(out)
				}
				out, i = append(out, bytes.Repeat([]byte{c}, n)...), i+used
				continue
			}
		}
		c, used := setByte(text[i:])
		i += used
		if i+1 < len(text) && text[i] == '-' {
			last, used := setByte(text[i+1:])
			if last < c {
				return nil, fmt.Errorf("range-endpoints of '%c-%c' are in reverse collating sequence order", c, last)
			}
			for b := int(c); b <= int(last); b++ {
				out = append(out, byte(b))
			}
			i += 1 + used
			continue
		}
		out = append(out, c)
	}
	if fillAt >= 0 && len(out) < size {
		out = slices.Insert(out, fillAt, bytes.Repeat([]byte{fill}, size-len(out))...)
	}
	return out, nil
}

// setByte reads one byte, which may be an escape.
func setByte(text string) (byte, int) {
	if text[0] != '\\' || len(text) == 1 {
		return text[0], 1
	}
	if i := strings.IndexByte("abfnrtv", text[1]); i >= 0 {
		return "\a\b\f\n\r\t\v"[i], 2
	}
	n := 1
	for n < len(text) && n < 4 && text[n] >= '0' && text[n] <= '7' {
		n++
	}
	if n == 1 {
		return text[1], 2
	}
	v, _ := strconv.ParseUint(text[1:n], 8, 16)
	if v > 255 {
		v, n = v/8, n-1
	}
	return byte(v), n
}

// byteClasses are the classes of characters of the locale C.
var byteClasses = map[string]func(c byte) bool{
	"alpha": func(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' },
	"digit": isDigit,
	"alnum": func(c byte) bool { return isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'z' },
	"upper": func(c byte) bool { return c >= 'A' && c <= 'Z' },
	"lower": func(c byte) bool { return c >= 'a' && c <= 'z' },
	"space": func(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' },
	"blank": func(c byte) bool { return c == ' ' || c == '\t' },
	"punct": func(c byte) bool {
		return c > ' ' && c < 127 && !isDigit(c) && (c|0x20 < 'a' || c|0x20 > 'z')
	},
	"print":  func(c byte) bool { return c >= ' ' && c < 127 },
	"graph":  func(c byte) bool { return c > ' ' && c < 127 },
	"cntrl":  func(c byte) bool { return c < ' ' || c == 127 },
	"xdigit": func(c byte) bool { return isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'f' },
}

// setClass reads [:class:] or [=c=].
func setClass(text string) (set []byte, used int, err error) {
	if end := strings.Index(text, ":]"); strings.HasPrefix(text, "[:") && end >= 2 {
		in := byteClasses[text[2:end]]
		if in == nil {
			return nil, 0, fmt.Errorf("invalid character class '%s'", text[2:end])
		}
		for c := range 256 {
			if in(byte(c)) {
				set = append(set, byte(c))
			}
		}
		return set, end + 2, nil
	}
	if len(text) >= 5 && strings.HasPrefix(text, "[=") && text[3:5] == "=]" {
		return []byte{text[2]}, 5, nil
	}
	return nil, 0, nil
}

// setRepeat reads [c*n]; n is 0 where it is to fill up.
func setRepeat(text string) (c byte, n, used int) {
	if len(text) < 4 {
		return 0, 0, 0
	}
	c, size := setByte(text[1:])
	rest := text[1+size:]
	digits, _, ok := strings.Cut(rest, "]")
	digits, star := strings.CutPrefix(digits, "*")
	if !ok || !star || strings.Trim(digits, "0123456789") != "" || len(digits) > 7 {
		return 0, 0, 0
	}
	base := 10
	if strings.HasPrefix(digits, "0") {
		base = 8
	}
	v, _ := strconv.ParseInt(digits, base, 32)
	return c, int(v), 1 + size + 1 + len(digits) + 1
}
