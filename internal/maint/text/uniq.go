package text

import (
	"bytes"
	"context"
	"fmt"
	"strconv"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

// uniq is uniq(1).
func uniq(_ context.Context, p *shell.Proc) (int, error) {
	opts, names, err := options(p, "cdDuif:s:w:z", "count=c repeated=d all-repeated::=D unique=u ignore-case=i skip-fields:=f skip-chars:=s check-chars:=w zero-terminated=z")
	if err != nil {
		return 1, err
	}
	f := flags(opts)
	u := uniqKey{fold: f["i"], width: -1}
	separate := ""
	for _, o := range opts {
		if o.name == "D" {
			separate = o.value
			continue
		}
		if o.value == "" {
			continue
		}
		n, err := strconv.Atoi(o.value)
		if err != nil {
			return p.Errorf("%s: invalid number", o.value)
		}
		switch o.name {
		case "f":
			u.fields = n
		case "s":
			u.chars = n
		case "w":
			u.width = n
		}
	}
	if len(names) > 2 || separate != "" && separate != "none" {
		return 1, shell.Unsupported("uniq: --all-repeated=%s or more than two files", separate)
	}
	input := "-"
	if len(names) > 0 {
		input = names[0]
	}
	b, err := read(p, input)
	if err != nil {
		return fail(p, input, err)
	}
	end := byte('\n')
	if f["z"] {
		end = 0
	}
	out := uniqLines(b, end, u, f)
	if len(names) == 2 && names[1] != "-" {
		if err := store(p, names[1], out, false); err != nil {
			return fail(p, names[1], err)
		}
		return 0, nil
	}
	_, err = p.Stdout.Write(out)
	return 0, err
}

// uniqKey says what of a line is compared.
type uniqKey struct {
	fields, chars, width int
	fold                 bool
}

func (u uniqKey) of(line []byte) []byte {
	for range u.fields {
		line = line[skipBlanks(line, 0):]
		for len(line) > 0 && !isBlank(line[0]) {
			line = line[1:]
		}
	}
	line = line[min(u.chars, len(line)):]
	if u.width >= 0 {
		line = line[:min(u.width, len(line))]
	}
	if u.fold {
		line = bytes.ToLower(line)
	}
	return line
}

func uniqLines(b []byte, end byte, u uniqKey, f map[string]bool) []byte {
	lines, _ := splitLines(b, end)
	var out bytes.Buffer
	for i := 0; i < len(lines); {
		n := 1
		for i+n < len(lines) && bytes.Equal(u.of(lines[i]), u.of(lines[i+n])) {
			n++
		}
		group := lines[i : i+1]
		switch {
		case f["D"] && n == 1, f["d"] && n == 1, f["u"] && n > 1:
			group = nil
		case f["D"]:
			group = lines[i : i+n]
		}
		for _, line := range group {
			if f["c"] {
				fmt.Fprintf(&out, "%7d ", n)
			}
			out.Write(line)
			out.WriteByte(end)
		}
		i += n
	}
	return out.Bytes()
}
