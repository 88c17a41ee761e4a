package text

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

// sorter is what sort(1) was asked for.
type sorter struct {
	keys                        []sortKey
	global                      ordering
	separator                   int // -1 for runs of blanks
	unique, stable, zero        bool
	check, checkQuiet, reversed bool
	output                      string
}

// ordering says how two keys are compared.
type ordering struct {
	kind                                  byte // n, g, h, M, V, or 0 for bytes
	blanks, dictionary, fold, printing, r bool
	blanksEnd                             bool
	set                                   bool
}

// sortKey is -k F[.C][OPTS][,F[.C][OPTS]].
type sortKey struct {
	from, fromChar, to, toChar int // 1-based; to is 0 for the end of the line
	ordering
}

const sortLong = "ignore-leading-blanks=b dictionary-order=d ignore-case=f general-numeric-sort=g ignore-nonprinting=i " +
	"month-sort=M human-numeric-sort=h numeric-sort=n reverse=r sort: version-sort=V check::=c key:=k merge=m output:=o " +
	"stable=s buffer-size:=S field-separator:=t temporary-directory:=T unique=u zero-terminated=z parallel: batch-size:"

func sortCommand(_ context.Context, p *shell.Proc) (int, error) {
	s := &sorter{separator: -1}
	names, err := s.arguments(p)
	if err != nil {
		return 2, err
	}
	end := byte('\n')
	if s.zero {
		end = 0
	}
	var lines [][]byte
	status, err := each(p, names, func(_ string, b []byte) error {
		more, _ := splitLines(b, end)
		lines = append(lines, more...)
		return nil
	})
	if err != nil || status != 0 {
		return 2, err
	}
	if s.check {
		return s.disorder(p, names, lines)
	}
	slices.SortStableFunc(lines, s.compare)
	if s.unique {
		lines = slices.CompactFunc(lines, func(a, b []byte) bool { return s.compareKeys(a, b) == 0 })
	}
	var out bytes.Buffer
	for _, line := range lines {
		out.Write(line)
		out.WriteByte(end)
	}
	if s.output != "" {
		if err := from(p, names, func() error { return store(p, s.output, out.Bytes(), false) }); err != nil {
			_, err := fail(p, s.output, err)
			return 2, err
		}
		return 0, nil
	}
	_, err = p.Stdout.Write(out.Bytes())
	return 0, err
}

func (s *sorter) disorder(p *shell.Proc, names []string, lines [][]byte) (int, error) {
	for i := 1; i < len(lines); i++ {
		c := s.compare(lines[i-1], lines[i])
		if c > 0 || c == 0 && s.unique {
			if !s.checkQuiet {
				name := "-"
				if len(names) > 0 {
					name = names[0]
				}
				return p.Errorf("%s:%d: disorder: %s", name, i+1, lines[i])
			}
			return 1, nil
		}
	}
	return 0, nil
}

func (s *sorter) arguments(p *shell.Proc) ([]string, error) {
	opts, names, err := options(p, "bdfgiMhnrVcCk:mo:sS:t:T:uz", sortLong)
	if err != nil {
		return nil, err
	}
	for _, o := range opts {
		switch o.name {
		case "k":
			key, err := parseKey(o.value)
			if err != nil {
				return nil, shell.Unsupported("sort: key %s", o.value)
			}
			s.keys = append(s.keys, key)
		case "t":
			sep := o.value
			if sep == `\0` {
				sep = "\x00"
			}
			if len(sep) != 1 {
				return nil, shell.Unsupported("sort: field separator %q", o.value)
			}
			s.separator = int(sep[0])
		case "c", "C":
			s.check, s.checkQuiet = true, o.name == "C" || o.value == "quiet" || o.value == "silent"
		case "o":
			s.output = o.value
		case "s":
			s.stable = true
		case "u":
			s.unique = true
		case "z":
			s.zero = true
		case "m", "S", "T", "parallel", "batch-size": // of merging, the result is that of sorting
		case "sort":
			kind := map[string]string{"general-numeric": "g", "human-numeric": "h", "month": "M", "numeric": "n", "version": "V"}[o.value]
			if kind == "" {
				return nil, shell.Unsupported("sort: --sort=%s", o.value)
			}
			s.global.letter(kind[0], 0)
		default:
			s.global.letter(o.name[0], 0)
		}
	}
	s.inherit()
	return names, nil
}

