package text

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

// differ is what diff(1) was asked for.
type differ struct {
	p                            *shell.Proc
	brief, same, unified, absent bool
	fold, allBlanks, blanks      bool
	context                      int
	labels                       []string
}

// diff is diff(1) for two files: normal or unified.
func diff(_ context.Context, p *shell.Proc) (int, error) {
	opts, names, err := options(p, "quU:NswbiBaL:d", "brief=q unified::=U new-file=N report-identical-files=s ignore-all-space=w "+
		"ignore-space-change=b ignore-case=i text=a label:=L minimal=d color:: speed-large-files")
	if err != nil {
		return 2, err
	}
	d := &differ{p: p, context: 3}
	for _, o := range opts {
		if err := d.set(o); err != nil {
			return 2, err
		}
	}
	if len(names) != 2 {
		_, err := p.Errorf("missing or extra operand")
		return 2, err
	}
	return d.files(names)
}

func (d *differ) set(o option) (err error) {
	switch o.name {
	case "q":
		d.brief = true
	case "u":
		d.unified = true
	case "U":
		d.unified = true
		if o.value != "" {
			if d.context, err = strconv.Atoi(o.value); err != nil {
				return shell.Unsupported("diff: context %s", o.value)
			}
		}
	case "N":
		d.absent = true
	case "s":
		d.same = true
	case "w":
		d.allBlanks = true
	case "b":
		d.blanks = true
	case "i":
		d.fold = true
	case "L":
		d.labels = append(d.labels, o.value)
	case "a", "d", "speed-large-files":
	case "color":
		if o.value == "always" {
			return shell.Unsupported("diff: colours")
		}
	default:
		return shell.Unsupported("diff: option -%s", o.name)
	}
	return nil
}

func (d *differ) files(names []string) (int, error) {
	var content [2][]byte
	var paths [2]string
	for i, name := range names {
		other := names[1-i]
		if name != "-" && d.p.FS.IsDir(d.p.Path(name)) {
			if other == "-" || d.p.FS.IsDir(d.p.Path(other)) {
				return 2, shell.Unsupported("diff: directories")
			}
			name = strings.TrimRight(name, "/") + "/" + lastName(other)
		}
		b, err := read(d.p, name)
		if err != nil && !(d.absent && !d.p.FS.Exists(d.p.Path(name))) {
			_, err := fail(d.p, name, err)
			return 2, err
		}
		paths[i], content[i] = name, b
	}
	a, b := textLines(content[0]), textLines(content[1])
	edits := d.compare(a, b)
	w := buffered(d.p)
	switch {
	case len(edits) == 0:
		if d.same {
			fmt.Fprintf(w, "Files %s and %s are identical\n", paths[0], paths[1])
		}
		return finish(w, 0)
	case d.brief:
		fmt.Fprintf(w, "Files %s and %s differ\n", paths[0], paths[1])
	case bytes.IndexByte(content[0], 0) >= 0 || bytes.IndexByte(content[1], 0) >= 0:
		fmt.Fprintf(w, "Binary files %s and %s differ\n", paths[0], paths[1])
		return finish(w, 2)
	case d.unified:
		d.printUnified(w, paths, a, b, edits)
	default:
		printNormal(w, a, b, edits)
	}
	return finish(w, 1)
}

// textLines returns the lines of a text, each with its end; the last one may have none.
func textLines(b []byte) []string {
	var lines []string
	for line := range strings.Lines(string(b)) {
		lines = append(lines, line)
	}
	return lines
}

// key is what of a line is compared.
func (d *differ) key(line string) string {
	switch {
	case d.allBlanks:
		line = strings.Join(strings.Fields(line), "")
	case d.blanks:
		text := strings.TrimRight(line, " \t\r\n")
		fields := strings.Fields(text)
		line = strings.Join(fields, " ")
		if text != "" && isBlank(text[0]) {
			line = " " + line
		}
	}
	if d.fold {
		line = strings.ToLower(line)
	}
	return line
}

