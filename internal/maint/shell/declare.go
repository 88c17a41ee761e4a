package shell

import (
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// declaration is what export, readonly, local and bash's declare make of variables.
type declaration struct {
	command                 string
	export, readonly, local bool
	remove, array, list     bool
}

func declarationOf(command string) declaration {
	return declaration{
		command: command, export: command == "export", readonly: command == "readonly",
		local: command != "export" && command != "readonly",
	}
}

// option takes the options of a word.
func (d *declaration) option(r *run, word string) error {
	for _, letter := range word[1:] {
		switch {
		case letter == 'p' && d.command != "local":
			d.list = true
		case !r.bash:
			return r.fault("%s: Illegal option -%c", d.command, letter)
		case letter == 'x':
			d.export = true
		case letter == 'r':
			d.readonly = true
		case letter == 'a':
			d.array = true
		case letter == 'n' && d.command == "export":
			d.remove = true
		case letter == 'g':
			d.local = false
		default:
			return Unsupported("%s %s", d.command, word)
		}
	}
	if word[0] == '+' {
		return Unsupported("%s %s", d.command, word)
	}
	return nil
}

// declareWords is a declaration whose arguments are known at run time only.
func declareWords(r *run, args []string) error {
	d := declarationOf(args[0])
	if d.local && len(r.scopes) == 0 && args[0] == "local" {
		return r.fault("local: not in a function")
	}
	r.status = 0
	words := args[1:]
	for len(words) > 0 && len(words[0]) > 1 && (words[0][0] == '-' || r.bash && words[0][0] == '+') {
		word := words[0]
		words = words[1:]
		if word == "--" {
			break
		}
		if err := d.option(r, word); err != nil {
			return err
		}
	}
	if len(words) == 0 {
		return d.print(r)
	}
	for _, w := range words {
		name, value, has := strings.Cut(w, "=")
		if !syntax.ValidName(name) {
			if r.bash {
				return Unsupported("%s %s", d.command, w)
			}
			return r.fault("%s: %s: bad variable name", d.command, name)
		}
		if err := d.one(r, name); err != nil {
			return err
		}
		if has {
			if err := r.assign(name, value); err != nil {
				return r.refuse(d.command, err)
			}
		}
		d.mark(r, name)
	}
	return nil
}

// one makes a variable the function's own, where that is what is declared. In bash
// it has no value then.
func (d declaration) one(r *run, name string) error {
	if r.bash && machineVariables[name] {
		return Unsupported("%s %s", d.command, name)
	}
	if !d.local || len(r.scopes) == 0 {
		return nil
	}
	scope := r.scopes[len(r.scopes)-1]
	if _, ok := scope[name]; ok {
		return nil
	}
	if old := r.find(name); r.bash && old != nil && old.readonly {
		return Unsupported("a local variable in the place of the readonly %s", name)
	}
	scope[name] = r.hide(name)
	if v := r.find(name); r.bash && v != nil {
		*r.vars.get(name) = variable{exported: v.exported}
	}
	if name == "OPTIND" {
		r.optPlace = 0
	}
	return nil
}

// mark gives a variable the attributes that are declared.
func (d declaration) mark(r *run, name string) {
	v := r.vars.get(name)
	v.exported = (v.exported || d.export) && !d.remove
	v.readonly = v.readonly || d.readonly
	if d.array && !v.isList {
		v.isList = true
		if v.set {
			v.list = []string{v.value}
		}
	}
}

// print lists the variables that are so.
func (d declaration) print(r *run) error {
	if r.bash || d.local {
		return Unsupported("%s without names", d.command)
	}
	var b strings.Builder
	for _, name := range r.vars.all() {
		v := r.find(name)
		if d.command == "export" && !v.exported || d.command == "readonly" && !v.readonly {
			continue
		}
		b.WriteString(d.command + " " + name)
		if v.set {
			b.WriteString("=" + r.quote(v.value))
		}
		b.WriteByte('\n')
	}
	return r.print(b.String())
}

// declare is a declaration that the parser has recognised, as it does for bash.
func (r *run) declare(c *syntax.DeclClause) error {
	d := declarationOf(c.Variant.Value)
	if d.command == "local" && len(r.scopes) == 0 {
		return r.complain(1, "local: can only be used in a function")
	}
	if d.command == "nameref" {
		return Unsupported("nameref")
	}
	r.status = 0
	values, lists := make([]string, len(c.Args)), make([][]string, len(c.Args)) // all are expanded before any is assigned
	names := 0
	for i, a := range c.Args {
		if a.Name == nil {
			continue
		}
		if names++; a.Index != nil {
			return Unsupported("%s with an index", d.command)
		}
		var err error
		if a.Array != nil {
			lists[i], err = r.arrayValues(a)
		} else if !a.Naked {
			values[i], err = r.value(a.Value)
		}
		if err != nil {
			return r.placed([]string{d.command}, err)
		}
	}
	for i, a := range c.Args {
		var err error
		if a.Name != nil {
			err = r.declareOne(d, a, values[i], lists[i])
		} else {
			var n int
			n, err = r.declareExpanded(&d, a.Value)
			names += n
		}
		if err != nil {
			return r.placed([]string{d.command}, err)
		}
	}
	if names == 0 {
		return Unsupported("%s without names", d.command)
	}
	return nil
}

// declareExpanded declares what a word expands to: options and names, of which it
// returns how many.
func (r *run) declareExpanded(d *declaration, word *syntax.Word) (names int, err error) {
	words, release, err := r.fieldsOf([]*syntax.Word{word})
	defer release()
	for _, w := range words {
		if err != nil {
			break
		}
		if strings.HasPrefix(w, "-") || strings.HasPrefix(w, "+") {
			err = d.option(r, w)
		} else {
			names++
			err = r.survive(declareWords(r, []string{d.command, w}))
		}
	}
	return names, err
}

func (r *run) declareOne(d declaration, a *syntax.Assign, value string, list []string) error {
	name := a.Name.Value
	if err := d.one(r, name); err != nil {
		return err
	}
	switch {
	case a.Array != nil:
		if err := r.appendArray(a, list); err != nil {
			return r.refuse(d.command, err)
		}
	case !a.Naked:
		if a.Append {
			value = r.get(name) + value
		}
		if err := r.assign(name, value); err != nil {
			return r.refuse(d.command, err)
		}
	}
	d.mark(r, name)
	return nil
}

func unset(r *run, args []string) error {
	r.status = 0
	functions := false
	names := args[1:]
	for len(names) > 0 && len(names[0]) > 1 && names[0][0] == '-' {
		switch names[0] {
		case "-f":
			functions = true
		case "-v":
			functions = false
		default:
			return r.fault("unset: Illegal option %s", names[0])
		}
		names = names[1:]
	}
	for _, name := range names {
		v := r.find(name)
		switch {
		case functions:
			if r.funcs.find(name) != nil {
				r.define(name, nil)
			}
		case !syntax.ValidName(name):
			if r.bash {
				return Unsupported("unset %s", name)
			}
			return r.fault("unset: %s: bad variable name", name)
		case v != nil && v.readonly:
			if r.bash {
				return r.complain(1, "unset: %s: cannot unset: readonly variable", name)
			}
			return r.fault("unset: %s: is read only", name)
		case v == nil && r.bash:
			r.define(name, nil)
		default:
			r.unset(name)
		}
	}
	return nil
}
