package regex

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

// Regexp is an expression that is ready for use. It may be used by several
// goroutines.
type Regexp struct {
	root   *node
	groups int
	bytes  bool
	steps  int // that finding a match may take
	fold   bool
	back   bool // has back-references
	words  bool // asks where words are, which package regexp knows of ASCII only
	row    *row // nil where it is none

	once  sync.Once      // prepares what follows
	fast  *regexp.Regexp // nil where package regexp cannot find the match
	whole *regexp.Regexp // that reports whether there is a match, for Words; else nil
	plain *node          // the expression as it was read, until then
	o     Options
}

// maxExpression bounds the length of an expression, bytes, and maxCost the parts that
// it has when repetitions are written out. maxRow is up to which length, in bytes, a text
// is looked through for a row without package regexp.
const (
	maxExpression = 64 << 10
	maxCost       = 100_000
	maxRow        = 1 << 10
)

// cost returns how many parts n has, each as often as it must be repeated.
func cost(n *node) int {
	sum := 1
	for _, sub := range n.subs {
		sum += cost(sub)
	}
	if n.kind == kRepeat {
		sum *= max(n.lo, n.hi, 1)
	}
	return min(sum, maxCost+1)
}

// Compile reads an expression.
func Compile(expr string, o Options) (*Regexp, error) {
	if len(expr) > maxExpression {
		return nil, ErrSize
	}
	if o.Bytes {
		expr = widen(expr)
	}
	p := &parser{src: expr, o: o, closed: map[int]bool{}}
	root, err := p.parse()
	if err != nil {
		return nil, err
	}
	re := &Regexp{root: root, groups: p.groups, bytes: o.Bytes, fold: o.FoldCase, back: p.back, steps: cmp.Or(o.Steps, defaultSteps)}
	if o.NoGroups && !p.back {
		re.groups = 0
		ungroup(root)
	}
	if cost(root) > maxCost {
		return nil, ErrSize
	}
	re.plain, re.o = root, o
	switch {
	case o.Whole:
		re.root = around(p, textStart, re.root, textEnd)
	case o.Words:
		re.root = around(p, notAfterWord, re.root, notBeforeWord)
	case o.Prefix:
		re.root = &node{kind: kSeq, subs: []*node{p.assertion(textStart), re.root}}
	}
	re.words, re.row = asksForWords(re.root), rowOf(re.root)
	return re, nil
}

func around(p *parser, before place, n *node, after place) *node {
	return &node{kind: kSeq, subs: []*node{p.assertion(before), n, p.assertion(after)}}
}

// prepare decides what package regexp does, when it is first asked for.
func (re *Regexp) prepare() {
	re.once.Do(func() {
		if re.back {
			return
		}
		re.fast = translate(re.root, re.o, "%s")
		if re.fast == nil && re.o.Words {
			re.whole = translate(re.plain, re.o, `(?:\A|[^0-9A-Za-z_])(?:%s)(?:[^0-9A-Za-z_]|\z)`)
		}
		re.plain = nil
	})
}

func translate(n *node, o Options, format string) *regexp.Regexp {
	var b strings.Builder
	if !write(&b, n) {
		return nil
	}
	flags := "(?s)"
	if o.FoldCase {
		flags = "(?si)"
	}
	fast, err := regexp.Compile(flags + fmt.Sprintf(format, b.String()))
	if err != nil {
		return nil // too many repetitions
	}
	fast.Longest()
	return fast
}

// ungroup makes groups plain brackets.
func ungroup(n *node) {
	if n.kind == kGroup {
		n.kind = kSeq
	}
	for _, sub := range n.subs {
		ungroup(sub)
	}
}

// asksForWords reports whether n has assertions about words.
func asksForWords(n *node) bool {
	return n.kind == kAssert && n.place >= wordEdge || slices.ContainsFunc(n.subs, asksForWords)
}

var places = map[place]string{
	lineStart: `(?m:^)`, lineEnd: `(?m:$)`, textStart: `\A`, textEnd: `\z`, wordEdge: `\b`, notWordEdge: `\B`,
}

// write writes n in the language of package regexp, and reports whether it can be.
func write(b *strings.Builder, n *node) bool {
	switch n.kind {
	case kSet:
		n.set.write(b)
	case kAssert:
		text, ok := places[n.place]
		b.WriteString(text)
		return ok
	case kBack:
		return false
	case kSeq:
		for i, sub := range n.subs {
			if sub.kind == kAssert && edge(n.subs, i) {
				b.WriteString(`\b`)
			} else if !writeIn(b, sub, "(?:", sub.kind == kAlt) {
				return false
			}
		}
	case kAlt:
		for i, sub := range n.subs {
			if i > 0 {
				b.WriteByte('|')
			}
			if !write(b, sub) {
				return false
			}
		}
	case kGroup:
		return writeIn(b, n.subs[0], "(", true)
	case kRepeat:
		if !writeIn(b, n.subs[0], "(?:", n.subs[0].kind != kSet) {
			return false
		}
		b.WriteString(n.operator())
	}
	return true
}