// edit replaces the lines from to to of the first file by others of the second.
type edit struct{ from, to, newFrom, newTo int }

// maxDiff bounds the work of finding the shortest list of edits.
const maxDiff = 1500

// compare returns the edits that make b of a (Myers, "An O(ND) difference algorithm").
func (d *differ) compare(a, b []string) []edit {
	x, y := make([]string, len(a)), make([]string, len(b))
	for i := range a {
		x[i] = d.key(a[i])
	}
	for i := range b {
		y[i] = d.key(b[i])
	}
	head := 0
	for head < len(x) && head < len(y) && x[head] == y[head] {
		head++
	}
	tail := 0
	for tail < len(x)-head && tail < len(y)-head && x[len(x)-1-tail] == y[len(y)-1-tail] {
		tail++
	}
	deleted, inserted := myers(x[head:len(x)-tail], y[head:len(y)-tail])
	edits := []edit{}
	for i, j := 0, 0; i < len(x) || j < len(y); {
		kept := i < head || i >= len(x)-tail || !deleted[i-head]
		same := j < head || j >= len(y)-tail || !inserted[j-head]
		if kept && same && i < len(x) && j < len(y) {
			i, j = i+1, j+1
			continue
		}
		e := edit{from: i, newFrom: j}
		for i >= head && i < len(x)-tail && deleted[i-head] {
			i++
		}
		for j >= head && j < len(y)-tail && inserted[j-head] {
			j++
		}
		e.to, e.newTo = i, j
		edits = append(edits, e)
	}
	return slide(edits, x, y)
}

// slide moves edits that only delete or only insert as far down as they go, as GNU
// diff does, and joins those that meet.
func slide(edits []edit, a, b []string) []edit {
	var out []edit
	for i, e := range edits {
		if n := len(out); n > 0 && out[n-1].to == e.from && out[n-1].newTo == e.newFrom {
			e.from, e.newFrom = out[n-1].from, out[n-1].newFrom
			out = out[:n-1]
		}
		end, newEnd := len(a), len(b)
		if i+1 < len(edits) {
			end, newEnd = edits[i+1].from, edits[i+1].newFrom
		}
		for e.to < end && e.newTo < newEnd {
			if e.newFrom == e.newTo && a[e.from] != a[e.to] || e.from == e.to && b[e.newFrom] != b[e.newTo] ||
				e.from != e.to && e.newFrom != e.newTo {
				break
			}
			e.from, e.to, e.newFrom, e.newTo = e.from+1, e.to+1, e.newFrom+1, e.newTo+1
		}
		out = append(out, e)
	}
	return out
}

// myers returns which lines of a are deleted and which of b inserted.
func myers(a, b []string) (deleted, inserted []bool) {
	deleted, inserted = make([]bool, len(a)), make([]bool, len(b))
	limit := min(len(a)+len(b), maxDiff)
	offset := limit + 1
	v := make([]int, 2*offset+1)
	var trace [][]int
	for n := 0; n <= limit; n++ {
		trace = append(trace, append([]int(nil), v[offset-n-1:offset+n+2]...))
		for k := -n; k <= n; k += 2 {
			x := 0
			if k == -n || k != n && v[offset+k-1] < v[offset+k+1] {
				x = v[offset+k+1]
			} else {
				x = v[offset+k-1] + 1
			}
			y := x - k
			for x < len(a) && y < len(b) && a[x] == b[y] {
				x, y = x+1, y+1
			}
			v[offset+k] = x
			if x >= len(a) && y >= len(b) {
				backtrack(trace, len(a), len(b), deleted, inserted)
				return deleted, inserted
			}
		}
	}
	for i := range deleted { // too different to be worth it
		deleted[i] = true
	}
	for i := range inserted {
		inserted[i] = true
	}
	return deleted, inserted
}

