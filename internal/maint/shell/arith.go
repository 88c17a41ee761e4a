package shell

import (
	"math"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// Arithmetic is done on text, as POSIX has it (XCU 2.6.4): the expansions in an
// expression come first, and then it is read, so that x='1+2' makes $((2*$x)) 4.

// number returns the value of an arithmetic expression.
func (r *run) number(x syntax.ArithmExpr) (int64, error) {
	n, err := r.arith(x)
	if j, ok := err.(*jump); ok && j.fault && r.bash {
		return 0, r.bad("an error of arithmetic")
	}
	return n, err
}

func (r *run) arith(x syntax.ArithmExpr) (int64, error) {
	if x == nil {
		return 0, nil
	}
	var b strings.Builder
	if err := r.arithText(&b, x); err != nil {
		return 0, err
	}
	return r.evaluate(b.String())
}

// evaluate returns the value of an expression.
func (r *run) evaluate(text string) (int64, error) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && text[0] != '0' && text[0] != '+' {
		return n, nil
	}
	if err := r.step(); err != nil {
		return 0, err
	}
	if err := r.enter(); err != nil {
		return 0, err
	}
	defer r.leave()
	a := &arithmetic{r: r, text: text}
	n, err := a.comma()
	if err == nil && a.token() != "" {
		err = a.wrong("expecting EOF")
	}
	return n, err
}

// arithText writes an expression as text, its expansions made.
func (r *run) arithText(b *strings.Builder, x syntax.ArithmExpr) error {
	if err := r.enter(); err != nil {
		return err
	}
	defer r.leave()
	if b.Len() > maxScript {
		return &LimitError{"arithmetic expression"}
	}
	switch x := x.(type) {
	case *syntax.Word:
		return r.arithWord(b, x)
	case *syntax.ParenArithm:
		b.WriteByte('(')
		if err := r.arithText(b, x.X); err != nil {
			return err
		}
		b.WriteByte(')')
		return nil
	case *syntax.UnaryArithm:
		if x.Post {
			if err := r.arithText(b, x.X); err != nil {
				return err
			}
			b.WriteString(x.Op.String())
			return nil
		}
		b.WriteString(" " + x.Op.String())
		return r.arithText(b, x.X)
	case *syntax.BinaryArithm:
		if err := r.arithText(b, x.X); err != nil {
			return err
		}
		b.WriteString(" " + x.Op.String() + " ")
		return r.arithText(b, x.Y)
	}
	return Unsupported("this form of arithmetic")
}

