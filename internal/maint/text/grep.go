package text

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/regex"
	"github.com/hardpan/hardpan/internal/maint/shell"
)

// expression is what finds lines.
type expression interface {
	Match(text string) (bool, error)
	All(text string, n int) ([][]int, error)
}

// grepOptions are those of GNU grep.
type grepOptions struct {
	syntax                                         byte // G, E, F or P
	fold, invert, words, lines                     bool
	count, list, listOthers, quiet, silent, only   bool
	number, offset, names, noNames, zero, text     bool
	recursive, follow, nullNames, skipDirs, binary bool
	before, after, most                            int // -1 is no limit
	label                                          string
	include, exclude, excludeDir                   []string
	patterns                                       []string
	given                                          bool // a pattern was given by an option
}

const grepLong = "extended-regexp=E fixed-strings=F basic-regexp=G perl-regexp=P regexp:=e file:=f ignore-case=i " +
	"no-ignore-case invert-match=v word-regexp=w line-regexp=x count=c color:: colour:: files-without-match=L " +
	"files-with-matches=l max-count:=m only-matching=o quiet=q silent=q no-messages=s byte-offset=b with-filename=H " +
	"no-filename=h label: line-number=n initial-tab=T null=Z after-context:=A before-context:=B context:=C text=a " +
	"binary-files: directories:=d devices:=D exclude: exclude-from: exclude-dir: include: recursive=r " +
	"dereference-recursive=R line-buffered binary=U null-data=z"

// grep is grep(1), egrep and fgrep.
func grep(_ context.Context, p *shell.Proc) (int, error) {
	o := &grepOptions{syntax: map[string]byte{"egrep": 'E', "fgrep": 'F'}[p.Args[0]], most: -1, label: "(standard input)"}
	names, err := o.read(p)
	if err != nil {
		return o.failed(p, err)
	}
	if !o.given {
		if len(names) == 0 {
			return 2, shell.Unsupported("%s: a call without a pattern", p.Args[0])
		}
		o.patterns, names = strings.Split(names[0], "\n"), names[1:]
	}
	exprs, err := o.compile(bytewise(p))
	if err != nil {
		return o.failed(p, err)
	}
	g := &grepper{p: p, o: o, exprs: exprs, w: buffered(p)}
	if err := g.run(names); err != nil {
		return 2, err
	}
	switch {
	case g.found && (o.quiet || !g.failed):
		return finish(g.w, 0)
	case g.failed:
		return finish(g.w, 2)
	}
	return finish(g.w, 1)
}

func (o *grepOptions) failed(p *shell.Proc, err error) (int, error) {
	if stop := fatal(err); stop != nil {
		return 2, stop
	}
	_, err = p.Errorf("%v", err)
	return 2, err
}

// read reads the command line.
func (o *grepOptions) read(p *shell.Proc) ([]string, error) {
	p.Args = contextNumbers(p.Args)
	opts, names, err := options(p, "EFGPe:f:ivwxycLlm:oqsbHhnTZA:B:C:aUd:D:rRzIu", grepLong)
	if err != nil {
		return nil, err
	}
	for _, opt := range opts {
		if err := o.set(p, opt); err != nil {
			return nil, err
		}
	}
	return names, nil
}

// contextNumbers writes -5 as -C 5.
func contextNumbers(args []string) []string {
	var out []string
	for i, a := range args {
		if a == "--" {
			return append(out, args[i:]...)
		}
		if len(a) > 1 && a[0] == '-' && digitsOnly(a[1:]) {
			a = "-C" + a[1:]
		}
		out = append(out, a)
	}
	return out
}

