package text

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

// awkExpr is an expression; awkPlace one that can be assigned to.
type (
	awkExpr  interface{ eval(a *awk) awkValue }
	awkPlace interface {
		awkExpr
		assign(a *awk, v awkValue)
	}
)

type (
	awkConst     struct{ value awkValue }
	awkRegexExpr struct{ text string }
	awkGroup     struct{ expr awkExpr }
	awkVarExpr   struct {
		local bool
		index int
		name  string
	}
	awkElement struct {
		array *awkVarExpr
		index []awkExpr
	}
	awkField  struct{ index awkExpr }
	awkAssign struct {
		to    awkPlace
		op    byte // '=' or the operator before it
		value awkExpr
	}
	awkIncrement struct {
		to    awkPlace
		op    byte
		first bool
	}
	awkUnary struct {
		op   byte
		expr awkExpr
	}
	awkBinary struct {
		op          string // " " puts together
		left, right awkExpr
	}
	awkTernary struct{ cond, yes, no awkExpr }
	awkIn      struct {
		index []awkExpr
		array *awkVarExpr
	}
	awkCallExpr struct {
		name     string
		line     int
		args     []awkExpr
		function *awkFunction
	}
	awkBuiltinCall struct {
		name string
		args []awkExpr
		do   awkFunc
	}
	awkGetline struct {
		from awkExpr // a file or a command; nil for the input
		pipe bool
		to   awkPlace // nil for the record
	}
)

func (e *awkConst) eval(*awk) awkValue { return e.value }

func (e *awkRegexExpr) eval(a *awk) awkValue {
	return awkTruth(a.matches(a.field(0).str(a.convfmt()), e.text))
}

func (e *awkGroup) eval(a *awk) awkValue { return e.expr.eval(a) }

// awkVariable is a variable: a value, or an array. One that was passed to a function
// before it was either becomes what the function makes of it.
type awkVariable struct {
	value awkValue
	array *awkArray
	from  *awkVariable
}

// elementSize is what an element of an array costs, beside its key, bytes.
const elementSize = 300

// awkArray keeps the order in which elements were made.
type awkArray struct {
	cells map[string]*awkCell
	order []*awkCell // with those that were deleted since
}

// awkCell is an element of an array.
type awkCell struct {
	key   string
	value awkValue
	gone  bool
}

func newAwkArray() *awkArray { return &awkArray{cells: map[string]*awkCell{}} }

func (x *awkArray) has(key string) bool { return x.cells[key] != nil }

func (x *awkArray) get(key string) *awkValue {
	c := x.cells[key]
	if c == nil {
		c = &awkCell{key: key}
		x.cells[key] = c
		x.order = append(x.order, c)
	}
	return &c.value
}

func (x *awkArray) delete(key string) {
	c := x.cells[key]
	if c == nil {
		return
	}
	c.gone = true
	delete(x.cells, key)
	if len(x.order) > 2*len(x.cells)+16 {
		x.order = slices.DeleteFunc(slices.Clone(x.order), func(c *awkCell) bool { return c.gone })
	}
}

func (x *awkArray) clear() {
	for _, c := range x.order {
		c.gone = true
	}
	x.cells, x.order = map[string]*awkCell{}, nil
}

func (v *awkVariable) elements(a *awk) *awkArray {
	if v.array == nil {
		if v.value.kind != kindNone {
			a.fail("a variable is used as an array")
		}
		if v.from != nil {
			v.array = v.from.elements(a)
		} else {
			v.array = newAwkArray()
		}
	}
	return v.array
}

func (e *awkVarExpr) variable(a *awk) *awkVariable {
	if e.local {
		return a.frame[e.index]
	}
	return a.globals[e.index]
}

func (e *awkVarExpr) eval(a *awk) awkValue {
	if !e.local && e.index == specialNF {
		a.splitRecord()
	}
	v := e.variable(a)
	if v.array != nil {
		a.fail("the array " + e.name + " is used as a variable")
	}
	return v.value
}

func (e *awkVarExpr) assign(a *awk, v awkValue) {
	variable := e.variable(a)
	if variable.array != nil {
		a.fail("the array " + e.name + " is used as a variable")
	}
	if !e.local && e.index < len(awkSpecials) {
		a.setSpecial(e.index, v)
		return
	}
	variable.value = v
}

// key returns the index of an array as one string.
func (a *awk) key(index []awkExpr) string {
	parts := make([]string, len(index))
	for i, e := range index {
		parts[i] = e.eval(a).str(a.convfmt())
	}
	return strings.Join(parts, a.special(specialSUBSEP))
}

func (e *awkElement) eval(a *awk) awkValue {
	return *e.element(a)
}

func (e *awkElement) assign(a *awk, v awkValue) {
	*e.element(a) = v
}

// element returns the element, which is made where it is missing.
func (e *awkElement) element(a *awk) *awkValue {
	array, key := e.array.variable(a).elements(a), a.key(e.index)
	if !array.has(key) {
		a.room(len(key) + elementSize)
	}
	return array.get(key)
}

