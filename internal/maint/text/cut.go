package text

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

// cutList is a list of ranges, as "1,3-5,7-".
type cutList [][2]int

func parseCutList(text string) (list cutList, ok bool) {
	for _, part := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' }) {
		first, last, ranged := strings.Cut(part, "-")
		from, to := 1, math.MaxInt
		var err error
		if first != "" {
			if from, err = strconv.Atoi(first); err != nil {
				return nil, false
			}
		}
		if last != "" {
			if to, err = strconv.Atoi(last); err != nil {
				return nil, false
			}
		}
		if !ranged {
			to = from
		}
		if from < 1 || to < from || first == "" && last == "" {
			return nil, false
		}
		list = append(list, [2]int{from, to})
	}
	return list, len(list) > 0
}

func (l cutList) has(n int) bool {
	for _, r := range l {
		if r[0] <= n && n <= r[1] {
			return true
		}
	}
	return false
}

// starts reports whether a range starts with n that does not go on from n-1.
func (l cutList) starts(n int, complement bool) bool {
	if complement {
		return !l.has(n) && (n == 1 || l.has(n-1))
	}
	for _, r := range l {
		if r[0] == n {
			return true
		}
	}
	return false
}

// cutter is what cut(1) was asked for.
type cutter struct {
	list       cutList
	fields     bool
	delimiter  byte
	output     string
	given      bool // an output delimiter
	only       bool // lines with a delimiter
	complement bool
	end        byte
}

// cut is cut(1).
func cut(_ context.Context, p *shell.Proc) (int, error) {
	opts, names, err := options(p, "b:c:d:f:nsz", "bytes:=b characters:=c delimiter:=d fields:=f only-delimited=s output-delimiter: complement zero-terminated=z")
	if err != nil {
		return 1, err
	}
	c := &cutter{delimiter: '\t', end: '\n'}
	for _, o := range opts {
		if err := c.set(o); err != nil {
			return p.Errorf("%v", err)
		}
	}
	if c.list == nil {
		return p.Errorf("you must specify a list of bytes, characters, or fields")
	}
	if !c.given {
		c.output = string([]byte{c.delimiter})
	}
	w := buffered(p)
	status, err := each(p, names, func(_ string, b []byte) error {
		lines, _ := splitLines(b, c.end)
		for _, line := range lines {
			if c.fields {
				c.cutFields(w, line)
			} else {
				c.cutBytes(w, line)
			}
		}
		_, err := w.Write(nil)
		return err
	})
	if err != nil {
		return 1, err
	}
	return finish(w, status)
}

func (c *cutter) set(o option) error {
	switch o.name {
	case "b", "c", "f":
		if c.list != nil {
			return errors.New("only one list may be specified")
		}
		c.fields = o.name == "f"
		ok := false
		if c.list, ok = parseCutList(o.value); !ok {
			return fmt.Errorf("invalid list %q", o.value)
		}
	case "d":
		if len(o.value) > 1 {
			return errors.New("the delimiter must be a single character")
		}
		c.delimiter = 0
		if o.value != "" {
			c.delimiter = o.value[0]
		}
	case "s":
		c.only = true
	case "output-delimiter":
		c.output, c.given = o.value, true
	case "complement":
		c.complement = true
	case "z":
		c.end = 0
	}
	return nil
}

func (c *cutter) cutBytes(w *bufio.Writer, line []byte) {
	printed := false
	for i, b := range line {
		if c.list.has(i+1) == c.complement {
			continue
		}
		if c.given && printed && c.list.starts(i+1, c.complement) && (i == 0 || !c.joined(i)) {
			w.WriteString(c.output)
		}
		printed = true
		w.WriteByte(b)
	}
	w.WriteByte(c.end)
}

// joined reports whether one range has both the bytes n and n+1.
func (c *cutter) joined(n int) bool {
	for _, r := range c.list {
		if r[0] <= n && n+1 <= r[1] {
			return true
		}
	}
	return false
}

func (c *cutter) cutFields(w *bufio.Writer, line []byte) {
	if bytes.IndexByte(line, c.delimiter) < 0 {
		if !c.only {
			w.Write(line)
			w.WriteByte(c.end)
		}
		return
	}
	printed := false
	for i, field := range bytes.Split(line, []byte{c.delimiter}) {
		if c.list.has(i+1) == c.complement {
			continue
		}
		if printed {
			w.WriteString(c.output)
		}
		printed = true
		w.Write(field)
	}
	w.WriteByte(c.end)
}
