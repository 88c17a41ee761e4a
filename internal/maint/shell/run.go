package shell

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"

	"github.com/hardpan/hardpan/internal/maint/rootfs"
)

// run is a shell at work: the execution environment of POSIX (XCU 2.12).
type run struct {
	shell  *Shell
	ctx    context.Context
	name   string // $0
	params []string
	vars   map[string]variable
	scopes []map[string]variable // what functions' local variables hid
	funcs  map[string]*syntax.Stmt
	traps  map[string]string
	fds    map[int]stream
	dir    string
	umask  uint32
	opts   options
	status int // $?
	line   uint
	failed place // the command that last returned another status than 0
	depth  int
	loops  int  // that are running around the present command
	calls  int  // functions and sourced files around it
	quiet  int  // > 0 where a failure is a condition and does not end the script
	bash   bool // the script is for bash
	subst  bool // a command substitution ran in the present command's words

	substStatus int // and its status
}

type place struct {
	line    uint
	command string
}

// stream is what a file descriptor refers to.
type stream struct {
	r    io.Reader
	w    io.Writer
	file *rootfs.File // to be closed with the redirection that opened it
}

// options are those of set(1).
type options struct {
	errexit, nounset, noglob, allexport, pipefail bool
}

// String returns the letters of $-.
func (o options) String() string {
	s := ""
	for _, f := range []struct {
		on     bool
		letter string
	}{{o.errexit, "e"}, {o.nounset, "u"}, {o.noglob, "f"}, {o.allexport, "a"}} {
		if f.on {
			s += f.letter
		}
	}
	return s
}

