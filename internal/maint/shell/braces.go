package shell

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// maxBraces bounds the words that bash's braces make of one, and maxBracePairs those
// braces.
const (
	maxBraces     = 10_000
	maxBracePairs = 100
)

// hasBraces reports whether a word may be one that bash takes apart at its braces.
func hasBraces(w *syntax.Word) bool {
	return slices.ContainsFunc(w.Parts, func(p syntax.WordPart) bool {
		l, ok := p.(*syntax.Lit)
		return ok && strings.IndexByte(l.Value, '{') >= 0
	})
}

// braces calls do for each of the words that bash makes of one: "a{b,c}" is ab and
// ac.
func (r *run) braces(w *syntax.Word, do func(*syntax.Word) error) error {
	c := *w
	c.Parts = slices.Clone(w.Parts)
	if !syntax.SplitBraces(&c) {
		return do(w)
	}
	if len(c.Parts) > 4*maxBracePairs {
		return &LimitError{fmt.Sprintf("a word with %d parts and braces", len(c.Parts))}
	}
	for i, p := range c.Parts[:len(c.Parts)-1] {
		if pe, ok := p.(*syntax.ParamExp); ok && pe.Short {
			if _, ok := c.Parts[i+1].(*syntax.BraceExp); ok {
				return Unsupported("$%s before braces", pe.Param.Value) // which bash takes apart first
			}
		}
	}
	n := 0
	return r.braced(nil, c.Parts, func(parts []syntax.WordPart) error {
		if n++; n > maxBraces {
			return &LimitError{fmt.Sprintf("%d words of braces", maxBraces)}
		}
		if len(parts) == 0 {
			return nil
		}
		return do(&syntax.Word{Parts: parts})
	})
}

// braced calls do for what the parts after left make.
func (r *run) braced(left, parts []syntax.WordPart, do func([]syntax.WordPart) error) error {
	if err := r.enter(); err != nil {
		return err
	}
	defer r.leave()
	if err := r.step(); err != nil {
		return err
	}
	for i, p := range parts {
		b, ok := p.(*syntax.BraceExp)
		if !ok {
			left = append(left[:len(left):len(left)], p)
			continue
		}
		rest := parts[i+1:]
		each := func(elem []syntax.WordPart) error {
			return r.braced(left, slices.Concat(elem, rest), do)
		}
		if b.Sequence {
			return sequence(b, func(s string) error { return each([]syntax.WordPart{&syntax.Lit{Value: s}}) })
		}
		for _, e := range b.Elems {
			if err := each(e.Parts); err != nil {
				return err
			}
		}
		return nil
	}
	return do(left)
}

// sequence calls do for the texts of "{1..10..2}" and "{a..z}".
func sequence(b *syntax.BraceExp, do func(string) error) error {
	from, to := b.Elems[0].Lit(), b.Elems[1].Lit()
	step := int64(1)
	if len(b.Elems) > 2 {
		n, err := strconv.ParseInt(b.Elems[2].Lit(), 10, 32)
		if err != nil {
			return Unsupported("the steps of {%s..%s..}", from, to)
		}
		step = max(n, -n, 1)
	}
	x, err1 := strconv.ParseInt(from, 10, 32)
	y, err2 := strconv.ParseInt(to, 10, 32)
	text := func(n int64) string { return strconv.FormatInt(n, 10) }
	switch {
	case err1 == nil && err2 == nil:
		if zeros(from) || zeros(to) {
			width := max(len(from), len(to))
			text = func(n int64) string { return fmt.Sprintf("%0*d", width, n) }
		}
	case len(from) == 1 && len(to) == 1:
		x, y = int64(from[0]), int64(to[0])
		text = func(n int64) string { return quoteByte(byte(n)) }
	default:
		return &LimitError{fmt.Sprintf("{%s..%s}", from, to)}
	}
	if x > y {
		step = -step
	}
	for n := x; step > 0 && n <= y || step < 0 && n >= y; n += step {
		if err := do(text(n)); err != nil {
			return err
		}
	}
	return nil
}

func zeros(s string) bool {
	s = strings.TrimPrefix(s, "-")
	return len(s) > 1 && s[0] == '0'
}

func quoteByte(c byte) string {
	if isNameChar(c) {
		return string(rune(c))
	}
	return `\` + string(rune(c))
}
