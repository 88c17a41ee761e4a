package shell

import "mvdan.cc/sh/v3/syntax"

// binary runs a list of "&&" and "||", or a pipe, whose elements the parser put into
// one another.
func (r *run) binary(c *syntax.BinaryCmd) error {
	if c.Op == syntax.Pipe || c.Op == syntax.PipeAll {
		return r.pipe(c)
	}
	var rest []*syntax.BinaryCmd
	first := c.X
	for rest = append(rest, c); ; rest = append(rest, c) {
		next, ok := first.Cmd.(*syntax.BinaryCmd)
		if !ok || next.Op != syntax.AndStmt && next.Op != syntax.OrStmt || first.Negated || first.Background || len(first.Redirs) > 0 {
			break
		}
		c, first = next, next.X
	}
	tested := r.tested
	r.tested = true
	err := r.stmt(first)
	for i := len(rest) - 1; err == nil && i >= 0; i-- {
		if (r.status == 0) != (rest[i].Op == syntax.AndStmt) {
			continue
		}
		r.tested = tested || i > 0
		err = r.stmt(rest[i].Y)
	}
	r.tested = tested
	return err
}

// pipe runs a pipe. Each side runs to its end before the next, so that nothing
// depends on who is faster.
func (r *run) pipe(c *syntax.BinaryCmd) error {
	stages := []*syntax.BinaryCmd{c}
	first := c.X
	for {
		next, ok := first.Cmd.(*syntax.BinaryCmd)
		if !ok || next.Op != syntax.Pipe && next.Op != syntax.PipeAll || first.Negated || len(first.Redirs) > 0 {
			break
		}
		stages, first = append(stages, next), next.X
	}
	failed := 0
	var in *output
	free := func() {
		if in != nil {
			in.free()
		}
	}
	defer func() { free() }()
	for i := len(stages); i >= 0; i-- {
		s := first
		if i < len(stages) {
			s = stages[i].Y
		}
		var out *output
		err := r.inSubshell(func(sub *run) error {
			if in != nil {
				sub.setFD(0, stream{r: reader(in.bytes())})
			}
			if i > 0 {
				out = &output{budget: &r.shell.budget, counts: true}
				sub.setFD(1, stream{w: out})
				if stages[i-1].Op == syntax.PipeAll {
					sub.setFD(2, stream{w: out})
				}
			}
			return sub.stmt(s)
		})
		free()
		if in = out; err != nil {
			return err
		}
		if r.status != 0 {
			failed = r.status
		}
	}
	if r.opts.pipefail {
		r.status = failed
	}
	return nil
}

func (r *run) condition(list []*syntax.Stmt) (bool, error) {
	tested := r.tested
	r.tested = true
	err := r.stmts(list)
	r.tested = tested
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

// left deals with an error that a part of a loop returned: done says that the loop
// ends, with that error.
func (r *run) left(err error) (done bool, _ error) {
	j, ok := err.(*jump)
	if !ok || j.kind > jumpContinue {
		return err != nil, err
	}
	r.status = 0
	if j.n > 1 && r.loops > 0 {
		return true, &jump{kind: j.kind, n: j.n - 1}
	}
	return j.kind == jumpBreak, nil
}

// round runs the body of a loop once.
func (r *run) round(body []*syntax.Stmt) (done bool, err error) {
	if err := r.step(); err != nil {
		return true, err
	}
	r.loops++
	err = r.stmts(body)
	r.loops--
	return r.left(err)
}

func (r *run) while(c *syntax.WhileClause) error {
	status := 0
	for {
		r.loops++
		yes, err := r.condition(c.Cond)
		r.loops--
		if err != nil {
			if done, err := r.left(err); done {
				return err
			}
			continue
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
	if c.Select {
		return Unsupported("select")
	}
	switch loop := c.Loop.(type) {
	case *syntax.WordIter:
		return r.forWords(loop, c.Do)
	case *syntax.CStyleLoop:
		if r.bash {
			return r.cStyle(loop, c.Do)
		}
	}
	return Unsupported("this form of loop")
}

func (r *run) forWords(loop *syntax.WordIter, body []*syntax.Stmt) error {
	items := r.params
	if loop.InPos.IsValid() {
		list, release, err := r.fieldsOf(loop.Items)
		if err != nil {
			return err
		}
		defer release()
		items = list
	}
	if len(items) == 0 {
		r.status = 0
	}
	for _, item := range items {
		if err := r.assign(loop.Name.Value, item); err != nil {
			return r.refuse("", err)
		}
		if done, err := r.round(body); err != nil || done {
			return err
		}
	}
	return nil
}

func (r *run) cStyle(loop *syntax.CStyleLoop, body []*syntax.Stmt) error {
	if _, err := r.number(loop.Init); err != nil {
		return err
	}
	r.status = 0
	for {
		if loop.Cond != nil {
			if n, err := r.number(loop.Cond); err != nil || n == 0 {
				return err
			}
		}
		if done, err := r.round(body); err != nil || done {
			return err
		}
		if _, err := r.number(loop.Post); err != nil {
			return err
		}
	}
}

func (r *run) caseClause(c *syntax.CaseClause) error {
	word, err := r.literal(c.Word)
	if err != nil {
		return err
	}
	through := false
	for _, item := range c.Items {
		matched := through
		for _, p := range item.Patterns {
			if matched {
				break
			}
			pattern, err := r.patternOf(p)
			if err != nil {
				return err
			}
			if matched, err = r.match(pattern, word); err != nil {
				return err
			}
		}
		if !matched {
			continue
		}
		if item.Op != syntax.Break && !r.bash {
			return Unsupported("%s in a script for sh", item.Op)
		}
		if len(item.Stmts) == 0 {
			r.status = 0
		}
		if err := r.stmts(item.Stmts); err != nil {
			return err
		}
		if item.Op == syntax.Break {
			return nil
		}
		if through = item.Op == syntax.Fallthrough; item.Op == syntax.Resume {
			continue
		}
	}
	if !through {
		r.status = 0
	}
	return nil
}
