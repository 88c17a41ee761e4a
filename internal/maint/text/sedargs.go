package text

import (
	"strconv"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/regex"
	"github.com/hardpan/hardpan/internal/maint/shell"
)

// arguments reads what follows the name of a command. keep is false for what is no
// command when the script runs.
func (s *sedParser) arguments(c *sedCommand) (keep bool, err error) {
	switch c.name {
	case '#':
		if c.first != nil {
			return false, s.errorf("comments don't accept any addresses")
		}
		s.line()
		return false, nil
	case ':':
		return false, s.label(c)
	case '{':
		s.blocks = append(s.blocks, len(s.commands))
		return true, nil
	case '}':
		return false, s.closeBlock(c)
	case 'a', 'i', 'c':
		return true, s.text(c)
	case 's':
		return true, s.substitution(c)
	case 'y':
		if err := s.transliteration(c); err != nil {
			return false, err
		}
		return true, s.end()
	case 'b', 't', 'T':
		c.text = s.word(" \t\n;}")
		return true, nil // what comes after a label is the next command
	case 'r', 'R', 'w', 'W', 'e':
		return true, s.fileArgument(c)
	case 'q', 'Q', 'l', 'L':
		s.skip(" \t")
		if b := s.next(); b >= '0' && b <= '9' {
			c.number = s.digits()
		}
		return true, s.end()
	case 'v':
		s.word("\n;}")
		return false, nil
	case '=', 'd', 'D', 'F', 'g', 'G', 'h', 'H', 'n', 'N', 'p', 'P', 'x', 'z':
		return true, s.end()
	}
	return false, s.errorf("unknown command: `%c'", c.name)
}

// line reads the rest of the line.
func (s *sedParser) line() string {
	line, _, _ := strings.Cut(s.src[s.pos:], "\n")
	s.pos += len(line)
	return line
}

// word reads up to one of the bytes that end it.
func (s *sedParser) word(ends string) string {
	s.skip(" \t")
	from := s.pos
	for s.pos < len(s.src) && strings.IndexByte(ends, s.src[s.pos]) < 0 {
		s.pos++
	}
	return s.src[from:s.pos]
}

// end reads what must follow a command.
func (s *sedParser) end() error {
	s.skip(" \t")
	switch s.next() {
	case 0, '}', '#':
		return nil
	case '\n', ';':
		s.pos++
		return nil
	}
	return s.errorf("extra characters after command")
}

func (s *sedParser) label(c *sedCommand) error {
	if c.first != nil {
		return s.errorf(": doesn't want any addresses")
	}
	name := s.word(" \t\n;}")
	if name == "" {
		return s.errorf("\":\" lacks a label")
	}
	s.labels[name] = len(s.commands)
	return nil
}

func (s *sedParser) closeBlock(c *sedCommand) error {
	if len(s.blocks) == 0 {
		return s.errorf("unexpected `}'")
	}
	if c.first != nil {
		return s.errorf("} doesn't want any addresses")
	}
	last := len(s.blocks) - 1
	s.commands[s.blocks[last]].to = len(s.commands)
	s.blocks = s.blocks[:last]
	return s.end()
}

// text reads the text of a, i and c, in the classic form (a backslash, and the text
// from the next line on) or GNU's (on the same line).
func (s *sedParser) text(c *sedCommand) error {
	s.skip(" \t")
	if s.pos >= len(s.src) || s.next() == '\n' {
		return s.errorf("expected \\ after `a', `c' or `i'")
	}
	raw := ""
	if s.next() == '\\' {
		s.pos++
		from := s.pos
		s.skip(" \t")
		if s.next() == '\n' {
			s.pos++
		} else {
			s.pos = from
			s.skip(" \t")
			if s.next() != '\\' { // of a\text, the spaces count
				s.pos = from
			}
			if s.pos < len(s.src) && s.next() != '\\' { // what follows is no escape
				raw = s.src[s.pos : s.pos+1]
				s.pos++
			}
		}
	}
	c.text = raw + sedText(sedUnescape(s.lines(), true))
	if c.text != "" || raw != "" {
		c.text += "\n"
	}
	return nil
}

