package shell

import (
	"fmt"
	"regexp"
	resyntax "regexp/syntax"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// testClause is bash's [[ ]].
func (r *run) testClause(c *syntax.TestClause) error {
	yes, err := r.extended(c.X)
	if bad, ok := err.(*testError); ok {
		return r.complain(2, "%s", bad.text)
	}
	if err != nil {
		return r.placed([]string{"[["}, err)
	}
	if r.status = oneIf(!yes); !yes {
		r.failed = place{r.line, "[["}
	}
	return nil
}

func (r *run) extended(x syntax.TestExpr) (bool, error) {
	if err := r.enter(); err != nil {
		return false, err
	}
	defer r.leave()
	switch x := x.(type) {
	case *syntax.ParenTest:
		return r.extended(x.X)
	case *syntax.Word:
		s, err := r.literal(x)
		return s != "", err
	case *syntax.UnaryTest:
		if x.Op == syntax.TsNot {
			yes, err := r.extended(x.X)
			return !yes, err
		}
		word, ok := x.X.(*syntax.Word)
		op := x.Op.String()
		if !ok || op != "-v" && op != "-a" && testTokens[op] != isUnary {
			return false, Unsupported("[[ %s", op)
		}
		s, err := r.literal(word)
		if err != nil {
			return false, err
		}
		if op == "-v" && !syntax.ValidName(s) {
			return false, Unsupported("[[ -v %s", s)
		}
		return r.unaryTest(op, s)
	case *syntax.BinaryTest:
		return r.extendedBinary(x)
	}
	return false, Unsupported("this form of [[")
}

func (r *run) extendedBinary(x *syntax.BinaryTest) (bool, error) {
	if x.Op == syntax.AndTest || x.Op == syntax.OrTest {
		yes, err := r.extended(x.X)
		if err != nil || yes == (x.Op == syntax.OrTest) {
			return yes, err
		}
		return r.extended(x.Y)
	}
	wx, ok1 := x.X.(*syntax.Word)
	wy, ok2 := x.Y.(*syntax.Word)
	if !ok1 || !ok2 {
		return false, Unsupported("this form of [[")
	}
	a, err := r.literal(wx)
	if err != nil {
		return false, err
	}
	switch x.Op {
	case syntax.TsMatch, syntax.TsMatchShort, syntax.TsNoMatch:
		p, err := r.patternOf(wy)
		if err != nil {
			return false, err
		}
		yes, err := r.match(p, a)
		return yes == (x.Op != syntax.TsNoMatch), err
	case syntax.TsReMatch:
		return r.reMatch(a, wy)
	}
	b, err := r.literal(wy)
	if err != nil {
		return false, err
	}
	switch x.Op {
	case syntax.TsEql, syntax.TsNeq, syntax.TsLeq, syntax.TsGeq, syntax.TsLss, syntax.TsGtr:
		return r.compareNumbers(x.Op, a, b)
	}
	return r.binaryTest(x.Op.String(), a, b)
}

// compareNumbers compares two expressions of arithmetic, as bash does in [[ ]].
func (r *run) compareNumbers(op syntax.BinTestOperator, a, b string) (bool, error) {
	var n [2]int64
	for i, s := range []string{a, b} {
		var err error
		if n[i], err = r.evaluate(s); err != nil {
			if j, ok := err.(*jump); ok && j.fault {
				return false, r.bad("an error of arithmetic")
			}
			return false, err
		}
	}
	switch op {
	case syntax.TsEql:
		return n[0] == n[1], nil
	case syntax.TsNeq:
		return n[0] != n[1], nil
	case syntax.TsLeq:
		return n[0] <= n[1], nil
	case syntax.TsGeq:
		return n[0] >= n[1], nil
	case syntax.TsLss:
		return n[0] < n[1], nil
	}
	return n[0] > n[1], nil
}

// maxRegexp bounds a regular expression, bytes, and maxRegexpCost the product of its
// steps and the text, for nothing interrupts it.
const (
	maxRegexp     = 10_000
	maxRegexpCost = 1 << 20
)

// reMatch is the operator =~ of bash, with what of extended regular expressions RE2
// has too. What is quoted matches itself.
func (r *run) reMatch(a string, w *syntax.Word) (bool, error) {
	x := r.expander(false)
	defer x.free()
	if err := x.expand(w.Parts, unquoted, false, noTilde); err != nil {
		return false, err
	}
	var b strings.Builder
	for _, p := range x.parts {
		if p.quoted {
			b.WriteString(regexp.QuoteMeta(p.text))
		} else {
			b.WriteString(p.text)
		}
	}
	expr := b.String()
	if len(expr) > maxRegexp {
		return false, &LimitError{"regular expression"}
	}
	if strings.Contains(expr, `[[.`) || strings.Contains(expr, `[[=`) || strings.Contains(expr, `(?`) {
		return false, Unsupported("the regular expression %s", expr)
	}
	parsed, err := resyntax.Parse(expr, resyntax.POSIX)
	if err != nil {
		return false, Unsupported("the regular expression %s", expr)
	}
	program, err := resyntax.Compile(parsed.Simplify())
	if err != nil {
		return false, Unsupported("the regular expression %s", expr)
	}
	cost := len(program.Inst) * (len(a) + 1)
	if cost > maxRegexpCost {
		return false, &LimitError{fmt.Sprintf("regular expression of %d steps over %d bytes", len(program.Inst), len(a))}
	}
	if err := r.work(16 * cost); err != nil {
		return false, err
	}
	re, err := regexp.CompilePOSIX(expr)
	if err != nil {
		return false, Unsupported("the regular expression %s", expr)
	}
	m := re.FindStringSubmatch(a)
	return m != nil, r.assignList("BASH_REMATCH", m)
}
