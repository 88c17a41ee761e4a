package text

import (
	"context"
	"errors"
	"math/big"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/regex"
	"github.com/hardpan/hardpan/internal/maint/shell"
)

// expr is expr(1).
func expr(_ context.Context, p *shell.Proc) (int, error) {
	args := p.Args[1:]
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		_, err := p.Errorf("missing operand")
		return 2, err
	}
	e := &exprReader{args: args, bytes: bytewise(p)}
	value, err := e.or(true)
	if err == nil && e.at < len(args) {
		err = errors.New("syntax error: unexpected argument '" + args[e.at] + "'")
	}
	if err != nil {
		if stop := fatal(limit(err)); stop != nil {
			return 3, stop
		}
		_, err := p.Errorf("%v", err)
		return 2, err
	}
	if _, err := p.Stdout.Write([]byte(value + "\n")); err != nil {
		return 3, err
	}
	if nothing(value) {
		return 1, nil
	}
	return 0, nil
}

// exprReader reads and computes an expression in one go. Where run is false, it only
// reads.
type exprReader struct {
	args  []string
	at    int
	depth int
	bytes bool
}

var errNotInteger = errors.New("non-integer argument")

// nothing reports whether a value counts as false: empty, or a zero.
func nothing(v string) bool {
	return strings.Trim(strings.TrimPrefix(v, "-"), "0") == "" && v != "-"
}

func number(v string) (*big.Int, error) {
	if len(v) > 10_000 || !digitsOnly(strings.TrimPrefix(v, "-")) {
		return nil, errNotInteger
	}
	n, ok := new(big.Int).SetString(v, 10)
	if !ok {
		return nil, errNotInteger
	}
	return n, nil
}

// next takes one of the operators, "" where none of them comes next.
func (e *exprReader) next(operators ...string) string {
	if e.at < len(e.args) {
		for _, op := range operators {
			if e.args[e.at] == op {
				e.at++
				return op
			}
		}
	}
	return ""
}

func (e *exprReader) or(run bool) (string, error) {
	left, err := e.and(run)
	for err == nil && e.next("|") != "" {
		var right string
		right, err = e.and(run && nothing(left))
		if nothing(left) {
			if left = right; nothing(left) {
				left = "0"
			}
		}
	}
	return left, err
}

func (e *exprReader) and(run bool) (string, error) {
	left, err := e.comparison(run)
	for err == nil && e.next("&") != "" {
		var right string
		right, err = e.comparison(run && !nothing(left))
		if nothing(left) || nothing(right) {
			left = "0"
		}
	}
	return left, err
}

func (e *exprReader) comparison(run bool) (string, error) {
	left, err := e.sum(run)
	for err == nil {
		op := e.next("<", "<=", "=", "==", "!=", ">=", ">")
		if op == "" {
			break
		}
		var right string
		if right, err = e.sum(run); err != nil {
			break
		}
		c := strings.Compare(left, right)
		if a, err := number(left); err == nil {
			if b, err := number(right); err == nil {
				c = a.Cmp(b)
			}
		}
		holds := map[string]bool{"<": c < 0, "<=": c <= 0, "=": c == 0, "==": c == 0, "!=": c != 0, ">=": c >= 0, ">": c > 0}[op]
		left = "0"
		if holds {
			left = "1"
		}
	}
	return left, err
}

func (e *exprReader) sum(run bool) (string, error) {
	return e.arithmetic(run, e.product, "+", "-")
}

func (e *exprReader) product(run bool) (string, error) {
	return e.arithmetic(run, e.match, "*", "/", "%")
}

func (e *exprReader) arithmetic(run bool, operand func(bool) (string, error), operators ...string) (string, error) {
	left, err := operand(run)
	for err == nil {
		op := e.next(operators...)
		if op == "" {
			break
		}
		var right string
		if right, err = operand(run); err != nil || !run {
			continue
		}
		left, err = calculate(left, op, right)
	}
	return left, err
}

