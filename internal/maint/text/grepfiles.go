package text

import (
	"bufio"
	"bytes"
	"fmt"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/hardpan/hardpan/internal/maint/regex"
	"github.com/hardpan/hardpan/internal/maint/shell"
	"github.com/hardpan/hardpan/internal/tree"
)

// grepper runs one call of grep.
type grepper struct {
	p     *shell.Proc
	o     *grepOptions
	exprs []expression
	w     *bufio.Writer

	found, failed, printed bool
}

func (g *grepper) run(names []string) error {
	o := g.o
	stripped := false
	if len(names) == 0 {
		names = []string{"-"}
		if o.recursive {
			names, stripped = []string{"."}, true
		}
	}
	if !o.noNames && (len(names) > 1 || o.recursive) {
		o.names = true
	}
	for _, name := range names {
		if err := g.operand(name, stripped); err != nil {
			return err
		}
		if g.found && o.quiet {
			break
		}
	}
	return nil
}

func (g *grepper) complain(name string, err error) error {
	if stop := fatal(err); stop != nil {
		return stop
	}
	g.failed = true
	if !g.o.silent {
		_, err := fail(g.p, name, err)
		return err
	}
	return nil
}

// operand searches a file, or a directory.
func (g *grepper) operand(name string, stripped bool) error {
	if name != "-" && g.p.FS.IsDir(g.p.Path(name)) && (g.o.recursive || g.o.skipDirs) {
		if g.o.skipDirs {
			return nil
		}
		prefix := strings.TrimRight(name, "/") + "/"
		if stripped {
			prefix = ""
		}
		return g.directory(name, prefix)
	}
	if name != "-" && !g.wanted(path.Base(name)) {
		return nil
	}
	return g.file(name)
}

// wanted applies --include and --exclude to the name of a file.
func (g *grepper) wanted(base string) bool {
	for _, pattern := range g.o.exclude {
		if ok, _ := path.Match(pattern, base); ok {
			return false
		}
	}
	for _, pattern := range g.o.include {
		if ok, _ := path.Match(pattern, base); ok {
			return true
		}
	}
	return len(g.o.include) == 0
}

func (g *grepper) directory(dir, prefix string) error {
	names, err := g.p.FS.ReadDir(g.p.Path(dir))
	if err != nil {
		return g.complain(dir, err)
	}
	for _, base := range names {
		name := prefix + base
		n, err := g.p.FS.Lstat(g.p.Path(name))
		if err != nil {
			continue
		}
		if n.Type == tree.Symlink {
			if !g.o.follow {
				continue
			}
			if n, err = g.p.FS.Stat(g.p.Path(name)); err != nil {
				if err := g.complain(name, err); err != nil {
					return err
				}
				continue
			}
		}
		switch {
		case n.Type == tree.Dir && !g.excludedDir(base):
			err = g.directory(name, name+"/")
		case n.Type != tree.Dir && g.wanted(base):
			err = g.file(name)
		}
		if err != nil || g.found && g.o.quiet {
			return err
		}
	}
	return nil
}

func (g *grepper) excludedDir(base string) bool {
	for _, pattern := range g.o.excludeDir {
		if ok, _ := path.Match(pattern, base); ok {
			return true
		}
	}
	return false
}

// match reports whether a line is selected, before -v.
func (g *grepper) match(line string) (bool, error) {
	for _, expr := range g.exprs {
		if ok, err := expr.Match(line); ok || err != nil {
			return ok, limit(err)
		}
	}
	return false, nil
}

// limit makes an error of package regex one that ends all scripts.
func limit(err error) error {
	if err == regex.ErrSteps {
		return &shell.LimitError{What: err.Error()}
	}
	return err
}

// search is the reading of one file.
type search struct {
	*grepper
	name     string
	selected int
	binary   bool
	shown    int // the number of the last line that was printed
	lines    [][]byte
}

func (g *grepper) file(name string) error {
	b, err := read(g.p, name)
	if err != nil {
		return g.complain(name, err)
	}
	s := &search{grepper: g, name: name}
	if name == "-" {
		s.name = g.o.label
	}
	end := byte('\n')
	if g.o.zero {
		end = 0
	}
	s.binary = !g.o.text && !g.o.zero && bytes.IndexByte(b, 0) >= 0
	if s.binary && g.o.binary {
		b = nil
	}
	s.lines, _ = splitLines(b, end)
	if err := s.all(); err != nil {
		return err
	}
	s.summary()
	return s.binaryMatch()
}

