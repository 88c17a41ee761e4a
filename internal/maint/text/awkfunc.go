package text

import (
	"math"
	"strings"
	"time"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

// awkFunc is a function of awk's own.
type awkFunc func(a *awk, args []awkExpr) awkValue

var (
	awkFunctions map[string]awkFunc
	awkArity     = map[string][2]int{
		"length": {0, 1}, "substr": {2, 3}, "index": {2, 2}, "split": {2, 3}, "sub": {2, 3}, "gsub": {2, 3}, "match": {2, 2},
		"sprintf": {1, 1 << 20}, "sin": {1, 1}, "cos": {1, 1}, "atan2": {2, 2}, "exp": {1, 1}, "log": {1, 1}, "sqrt": {1, 1},
		"int": {1, 1}, "rand": {0, 0}, "srand": {0, 1}, "tolower": {1, 1}, "toupper": {1, 1}, "system": {1, 1}, "close": {1, 2},
		"fflush": {0, 1}, "systime": {0, 0}, "strftime": {0, 3},
	}
)

func init() { // for they refer to the table by way of the parser
	awkFunctions = map[string]awkFunc{
		"length": awkLength, "substr": awkSubstr, "index": awkIndex, "split": awkSplit, "match": awkMatch,
		"sub":     func(a *awk, args []awkExpr) awkValue { return a.substitute(args, false) },
		"gsub":    func(a *awk, args []awkExpr) awkValue { return a.substitute(args, true) },
		"sprintf": awkSprintf,
		"sin":     awkMath(math.Sin), "cos": awkMath(math.Cos), "exp": awkMath(math.Exp), "log": awkMath(math.Log),
		"sqrt": awkMath(math.Sqrt), "int": awkMath(math.Trunc),
		"atan2": func(a *awk, args []awkExpr) awkValue {
			return awkNum(math.Atan2(args[0].eval(a).num(), args[1].eval(a).num()))
		},
		"rand":     func(a *awk, _ []awkExpr) awkValue { return awkNum(a.random.next()) },
		"srand":    awkSrand,
		"tolower":  func(a *awk, args []awkExpr) awkValue { return awkStr(lowerASCII(a.text(args[0]))) },
		"toupper":  func(a *awk, args []awkExpr) awkValue { return awkStr(upperASCII(a.text(args[0]))) },
		"system":   func(a *awk, args []awkExpr) awkValue { return awkInt(a.system(a.text(args[0]), nil, nil)) },
		"close":    func(a *awk, args []awkExpr) awkValue { return awkInt(a.close(a.text(args[0]))) },
		"fflush":   awkFlush,
		"systime":  func(a *awk, _ []awkExpr) awkValue { return awkInt(int(a.p.FS.Time)) },
		"strftime": awkStrftime,
	}
}

func (a *awk) text(e awkExpr) string { return e.eval(a).str(a.convfmt()) }

func awkMath(f func(float64) float64) awkFunc {
	return func(a *awk, args []awkExpr) awkValue { return awkNum(f(args[0].eval(a).num())) }
}

func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, s)
}

func upperASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' {
			r -= 'a' - 'A'
		}
		return r
	}, s)
}

func awkLength(a *awk, args []awkExpr) awkValue {
	if len(args) == 0 {
		return awkInt(a.size(a.field(0).str(a.convfmt())))
	}
	if v, ok := args[0].(*awkVarExpr); ok {
		if array := v.variable(a).array; array != nil {
			return awkInt(len(array.cells))
		}
	}
	return awkInt(a.size(a.text(args[0])))
}

// awkSubstr takes the characters whose positions are at least the rounded start and
// less than the rounded end.
func awkSubstr(a *awk, args []awkExpr) awkValue {
	text := a.text(args[0])
	from := args[1].eval(a).num()
	to := math.Inf(1)
	if len(args) == 3 {
		to = math.RoundToEven(from) + math.RoundToEven(args[2].eval(a).num())
	}
	from = math.Max(math.RoundToEven(from), 1)
	if math.IsNaN(from) || math.IsNaN(to) || to <= from {
		return awkStr("")
	}
	size := a.size(text)
	if from > float64(size) {
		return awkStr("")
	}
	first, last := int(from)-1, int(math.Min(to-1, float64(size)))
	if !a.chars {
		return awkStr(text[first:last])
	}
	return awkStr(string([]rune(text)[first:last]))
}

func awkIndex(a *awk, args []awkExpr) awkValue {
	text, part := a.text(args[0]), a.text(args[1])
	i := strings.Index(text, part)
	if i < 0 {
		return awkInt(0)
	}
	return awkInt(a.size(text[:i]) + 1)
}