// lines reads up to the first newline that no backslash is before.
func (s *sedParser) lines() string {
	from := s.pos
	for s.pos < len(s.src) {
		switch s.src[s.pos] {
		case '\\':
			s.pos++
		case '\n':
			text := s.src[from:s.pos]
			s.pos++
			return text
		}
		s.pos++
	}
	s.pos = len(s.src)
	return s.src[from:]
}

// sedText removes the backslashes of a text.
func sedText(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' {
			if i++; i == len(text) {
				break
			}
			if text[i] == 'n' {
				b.WriteByte('\n')
				continue
			}
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

func (s *sedParser) fileArgument(c *sedCommand) error {
	if err := s.sandboxed(); err != nil {
		return err
	}
	s.skip(" \t")
	c.text = s.line()
	if c.text == "" && c.name != 'e' {
		return s.errorf("missing filename in r/R/w/W commands")
	}
	return nil
}

// substitution reads the command s.
func (s *sedParser) substitution(c *sedCommand) error {
	delimiter := s.next()
	s.pos++
	expr, ok := s.delimited(delimiter, true)
	if !ok {
		return s.errorf("unterminated `s' command")
	}
	repl, ok := s.delimited(delimiter, false)
	if !ok {
		return s.errorf("unterminated `s' command")
	}
	c.subst = &sedSubst{nth: 1}
	o, err := s.substFlags(c.subst)
	if err != nil {
		return err
	}
	most := 0
	c.subst.repl, most = sedReplacement(sedUnescape(repl, true))
	o.NoGroups = most == 0
	if c.subst.expr, err = s.compile(expr, o); err != nil {
		return err
	}
	if c.subst.expr != nil && most > c.subst.expr.Groups() {
		return s.errorf("invalid reference \\%d on `s' command's RHS", most)
	}
	return nil
}

func (s *sedParser) substFlags(to *sedSubst) (o regex.Options, err error) {
	for {
		b := s.next()
		s.pos++
		switch {
		case b == 'i' || b == 'I':
			o.FoldCase = true
		case b == 'm' || b == 'M':
			o.Multiline = true
		case b == 'e':
			if err := s.sandboxed(); err != nil {
				return o, err
			}
			to.eval = true
		case b == 'p' && to.print > 0:
			return o, s.errorf("multiple `p' options to `s' command")
		case b == 'p':
			to.print++
			if to.eval {
				return o, shell.Unsupported("sed: the flags ep of command s")
			}
		case b == 'g' && to.global:
			return o, s.errorf("multiple `g' options to `s' command")
		case b == 'g':
			to.global = true
		case b >= '0' && b <= '9':
			s.pos--
			if to.nth != 1 {
				return o, s.errorf("multiple number options to `s' command")
			}
			if to.nth = s.digits(); to.nth == 0 {
				return o, s.errorf("number option to `s' command may not be zero")
			}
		case b == 'w':
			if err := s.sandboxed(); err != nil {
				return o, err
			}
			s.skip(" \t")
			if to.file = s.line(); to.file == "" {
				return o, s.errorf("missing filename in r/R/w/W commands")
			}
			return o, nil
		default:
			s.pos--
			if b != 0 && strings.IndexByte(" \t\r\n;}#", b) < 0 {
				return o, s.errorf("unknown option to `s'")
			}
			return o, s.end()
		}
	}
}

// sedReplacement divides a replacement into its parts, and returns the highest
// group that it refers to.
func sedReplacement(repl string) (parts []sedPart, most int) {
	var text strings.Builder
	var fold byte
	flush := func() {
		if text.Len() > 0 || fold != 0 {
			parts = append(parts, sedPart{text.String(), -1, fold})
			fold = 0
			text.Reset()
		}
	}
	group := func(n int) {
		flush()
		parts, most = append(parts, sedPart{group: n}), max(most, n)
	}
	for i := 0; i < len(repl); i++ {
		c := repl[i]
		if c == '&' {
			group(0)
			continue
		}
		if c != '\\' || i+1 == len(repl) {
			text.WriteByte(c)
			continue
		}
		i++
		switch c = repl[i]; {
		case c >= '0' && c <= '9':
			n, _ := strconv.Atoi(repl[i : i+1])
			group(n)
		case strings.IndexByte("ULEul", c) >= 0:
			flush()
			fold = c
		case c == 'n':
			text.WriteByte('\n')
		default:
			text.WriteByte(c)
		}
	}
	flush()
	return parts, most
}
