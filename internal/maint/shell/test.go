package shell

import (
	"strings"

	"github.com/hardpan/hardpan/internal/tree"
)

// test is test(1) and "[", as dash has it: which argument is an operator is decided
// by what stands around it, so that "[ -n = -n ]" compares.
func test(r *run, args []string) error {
	name, args := args[0], args[1:]
	if name == "[" {
		if len(args) == 0 || args[len(args)-1] != "]" {
			return r.fault("[: missing ]")
		}
		args = args[:len(args)-1]
	}
	if len(args) == 0 {
		r.status = 1
		return nil
	}
	t := &tester{run: r, args: args}
	yes, err := t.whole()
	if bad, ok := err.(*testError); ok {
		if err := r.complain(2, "%s: %s", name, bad.text); err != nil {
			return err
		}
		return nil
	}
	if err != nil {
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

type testToken int

const (
	isOperand testToken = iota
	isEnd
	isUnary
	isBinary
	isNot
	isAnd
	isOr
	isOpen
	isClose
)

var testTokens = func() map[string]testToken {
	m := map[string]testToken{"!": isNot, "-a": isAnd, "-o": isOr, "(": isOpen, ")": isClose}
	for _, c := range "rwxefdcbpugkstznhOGLS" {
		m["-"+string(c)] = isUnary
	}
	for _, op := range []string{"=", "!=", "<", ">", "-eq", "-ne", "-ge", "-gt", "-le", "-lt", "-nt", "-ot", "-ef"} {
		m[op] = isBinary
	}
	return m
}()

// kindOf returns what an argument is by itself.
func (t *tester) kindOf(i int) testToken {
	if i >= len(t.args) {
		return isEnd
	}
	if k := testTokens[t.args[i]]; k != isOperand || !t.bash {
		return k
	}
	switch t.args[i] {
	case "==":
		return isBinary
	case "-v", "-N", "-a":
		return isUnary
	}
	return isOperand
}

// token returns what the argument i is where it stands.
func (t *tester) token(i int) testToken {
	k := t.kindOf(i)
	if k == isUnary && (i+1 >= len(t.args) || i+2 < len(t.args) && t.kindOf(i+1) == isBinary) {
		return isOperand
	}
	if k == isOpen && i+1 >= len(t.args) {
		return isOperand
	}
	return k
}

// compares reports whether the arguments are three with an operator in the middle,
// which then are a comparison whatever they say.
func (t *tester) compares() bool { return len(t.args) == 3 && t.kindOf(1) == isBinary }

func (t *tester) whole() (bool, error) {
	negated, n := false, isOperand
	for (len(t.args) == 3 || len(t.args) == 4) && !t.compares() {
		if last := len(t.args) - 1; t.args[0] == "(" && t.args[last] == ")" {
			t.args = t.args[1:last]
		} else if t.args[0] == "!" {
			negated = !t.bash || !negated // for dash, of two in a row one counts
			t.args = t.args[1:]
		} else {
			break
		}
	}
	if !t.compares() {
		n = t.token(0)
	}
	yes, err := t.or(n)
	if err == nil && t.at+1 < len(t.args) {
		err = &testError{strings.TrimPrefix(t.args[t.at]+": unexpected operator", ": ")}
	}
	return yes != negated, err
}

func (t *tester) or(n testToken) (bool, error) {
	result := false
	for {
		yes, err := t.and(n)
		if err != nil {
			return false, err
		}
		result = result || yes
		if t.token(t.at+1) != isOr {
			return result, nil
		}
		t.at += 2
		n = t.token(t.at)
	}
}

func (t *tester) and(n testToken) (bool, error) {
	result := true
	for {
		yes, err := t.not(n)
		if err != nil {
			return false, err
		}
		result = result && yes
		if t.token(t.at+1) != isAnd {
			return result, nil
		}
		t.at += 2
		n = t.token(t.at)
	}
}

func (t *tester) not(n testToken) (bool, error) {
	if n != isNot {
		return t.primary(n)
	}
	if err := t.enter(); err != nil {
		return false, err
	}
	defer t.leave()
	if n = t.token(t.at + 1); n != isEnd {
		t.at++
	}
	yes, err := t.not(n)
	return !yes, err
}

func (t *tester) primary(n testToken) (bool, error) {
	switch n {
	case isEnd:
		return false, nil
	case isOpen:
		return t.group()
	case isUnary:
		op := t.args[t.at]
		t.at++
		if t.at >= len(t.args) {
			return false, &testError{op + ": argument expected"}
		}
		return t.unaryTest(op, t.args[t.at])
	}
	if t.at < len(t.args) && t.token(t.at+1) == isBinary {
		a, op := t.args[t.at], t.args[t.at+1]
		if t.at += 2; t.at >= len(t.args) {
			t.at = len(t.args) - 1
			return false, &testError{op + ": argument expected"}
		}
		return t.binaryTest(op, a, t.args[t.at])
	}
	return t.at < len(t.args) && t.args[t.at] != "", nil
}

func (t *tester) group() (bool, error) {
	if err := t.enter(); err != nil {
		return false, err
	}
	defer t.leave()
	t.at++
	n := t.token(t.at)
	if n == isClose {
		return false, nil
	}
	yes, err := t.or(n)
	if err != nil {
		return false, err
	}
	if t.at++; t.token(t.at) != isClose {
		return false, &testError{"closing paren expected"}
	}
	return yes, nil
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
	x, ok := testNumber(a)
	if !ok {
		return false, &testError{"Illegal number: " + a}
	}
	y, ok := testNumber(b)
	if !ok {
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

// testNumber reads a decimal number with white space around it.
func testNumber(s string) (int64, bool) {
	s = strings.Trim(s, " \t\n\v\f\r")
	digits := strings.TrimLeft(strings.TrimLeft(s, "+-"), "0")
	if s == "" || len(s)-len(strings.TrimLeft(s, "+-")) > 1 || strings.Trim(s, "+-") == "" {
		return 0, false
	}
	if digits == "" {
		digits = "0"
	}
	n, ok := strtol(digits)
	if strings.HasPrefix(s, "-") {
		n = -n
	}
	return n, ok && isDigit(rune(digits[0])) && numberLength(digits) == len(digits)
}

func (r *run) compareFiles(op, a, b string) bool {
	x, err1 := r.shell.FS.Stat(r.path(a))
	y, err2 := r.shell.FS.Stat(r.path(b))
	if a == "" || b == "" || err1 != nil || err2 != nil {
		if !r.bash {
			return false
		}
		return op == "-nt" && err1 == nil && a != "" || op == "-ot" && err2 == nil && b != ""
	}
	switch op {
	case "-nt":
		return x.ModTime > y.ModTime
	case "-ot":
		return x.ModTime < y.ModTime
	}
	return x == y
}

func (r *run) unaryTest(op, a string) (bool, error) {
	switch op {
	case "-n":
		return a != "", nil
	case "-z":
		return a == "", nil
	case "-t":
		return false, nil // nothing is a terminal
	case "-v":
		v := r.find(a)
		return v != nil && v.set, nil
	}
	if a == "" {
		return false, nil
	}
	name := r.path(a)
	if op == "-L" || op == "-h" {
		n, err := r.shell.FS.Lstat(name)
		return err == nil && n.Type == tree.Symlink, nil
	}
	n, err := r.shell.FS.Stat(name)
	if err != nil {
		if r.phantom(name) {
			return strings.Contains("efrxs", op[1:]), nil
		}
		_, device, err := r.device(name)
		return device && err == nil && strings.Contains("ecrw", op[1:]), nil
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
		return n.UID == r.shell.FS.User.UID, nil
	case "-G":
		return n.GID == r.shell.FS.User.GID, nil
	case "-b", "-c", "-p", "-S":
		return false, nil
	case "-N":
		return false, Unsupported("test -N")
	}
	return true, nil // -e, and -r and -w for root
}
