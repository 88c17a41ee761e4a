package text

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hardpan/hardpan/internal/maint/regex"
	"github.com/hardpan/hardpan/internal/maint/shell"
)

// lastRegex is the expression that an empty one stands for.
type lastRegex struct{ expr *regex.Regexp }

func (l *lastRegex) use(expr *regex.Regexp) (*regex.Regexp, error) {
	if expr != nil {
		l.expr = expr
	}
	if l.expr == nil {
		return nil, &sedError{"-e expression #1, char 0: no previous regular expression"}
	}
	return l.expr, nil
}

// lineReader gives the lines of a file one by one.
type lineReader struct {
	lines [][]byte
	at    int
	ended bool
}

// load opens the next file that has a line. It reports whether there is one.
func (s *sed) load() (bool, error) {
	for s.at >= len(s.lines) && len(s.files) > 0 {
		name := s.files[0]
		s.files = s.files[1:]
		b, err := read(s.p, name)
		if err != nil {
			if fatal(err) != nil {
				return false, err
			}
			text := "can't read %s: %s"
			if s.p.FS.IsDir(s.p.Path(name)) {
				text = "couldn't edit %s: %s"
			}
			s.status = 2
			if _, err := s.p.Errorf(text, name, reason(err)); err != nil {
				return false, err
			}
			continue
		}
		s.name = name
		s.lines, s.whole = splitLines(b, s.end)
		s.at = 0
	}
	return s.at < len(s.lines), nil
}

// isLast reports whether the line in the pattern space is the last one.
func (s *sed) isLast() (bool, error) {
	if s.at < len(s.lines) {
		return false, nil
	}
	if s.separate {
		return true, nil
	}
	more, err := s.load()
	return !more, err
}

// read brings the next line into the pattern space, after what is there if add.
func (s *sed) read(add bool) (bool, error) {
	if err := s.flushQueue(); err != nil {
		return false, err
	}
	if s.at >= len(s.lines) && s.separate && !s.inPlace {
		s.number = 0
	}
	if more, err := s.load(); !more || err != nil {
		return false, err
	}
	line := string(s.lines[s.at])
	s.at++
	s.ended = s.at < len(s.lines) || s.whole
	if add {
		line = s.space + string(s.end) + line
	}
	s.space = line
	s.number++
	return true, s.room(len(line))
}

func (s *sed) room(size int) error {
	if size > maxSedSpace {
		return &shell.LimitError{What: fmt.Sprintf("sed: a line of %d MB", size>>20)}
	}
	return nil
}

func (s *sed) print(text string) error { return s.out.write(text, s.end, s.ended) }

// flushQueue prints what a, r and R have left for the end of the cycle.
func (s *sed) flushQueue() error {
	for _, q := range s.queue {
		if q.text == "" && !q.line {
			continue
		}
		text, ended := q.text, q.ended
		end := s.end
		if !q.line {
			end = '\n'
			text, ended = strings.CutSuffix(text, "\n")
		}
		if err := s.out.write(text, end, ended); err != nil {
			return err
		}
		s.out.missing = false // what a file lacks, it lacks
	}
	s.queue = nil
	return nil
}

// cycles runs the script for each line (XCU sed, "extended description").
func (s *sed) cycles() error {
	restart := false
	for !s.quit {
		if !restart {
			more, err := s.read(false)
			if err != nil || !more {
				return err
			}
		}
		s.changed = s.changed && restart
		next, err := s.cycle()
		if err != nil {
			return err
		}
		if (next == cycleEnd || next == cycleQuit) && !s.quiet {
			if err := s.print(s.space); err != nil {
				return err
			}
		}
		if err := s.flushQueue(); err != nil {
			return err
		}
		s.quit = s.quit || next == cycleQuit
		restart = next == cycleAgain
	}
	return nil
}

// outcome says how a cycle ends.
type outcome int

const (
	cycleOn     outcome = iota // with the next command
	cycleEnd                   // the pattern space is printed
	cycleDelete                // it is not
	cycleAgain                 // it is not, and the next cycle begins with what is left
	cycleQuit                  // it is printed, and sed ends
)

func (s *sed) cycle() (outcome, error) {
	for i := 0; i < len(s.commands); i++ {
		if err := s.p.Work(s.ctx, 1); err != nil {
			return 0, err
		}
		c := s.commands[i]
		selected, err := s.selects(c)
		if err != nil {
			return 0, err
		}
		if !selected {
			if c.name == '{' {
				i = c.to - 1
			}
			continue
		}
		switch c.name {
		case '{':
			continue
		case 'b':
			i = c.to - 1
			continue
		case 't', 'T':
			if s.changed == (c.name == 't') {
				i = c.to - 1
			}
			s.changed = false
			continue
		}
		if next, err := s.do(c); err != nil || next != cycleOn {
			return next, err
		}
	}
	return cycleEnd, nil
}

// selects reports whether the addresses of a command select the line.
func (s *sed) selects(c *sedCommand) (bool, error) {
	in, err := s.inRange(c)
	return in != c.not, err
}