func (r *run) arithWord(b *strings.Builder, w *syntax.Word) error {
	if s := w.Lit(); s != "" && !strings.Contains(s, `\`) {
		b.WriteString(s)
		return nil
	}
	for _, p := range w.Parts {
		if pe, ok := p.(*syntax.ParamExp); ok && !pe.Dollar.IsValid() { // a[i]
			if !r.bash {
				return Unsupported("an array in a script for sh")
			}
			v, err := r.parameter(pe)
			if err != nil {
				return err
			}
			b.WriteString("(" + v.text + ")")
			continue
		}
		x := r.expander(false)
		err := x.part(p, inHereDoc, false, noTilde, false, false)
		b.WriteString(x.joined())
		x.free()
		if err != nil {
			return err
		}
	}
	return nil
}

// arithmetic reads and evaluates an expression. What is not to be evaluated, such as
// the right side of "0 && x", is read with skip > 0.
type arithmetic struct {
	r    *run
	text string
	at   int
	next string // the token that was looked at
	skip int
}

func (a *arithmetic) wrong(what string) error {
	return a.r.fault("arithmetic expression: %s: %q", what, a.text)
}

// operators are those of both shells; bash's others follow.
var (
	operators     = []string{"<<=", ">>=", "<<", ">>", "<=", ">=", "==", "!=", "&&", "||", "*=", "/=", "%=", "+=", "-=", "&=", "^=", "|="}
	bashOperators = append([]string{"**", "++", "--"}, operators...)
)

// token returns the next token, "" at the end.
func (a *arithmetic) token() string {
	if a.next != "" {
		return a.next
	}
	for a.at < len(a.text) && strings.IndexByte(" \t\n", a.text[a.at]) >= 0 {
		a.at++
	}
	rest := a.text[a.at:]
	if rest == "" {
		return ""
	}
	n := 0
	if isNameChar(rest[0]) {
		for n < len(rest) && (isNameChar(rest[n]) || n > 0 && a.r.bash && rest[n] == '#' && isDigit(rune(rest[0]))) {
			n++
		}
		if !a.r.bash && isDigit(rune(rest[0])) {
			n = numberLength(rest[:n])
		}
	} else {
		list := operators
		if a.r.bash {
			list = bashOperators
		}
		n = 1
		for _, op := range list {
			if strings.HasPrefix(rest, op) {
				n = len(op)
				break
			}
		}
	}
	a.next = rest[:n]
	return a.next
}

// numberLength returns how much of a text strtol(3) takes for a number.
func numberLength(s string) int {
	digits, n := "0123456789", 0
	if s[0] == '0' {
		digits = "01234567"
		if len(s) > 2 && (s[1] == 'x' || s[1] == 'X') && strings.IndexByte("0123456789abcdefABCDEF", s[2]) >= 0 {
			digits, n = "0123456789abcdefABCDEF", 2
		}
	}
	for n < len(s) && strings.IndexByte(digits, s[n]) >= 0 {
		n++
	}
	return n
}

func isNameChar(c byte) bool { return c == '_' || isAlpha(rune(c)) || isDigit(rune(c)) }

func (a *arithmetic) take() string {
	t := a.token()
	a.at += len(t)
	a.next = ""
	return t
}

func (a *arithmetic) comma() (int64, error) {
	n, err := a.assignment()
	for err == nil && a.r.bash && a.token() == "," {
		a.take()
		n, err = a.assignment()
	}
	return n, err
}

// assignment is "name op= assignment", or a conditional.
func (a *arithmetic) assignment() (int64, error) {
	if err := a.r.enter(); err != nil {
		return 0, err
	}
	defer a.r.leave()
	if err := a.r.work(1); err != nil {
		return 0, err
	}
	name := a.token()
	if !syntax.ValidName(name) {
		return a.conditional()
	}
	back := *a
	a.take()
	op := a.token()
	if op != "=" && (len(op) < 2 || op[len(op)-1] != '=' || strings.Contains(" == != <= >= ", " "+op+" ")) {
		*a = back
		return a.conditional()
	}
	a.take()
	n, err := a.assignment()
	if err != nil || a.skip > 0 {
		return n, err
	}
	if op != "=" {
		old, err := a.variable(name)
		if err != nil {
			return 0, err
		}
		if n, err = a.apply(op[:len(op)-1], old, n); err != nil {
			return 0, err
		}
	}
	return n, a.set(name, n)
}

func (a *arithmetic) set(name string, n int64) error {
	if err := a.r.assign(name, strconv.FormatInt(n, 10)); err != nil {
		return a.r.refuse("", err)
	}
	return nil
}

func (a *arithmetic) conditional() (int64, error) {
	n, err := a.binary(0)
	if err != nil || a.token() != "?" {
		return n, err
	}
	a.take()
	yes, err := a.skipping(n == 0, a.assignment)
	if err != nil {
		return 0, err
	}
	if a.take() != ":" {
		return 0, a.wrong("expecting ':'")
	}
	no, err := a.skipping(n != 0, a.conditionalNested)
	if n != 0 {
		return yes, err
	}
	return no, err
}

func (a *arithmetic) conditionalNested() (int64, error) {
	if err := a.r.enter(); err != nil {
		return 0, err
	}
	defer a.r.leave()
	return a.conditional()
}

func (a *arithmetic) skipping(skip bool, do func() (int64, error)) (int64, error) {
	if skip {
		a.skip++
		defer func() { a.skip-- }()
	}
	return do()
}

// levels are the binary operators, those that bind least first.
var levels = [][]string{
	{"||"}, {"&&"}, {"|"}, {"^"}, {"&"}, {"==", "!="}, {"<", ">", "<=", ">="}, {"<<", ">>"}, {"+", "-"}, {"*", "/", "%"},
}

var precedence = func() map[string]int {
	m := map[string]int{}
	for i, ops := range levels {
		for _, op := range ops {
			m[op] = i + 1
		}
	}
	return m
}()

// binary reads operators that bind at least as much as least.
func (a *arithmetic) binary(least int) (int64, error) {
	x, err := a.power()
	for err == nil {
		op := a.token()
		p := precedence[op]
		if p == 0 || p < least {
			return x, nil
		}
		a.take()
		var y int64
		skip := op == "&&" && x == 0 || op == "||" && x != 0
		y, err = a.skipping(skip, func() (int64, error) { return a.binary(p + 1) })
		if err == nil {
			x, err = a.apply(op, x, y)
		}
	}
	return x, err
}

func (a *arithmetic) power() (int64, error) {
	x, err := a.unary()
	if err != nil || !a.r.bash || a.token() != "**" {
		return x, err
	}
	a.take()
	if err := a.r.enter(); err != nil {
		return 0, err
	}
	defer a.r.leave()
	y, err := a.power()
	if err != nil {
		return 0, err
	}
	if y < 0 {
		return 0, a.wrong("exponent less than 0")
	}
	result := int64(1)
	for ; y > 0; y >>= 1 {
		if y&1 == 1 {
			result *= x
		}
		x *= x
	}
	return result, nil
}

// apply is one binary operator. Values wrap around at 64 bits.
func (a *arithmetic) apply(op string, x, y int64) (int64, error) {
	switch op {
	case "/", "%":
		if a.skip > 0 {
			return 0, nil
		}
		if y == 0 {
			return 0, a.wrong("division by zero")
		}
		if op == "/" {
			return x / y, nil
		}
		return x % y, nil
	case "||":
		return oneIf64(x != 0 || y != 0), nil
	case "&&":
		return oneIf64(x != 0 && y != 0), nil
	case "|":
		return x | y, nil
	case "^":
		return x ^ y, nil
	case "&":
		return x & y, nil
	case "==":
		return oneIf64(x == y), nil
	case "!=":
		return oneIf64(x != y), nil
	case "<":
		return oneIf64(x < y), nil
	case ">":
		return oneIf64(x > y), nil
	case "<=":
		return oneIf64(x <= y), nil
	case ">=":
		return oneIf64(x >= y), nil
	case "<<":
		return x << (uint64(y) & 63), nil
	case ">>":
		return x >> (uint64(y) & 63), nil
	case "+":
		return x + y, nil
	case "-":
		return x - y, nil
	case "*":
		return x * y, nil
	}
	return 0, a.wrong("unknown operator " + op)
}

func oneIf64(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

func (a *arithmetic) unary() (int64, error) {
	if err := a.r.enter(); err != nil {
		return 0, err
	}
	defer a.r.leave()
	switch op := a.token(); op {
	case "!", "~", "-", "+":
		a.take()
		n, err := a.unary()
		switch op {
		case "!":
			n = oneIf64(n == 0)
		case "~":
			n = ^n
		case "-":
			n = -n
		}
		return n, err
	case "++", "--":
		a.take()
		name := a.take()
		if !syntax.ValidName(name) {
			return 0, a.wrong("expecting a name")
		}
		return a.step(name, op, true)
	}
	return a.primary()
}

// step is "++" and "--".
func (a *arithmetic) step(name, op string, before bool) (int64, error) {
	old, err := a.variable(name)
	if err != nil || a.skip > 0 {
		return old, err
	}
	n := old + 1
	if op == "--" {
		n = old - 1
	}
	if err := a.set(name, n); err != nil {
		return 0, err
	}
	if before {
		return n, nil
	}
	return old, nil
}

func (a *arithmetic) primary() (int64, error) {
	t := a.take()
	switch {
	case t == "(":
		n, err := a.comma()
		if err == nil && a.take() != ")" {
			err = a.wrong("expecting ')'")
		}
		return n, err
	case t == "" && a.r.bash && strings.TrimSpace(a.text) == "":
		return 0, nil
	case t == "" || !isNameChar(t[0]):
		return 0, a.wrong("expecting primary")
	case isDigit(rune(t[0])):
		n, ok := parseNumber(t, a.r.bash)
		if !ok {
			return 0, a.wrong("value too great for base")
		}
		return n, nil
	}
	if op := a.token(); op == "++" || op == "--" {
		a.take()
		return a.step(t, op, false)
	}
	return a.variable(t)
}

// parseNumber reads a number as strtol(3) does with base 0; bash has "base#digits"
// too.
func parseNumber(t string, bash bool) (int64, bool) {
	base, digits := 10, t
	if i := strings.IndexByte(t, '#'); i >= 0 && bash {
		b, err := strconv.Atoi(t[:i])
		if err != nil || b < 2 || b > 36 {
			return 0, false
		}
		base, digits = b, t[i+1:]
	} else if t[0] == '0' && len(t) > 1 {
		base, digits = 8, t[1:]
		if t[1] == 'x' || t[1] == 'X' {
			base, digits = 16, t[2:]
		}
	}
	n, err := strconv.ParseUint(digits, base, 64)
	if ne, ok := err.(*strconv.NumError); ok && ne.Err == strconv.ErrRange && !bash {
		return math.MaxInt64, true
	}
	if n > math.MaxInt64 && !bash {
		n = math.MaxInt64
	}
	return int64(n), err == nil
}

// variable returns the value of a variable: a number, and in bash an expression.
func (a *arithmetic) variable(name string) (int64, error) {
	if a.skip > 0 {
		return 0, nil
	}
	s, set, ok := "", false, false
	if a.r.bash {
		if machineVariables[name] && a.r.find(name) == nil {
			return 0, Unsupported("the variable %s", name)
		}
		s, set, ok = a.r.bashVariable(name)
	}
	if v := a.r.find(name); !ok && v != nil {
		s, set = v.value, v.set
	}
	if a.r.bash {
		if !set && a.r.opts.nounset {
			return 0, a.r.unsetParameter(name)
		}
		if s == "" {
			return 0, nil
		}
		return a.r.evaluate(s)
	}
	n, ok := strtol(s)
	if !ok {
		return 0, a.r.fault("Illegal number: %s", s)
	}
	return n, nil
}

// strtol reads the whole of a text as a number in any of C's notations; no text is 0.
func strtol(s string) (int64, bool) {
	s = strings.Trim(s, " \t\n\v\f\r")
	negative := strings.HasPrefix(s, "-")
	if negative || strings.HasPrefix(s, "+") {
		s = s[1:]
	} else if s == "" {
		return 0, true
	}
	if s == "" || !isDigit(rune(s[0])) || numberLength(s) != len(s) {
		return 0, false
	}
	n, ok := parseNumber(s, false)
	if negative {
		n = -n
	}
	return n, ok
}
