package text

import (
	"bytes"
	"cmp"
	"math"
	"strconv"
	"strings"
)

// compare compares two keys of sort(1).
func (o *ordering) compare(a, b []byte) int {
	switch o.kind {
	case 'n':
		return compareDecimal(a, b)
	case 'g':
		return compareFloat(leadingFloat(a), leadingFloat(b))
	case 'h':
		if c := cmp.Compare(humanOrder(a), humanOrder(b)); c != 0 {
			return c
		}
		return compareDecimal(a, b)
	case 'M':
		return cmp.Compare(month(a), month(b))
	}
	if o.dictionary || o.fold || o.printing {
		a, b = o.fit(a), o.fit(b)
	}
	if o.kind == 'V' {
		return compareVersions(string(a), string(b))
	}
	return bytes.Compare(a, b)
}

// fit leaves out what is not compared.
func (o *ordering) fit(key []byte) []byte {
	var out []byte
	for _, c := range key {
		alnum := c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
		if o.dictionary && !alnum && !isBlank(c) || o.printing && (c < ' ' || c > '~') {
			continue
		}
		if o.fold && c >= 'a' && c <= 'z' {
			c -= 'a' - 'A'
		}
		out = append(out, c)
	}
	return out
}

// decimal is a number of any size.
type decimal struct {
	negative         bool
	digits, fraction string
}

func leadingDecimal(b []byte) (d decimal) {
	s := strings.TrimLeft(string(b), " \t\n")
	s, d.negative = strings.CutPrefix(s, "-")
	rest := strings.TrimLeft(s, "0123456789")
	d.digits = strings.TrimLeft(s[:len(s)-len(rest)], "0")
	if f, ok := strings.CutPrefix(rest, "."); ok {
		d.fraction = strings.TrimRight(f[:len(f)-len(strings.TrimLeft(f, "0123456789"))], "0")
	}
	if d.digits == "" && d.fraction == "" {
		d.negative = false
	}
	return d
}

func compareDecimal(a, b []byte) int {
	x, y := leadingDecimal(a), leadingDecimal(b)
	if x.negative != y.negative {
		if x.negative {
			return -1
		}
		return 1
	}
	c := cmp.Or(cmp.Compare(len(x.digits), len(y.digits)), strings.Compare(x.digits, y.digits), strings.Compare(x.fraction, y.fraction))
	if x.negative {
		return -c
	}
	return c
}

// leadingFloat reads the longest number at the start, as strtold(3); NaN where
// there is none.
func leadingFloat(b []byte) float64 {
	s := strings.TrimLeft(string(b), " \t\n")
	for n := min(len(s), 64); n > 0; n-- {
		if f, err := strconv.ParseFloat(s[:n], 64); err == nil && !strings.Contains(s[:n], "_") {
			return f
		}
	}
	return math.NaN()
}

// compareFloat puts what is no number before all numbers.
func compareFloat(a, b float64) int { return cmp.Compare(a, b) }

// humanOrder is the order of magnitude of a number with a suffix, negative for
// negative numbers.
func humanOrder(b []byte) int {
	d := leadingDecimal(b)
	if d.digits == "" && d.fraction == "" {
		return 0
	}
	s := strings.TrimLeft(string(b), " \t\n-")
	s = strings.TrimLeft(s, "0123456789.")
	order := 0
	if s != "" {
		order = strings.IndexByte("KMGTPEZYRQ", s[0]&^0x20) + 1
		if s[0] >= 'a' && s[0] <= 'z' && s[0] != 'k' {
			order = 0
		}
	}
	if d.negative {
		return -order
	}
	return order
}

func month(b []byte) int {
	s := strings.ToUpper(strings.TrimLeft(string(b), " \t\n"))
	if len(s) < 3 {
		return 0
	}
	if i := strings.Index("JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC", s[:3]); i >= 0 && i%3 == 0 {
		return i/3 + 1
	}
	return 0
}

// compareVersions orders as filevercmp of gnulib does: like Debian's version
// numbers, without file suffixes where those differ only.
func compareVersions(a, b string) int {
	if a == b {
		return 0
	}
	for _, special := range []string{"", ".", ".."} {
		switch special {
		case a:
			return -1
		case b:
			return 1
		}
	}
	if x, y := strings.HasPrefix(a, "."), strings.HasPrefix(b, "."); x != y {
		if x {
			return -1
		}
		return 1
	} else if x {
		a, b = a[1:], b[1:]
	}
	x, y := withoutSuffix(a), withoutSuffix(b)
	if c := compareVersion(x, y); c != 0 || x == a && y == b {
		return c
	}
	return compareVersion(a, b)
}

// withoutSuffix removes (\.[A-Za-z~][A-Za-z0-9~]*)*$.
func withoutSuffix(s string) string {
	end := len(s)
	for {
		i := strings.LastIndexByte(s[:end], '.')
		if i <= 0 || i+1 == end || !isAlphaTilde(s[i+1]) {
			return s[:end]
		}
		for _, c := range []byte(s[i+1 : end]) {
			if !isAlphaTilde(c) && (c < '0' || c > '9') {
				return s[:end]
			}
		}
		end = i
	}
}

func isAlphaTilde(c byte) bool {
	return c == '~' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}

// compareVersion compares as verrevcmp of dpkg does (deb-version(7)).
func compareVersion(a, b string) int {
	for a != "" || b != "" {
		for a != "" && !isDigit(a[0]) || b != "" && !isDigit(b[0]) {
			if c := cmp.Compare(versionOrder(a), versionOrder(b)); c != 0 {
				return c
			}
			a, b = a[min(1, len(a)):], b[min(1, len(b)):]
		}
		x, y := leadingDigits(a), leadingDigits(b)
		a, b = a[len(x):], b[len(y):]
		x, y = strings.TrimLeft(x, "0"), strings.TrimLeft(y, "0")
		if c := cmp.Or(cmp.Compare(len(x), len(y)), strings.Compare(x, y)); c != 0 {
			return c
		}
	}
	return 0
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func leadingDigits(s string) string { return s[:len(s)-len(strings.TrimLeft(s, "0123456789"))] }

func versionOrder(s string) int {
	switch {
	case s == "":
		return -1
	case isDigit(s[0]):
		return 0
	case s[0] == '~':
		return -2
	case isAlphaTilde(s[0]):
		return int(s[0])
	}
	return int(s[0]) + 256
}
