package files

import (
	"strconv"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

// findParser reads the words of an expression.
type findParser struct {
	f     *finder
	words []string
	deep  int
}

// maxFindDepth bounds brackets in brackets.
const maxFindDepth = 500

// parse reads the expression of find(1); where it has no action, the paths are
// printed.
func (f *finder) parse(words []string) (expression, error) {
	p := &findParser{f: f, words: words}
	expr := expression(func(*visit) (bool, error) { return true, nil })
	if len(words) > 0 {
		var err error
		if expr, err = p.list(); err != nil {
			return nil, err
		}
		if len(p.words) > 0 {
			if p.words[0] == ")" {
				return nil, findErrorf("invalid expression; you have too many ')'")
			}
			return nil, findErrorf("paths must precede expression: `%s'", p.words[0])
		}
	}
	if f.acts {
		return expr, nil
	}
	return func(v *visit) (bool, error) {
		ok, err := expr(v)
		if err != nil || !ok {
			return ok, err
		}
		return true, f.print(v, "\n")
	}, nil
}

func (p *findParser) peek() string {
	if len(p.words) == 0 {
		return ""
	}
	return p.words[0]
}

func (p *findParser) next() string {
	word := p.words[0]
	p.words = p.words[1:]
	return word
}

// list is EXPR , EXPR.
func (p *findParser) list() (expression, error) {
	left, err := p.or()
	for err == nil && p.peek() == "," {
		p.next()
		first := left
		var right expression
		if right, err = p.or(); err != nil {
			return nil, err
		}
		left = func(v *visit) (bool, error) {
			if _, err := first(v); err != nil {
				return false, err
			}
			return right(v)
		}
	}
	return left, err
}

// or is EXPR -o EXPR.
func (p *findParser) or() (expression, error) {
	left, err := p.and()
	for err == nil && (p.peek() == "-o" || p.peek() == "-or") {
		p.next()
		first := left
		var right expression
		if right, err = p.and(); err != nil {
			return nil, err
		}
		left = func(v *visit) (bool, error) {
			if ok, err := first(v); ok || err != nil {
				return ok, err
			}
			return right(v)
		}
	}
	return left, err
}

// and is EXPR -a EXPR, where -a may be left out.
func (p *findParser) and() (expression, error) {
	left, err := p.not()
	for err == nil && len(p.words) > 0 {
		switch p.peek() {
		case "-o", "-or", ",", ")":
			return left, nil
		case "-a", "-and":
			p.next()
		}
		first := left
		var right expression
		if right, err = p.not(); err != nil {
			return nil, err
		}
		left = func(v *visit) (bool, error) {
			if ok, err := first(v); !ok || err != nil {
				return false, err
			}
			return right(v)
		}
	}
	return left, err
}

// not is ! EXPR, ( EXPR ) or one test or action.
func (p *findParser) not() (expression, error) {
	if p.deep++; p.deep > maxFindDepth {
		return nil, shell.Unsupported("find: so deep an expression")
	}
	defer func() { p.deep-- }()
	if len(p.words) == 0 {
		return nil, findErrorf("invalid expression; expected something more")
	}
	switch word := p.next(); word {
	case "!", "-not":
		inner, err := p.not()
		return func(v *visit) (bool, error) {
			ok, err := inner(v)
			return !ok, err
		}, err
	case "(":
		inner, err := p.list()
		if err == nil && p.peek() != ")" {
			err = findErrorf("invalid expression; I was expecting to find a ')' somewhere but did not see one.")
		}
		if err != nil {
			return nil, err
		}
		p.next()
		return inner, nil
	case ")", "-o", "-or", "-a", "-and", ",":
		return nil, findErrorf("invalid expression; you have used a binary operator '%s' with nothing before it.", word)
	default:
		return p.primary(word)
	}
}

// value returns the argument of a test.
func (p *findParser) value(of string) (string, error) {
	if len(p.words) == 0 {
		return "", findErrorf("missing argument to `%s'", of)
	}
	return p.next(), nil
}

// primary is one test, action or option.
func (p *findParser) primary(word string) (expression, error) {
	if test, ok := findFlags[word]; ok {
		return test(p.f), nil
	}
	if act, ok := findActions[word]; ok {
		p.f.acts = p.f.acts || word != "-prune"
		return act(p)
	}
	if test, ok := findTests[word]; ok {
		arg, err := p.value(word)
		if err != nil {
			return nil, err
		}
		return test(p.f, arg, word)
	}
	if len(word) > 0 && word[0] != '-' {
		return nil, findErrorf("paths must precede expression: `%s'", word)
	}
	return nil, shell.Unsupported("find: %s", word)
}

// comparison is a number of a test: N, +N for more, -N for less.
type comparison struct {
	sign byte
	n    int64
}

func parseComparison(s, of string) (comparison, error) {
	c := comparison{}
	digits := s
	if s != "" && (s[0] == '+' || s[0] == '-') {
		c.sign, digits = s[0], s[1:]
	}
	var err error
	if c.n, err = strconv.ParseInt(digits, 10, 64); err != nil || digits == "" || digits[0] == '-' || digits[0] == '+' {
		return c, findErrorf("invalid argument '%s' to '%s'", s, of)
	}
	return c, nil
}

func (c comparison) holds(n int64) bool {
	switch c.sign {
	case '+':
		return n > c.n
	case '-':
		return n < c.n
	}
	return n == c.n
}