func (s *sed) inRange(c *sedCommand) (bool, error) {
	switch {
	case c.first == nil:
		return true, nil
	case c.second == nil:
		return s.at1(c.first)
	case c.active:
		return s.rangeGoesOn(c)
	}
	in, err := s.at1(c.first)
	if err != nil || !in {
		return false, err
	}
	c.active = true
	switch a := c.second; a.kind {
	case addressLine:
		c.until = a.line
	case addressPlus:
		c.until = s.number + a.line
	case addressMultiple:
		c.until = s.number
		if a.line > 0 {
			c.until = (s.number/a.line + 1) * a.line
		}
	case addressLast:
		last, err := s.isLast()
		c.active = !last
		return true, err
	default:
		return true, nil
	}
	c.active = c.until > s.number
	return true, nil
}

func (s *sed) rangeGoesOn(c *sedCommand) (bool, error) {
	switch c.second.kind {
	case addressRegex, addressLast, addressStep:
		end, err := s.at1(c.second)
		c.active = !end
		return true, err
	}
	if s.number >= c.until {
		c.active = false
	}
	if s.number > c.until { // passed by n or N
		return s.at1(c.first)
	}
	return true, nil
}

// at1 reports whether a single address selects the line.
func (s *sed) at1(a *sedAddress) (bool, error) {
	switch a.kind {
	case addressLine:
		return a.line == s.number, nil
	case addressStep:
		if a.step <= 0 {
			return a.line == s.number, nil
		}
		return s.number >= a.line && (s.number-a.line)%a.step == 0, nil
	case addressLast:
		return s.isLast()
	}
	expr, err := s.last.use(a.expr)
	if err != nil {
		return false, err
	}
	return expr.Match(s.space)
}

// substitute runs the command s.
func (s *sed) substitute(c *sedSubst) error {
	expr, err := s.last.use(c.expr)
	if err != nil {
		return err
	}
	most := c.nth
	if c.global {
		most = -1
	}
	all, err := expr.All(s.space, most)
	if err != nil || len(all) < c.nth {
		return err
	}
	var b strings.Builder
	from := 0
	for _, loc := range all[c.nth-1:] {
		b.WriteString(s.space[from:loc[0]])
		expandReplacement(&b, c.repl, s.space, loc)
		from = loc[1]
		if err := s.room(b.Len()); err != nil {
			return err
		}
	}
	b.WriteString(s.space[from:])
	s.space, s.changed = b.String(), true
	if c.eval {
		out, err := s.execute(s.space)
		if err != nil {
			return err
		}
		s.space = strings.TrimSuffix(out, "\n")
	}
	for range c.print {
		if err := s.print(s.space); err != nil {
			return err
		}
	}
	if c.file != "" {
		return s.outputs[c.file].write(s.space, s.end, s.ended)
	}
	return nil
}

// expandReplacement writes a replacement for the match loc of text.
func expandReplacement(b *strings.Builder, parts []sedPart, text string, loc []int) {
	var all, one byte // \U or \L until \E, \u or \l for one character
	for _, part := range parts {
		switch part.fold {
		case 'U', 'L':
			all, one = part.fold, 0
		case 'E':
			all, one = 0, 0
		case 'u', 'l':
			one = part.fold
		}
		piece := part.text
		if part.group >= 0 {
			piece = ""
			if i := 2 * part.group; i < len(loc) && loc[i] >= 0 {
				piece = text[loc[i]:loc[i+1]]
			}
		}
		if piece == "" {
			continue
		}
		switch all {
		case 'U':
			piece = strings.ToUpper(piece)
		case 'L':
			piece = strings.ToLower(piece)
		}
		if one != 0 {
			r, size := utf8.DecodeRuneInString(piece)
			if one == 'u' {
				r = unicode.ToUpper(r)
			} else {
				r = unicode.ToLower(r)
			}
			if r != utf8.RuneError {
				piece = string(r) + piece[size:]
			}
			one = 0
		}
		b.WriteString(piece)
	}
}

// execute runs a command of the shell, and returns what it prints.
func (s *sed) execute(command string) (string, error) {
	var out bytes.Buffer
	q := *s.p
	q.Stdout = &out
	_, err := q.Run(s.ctx, "sh", "-c", command)
	return out.String(), err
}

// unambiguous prints the pattern space as the command l does.
func (s *sed) unambiguous(width int) error {
	var b strings.Builder
	column := 0
	for i := range len(s.space) {
		piece := visible(s.space[i])
		if width > 1 && column+len(piece) > width-1 {
			b.WriteString("\\\n")
			column = 0
		}
		b.WriteString(piece)
		column += len(piece)
	}
	b.WriteString("$")
	return s.out.write(b.String(), '\n', true)
}

func visible(c byte) string {
	if c == '\\' {
		return `\\`
	}
	if i := strings.IndexByte("\a\b\f\n\r\t\v", c); i >= 0 {
		return `\` + "abfnrtv"[i:i+1]
	}
	if c < ' ' || c > '~' {
		return `\` + fmt.Sprintf("%03s", strconv.FormatUint(uint64(c), 8))
	}
	return string(c)
}