// inherit gives the keys without an ordering of their own the global one.
func (s *sorter) inherit() {
	s.reversed = s.global.r
	if len(s.keys) == 0 && s.global.set {
		s.keys = []sortKey{{from: 1, ordering: s.global}}
		return
	}
	for i := range s.keys {
		if !s.keys[i].set {
			s.keys[i].ordering = s.global
			s.keys[i].blanksEnd = s.global.blanks
		}
	}
}

// letter applies an ordering option; part is 0 for the whole and the start of a
// key, 1 for its end.
func (o *ordering) letter(c byte, part int) bool {
	switch c {
	case 'b':
		if part == 0 {
			o.blanks = true
		} else {
			o.blanksEnd = true
		}
	case 'd':
		o.dictionary = true
	case 'f':
		o.fold = true
	case 'i':
		o.printing = true
	case 'r':
		o.r = true
	case 'n', 'g', 'h', 'M', 'V':
		o.kind = c
	default:
		return false
	}
	o.set = true
	return true
}

func parseKey(text string) (key sortKey, err error) {
	start, end, ranged := strings.Cut(text, ",")
	if key.from, key.fromChar, err = key.position(start, 0); err != nil || key.from == 0 {
		return key, fmt.Errorf("invalid key")
	}
	if ranged {
		if key.to, key.toChar, err = key.position(end, 1); err != nil || key.to == 0 {
			return key, fmt.Errorf("invalid key")
		}
	}
	return key, nil
}

// position reads F[.C][OPTS].
func (key *sortKey) position(text string, part int) (field, char int, err error) {
	number := strings.TrimRight(text, "bdfghiMnRrV")
	for _, c := range []byte(text[len(number):]) {
		if !key.letter(c, part) {
			return 0, 0, fmt.Errorf("ordering %c", c)
		}
	}
	first, second, dotted := strings.Cut(number, ".")
	if field, err = strconv.Atoi(first); err != nil {
		return 0, 0, err
	}
	if dotted {
		char, err = strconv.Atoi(second)
	}
	return field, char, err
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\n' }

// fieldStart returns where the n-th field starts, fieldEnd where it ends.
func (s *sorter) fieldStart(line []byte, n int) int {
	at := 0
	for ; n > 1 && at < len(line); n-- {
		at = s.fieldStop(line, at)
		if s.separator >= 0 && at < len(line) {
			at++
		}
	}
	return at
}

// fieldStop returns where the field that starts at a place ends.
func (s *sorter) fieldStop(line []byte, at int) int {
	if s.separator >= 0 {
		if i := bytes.IndexByte(line[at:], byte(s.separator)); i >= 0 {
			return at + i
		}
		return len(line)
	}
	for at < len(line) && isBlank(line[at]) {
		at++
	}
	for at < len(line) && !isBlank(line[at]) {
		at++
	}
	return at
}

func skipBlanks(line []byte, at int) int {
	for at < len(line) && isBlank(line[at]) {
		at++
	}
	return at
}

// part returns what of a line a key is.
func (s *sorter) part(key *sortKey, line []byte) []byte {
	from := s.fieldStart(line, key.from)
	if key.blanks {
		from = skipBlanks(line, from)
	}
	from = min(from+max(key.fromChar-1, 0), len(line))
	to := len(line)
	if key.to > 0 {
		start := s.fieldStart(line, key.to)
		if key.toChar == 0 {
			to = s.fieldStop(line, start)
		} else {
			if key.blanksEnd {
				start = skipBlanks(line, start)
			}
			to = min(start+key.toChar, len(line))
		}
	}
	if to < from {
		return nil
	}
	return line[from:to]
}

// compareKeys compares by the keys alone.
func (s *sorter) compareKeys(a, b []byte) int {
	if len(s.keys) == 0 {
		return bytes.Compare(a, b)
	}
	for i := range s.keys {
		key := &s.keys[i]
		if c := key.compare(s.part(key, a), s.part(key, b)); c != 0 {
			if key.r {
				return -c
			}
			return c
		}
	}
	return 0
}

// compare compares by the keys, and then by the whole lines.
func (s *sorter) compare(a, b []byte) int {
	c := s.compareKeys(a, b)
	if len(s.keys) > 0 && (c != 0 || s.stable || s.unique) {
		return c
	}
	if c = bytes.Compare(a, b); s.reversed {
		return -c
	}
	return c
}
