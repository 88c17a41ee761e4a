package text

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/regex"
	"github.com/hardpan/hardpan/internal/maint/shell"
)

// paste is paste(1).
func paste(_ context.Context, p *shell.Proc) (int, error) {
	opts, names, err := options(p, "d:sz", "delimiters:=d serial=s zero-terminated=z")
	if err != nil {
		return 1, err
	}
	delimiters, serial, end := []string{"\t"}, false, byte('\n')
	for _, o := range opts {
		switch o.name {
		case "d":
			delimiters = pasteDelimiters(o.value)
		case "s":
			serial = true
		case "z":
			end = 0
		}
	}
	if len(names) == 0 {
		names = []string{"-"}
	}
	columns, err := pasteColumns(p, names, end, serial)
	if err != nil {
		return 1, err
	}
	if columns == nil {
		return 1, nil
	}
	w := buffered(p)
	row := func(cells [][]byte) {
		for i, cell := range cells {
			if i > 0 {
				w.WriteString(delimiters[(i-1)%len(delimiters)])
			}
			w.Write(cell)
		}
		w.WriteByte(end)
	}
	if !serial {
		columns = transposed(columns)
	}
	for _, cells := range columns {
		row(cells)
	}
	return finish(w, 0)
}

// transposed returns the rows of columns.
func transposed(columns [][][]byte) [][][]byte {
	count := 0
	for _, lines := range columns {
		count = max(count, len(lines))
	}
	rows := make([][][]byte, count)
	for i := range rows {
		rows[i] = make([][]byte, len(columns))
		for j, lines := range columns {
			if i < len(lines) {
				rows[i][j] = lines[i]
			}
		}
	}
	return rows
}

// pasteColumns returns the lines of each file; several "-" take turns at the standard
// input. It returns nil where a file cannot be read.
func pasteColumns(p *shell.Proc, names []string, end byte, serial bool) ([][][]byte, error) {
	columns := make([][][]byte, len(names))
	var shared []int
	for i, name := range names {
		if name == "-" && !serial {
			shared = append(shared, i)
			continue
		}
		b, err := read(p, name)
		if err != nil {
			_, err := fail(p, name, err)
			return nil, err
		}
		columns[i], _ = splitLines(b, end)
	}
	if len(shared) > 0 {
		b, err := read(p, "-")
		if err != nil {
			return nil, err
		}
		lines, _ := splitLines(b, end)
		for i, line := range lines {
			at := shared[i%len(shared)]
			columns[at] = append(columns[at], line)
		}
	}
	return columns, nil
}

// pasteDelimiters reads the list of -d; \0 is none.
func pasteDelimiters(text string) []string {
	var list []string
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' && i+1 < len(text) {
			i++
			switch at := strings.IndexByte("bfnrtv", text[i]); {
			case text[i] == '0':
				list = append(list, "")
			case at >= 0:
				list = append(list, "\b\f\n\r\t\v"[at:at+1])
			default:
				list = append(list, text[i:i+1])
			}
			continue
		}
		list = append(list, text[i:i+1])
	}
	if list == nil {
		list = []string{""}
	}
	return list
}

// comm is comm(1).
func comm(_ context.Context, p *shell.Proc) (int, error) {
	opts, names, err := options(p, "123z", "output-delimiter: zero-terminated=z check-order nocheck-order total")
	if err != nil {
		return 1, err
	}
	if len(names) != 2 {
		return p.Errorf("missing or extra operand")
	}
	f := flags(opts)
	c := &commColumns{w: buffered(p), hide: f, delimiter: "\t", end: '\n'}
	for _, o := range opts {
		if o.name == "output-delimiter" {
			c.delimiter = o.value
		}
	}
	if f["z"] {
		c.end = 0
	}
	var sides [2][][]byte
	for i, name := range names {
		b, err := read(p, name)
		if err != nil {
			return fail(p, name, err)
		}
		sides[i], _ = splitLines(b, c.end)
	}
	c.merge(sides[0], sides[1])
	if f["total"] {
		fmt.Fprintf(c.w, "%d%s%d%s%d%stotal%c", c.counts[1], c.delimiter, c.counts[2], c.delimiter, c.counts[3], c.delimiter, c.end)
	}
	return finish(c.w, 0)
}

