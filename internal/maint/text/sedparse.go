package text

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/hardpan/hardpan/internal/maint/regex"
)

// sedCommand is one command of a sed script (POSIX XCU sed, and the manual of GNU
// sed).
type sedCommand struct {
	first, second *sedAddress
	not           bool
	name          byte

	text   string            // of a, i, c, e; the file of r, R, w, W; the label of b, t, T
	number int               // of q, Q, l, L; -1 where there is none
	to     int               // of b, t, T and {: the command to go on with
	table  map[string]string // of y
	subst  *sedSubst         // of s

	active bool // in the middle of a range
	until  int  // the line that ends it, where that is a number
}

type addressKind int

const (
	addressLine     addressKind = iota
	addressStep                 // first~step
	addressLast                 // $
	addressRegex                // /re/
	addressPlus                 // +n
	addressMultiple             // ~n
)

type sedAddress struct {
	kind        addressKind
	line, step  int
	expr        *regex.Regexp // nil for the last one that was used
	beforeFirst bool          // line 0
}

// sedSubst is the command s.
type sedSubst struct {
	expr   *regex.Regexp // nil for the last one that was used
	repl   []sedPart
	global bool
	print  int
	nth    int
	eval   bool
	file   string
}

// sedPart is a part of a replacement: text, or the match of a group; and from where
// on case is changed.
type sedPart struct {
	text  string
	group int  // -1 for text
	fold  byte // U, L, E, u, l, or 0
}

// sedError is a fault of a script.
type sedError struct{ text string }

func (e *sedError) Error() string { return e.text }

type sedParser struct {
	src      string
	pos      int
	extended bool
	bytes    bool
	sandbox  bool
	commands []*sedCommand
	blocks   []int
	labels   map[string]int
}

func (s *sedParser) errorf(format string, args ...any) error {
	return &sedError{fmt.Sprintf("-e expression #1, char %d: ", s.pos) + fmt.Sprintf(format, args...)}
}

// parse reads a whole script.
func (s *sedParser) parse() error {
	s.labels = map[string]int{}
	for {
		s.skip(" \t\n;")
		if s.pos >= len(s.src) {
			break
		}
		if err := s.command(); err != nil {
			return err
		}
	}
	if len(s.blocks) > 0 {
		return &sedError{"-e expression #1, char 0: unmatched `{'"}
	}
	for _, c := range s.commands {
		if strings.IndexByte("btT", c.name) < 0 {
			continue
		}
		c.to = len(s.commands)
		if c.text != "" {
			to, ok := s.labels[c.text]
			if !ok {
				return &sedError{fmt.Sprintf("-e expression #1, char %d: can't find label for jump to `%s'", len(s.src), c.text)}
			}
			c.to = to
		}
	}
	return nil
}

func (s *sedParser) skip(chars string) {
	for s.pos < len(s.src) && strings.IndexByte(chars, s.src[s.pos]) >= 0 {
		s.pos++
	}
}

// next returns the next byte, 0 at the end.
func (s *sedParser) next() byte {
	if s.pos < len(s.src) {
		return s.src[s.pos]
	}
	return 0
}

func (s *sedParser) command() error {
	c := &sedCommand{number: -1}
	if err := s.addresses(c); err != nil {
		return err
	}
	s.skip(" \t")
	for s.next() == '!' {
		c.not = true
		s.pos++
		s.skip(" \t")
	}
	if s.pos >= len(s.src) {
		return s.errorf("missing command")
	}
	c.name = s.src[s.pos]
	s.pos++
	keep, err := s.arguments(c)
	if keep {
		s.commands = append(s.commands, c)
	}
	return err
}

