package script

import (
	"errors"
	"regexp"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// errTooLong says that a script was not followed to its end.
var errTooLong = errors.New("more commands than can be followed")

// truth is what is known of a condition.
type truth int

const (
	unknown truth = iota
	yes
	no
)

func (t truth) not() truth { return [...]truth{unknown, no, yes}[t] }

func truthOf(b bool) truth {
	if b {
		return yes
	}
	return no
}

// flow says how a list of commands ended.
type flow int

const (
	next  flow = iota
	leave      // return, break, continue: the function or loop is left
	exit
)

type reader struct {
	ctx    Context
	funcs  map[string]*syntax.FuncDecl
	scope  *scope
	calls  []Call
	steps  int
	depth  int // of function calls
	status truth
}

func (r *reader) step() error {
	if r.steps++; r.steps > maxCalls {
		return errTooLong
	}
	return nil
}

// stmts reads the commands of a list until one certainly ends it.
func (r *reader) stmts(list []*syntax.Stmt) (flow, error) {
	for _, s := range list {
		f, err := r.stmt(s)
		if err != nil {
			return next, err
		}
		if f != next {
			return f, nil // what follows does not run where this does
		}
	}
	return next, nil
}

func (r *reader) stmt(s *syntax.Stmt) (flow, error) {
	if err := r.step(); err != nil {
		return next, err
	}
	if err := r.redirects(s); err != nil {
		return next, err
	}
	f, err := r.command(s.Cmd)
	if s.Negated {
		r.status = r.status.not()
	}
	return f, err
}

// redirects notes the files that a command writes.
func (r *reader) redirects(s *syntax.Stmt) error {
	var input string
	inputKnown := false
	for _, rd := range s.Redirs {
		if rd.Hdoc == nil {
			continue
		}
		text, known, err := r.literal(rd.Hdoc)
		if err != nil {
			return err
		}
		if rd.Op == syntax.DashHdoc {
			text = leadingTabs.ReplaceAllString(text, "")
		}
		input, inputKnown = text, known && isCat(s.Cmd)
	}
	for _, rd := range s.Redirs {
		switch rd.Op {
		case syntax.RdrOut, syntax.AppOut, syntax.RdrClob, syntax.RdrAll, syntax.AppAll, syntax.RdrInOut:
			path, known, err := r.literal(rd.Word)
			if err != nil {
				return err
			}
			if path != "/dev/null" {
				r.note([]string{">", path}, known, rd.Pos().Line())
				if inputKnown {
					r.calls[len(r.calls)-1].Input = input
				}
			}
		}
	}
	return nil
}

var leadingTabs = regexp.MustCompile(`(?m)^\t+`)

// isCat reports whether a command only passes its input on.
func isCat(cmd syntax.Command) bool {
	c, ok := cmd.(*syntax.CallExpr)
	return ok && len(c.Args) == 1 && c.Args[0].Lit() == "cat"
}

func (r *reader) note(args []string, known bool, line uint) {
	r.calls = append(r.calls, Call{Args: args, Known: known, Certain: r.scope.uncertain == 0, Line: line})
}

func (r *reader) command(cmd syntax.Command) (flow, error) {
	r.status = unknown
	switch c := cmd.(type) {
	case nil:
		r.status = yes
		return next, nil
	case *syntax.CallExpr:
		return r.call(c)
	case *syntax.IfClause:
		return r.ifClause(c)
	case *syntax.CaseClause:
		return r.caseClause(c)
	case *syntax.ForClause:
		return r.forClause(c)
	case *syntax.WhileClause:
		return r.whileClause(c)
	case *syntax.Block:
		return r.stmts(c.Stmts)
	case *syntax.Subshell:
		saved := r.scope.clone()
		_, err := r.stmts(c.Stmts)
		r.scope = saved
		r.status = unknown
		return next, err
	case *syntax.BinaryCmd:
		return r.binary(c)
	case *syntax.FuncDecl:
		r.funcs[c.Name.Value] = c
		r.status = yes
		return next, nil
	case *syntax.DeclClause:
		return next, r.assigns(c.Args)
	case *syntax.TestClause:
		t, err := r.bashTest(c.X)
		r.status = t
		return next, err
	case *syntax.TimeClause:
		if c.Stmt != nil {
			return r.stmt(c.Stmt)
		}
		return next, nil
	case *syntax.ArithmCmd, *syntax.LetClause:
		return next, nil
	default:
		r.note([]string{"?"}, false, cmd.Pos().Line())
		return next, nil
	}
}

// branch reads list as something that may or may not run, and returns the
// state after it.
func (r *reader) branch(read func() (flow, error)) (*scope, flow, error) {
	saved := r.scope
	r.scope = saved.clone()
	r.scope.uncertain++
	f, err := read()
	after := r.scope
	r.scope = saved
	return after, f, err
}

// maybe reads something that may or may not run and keeps what is known after
// both.
func (r *reader) maybe(read func() (flow, error)) error {
	after, f, err := r.branch(read)
	if f == next { // else the script does not go on from there
		r.scope.merge(after)
	}
	r.status = unknown
	return err
}

func (r *reader) binary(c *syntax.BinaryCmd) (flow, error) {
	if c.Op == syntax.Pipe || c.Op == syntax.PipeAll {
		saved := r.scope.clone() // both sides are subshells
		_, err := r.stmt(c.X)
		if err == nil {
			// A reader of a pipe, such as "while read x", sees what cannot be known.
			_, err = r.stmt(c.Y)
		}
		r.scope, r.status = saved, unknown
		return next, err
	}
	f, err := r.stmt(c.X)
	if err != nil || f != next {
		return f, err
	}
	wanted := yes
	if c.Op == syntax.OrStmt {
		wanted = no
	}
	switch r.status {
	case wanted:
		return r.stmt(c.Y)
	case unknown:
		return next, r.maybe(func() (flow, error) { return r.stmt(c.Y) })
	}
	return next, nil
}

func (r *reader) ifClause(c *syntax.IfClause) (flow, error) {
	if len(c.Cond) == 0 { // else
		return r.stmts(c.Then)
	}
	if f, err := r.stmts(c.Cond); err != nil || f != next {
		return f, err
	}
	otherwise := func() (flow, error) {
		r.status = yes
		if c.Else == nil {
			return next, nil
		}
		return r.ifClause(c.Else)
	}
	switch r.status {
	case yes:
		return r.stmts(c.Then)
	case no:
		return otherwise()
	}
	return r.either(func() (flow, error) { return r.stmts(c.Then) }, otherwise)
}

// either reads alternatives of which exactly one runs.
func (r *reader) either(reads ...func() (flow, error)) (flow, error) {
	var after []*scope
	least := exit
	for _, read := range reads {
		s, f, err := r.branch(read)
		if err != nil {
			return next, err
		}
		if f == next {
			after = append(after, s)
		}
		least = min(least, f)
	}
	r.status = unknown
	if len(after) == 0 {
		return least, nil
	}
	uncertain := r.scope.uncertain
	r.scope = after[0]
	r.scope.merge(after[1:]...)
	r.scope.uncertain = uncertain
	return next, nil
}

func (r *reader) caseClause(c *syntax.CaseClause) (flow, error) {
	word, known, err := r.literal(c.Word)
	if err != nil {
		return next, err
	}
	var open []func() (flow, error)
	for _, item := range c.Items {
		t := no
		if !known {
			t = unknown
		}
		for _, p := range item.Patterns {
			if known && t != yes {
				m, err := r.matches(p, word)
				if err != nil {
					return next, err
				}
				if m != no {
					t = m
				}
			}
		}
		read := func() (flow, error) { return r.stmts(item.Stmts) }
		switch {
		case t == yes && len(open) == 0:
			return read()
		case t == yes:
			return r.either(append(open, read)...)
		case t == unknown:
			open = append(open, read)
		}
	}
	r.status = yes
	if len(open) == 0 {
		return next, nil
	}
	return r.either(append(open, func() (flow, error) { return next, nil })...)
}

func (r *reader) forClause(c *syntax.ForClause) (flow, error) {
	iter, ok := c.Loop.(*syntax.WordIter)
	if !ok { // for ((...))
		return next, r.loopMaybe(nil, c.Do)
	}
	items, known := r.scope.params, r.scope.paramsKnown
	if iter.InPos.IsValid() {
		var err error
		if items, known, err = r.fields(iter.Items); err != nil {
			return next, err
		}
	}
	if !known {
		return next, r.loopMaybe([]string{iter.Name.Value}, c.Do)
	}
	for _, item := range items {
		r.scope.vars[iter.Name.Value] = value{item, true, true}
		f, err := r.stmts(c.Do)
		if err != nil || f == exit {
			return f, err
		}
	}
	r.status = unknown
	return next, nil
}

// loopMaybe reads a loop's body once, as it would be in any of its rounds: what
// the body assigns is unknown in it and after it.
func (r *reader) loopMaybe(unknowns []string, body []*syntax.Stmt) error {
	for _, s := range body {
		syntax.Walk(s, func(n syntax.Node) bool {
			if a, ok := n.(*syntax.Assign); ok && a.Name != nil {
				unknowns = append(unknowns, a.Name.Value)
			}
			return true
		})
	}
	for _, name := range unknowns {
		r.scope.vars[name] = value{set: true}
	}
	return r.maybe(func() (flow, error) { return r.stmts(body) })
}

func (r *reader) whileClause(c *syntax.WhileClause) (flow, error) {
	var names []string
	for _, s := range append(c.Cond, c.Do...) {
		syntax.Walk(s, func(n syntax.Node) bool {
			switch n := n.(type) {
			case *syntax.Assign:
				if n.Name != nil {
					names = append(names, n.Name.Value)
				}
			case *syntax.CallExpr:
				if len(n.Args) > 0 && n.Args[0].Lit() == "shift" {
					r.scope.paramsKnown = false
				}
			}
			return true
		})
	}
	for _, name := range names {
		r.scope.vars[name] = value{set: true}
	}
	if f, err := r.stmts(c.Cond); err != nil || f != next {
		return f, err
	}
	if !c.Until && r.status == no || c.Until && r.status == yes {
		return next, nil
	}
	return next, r.loopMaybe(names, c.Do)
}

// function reads the body of a function of the script.
func (r *reader) function(f *syntax.FuncDecl, args []string, known bool) (flow, error) {
	const maxDepth = 20
	if r.depth++; r.depth > maxDepth {
		return next, errTooLong
	}
	defer func() { r.depth-- }()
	params, paramsKnown := r.scope.params, r.scope.paramsKnown
	r.scope.params, r.scope.paramsKnown = args, known
	fl, err := r.stmt(f.Body)
	r.scope.params, r.scope.paramsKnown = params, paramsKnown
	if fl == exit {
		return exit, err
	}
	return next, err
}

func (r *reader) assigns(list []*syntax.Assign) error {
	for _, a := range list {
		if a.Name == nil {
			continue // an option of export or local
		}
		if a.Naked && a.Value == nil {
			continue
		}
		v := value{known: a.Array == nil && !a.Append, set: true}
		if a.Value != nil {
			s, known, err := r.literal(a.Value)
			if err != nil {
				return err
			}
			v.s, v.known = s, known && v.known
			if old := r.scope.vars[a.Name.Value]; a.Append && known && old.known {
				v = value{old.s + s, true, true}
			}
		}
		if len(v.s) > maxValue {
			v = value{set: true}
		}
		r.scope.vars[a.Name.Value] = v
	}
	r.status = yes
	return nil
}

// assigned forgets the values of the variables that "read" assigns.
func (r *reader) assigned(names []string) {
	for _, n := range names {
		if !strings.HasPrefix(n, "-") {
			r.scope.vars[n] = value{set: true}
		}
	}
}
