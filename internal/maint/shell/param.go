package shell

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"mvdan.cc/sh/v3/syntax"
)

// parameter is the value of one.
type parameter struct {
	name  string
	text  string
	list  []string // of "@" and "*", and of whole arrays
	all   byte     // '@' or '*' where it is a list, else 0
	isSet bool
}

// param adds the expansion of a parameter (XCU 2.6.2).
func (x *expander) param(pe *syntax.ParamExp, q quoting, literals bool) error {
	if err := x.r.knows(pe); err != nil {
		return err
	}
	v, err := x.r.parameter(pe)
	if err != nil {
		return err
	}
	switch {
	case pe.Length:
		return x.length(v, q)
	case pe.Excl:
		return x.indirect(pe, v, q)
	case pe.Slice != nil:
		if v, err = x.r.slice(pe.Slice, v); err != nil {
			return err
		}
	case pe.Repl != nil:
		if v, err = x.r.replace(pe.Repl, v); err != nil {
			return err
		}
	case pe.Exp != nil:
		return x.operator(pe, v, q)
	}
	if !v.isSet && v.all == 0 && x.r.opts.nounset {
		return x.r.unsetParameter(v.name)
	}
	return x.values(v, q)
}

// knows refuses what the shell of the script does not have: dash ends a script that
// comes to it.
func (r *run) knows(pe *syntax.ParamExp) error {
	if pe.Param == nil || pe.Width || pe.IsSet || pe.Flags != nil || pe.NestedParam != nil || len(pe.Modifiers) > 0 {
		return Unsupported("this form of parameter expansion")
	}
	if !r.bash {
		bashOnly := pe.Excl || pe.Slice != nil || pe.Repl != nil || pe.Index != nil || pe.Names != 0
		if pe.Exp != nil {
			bashOnly = bashOnly || pe.Exp.Op >= syntax.UpperFirst
		}
		if bashOnly {
			return r.bad("Bad substitution")
		}
		return nil
	}
	if machineVariables[pe.Param.Value] && r.find(pe.Param.Value) == nil {
		return Unsupported("the variable %s", pe.Param.Value)
	}
	return nil
}

// parameter returns the value of a parameter, before its operator.
func (r *run) parameter(pe *syntax.ParamExp) (parameter, error) {
	name := pe.Param.Value
	p := parameter{name: name}
	switch name {
	case "@", "*":
		p.list, p.all, p.isSet = r.params, name[0], len(r.params) > 0
		return p, nil
	}
	if value, set, ok := r.special(name); ok {
		p.text, p.isSet = value, set
		return p, nil
	}
	v := r.find(name)
	if pe.Index != nil {
		return r.element(pe, v)
	}
	if v != nil && v.set {
		p.text, p.isSet = v.value, !v.isList || len(v.list) > 0
	}
	return p, nil
}

// element returns an element of an array, or all of them.
func (r *run) element(pe *syntax.ParamExp, v *variable) (parameter, error) {
	p := parameter{name: pe.Param.Value}
	var list []string
	switch {
	case v == nil || !v.set:
	case v.isList:
		list = v.list
	default:
		list = []string{v.value}
	}
	if w, ok := pe.Index.(*syntax.Word); ok && (w.Lit() == "@" || w.Lit() == "*") {
		p.list, p.all, p.isSet = list, w.Lit()[0], len(list) > 0
		return p, nil
	}
	i, err := r.number(pe.Index)
	if err != nil {
		return p, err
	}
	if i < 0 {
		i += int64(len(list))
	}
	if i >= 0 && i < int64(len(list)) {
		p.text, p.isSet = list[i], true
	}
	return p, nil
}

// values adds the value of a parameter.
func (x *expander) values(v parameter, q quoting) error {
	if v.all == 0 {
		return x.result(v.text, q)
	}
	if !x.split || q != unquoted && v.all == '*' {
		return x.add(x.r.joinList(v, x.ifs), q != unquoted)
	}
	for i, e := range v.list {
		if i > 0 {
			if err := x.end(); err != nil {
				return err
			}
		}
		if err := x.result(e, q); err != nil {
			return err
		}
	}
	return nil
}