// jump is the error that leaves constructs: break, continue, return and exit.
type jump struct {
	kind jumpKind
	n    int // loops to leave
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

// subshell returns a copy that can be changed without changing r.
func (r *run) subshell() *run {
	c := *r
	c.vars, c.funcs, c.fds = maps.Clone(r.vars), maps.Clone(r.funcs), maps.Clone(r.fds)
	c.traps, c.params = map[string]string{}, slices.Clone(r.params)
	c.scopes = nil
	c.loops = 0
	return &c
}

// step counts one command.
func (r *run) step() error {
	limit := r.shell.Limits.Steps
	if limit == 0 {
		limit = defaultSteps
	}
	if r.shell.steps++; r.shell.steps > limit {
		return &LimitError{fmt.Sprintf("%d commands", limit)}
	}
	if r.shell.steps%256 == 0 {
		return r.ctx.Err()
	}
	return nil
}

// enter counts a nesting; the caller calls the function that it returns.
func (r *run) enter() (leave func(), err error) {
	if r.depth++; r.depth > maxDepth {
		return nil, &LimitError{fmt.Sprintf("%d calls in one another", maxDepth)}
	}
	return func() { r.depth-- }, nil
}

// script runs a whole script, its EXIT trap included. The status is in r.
func (r *run) script(text string) error {
	file, err := parse(r.name, text)
	if err != nil {
		return err
	}
	kind, _ := shebang(text)
	r.bash = kind == isBash
	if o := shebangOptions(text); o != "" {
		r.setOptions(o)
	}
	return r.toEnd(r.stmts(file.Stmts))
}

// toEnd ends a shell whose commands returned err.
func (r *run) toEnd(err error) error {
	if j, ok := err.(*jump); ok && j.kind == jumpExit || ok && j.kind == jumpReturn {
		err = nil
	}
	if err != nil {
		return err
	}
	if trap := r.traps["EXIT"]; trap != "" {
		delete(r.traps, "EXIT")
		status, failed := r.status, r.failed
		r.opts.errexit = false
		err := r.eval(trap)
		if j, ok := err.(*jump); ok && j.kind == jumpExit {
			return nil
		}
		if err != nil {
			return err
		}
		r.status, r.failed = status, failed
	}
	return nil
}

func (r *run) eval(text string) error {
	file, err := parser(syntax.LangBash).Parse(strings.NewReader(text), r.name)
	if err != nil {
		return r.complain(2, "eval: %v", err)
	}
	if len(text) > maxScript || deepest(text) > maxNestings {
		return &LimitError{"text of eval"}
	}
	return r.stmts(file.Stmts)
}

// complain prints an error of the shell itself and sets the status.
func (r *run) complain(status int, format string, args ...any) error {
	r.status = status
	_, err := fmt.Fprintf(r.stderr(), r.name+": "+format+"\n", args...)
	return err
}

func (r *run) stdout() io.Writer { return r.writer(1) }
func (r *run) stderr() io.Writer { return r.writer(2) }

func (r *run) writer(fd int) io.Writer {
	if s := r.fds[fd]; s.w != nil {
		return s.w
	}
	return io.Discard
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
	r.line = s.Pos().Line()
	if s.Coprocess || s.Disown {
		return Unsupported("a coprocess")
	}
	if s.Background {
		// There is one process; what runs beside runs before.
		sub := r.subshell()
		c := *s
		c.Background = false
		sub.quiet++
		if err := sub.toEnd(sub.stmt(&c)); err != nil {
			return err
		}
		r.status = 0
		return nil
	}
	if s.Negated {
		r.quiet++
	}
	err := r.redirected(s)
	if s.Negated {
		r.quiet--
		if err == nil {
			r.status = oneIf(r.status == 0)
		}
	}
	if err != nil || r.status == 0 || s.Negated {
		return err
	}
	return r.errexit(s.Cmd)
}

// errexit ends the shell where a command that failed is to do so (XCU, set -e).
func (r *run) errexit(cmd syntax.Command) error {
	if !r.opts.errexit || r.quiet > 0 {
		return nil
	}
	switch c := cmd.(type) {
	case *syntax.BinaryCmd:
		if c.Op == syntax.AndStmt || c.Op == syntax.OrStmt {
			return nil // the last command of the list has ended it, or none is to
		}
	case *syntax.CallExpr, *syntax.Subshell, *syntax.TestClause, *syntax.ArithmCmd, *syntax.LetClause, *syntax.DeclClause, nil:
	default:
		return nil // of a compound command, what failed inside was a condition
	}
	return &jump{kind: jumpExit}
}

func oneIf(b bool) int {
	if b {
		return 1
	}
	return 0
}

// redirected runs a statement's command with its redirections.
func (r *run) redirected(s *syntax.Stmt) error {
	if len(s.Redirs) == 0 {
		return r.command(s.Cmd)
	}
	saved := maps.Clone(r.fds)
	opened, err := r.redirect(s.Redirs)
	if err == nil {
		err = r.command(s.Cmd)
	} else if failed, ok := errors.AsType[*redirectError](err); ok {
		err = r.complain(1, "%s", failed.text)
		r.failed = place{r.line, failed.text}
	}
	if call, ok := s.Cmd.(*syntax.CallExpr); ok && len(call.Args) == 1 && call.Args[0].Lit() == "exec" {
		return err // they stay
	}
	for _, f := range opened {
		if cerr := f.Close(); err == nil && cerr != nil {
			err = cerr
		}
	}
	r.fds = saved
	return err
}

func (r *run) command(cmd syntax.Command) error {
	switch c := cmd.(type) {
	case nil:
		r.status = 0
		return nil
	case *syntax.CallExpr:
		return r.simple(c)
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
		r.funcs[c.Name.Value] = c.Body
		r.status = 0
		return nil
	case *syntax.DeclClause:
		return r.declare(c)
	case *syntax.TestClause:
		return r.testClause(c)
	case *syntax.ArithmCmd:
		return r.arithmetic(c.X)
	case *syntax.LetClause:
		for _, x := range c.Exprs {
			if err := r.arithmetic(x); err != nil {
				return err
			}
		}
		return nil
	case *syntax.TimeClause:
		if c.Stmt == nil {
			return nil
		}
		return r.stmt(c.Stmt)
	}
	return Unsupported("this form of command")
}

// inSubshell runs do in a copy of the shell.
func (r *run) inSubshell(do func(*run) error) error {
	sub := r.subshell()
	leave, err := sub.enter()
	if err != nil {
		return err
	}
	defer leave()
	if err := sub.toEnd(do(sub)); err != nil {
		if j, ok := err.(*jump); !ok || j.kind == jumpExit {
			return err
		}
	}
	r.status, r.failed = sub.status, sub.failed
	return nil
}

func (r *run) binary(c *syntax.BinaryCmd) error {
	switch c.Op {
	case syntax.AndStmt, syntax.OrStmt:
		r.quiet++
		err := r.stmt(c.X)
		r.quiet--
		if err != nil || (r.status == 0) != (c.Op == syntax.AndStmt) {
			return err
		}
		return r.stmt(c.Y)
	}
	// The left side runs to its end first, so that nothing depends on who is faster.
	pipe := &output{shell: r.shell}
	left := 0
	err := r.inSubshell(func(sub *run) error {
		sub.fds[1] = stream{w: pipe}
		if c.Op == syntax.PipeAll {
			sub.fds[2] = stream{w: pipe}
		}
		sub.quiet += oneIf(!r.opts.pipefail)
		err := sub.stmt(c.X)
		left = sub.status
		return err
	})
	if err != nil {
		return err
	}
	err = r.inSubshell(func(sub *run) error {
		sub.fds[0] = stream{r: bytes.NewReader(pipe.Bytes())}
		return sub.stmt(c.Y)
	})
	if err == nil && r.opts.pipefail && r.status == 0 {
		r.status = left
	}
	return err
}

func (r *run) condition(list []*syntax.Stmt) (bool, error) {
	r.quiet++
	defer func() { r.quiet-- }()
	err := r.stmts(list)
	return r.status == 0, err
}

func (r *run) ifClause(c *syntax.IfClause) error {
	for ; c != nil; c = c.Else {
		if len(c.Cond) == 0 { // else
			return r.stmts(c.Then)
		}
		yes, err := r.condition(c.Cond)
		if err != nil {
			return err
		}
		if yes {
			return r.stmts(c.Then)
		}
	}
	r.status = 0
	return nil
}

// round runs the body of a loop once. done says that the loop is to end.
func (r *run) round(body []*syntax.Stmt) (done bool, err error) {
	if err := r.step(); err != nil {
		return true, err
	}
	r.loops++
	err = r.stmts(body)
	r.loops--
	j, ok := err.(*jump)
	if !ok || j.kind > jumpContinue {
		return err != nil, err
	}
	if j.n > 1 && r.loops > 0 {
		return true, &jump{j.kind, j.n - 1}
	}
	return j.kind == jumpBreak, nil
}

func (r *run) while(c *syntax.WhileClause) error {
	status := 0
	for {
		yes, err := r.condition(c.Cond)
		if err != nil {
			return err
		}
		if yes == c.Until {
			r.status = status
			return nil
		}
		done, err := r.round(c.Do)
		if err != nil || done {
			return err
		}
		status = r.status
	}
}

func (r *run) forClause(c *syntax.ForClause) error {
	switch loop := c.Loop.(type) {
	case *syntax.WordIter:
		if c.Select {
			return Unsupported("select")
		}
		items := r.params
		if loop.InPos.IsValid() {
			var err error
			if items, err = r.fields(loop.Items); err != nil {
				return err
			}
		}
		r.status = 0
		for _, item := range slices.Clone(items) {
			if err := r.set(loop.Name.Value, item); err != nil {
				return err
			}
			if done, err := r.round(c.Do); err != nil || done {
				return err
			}
		}
		return nil
	case *syntax.CStyleLoop:
		return r.cStyle(loop, c.Do)
	}
	return Unsupported("this form of loop")
}

func (r *run) cStyle(loop *syntax.CStyleLoop, body []*syntax.Stmt) error {
	if loop.Init != nil {
		if _, err := r.number(loop.Init); err != nil {
			return err
		}
	}
	for {
		if loop.Cond != nil {
			if n, err := r.number(loop.Cond); err != nil || n == 0 {
				return err
			}
		}
		if done, err := r.round(body); err != nil || done {
			return err
		}
		if loop.Post != nil {
			if _, err := r.number(loop.Post); err != nil {
				return err
			}
		}
	}
}

func (r *run) number(x syntax.ArithmExpr) (int, error) {
	n, err := expand.Arithm(r.config(), x)
	return n, r.expansion(err)
}

func (r *run) arithmetic(x syntax.ArithmExpr) error {
	n, err := r.number(x)
	r.status = oneIf(n == 0)
	return err
}

func (r *run) caseClause(c *syntax.CaseClause) error {
	word, err := r.literal(c.Word)
	if err != nil {
		return err
	}
	r.status = 0
	through := false
	for _, item := range c.Items {
		matched := through
		for _, p := range item.Patterns {
			if matched {
				break
			}
			if matched, err = r.matches(p, word); err != nil {
				return err
			}
		}
		if !matched {
			continue
		}
		if err := r.stmts(item.Stmts); err != nil {
			return err
		}
		if item.Op == syntax.Break {
			return nil
		}
		through = item.Op == syntax.Fallthrough
	}
	return nil
}
