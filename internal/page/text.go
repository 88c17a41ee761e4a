package page

import (
	"fmt"
	"html/template"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/hardpan/hardpan/internal/check"
)

// functions are those of the template.
var functions = template.FuncMap{
	"size": size, "count": count, "shown": shown, "add": func(a, b int) int { return a + b },
	"signed": func(n int64) string {
		switch {
		case n < 0:
			return "−" + size(-n)
		case n == 0:
			return "0 B"
		}
		return "+" + size(n)
	},
	"deref":   func(n *int) int { return *n + 1 },
	"short":   func(s string) bool { return len(s) <= maxLine },
	"ruled":   func(id string, r check.Result) ruled { return ruled{id, r, len(r.Findings) - 1 + r.Omitted} },
	"grouped": func(id string, g group) grouped { return grouped{id, g} },
	"some":    func(groups []group) bool { return len(groups) > 0 && groups[0].Status == check.Failed },
}

// maxLine is how long a name may be that is never broken over two lines, in bytes.
const maxLine = 28

// ruled is a rule's answer in the section of a platform.
type ruled struct {
	ID     string
	Result check.Result
	More   int // findings beyond the first
}

// grouped is a group in the section of a platform.
type grouped struct {
	ID    string
	Group group
}

// size is a number of bytes for a person.
func size(n int64) string {
	switch {
	case n >= 1e9:
		return fmt.Sprintf("%.2f GB", float64(n)/1e9)
	case n >= 1e6:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	case n >= 1e3:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%d B", n)
}

// count is "1 package" or "3 packages"; the word's plural is with an s.
func count(n int, word string) string {
	if n != 1 {
		word += "s"
	}
	return strconv.Itoa(n) + " " + word
}

// maxShown is how much is shown of what an image may make as long as it likes, in bytes.
const maxShown = 1000

func clip(s string) string {
	if len(s) > maxShown {
		return s[:maxShown] + "..."
	}
	return s
}

// shown makes what does not print visible, as Go escapes it: control characters, marks
// that turn the direction of writing, bytes that are no UTF-8.
func shown(s string) string {
	clean := true
	for i := 0; i < len(s) && clean; i++ {
		clean = s[i] >= ' ' && s[i] < 0x7f
	}
	if clean {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[0])
		case r == ' ' || strconv.IsPrint(r):
			b.WriteRune(r)
		default:
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
		s = s[n:]
	}
	return b.String()
}
