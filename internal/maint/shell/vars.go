package shell

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/expand"
)

// variable is a variable of the shell. Arrays are bash's.
type variable struct {
	value    string
	list     []string // of an array
	isList   bool
	set      bool
	exported bool
	readonly bool
}

func (v variable) expand() expand.Variable {
	out := expand.Variable{Set: v.set, Exported: v.exported, ReadOnly: v.readonly, Kind: expand.String, Str: v.value}
	if v.isList {
		out.Kind, out.Str, out.List = expand.Indexed, "", v.list
	}
	return out
}

// get returns the value of a variable, "" where it is not set.
func (r *run) get(name string) string { return r.vars[name].value }

// set gives a variable a value.
func (r *run) set(name, value string) error {
	v := r.vars[name]
	if v.readonly {
		return fmt.Errorf("%s: is read only", name)
	}
	if len(value) > maxValue {
		return &LimitError{fmt.Sprintf("variable of %d bytes", len(value))}
	}
	v.value, v.set, v.isList, v.list = value, true, false, nil
	v.exported = v.exported || r.opts.allexport
	r.vars[name] = v
	return nil
}

// environ returns the exported variables as "NAME=value", sorted.
func (r *run) environ() []string {
	var env []string
	for _, name := range slices.Sorted(maps.Keys(r.vars)) {
		if v := r.vars[name]; v.exported && v.set {
			env = append(env, name+"="+v.value)
		}
	}
	return env
}

// environment shows the variables and the special parameters to package expand.
type environment struct{ r *run }

// Get implements [expand.Environ].
func (e environment) Get(name string) expand.Variable {
	r := e.r
	text := func(s string) expand.Variable {
		return expand.Variable{Set: true, Kind: expand.String, Str: s}
	}
	switch name {
	case "#":
		return text(strconv.Itoa(len(r.params)))
	case "@", "*":
		return expand.Variable{Set: len(r.params) > 0, Kind: expand.Indexed, List: r.params}
	case "?":
		return text(strconv.Itoa(r.status))
	case "$", "PPID", "!":
		return text("2") // a process that is nobody's
	case "-":
		return text(r.opts.String())
	case "0":
		return text(r.name)
	case "LINENO":
		return text(strconv.Itoa(int(r.line)))
	case "PWD":
		return text(r.dir)
	}
	if n, err := strconv.Atoi(name); err == nil {
		if n >= 1 && n <= len(r.params) {
			return text(r.params[n-1])
		}
		return expand.Variable{}
	}
	if user, ok := strings.CutPrefix(name, "HOME "); ok {
		return text(r.home(user))
	}
	v, ok := r.vars[name]
	if !ok {
		return expand.Variable{}
	}
	return v.expand()
}

// home returns the home directory of a user of the image. It is never unset, since
// package expand would ask the host then.
func (r *run) home(user string) string {
	b, _ := r.shell.FS.ReadFile("/etc/passwd")
	for line := range strings.Lines(string(b)) {
		if f := strings.Split(strings.TrimSuffix(line, "\n"), ":"); len(f) >= 6 && f[0] == user {
			return f[5]
		}
	}
	return "~" + user
}

// Each implements [expand.Environ].
func (e environment) Each(yield func(string, expand.Variable) bool) {
	for _, name := range slices.Sorted(maps.Keys(e.r.vars)) {
		if !yield(name, e.r.vars[name].expand()) {
			return
		}
	}
}

// Set implements [expand.WriteEnviron], for ${name:=value} and arithmetic.
func (e environment) Set(name string, v expand.Variable) error {
	if v.Kind == expand.Indexed {
		old := e.r.vars[name]
		old.list, old.isList, old.set = v.List, true, true
		if len(v.List) > 0 {
			old.value = v.List[0]
		}
		e.r.vars[name] = old
		return nil
	}
	return e.r.set(name, v.Str)
}
