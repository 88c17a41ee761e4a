package shell

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"

	"github.com/hardpan/hardpan/internal/tree"
)

// test is test(1) and "[".
func test(r *run, args []string) error {
	name, args := args[0], args[1:]
	if name == "[" {
		if len(args) == 0 || args[len(args)-1] != "]" {
			return r.complain(2, "[: missing ]")
		}
		args = args[:len(args)-1]
	}
	t := &tester{run: r, args: args}
	yes, err := t.whole()
	if err != nil {
		if _, ok := err.(*testError); ok {
			return r.complain(2, "%s: %v", name, err)
		}
		return err
	}
	r.status = oneIf(!yes)
	return nil
}

type testError struct{ text string }

func (e *testError) Error() string { return e.text }

// tester evaluates the arguments of test, which are an expression (XCU test).
type tester struct {
	*run
	args []string
	at   int
}

func (t *tester) left() int { return len(t.args) - t.at }

func (t *tester) peek(i int) string {
	if t.at+i < len(t.args) {
		return t.args[t.at+i]
	}
	return ""
}

func (t *tester) whole() (bool, error) {
	if len(t.args) == 0 {
		return false, nil
	}
	yes, err := t.or()
	if err == nil && t.left() > 0 {
		err = &testError{fmt.Sprintf("%s: unexpected operator", t.peek(0))}
	}
	return yes, err
}

func (t *tester) or() (bool, error) {
	yes, err := t.and()
	for err == nil && t.peek(0) == "-o" && t.left() > 1 {
		t.at++
		var other bool
		other, err = t.and()
		yes = yes || other
	}
	return yes, err
}

func (t *tester) and() (bool, error) {
	yes, err := t.not()
	for err == nil && t.peek(0) == "-a" && t.left() > 1 {
		t.at++
		var other bool
		other, err = t.not()
		yes = yes && other
	}
	return yes, err
}

func (t *tester) not() (bool, error) {
	if t.peek(0) == "!" && t.left() > 1 && !(t.left() == 3 && binaryTests[t.peek(1)]) {
		t.at++
		yes, err := t.not()
		return !yes, err
	}
	return t.primary()
}

var binaryTests = map[string]bool{
	"=": true, "==": true, "!=": true, "<": true, ">": true, "-eq": true, "-ne": true, "-lt": true, "-le": true,
	"-gt": true, "-ge": true, "-nt": true, "-ot": true, "-ef": true,
}

func (t *tester) primary() (bool, error) {
	if t.left() == 0 {
		return false, &testError{"argument expected"}
	}
	if t.left() >= 3 && binaryTests[t.peek(1)] {
		a, op, b := t.peek(0), t.peek(1), t.peek(2)
		t.at += 3
		return t.binaryTest(op, a, b)
	}
	if t.peek(0) == "(" && t.left() > 2 {
		t.at++
		yes, err := t.or()
		if err == nil && t.peek(0) != ")" {
			err = &testError{"closing paren expected"}
		}
		t.at++
		return yes, err
	}
	op := t.peek(0)
	if len(op) == 2 && op[0] == '-' && t.left() >= 2 && strings.Contains("bcdefghkLnprsStuwxzOGN", op[1:]) {
		a := t.peek(1)
		t.at += 2
		return t.unaryTest(op, a)
	}
	t.at++
	return op != "", nil
}

func (r *run) binaryTest(op, a, b string) (bool, error) {
	switch op {
	case "=", "==":
		return a == b, nil
	case "!=":
		return a != b, nil
	case "<":
		return a < b, nil
	case ">":
		return a > b, nil
	case "-nt", "-ot", "-ef":
		return r.compareFiles(op, a, b), nil
	}
	x, err1 := strconv.ParseInt(strings.TrimSpace(a), 10, 64)
	y, err2 := strconv.ParseInt(strings.TrimSpace(b), 10, 64)
	if err1 != nil {
		return false, &testError{"Illegal number: " + a}
	}
	if err2 != nil {
		return false, &testError{"Illegal number: " + b}
	}
	switch op {
	case "-eq":
		return x == y, nil
	case "-ne":
		return x != y, nil
	case "-lt":
		return x < y, nil
	case "-le":
		return x <= y, nil
	case "-gt":
		return x > y, nil
	}
	return x >= y, nil
}