func writeIn(b *strings.Builder, n *node, open string, bracketed bool) bool {
	if !bracketed {
		return write(b, n)
	}
	b.WriteString(open)
	ok := write(b, n)
	b.WriteByte(')')
	return ok
}

func (n *node) operator() string {
	switch {
	case n.lo == 0 && n.hi < 0:
		return "*"
	case n.lo == 1 && n.hi < 0:
		return "+"
	case n.hi < 0:
		return fmt.Sprintf("{%d,}", n.lo)
	}
	return fmt.Sprintf("{%d,%d}", n.lo, n.hi)
}

// edge reports whether the start or the end of a word, subs[i], is any edge of a
// word, since only characters of words come after or before it.
func edge(subs []*node, i int) bool {
	switch subs[i].place {
	case wordStart:
		return i+1 < len(subs) && wordy(subs[i+1], func(n *node) *node { return n.subs[0] })
	case wordEnd:
		return i > 0 && wordy(subs[i-1], func(n *node) *node { return n.subs[len(n.subs)-1] })
	}
	return false
}

// wordy reports whether the outer character of whatever n matches is one of words;
// outer returns the first or the last part of a sequence.
func wordy(n *node, outer func(*node) *node) bool {
	switch n.kind {
	case kSet:
		return n.set.onlyWords()
	case kGroup:
		return wordy(n.subs[0], outer)
	case kRepeat:
		return n.lo > 0 && wordy(n.subs[0], outer)
	case kSeq:
		return len(n.subs) > 0 && wordy(outer(n), outer)
	case kAlt:
		for _, sub := range n.subs {
			if !wordy(sub, outer) {
				return false
			}
		}
		return true
	}
	return false
}

func (s *set) write(b *strings.Builder) {
	if len(s.ranges) == 0 && len(s.tables) == 0 { // none of nothing: any
		b.WriteByte('.')
		return
	}
	b.WriteByte('[')
	if s.not {
		b.WriteByte('^')
	}
	for i := 0; i < len(s.ranges); i += 2 {
		fmt.Fprintf(b, `\x{%x}`, s.ranges[i])
		if s.ranges[i+1] != s.ranges[i] {
			fmt.Fprintf(b, `-\x{%x}`, s.ranges[i+1])
		}
	}
	b.WriteString(s.props)
	b.WriteByte(']')
}

// Groups returns the number of groups of the expression.
func (re *Regexp) Groups() int { return re.groups }

// Match reports whether text has a match. The error is [ErrSteps].
func (re *Regexp) Match(text string) (bool, error) {
	if re.bytes {
		text = widen(text)
	}
	if re.row != nil && len(text) <= maxRow {
		return re.row.match(text), nil
	}
	switch fast := re.fastFor(text); {
	case fast != nil:
		return fast.MatchString(text), nil
	case re.whole != nil && isASCII(text):
		return re.whole.MatchString(text), nil
	}
	loc, err := re.search(text, 0)
	return loc != nil, err
}

// fastFor returns the expression that finds matches in text, nil where that is to be
// done here.
func (re *Regexp) fastFor(text string) *regexp.Regexp {
	re.prepare()
	if re.words && !re.bytes && !isASCII(text) {
		return nil
	}
	return re.fast
}

// Find returns the leftmost-longest match: where it starts and ends, then where
// each group does, -1 for those without a match; nil where there is none. The
// error is [ErrSteps].
func (re *Regexp) Find(text string) ([]int, error) {
	all, err := re.All(text, 1)
	if len(all) == 0 {
		return nil, err
	}
	return all[0], err
}

// All returns the first n matches, all where n < 0, that do not overlap. An empty
// match right behind another is none.
func (re *Regexp) All(text string, n int) ([][]int, error) {
	narrow := text
	if re.bytes {
		text = widen(text)
	}
	var all [][]int
	var err error
	if fast := re.fastFor(text); fast != nil {
		all = fast.FindAllStringSubmatchIndex(text, n)
	} else {
		all, err = re.searchAll(text, n)
	}
	if len(narrow) != len(text) {
		narrowAll(text, all)
	}
	return all, err
}

// narrowAll changes positions in a text with wide bytes into those in the text
// itself.
func narrowAll(wide string, all [][]int) {
	at := make([]int, len(wide)+1)
	count := 0
	for i, r := range wide {
		at[i] = count
		count++
		_ = r
	}
	at[len(wide)] = utf8.RuneCountInString(wide)
	for _, loc := range all {
		for i, pos := range loc {
			if pos >= 0 {
				loc[i] = at[pos]
			}
		}
	}
}
