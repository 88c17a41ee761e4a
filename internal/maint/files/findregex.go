package files

import (
	"regexp"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

// regexSyntax is a syntax of regular expressions that find knows (find(1),
// -regextype): which operators have a backslash.
type regexSyntax struct {
	escaped  string // operators that are written with a backslash
	plain    string // operators that are written without
	interval bool   // {N,M} is one of them
}

var emacsSyntax = regexSyntax{escaped: "|()", plain: "*+?"}

var regexSyntaxes = map[string]regexSyntax{
	"emacs": emacsSyntax, "findutils-default": emacsSyntax,
	"posix-basic": {escaped: "(){}+?|", plain: "*", interval: true}, "sed": {escaped: "(){}+?|", plain: "*", interval: true},
	"grep": {escaped: "(){}+?|", plain: "*", interval: true}, "ed": {escaped: "(){}+?|", plain: "*", interval: true},
	"posix-extended": {plain: "*+?|(){}", interval: true}, "egrep": {plain: "*+?|(){}", interval: true},
	"posix-egrep": {plain: "*+?|(){}", interval: true}, "awk": {plain: "*+?|()"}, "gnu-awk": {plain: "*+?|()"}, "posix-awk": {plain: "*+?|(){}", interval: true},
}

func regexType(f *finder, arg, _ string) (expression, error) {
	syntax, ok := regexSyntaxes[arg]
	if !ok {
		return nil, shell.Unsupported("find: -regextype %s", arg)
	}
	f.syntax = syntax
	return always(true, nil)(f), nil
}

func regexTest(f *finder, arg, word string) (expression, error) {
	text, err := f.syntax.translate(arg)
	if err != nil {
		return nil, err
	}
	flags := "(?s)"
	if folds(word) {
		flags = "(?is)"
	}
	re, err := regexp.Compile(flags + "^(?:" + text + ")$")
	if err != nil {
		return nil, shell.Unsupported("find: the regular expression %q", arg)
	}
	return func(v *visit) (bool, error) { return re.MatchString(v.path), nil }, nil
}

// translate writes an expression in the syntax of package regexp.
func (s regexSyntax) translate(expr string) (string, error) {
	var out strings.Builder
	for i := 0; i < len(expr); i++ {
		c := expr[i]
		switch {
		case c == '[':
			end := bracketEnd(expr, i)
			if end < 0 {
				return "", findErrorf("failed to compile regular expression '%s': Unmatched [, [^, [:, [., or [=", expr)
			}
			out.WriteString(strings.ReplaceAll(expr[i:end], `\`, `\\`))
			i = end - 1
		case c == '\\' && i+1 < len(expr):
			i++
			switch e := expr[i]; {
			case e >= '1' && e <= '9':
				return "", shell.Unsupported("find: a back-reference in -regex %q", expr)
			case strings.IndexByte(s.escaped, e) >= 0:
				out.WriteByte(e)
			case e == '`':
				out.WriteString(`\A`)
			case e == '\'':
				out.WriteString(`\z`)
			case e == '<' || e == '>':
				out.WriteString(`\b`)
			case strings.IndexByte("wWbBsS", e) >= 0:
				out.WriteString(`\` + expr[i:i+1])
			default:
				out.WriteString(regexp.QuoteMeta(expr[i : i+1]))
			}
		case strings.IndexByte(s.plain, c) >= 0 || c == '.' || c == '^' || c == '$':
			out.WriteByte(c)
		case strings.IndexByte("|(){}+?*", c) >= 0:
			out.WriteString(`\` + expr[i:i+1])
		default:
			out.WriteString(regexp.QuoteMeta(expr[i : i+1]))
		}
	}
	return out.String(), nil
}

// bracketEnd returns the position after a bracket expression, -1 where it has no end.
func bracketEnd(s string, start int) int {
	i := start + 1
	if i < len(s) && s[i] == '^' {
		i++
	}
	if i < len(s) && s[i] == ']' {
		i++
	}
	for ; i < len(s); i++ {
		switch {
		case s[i] == ']':
			return i + 1
		case s[i] == '[' && i+1 < len(s) && strings.IndexByte(":.=", s[i+1]) >= 0:
			end := strings.Index(s[i+2:], s[i+1:i+2]+"]")
			if end < 0 {
				return -1
			}
			i += 2 + end + 1
		}
	}
	return -1
}