func (r *run) compareFiles(op, a, b string) bool {
	x, err1 := r.shell.FS.Stat(r.path(a))
	y, err2 := r.shell.FS.Stat(r.path(b))
	switch op {
	case "-nt":
		return err1 == nil && (err2 != nil || x.ModTime > y.ModTime)
	case "-ot":
		return err2 == nil && (err1 != nil || x.ModTime < y.ModTime)
	}
	return err1 == nil && err2 == nil && x == y
}

func (r *run) unaryTest(op, a string) (bool, error) {
	switch op {
	case "-n":
		return a != "", nil
	case "-z":
		return a == "", nil
	case "-t":
		return false, nil // nothing is a terminal
	}
	name := r.path(a)
	if a == "" {
		return false, nil
	}
	if op == "-L" || op == "-h" {
		n, err := r.shell.FS.Lstat(name)
		return err == nil && n.Type == tree.Symlink, nil
	}
	n, err := r.shell.FS.Stat(name)
	if err != nil {
		if r.phantom(name) {
			return strings.Contains("efrxs", op[1:]), nil
		}
		_, device := r.device(name)
		return device && strings.Contains("ecrw", op[1:]), nil
	}
	switch op {
	case "-d":
		return n.Type == tree.Dir, nil
	case "-f":
		return n.Type == tree.File, nil
	case "-s":
		return n.Size > 0 || n.Type == tree.Dir, nil
	case "-x":
		return n.Type == tree.Dir || n.Mode&0o111 != 0, nil
	case "-u":
		return n.Mode&tree.SetUID != 0, nil
	case "-g":
		return n.Mode&tree.SetGID != 0, nil
	case "-k":
		return n.Mode&tree.Sticky != 0, nil
	case "-O":
		return n.UID == 0, nil
	case "-G":
		return n.GID == 0, nil
	case "-b", "-c", "-p", "-S":
		return false, nil
	}
	return true, nil // -e, and -r and -w for root
}

// testClause is bash's [[ ]].
func (r *run) testClause(c *syntax.TestClause) error {
	yes, err := r.extended(c.X)
	if err != nil {
		if _, ok := err.(*testError); ok {
			return r.complain(2, "%v", err)
		}
		return r.fatal([]string{"[["}, err)
	}
	r.status = oneIf(!yes)
	if !yes {
		r.failed = place{r.line, "[["}
	}
	return nil
}

func (r *run) extended(x syntax.TestExpr) (bool, error) {
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
		if !ok {
			return false, Unsupported("this form of [[")
		}
		s, err := r.literal(word)
		if err != nil {
			return false, err
		}
		if x.Op == syntax.TsVarSet {
			return r.vars[s].set, nil
		}
		return r.unaryTest(x.Op.String(), s)
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
	case syntax.TsMatch, syntax.TsMatchShort:
		return r.matches(wy, a)
	case syntax.TsNoMatch:
		yes, err := r.matches(wy, a)
		return !yes, err
	case syntax.TsReMatch:
		return r.reMatch(a, wy)
	}
	b, err := r.literal(wy)
	if err != nil {
		return false, err
	}
	return r.binaryTest(x.Op.String(), a, b)
}

// reMatch is the operator =~ of bash.
func (r *run) reMatch(a string, w *syntax.Word) (bool, error) {
	expr, err := r.literal(w)
	if err != nil {
		return false, err
	}
	re, err := regexp.CompilePOSIX(expr)
	if err != nil {
		return false, &testError{fmt.Sprintf("regular expression %q: %v", expr, err)}
	}
	m := re.FindStringSubmatch(a)
	if m != nil {
		v := expand.Variable{Set: true, Kind: expand.Indexed, List: m}
		if err := (environment{r}).Set("BASH_REMATCH", v); err != nil {
			return false, err
		}
	}
	return m != nil, nil
}