func digitsOnly(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

func (o *grepOptions) set(p *shell.Proc, opt option) (err error) {
	switch opt.name {
	case "E", "F", "G", "P":
		o.syntax = opt.name[0]
	case "e":
		o.patterns, o.given = append(o.patterns, strings.Split(opt.value, "\n")...), true
	case "f":
		b, err := read(p, opt.value)
		if err != nil {
			if fatal(err) != nil {
				return err
			}
			return fmt.Errorf("%s: %s", opt.value, reason(err))
		}
		o.given = true
		if len(b) > 0 {
			o.patterns = append(o.patterns, strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")...)
		}
	case "A", "B", "C", "m":
		n, err := strconv.Atoi(opt.value)
		if err != nil {
			return fmt.Errorf("%s: invalid number", opt.value)
		}
		if opt.name == "m" {
			o.most = n
		}
		if opt.name == "A" || opt.name == "C" {
			o.after = n
		}
		if opt.name == "B" || opt.name == "C" {
			o.before = n
		}
	case "label":
		o.label = opt.value
	case "include":
		o.include = append(o.include, opt.value)
	case "exclude":
		o.exclude = append(o.exclude, opt.value)
	case "exclude-dir":
		o.excludeDir = append(o.excludeDir, strings.TrimRight(opt.value, "/"))
	case "d":
		o.recursive, o.skipDirs = opt.value == "recurse", opt.value == "skip"
	case "binary-files":
		o.text, o.binary = opt.value == "text", opt.value == "without-match"
	case "color", "colour":
		if opt.value == "always" {
			return shell.Unsupported("grep: colours")
		}
	default:
		return o.setFlag(opt.name)
	}
	return nil
}

func (o *grepOptions) setFlag(name string) error {
	switch name {
	case "i", "y":
		o.fold = true
	case "no-ignore-case":
		o.fold = false
	case "v":
		o.invert = true
	case "w":
		o.words = true
	case "x":
		o.lines = true
	case "c":
		o.count = true
	case "L":
		o.listOthers = true
	case "l":
		o.list = true
	case "o":
		o.only = true
	case "q":
		o.quiet = true
	case "s":
		o.silent = true
	case "b":
		o.offset = true
	case "H":
		o.names, o.noNames = true, false
	case "h":
		o.names, o.noNames = false, true
	case "n":
		o.number = true
	case "Z":
		o.nullNames = true
	case "a":
		o.text = true
	case "I":
		o.binary = true
	case "r":
		o.recursive = true
	case "R":
		o.recursive, o.follow = true, true
	case "z":
		o.zero = true
	case "line-buffered", "U", "D", "u":
	default:
		return shell.Unsupported("grep: option %s", name)
	}
	return nil
}

// compile returns the expressions, any of which may match.
func (o *grepOptions) compile(bytes bool) ([]expression, error) {
	var all []expression
	for _, pattern := range o.patterns {
		expr, err := o.compileOne(pattern, bytes)
		if err != nil {
			return nil, err
		}
		all = append(all, expr)
	}
	return all, nil
}

func (o *grepOptions) compileOne(pattern string, bytes bool) (expression, error) {
	ro := regex.Options{Syntax: regex.Grep, FoldCase: o.fold, Bytes: bytes, Whole: o.lines, Words: o.words && !o.lines, NoGroups: true}
	switch o.syntax {
	case 'E':
		ro.Syntax = regex.Egrep
	case 'F':
		if !o.fold && !o.lines && !o.words {
			return fixed(pattern), nil
		}
		pattern = quoteBasic(pattern)
	case 'P':
		return o.perl(pattern)
	}
	return regex.Compile(pattern, ro)
}

// quoteBasic returns a basic regular expression that matches a text.
func quoteBasic(text string) string {
	var b strings.Builder
	for i := range len(text) {
		if strings.IndexByte(`\.[*^$`, text[i]) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

// fixed is an expression that is a text.
type fixed string

// Match implements expression.
func (f fixed) Match(text string) (bool, error) { return strings.Contains(text, string(f)), nil }

// All implements expression.
func (f fixed) All(text string, n int) ([][]int, error) {
	var all [][]int
	for from := 0; n < 0 || len(all) < n; {
		i := strings.Index(text[from:], string(f))
		if i < 0 || f == "" {
			break
		}
		all = append(all, []int{from + i, from + i + len(f)})
		from += i + len(f)
	}
	return all, nil
}

// perlExpression is an expression of Perl's, as far as package regexp reads it; that
// part means the same in both.
type perlExpression struct{ *regexp.Regexp }

// Match implements expression.
func (e perlExpression) Match(text string) (bool, error) { return e.MatchString(text), nil }

// All implements expression.
func (e perlExpression) All(text string, n int) ([][]int, error) {
	return e.FindAllStringIndex(text, n), nil
}

func (o *grepOptions) perl(pattern string) (expression, error) {
	source := pattern
	if o.words {
		source = `(?:\b|^)(?:` + source + `)(?:\b|$)`
	}
	if o.lines {
		source = `^(?:` + source + `)$`
	}
	if o.fold {
		source = "(?i)" + source
	}
	expr, err := regexp.Compile(source)
	if err != nil {
		return nil, shell.Unsupported("grep: the Perl expression %q", pattern)
	}
	return perlExpression{expr}, nil
}
