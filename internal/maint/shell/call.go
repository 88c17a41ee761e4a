package shell

import (
	"errors"

	"mvdan.cc/sh/v3/syntax"
)

// origin sets the origin of what a command makes.
func (r *run) origin(command string) {
	if r.shell.Origin != nil {
		r.shell.FS.Origin = r.shell.Origin(command)
	}
}

// simple runs a simple command: assignments, words, redirections (XCU 2.9.1). failed
// says that a redirection failed.
func (r *run) simple(c *syntax.CallExpr, redirs []*syntax.Redirect) (failed bool, err error) {
	r.substituted = false
	args, release, err := r.arguments(c.Args)
	defer release()
	if err != nil {
		return false, r.placed(nil, err)
	}
	if len(args) == 0 {
		return r.assignments(c.Assigns, redirs)
	}
	special := specialBuiltins[args[0]] && !r.bash
	var shown string
	if len(redirs) > 0 {
		shown = text(args)
	}
	saved, err := r.redirect(redirs, shown)
	defer func() {
		if err2 := r.undo(saved); err == nil {
			err = err2
		}
	}()
	if err != nil {
		return r.redirectFailed(err, special)
	}
	line := r.line
	r.doing = args[0]
	restore, err := r.temporary(c.Assigns, special)
	if err != nil {
		return false, r.placed(args, err)
	}
	defer func() { restore(); r.line = line }()
	if args[0] == "exec" && (special || r.bash) {
		saved = r.letStay(saved)
	}
	err = r.dispatch(args)
	if r.status != 0 && args[0] != "exit" && args[0] != "return" && r.funcs.find(args[0]) == nil {
		r.failed = place{line, text(args)}
	}
	r.line = line
	return false, r.placed(args, err)
}

// arguments expands the words of a command. What looks like an assignment is not
// split where the command makes variables (XCU 2.9.1.1).
func (r *run) arguments(words []*syntax.Word) (list []string, release func(), err error) {
	x := r.expander(true)
	declares := false
	for i, w := range words {
		if i > 0 && declares && isAssignment(w) {
			s, err := r.assignmentWord(w)
			if err == nil {
				err = x.count(len(s) + 16)
			}
			if err != nil {
				return nil, x.free, err
			}
			x.fields = append(x.fields, s)
			continue
		}
		if err := x.words(w); err != nil {
			return nil, x.free, err
		}
		if len(x.fields) > 0 && !declares {
			name := x.fields[0]
			for k := 0; name == "command" && k+1 < len(x.fields); k++ {
				name = x.fields[k+1]
			}
			declares = name == "export" || name == "readonly" || name == "local"
		}
	}
	return x.fields, x.free, nil
}

// placed adds the place to an error that is about to end the scripts.
func (r *run) placed(args []string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := err.(*jump); ok {
		return err
	}
	if at, ok := errors.AsType[*Error](err); ok && at.Script == r.name {
		return err
	}
	return &Error{Script: r.name, Line: r.line, Command: text(args), Err: err}
}

// dispatch runs a command by its name (XCU 2.9.1.4).
func (r *run) dispatch(args []string) error {
	if specialBuiltins[args[0]] && !r.bash {
		return builtins[args[0]](r, args)
	}
	if f := r.funcs.find(args[0]); f != nil {
		return r.function(f.body, args)
	}
	if do := r.builtin(args[0]); do != nil {
		return r.survive(do(r, args))
	}
	if r.bash && missingBuiltins[args[0]] {
		return Unsupported("the command %s of bash", args[0])
	}
	return r.external(args)
}

// builtin returns a builtin of the shell that the script is for, nil where it has
// none of that name.
func (r *run) builtin(name string) builtin {
	if do, ok := builtins[name]; ok {
		return do
	}
	if r.bash {
		return bashBuiltins[name]
	}
	return nil
}

// survive is what becomes of an error of a builtin that is not special: its status.
func (r *run) survive(err error) error {
	if j, ok := err.(*jump); ok && j.fault {
		return nil
	}
	return err
}

func (r *run) function(body *syntax.Stmt, args []string) error {
	if err := r.enterCall(); err != nil {
		return err
	}
	defer r.leaveCall()
	params, held, loops, place, line := r.params, r.paramsHeld, r.loops, r.optPlace, r.line
	r.params, r.paramsHeld, r.loops, r.optPlace = args[1:], 0, 0, 0
	r.scopes = append(r.scopes, map[string]*variable{})
	r.calls++
	err := r.stmt(body)
	r.calls--
	scope := r.scopes[len(r.scopes)-1]
	r.scopes = r.scopes[:len(r.scopes)-1]
	for name, old := range scope {
		r.restore(name, old)
	}
	_ = r.shell.budget.hold(-r.paramsHeld)
	r.params, r.paramsHeld, r.loops, r.optPlace, r.line = params, held, loops, place, line
	if j, ok := err.(*jump); ok && j.kind == jumpReturn {
		return nil
	}
	return err
}