// joinList returns a list as one text: with the first character of IFS between, but
// for bash's "@".
func (r *run) joinList(v parameter, ifs string) string {
	if r.bash && v.all == '@' {
		return strings.Join(v.list, " ")
	}
	return strings.Join(v.list, ifs[:min(1, len(ifs))])
}

func (x *expander) length(v parameter, q quoting) error {
	n := len(v.text)
	switch {
	case v.all != 0 && !x.r.bash: // dash's own
		n = len(x.r.joinList(v, x.ifs))
	case v.all != 0:
		n = len(v.list)
	case !v.isSet && x.r.opts.nounset:
		return x.r.unsetParameter(v.name)
	case x.r.bash:
		n = utf8.RuneCountInString(v.text)
	}
	return x.result(strconv.Itoa(n), q)
}

// unsetParameter is the error of set -u.
func (r *run) unsetParameter(name string) error {
	if r.bash {
		return r.fault("%s: unbound variable", name)
	}
	return r.fault("%s: parameter not set", name)
}

// operator adds the expansion of a parameter with an operator and a word.
func (x *expander) operator(pe *syntax.ParamExp, v parameter, q quoting) error {
	op, word := pe.Exp.Op, pe.Exp.Word
	there := v.isSet
	switch op {
	case syntax.AlternateUnsetOrNull, syntax.DefaultUnsetOrNull, syntax.ErrorUnsetOrNull, syntax.AssignUnsetOrNull:
		there = v.isSet && (v.text != "" || len(v.list) > 1 || len(v.list) == 1 && v.list[0] != "")
	}
	switch op {
	case syntax.AlternateUnset, syntax.AlternateUnsetOrNull:
		if there {
			return x.alternative(word, q)
		}
		return x.result("", q)
	case syntax.DefaultUnset, syntax.DefaultUnsetOrNull:
		if there {
			return x.values(v, q)
		}
		return x.alternative(word, q)
	case syntax.ErrorUnset, syntax.ErrorUnsetOrNull:
		if there {
			return x.values(v, q)
		}
		return x.r.missing(v.name, op, word)
	case syntax.AssignUnset, syntax.AssignUnsetOrNull:
		if there {
			return x.values(v, q)
		}
		return x.assignDefault(pe, q)
	}
	if !v.isSet && v.all == 0 && x.r.opts.nounset {
		return x.r.unsetParameter(v.name)
	}
	if v.all != 0 && !x.r.bash {
		return Unsupported("${%s%s...}", v.name, op)
	}
	v, err := x.r.each(v, func(s string) (string, error) { return x.r.edit(op, word, s) })
	if err != nil {
		return err
	}
	return x.values(v, q)
}

// each changes the value of a parameter, or each of its list.
func (r *run) each(v parameter, do func(string) (string, error)) (parameter, error) {
	if v.all == 0 {
		var err error
		v.text, err = do(v.text)
		return v, err
	}
	list := make([]string, len(v.list))
	for i, e := range v.list {
		var err error
		if list[i], err = do(e); err != nil {
			return v, err
		}
	}
	v.list = list
	return v, nil
}

// alternative adds the word of an operator in the place of the parameter.
func (x *expander) alternative(word *syntax.Word, q quoting) error {
	if word == nil {
		return x.result("", q)
	}
	if q == unquoted {
		return x.expand(word.Parts, unquoted, true, tildeFirst)
	}
	if err := x.expand(x.braced(word.Parts), q, false, noTilde); err != nil {
		return err
	}
	if !x.exists && !onlyList(word.Parts) {
		return x.add("", true)
	}
	return nil
}

// braced returns the parts of a word in braces in double quotes, where a backslash
// quotes the closing brace too.
func (x *expander) braced(parts []syntax.WordPart) []syntax.WordPart {
	var out []syntax.WordPart
	for i, p := range parts {
		if l, ok := p.(*syntax.Lit); ok && strings.Contains(l.Value, `\}`) {
			if out == nil {
				out = append(out, parts...)
			}
			c := *l
			c.Value = unbrace(l.Value)
			out[i] = &c
		}
	}
	if out == nil {
		return parts
	}
	return out
}