type commColumns struct {
	w         *bufio.Writer
	hide      map[string]bool
	delimiter string
	end       byte
	counts    [4]int
}

func (c *commColumns) merge(a, b [][]byte) {
	for len(a) > 0 || len(b) > 0 {
		order := 0
		switch {
		case len(a) == 0:
			order = 1
		case len(b) == 0:
			order = -1
		default:
			order = bytes.Compare(a[0], b[0])
		}
		switch {
		case order < 0:
			c.print(1, a[0])
			a = a[1:]
		case order > 0:
			c.print(2, b[0])
			b = b[1:]
		default:
			c.print(3, a[0])
			a, b = a[1:], b[1:]
		}
	}
}

func (c *commColumns) print(column int, line []byte) {
	c.counts[column]++
	if c.hide[strconv.Itoa(column)] {
		return
	}
	for before := 1; before < column; before++ {
		if !c.hide[strconv.Itoa(before)] {
			c.w.WriteString(c.delimiter)
		}
	}
	c.w.Write(line)
	c.w.WriteByte(c.end)
}

// numbering is what nl(1) was asked for.
type numbering struct {
	style, format, separator string
	number, step, width      int
}

// nl is nl(1), for one section.
func nl(_ context.Context, p *shell.Proc) (int, error) {
	opts, names, err := options(p, "b:i:n:s:v:w:", "body-numbering:=b line-increment:=i number-format:=n number-separator:=s starting-line-number:=v number-width:=w")
	if err != nil {
		return 1, err
	}
	n := numbering{"t", "rn", "\t", 1, 1, 6}
	for _, o := range opts {
		switch to := map[string]*string{"b": &n.style, "n": &n.format, "s": &n.separator}[o.name]; {
		case to != nil:
			*to = o.value
		default:
			if *map[string]*int{"i": &n.step, "v": &n.number, "w": &n.width}[o.name], err = strconv.Atoi(o.value); err != nil {
				return p.Errorf("invalid number: '%s'", o.value)
			}
		}
	}
	layout, ok := map[string]string{"rn": "%*d", "ln": "%-*d", "rz": "%0*d"}[n.format]
	selected, err := nlStyle(n.style, bytewise(p))
	if !ok || err != nil || n.width < 1 || n.width > 1000 {
		return p.Errorf("invalid style or format")
	}
	w := buffered(p)
	status, err := each(p, names, func(_ string, b []byte) error {
		lines, _ := splitLines(b, '\n')
		for _, line := range lines {
			if text := string(line); text == `\:` || text == `\:\:` || text == `\:\:\:` {
				return shell.Unsupported("nl: sections")
			}
			ok, err := selected(string(line))
			if err != nil {
				return limit(err)
			}
			if ok {
				fmt.Fprintf(w, layout+"%s", n.width, n.number, n.separator)
				n.number += n.step
			} else {
				w.WriteString(strings.Repeat(" ", n.width+len(n.separator)))
			}
			w.Write(line)
			w.WriteByte('\n')
		}
		return nil
	})
	if err != nil {
		return 1, err
	}
	return finish(w, status)
}

// nlStyle returns which lines get a number.
func nlStyle(style string, bytes bool) (func(string) (bool, error), error) {
	switch style {
	case "a":
		return func(string) (bool, error) { return true, nil }, nil
	case "t":
		return func(line string) (bool, error) { return line != "", nil }, nil
	case "n":
		return func(string) (bool, error) { return false, nil }, nil
	}
	pattern, ok := strings.CutPrefix(style, "p")
	if !ok {
		return nil, fmt.Errorf("style %s", style)
	}
	re, err := regex.Compile(pattern, regex.Options{Bytes: bytes, NoGroups: true})
	if err != nil {
		return nil, err
	}
	return re.Match, nil
}
