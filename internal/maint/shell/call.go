package shell

import (
	"bytes"
	"context"
	"errors"
	"io"
	"path"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/hardpan/hardpan/internal/tree"
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
	saved, err := r.redirect(redirs, args)
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

// isAssignment reports whether a word begins with a name and "=".
func isAssignment(w *syntax.Word) bool {
	l, ok := w.Parts[0].(*syntax.Lit)
	if !ok {
		return false
	}
	name, _, ok := strings.Cut(l.Value, "=")
	return ok && syntax.ValidName(name)
}

// assignmentWord expands a word that is an assignment, where a tilde leads home after "=" too.
func (r *run) assignmentWord(w *syntax.Word) (string, error) {
	l := w.Parts[0].(*syntax.Lit)
	name, first, _ := strings.Cut(l.Value, "=")
	c := syntax.Word{Parts: slices.Clone(w.Parts)}
	rest := *l
	rest.Value = first
	c.Parts[0] = &rest
	s, err := r.value(&c)
	return name + "=" + s, err
}

// assignments runs a command that is assignments only, or redirections.
func (r *run) assignments(assigns []*syntax.Assign, redirs []*syntax.Redirect) (failed bool, err error) {
	saved, err := r.redirect(redirs, nil)
	defer func() {
		if err2 := r.undo(saved); err == nil {
			err = err2
		}
	}()
	if err != nil {
		return r.redirectFailed(err, false)
	}
	for _, a := range assigns {
		if err := r.assignment(a); err != nil {
			return false, r.placed(nil, r.refuse("", err))
		}
	}
	r.status = 0
	if r.substituted {
		r.status = r.substStatus
	}
	if r.status != 0 {
		r.failed = place{r.line, "command substitution"}
	}
	return false, nil
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

// temporary makes the assignments before a command, for as long as it runs; those
// before a special builtin stay (XCU 2.15).
func (r *run) temporary(assigns []*syntax.Assign, stay bool) (restore func(), err error) {
	if len(assigns) == 0 {
		return func() {}, nil
	}
	type hidden struct {
		name string
		old  *variable
	}
	var saved []hidden
	restore = func() {
		for _, h := range slices.Backward(saved) {
			r.restore(h.name, h.old)
		}
	}
	for _, a := range assigns {
		name := a.Name.Value
		if !stay {
			saved = append(saved, hidden{name, r.hide(name)})
		}
		if err := r.assignment(a); err != nil {
			restore()
			return nil, r.refuse("", err)
		}
		if !stay {
			r.vars.get(name).exported = true
		}
	}
	return restore, nil
}

// assignment makes one assignment.
func (r *run) assignment(a *syntax.Assign) error {
	name := a.Name.Value
	if !r.bash && (a.Array != nil || a.Index != nil || a.Append) {
		return Unsupported("arrays and += in a script for sh")
	}
	if r.bash && machineVariables[name] {
		return Unsupported("setting %s", name)
	}
	if a.Array != nil {
		return r.assignArray(a)
	}
	value, err := r.value(a.Value)
	if err != nil {
		return err
	}
	if a.Index != nil {
		return r.assignElement(a, value)
	}
	old := r.find(name)
	switch {
	case old != nil && old.isList:
		list := slices.Clone(old.list)
		if len(list) == 0 {
			list = []string{""}
		}
		if a.Append {
			value = list[0] + value
		}
		list[0] = value
		return r.assignList(name, list)
	case a.Append && old != nil:
		value = old.value + value
	}
	return r.assign(name, value)
}

func (r *run) assignArray(a *syntax.Assign) error {
	list, err := r.arrayValues(a)
	if err != nil {
		return err
	}
	return r.appendArray(a, list)
}

// arrayValues expands the words of an array.
func (r *run) arrayValues(a *syntax.Assign) ([]string, error) {
	var words []*syntax.Word
	for _, e := range a.Array.Elems {
		if e.Index != nil {
			return nil, Unsupported("an array with indexes")
		}
		words = append(words, e.Value)
	}
	list, release, err := r.fieldsOf(words)
	release()
	return list, err
}

// appendArray assigns an array, or appends to one.
func (r *run) appendArray(a *syntax.Assign, list []string) error {
	if old := r.find(a.Name.Value); a.Append && old != nil {
		if old.isList {
			list = append(slices.Clone(old.list), list...)
		} else if old.set {
			list = append([]string{old.value}, list...)
		}
	}
	return r.assignList(a.Name.Value, list)
}

func (r *run) assignElement(a *syntax.Assign, value string) error {
	if w, ok := a.Index.(*syntax.Word); !ok || len(w.Parts) == 0 {
		if _, ok := a.Index.(*syntax.BinaryArithm); !ok {
			return Unsupported("this index of an array")
		}
	}
	i, err := r.number(a.Index)
	if err != nil {
		return err
	}
	var list []string
	if old := r.find(a.Name.Value); old != nil && old.isList {
		list = slices.Clone(old.list)
	} else if old != nil && old.set {
		list = []string{old.value}
	}
	if i < 0 {
		i += int64(len(list))
	}
	switch n := int64(len(list)); {
	case i < 0 || i > n:
		return Unsupported("an array with gaps")
	case i == n:
		list = append(list, "")
	}
	if a.Append {
		value = list[i] + value
	}
	list[i] = value
	return r.assignList(a.Name.Value, list)
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

func (r *run) external(args []string) error {
	p := &Proc{
		Dir: r.dir, Umask: r.umask, Stdin: r.stdin(), Stdout: r.processOut(1), Stderr: r.processOut(2),
		FS: r.shell.FS, caller: r,
	}
	status, err := r.call(r.ctx, p, args)
	r.status = status
	if err == nil {
		err = r.ctx.Err()
	}
	return err
}

// processOut is the output of a program; what goes to a closed one is lost.
func (r *run) processOut(fd int) io.Writer {
	if s := r.fd(fd); s.w != nil {
		return s.w
	}
	return io.Discard
}

func (r *run) stdin() io.Reader {
	if in := r.fd(0).r; in != nil {
		return in
	}
	return empty{}
}

// binDirs are where programs are; the links of a merged /usr are among them.
var binDirs = []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"}

// call runs a program for p, or for the shell itself. Commands known here take the
// place of those in the image.
func (r *run) call(ctx context.Context, p *Proc, args []string) (int, error) {
	if err := r.step(); err != nil {
		return 0, err
	}
	if err := r.enterCall(); err != nil {
		return 0, err
	}
	defer r.leaveCall()
	q := *p
	q.Args, q.caller = args, r
	name := args[0]
	if strings.Contains(name, "/") {
		if dir, base := path.Split(path.Clean(name)); slices.Contains(binDirs, path.Clean(dir)) && r.known(base) {
			name = base
		}
	}
	r.origin(text(args))
	if do, ok := r.shell.Commands[name]; ok {
		return do(ctx, &q)
	}
	if do, ok := programs[name]; ok {
		return do(ctx, &q)
	}
	if do := builtins[name]; do != nil && !specialBuiltins[name] {
		return r.builtinFor(&q, do)
	}
	file := name
	if !strings.Contains(name, "/") {
		if file = r.look(name); file == "" {
			_, err := q.Errorf("not found")
			return 127, ignoreClosed(err)
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
	sub, done := r.processFor(p)
	defer done()
	err := do(sub, p.Args)
	if _, ok := err.(*jump); ok {
		err = nil
	}
	return sub.status, err
}

// processFor returns a shell with the streams of p. The caller calls done.
func (r *run) processFor(p *Proc) (sub *run, done func()) {
	sub, done = r.subshell()
	sub.dir, sub.umask = p.Dir, p.Umask
	for fd := range sub.fds {
		sub.setFD(fd, stream{})
	}
	sub.setFD(0, stream{r: p.Stdin})
	sub.setFD(1, stream{w: p.Stdout})
	sub.setFD(2, stream{w: p.Stderr})
	return sub, done
}

// file runs a file of the image, which must be a script.
func (r *run) file(ctx context.Context, p *Proc, name string) (int, error) {
	n, err := p.FS.Stat(name)
	switch {
	case err != nil:
		_, err := p.Errorf("not found")
		return 127, ignoreClosed(err)
	case n.Type == tree.Dir || n.Mode&0o111 == 0:
		_, err := p.Errorf("Permission denied")
		return 126, ignoreClosed(err)
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
	if kind != isUnknown {
		zero := p.Args[0]
		if !strings.Contains(zero, "/") {
			zero = name
		}
		return r.runScript(p, zero, scriptText{text: string(b), bash: kind == isBash, options: shebangOptions(string(b))}, p.Args[1:])
	}
	do, ok := r.shell.Commands[program]
	if !ok {
		return 0, Unsupported("running %s, which is %s code,", name, program)
	}
	q := *p
	q.Args = []string{program}
	if o := shebangOptions(string(b)); o != "" {
		q.Args = append(q.Args, o)
	}
	q.Args = append(append(q.Args, name), p.Args[1:]...)
	return do(ctx, &q)
}

// scriptText is a script, with the shell and the options that it is run with.
type scriptText struct {
	text    string
	bash    bool
	options string
}

// runScript runs a script as a process of its own: it gets the environment and
// nothing else of the shell that called it.
func (r *run) runScript(p *Proc, name string, script scriptText, params []string) (int, error) {
	sub, done := r.processFor(p)
	defer done()
	sub.name, sub.params, sub.opts, sub.bash = name, params, options{}, script.bash
	sub.funcs, sub.tested, sub.calls, sub.loops, sub.status, sub.job, sub.jobs = nil, false, 0, 0, 0, "", nil
	for _, v := range sub.vars.all() {
		if !sub.find(v).exported {
			sub.unset(v)
		}
	}
	if err := sub.startIFS(); err != nil {
		return 2, err
	}
	for _, letter := range strings.TrimLeft(script.options, "-") {
		if err := sub.setLetter(letter, true); err != nil {
			return 2, sub.survive(err)
		}
	}
	err := sub.program(script.text)
	if bad, ok := errors.AsType[*SyntaxError](err); ok {
		return 2, sub.complain(2, "%v", bad)
	}
	return sub.status, sub.placed(nil, err)
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
	if v := r.find("PATH"); v != nil && v.set {
		dirs = strings.Split(v.value, ":")
	}
	for _, dir := range dirs {
		p := strings.TrimSuffix(dir, "/") + "/" + name
		if dir == "" {
			p = r.path(name)
		}
		if r.executable(p) {
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
	for len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' {
		a := args[0]
		args = args[1:]
		if a == "--" {
			break
		}
		if a[1] == '-' || strings.Contains(a, "o") {
			return 0, Unsupported("%s %s", p.Args[0], a)
		}
		options += a[1:]
	}
	script := scriptText{bash: path.Base(p.Args[0]) == "bash"}
	command, fromInput := strings.Contains(options, "c"), strings.Contains(options, "s") || len(args) == 0
	script.options = strings.NewReplacer("c", "", "s", "").Replace(options)
	switch {
	case command:
		if len(args) == 0 {
			_, err := p.Errorf("0: -c requires an argument")
			return 2, err
		}
		name := p.Args[0]
		if len(args) > 1 {
			name = args[1]
		}
		script.text = args[0]
		return r.runScript(p, name, script, args[min(2, len(args)):])
	case fromInput:
		b, err := io.ReadAll(io.LimitReader(p.Stdin, maxScript+1))
		if err != nil {
			return 0, err
		}
		q := *p
		q.Stdin = bytes.NewReader(nil) // all of it is read
		script.text = string(b)
		return r.runScript(&q, p.Args[0], script, args)
	}
	b, err := p.FS.ReadFile(p.Path(args[0]))
	if err != nil {
		_, err := p.Errorf("0: cannot open %s: No such file", args[0])
		return 2, err
	}
	script.text = string(b)
	return r.runScript(p, args[0], script, args[1:])
}

// substitute runs a command substitution, and returns what it prints without the
// newlines at its end (XCU 2.6.3).
func (r *run) substitute(cs *syntax.CmdSubst) (string, error) {
	if cs.TempFile || cs.ReplyVar {
		return "", Unsupported("this form of command substitution")
	}
	r.substituted = true
	if s, ok, err := r.fileSubstitution(cs); ok || err != nil {
		return s, err
	}
	status, failed := r.status, r.failed
	out := &output{budget: &r.shell.budget, counts: true}
	defer out.free()
	err := r.inSubshell(func(sub *run) error {
		sub.setFD(1, stream{w: out})
		if sub.tested = false; r.bash {
			sub.opts.errexit = false
		}
		return sub.stmts(cs.Stmts)
	})
	r.substStatus = r.status
	r.status = status // $? stays that of the last command
	if r.substStatus == 0 {
		r.failed = failed
	}
	if err != nil {
		return "", err
	}
	return trimNewlines(out.bytes()), nil
}

func trimNewlines(b []byte) string {
	b = bytes.TrimRight(b, "\n")
	if bytes.IndexByte(b, 0) >= 0 {
		b = bytes.TrimRight(bytes.ReplaceAll(b, []byte{0}, nil), "\n")
	}
	return string(b)
}

// fileSubstitution is bash's $(<file).
func (r *run) fileSubstitution(cs *syntax.CmdSubst) (s string, ok bool, err error) {
	if !r.bash || len(cs.Stmts) != 1 || cs.Stmts[0].Cmd != nil || len(cs.Stmts[0].Redirs) != 1 || cs.Stmts[0].Redirs[0].Op != syntax.RdrIn {
		return "", false, nil
	}
	saved, err := r.redirect(cs.Stmts[0].Redirs, nil)
	if err != nil {
		_, err = r.redirectFailed(err, false)
		r.substStatus = 1
		return "", true, err
	}
	b, err := io.ReadAll(io.LimitReader(r.stdin(), maxValue+1))
	r.substStatus = 0
	return trimNewlines(b), true, errors.Join(err, r.undo(saved))
}
