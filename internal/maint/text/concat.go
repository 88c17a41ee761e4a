package text

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

// cat is cat(1).
func cat(_ context.Context, p *shell.Proc) (int, error) {
	opts, names, err := options(p, "AbeEnstTuv", "show-all=A number-nonblank=b show-ends=E number=n squeeze-blank=s show-tabs=T show-nonprinting=v")
	if err != nil {
		return 1, err
	}
	f := flags(opts)
	c := &concat{w: buffered(p), squeeze: f["s"], number: f["n"] || f["b"], nonblank: f["b"], start: true}
	c.visible = f["A"] || f["e"] || f["t"] || f["v"]
	c.ends = f["A"] || f["e"] || f["E"]
	c.tabs = f["A"] || f["t"] || f["T"]
	plain := len(opts) == 0 || len(opts) == 1 && f["u"]
	status, err := each(p, names, func(_ string, b []byte) error {
		if plain {
			_, err := c.w.Write(b)
			return err
		}
		return c.write(b)
	})
	if err != nil {
		return 1, err
	}
	return finish(c.w, status)
}

// concat prints lines as the options of cat say.
type concat struct {
	w                                *bufio.Writer
	squeeze, number, nonblank        bool
	visible, ends, tabs, start, last bool // start: of a line; last: the line before was empty
	line                             int
}

func (c *concat) write(b []byte) error {
	lines, ended := splitLines(b, '\n')
	for i, line := range lines {
		empty := len(line) == 0 && c.start
		if empty && c.last && c.squeeze {
			continue
		}
		c.last = empty
		if c.start && c.number && !(c.nonblank && empty) {
			c.line++
			fmt.Fprintf(c.w, "%6d\t", c.line)
		}
		c.w.WriteString(c.shown(line))
		if c.start = i+1 < len(lines) || ended; c.start {
			if c.ends {
				c.w.WriteByte('$')
			}
			c.w.WriteByte('\n')
		}
	}
	_, err := c.w.Write(nil)
	return err
}

func (c *concat) shown(line []byte) string {
	if !c.visible && !c.tabs {
		return string(line)
	}
	var b strings.Builder
	for _, ch := range line {
		switch {
		case ch == '\t' && !c.tabs, !c.visible && ch != '\t':
			b.WriteByte(ch)
			continue
		case ch >= 128 && c.visible:
			b.WriteString("M-")
			ch -= 128
		}
		switch {
		case ch < 32:
			b.WriteString("^" + string(rune(ch+64)))
		case ch == 127:
			b.WriteString("^?")
		default:
			b.WriteByte(ch)
		}
	}
	return b.String()
}

// tac is tac(1).
func tac(_ context.Context, p *shell.Proc) (int, error) {
	_, names, err := options(p, "", "")
	if err != nil {
		return 1, err
	}
	w := buffered(p)
	status, err := each(p, names, func(_ string, b []byte) error {
		lines := bytes.SplitAfter(b, []byte("\n"))
		for _, line := range slices.Backward(lines) {
			w.Write(line)
		}
		return nil
	})
	if err != nil {
		return 1, err
	}
	return finish(w, status)
}

// rev is rev(1).
func rev(_ context.Context, p *shell.Proc) (int, error) {
	_, names, err := options(p, "", "")
	if err != nil {
		return 1, err
	}
	w := buffered(p)
	status, err := each(p, names, func(_ string, b []byte) error {
		lines, ended := splitLines(b, '\n')
		for i, line := range lines {
			if bytewise(p) {
				line = slices.Clone(line)
				slices.Reverse(line)
				w.Write(line)
			} else {
				runes := []rune(string(line))
				slices.Reverse(runes)
				w.WriteString(string(runes))
			}
			if i+1 < len(lines) || ended {
				w.WriteByte('\n')
			}
		}
		return nil
	})
	if err != nil {
		return 1, err
	}
	return finish(w, status)
}

// tee is tee(1).
func tee(_ context.Context, p *shell.Proc) (int, error) {
	opts, names, err := options(p, "aip", "append=a ignore-interrupts=i output-error::")
	if err != nil {
		return 1, err
	}
	b, err := read(p, "-")
	if err != nil {
		return 1, err
	}
	status := 0
	for _, name := range names {
		if err := store(p, name, b, flags(opts)["a"]); err != nil {
			if _, err := fail(p, name, err); err != nil {
				return 1, err
			}
			status = 1
		}
	}
	_, err = p.Stdout.Write(b)
	return status, err
}

// store writes or appends b to a file, which may be a device.
func store(p *shell.Proc, name string, b []byte, appending bool) error {
	switch name {
	case "/dev/stdout", "/dev/stderr", "/dev/null", "/dev/tty", "/dev/console":
		w, err := create(p, name)
		if err != nil {
			return err
		}
		_, err = w.Write(b)
		return err
	}
	open := p.FS.Create
	if appending {
		open = p.FS.Append
	}
	f, err := open(p.Path(name), 0o666&^p.Umask)
	if err != nil {
		return err
	}
	if _, err := f.Write(b); err != nil {
		return err
	}
	return f.Close()
}

// wc is wc(1).
func wc(_ context.Context, p *shell.Proc) (int, error) {
	opts, names, err := options(p, "clmwL", "bytes=c chars=m lines=l words=w max-line-length=L")
	if err != nil {
		return 1, err
	}
	f := flags(opts)
	if len(f) == 0 {
		f = map[string]bool{"l": true, "w": true, "c": true}
	}
	var rows []wcRow
	var total wcRow
	status, err := each(p, names, func(name string, b []byte) error {
		row := count(p, b)
		if row.name = name; len(names) == 0 {
			row.name = ""
		}
		total.add(row)
		rows = append(rows, row)
		return nil
	})
	if err != nil {
		return 1, err
	}
	if len(names) > 1 {
		total.name = "total"
		rows = append(rows, total)
	}
	return status, printCounts(p, rows, f, names, total.bytes)
}

// wcRow is what wc counts of one file.
type wcRow struct {
	name                              string
	lines, words, chars, bytes, width int
}

func (r *wcRow) add(o wcRow) {
	r.lines, r.words, r.chars, r.bytes = r.lines+o.lines, r.words+o.words, r.chars+o.chars, r.bytes+o.bytes
	r.width = max(r.width, o.width)
}

func count(p *shell.Proc, b []byte) wcRow {
	row := wcRow{lines: bytes.Count(b, []byte("\n")), words: len(bytes.Fields(b)), chars: len(b), bytes: len(b)}
	if !bytewise(p) {
		row.chars = len([]rune(string(b)))
	}
	lines, _ := splitLines(b, '\n')
	for _, line := range lines {
		row.width = max(row.width, len([]rune(strings.TrimRight(string(line), "\r"))))
	}
	return row
}

func printCounts(p *shell.Proc, rows []wcRow, f map[string]bool, names []string, size int) error {
	width := len(strconv.Itoa(size))
	regular := len(names) > 0 && !slices.Contains(names, "-")
	if !regular {
		width = 7
	}
	if len(f) == 1 && len(rows) == 1 {
		width = 1
	}
	w := buffered(p)
	for _, r := range rows {
		var columns []string
		for _, c := range []struct {
			flag  string
			value int
		}{{"l", r.lines}, {"w", r.words}, {"m", r.chars}, {"c", r.bytes}, {"L", r.width}} {
			if f[c.flag] {
				columns = append(columns, fmt.Sprintf("%*d", width, c.value))
			}
		}
		if r.name != "" {
			columns = append(columns, r.name)
		}
		w.WriteString(strings.Join(columns, " ") + "\n")
	}
	return w.Flush()
}