func awkSplit(a *awk, args []awkExpr) awkValue {
	text := a.text(args[0])
	v, ok := args[1].(*awkVarExpr)
	if !ok {
		a.fail("split needs an array")
	}
	var parts []string
	switch {
	case len(args) < 3:
		parts = a.divide(text, a.special(specialFS), false)
	default:
		separator := a.pattern(args[2])
		if _, isRegex := args[2].(*awkRegexExpr); isRegex && len(separator) == 1 {
			separator = "(" + separator + ")"
		}
		parts = a.divide(text, separator, false)
	}
	array := v.variable(a).elements(a)
	array.clear()
	for i, part := range parts {
		*array.get(awkInt(i + 1).str("")) = awkFromIn(part)
	}
	return awkInt(len(parts))
}

func awkMatch(a *awk, args []awkExpr) awkValue {
	text := a.text(args[0])
	start, length := 0, -1
	if loc := a.find(text, a.pattern(args[1])); loc != nil {
		start, length = a.size(text[:loc[0]])+1, a.size(text[loc[0]:loc[1]])
	}
	a.globals[specialRSTART].value, a.globals[specialRLENGTH].value = awkInt(start), awkInt(length)
	return awkInt(start)
}

// substitute is sub and gsub.
func (a *awk) substitute(args []awkExpr, global bool) awkValue {
	pattern, repl := a.pattern(args[0]), a.text(args[1])
	var to awkPlace = &awkField{&awkConst{awkInt(0)}}
	if len(args) == 3 {
		place, ok := args[2].(awkPlace)
		if !ok {
			a.fail("the third argument of sub and gsub must be a variable")
		}
		to = place
	}
	text := a.text(to)
	var all [][]int
	if global {
		all = a.findAll(text, pattern)
	} else if loc := a.find(text, pattern); loc != nil {
		all = [][]int{loc}
	}
	if len(all) == 0 {
		return awkInt(0)
	}
	var b strings.Builder
	from := 0
	for _, loc := range all {
		b.WriteString(text[from:loc[0]])
		awkReplacement(&b, repl, text[loc[0]:loc[1]])
		from = loc[1]
		a.room(b.Len())
	}
	b.WriteString(text[from:])
	to.assign(a, awkStr(b.String()))
	return awkInt(len(all))
}

// awkReplacement writes a replacement, in which & is the match and \& is &.
func awkReplacement(b *strings.Builder, repl, match string) {
	for i := 0; i < len(repl); i++ {
		switch {
		case repl[i] == '\\' && i+1 < len(repl) && (repl[i+1] == '&' || repl[i+1] == '\\'):
			i++
			b.WriteByte(repl[i])
		case repl[i] == '&':
			b.WriteString(match)
		default:
			b.WriteByte(repl[i])
		}
	}
}

func (a *awk) sprintf(format string, values []awkValue) string {
	text, err := awkFormat(format, values, a.convfmt(), a.chars)
	if err == errMissingArgument {
		a.stop(err)
	}
	if err != nil {
		a.stop(&shell.LimitError{What: "awk: " + err.Error()})
	}
	a.room(len(text))
	return text
}

func awkSprintf(a *awk, args []awkExpr) awkValue {
	values := make([]awkValue, len(args)-1)
	format := a.text(args[0])
	for i, e := range args[1:] {
		values[i] = e.eval(a)
	}
	return awkStr(a.sprintf(format, values))
}

// awkRandom makes the same numbers for the same seed: there is no randomness in an
// image (Knuth, MMIX).
type awkRandom struct {
	state uint64
	seed  awkValue
}

func (r *awkRandom) next() float64 {
	r.state = r.state*6364136223846793005 + 1442695040888963407
	return float64(r.state>>11) / (1 << 53)
}

func awkSrand(a *awk, args []awkExpr) awkValue {
	was := a.random.seed
	a.random.seed = awkInt(int(a.p.FS.Time))
	if len(args) > 0 {
		a.random.seed = args[0].eval(a)
	}
	a.random.state = math.Float64bits(a.random.seed.num())
	return awkNum(was.num())
}

func awkFlush(a *awk, args []awkExpr) awkValue {
	if len(args) == 0 {
		a.check(a.out.flush())
		return awkInt(0)
	}
	if o := a.outputs[a.text(args[0])]; o != nil {
		a.check(o.flush())
		return awkInt(0)
	}
	return awkInt(-1)
}

func awkStrftime(a *awk, args []awkExpr) awkValue {
	format, at := "%c", a.p.FS.Time
	zone, err := timeZone(a.p)
	a.check(err)
	if len(args) > 0 {
		format = a.text(args[0])
	}
	if len(args) > 1 {
		at = int64(args[1].eval(a).num())
	}
	if len(args) > 2 && args[2].eval(a).truth() {
		zone = time.UTC
	}
	text, err := strftime(format, time.Unix(at, 0).In(zone))
	a.check(err)
	return awkStr(text)
}