// addresses reads the addresses before a command.
func (s *sedParser) addresses(c *sedCommand) (err error) {
	if c.first, err = s.address(false); err != nil || c.first == nil {
		return err
	}
	s.skip(" \t")
	if s.next() == ',' {
		s.pos++
		s.skip(" \t")
		if c.second, err = s.address(true); err != nil {
			return err
		}
		if c.second == nil {
			return s.errorf("unexpected `,'")
		}
	}
	if c.first.beforeFirst {
		if c.second == nil || c.second.kind != addressRegex {
			return s.errorf("invalid usage of line address 0")
		}
		c.active = true
	}
	return nil
}

func (s *sedParser) address(second bool) (*sedAddress, error) {
	switch b := s.next(); {
	case b >= '0' && b <= '9':
		a := &sedAddress{line: s.digits()}
		if s.next() == '~' && !second {
			s.pos++
			a.kind, a.step = addressStep, s.digits()
		}
		a.beforeFirst = a.line == 0 && a.kind == addressLine && !second
		return a, nil
	case b == '$':
		s.pos++
		return &sedAddress{kind: addressLast}, nil
	case second && (b == '+' || b == '~'):
		s.pos++
		kind := addressPlus
		if b == '~' {
			kind = addressMultiple
		}
		return &sedAddress{kind: kind, line: s.digits()}, nil
	case b == '/' || b == '\\':
		s.pos++
		if b == '\\' {
			b = s.next()
			s.pos++
		}
		return s.regexAddress(b)
	}
	return nil, nil
}

func (s *sedParser) regexAddress(delimiter byte) (*sedAddress, error) {
	text, ok := s.delimited(delimiter, true)
	if !ok {
		return nil, s.errorf("unterminated address regex")
	}
	o := regex.Options{NoGroups: true}
	for ; ; s.pos++ {
		switch s.next() {
		case 'I':
			o.FoldCase = true
			continue
		case 'M':
			o.Multiline = true
			continue
		}
		break
	}
	expr, err := s.compile(text, o)
	return &sedAddress{kind: addressRegex, expr: expr}, err
}

// compile reads a regular expression, nil for an empty one.
func (s *sedParser) compile(text string, o regex.Options) (*regex.Regexp, error) {
	if text == "" {
		return nil, nil
	}
	o.Bytes = s.bytes
	if s.extended {
		o.Syntax = regex.Extended
	}
	expr, err := regex.Compile(sedUnescape(text, false), o)
	if err != nil {
		return nil, s.errorf("%v", err)
	}
	return expr, nil
}

func (s *sedParser) digits() int {
	from := s.pos
	for s.next() >= '0' && s.next() <= '9' {
		s.pos++
	}
	n, _ := strconv.Atoi(s.src[from:s.pos])
	return n
}

// delimited reads up to an unescaped delimiter, and moves behind it. Within a
// bracket expression there is none.
func (s *sedParser) delimited(delimiter byte, isRegex bool) (string, bool) {
	if delimiter == 0 || delimiter == '\n' || delimiter == '\\' {
		return "", false
	}
	var b strings.Builder
	for s.pos < len(s.src) {
		c := s.src[s.pos]
		switch {
		case c == delimiter:
			s.pos++
			return b.String(), true
		case c == '\n' && isRegex:
			return "", false
		case c == '\\':
			if s.pos+1 >= len(s.src) {
				return "", false
			}
			s.pos++
			switch e := s.src[s.pos]; {
			case e == 'n' && isRegex:
				e = '\n'
				fallthrough
			case e == '\n' && isRegex, e == delimiter && (isRegex || e != '&'):
				b.WriteByte(e)
			default:
				b.WriteByte('\\')
				b.WriteByte(e)
			}
			s.pos++
		case c == '[' && isRegex:
			b.WriteString(s.bracketed())
		default:
			b.WriteByte(c)
			s.pos++
		}
	}
	return "", false
}

