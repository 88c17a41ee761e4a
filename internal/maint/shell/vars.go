package shell

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// variable is a variable of the shell. Arrays are bash's.
type variable struct {
	value    string
	list     []string // of an array
	isList   bool
	set      bool
	exported bool
	readonly bool
	owner    *vars // whose budget its value is in
}

func (v *variable) size() int {
	n := len(v.value)
	for _, e := range v.list {
		n += len(e) + 16
	}
	return n
}

// vars are the variables of a shell. Those of a subshell lie over those of the shell
// that waits for it.
type vars struct {
	below *vars
	own   map[string]*variable // nil for a variable that is unset here
	held  int                  // bytes of values
}

func newVars(below *vars) *vars { return &vars{below: below, own: map[string]*variable{}} }

// find returns a variable, nil where there is none. It is not to be changed.
func (v *vars) find(name string) *variable {
	for ; v != nil; v = v.below {
		if got, ok := v.own[name]; ok {
			return got
		}
	}
	return nil
}

// get returns a variable that can be changed, which it makes where there is none.
func (v *vars) get(name string) *variable {
	if got := v.own[name]; got != nil {
		return got
	}
	made := &variable{}
	if _, unset := v.own[name]; !unset {
		if below := v.below.find(name); below != nil {
			*made = *below
		}
	}
	v.own[name] = made
	return made
}

// all returns the names of all variables, sorted.
func (v *vars) all() []string {
	names := map[string]bool{}
	for ; v != nil; v = v.below {
		for name, got := range v.own {
			if _, ok := names[name]; !ok {
				names[name] = got != nil
			}
		}
	}
	maps.DeleteFunc(names, func(_ string, there bool) bool { return !there })
	return slices.Sorted(maps.Keys(names))
}

// find returns a variable, nil where there is none.
func (r *run) find(name string) *variable { return r.vars.find(name) }

// get returns the value of a variable, "" where it is not set.
func (r *run) get(name string) string {
	if v := r.vars.find(name); v != nil {
		return v.value
	}
	return ""
}

// readonlyError says that a variable cannot be changed.
type readonlyError struct{ name string }

func (e *readonlyError) Error() string { return e.name + ": is read only" }

// assign gives a variable a value. The error is a [*readonlyError] or a
// [*LimitError].
func (r *run) assign(name, value string) error {
	v := r.vars.get(name)
	if v.readonly {
		return &readonlyError{name}
	}
	if len(value) > maxValue {
		return &LimitError{fmt.Sprintf("variable of %d bytes", len(value))}
	}
	if err := r.keep(v, variable{value: value}); err != nil {
		return err
	}
	v.exported = v.exported || r.opts.allexport
	if name == "OPTIND" {
		r.optPlace = 0
	}
	return nil
}

// assignList makes a variable an array.
func (r *run) assignList(name string, list []string) error {
	v := r.vars.get(name)
	if v.readonly {
		return &readonlyError{name}
	}
	to := variable{list: list, isList: true}
	if len(list) > 0 {
		to.value = list[0]
	}
	return r.keep(v, to)
}

// keep puts the value of to into v, and counts it.
func (r *run) keep(v *variable, to variable) error {
	grown := to.size()
	if v.owner == r.vars {
		grown -= v.size()
	}
	v.value, v.list, v.isList, v.set, v.owner = to.value, to.list, to.isList, true, r.vars
	r.vars.held += grown
	return r.shell.budget.hold(grown)
}

// unset removes a variable.
func (r *run) unset(name string) {
	r.forget(r.vars.own[name])
	if r.vars.below == nil {
		delete(r.vars.own, name)
		return
	}
	r.vars.own[name] = nil
}

// forget says that the value of a variable is not held any more.
func (r *run) forget(v *variable) {
	if v != nil && v.owner == r.vars {
		n := v.size()
		r.vars.held -= n
		_ = r.shell.budget.hold(-n)
		v.owner = nil
	}
}

