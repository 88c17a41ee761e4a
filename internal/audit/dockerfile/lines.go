package dockerfile

import (
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"
)

// source is the text of a file by lines. BuildKit's parser joins the lines of an
// instruction and forgets where each began; join does the same and remembers.
type source struct {
	lines  []string // without their ends
	escape rune
}

func newSource(text string, escape rune) *source {
	lines := strings.Split(strings.TrimPrefix(text, "\ufeff"), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], "\r")
	}
	return &source{lines, escape}
}

var continuations = map[rune]func() *regexp.Regexp{
	'\\': sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`([^\\])\\[ \t]*$|^\\[ \t]*$`) }),
	'`':  sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile("([^`])`[ \t]*$|^`[ \t]*$") }),
}

// joined is an instruction on one line, and where the lines it was made of begin in it.
type joined struct {
	text   string
	starts []int // offsets
	lines  []int // of the file
	next   int   // the first line after it: of its heredocs, where it has any
}

// join joins the instruction that begins at line, as parser.Parse does.
func (s *source) join(line, last int) joined {
	j := joined{}
	more := continuations[s.escape]()
	var b strings.Builder
	for n := line; n <= min(last, len(s.lines)); n++ {
		text := s.lines[n-1]
		j.next = n + 1
		if n == line {
			text = strings.TrimLeftFunc(text, unicode.IsSpace)
		} else if trimmed := strings.TrimLeftFunc(text, unicode.IsSpace); trimmed == "" || trimmed[0] == '#' {
			continue
		}
		j.starts, j.lines = append(j.starts, b.Len()), append(j.lines, n)
		if !more.MatchString(text) {
			b.WriteString(text)
			break
		}
		b.WriteString(more.ReplaceAllString(text, "$1"))
	}
	j.text = b.String()
	return j
}

// line returns the line of the file that the offset of the joined text lies in.
func (j joined) line(offset int) int {
	i, found := slices.BinarySearch(j.starts, offset)
	if !found {
		i--
	}
	if i < 0 || len(j.lines) == 0 {
		return 0
	}
	return j.lines[i]
}