// bracketed reads a bracket expression; where it has no end, its first character.
func (s *sedParser) bracketed() string {
	i := s.pos + 1
	if i < len(s.src) && s.src[i] == '^' {
		i++
	}
	if i < len(s.src) && s.src[i] == ']' {
		i++
	}
	for i < len(s.src) && s.src[i] != ']' && s.src[i] != '\n' {
		if s.src[i] == '[' && i+1 < len(s.src) && strings.IndexByte(":.=", s.src[i+1]) >= 0 {
			if end := strings.Index(s.src[i+2:], s.src[i+1:i+2]+"]"); end >= 0 {
				i += end + 4
				continue
			}
		}
		i++
	}
	if i >= len(s.src) || s.src[i] != ']' {
		i = len(s.src) - 1 // nothing ends it, and so nothing ends the command
	}
	text := s.src[s.pos : i+1]
	s.pos = i + 1
	return strings.ReplaceAll(text, `\n`, "\n")
}

// sedUnescape replaces the escapes for characters that are known everywhere in a
// script: \t and the like, \cX, \dNNN, \oNNN and \xHH.
func sedUnescape(text string, replacement bool) string {
	if strings.IndexByte(text, '\\') < 0 {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' || i+1 == len(text) {
			b.WriteByte(text[i])
			continue
		}
		c, used := sedEscape(text[i+1:])
		switch {
		case used == 0:
			b.WriteString(text[i : i+2])
			used = 1
		case replacement && (c == '&' || c == '\\' || c == '\n'):
			b.WriteByte('\\')
			fallthrough
		default:
			b.WriteByte(c)
		}
		i += used
	}
	return b.String()
}

// sedEscape returns the byte that an escape stands for and how long it is behind
// its backslash, 0 where it is none.
func sedEscape(rest string) (byte, int) {
	if i := strings.IndexByte("afrtv", rest[0]); i >= 0 {
		return "\a\f\r\t\v"[i], 1
	}
	base, most := 0, 3
	switch rest[0] {
	case 'c':
		if len(rest) < 2 {
			return 0, 0
		}
		c := rest[1]
		if c >= 'a' && c <= 'z' {
			c -= 'a' - 'A'
		}
		return c ^ 0x40, 2
	case 'd':
		base = 10
	case 'o':
		base = 8
	case 'x':
		base, most = 16, 2
	default:
		return 0, 0
	}
	n := 1
	for n < len(rest) && n <= most {
		if _, err := strconv.ParseUint(rest[n:n+1], base, 8); err != nil {
			break
		}
		n++
	}
	v, err := strconv.ParseUint(rest[1:n], base, 16)
	if err != nil {
		return 0, 0
	}
	return byte(v), n
}

// sandboxed refuses the commands that --sandbox is against.
func (s *sedParser) sandboxed() error {
	if s.sandbox {
		return s.errorf("e/r/w commands disabled in sandbox mode")
	}
	return nil
}

// transliteration reads the two lists of y.
func (s *sedParser) transliteration(c *sedCommand) error {
	delimiter := s.next()
	s.pos++
	from, ok := s.delimited(delimiter, false)
	if !ok {
		return s.errorf("unterminated `y' command")
	}
	to, ok := s.delimited(delimiter, false)
	if !ok {
		return s.errorf("unterminated `y' command")
	}
	a, b := s.letters(from), s.letters(to)
	if len(a) != len(b) {
		return s.errorf("strings for `y' command are different lengths")
	}
	c.table = map[string]string{}
	for i := range a {
		if _, ok := c.table[a[i]]; !ok {
			c.table[a[i]] = b[i]
		}
	}
	return nil
}

func (s *sedParser) letters(text string) []string {
	text = sedUnescape(text, true)
	var all []string
	for i := 0; i < len(text); {
		if text[i] == '\\' && i+1 < len(text) {
			switch text[i+1] {
			case '\\', '\n', '&':
				all = append(all, text[i+1:i+2])
				i += 2
				continue
			case 'n':
				all = append(all, "\n")
				i += 2
				continue
			}
		}
		size := 1
		if !s.bytes {
			_, size = utf8.DecodeRuneInString(text[i:])
		}
		all = append(all, text[i:i+size])
		i += size
	}
	return all
}
