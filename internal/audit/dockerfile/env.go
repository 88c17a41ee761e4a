package dockerfile

import (
	"fmt"
	"slices"

	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

// Variable is a variable and where it is set.
type Variable struct {
	Name  string
	Value string
	Known bool // false for a build argument without a default
	Line  int
}

// Env is a set of variables in the order in which they were first set.
type Env struct {
	list  []Variable
	index map[string]int
}

func newEnv(from *Env) *Env {
	e := &Env{index: map[string]int{}}
	if from != nil {
		e.list = slices.Clone(from.list)
		for i, v := range e.list {
			e.index[v.Name] = i
		}
	}
	return e
}

func (e *Env) set(v Variable) {
	if i, ok := e.index[v.Name]; ok {
		e.list[i] = v
		return
	}
	e.index[v.Name] = len(e.list)
	e.list = append(e.list, v)
}

// NoEnv returns an empty set.
func NoEnv() *Env { return newEnv(nil) }

// Get returns a variable.
func (e *Env) Get(name string) (Variable, bool) {
	i, ok := e.index[name]
	if !ok {
		return Variable{}, false
	}
	return e.list[i], true
}

// All returns the variables.
func (e *Env) All() []Variable { return e.list }

// lookup is what an instruction sees: the environment before the build arguments.
type lookup []*Env

// Get is part of [shell.EnvGetter]. What has no known value is not set, so that the
// lexer leaves its name in the text.
func (l lookup) Get(name string) (string, bool) {
	for _, e := range l {
		if v, ok := e.Get(name); ok {
			return v.Value, v.Known
		}
	}
	return "", false
}

// Keys is part of [shell.EnvGetter].
func (l lookup) Keys() []string {
	var keys []string
	for _, e := range l {
		for _, v := range e.list {
			keys = append(keys, v.Name)
		}
	}
	return keys
}

// maxValue bounds what one value of variables can grow to, and maxExpanded what those of
// a file can together, in bytes.
const (
	maxValue    = 64 << 10
	maxExpanded = 4 << 20
)

// expander replaces variables as BuildKit does, and notes those that have no value.
type expander struct {
	lex     *shell.Lex
	env     lookup
	unknown []string
	total   *int // bytes of all that was expanded
}

func (r *reader) expander(env ...*Env) *expander {
	lex := shell.NewLex(r.file.Escape)
	lex.SkipUnsetEnv = true
	return &expander{lex: lex, env: env, total: &r.expanded}
}

// grow counts what a value grew to, and refuses too much of it.
func (x *expander) grow(n int) error {
	switch *x.total += n; {
	case n > maxValue:
		return fmt.Errorf("variables grow to %d bytes, expected at most %d", n, maxValue)
	case *x.total > maxExpanded:
		return fmt.Errorf("all variables grow to more than %d bytes", maxExpanded)
	}
	return nil
}

func (x *expander) word(s string) (string, error) {
	if len(s) > maxValue {
		return "", fmt.Errorf("found a value of %d bytes, expected at most %d", len(s), maxValue)
	}
	res, err := x.lex.ProcessWordWithMatches(s, x.env)
	if err != nil {
		return "", err
	}
	if err := x.grow(len(res.Result)); err != nil {
		return "", err
	}
	for name := range res.Unmatched {
		if !slices.Contains(x.unknown, name) {
			x.unknown = append(x.unknown, name)
		}
	}
	return res.Result, nil
}

func (x *expander) words(s string) ([]string, error) {
	if len(s) > maxValue {
		return nil, fmt.Errorf("found a value of %d bytes, expected at most %d", len(s), maxValue)
	}
	words, err := x.lex.ProcessWords(s, x.env)
	if err != nil {
		return nil, err
	}
	n := 0
	for _, w := range words {
		n += len(w)
	}
	return words, x.grow(n)
}

// take returns the variables without a value that were met since the last call, sorted.
func (x *expander) take() []string {
	names := x.unknown
	x.unknown = nil
	slices.Sort(names)
	return names
}
