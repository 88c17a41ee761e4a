package shell

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/hardpan/hardpan/internal/tree"
)

// origin sets the origin of what a command makes.
func (r *run) origin(args []string) {
	if r.shell.Origin != nil {
		r.shell.FS.Origin = r.shell.Origin(text(args))
	}
}

// simple runs a simple command: assignments, words, or both (XCU 2.9.1).
func (r *run) simple(c *syntax.CallExpr) error {
	r.subst = false
	args, err := r.fields(c.Args)
	if err != nil {
		return r.fatal(nil, err)
	}
	if len(args) == 0 {
		for _, a := range c.Assigns {
			if err := r.assign(a, false); err != nil {
				return r.fatal(nil, err)
			}
		}
		r.status = 0
		if r.subst {
			r.status = r.substStatus
		}
		if r.status != 0 {
			r.failed = place{r.line, "command substitution"}
		}
		return nil
	}
	line := r.line
	restore, err := r.temporary(c.Assigns, args[0])
	if err != nil {
		return r.fatal(args, err)
	}
	err = r.dispatch(args)
	restore()
	if r.status != 0 {
		if _, isFunc := r.funcs[args[0]]; !isFunc && args[0] != "exit" && args[0] != "return" {
			r.failed = place{line, text(args)}
		}
	}
	r.line = line
	return r.fatal(args, err)
}

