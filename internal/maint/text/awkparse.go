package text

import "slices"

// awkProgram is a program that was read.
type awkProgram struct {
	begin, end []*awkBlock
	rules      []*awkRule
	functions  map[string]*awkFunction
	globals    map[string]int
}

// awkRule is a pattern, or a range of two, with its action; nil prints the record.
type awkRule struct {
	from, to awkExpr
	action   *awkBlock
	active   bool
}

// awkFunction is a function of the program.
type awkFunction struct {
	name   string
	params []string
	body   *awkBlock
}

type awkParser struct {
	awkLexer
	program *awkProgram
	locals  []string // of the function that is read
	calls   []*awkCallExpr
	depth   int

	noIn      bool // "in" ends the expression, as at the start of for
	noGreater bool // ">" ends it, as in print
}

// maxAwkDepth bounds how deep expressions and statements may be nested, and calls.
const maxAwkDepth = 500

// parseAwk reads a program.
func parseAwk(src string) (*awkProgram, error) {
	p := &awkParser{awkLexer: awkLexer{src: src, line: 1}}
	p.program = &awkProgram{functions: map[string]*awkFunction{}, globals: map[string]int{}}
	for i, name := range awkSpecials {
		p.program.globals[name] = i
	}
	if err := p.next(); err != nil {
		return nil, err
	}
	for {
		if err := p.skipEnds(); err != nil {
			return nil, err
		}
		if p.token == awkEnd {
			break
		}
		if err := p.item(); err != nil {
			return nil, err
		}
	}
	for _, c := range p.calls {
		c.function = p.program.functions[c.name]
		if c.function == nil {
			return nil, &awkSyntaxError{c.line, "function " + c.name + " never defined"}
		}
		if len(c.args) > len(c.function.params) {
			return nil, &awkSyntaxError{c.line, "too many arguments in call to " + c.name}
		}
	}
	return p.program, nil
}

// skipEnds skips newlines and semicolons.
func (p *awkParser) skipEnds() error {
	for p.token == awkNewline || p.is(";") {
		if err := p.next(); err != nil {
			return err
		}
	}
	return nil
}

func (p *awkParser) skipNewlines() error {
	for p.token == awkNewline {
		if err := p.next(); err != nil {
			return err
		}
	}
	return nil
}

// is reports whether the token is such a sign or word.
func (p *awkParser) is(texts ...string) bool {
	return (p.token == awkSign || p.token == awkWord) && slices.Contains(texts, p.text)
}

// take moves behind a sign or word if it is there.
func (p *awkParser) take(text string) (bool, error) {
	if !p.is(text) {
		return false, nil
	}
	return true, p.next()
}

func (p *awkParser) expect(text string) error {
	if !p.is(text) {
		return p.errorf("syntax error at or near %s: expected %s", p.text, text)
	}
	return p.next()
}

func (p *awkParser) enter() error {
	if p.depth++; p.depth > maxAwkDepth {
		return p.errorf("nested too deep")
	}
	return nil
}

// item reads a rule or a function.
func (p *awkParser) item() error {
	switch {
	case p.is("function", "func"):
		return p.function()
	case p.is("BEGIN"), p.is("END"):
		list := &p.program.begin
		if p.text == "END" {
			list = &p.program.end
		}
		if err := p.next(); err != nil {
			return err
		}
		body, err := p.block()
		*list = append(*list, body)
		return err
	}
	rule := &awkRule{}
	var err error
	if !p.is("{") {
		if rule.from, err = p.expr(); err != nil {
			return err
		}
		comma, err := p.take(",")
		if err != nil {
			return err
		}
		if comma {
			if err := p.skipNewlines(); err != nil {
				return err
			}
			if rule.to, err = p.expr(); err != nil {
				return err
			}
		}
	}
	if p.is("{") {
		if rule.action, err = p.block(); err != nil {
			return err
		}
	} else if p.token != awkNewline && p.token != awkEnd && !p.is(";") {
		return p.errorf("syntax error at or near %s", p.text)
	}
	p.program.rules = append(p.program.rules, rule)
	return nil
}

func (p *awkParser) function() error {
	if err := p.next(); err != nil {
		return err
	}
	f := &awkFunction{name: p.text}
	if p.token != awkName && p.token != awkCall {
		return p.errorf("syntax error at or near %s: expected the name of a function", p.text)
	}
	if p.program.functions[f.name] != nil {
		return p.errorf("function %s is defined twice", f.name)
	}
	p.program.functions[f.name] = f
	if err := p.next(); err != nil {
		return err
	}
	if err := p.expect("("); err != nil {
		return err
	}
	for !p.is(")") {
		if p.token != awkName {
			return p.errorf("syntax error at or near %s: expected a parameter", p.text)
		}
		f.params = append(f.params, p.text)
		if err := p.next(); err != nil {
			return err
		}
		if !p.is(")") {
			if err := p.expect(","); err != nil {
				return err
			}
			if err := p.skipNewlines(); err != nil {
				return err
			}
		}
	}
	if err := p.next(); err != nil {
		return err
	}
	if err := p.skipNewlines(); err != nil {
		return err
	}
	p.locals = f.params
	body, err := p.block()
	p.locals = nil
	f.body = body
	return err
}

