package text

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

// cmpCommand is cmp(1).
func cmpCommand(_ context.Context, p *shell.Proc) (int, error) {
	opts, names, err := options(p, "bi:ln:s", "print-bytes=b ignore-initial:=i verbose=l bytes:=n quiet=s silent=s")
	if err != nil {
		return 2, err
	}
	f := flags(opts)
	if f["b"] || len(names) < 1 || len(names) > 4 {
		return 2, shell.Unsupported("cmp: option -b, or %d operands", len(names))
	}
	skip, most := [2]int{}, -1
	for _, o := range opts {
		switch o.name {
		case "i":
			first, second, two := strings.Cut(o.value, ":")
			if skip[0], err = strconv.Atoi(first); err == nil && two {
				skip[1], err = strconv.Atoi(second)
			} else {
				skip[1] = skip[0]
			}
		case "n":
			most, err = strconv.Atoi(o.value)
		}
		if err != nil {
			_, err := p.Errorf("invalid value '%s'", o.value)
			return 2, err
		}
	}
	if len(names) == 1 {
		names = append(names, "-")
	}
	for i, n := range names[2:] {
		if skip[i], err = strconv.Atoi(n); err != nil {
			_, err := p.Errorf("invalid value '%s'", n)
			return 2, err
		}
	}
	var content [2][]byte
	for i := range content {
		b, err := read(p, names[i])
		if err != nil {
			if stop := fatal(err); stop != nil || f["s"] {
				return 2, stop
			}
			_, err := fail(p, names[i], err)
			return 2, err
		}
		b = b[min(skip[i], len(b)):]
		if most >= 0 {
			b = b[:min(most, len(b))]
		}
		content[i] = b
	}
	return differences(p, names, content[0], content[1], f)
}

func differences(p *shell.Proc, names []string, a, b []byte, f map[string]bool) (int, error) {
	if bytes.Equal(a, b) {
		return 0, nil
	}
	if f["s"] {
		return 1, nil
	}
	w := buffered(p)
	size, found := min(len(a), len(b)), false
	width := len(strconv.Itoa(max(len(a), len(b))))
	for i := range size {
		if a[i] == b[i] {
			continue
		}
		found = true
		if f["l"] {
			fmt.Fprintf(w, "%*d %3o %3o\n", width, i+1, a[i], b[i])
			continue
		}
		fmt.Fprintf(w, "%s %s differ: byte %d, line %d\n", names[0], names[1], i+1, 1+bytes.Count(a[:i], []byte("\n")))
		return finish(w, 1)
	}
	if len(a) != len(b) && (f["l"] || !found) {
		short, name := a, names[0]
		if len(b) < len(a) {
			short, name = b, names[1]
		}
		after := fmt.Sprintf("after byte %d", len(short))
		if len(short) == 0 {
			after = "which is empty"
		} else if !f["l"] {
			after += fmt.Sprintf(", in line %d", 1+bytes.Count(short, []byte("\n")))
		}
		if _, err := p.Errorf("EOF on %s %s", name, after); err != nil {
			return 2, err
		}
	}
	return finish(w, 1)
}
