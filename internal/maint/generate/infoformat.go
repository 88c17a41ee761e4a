package generate

import (
	"strings"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

// infoWidth is the column at which descriptions are broken.
const infoWidth = 79

// infoFormat lays out an entry of the directory: the name, the description from
// column 33 on and, where it goes on, from 35; of single commands from 49 and 51.
func infoFormat(e *infoEntry) (string, error) {
	first, more := 33, 35
	if e.in("Individual utilities") {
		first, more = 49, 51
	}
	name, description, ok := infoSplit(e.text)
	if !ok {
		return "", shell.Unsupported("install-info: the entry %q, which has no period,", e.text)
	}
	var out strings.Builder
	out.WriteString(name)
	switch {
	case len(name) > first-2 && len(description) > 1:
		out.WriteString("\n" + strings.Repeat(" ", first-1))
	case len(name) <= first-2 && len(description) > 2:
		out.WriteString(strings.Repeat(" ", first-len(name)-1))
	}
	if len(description) <= 2 {
		out.WriteString("\n")
		return out.String(), nil
	}
	column := max(len(name), first-1)
	if len(name) > first-2 {
		column = first - 1
	}
	infoWrap(&out, description, column, more)
	return out.String(), nil
}

// infoSplit splits an entry into its name, which ends at a period before white
// space, and the description, which is joined to one line.
func infoSplit(text string) (name, description string, ok bool) {
	stop := -1
	for i := range len(text) - 1 {
		if text[i] == '.' && strings.IndexByte(" \t\n", text[i+1]) >= 0 {
			stop = i
			break
		}
	}
	if stop < 0 {
		return "", "", false
	}
	const space = " \t\n\v\f\r"
	var b strings.Builder
	for rest := strings.TrimLeft(text[stop+1:], space); rest != ""; rest = strings.TrimLeft(rest, space) {
		line, after, found := strings.Cut(rest, "\n")
		b.WriteString(line)
		rest = after
		if found && len(line) > 1 && after != "" {
			switch end := line[len(line)-1]; {
			case end == '.':
				b.WriteString("  ")
			case strings.IndexByte(space, end) < 0:
				b.WriteString(" ")
			}
		}
	}
	return text[:stop+1], b.String() + "\n", true
}

// infoWrap writes a description that starts at a column, broken at blanks; the lines
// after the first begin at column more. As the program does, it counts the columns
// of those lines without what they are indented by.
func infoWrap(out *strings.Builder, text string, column, more int) {
	var line []byte
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c == '\n' {
			out.Write(append(line, c))
			line, column = line[:0], 0
			continue
		}
		for {
			column = nextColumn(column, c)
			if column <= infoWidth {
				break
			}
			if blank := strings.LastIndexAny(string(line), " \t"); blank >= 0 {
				out.Write(line[:blank+1])
				out.WriteString("\n" + strings.Repeat(" ", more-1))
				line = append([]byte(nil), line[blank+1:]...)
				column = 0
				for _, b := range line {
					column = nextColumn(column, b)
				}
				continue
			}
			if len(line) == 0 {
				break
			}
			out.Write(append(line, '\n'))
			line, column = line[:0], 0
		}
		line = append(line, c)
	}
	out.Write(line)
}

func nextColumn(column int, c byte) int {
	switch c {
	case '\b':
		return max(0, column-1)
	case '\r':
		return 0
	case '\t':
		return column + 8 - column%8
	}
	return column + 1
}