func (e *awkField) number(a *awk) int {
	n := e.index.eval(a).num()
	if n < 0 || n > 1e6 {
		a.fail(fmt.Sprintf("attempt to access field %.0f", n))
	}
	return int(n)
}

func (e *awkField) eval(a *awk) awkValue       { return a.field(e.number(a)) }
func (e *awkField) assign(a *awk, v awkValue)  { a.setField(e.number(a), v) }
func (e *awkIn) eval(a *awk) awkValue          { return awkTruth(e.has(a)) }
func (e *awkBuiltinCall) eval(a *awk) awkValue { return e.do(a, e.args) }
func (e *awkGetline) eval(a *awk) awkValue     { return a.getline(e) }
func (e *awkCallExpr) eval(a *awk) awkValue    { return a.call(e) }
func (e *awkTernary) eval(a *awk) (out awkValue) {
	if e.cond.eval(a).truth() {
		return e.yes.eval(a)
	}
	return e.no.eval(a)
}

func (e *awkIn) has(a *awk) bool {
	return e.array.variable(a).elements(a).has(a.key(e.index))
}

func (e *awkAssign) eval(a *awk) awkValue {
	v := e.value.eval(a)
	if e.op != '=' {
		v = awkNum(a.arithmetic(e.op, e.to.eval(a).num(), v.num()))
	}
	e.to.assign(a, v)
	return v
}

func (e *awkIncrement) eval(a *awk) awkValue {
	was := e.to.eval(a).num()
	is := was + 1
	if e.op == '-' {
		is = was - 1
	}
	e.to.assign(a, awkNum(is))
	if e.first {
		return awkNum(is)
	}
	return awkNum(was)
}

func (e *awkUnary) eval(a *awk) awkValue {
	v := e.expr.eval(a)
	switch e.op {
	case '!':
		return awkTruth(!v.truth())
	case '-':
		return awkNum(-v.num())
	}
	return awkNum(v.num())
}

func (e *awkBinary) eval(a *awk) awkValue {
	left := e.left.eval(a)
	switch e.op {
	case "&&":
		return awkTruth(left.truth() && e.right.eval(a).truth())
	case "||":
		return awkTruth(left.truth() || e.right.eval(a).truth())
	case "~", "!~":
		return awkTruth(a.matches(left.str(a.convfmt()), a.pattern(e.right)) == (e.op == "~"))
	}
	right := e.right.eval(a)
	switch e.op {
	case " ":
		s := left.str(a.convfmt()) + right.str(a.convfmt())
		a.room(len(s))
		return awkStr(s)
	case "<", "<=", "==", "!=", ">", ">=":
		return awkTruth(a.compare(e.op, left, right))
	}
	return awkNum(a.arithmetic(e.op[0], left.num(), right.num()))
}

// pattern returns the expression that a value is: a regular expression as it is
// written, or the text of anything else.
func (a *awk) pattern(e awkExpr) string {
	if r, ok := e.(*awkRegexExpr); ok {
		return r.text
	}
	return e.eval(a).str(a.convfmt())
}

func (a *awk) arithmetic(op byte, x, y float64) float64 {
	switch op {
	case '+':
		return x + y
	case '-':
		return x - y
	case '*':
		return x * y
	case '/', '%':
		if y == 0 {
			a.fail("division by zero")
		}
		if op == '%' {
			return math.Mod(x, y)
		}
		return x / y
	}
	return math.Pow(x, y)
}

func (a *awk) compare(op string, left, right awkValue) bool {
	c := 0
	x, ok := left.looksNumeric()
	y, ok2 := right.looksNumeric()
	if ok && ok2 {
		switch {
		case math.IsNaN(x) || math.IsNaN(y):
			return op == "!="
		case x < y:
			c = -1
		case x > y:
			c = 1
		}
	} else {
		c = strings.Compare(left.str(a.convfmt()), right.str(a.convfmt()))
	}
	switch op {
	case "<":
		return c < 0
	case "<=":
		return c <= 0
	case "==":
		return c == 0
	case "!=":
		return c != 0
	case ">":
		return c > 0
	}
	return c >= 0
}

// call calls a function of the program.
func (a *awk) call(e *awkCallExpr) awkValue {
	a.step()
	if a.depth++; a.depth > maxAwkDepth {
		a.stop(&shell.LimitError{What: fmt.Sprintf("awk: %d calls within one another", maxAwkDepth)})
	}
	frame := make([]*awkVariable, len(e.function.params))
	for i := range frame {
		frame[i] = &awkVariable{}
		if i >= len(e.args) {
			continue
		}
		if name, ok := e.args[i].(*awkVarExpr); ok && (name.local || name.index >= len(awkSpecials)) {
			v := name.variable(a)
			frame[i].array, frame[i].value = v.array, v.value
			if v.array == nil && v.value.kind == kindNone {
				frame[i].from = v
			}
			continue
		}
		frame[i].value = e.args[i].eval(a)
	}
	saved := a.frame
	a.frame, a.result = frame, awkValue{}
	a.exec(e.function.body)
	a.frame = saved
	a.depth--
	a.flow = flowOn
	result := a.result
	a.result = awkValue{}
	return result
}
