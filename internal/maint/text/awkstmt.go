package text

import "slices"

// awkStmt is a statement.
type awkStmt interface{ exec(a *awk) }

type (
	awkBlock    struct{ list []awkStmt }
	awkExprStmt struct{ expr awkExpr }
	awkIf       struct {
		cond            awkExpr
		then, otherwise awkStmt
	}
	// awkLoop is while, do and for.
	awkLoop struct {
		init, step awkStmt
		cond       awkExpr // nil is true
		body       awkStmt
		after      bool // the condition comes after the body
	}
	awkForIn struct {
		key, array *awkVarExpr
		body       awkStmt
	}
	awkJump struct {
		word  string
		value awkExpr
	}
	awkDelete struct {
		array *awkVarExpr
		index []awkExpr
	}
	awkPrint struct {
		format   bool
		args     []awkExpr
		redirect string // >, >>, | or nothing
		to       awkExpr
	}
)

// awkFlow says where the program goes on.
type awkFlow int

const (
	flowOn awkFlow = iota
	flowBreak
	flowContinue
	flowNext
	flowNextFile
	flowExit
	flowReturn
)

var awkFlows = map[string]awkFlow{
	"break": flowBreak, "continue": flowContinue, "next": flowNext, "nextfile": flowNextFile, "exit": flowExit, "return": flowReturn,
}

// exec runs a statement, nil for none.
func (a *awk) exec(s awkStmt) {
	if s != nil {
		a.step()
		s.exec(a)
	}
}

func (s *awkBlock) exec(a *awk) {
	for _, stmt := range s.list {
		if a.exec(stmt); a.flow != flowOn {
			return
		}
	}
}

func (s *awkExprStmt) exec(a *awk) { s.expr.eval(a) }

func (s *awkIf) exec(a *awk) {
	if s.cond.eval(a).truth() {
		a.exec(s.then)
	} else {
		a.exec(s.otherwise)
	}
}

func (s *awkLoop) exec(a *awk) {
	a.exec(s.init)
	for first := true; ; first = false {
		if !(first && s.after) && s.cond != nil && !s.cond.eval(a).truth() {
			return
		}
		a.step()
		if a.exec(s.body); a.endsLoop() {
			return
		}
		a.exec(s.step)
	}
}

// endsLoop takes break and continue for the loop that just ran its body.
func (a *awk) endsLoop() bool {
	switch a.flow {
	case flowContinue:
		a.flow = flowOn
	case flowBreak:
		a.flow = flowOn
		return true
	}
	return a.flow != flowOn
}

func (s *awkForIn) exec(a *awk) {
	array := s.array.variable(a).elements(a)
	for _, c := range slices.Clone(array.order) {
		if c.gone {
			continue
		}
		s.key.assign(a, awkFromIn(c.key))
		if a.exec(s.body); a.endsLoop() {
			return
		}
	}
}

func (s *awkJump) exec(a *awk) {
	switch s.word {
	case "return":
		a.result = awkValue{}
		if s.value != nil {
			a.result = s.value.eval(a)
		}
	case "exit":
		if s.value != nil {
			a.status = int(s.value.eval(a).num()) & 0xff
		}
	}
	a.flow = awkFlows[s.word]
}

func (s *awkDelete) exec(a *awk) {
	array := s.array.variable(a).elements(a)
	if s.index == nil {
		array.clear()
		return
	}
	array.delete(a.key(s.index))
}

func (s *awkPrint) exec(a *awk) {
	text := s.text(a)
	if s.redirect == "" {
		a.write(a.out, text)
		return
	}
	a.write(a.output(s.redirect, s.to.eval(a).str(a.convfmt())), text)
}

func (s *awkPrint) text(a *awk) string {
	values := make([]awkValue, len(s.args))
	for i, e := range s.args {
		values[i] = e.eval(a)
	}
	if s.format {
		if len(values) == 0 {
			a.fail("printf without a format")
		}
		return a.sprintf(values[0].str(a.convfmt()), values[1:])
	}
	if len(values) == 0 {
		values = []awkValue{a.field(0)}
	}
	text := ""
	for i, v := range values {
		if i > 0 {
			text += a.special(specialOFS)
		}
		text += v.str(a.special(specialOFMT))
	}
	return text + a.special(specialORS)
}
