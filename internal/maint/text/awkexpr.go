package text

import "slices"

// simple reads a statement without a body.
func (p *awkParser) simple() (awkStmt, error) {
	if p.token != awkWord {
		e, err := p.expr()
		return &awkExprStmt{e}, err
	}
	word := p.text
	switch word {
	case "print", "printf":
		return p.print()
	case "getline":
		e, err := p.expr()
		return &awkExprStmt{e}, err
	}
	if err := p.next(); err != nil {
		return nil, err
	}
	switch word {
	case "break", "continue", "next", "nextfile":
		return &awkJump{word: word}, nil
	case "exit", "return":
		s := &awkJump{word: word}
		if p.token == awkNewline || p.token == awkEnd || p.is(";", "}") {
			return s, nil
		}
		var err error
		s.value, err = p.expr()
		return s, err
	case "delete":
		if p.token != awkName {
			return nil, p.errorf("syntax error at or near %s: expected an array", p.text)
		}
		s := &awkDelete{array: p.variable(p.text)}
		if err := p.next(); err != nil {
			return nil, err
		}
		if !p.is("[") {
			return s, nil
		}
		var err error
		s.index, err = p.index()
		return s, err
	}
	return nil, p.errorf("syntax error at or near %s", word)
}

// print reads print or printf, with its redirection.
func (p *awkParser) print() (awkStmt, error) {
	s := &awkPrint{format: p.text == "printf"}
	if err := p.next(); err != nil {
		return nil, err
	}
	var err error
	p.noGreater = true
	if p.is("(") {
		// Either all arguments are in the brackets, or only the first one begins so.
		saved := *p
		saved.calls = slices.Clone(p.calls)
		if s.args, err = p.bracketed(); err != nil || !p.endsPrint() {
			*p = saved
			s.args, err = p.list()
		}
	} else if !p.endsPrint() {
		s.args, err = p.list()
	}
	p.noGreater = false
	if err != nil {
		return nil, err
	}
	if p.is(">", ">>", "|") {
		s.redirect = p.text
		if err := p.next(); err != nil {
			return nil, err
		}
		s.to, err = p.concatenation()
	}
	return s, err
}

func (p *awkParser) endsPrint() bool {
	return p.token == awkNewline || p.token == awkEnd || p.is(";", "}", ">", ">>", "|")
}

// bracketed reads a list in brackets.
func (p *awkParser) bracketed() ([]awkExpr, error) {
	greater, in := p.noGreater, p.noIn
	p.noGreater, p.noIn = false, false
	defer func() { p.noGreater, p.noIn = greater, in }()
	if err := p.expect("("); err != nil {
		return nil, err
	}
	if err := p.skipNewlines(); err != nil {
		return nil, err
	}
	if done, err := p.take(")"); done || err != nil {
		return nil, err
	}
	list, err := p.list()
	if err != nil {
		return nil, err
	}
	return list, p.expect(")")
}

func (p *awkParser) list() ([]awkExpr, error) {
	var list []awkExpr
	for {
		e, err := p.expr()
		if err != nil {
			return nil, err
		}
		list = append(list, e)
		if err := p.skipNewlinesBefore(")"); err != nil {
			return nil, err
		}
		if more, err := p.take(","); err != nil || !more {
			return list, err
		}
		if err := p.skipNewlines(); err != nil {
			return nil, err
		}
	}
}

// skipNewlinesBefore skips newlines if a sign comes behind them.
func (p *awkParser) skipNewlinesBefore(sign string) error {
	saved := p.awkLexer
	err := p.skipNewlines()
	if err != nil || !p.is(sign) {
		p.awkLexer = saved
	}
	return nil
}

// index reads the index of an array.
func (p *awkParser) index() ([]awkExpr, error) {
	greater, in := p.noGreater, p.noIn
	p.noGreater, p.noIn = false, false
	defer func() { p.noGreater, p.noIn = greater, in }()
	if err := p.expect("["); err != nil {
		return nil, err
	}
	list, err := p.list()
	if err != nil {
		return nil, err
	}
	return list, p.expect("]")
}

// expr reads an expression: assignments and what binds closer (XCU awk, table
// "expressions in decreasing precedence").
func (p *awkParser) expr() (awkExpr, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	left, err := p.ternary()
	if err != nil || !p.is("=", "+=", "-=", "*=", "/=", "%=", "^=") {
		return left, err
	}
	to, ok := left.(awkPlace)
	if !ok {
		return left, p.errorf("syntax error at or near %s: nothing that can be assigned to", p.text)
	}
	op := p.text[0]
	if err := p.next(); err != nil {
		return nil, err
	}
	if err := p.skipNewlines(); err != nil {
		return nil, err
	}
	value, err := p.expr()
	return &awkAssign{to, op, value}, err
}

