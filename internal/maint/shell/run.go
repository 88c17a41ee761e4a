package shell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// run is a shell at work: the execution environment of POSIX (XCU 2.13).
type run struct {
	shell *Shell
	ctx   context.Context
	bash  bool   // the script is for bash
	name  string // $0

	params     []string
	paramsHeld int // bytes, of those that set made
	optPlace   int // of getopts, in a group of letters
	vars       *vars
	scopes     []map[string]*variable // what functions' local variables hid
	funcs      *functions
	aliases    map[string]string // never changed, but replaced
	traps      map[string]string // by signal
	fds        []stream
	dir        string // the working directory, as it was called
	umask      uint32
	opts       options

	status int    // $?
	job    string // $!
	jobs   map[string]int
	line   uint
	doing  string // the name of the command
	failed place  // the command that last returned another status than 0

	depth  int
	nested int
	loops  int  // that are running around the present command
	calls  int  // functions and sourced files around it
	tested bool // a failure is a condition, and does not end the script (XCU, set -e)

	exiting    bool // the EXIT trap runs
	exitStatus int  // of an exit without one in it

	substituted bool // a command substitution ran in the present command's words
	substStatus int  // and its status
}

type place struct {
	line    uint
	command string
}

// functions are those of a shell; those of a subshell lie over those of the shell
// that waits for it.
type functions struct {
	below *functions
	own   map[string]*function
}

type function struct {
	body *syntax.Stmt // nil where it is unset
}

func (f *functions) find(name string) *function {
	for ; f != nil; f = f.below {
		if got, ok := f.own[name]; ok {
			if got.body == nil {
				return nil
			}
			return got
		}
	}
	return nil
}

func (r *run) define(name string, body *syntax.Stmt) {
	if r.funcs == nil || r.funcs.own == nil {
		r.funcs = &functions{below: r.funcs, own: map[string]*function{}}
	}
	r.funcs.own[name] = &function{body}
}

// jump is the error that leaves constructs: break, continue, return and exit.
type jump struct {
	kind  jumpKind
	n     int  // loops to leave
	fault bool // an exit that is an error of the shell, which a builtin that is not special survives
}

type jumpKind int

const (
	jumpBreak jumpKind = iota
	jumpContinue
	jumpReturn
	jumpExit
)

// Error implements error; no caller outside sees it.
func (j *jump) Error() string { return "jump" }

// fault ends the script with an error of the shell itself, as dash does (XCU 2.8.1).
func (r *run) fault(format string, args ...any) error {
	message := fmt.Sprintf(format, args...)
	status := 2
	if r.bash {
		status = 1
	}
	if err := r.complain(status, "%s", message); err != nil {
		return err
	}
	r.failed = place{r.line, message}
	return &jump{kind: jumpExit, fault: true}
}

// bad is fault for an error of an expansion. bash goes on behind the present line of
// the script, wherever that is.
func (r *run) bad(format string, args ...any) error {
	if r.bash {
		return Unsupported("going on after %q", fmt.Sprintf(format, args...))
	}
	return r.fault(format, args...)
}

// refuse is fault for an error of an assignment.
func (r *run) refuse(command string, err error) error {
	ro, ok := errors.AsType[*readonlyError](err)
	if !ok {
		return err
	}
	if r.bash {
		return Unsupported("going on after %q", ro.Error())
	}
	if command != "" {
		command += ": "
	}
	return r.fault("%s%v", command, ro)
}

// complain prints an error of the shell itself and sets the status.
func (r *run) complain(status int, format string, args ...any) error {
	r.status = status
	_, err := fmt.Fprintf(r.stderr(), "%s: %d: %s\n", r.name, r.line, fmt.Sprintf(format, args...))
	return ignoreClosed(err)
}

// subshell returns a copy that can be changed without changing r, which must wait
// for it. The caller calls done.
func (r *run) subshell() (sub *run, done func()) {
	c := *r
	sub = &c
	sub.vars, sub.paramsHeld = newVars(r.vars), 0
	if r.funcs != nil {
		sub.funcs = &functions{below: r.funcs}
	}
	sub.traps, sub.scopes, sub.exiting = map[string]string{}, nil, false
	sub.fds = nil
	for fd, s := range r.fds {
		sub.setFD(fd, s)
	}
	return sub, func() {
		_ = r.shell.budget.hold(-sub.vars.held - sub.paramsHeld)
		for fd := range sub.fds {
			sub.setFD(fd, stream{})
		}
	}
}

// inSubshell runs do in a copy of the shell, to its end.
func (r *run) inSubshell(do func(*run) error) error {
	sub, done := r.subshell()
	defer done()
	if err := sub.enterCall(); err != nil {
		return err
	}
	if err := sub.toEnd(do(sub)); err != nil {
		return err
	}
	r.status, r.failed = sub.status, sub.failed
	return nil
}

// script runs the text of a whole script, its EXIT trap included. The status is in r.
func (r *run) script(text string) error {
	kind, program := shebang(text)
	if kind == isUnknown {
		return Unsupported("%s code", program)
	}
	r.bash = kind == isBash
	if o := shebangOptions(text); o != "" {
		for _, letter := range o[1:] {
			if err := r.setLetter(letter, true); err != nil {
				return r.toEnd(err)
			}
		}
	}
	return r.program(text)
}

func (r *run) program(text string) error {
	file, err := r.parse(r.name, text)
	if err != nil {
		r.status = 2
		return err
	}
	return r.toEnd(r.read(file.Stmts))
}