// block reads statements in braces.
func (p *awkParser) block() (*awkBlock, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	if err := p.expect("{"); err != nil {
		return nil, err
	}
	b := &awkBlock{}
	for {
		if err := p.skipEnds(); err != nil {
			return nil, err
		}
		if done, err := p.take("}"); done || err != nil {
			return b, err
		}
		s, err := p.statement()
		if err != nil {
			return nil, err
		}
		b.list = append(b.list, s)
	}
}

// body reads the statement that belongs to if, while and the like.
func (p *awkParser) body() (awkStmt, error) {
	if err := p.skipNewlines(); err != nil {
		return nil, err
	}
	if semicolon, err := p.take(";"); semicolon || err != nil {
		return &awkBlock{}, err
	}
	return p.statement()
}

func (p *awkParser) statement() (awkStmt, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	switch {
	case p.is("{"):
		return p.block()
	case p.is("if"):
		return p.ifStatement()
	case p.is("while"):
		return p.whileStatement()
	case p.is("do"):
		return p.doStatement()
	case p.is("for"):
		return p.forStatement()
	}
	s, err := p.simple()
	if err != nil {
		return nil, err
	}
	return s, p.endOfStatement()
}

// endOfStatement reads what must be behind a simple statement.
func (p *awkParser) endOfStatement() error {
	switch {
	case p.token == awkNewline || p.is(";"):
		return p.next()
	case p.token == awkEnd || p.is("}"):
		return nil
	}
	return p.errorf("syntax error at or near %s", p.text)
}

// condition reads an expression in brackets.
func (p *awkParser) condition() (awkExpr, error) {
	if err := p.next(); err != nil {
		return nil, err
	}
	if err := p.expect("("); err != nil {
		return nil, err
	}
	e, err := p.expr()
	if err != nil {
		return nil, err
	}
	return e, p.expect(")")
}

func (p *awkParser) ifStatement() (awkStmt, error) {
	s := &awkIf{}
	var err error
	if s.cond, err = p.condition(); err != nil {
		return nil, err
	}
	if s.then, err = p.body(); err != nil {
		return nil, err
	}
	// An else may come after newlines, which else end the statement.
	saved := p.awkLexer
	if err := p.skipEnds(); err != nil {
		return nil, err
	}
	if !p.is("else") {
		p.awkLexer = saved
		return s, nil
	}
	if err := p.next(); err != nil {
		return nil, err
	}
	s.otherwise, err = p.body()
	return s, err
}

func (p *awkParser) whileStatement() (awkStmt, error) {
	s := &awkLoop{}
	var err error
	if s.cond, err = p.condition(); err != nil {
		return nil, err
	}
	s.body, err = p.body()
	return s, err
}

func (p *awkParser) doStatement() (awkStmt, error) {
	if err := p.next(); err != nil {
		return nil, err
	}
	s := &awkLoop{after: true}
	var err error
	if s.body, err = p.body(); err != nil {
		return nil, err
	}
	if err := p.skipEnds(); err != nil {
		return nil, err
	}
	if !p.is("while") {
		return nil, p.errorf("syntax error at or near %s: expected while", p.text)
	}
	if s.cond, err = p.condition(); err != nil {
		return nil, err
	}
	return s, p.endOfStatement()
}

// forStatement reads both kinds of for.
func (p *awkParser) forStatement() (awkStmt, error) {
	if err := p.next(); err != nil {
		return nil, err
	}
	if err := p.expect("("); err != nil {
		return nil, err
	}
	s := &awkLoop{}
	var err error
	if !p.is(";") {
		p.noIn = true
		first, err := p.simple()
		p.noIn = false
		if err != nil {
			return nil, err
		}
		if e, ok := first.(*awkExprStmt); ok && p.is("in") {
			return p.forIn(e.expr)
		}
		s.init = first
	}
	if err := p.expect(";"); err != nil {
		return nil, err
	}
	if err := p.skipNewlines(); err != nil {
		return nil, err
	}
	if !p.is(";") {
		if s.cond, err = p.expr(); err != nil {
			return nil, err
		}
	}
	if err := p.expect(";"); err != nil {
		return nil, err
	}
	if err := p.skipNewlines(); err != nil {
		return nil, err
	}
	if !p.is(")") {
		if s.step, err = p.simple(); err != nil {
			return nil, err
		}
	}
	if err := p.expect(")"); err != nil {
		return nil, err
	}
	s.body, err = p.body()
	return s, err
}

func (p *awkParser) forIn(key awkExpr) (awkStmt, error) {
	if err := p.next(); err != nil {
		return nil, err
	}
	variable, ok := key.(*awkVarExpr)
	if !ok || p.token != awkName {
		return nil, p.errorf("syntax error at or near %s: expected an array", p.text)
	}
	s := &awkForIn{key: variable, array: p.variable(p.text)}
	if err := p.next(); err != nil {
		return nil, err
	}
	if err := p.expect(")"); err != nil {
		return nil, err
	}
	var err error
	s.body, err = p.body()
	return s, err
}

// variable returns the reference to a variable by its name.
func (p *awkParser) variable(name string) *awkVarExpr {
	if i := slices.Index(p.locals, name); i >= 0 {
		return &awkVarExpr{local: true, index: i, name: name}
	}
	i, ok := p.program.globals[name]
	if !ok {
		i = len(p.program.globals)
		p.program.globals[name] = i
	}
	return &awkVarExpr{index: i, name: name}
}
