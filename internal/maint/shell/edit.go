package shell

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"mvdan.cc/sh/v3/syntax"
)

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
