package getopt

import (
	"context"
	"fmt"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

// Call is one call of a command whose arguments have been read.
type Call struct {
	*shell.Proc
	Options  []Option // as given, in that order
	Operands []string // what is no option
}

// Option is an option that was given.
type Option struct {
	Name  string // the last of its names in the table, without dashes
	Value string
	Has   bool // whether it came with a value
}

// Has reports whether an option was given.
func (c *Call) Has(name string) bool { _, ok := c.last(name); return ok }

// Value returns the value of an option, the last one where it was given more than
// once, and "" where it was not given.
func (c *Call) Value(name string) string { o, _ := c.last(name); return o.Value }

// Last returns which of some options was given last, "" where none was.
func (c *Call) Last(names ...string) string {
	for i := len(c.Options) - 1; i >= 0; i-- {
		for _, name := range names {
			if c.Options[i].Name == name {
				return name
			}
		}
	}
	return ""
}

func (c *Call) last(name string) (Option, bool) {
	for i := len(c.Options) - 1; i >= 0; i-- {
		if c.Options[i].Name == name {
			return c.Options[i], true
		}
	}
	return Option{}, false
}

// UsageError is a call that the true program refuses too: an option without its
// value.
type UsageError struct{ Text string }

func (e *UsageError) Error() string { return e.Text }

// Command returns a command that reads its arguments by a table of options, and
// refuses with status usage what is no valid call. See [Parse] for the table.
func Command(options string, usage int, run func(context.Context, *Call) (int, error)) shell.Command {
	table := newTable(options)
	return func(ctx context.Context, p *shell.Proc) (int, error) {
		c, err := table.parse(p)
		if bad, ok := err.(*UsageError); ok {
			_, err := p.Errorf("%s", bad.Text)
			return usage, err
		}
		if err != nil {
			return 0, err
		}
		return run(ctx, c)
	}
}

// Parse reads the arguments of p by a table: options apart by white space, each of
// them its names with "|" between, and "=" at its end where it takes a value, "?"
// where it may take one ("r|R|recursive m|mode= backup?"). A name of one letter is
// a short option. The word "+" says that the first operand ends the options.
func Parse(p *shell.Proc, options string) (*Call, error) { return newTable(options).parse(p) }

type kind byte

const (
	plain kind = iota
	valued
	mayHave
)

type entry struct {
	name string // what the option is called in a Call
	kind kind
}

type table struct {
	names   map[string]entry
	ordered bool
}

func newTable(options string) *table {
	t := &table{names: map[string]entry{}}
	for word := range strings.FieldsSeq(options) {
		if word == "+" {
			t.ordered = true
			continue
		}
		e := entry{}
		switch word[len(word)-1] {
		case '=':
			e.kind, word = valued, word[:len(word)-1]
		case '?':
			e.kind, word = mayHave, word[:len(word)-1]
		}
		names := strings.Split(word, "|")
		e.name = names[len(names)-1]
		for _, name := range names {
			t.names[name] = e
		}
	}
	return t
}

func (t *table) parse(p *shell.Proc) (*Call, error) {
	c := &Call{Proc: p}
	args := p.Args[1:]
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		var err error
		switch {
		case arg == "--":
			c.Operands = append(c.Operands, args...)
			return c, nil
		case strings.HasPrefix(arg, "--"):
			args, err = t.long(c, arg[2:], args)
		case len(arg) > 1 && arg[0] == '-':
			args, err = t.short(c, arg[1:], args)
		case t.ordered:
			c.Operands = append(append(c.Operands, arg), args...)
			return c, nil
		default:
			c.Operands = append(c.Operands, arg)
		}
		if err != nil {
			return nil, err
		}
	}
	return c, nil
}

// long reads an option such as "mode=0755".
func (t *table) long(c *Call, arg string, rest []string) ([]string, error) {
	name, value, has := strings.Cut(arg, "=")
	e, err := t.find(c.Args[0], name)
	if err != nil {
		return nil, err
	}
	switch {
	case e.kind == valued && !has:
		if len(rest) == 0 {
			return nil, &UsageError{fmt.Sprintf("option '--%s' requires an argument", name)}
		}
		value, has, rest = rest[0], true, rest[1:]
	case e.kind == plain && has:
		return nil, &UsageError{fmt.Sprintf("option '--%s' doesn't allow an argument", name)}
	}
	c.Options = append(c.Options, Option{e.name, value, has})
	return rest, nil
}

// find returns the long option of that name, or the only one that begins with it.
func (t *table) find(command, name string) (entry, error) {
	if e, ok := t.names[name]; ok && len(name) > 1 {
		return e, nil
	}
	found := map[string]entry{}
	for full, e := range t.names {
		if len(full) > 1 && name != "" && strings.HasPrefix(full, name) {
			found[e.name] = e
		}
	}
	if len(found) == 1 {
		for _, e := range found {
			return e, nil
		}
	}
	return entry{}, shell.Unsupported("%s: option --%s", command, name)
}

// short reads options such as "rf" or "m0755".
func (t *table) short(c *Call, arg string, rest []string) ([]string, error) {
	for i := range len(arg) {
		e, ok := t.names[arg[i:i+1]]
		if !ok {
			return nil, shell.Unsupported("%s: option -%s", c.Args[0], arg[i:i+1])
		}
		value := arg[i+1:]
		switch {
		case e.kind == plain:
			c.Options = append(c.Options, Option{Name: e.name})
			continue
		case e.kind == valued && value == "":
			if len(rest) == 0 {
				return nil, &UsageError{fmt.Sprintf("option requires an argument -- '%s'", arg[i:i+1])}
			}
			value, rest = rest[0], rest[1:]
		}
		c.Options = append(c.Options, Option{e.name, value, e.kind == valued || value != ""})
		return rest, nil
	}
	return rest, nil
}
