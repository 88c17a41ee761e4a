package shell

import (
	"slices"
	"strings"
)

// options are those of set(1), and bash's of shopt.
type options struct {
	errexit, nounset, noglob, allexport, noclobber, pipefail bool
	ignored                                                  string // letters that are on and do nothing here
	nullglob, dotglob                                        bool
}

// letters are the options that have one.
var letters = []struct {
	letter rune
	name   string
	on     func(*options) *bool
}{
	{'e', "errexit", func(o *options) *bool { return &o.errexit }},
	{'f', "noglob", func(o *options) *bool { return &o.noglob }},
	{'a', "allexport", func(o *options) *bool { return &o.allexport }},
	{'C', "noclobber", func(o *options) *bool { return &o.noclobber }},
	{'u', "nounset", func(o *options) *bool { return &o.nounset }},
}

// idleOptions have no effect on what a script does.
var idleOptions = map[string]bool{
	"xtrace": true, "verbose": true, "monitor": true, "notify": true, "hashall": true, "emacs": true, "vi": true, "nolog": true,
	"interactive-comments": true, "ignoreeof": true, "physical": false,
}

// String returns the letters of $-.
func (o options) String() string {
	s := o.ignored
	for _, l := range slices.Backward(letters) { // in dash's order
		if *l.on(&o) {
			s += string(l.letter)
		}
	}
	return s
}

// setLetter turns an option on or off.
func (r *run) setLetter(letter rune, on bool) error {
	for _, l := range letters {
		if l.letter == letter {
			*l.on(&r.opts) = on
			return nil
		}
	}
	switch {
	case strings.ContainsRune("xvmbhpVEI", letter): // nobody sees what they print
		r.opts.ignored = strings.ReplaceAll(r.opts.ignored, string(letter), "")
		if on {
			r.opts.ignored += string(letter)
		}
		return nil
	case letter == 'n' && on:
		return Unsupported("set -n")
	case r.bash:
		return Unsupported("set -%c", letter)
	}
	return r.fault("set: Illegal option -%c", letter)
}

// setOption is setLetter for an option's long name.
func (r *run) setOption(name string, on bool) error {
	for _, l := range letters {
		if l.name == name {
			*l.on(&r.opts) = on
			return nil
		}
	}
	switch {
	case idleOptions[name]:
		return nil
	case name == "pipefail" && r.bash:
		r.opts.pipefail = on
		return nil
	case r.bash:
		return Unsupported("set -o %s", name)
	}
	return r.fault("set: Illegal option -o %s", name)
}

// set is XCU set.
func set(r *run, args []string) error {
	r.status = 0
	if len(args) == 1 {
		return r.listVariables()
	}
	for i := 1; i < len(args); i++ {
		a := args[i]
		switch {
		case a == "--":
			return r.setParams(args[i+1:])
		case a == "-" && !r.bash || len(a) == 0 || a[0] != '-' && a[0] != '+':
			if a == "-" && i+1 == len(args) {
				return nil
			} else if a == "-" {
				i++
			}
			return r.setParams(args[i:])
		}
		for _, letter := range a[1:] {
			if letter != 'o' {
				if err := r.setLetter(letter, a[0] == '-'); err != nil {
					return err
				}
				continue
			}
			if i++; i >= len(args) {
				return Unsupported("set %so", a[:1])
			}
			if err := r.setOption(args[i], a[0] == '-'); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *run) setParams(list []string) error {
	size := 0
	for _, p := range list {
		size += len(p) + 16
	}
	r.params, r.optPlace = slices.Clone(list), 0
	grown := size - r.paramsHeld
	r.paramsHeld = size
	return r.shell.budget.hold(grown)
}

// listVariables prints all variables, as dash's set does.
func (r *run) listVariables() error {
	if r.bash {
		return Unsupported("set without arguments")
	}
	var b strings.Builder
	for _, name := range r.vars.all() {
		if v := r.find(name); v.set {
			b.WriteString(name + "=" + r.quote(v.value) + "\n")
		}
	}
	return r.print(b.String())
}

// shopt is bash's.
func shopt(r *run, args []string) error {
	on, set, r2 := false, false, args[1:]
	for len(r2) > 0 && strings.HasPrefix(r2[0], "-") {
		switch r2[0] {
		case "-s":
			on, set = true, true
		case "-u":
			on, set = false, true
		default:
			return Unsupported("shopt %s", r2[0])
		}
		r2 = r2[1:]
	}
	r.status = 0
	for _, name := range r2 {
		switch {
		case !set:
			return Unsupported("shopt %s", name)
		case name == "nullglob":
			r.opts.nullglob = on
		case name == "dotglob":
			r.opts.dotglob = on
		case idleShopt[name] || name == "extglob": // its patterns are refused where they are used
		default:
			return Unsupported("shopt -s %s", name)
		}
	}
	return nil
}

var idleShopt = map[string]bool{
	"checkwinsize": true, "histappend": true, "cmdhist": true, "lithist": true, "progcomp": true, "huponexit": true, "checkjobs": true,
	"sourcepath": true, "mailwarn": true, "promptvars": true, "login_shell": true, "interactive_comments": true,
}
