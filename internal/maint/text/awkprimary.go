package text

// primary reads a value.
func (p *awkParser) primary() (awkExpr, error) {
	switch p.token {
	case awkNumber:
		e := &awkConst{awkNum(p.num)}
		return e, p.next()
	case awkString:
		e := &awkConst{awkStr(p.text)}
		return e, p.next()
	case awkName:
		return p.name()
	case awkCall:
		return p.call()
	case awkBuiltin:
		return p.builtin()
	}
	switch {
	case p.is("/", "/="):
		if err := p.regex(); err != nil {
			return nil, err
		}
		e := &awkRegexExpr{p.text}
		return e, p.next()
	case p.is("$"):
		return p.field()
	case p.is("++", "--"):
		op := p.text[0]
		if err := p.next(); err != nil {
			return nil, err
		}
		e, err := p.primary()
		if err != nil {
			return nil, err
		}
		to, ok := e.(awkPlace)
		if !ok {
			return nil, p.errorf("syntax error at or near %s", p.text)
		}
		return &awkIncrement{to, op, true}, nil
	case p.is("("):
		return p.brackets()
	case p.is("getline"):
		return p.getline()
	case p.is("-", "+", "!"):
		return p.unary()
	}
	return nil, p.errorf("syntax error at or near %s", p.text)
}

func (p *awkParser) name() (awkExpr, error) {
	v := p.variable(p.text)
	if err := p.next(); err != nil {
		return nil, err
	}
	if !p.is("[") {
		return v, nil
	}
	index, err := p.index()
	return &awkElement{v, index}, err
}

func (p *awkParser) call() (awkExpr, error) {
	c := &awkCallExpr{name: p.text, line: p.line}
	if err := p.next(); err != nil {
		return nil, err
	}
	var err error
	c.args, err = p.bracketed()
	p.calls = append(p.calls, c)
	return c, err
}

func (p *awkParser) builtin() (awkExpr, error) {
	c := &awkBuiltinCall{name: p.text, do: awkFunctions[p.text]}
	if err := p.next(); err != nil {
		return nil, err
	}
	if !p.is("(") {
		if c.name != "length" {
			return nil, p.errorf("syntax error at or near %s: expected (", p.text)
		}
		return c, nil
	}
	var err error
	if c.args, err = p.bracketed(); err != nil {
		return nil, err
	}
	if a := awkArity[c.name]; len(c.args) < a[0] || len(c.args) > a[1] {
		return nil, p.errorf("wrong number of arguments in call to %s", c.name)
	}
	return c, nil
}

// field reads $ and what it applies to.
func (p *awkParser) field() (awkExpr, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	if err := p.next(); err != nil {
		return nil, err
	}
	if p.is("-", "+", "!") {
		e, err := p.unary()
		return &awkField{e}, err
	}
	e, err := p.primary()
	return &awkField{e}, err
}

// brackets reads an expression in brackets, or the list before "in".
func (p *awkParser) brackets() (awkExpr, error) {
	list, err := p.bracketed()
	if err != nil {
		return nil, err
	}
	switch {
	case len(list) == 1:
		return &awkGroup{list[0]}, nil
	case len(list) == 0 || !p.is("in"):
		return nil, p.errorf("syntax error at or near %s", p.text)
	}
	if err := p.next(); err != nil {
		return nil, err
	}
	if p.token != awkName {
		return nil, p.errorf("syntax error at or near %s: expected an array", p.text)
	}
	e := &awkIn{list, p.variable(p.text)}
	return e, p.next()
}

// getline reads getline [place] [< file].
func (p *awkParser) getline() (awkExpr, error) {
	if err := p.next(); err != nil {
		return nil, err
	}
	to, err := p.optionalPlace()
	if err != nil {
		return nil, err
	}
	g := &awkGetline{to: to}
	less, err := p.take("<")
	if err != nil || !less {
		return g, err
	}
	g.from, err = p.postfix()
	return g, err
}

// optionalPlace reads what getline reads into, nil where that is the record.
func (p *awkParser) optionalPlace() (awkPlace, error) {
	if p.token != awkName && !p.is("$") {
		return nil, nil
	}
	e, err := p.primary()
	if err != nil {
		return nil, err
	}
	to, ok := e.(awkPlace)
	if !ok {
		return nil, p.errorf("syntax error at or near %s", p.text)
	}
	return to, nil
}