// hide keeps a variable as it is, to be put back by restore. The value stays, as for
// dash's local.
func (r *run) hide(name string) *variable {
	old := r.vars.find(name)
	if old == nil {
		return nil
	}
	c := *old
	r.vars.own[name] = &variable{value: old.value, list: old.list, isList: old.isList, set: old.set, exported: old.exported, readonly: old.readonly}
	return &c
}

// restore puts a variable back that hide returned.
func (r *run) restore(name string, old *variable) {
	r.forget(r.vars.own[name])
	if old == nil {
		r.unset(name)
		return
	}
	r.vars.own[name] = old
}

// environ returns the exported variables as "NAME=value", sorted.
func (r *run) environ() []string {
	var env []string
	for _, name := range r.vars.all() {
		if v := r.vars.find(name); v.exported && v.set {
			env = append(env, name+"="+v.value)
		}
	}
	return env
}

// special returns the value of a parameter that is no variable (XCU 2.5.2). ok is
// false for all others.
func (r *run) special(name string) (value string, set, ok bool) {
	switch name {
	case "#":
		return strconv.Itoa(len(r.params)), true, true
	case "?":
		return strconv.Itoa(r.status), true, true
	case "$":
		return processID, true, true
	case "!":
		return r.job, r.job != "", true
	case "-":
		return r.opts.String(), true, true
	case "0":
		return r.name, true, true
	}
	if name[0] < '0' || name[0] > '9' {
		return r.bashVariable(name)
	}
	n, err := strconv.Atoi(name)
	switch {
	case err != nil || n > len(r.params):
		return "", false, true
	case n == 0: // "00"
		return r.name, true, true
	}
	return r.params[n-1], true, true
}

// processID is $$: that of a process that is nobody's, always the same.
const processID = "2"

// bashVariable returns the variables that bash sets by itself.
func (r *run) bashVariable(name string) (value string, set, ok bool) {
	if !r.bash || r.vars.find(name) != nil {
		return "", false, false
	}
	switch name {
	case "LINENO":
		return strconv.Itoa(int(r.line)), true, true
	case "BASH_VERSION":
		return "5.2.37(1)-release", true, true
	case "BASH":
		return "/bin/bash", true, true
	case "UID", "EUID":
		return "0", true, true
	case "PPID":
		return "1", true, true
	case "OSTYPE":
		return "linux-gnu", true, true
	}
	return "", false, false
}

// machineVariables are bash's that tell of the machine, the time or chance, and those
// that nothing here keeps.
var machineVariables = map[string]bool{
	"RANDOM": true, "SRANDOM": true, "SECONDS": true, "EPOCHSECONDS": true, "EPOCHREALTIME": true, "HOSTNAME": true, "HOSTTYPE": true,
	"MACHTYPE": true, "BASHPID": true, "BASH_SOURCE": true, "BASH_LINENO": true, "FUNCNAME": true, "PIPESTATUS": true, "DIRSTACK": true,
	"BASH_VERSINFO": true, "BASH_COMMAND": true, "BASH_SUBSHELL": true, "SHLVL": true, "GROUPS": true, "COLUMNS": true, "LINES": true,
}

// home returns the home directory of a user of the image, and whether there is such
// a user.
func (r *run) home(user string) (string, bool) {
	b, err := r.shell.FS.ReadFile("/etc/passwd")
	if err != nil {
		return "", false
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Split(strings.TrimSuffix(line, "\n"), ":"); len(f) >= 6 && f[0] == user {
			return f[5], true
		}
	}
	return "", false
}

// startIFS sets the separators of fields as every shell does when it starts, whatever
// the environment says (XCU 2.5.3).
func (r *run) startIFS() error {
	if err := r.assign("IFS", " \t\n"); err != nil {
		return err
	}
	r.vars.get("IFS").exported = false
	return nil
}