func backtrack(trace [][]int, x, y int, deleted, inserted []bool) {
	for n := len(trace) - 1; n > 0; n-- {
		v := func(k int) int { return trace[n][k+n+1] }
		k := x - y
		before := k - 1
		if k == -n || k != n && v(k-1) < v(k+1) {
			before = k + 1
		}
		fromX := v(before)
		fromY := fromX - before
		for x > fromX && y > fromY && x > 0 && y > 0 && !(x == fromX+1 && before == k-1 && y == fromY) {
			x, y = x-1, y-1
		}
		if before == k+1 {
			inserted[fromY] = true
		} else {
			deleted[fromX] = true
		}
		x, y = fromX, fromY
	}
}

func printNormal(w *bufio.Writer, a, b []string, edits []edit) {
	span := func(from, to int) string {
		switch {
		case to == from:
			return strconv.Itoa(from)
		case to == from+1:
			return strconv.Itoa(to)
		}
		return fmt.Sprintf("%d,%d", from+1, to)
	}
	for _, e := range edits {
		verb := "c"
		switch {
		case e.from == e.to:
			verb = "a"
		case e.newFrom == e.newTo:
			verb = "d"
		}
		fmt.Fprintf(w, "%s%s%s\n", span(e.from, e.to), verb, span(e.newFrom, e.newTo))
		for _, line := range a[e.from:e.to] {
			writeDiffLine(w, "< ", line)
		}
		if verb == "c" {
			w.WriteString("---\n")
		}
		for _, line := range b[e.newFrom:e.newTo] {
			writeDiffLine(w, "> ", line)
		}
	}
}

func writeDiffLine(w *bufio.Writer, prefix, line string) {
	text, ended := strings.CutSuffix(line, "\n")
	w.WriteString(prefix + text + "\n")
	if !ended {
		w.WriteString("\\ No newline at end of file\n")
	}
}

func (d *differ) printUnified(w *bufio.Writer, paths [2]string, a, b []string, edits []edit) {
	for i, sign := range []string{"---", "+++"} {
		label := paths[i] + "\t" + d.stamp(paths[i])
		if i < len(d.labels) {
			label = d.labels[i]
		}
		w.WriteString(sign + " " + label + "\n")
	}
	for len(edits) > 0 {
		n := 1
		for n < len(edits) && edits[n].from-edits[n-1].to <= 2*d.context {
			n++
		}
		d.hunk(w, a, b, edits[:n])
		edits = edits[n:]
	}
}

// stamp is the time of a file as the header of a unified diff has it.
func (d *differ) stamp(name string) string {
	at := d.p.FS.Time
	if n, err := d.p.FS.Stat(d.p.Path(name)); err == nil {
		at = n.ModTime
	}
	return time.Unix(at, 0).UTC().Format("2006-01-02 15:04:05.000000000 -0700")
}

func (d *differ) hunk(w *bufio.Writer, a, b []string, edits []edit) {
	first, last := edits[0], edits[len(edits)-1]
	from := max(first.from-d.context, 0)
	newFrom := first.newFrom - (first.from - from)
	to := min(last.to+d.context, len(a))
	newTo := last.newTo + (to - last.to)
	span := func(from, to int) string {
		switch to - from {
		case 0:
			return fmt.Sprintf("%d,0", from)
		case 1:
			return strconv.Itoa(to)
		}
		return fmt.Sprintf("%d,%d", from+1, to-from)
	}
	fmt.Fprintf(w, "@@ -%s +%s @@\n", span(from, to), span(newFrom, newTo))
	at := from
	for _, e := range edits {
		for ; at < e.from; at++ {
			writeDiffLine(w, " ", a[at])
		}
		for ; at < e.to; at++ {
			writeDiffLine(w, "-", a[at])
		}
		for _, line := range b[e.newFrom:e.newTo] {
			writeDiffLine(w, "+", line)
		}
	}
	for ; at < to; at++ {
		writeDiffLine(w, " ", a[at])
	}
}