// toEnd ends a shell whose commands returned err.
func (r *run) toEnd(err error) error {
	if j, ok := err.(*jump); err != nil && !ok {
		return err
	} else if ok && j.kind <= jumpContinue {
		r.status = 0
	}
	trap := r.traps["EXIT"]
	delete(r.traps, "EXIT")
	if trap == "" {
		return nil
	}
	status, failed := r.status, r.failed
	r.tested, r.loops, r.calls = false, 0, 0
	r.exiting, r.exitStatus = true, status
	err = r.eval(trap)
	if j, ok := err.(*jump); ok && j.kind == jumpExit {
		return nil
	} else if err != nil && !ok {
		return err
	}
	r.status, r.failed = status, failed
	return nil
}

func (r *run) eval(text string) error {
	file, err := r.parse(r.name, text)
	if bad, ok := errors.AsType[*SyntaxError](err); ok {
		// Whether it is wrong for dash too is certain where it has nothing that only
		// the parser here stumbles at, and no line before it that dash would run.
		if r.bash || strings.Contains(strings.TrimSpace(text), "\n") || strings.Contains(text, "`") || strings.Contains(text, "${") || strings.Contains(text, "$((") {
			return Unsupported("text of eval that is no script (%v)", bad)
		}
		return r.fault("eval: %v", bad)
	}
	if err != nil {
		return err
	}
	return r.read(file.Stmts)
}

func (r *run) stdout() io.Writer { return r.writer(1) }

func (r *run) stderr() io.Writer { return r.writer(2) }

func (r *run) writer(fd int) io.Writer {
	if s := r.fd(fd); s.w != nil {
		return s.w
	}
	return closed{}
}

func (r *run) stmts(list []*syntax.Stmt) error {
	for _, s := range list {
		if err := r.stmt(s); err != nil {
			return err
		}
	}
	return nil
}

// stmt runs one statement: a command with its redirections.
func (r *run) stmt(s *syntax.Stmt) error {
	if err := r.step(); err != nil {
		return err
	}
	if err := r.enter(); err != nil {
		return err
	}
	defer r.leave()
	r.line = s.Pos().Line()
	switch {
	case s.Coprocess || s.Disown:
		return Unsupported("a coprocess")
	case s.Background:
		c := *s
		c.Background = false
		return r.background(&c)
	case s.Negated:
		tested := r.tested
		r.tested = true
		_, err := r.redirected(s)
		r.tested = tested
		if err == nil {
			r.status = oneIf(r.status == 0)
		}
		return err
	}
	failed, err := r.redirected(s)
	if err != nil || r.status == 0 || r.tested || !r.opts.errexit || !failed && !endsScript(s.Cmd) {
		return err
	}
	return &jump{kind: jumpExit}
}

// background runs a statement beside the others, which here is before them: there is
// one process.
func (r *run) background(s *syntax.Stmt) error {
	status, failed := r.status, r.failed
	err := r.inSubshell(func(sub *run) error {
		sub.tested = false
		if sub.fd(0) == r.fd(0) {
			sub.setFD(0, stream{r: empty{}})
		}
		return sub.stmt(s)
	})
	if err != nil {
		return err
	}
	if r.jobs == nil {
		r.jobs = map[string]int{}
	}
	r.job = strconv.Itoa(3 + len(r.jobs))
	r.jobs[r.job] = r.status
	r.status, r.failed = status, failed
	r.status = 0
	return nil
}

// endsScript reports whether the failure of a command ends the script under set -e.
// What fails in a compound command has ended it, unless it was a condition.
func endsScript(cmd syntax.Command) bool {
	switch c := cmd.(type) {
	case *syntax.BinaryCmd:
		return c.Op != syntax.AndStmt && c.Op != syntax.OrStmt
	case *syntax.CallExpr, *syntax.Subshell, *syntax.TestClause, *syntax.ArithmCmd, *syntax.LetClause, *syntax.DeclClause, nil:
		return true
	}
	return false
}

func oneIf(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (r *run) command(cmd syntax.Command) error {
	switch c := cmd.(type) {
	case *syntax.Block:
		return r.stmts(c.Stmts)
	case *syntax.Subshell:
		return r.inSubshell(func(sub *run) error { return sub.stmts(c.Stmts) })
	case *syntax.BinaryCmd:
		return r.binary(c)
	case *syntax.IfClause:
		return r.ifClause(c)
	case *syntax.WhileClause:
		return r.while(c)
	case *syntax.ForClause:
		return r.forClause(c)
	case *syntax.CaseClause:
		return r.caseClause(c)
	case *syntax.FuncDecl:
		if c.Name == nil {
			return Unsupported("a function without a name")
		}
		if c.RsrvWord && !r.bash {
			return Unsupported("the word function in a script for sh")
		}
		r.define(c.Name.Value, c.Body)
		r.status = 0
		return nil
	}
	return r.bashCommand(cmd)
}

// bashCommand runs what only bash has.
func (r *run) bashCommand(cmd syntax.Command) error {
	if !r.bash {
		return Unsupported("a command of bash in a script for sh")
	}
	switch c := cmd.(type) {
	case *syntax.DeclClause:
		return r.declare(c)
	case *syntax.TestClause:
		return r.testClause(c)
	case *syntax.ArithmCmd:
		return r.arithmeticCommand(c.X)
	case *syntax.LetClause:
		for _, x := range c.Exprs {
			if err := r.arithmeticCommand(x); err != nil {
				return err
			}
		}
		return nil
	}
	return Unsupported("this form of command")
}

func (r *run) arithmeticCommand(x syntax.ArithmExpr) error {
	n, err := r.arith(x)
	if j, ok := err.(*jump); ok && j.fault {
		return nil // with status 1
	}
	r.status = oneIf(n == 0)
	return err
}