func (p *awkParser) ternary() (awkExpr, error) {
	cond, err := p.binary(0)
	if err != nil || !p.is("?") {
		return cond, err
	}
	if err := p.next(); err != nil {
		return nil, err
	}
	if err := p.skipNewlines(); err != nil {
		return nil, err
	}
	yes, err := p.expr()
	if err != nil {
		return nil, err
	}
	if err := p.skipNewlines(); err != nil {
		return nil, err
	}
	if err := p.expect(":"); err != nil {
		return nil, err
	}
	if err := p.skipNewlines(); err != nil {
		return nil, err
	}
	no, err := p.expr()
	return &awkTernary{cond, yes, no}, err
}

// awkLevels are the operators between two expressions that are not arithmetic,
// those that bind least first.
var awkLevels = [][]string{{"||"}, {"&&"}, {"in"}, {"~", "!~"}, {"<", "<=", "!=", "==", ">", ">="}}

// binary reads operators of a level and of those that bind closer.
func (p *awkParser) binary(level int) (awkExpr, error) {
	if level == len(awkLevels) {
		e, err := p.concatenation()
		if err != nil {
			return nil, err
		}
		return p.pipes(e)
	}
	left, err := p.binary(level + 1)
	for err == nil && p.is(awkLevels[level]...) {
		op := p.text
		if op == ">" && p.noGreater || op == "in" && p.noIn {
			break
		}
		if err := p.next(); err != nil {
			return nil, err
		}
		if op == "in" {
			if p.token != awkName {
				return nil, p.errorf("syntax error at or near %s: expected an array", p.text)
			}
			left = &awkIn{[]awkExpr{left}, p.variable(p.text)}
			err = p.next()
			continue
		}
		if op == "&&" || op == "||" {
			if err := p.skipNewlines(); err != nil {
				return nil, err
			}
		}
		var right awkExpr
		right, err = p.binary(level + 1)
		left = &awkBinary{op, left, right}
		if level == len(awkLevels)-1 {
			break // a < b < c is none
		}
	}
	return left, err
}

// pipes reads what gets the output of a command: "cmd" | getline.
func (p *awkParser) pipes(left awkExpr) (awkExpr, error) {
	for p.is("|") {
		saved := p.awkLexer
		if err := p.next(); err != nil {
			return nil, err
		}
		if !p.is("getline") {
			p.awkLexer = saved
			return left, nil
		}
		if err := p.next(); err != nil {
			return nil, err
		}
		to, err := p.optionalPlace()
		if err != nil {
			return nil, err
		}
		left = &awkGetline{from: left, pipe: true, to: to}
	}
	return left, nil
}

// concatenation reads values that are put together, by nothing between them.
func (p *awkParser) concatenation() (awkExpr, error) {
	left, err := p.arithmetic(0)
	for err == nil && p.startsValue() {
		var right awkExpr
		right, err = p.arithmetic(0)
		left = &awkBinary{" ", left, right}
	}
	return left, err
}

func (p *awkParser) startsValue() bool {
	switch p.token {
	case awkNumber, awkString, awkName, awkCall, awkBuiltin:
		return true
	}
	return p.is("$", "!", "(", "-", "+", "++", "--")
}

var awkArithmetic = [][]string{{"+", "-"}, {"*", "/", "%"}}

func (p *awkParser) arithmetic(level int) (awkExpr, error) {
	if level == len(awkArithmetic) {
		return p.unary()
	}
	left, err := p.arithmetic(level + 1)
	for err == nil && p.is(awkArithmetic[level]...) {
		op := p.text
		if err := p.next(); err != nil {
			return nil, err
		}
		var right awkExpr
		right, err = p.arithmetic(level + 1)
		left = &awkBinary{op, left, right}
	}
	return left, err
}

func (p *awkParser) unary() (awkExpr, error) {
	if !p.is("!", "-", "+") {
		return p.power()
	}
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	op := p.text
	if err := p.next(); err != nil {
		return nil, err
	}
	e, err := p.unary()
	return &awkUnary{op[0], e}, err
}

func (p *awkParser) power() (awkExpr, error) {
	left, err := p.postfix()
	if err != nil || !p.is("^") {
		return left, err
	}
	if err := p.next(); err != nil {
		return nil, err
	}
	right, err := p.unary() // binds to the right
	return &awkBinary{"^", left, right}, err
}

func (p *awkParser) postfix() (awkExpr, error) {
	e, err := p.primary()
	if to, ok := e.(awkPlace); ok && err == nil && p.is("++", "--") {
		op := p.text[0]
		return &awkIncrement{to, op, false}, p.next()
	}
	return e, err
}
