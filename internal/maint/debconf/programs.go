package debconf

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

// escape is debconf-escape(1).
func escape(_ context.Context, p *shell.Proc) (int, error) {
	convert := map[string]func(string) string{"-e": escaped, "--escape": escaped, "-u": unescape, "--unescape": unescape}
	if len(p.Args) != 2 || convert[p.Args[1]] == nil {
		return p.Errorf("exactly one of -e or -u must be used")
	}
	text, err := io.ReadAll(p.Stdin)
	if err != nil {
		return 1, err
	}
	_, err = io.WriteString(p.Stdout, convert[p.Args[1]](string(text)))
	return 0, err
}

// setSelections is debconf-set-selections(1).
func (d *Debconf) setSelections(_ context.Context, p *shell.Proc) (int, error) {
	unseen, check, status := false, false, 0
	var files []string
	for _, a := range p.Args[1:] {
		switch a {
		case "-u", "--unseen":
			unseen = true
		case "-c", "--checkonly":
			check = true
		case "-v", "--verbose":
		default:
			if strings.HasPrefix(a, "-") && a != "-" {
				return 0, shell.Unsupported("debconf-set-selections %s", a)
			}
			files = append(files, a)
		}
	}
	if len(files) == 0 {
		files = []string{"-"}
	}
	for _, name := range files {
		in, err := p.Open(name)
		if err != nil {
			fmt.Fprintf(p.Stderr, "%v\n", err)
			continue
		}
		text, err := io.ReadAll(in)
		if err != nil {
			return 1, err
		}
		for line := range strings.SplitSeq(strings.ReplaceAll(string(text), "\\\n", ""), "\n") {
			line = strings.TrimLeft(strings.TrimRight(line, "\r"), " \t")
			if line == "" || line[0] == '#' {
				continue
			}
			owner, rest := cutWord(line)
			name, rest := cutWord(rest)
			kind, value := cutWord(rest)
			if kind == "" {
				fmt.Fprintf(p.Stderr, "error: parse error on line: '%s'\n", line)
				status = 1
				continue
			}
			if check {
				continue
			}
			d.select1(owner, name, kind, value, unseen)
		}
	}
	return status, nil
}

// cutWord returns the first word of a line and what is after the one blank that
// follows it and, where more words follow, after all blanks.
func cutWord(s string) (word, rest string) {
	s = strings.TrimLeft(s, " \t")
	i := strings.IndexAny(s, " \t")
	if i < 0 {
		return s, ""
	}
	return s[:i], s[i+1:]
}

// select1 takes one line of debconf-set-selections: a value, or the flag "seen".
func (d *Debconf) select1(owner, name, kind, value string, unseen bool) {
	if kind == "seen" {
		if q := d.questions[name]; q != nil {
			q.flags["seen"] = value
		}
		return
	}
	d.answer(owner, name, kind, value)
	if unseen {
		d.questions[name].flags["seen"] = "false"
	}
}

// show is debconf-show(1).
func (d *Debconf) show(_ context.Context, p *shell.Proc) (int, error) {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(d.questions)) {
		q := d.questions[name]
		for _, pkg := range p.Args[1:] {
			if strings.HasPrefix(pkg, "-") {
				return 0, shell.Unsupported("debconf-show %s", pkg)
			}
			if !slices.Contains(q.owners, pkg) {
				continue
			}
			mark, value := "  ", d.value(q)
			if q.flags["seen"] == "true" {
				mark = "* "
			}
			if d.templates[q.template]["type"] == "password" {
				value = "(password omitted)"
			}
			if value != "" {
				value = " " + value
			}
			b.WriteString(mark + name + ":" + value + "\n")
		}
	}
	_, err := io.WriteString(p.Stdout, b.String())
	return 0, err
}

// loadTemplate is debconf-loadtemplate(1).
func (d *Debconf) loadTemplate(_ context.Context, p *shell.Proc) (int, error) {
	if len(p.Args) < 3 {
		return p.Errorf("usage: debconf-loadtemplate owner file")
	}
	for _, name := range p.Args[2:] {
		text, err := p.FS.ReadFile(p.Path(name))
		if err != nil {
			return p.Fail(err)
		}
		if err := d.load(string(text), p.Args[1]); err != nil {
			return p.Errorf("%s: %v", name, err)
		}
	}
	return 0, nil
}
