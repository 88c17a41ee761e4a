package text

import (
	"bufio"
	"bytes"
	"io"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

// option is one option of a command line: its letter, or its long name where it has
// no letter, and its value.
type option struct{ name, value string }

// options reads a command line as getopt_long(3) does. short has the letters, those
// with a value followed by ":", by "::" where it is optional; a leading "+" ends
// the options at the first operand. long has the long names, with the same marks,
// and with "=x" those that are another name of the letter x. What is not
// there is unsupported.
func options(p *shell.Proc, short, long string) (opts []option, args []string, err error) {
	ordered := strings.HasPrefix(short, "+")
	rest := p.Args[1:]
	for len(rest) > 0 {
		arg := rest[0]
		rest = rest[1:]
		switch {
		case arg == "--":
			return opts, append(args, rest...), nil
		case strings.HasPrefix(arg, "--"):
			o, used, err := longOption(p, long, arg[2:], rest)
			if err != nil {
				return nil, nil, err
			}
			opts, rest = append(opts, o), rest[used:]
		case len(arg) > 1 && arg[0] == '-':
			more, used, err := shortOptions(p, short, arg[1:], rest)
			if err != nil {
				return nil, nil, err
			}
			opts, rest = append(opts, more...), rest[used:]
		case ordered:
			return opts, append([]string{arg}, rest...), nil
		default:
			args = append(args, arg)
		}
	}
	return opts, args, nil
}

func shortOptions(p *shell.Proc, short, letters string, rest []string) (opts []option, used int, err error) {
	for i := range len(letters) {
		c := letters[i]
		at := strings.IndexByte(short, c)
		if at < 0 || c == ':' || c == '+' {
			return nil, 0, shell.Unsupported("%s: option -%c", p.Args[0], c)
		}
		tail, value := short[at+1:], letters[i+1:]
		switch {
		case strings.HasPrefix(tail, "::"):
			return append(opts, option{string(c), value}), used, nil
		case strings.HasPrefix(tail, ":"):
			if value == "" {
				if len(rest) == 0 {
					return nil, 0, shell.Unsupported("%s: option -%c without its value", p.Args[0], c)
				}
				value, used = rest[0], 1
			}
			return append(opts, option{string(c), value}), used, nil
		}
		opts = append(opts, option{name: string(c)})
	}
	return opts, used, nil
}

func longOption(p *shell.Proc, long, arg string, rest []string) (o option, used int, err error) {
	name, value, given := strings.Cut(arg, "=")
	var found []string
	for _, entry := range strings.Fields(long) {
		full, _, _ := strings.Cut(strings.TrimRight(entry, ":"), "=")
		full = strings.TrimRight(full, ":")
		if full == name {
			found = []string{entry}
			break
		}
		if strings.HasPrefix(full, name) {
			found = append(found, entry)
		}
	}
	if len(found) != 1 {
		return o, 0, shell.Unsupported("%s: option --%s", p.Args[0], name)
	}
	full, letter, _ := strings.Cut(found[0], "=")
	o.name, o.value = strings.TrimRight(full, ":"), value
	if letter != "" {
		o.name = letter
	}
	switch {
	case strings.HasSuffix(full, "::"):
	case strings.HasSuffix(full, ":"):
		if !given {
			if len(rest) == 0 {
				return o, 0, shell.Unsupported("%s: option --%s without its value", p.Args[0], name)
			}
			o.value, used = rest[0], 1
		}
	case given:
		return o, 0, shell.Unsupported("%s: option --%s with a value", p.Args[0], name)
	}
	return o, used, nil
}

// flags returns which options without a value were given.
func flags(opts []option) map[string]bool {
	set := map[string]bool{}
	for _, o := range opts {
		set[o.name] = true
	}
	return set
}

// read returns the content of an operand.
func read(p *shell.Proc, name string) ([]byte, error) {
	r, err := p.Open(name)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// each calls do for every operand, for the standard input where there is none. It
// returns 1 where one could not be read.
func each(p *shell.Proc, names []string, do func(name string, b []byte) error) (status int, err error) {
	if len(names) == 0 {
		names = []string{"-"}
	}
	for _, name := range names {
		b, err := read(p, name)
		if err != nil {
			if _, err := fail(p, name, err); err != nil {
				return 1, err
			}
			status = 1
			continue
		}
		if err := do(name, b); err != nil {
			return 1, err
		}
	}
	return status, nil
}

// buffered returns a buffer before the standard output.
func buffered(p *shell.Proc) *bufio.Writer { return bufio.NewWriterSize(p.Stdout, 32<<10) }

// finish writes out what is left in w.
func finish(w *bufio.Writer, status int) (int, error) {
	if err := w.Flush(); err != nil {
		return 1, err
	}
	return status, nil
}

// splitLines returns the lines of b without what ends them, and whether
// the last one had its end.
func splitLines(b []byte, end byte) (lines [][]byte, ended bool) {
	ended = true
	for len(b) > 0 {
		i := bytes.IndexByte(b, end)
		if i < 0 {
			return append(lines, b), false
		}
		lines, b = append(lines, b[:i]), b[i+1:]
	}
	return lines, ended
}

// bytewise reports whether the locale is C or POSIX, in which each byte is a
// character.
func bytewise(p *shell.Proc) bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := p.Getenv(name); v != "" {
			return v == "C" || v == "POSIX"
		}
	}
	return true
}