func calculate(left, op, right string) (string, error) {
	a, err := number(left)
	if err != nil {
		return "", err
	}
	b, err := number(right)
	if err != nil {
		return "", err
	}
	if (op == "/" || op == "%") && b.Sign() == 0 {
		return "", errors.New("division by zero")
	}
	switch op {
	case "+":
		a.Add(a, b)
	case "-":
		a.Sub(a, b)
	case "*":
		a.Mul(a, b)
	case "/":
		a.Quo(a, b)
	case "%":
		a.Rem(a, b)
	}
	return a.String(), nil
}

func (e *exprReader) match(run bool) (string, error) {
	left, err := e.function(run)
	for err == nil && e.next(":") != "" {
		var right string
		if right, err = e.function(run); err == nil && run {
			left, err = e.matched(left, right)
		}
	}
	return left, err
}

// matched is STRING : REGEX.
func (e *exprReader) matched(text, pattern string) (string, error) {
	re, err := regex.Compile(pattern, regex.Options{Prefix: true, Bytes: e.bytes})
	if err != nil {
		return "", err
	}
	loc, err := re.Find(text)
	switch {
	case err != nil:
		return "", err
	case re.Groups() > 0:
		if loc == nil || loc[2] < 0 {
			return "", nil
		}
		return text[loc[2]:loc[3]], nil
	case loc == nil:
		return "0", nil
	}
	return big.NewInt(int64(len(e.characters(text[:loc[1]])))).String(), nil
}

// characters returns the characters of a text.
func (e *exprReader) characters(text string) []string {
	if e.bytes {
		return strings.Split(text, "")[:len(text)]
	}
	return strings.Split(text, "")
}

// function reads length, substr, index and match.
func (e *exprReader) function(run bool) (string, error) {
	switch op := e.next("length", "substr", "index", "match"); op {
	case "":
		return e.operand(run)
	default:
		count := map[string]int{"length": 1, "substr": 3, "index": 2, "match": 2}[op]
		var args []string
		for range count {
			arg, err := e.function(run)
			if err != nil {
				return "", err
			}
			args = append(args, arg)
		}
		if !run {
			return "", nil
		}
		return e.call(op, args)
	}
}

func (e *exprReader) call(op string, args []string) (string, error) {
	switch op {
	case "length":
		return big.NewInt(int64(len(e.characters(args[0])))).String(), nil
	case "match":
		return e.matched(args[0], args[1])
	case "index":
		for i, c := range e.characters(args[0]) {
			if strings.Contains(args[1], c) {
				return big.NewInt(int64(i + 1)).String(), nil
			}
		}
		return "0", nil
	}
	from, err := number(args[1])
	if err != nil {
		return "", nil
	}
	size, err := number(args[2])
	if err != nil {
		return "", nil
	}
	chars := e.characters(args[0])
	if from.Sign() <= 0 || size.Sign() <= 0 || from.Cmp(big.NewInt(int64(len(chars)))) > 0 {
		return "", nil
	}
	chars = chars[from.Int64()-1:]
	if size.Cmp(big.NewInt(int64(len(chars)))) < 0 {
		chars = chars[:size.Int64()]
	}
	return strings.Join(chars, ""), nil
}

func (e *exprReader) operand(run bool) (string, error) {
	if e.at >= len(e.args) {
		return "", errors.New("syntax error: missing argument after '" + e.args[len(e.args)-1] + "'")
	}
	arg := e.args[e.at]
	e.at++
	switch arg {
	case "(":
		if e.depth++; e.depth > 200 {
			return "", errors.New("too many brackets")
		}
		value, err := e.or(run)
		if err == nil && e.next(")") == "" {
			err = errors.New("syntax error: expecting ')' after '" + e.args[e.at-1] + "'")
		}
		e.depth--
		return value, err
	case ")":
		return "", errors.New("syntax error: unexpected ')'")
	case "+":
		if e.at < len(e.args) {
			e.at++
			return e.args[e.at-1], nil
		}
	}
	return arg, nil
}