// fatal adds the place to an error that is about to end the scripts.
func (r *run) fatal(args []string, err error) error {
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

// temporary makes the assignments before a command, for as long as it runs.
func (r *run) temporary(assigns []*syntax.Assign, name string) (restore func(), err error) {
	if len(assigns) == 0 {
		return func() {}, nil
	}
	saved := map[string]variable{}
	for _, a := range assigns {
		saved[a.Name.Value] = r.vars[a.Name.Value]
		if err := r.assign(a, true); err != nil {
			return nil, err
		}
	}
	if slices.Contains(specialBuiltins, name) {
		return func() {}, nil // they stay (XCU 2.14)
	}
	return func() {
		for name, v := range saved {
			if v.set || v.exported {
				r.vars[name] = v
			} else {
				delete(r.vars, name)
			}
		}
	}, nil
}

func (r *run) assign(a *syntax.Assign, export bool) error {
	name := a.Name.Value
	if a.Array != nil {
		return r.assignArray(a)
	}
	value, err := r.literal(a.Value)
	if err != nil {
		return err
	}
	if a.Index != nil {
		return r.assignElement(a, value)
	}
	if a.Append {
		value = r.get(name) + value
	}
	if err := r.set(name, value); err != nil {
		return err
	}
	if export {
		v := r.vars[name]
		v.exported = true
		r.vars[name] = v
	}
	return nil
}

func (r *run) assignArray(a *syntax.Assign) error {
	var words []*syntax.Word
	for _, e := range a.Array.Elems {
		if e.Index != nil {
			return Unsupported("an array with indexes")
		}
		words = append(words, e.Value)
	}
	list, err := r.fields(words)
	if err != nil {
		return err
	}
	if a.Append {
		list = append(slices.Clone(r.vars[a.Name.Value].list), list...)
	}
	v := variable{list: list, isList: true, set: true}
	if len(list) > 0 {
		v.value = list[0]
	}
	r.vars[a.Name.Value] = v
	return nil
}

func (r *run) assignElement(a *syntax.Assign, value string) error {
	i, err := r.number(a.Index)
	if err != nil {
		return err
	}
	v := r.vars[a.Name.Value]
	if i < 0 || i > len(v.list) {
		return Unsupported("an array with gaps")
	}
	list := slices.Clone(v.list)
	if i == len(list) {
		list = append(list, value)
	} else {
		list[i] = value
	}
	r.vars[a.Name.Value] = variable{list: list, isList: true, set: true, value: list[0]}
	return nil
}

// dispatch runs a command by its name (XCU 2.9.1.4).
func (r *run) dispatch(args []string) error {
	if do, ok := builtins[args[0]]; ok && slices.Contains(specialBuiltins, args[0]) {
		return do(r, args)
	}
	if body, ok := r.funcs[args[0]]; ok {
		return r.function(body, args)
	}
	if do, ok := builtins[args[0]]; ok {
		return do(r, args)
	}
	return r.external(args)
}

func (r *run) function(body *syntax.Stmt, args []string) error {
	leave, err := r.enter()
	if err != nil {
		return err
	}
	defer leave()
	params, loops := r.params, r.loops
	r.params, r.loops = args[1:], 0
	r.scopes = append(r.scopes, map[string]variable{})
	r.calls++
	err = r.stmt(body)
	r.calls--
	maps.Copy(r.vars, r.scopes[len(r.scopes)-1])
	for name, v := range r.scopes[len(r.scopes)-1] {
		if !v.set && !v.exported {
			delete(r.vars, name)
		}
	}
	r.scopes = r.scopes[:len(r.scopes)-1]
	r.params, r.loops = params, loops
	if j, ok := err.(*jump); ok && j.kind == jumpReturn {
		return nil
	}
	return err
}

// local makes a variable the running function's own.
func (r *run) local(name string) {
	if len(r.scopes) == 0 {
		return
	}
	scope := r.scopes[len(r.scopes)-1]
	if _, ok := scope[name]; !ok {
		scope[name] = r.vars[name]
	}
}

func (r *run) external(args []string) error {
	p := &Proc{
		Dir: r.dir, Umask: r.umask, Stdin: r.stdin(), Stdout: r.stdout(), Stderr: r.stderr(),
		FS: r.shell.FS, caller: r,
	}
	status, err := r.call(r.ctx, p, args)
	r.status = status
	return err
}

func (r *run) stdin() io.Reader {
	if in := r.fds[0].r; in != nil {
		return in
	}
	return bytes.NewReader(nil)
}

// binDirs are where programs are; the links of a merged /usr are among them.
var binDirs = []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"}

// call runs a program for p, or for the shell itself. Commands known here take the
// place of those in the image.
func (r *run) call(ctx context.Context, p *Proc, args []string) (int, error) {
	if err := r.step(); err != nil {
		return 0, err
	}
	q := *p
	q.Args, q.caller = args, r
	name := args[0]
	if strings.Contains(name, "/") {
		if dir, base := path.Split(path.Clean(name)); slices.Contains(binDirs, path.Clean(dir)) && r.known(base) {
			name = base
		}
	}
	r.origin(args)
	if do, ok := r.shell.Commands[name]; ok {
		return do(ctx, &q)
	}
	if do, ok := programs[name]; ok {
		return do(ctx, &q)
	}
	if do, ok := builtins[name]; ok && !slices.Contains(specialBuiltins, name) {
		return r.builtinFor(&q, do)
	}
	file := name
	if !strings.Contains(name, "/") {
		if file = r.look(name); file == "" {
			_, _ = q.Errorf("not found")
			return 127, nil
		}
	}
	return r.file(ctx, &q, q.Path(file))
}

func (r *run) known(name string) bool {
	_, program := programs[name]
	return program || r.shell.Commands[name] != nil
}

// builtinFor runs a builtin as if it was a program: echo for xargs.
func (r *run) builtinFor(p *Proc, do builtin) (int, error) {
	sub := r.processFor(p)
	err := do(sub, p.Args)
	if _, ok := err.(*jump); ok {
		err = nil
	}
	return sub.status, err
}

// processFor returns a shell with the streams of p.
func (r *run) processFor(p *Proc) *run {
	sub := r.subshell()
	sub.dir, sub.umask = p.Dir, p.Umask
	sub.fds = map[int]stream{0: {r: p.Stdin}, 1: {w: p.Stdout}, 2: {w: p.Stderr}}
	return sub
}

// file runs a file of the image, which must be a script.
func (r *run) file(ctx context.Context, p *Proc, name string) (int, error) {
	n, err := p.FS.Stat(name)
	switch {
	case err != nil:
		_, err := p.Errorf("not found")
		return 127, err
	case n.Type == tree.Dir || n.Mode&0o111 == 0:
		_, err := p.Errorf("Permission denied")
		return 126, err
	case n.ELF != nil && r.shell.Commands[path.Base(name)] != nil:
		return r.shell.Commands[path.Base(name)](ctx, p) // some programs are in a package's own directory
	case n.ELF != nil || n.Size > maxScript:
		return 0, Unsupported("running %s of the image", name)
	}
	b, err := p.FS.ReadFile(name)
	if err != nil {
		return 0, err
	}
	kind, program := shebang(string(b))
	if kind == isUnknown {
		if do, ok := r.shell.Commands[program]; ok {
			q := *p
			q.Args = []string{program}
			if o := shebangOptions(string(b)); o != "" {
				q.Args = append(q.Args, o)
			}
			q.Args = append(append(q.Args, name), p.Args[1:]...)
			return do(ctx, &q)
		}
		return 0, Unsupported("running %s, which is %s code,", name, program)
	}
	return r.runScript(p, name, string(b), p.Args[1:])
}

// runScript runs a script as a process of its own: it gets the environment and
// nothing else of the shell that called it.
func (r *run) runScript(p *Proc, name, text string, params []string) (int, error) {
	sub := r.processFor(p)
	leave, err := sub.enter()
	if err != nil {
		return 0, err
	}
	defer leave()
	sub.name, sub.params, sub.opts = name, params, options{}
	sub.funcs, sub.quiet, sub.calls = map[string]*syntax.Stmt{}, 0, 0
	maps.DeleteFunc(sub.vars, func(_ string, v variable) bool { return !v.exported })
	if err := sub.script(text); err != nil {
		if _, ok := err.(*jump); !ok {
			return sub.status, sub.fatal(nil, err)
		}
	}
	return sub.status, nil
}

// look returns the path of the program that a name calls, "" where there is none.
func (r *run) look(name string) string {
	if strings.Contains(name, "/") {
		if r.executable(r.path(name)) {
			return name
		}
		return ""
	}
	dirs := binDirs
	if v, ok := r.vars["PATH"]; ok {
		dirs = strings.Split(v.value, ":")
	}
	for _, dir := range dirs {
		if p := strings.TrimSuffix(dir, "/") + "/" + name; r.executable(p) {
			return p
		}
	}
	return ""
}

func (r *run) executable(name string) bool {
	n, err := r.shell.FS.Stat(name)
	if err != nil {
		return r.phantom(name)
	}
	return n.Type != tree.Dir && n.Mode&0o111 != 0
}

func (r *run) phantom(name string) bool {
	return r.shell.Phantom != nil && r.shell.Phantom(path.Clean(name))
}

// programs are the shells themselves, which are called like any other program.
var programs map[string]Command

func init() { // for it refers to itself
	programs = map[string]Command{"sh": shellProgram, "dash": shellProgram, "bash": shellProgram}
}

// shellProgram is sh(1).
func shellProgram(_ context.Context, p *Proc) (int, error) {
	r := p.caller
	options, args := "", p.Args[1:]
	for len(args) > 0 && len(args[0]) > 1 && (args[0][0] == '-' || args[0][0] == '+') {
		if args[0] == "--" {
			args = args[1:]
			break
		}
		options += strings.TrimLeft(args[0], "-")
		args = args[1:]
	}
	header := "#!/bin/" + p.Args[0]
	if strings.Contains(options, "e") {
		header += " -e"
	}
	header = "#!/bin/" + path.Base(header[2:]) + "\n"
	switch {
	case strings.Contains(options, "c"):
		if len(args) == 0 {
			return p.Errorf("-c requires an argument")
		}
		name := p.Args[0]
		if len(args) > 1 {
			name = args[1]
		}
		return r.runScript(p, name, header+args[0], args[min(2, len(args)):])
	case len(args) == 0:
		b, err := io.ReadAll(p.Stdin)
		if err != nil {
			return 0, err
		}
		return r.runScript(p, p.Args[0], header+string(b), nil)
	}
	b, err := p.FS.ReadFile(p.Path(args[0]))
	if err != nil {
		return p.Fail(err)
	}
	return r.runScript(p, args[0], string(b), args[1:])
}