func unbrace(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
			if s[i] != '}' {
				b.WriteByte('\\')
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// onlyList reports whether a word is a list such as "$@" and nothing else, so that
// it may be no field at all.
func onlyList(parts []syntax.WordPart) bool {
	if len(parts) != 1 {
		return false
	}
	switch p := parts[0].(type) {
	case *syntax.DblQuoted:
		return onlyList(p.Parts)
	case *syntax.ParamExp:
		return p.Param != nil && p.Param.Value == "@"
	}
	return false
}

// missing ends the script with the message of ${name:?message}.
func (r *run) missing(name string, op syntax.ParExpOperator, word *syntax.Word) error {
	message := "parameter not set"
	if op == syntax.ErrorUnsetOrNull {
		message = "parameter not set or null"
	}
	if word != nil {
		s, err := r.literal(word)
		if err != nil {
			return err
		}
		if s != "" {
			message = s
		}
	}
	return r.fault("%s: %s", name, message)
}

// assignDefault gives a parameter the value of ${name:=value}.
func (x *expander) assignDefault(pe *syntax.ParamExp, q quoting) error {
	name := pe.Param.Value
	if !syntax.ValidName(name) || pe.Index != nil {
		return x.r.bad("%s: bad variable name", name)
	}
	s := ""
	if pe.Exp.Word != nil {
		y := x.r.expander(false)
		defer y.free()
		parts := pe.Exp.Word.Parts
		if q != unquoted {
			parts = x.braced(parts)
		}
		tilde := tildeFirst
		if q != unquoted {
			tilde = noTilde
		}
		if err := y.expand(parts, q, false, tilde); err != nil {
			return err
		}
		s = y.joined()
	}
	if err := x.r.assign(name, s); err != nil {
		return x.r.refuse("", err)
	}
	return x.result(s, q)
}

// edit applies the operators that make another text of a value.
func (r *run) edit(op syntax.ParExpOperator, word *syntax.Word, s string) (string, error) {
	switch op {
	case syntax.RemSmallPrefix, syntax.RemLargePrefix, syntax.RemSmallSuffix, syntax.RemLargeSuffix:
		p, err := r.patternOf(word)
		if err != nil {
			return "", err
		}
		return r.trim(op, p, s)
	case syntax.UpperFirst, syntax.UpperAll, syntax.LowerFirst, syntax.LowerAll:
		return r.changeCase(op, word, s)
	case syntax.OtherParamOps:
		arg, err := r.literal(word)
		if err != nil {
			return "", err
		}
		if arg == "Q" {
			return r.quote(s), nil
		}
	}
	return "", Unsupported("the operator %s in ${...}", op)
}

// trim removes a beginning or an end that matches.
func (r *run) trim(op syntax.ParExpOperator, p *pattern, s string) (string, error) {
	suffix := op == syntax.RemSmallSuffix || op == syntax.RemLargeSuffix
	if p.plain {
		if suffix {
			return strings.TrimSuffix(s, p.literal), nil
		}
		return strings.TrimPrefix(s, p.literal), nil
	}
	find := r.beginnings
	if suffix {
		find = r.endings
	}
	n, long, err := find(p, s)
	if err != nil || n < 0 {
		return s, err
	}
	if op == syntax.RemLargePrefix || op == syntax.RemLargeSuffix {
		n = long
	}
	if suffix {
		return s[:len(s)-n], nil
	}
	return s[n:], nil
}

func (r *run) changeCase(op syntax.ParExpOperator, word *syntax.Word, s string) (string, error) {
	if word != nil && len(word.Parts) > 0 {
		return "", Unsupported("a pattern after the operator %s", op)
	}
	change := strings.ToLower
	if op == syntax.UpperFirst || op == syntax.UpperAll {
		change = strings.ToUpper
	}
	if op == syntax.UpperAll || op == syntax.LowerAll {
		return change(s), nil
	}
	_, n := utf8.DecodeRuneInString(s)
	return change(s[:n]) + s[n:], nil
}

// slice is bash's ${name:offset:length}.
func (r *run) slice(sl *syntax.Slice, v parameter) (parameter, error) {
	offset, err := r.number(sl.Offset)
	if err != nil {
		return v, err
	}
	length, limited := int64(0), sl.Length != nil
	if limited {
		if length, err = r.number(sl.Length); err != nil {
			return v, err
		}
	}
	list, chars := v.list, []rune(nil)
	if v.all == 0 {
		chars = []rune(v.text)
	} else if v.name == "@" || v.name == "*" {
		list = append([]string{r.name}, list...)
	}
	n := int64(max(len(list), len(chars)))
	if offset < 0 {
		offset += n
	}
	end := n
	switch {
	case limited && length >= 0:
		end = min(n, offset+min(length, n))
	case limited && v.all != 0:
		return v, r.bad("%s: substring expression < 0", v.name)
	case limited:
		if end = n + length; end < offset {
			return v, r.bad("%s: substring expression < 0", v.name)
		}
	}
	if offset < 0 || offset > n {
		v.text, v.list = "", nil
		return v, nil
	}
	if v.all != 0 {
		v.list = list[offset:end]
	} else {
		v.text = string(chars[offset:end])
	}
	return v, nil
}

// replace is bash's ${name/pattern/text}.
func (r *run) replace(repl *syntax.Replace, v parameter) (parameter, error) {
	anchor := byte(0)
	orig := repl.Orig
	if orig != nil && !repl.All && len(orig.Parts) > 0 {
		if l, ok := orig.Parts[0].(*syntax.Lit); ok && l.Value != "" && (l.Value[0] == '#' || l.Value[0] == '%') {
			anchor = l.Value[0]
			c, first := *orig, *l
			first.Value = l.Value[1:]
			c.Parts = append([]syntax.WordPart{&first}, orig.Parts[1:]...)
			orig = &c
		}
	}
	p, err := r.patternOf(orig)
	if err != nil {
		return v, err
	}
	with, err := r.literal(repl.With)
	if err != nil {
		return v, err
	}
	if len(p.tokens) == 0 && anchor == 0 {
		return v, nil
	}
	return r.each(v, func(s string) (string, error) { return r.replaceIn(s, p, with, anchor, repl.All) })
}

func (r *run) replaceIn(s string, p *pattern, with string, anchor byte, all bool) (string, error) {
	switch anchor {
	case '#':
		_, n, err := r.beginnings(p, s)
		if err != nil || n < 0 {
			return s, err
		}
		return with + s[n:], nil
	case '%':
		_, n, err := r.endings(p, s)
		if err != nil || n < 0 {
			return s, err
		}
		return s[:len(s)-n] + with, nil
	}
	if p.plain {
		n := 1
		if all {
			n = strings.Count(s, p.literal)
		}
		if size := len(s) + n*len(with); size > maxValue {
			return "", &LimitError{fmt.Sprintf("value of %d bytes", size)}
		}
		return strings.Replace(s, p.literal, with, n), nil
	}
	var b strings.Builder
	for s != "" {
		_, n, err := r.beginnings(p, s)
		if err != nil {
			return "", err
		}
		if n > 0 {
			b.WriteString(with)
			if s = s[n:]; !all {
				break
			}
		} else {
			_, n = decode(s, r.bash)
			b.WriteString(s[:n])
			s = s[n:]
		}
		if b.Len() > maxValue {
			return "", &LimitError{fmt.Sprintf("value of %d bytes", b.Len())}
		}
	}
	return b.String() + s, nil
}

// indirect is bash's ${!name}, and what else begins so.
func (x *expander) indirect(pe *syntax.ParamExp, v parameter, q quoting) error {
	switch {
	case pe.Names != 0:
		list := parameter{name: v.name, all: '@'}
		if pe.Names == syntax.NamesPrefix {
			list.all = '*'
		}
		for _, name := range x.r.vars.all() {
			if strings.HasPrefix(name, v.name) {
				list.list = append(list.list, name)
			}
		}
		return x.values(list, q)
	case v.all != 0 && v.name != "@" && v.name != "*":
		keys := parameter{name: v.name, all: v.all}
		for i := range v.list {
			keys.list = append(keys.list, strconv.Itoa(i))
		}
		return x.values(keys, q)
	case pe.Exp != nil || pe.Slice != nil || pe.Repl != nil || v.all != 0:
		return Unsupported("${!%s} with an operator", v.name)
	case !v.isSet || !syntax.ValidName(v.text) && len(v.text) != 1:
		return x.r.bad("%s: invalid indirect expansion", v.name)
	}
	to := &syntax.ParamExp{Param: &syntax.Lit{Value: v.text}}
	return x.param(to, q, false)
}