// all goes through the lines.
func (s *search) all() error {
	o := s.o
	silent := o.quiet || o.list || o.listOthers || o.count
	after := 0
	for i, line := range s.lines {
		if o.most >= 0 && s.selected >= o.most {
			if after == 0 || silent {
				break
			}
		}
		text := string(line)
		ok := false
		if o.most < 0 || s.selected < o.most {
			var err error
			if ok, err = s.match(text); err != nil {
				return err
			}
			ok = ok != o.invert
		} else if again, err := s.match(text); err != nil {
			return err
		} else if again != o.invert {
			break
		}
		switch {
		case ok:
			s.selected++
			if o.quiet || o.list || o.listOthers {
				return nil
			}
			if silent {
				continue
			}
			if s.binary || !o.text && !utf8.ValidString(text) && !bytewise(s.p) {
				s.binary = true
				return nil
			}
			s.context(i)
			if err := s.print(i, text); err != nil {
				return err
			}
			after = o.after
		case after > 0 && !silent:
			after--
			if !o.only {
				s.line(i, '-', text)
			}
		}
	}
	return nil
}

// context prints what comes before a selected line.
func (s *search) context(i int) {
	if s.o.before == 0 && s.o.after == 0 {
		return
	}
	from := max(i-s.o.before, s.shown)
	if s.printed && (from > s.shown || s.shown == 0) {
		s.w.WriteString("--\n")
	}
	if s.o.only {
		s.shown = from
		return
	}
	for ; from < i; from++ {
		s.line(from, '-', string(s.lines[from]))
	}
}

// print prints a selected line, or what of it matches.
func (s *search) print(i int, text string) error {
	s.printed = true
	if !s.o.only {
		s.line(i, ':', text)
		return nil
	}
	if s.o.invert {
		return nil
	}
	lists := make([][][]int, len(s.exprs)) // of matches
	for n, expr := range s.exprs {
		all, err := expr.All(text, -1)
		if err != nil {
			return limit(err)
		}
		lists[n] = all
	}
	for from := 0; ; {
		loc := nextMatch(lists, from)
		if loc == nil {
			break
		}
		s.prefix(i, ':', loc[0])
		s.w.WriteString(text[loc[0]:loc[1]])
		s.end()
		from = loc[1]
	}
	s.shown = i + 1
	return nil
}

// nextMatch returns the leftmost-longest match of all lists that is not empty and
// does not start before from.
func nextMatch(lists [][][]int, from int) []int {
	var best []int
	for n, all := range lists {
		for len(all) > 0 && (all[0][0] < from || all[0][0] == all[0][1]) {
			all = all[1:]
		}
		lists[n] = all
		if len(all) == 0 {
			continue
		}
		if loc := all[0]; best == nil || loc[0] < best[0] || loc[0] == best[0] && loc[1] > best[1] {
			best = loc
		}
	}
	return best
}

func (s *search) line(i int, sign byte, text string) {
	s.prefix(i, sign, 0)
	s.w.WriteString(text)
	s.end()
	s.shown, s.printed = i+1, true
}

func (s *search) end() {
	if s.o.zero {
		s.w.WriteByte(0)
		return
	}
	s.w.WriteByte('\n')
}

func (s *search) prefix(i int, sign byte, at int) {
	if s.o.names {
		s.w.WriteString(s.name)
		if s.o.nullNames {
			s.w.WriteByte(0)
		} else {
			s.w.WriteByte(sign)
		}
	}
	if s.o.number {
		fmt.Fprintf(s.w, "%d%c", i+1, sign)
	}
	if s.o.offset {
		offset := at
		for _, line := range s.lines[:i] {
			offset += len(line) + 1
		}
		fmt.Fprintf(s.w, "%d%c", offset, sign)
	}
}

// summary prints what is said once for a file.
func (s *search) summary() {
	o := s.o
	if s.selected > 0 {
		s.found = true
	}
	after := byte('\n')
	if o.nullNames {
		after = 0
	}
	switch {
	case o.quiet:
	case o.list && s.selected > 0, o.listOthers && s.selected == 0:
		s.w.WriteString(s.name)
		s.w.WriteByte(after)
	case o.list || o.listOthers:
	case o.count:
		if o.names {
			s.w.WriteString(s.name)
			s.w.WriteByte(map[bool]byte{true: 0, false: ':'}[o.nullNames])
		}
		fmt.Fprintf(s.w, "%d\n", s.selected)
	}
}

// binaryMatch says what is said instead of printing what is not text.
func (s *search) binaryMatch() error {
	o := s.o
	if !s.binary || s.selected == 0 || o.quiet || o.list || o.listOthers || o.count {
		return nil
	}
	_, err := s.p.Errorf("%s: binary file matches", s.name)
	return err
}
