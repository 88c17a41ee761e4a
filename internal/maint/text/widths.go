package text

import (
	"bufio"
	"context"
	"strconv"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

// fold is fold(1). Columns are bytes, as in GNU's.
func fold(_ context.Context, p *shell.Proc) (int, error) {
	if len(p.Args) > 1 && len(p.Args[1]) > 1 && p.Args[1][0] == '-' && digitsOnly(p.Args[1][1:]) {
		p.Args = append([]string{p.Args[0], "-w", p.Args[1][1:]}, p.Args[2:]...)
	}
	opts, names, err := options(p, "bsw:", "bytes=b spaces=s width:=w")
	if err != nil {
		return 1, err
	}
	f := folder{width: 80, spaces: flags(opts)["s"], bytes: flags(opts)["b"]}
	for _, o := range opts {
		if o.name == "w" {
			if f.width, err = strconv.Atoi(o.value); err != nil || f.width < 1 {
				return p.Errorf("invalid number of columns: '%s'", o.value)
			}
		}
	}
	f.w = buffered(p)
	status, err := each(p, names, func(_ string, b []byte) error {
		f.fold(b)
		return nil
	})
	if err != nil {
		return 1, err
	}
	return finish(f.w, status)
}

type folder struct {
	w             *bufio.Writer
	width         int
	spaces, bytes bool
}

// advance returns the column behind a byte.
func (f *folder) advance(column int, c byte) int {
	if !f.bytes {
		switch c {
		case '\b':
			return max(column-1, 0)
		case '\r':
			return 0
		case '\t':
			return column - column%8 + 8
		}
	}
	return column + 1
}

func (f *folder) fold(b []byte) {
	var line []byte
	column := 0
	for _, c := range b {
		if c == '\n' {
			f.w.Write(line)
			f.w.WriteByte('\n')
			line, column = line[:0], 0
			continue
		}
		for f.advance(column, c) > f.width && len(line) > 0 {
			cut := len(line)
			if f.spaces {
				if i := strings.LastIndexAny(string(line), " \t"); i >= 0 {
					cut = i + 1
				}
			}
			f.w.Write(line[:cut])
			f.w.WriteByte('\n')
			line = append(line[:0], line[cut:]...)
			column = 0
			for _, c := range line {
				column = f.advance(column, c)
			}
		}
		line = append(line, c)
		column = f.advance(column, c)
	}
	f.w.Write(line)
}

// tabStops are the columns of -t: one distance, or a list.
type tabStops []int

func parseTabs(text string) (tabStops, bool) {
	var stops tabStops
	last := 0
	for _, field := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' }) {
		n, err := strconv.Atoi(field)
		if err != nil || n <= last || n > 1<<16 {
			return nil, false
		}
		stops, last = append(stops, n), n
	}
	return stops, len(stops) > 0
}

// next returns the next stop behind a column, -1 where there is none.
func (t tabStops) next(column int) int {
	if len(t) == 1 {
		return column - column%t[0] + t[0]
	}
	for _, stop := range t {
		if stop > column {
			return stop
		}
	}
	return -1
}

// expand is expand(1), and unexpand(1) its reverse.
func expand(_ context.Context, p *shell.Proc) (int, error) {
	unexpand := p.Args[0] == "unexpand"
	short, long := "it:", "initial=i tabs:=t"
	if unexpand {
		short, long = "at:", "all=a first-only tabs:=t"
	}
	opts, names, err := options(p, short, long)
	if err != nil {
		return 1, err
	}
	stops, ok := tabStops{8}, true
	f := flags(opts)
	for _, o := range opts {
		if o.name == "t" {
			if stops, ok = parseTabs(o.value); !ok {
				return p.Errorf("tab size contains invalid character(s): '%s'", o.value)
			}
		}
	}
	all := (f["a"] || f["t"]) && !f["first-only"]
	w := buffered(p)
	status, err := each(p, names, func(_ string, b []byte) error {
		for line := range strings.Lines(string(b)) {
			if unexpand {
				writeUnexpanded(w, line, stops, all)
			} else {
				writeExpanded(w, line, stops, f["i"])
			}
		}
		return nil
	})
	if err != nil {
		return 1, err
	}
	return finish(w, status)
}

func writeExpanded(w *bufio.Writer, line string, stops tabStops, initial bool) {
	column := 0
	leading := true
	for i := range len(line) {
		c := line[i]
		if c == '\t' && (leading || !initial) {
			to := stops.next(column)
			if to < 0 {
				to = column + 1
			}
			w.WriteString(strings.Repeat(" ", to-column))
			column = to
			continue
		}
		if c != ' ' && c != '\t' {
			leading = false
		}
		column++
		if c == '\b' {
			column = max(column-2, 0)
		}
		w.WriteByte(c)
	}
}

// writeUnexpanded replaces runs of at least two blanks that reach a stop by tabs.
func writeUnexpanded(w *bufio.Writer, line string, stops tabStops, all bool) {
	column, pending := 0, "" // blanks that are not yet written
	leading := true
	for i := range len(line) {
		c := line[i]
		if (c == ' ' || c == '\t') && (leading || all) {
			stop := stops.next(column)
			switch {
			case c == '\t' && stop >= 0:
				pending, column = "", stop
				w.WriteByte('\t')
			case stop == column+1 && (pending != "" || leading && column > 0):
				pending, column = "", stop
				w.WriteByte('\t')
			default:
				pending, column = pending+string(c), column+1
			}
			continue
		}
		leading = false
		w.WriteString(pending)
		pending = ""
		column++
		w.WriteByte(c)
	}
	w.WriteString(pending)
}
