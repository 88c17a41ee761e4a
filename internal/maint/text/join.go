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

// joiner is what join(1) was asked for.
type joiner struct {
	w         *bufio.Writer
	fields    [2]int // from 0
	separator string // "" for blanks
	empty     string
	fold      bool
	unpaired  [2]bool
	paired    bool
	output    [][2]int // file (0 for the key) and field
	end       byte
}

func join(_ context.Context, p *shell.Proc) (int, error) {
	opts, names, err := options(p, "1:2:a:e:ij:o:t:v:z", "ignore-case=i zero-terminated=z check-order nocheck-order")
	if err != nil {
		return 1, err
	}
	j := &joiner{w: buffered(p), paired: true, end: '\n'}
	for _, o := range opts {
		if err := j.set(o); err != nil {
			return 1, shell.Unsupported("join: -%s %s", o.name, o.value)
		}
	}
	if len(names) != 2 {
		return p.Errorf("missing or extra operand")
	}
	var sides [2][][][]byte
	for i, name := range names {
		b, err := read(p, name)
		if err != nil {
			return fail(p, name, err)
		}
		lines, _ := splitLines(b, j.end)
		for _, line := range lines {
			sides[i] = append(sides[i], j.split(line))
		}
	}
	j.merge(sides[0], sides[1])
	return finish(j.w, 0)
}

func (j *joiner) set(o option) (err error) {
	n := 0
	switch o.name {
	case "1", "2", "j", "a", "v":
		if n, err = strconv.Atoi(o.value); err != nil || n < 1 {
			return fmt.Errorf("number")
		}
	}
	switch o.name {
	case "1", "2":
		j.fields[o.name[0]-'1'] = n - 1
	case "j":
		j.fields = [2]int{n - 1, n - 1}
	case "a", "v":
		if n > 2 {
			return fmt.Errorf("number")
		}
		j.unpaired[n-1] = true
		if o.name == "v" {
			j.paired = false
		}
	case "e":
		j.empty = o.value
	case "i":
		j.fold = true
	case "t":
		if len(o.value) != 1 {
			return fmt.Errorf("separator")
		}
		j.separator = o.value
	case "z":
		j.end = 0
	case "o":
		return j.list(o.value)
	}
	return nil
}

// list reads the argument of -o, "0,1.2".
func (j *joiner) list(text string) error {
	for _, field := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' }) {
		if field == "0" {
			j.output = append(j.output, [2]int{})
			continue
		}
		file, number, ok := strings.Cut(field, ".")
		n, err := strconv.Atoi(number)
		if !ok || err != nil || n < 1 || file != "1" && file != "2" {
			return fmt.Errorf("field")
		}
		j.output = append(j.output, [2]int{int(file[0] - '0'), n - 1})
	}
	return nil
}

func (j *joiner) split(line []byte) [][]byte {
	if j.separator == "" {
		return bytes.Fields(line)
	}
	return bytes.Split(line, []byte(j.separator))
}

func (j *joiner) key(side int, fields [][]byte) []byte {
	if j.fields[side] >= len(fields) {
		return nil
	}
	key := fields[j.fields[side]]
	if j.fold {
		key = bytes.ToUpper(key)
	}
	return key
}

func (j *joiner) merge(a, b [][][]byte) {
	for len(a) > 0 || len(b) > 0 {
		order := 0
		switch {
		case len(a) == 0:
			order = 1
		case len(b) == 0:
			order = -1
		default:
			order = bytes.Compare(j.key(0, a[0]), j.key(1, b[0]))
		}
		switch {
		case order < 0:
			if j.unpaired[0] {
				j.print(a[0], nil)
			}
			a = a[1:]
		case order > 0:
			if j.unpaired[1] {
				j.print(nil, b[0])
			}
			b = b[1:]
		default:
			n, m := j.run(0, a), j.run(1, b)
			for _, x := range a[:n] {
				for _, y := range b[:m] {
					if j.paired {
						j.print(x, y)
					}
					if _, err := j.w.Write(nil); err != nil {
						return // which finish reports
					}
				}
			}
			a, b = a[n:], b[m:]
		}
	}
}

// run returns how many lines at the start have the same key.
func (j *joiner) run(side int, lines [][][]byte) int {
	n := 1
	for n < len(lines) && bytes.Equal(j.key(side, lines[0]), j.key(side, lines[n])) {
		n++
	}
	return n
}

func (j *joiner) print(a, b [][]byte) {
	var out []string
	add := func(fields [][]byte, i int) {
		text := j.empty
		if i < len(fields) && len(fields[i]) > 0 {
			text = string(fields[i])
		}
		out = append(out, text)
	}
	key := func() {
		if a != nil {
			add(a, j.fields[0])
		} else {
			add(b, j.fields[1])
		}
	}
	if j.output == nil {
		key()
		for side, fields := range [][][]byte{a, b} {
			for i := range fields {
				if i != j.fields[side] {
					add(fields, i)
				}
			}
		}
	}
	for _, f := range j.output {
		switch f[0] {
		case 0:
			key()
		case 1:
			add(a, f[1])
		case 2:
			add(b, f[1])
		}
	}
	separator := j.separator
	if separator == "" {
		separator = " "
	}
	j.w.WriteString(strings.Join(out, separator))
	j.w.WriteByte(j.end)
}

// tsort is tsort(1).
func tsort(_ context.Context, p *shell.Proc) (int, error) {
	_, names, err := options(p, "", "")
	if err != nil {
		return 1, err
	}
	if len(names) > 1 {
		return p.Errorf("extra operand '%s'", names[1])
	}
	names = append(names, "-")
	b, err := read(p, names[0])
	if err != nil {
		return fail(p, names[0], err)
	}
	words := strings.Fields(string(b))
	if len(words)%2 != 0 {
		return p.Errorf("%s: input contains an odd number of tokens", names[0])
	}
	before := map[string]int{}     // how many must come first
	after := map[string][]string{} // what may come then, of which the last comes first
	for i := 0; i < len(words); i += 2 {
		from, to := words[i], words[i+1]
		before[from] += 0
		if before[to] += 0; from != to {
			before[to]++
			after[from] = append(after[from], to)
		}
	}
	var ready []string
	for word, n := range before {
		if n == 0 {
			ready = append(ready, word)
		}
	}
	slices.Sort(ready)
	w := buffered(p)
	printed := 0
	for ; printed < len(ready); printed++ {
		w.WriteString(ready[printed] + "\n")
		for _, word := range slices.Backward(after[ready[printed]]) {
			if before[word]--; before[word] == 0 {
				ready = append(ready, word)
			}
		}
	}
	if printed < len(before) {
		return 1, shell.Unsupported("tsort: a loop")
	}
	return finish(w, 0)
}
