package text

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// do runs one command that was selected.
func (s *sed) do(c *sedCommand) (outcome, error) {
	switch c.name {
	case 's':
		return cycleOn, s.substitute(c.subst)
	case 'p':
		return cycleOn, s.print(s.space)
	case 'P':
		line, _, cut := strings.Cut(s.space, string(s.end))
		return cycleOn, s.out.write(line, s.end, s.ended || cut)
	case 'd':
		return cycleDelete, nil
	case 'D':
		_, rest, ok := strings.Cut(s.space, string(s.end))
		if !ok {
			return cycleDelete, nil
		}
		s.space = rest
		return cycleAgain, nil
	case 'g':
		s.space = s.hold
	case 'G':
		s.space += string(s.end) + s.hold
	case 'h':
		s.hold = s.space
	case 'H':
		s.hold += string(s.end) + s.space
	case 'x':
		s.space, s.hold = s.hold, s.space
	case 'z':
		s.space = ""
	case 'y':
		s.space = transliterate(s.space, c.table)
	case 'n', 'N':
		return s.nextLine(c.name == 'N')
	case 'c':
		if c.second != nil && c.active && !c.not {
			return cycleDelete, nil
		}
		return cycleDelete, s.out.write(strings.TrimSuffix(c.text, "\n"), '\n', c.text != "")
	case 'q', 'Q':
		return s.end1(c), nil
	default:
		return cycleOn, s.produce(c)
	}
	return cycleOn, s.room(len(s.space) + len(s.hold))
}

// end1 ends sed: q and Q.
func (s *sed) end1(c *sedCommand) outcome {
	s.quit = true
	if c.number > 0 {
		s.status = c.number & 0xff
	}
	if c.name == 'Q' {
		s.queue = nil
		return cycleDelete
	}
	return cycleQuit
}

// nextLine runs n and N. Where there is no next line, sed ends.
func (s *sed) nextLine(add bool) (outcome, error) {
	last, err := s.isLast()
	if err != nil || last {
		return cycleEnd, err
	}
	if !add && !s.quiet {
		if err := s.print(s.space); err != nil {
			return cycleOn, err
		}
	}
	_, err = s.read(add)
	return cycleOn, err
}

// produce runs the commands that print or keep something for the end of the cycle.
func (s *sed) produce(c *sedCommand) error {
	switch c.name {
	case '=':
		return s.out.write(strconv.Itoa(s.number), '\n', true)
	case 'F':
		return s.out.write(s.name, '\n', true)
	case 'l':
		width := s.wrap
		if c.number >= 0 {
			width = c.number
		}
		return s.unambiguous(width)
	case 'i':
		return s.out.write(strings.TrimSuffix(c.text, "\n"), '\n', c.text != "")
	case 'a':
		s.queue = append(s.queue, queued{text: c.text})
	case 'r':
		b, err := read(s.p, c.text)
		if fatal(err) != nil {
			return err
		}
		s.queue = append(s.queue, queued{text: string(b)})
	case 'R':
		return s.readLine(c.text)
	case 'w':
		return s.outputs[c.text].write(s.space, s.end, s.ended)
	case 'W':
		line, _, cut := strings.Cut(s.space, string(s.end))
		return s.outputs[c.text].write(line, s.end, s.ended || cut)
	case 'e':
		return s.executeCommand(c.text)
	}
	return nil
}

// readLine keeps the next line of a file for the end of the cycle.
func (s *sed) readLine(name string) error {
	r := s.readers[name]
	if r == nil {
		b, err := read(s.p, name)
		if fatal(err) != nil {
			return err
		}
		r = &lineReader{}
		r.lines, r.ended = splitLines(b, s.end)
		s.readers[name] = r
	}
	if r.at < len(r.lines) {
		line := string(r.lines[r.at])
		r.at++
		s.queue = append(s.queue, queued{line, true, r.at < len(r.lines) || r.ended})
	}
	return nil
}

// executeCommand runs the command e: before the line, or the line itself.
func (s *sed) executeCommand(command string) error {
	if command == "" {
		out, err := s.execute(s.space)
		s.space = strings.TrimSuffix(out, "\n")
		return err
	}
	out, err := s.execute(command)
	if err != nil || out == "" {
		return err
	}
	text, ended := strings.CutSuffix(out, "\n")
	return s.out.write(text, '\n', ended)
}

// transliterate replaces characters by others.
func transliterate(text string, table map[string]string) string {
	var b strings.Builder
	for i := 0; i < len(text); {
		_, size := utf8.DecodeRuneInString(text[i:])
		if to, ok := table[text[i:i+1]]; ok && size > 1 {
			b.WriteString(to)
			i++
			continue
		}
		to, ok := table[text[i:i+size]]
		if !ok {
			to = text[i : i+size]
		}
		b.WriteString(to)
		i += size
	}
	return b.String()
}
