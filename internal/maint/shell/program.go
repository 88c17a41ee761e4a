package shell

import (
	"bytes"
	"context"
	"errors"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/tree"
)

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
// place of those in the image, where it has them.
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
	if r.absent(args[0], name) {
		_, err := q.Errorf("not found")
		return 127, ignoreClosed(err)
	}
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

// absent reports whether a program that is known here is not in the image.
func (r *run) absent(called, name string) bool {
	return r.shell.Phantom != nil && r.known(name) && !strings.HasPrefix(name, "_") && r.look(called) == ""
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
	case err != nil && r.phantom(name):
		return 0, Unsupported("running %s, which the image lacks,", path.Base(name))
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
	sub.funcs, sub.aliases = nil, nil
	sub.tested, sub.calls, sub.loops, sub.status, sub.job, sub.jobs = false, 0, 0, 0, "", nil
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
