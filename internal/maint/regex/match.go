package regex

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strings"
	"unicode/utf8"
)

// defaultSteps bounds how many positions are tried for one call, maxRounds how often
// in a match a part may be repeated that is more than a character.
const (
	defaultSteps = 1_000_000
	maxRounds    = 100_000
)

// state is one way to have matched a part: up to where, with which groups.
type state struct {
	end    int
	groups []int // shared, never changed
}

// matcher finds all ends of a match, in the order of preference: the first
// alternative before the second, many repetitions before few. The longest match is
// taken, and of those with the same end the first. That is how glibc chooses what
// groups match, and package regexp too, though not what POSIX says.
type matcher struct {
	text  string
	fold  bool
	back  bool // the groups decide what else can match
	steps int  // that are left
}

// search returns the leftmost-longest match at or behind from.
func (re *Regexp) search(text string, from int) ([]int, error) {
	m := &matcher{text: text, fold: re.fold, back: re.back, steps: re.steps}
	return re.searchWith(m, from)
}

func (re *Regexp) searchWith(m *matcher, from int) ([]int, error) {
	none := slices.Repeat([]int{-1}, 2*re.groups)
	for start := from; start <= len(m.text); {
		found, err := m.ends(re.root, state{start, none})
		if err != nil {
			return nil, err
		}
		if len(found) > 0 {
			best := slices.MaxFunc(found, func(a, b state) int { return cmp.Compare(a.end, b.end) }) // the first of them
			return append([]int{start, best.end}, best.groups...), nil
		}
		start += width(m.text, start)
	}
	return nil, nil
}

// width returns the size of the character at a position, at least 1.
func width(text string, at int) int {
	_, size := utf8.DecodeRuneInString(text[at:])
	return max(size, 1)
}

// searchAll returns the first n matches, as package regexp does.
func (re *Regexp) searchAll(text string, n int) ([][]int, error) {
	m := &matcher{text: text, fold: re.fold, back: re.back, steps: re.steps}
	var all [][]int
	last := -1
	for from := 0; from <= len(text) && (n < 0 || len(all) < n); {
		loc, err := re.searchWith(m, from)
		if loc == nil {
			return all, err
		}
		if loc[1] > loc[0] || loc[0] != last {
			all = append(all, loc)
		}
		last = loc[1]
		if from = loc[1]; loc[1] == loc[0] {
			from += width(text, from)
		}
	}
	return all, nil
}

func (m *matcher) step(n int) error {
	if m.steps -= n; m.steps < 0 {
		return ErrSteps
	}
	return nil
}

// ends returns all ways in which n matches behind s.
func (m *matcher) ends(n *node, s state) ([]state, error) {
	if err := m.step(1); err != nil {
		return nil, err
	}
	switch n.kind {
	case kSet:
		if s.end < len(m.text) {
			if r, size := utf8.DecodeRuneInString(m.text[s.end:]); n.set.has(r) {
				return []state{{s.end + size, s.groups}}, nil
			}
		}
	case kAssert:
		if m.at(n.place, s.end) {
			return []state{s}, nil
		}
	case kBack:
		if end, ok := m.again(s, n.number); ok {
			return []state{{end, s.groups}}, nil
		}
	case kSeq:
		return m.sequence(n, s)
	case kAlt:
		return m.any(n, s)
	case kGroup:
		return m.group(n, s)
	case kRepeat:
		if n.subs[0].kind == kSet {
			return m.run(n, s)
		}
		return m.repeat(n, s)
	}
	return nil, nil
}

func (m *matcher) sequence(n *node, s state) ([]state, error) {
	current := []state{s}
	for _, sub := range n.subs {
		var next []state
		seen := m.newSeen()
		for _, c := range current {
			found, err := m.ends(sub, c)
			if err != nil {
				return nil, err
			}
			for _, f := range found {
				if seen.add(f) {
					next = append(next, f)
				}
			}
		}
		if current = next; len(current) == 0 {
			return nil, nil
		}
	}
	return current, nil
}

func (m *matcher) any(n *node, s state) ([]state, error) {
	var all []state
	seen := m.newSeen()
	for _, sub := range n.subs {
		found, err := m.ends(sub, s)
		if err != nil {
			return nil, err
		}
		for _, f := range found {
			if seen.add(f) {
				all = append(all, f)
			}
		}
	}
	return all, nil
}

func (m *matcher) group(n *node, s state) ([]state, error) {
	found, err := m.ends(n.subs[0], s)
	if n.number*2 > len(s.groups) {
		return found, err
	}
	for i, f := range found {
		groups := slices.Clone(f.groups)
		groups[2*n.number-2], groups[2*n.number-1] = s.end, f.end
		found[i].groups = groups
	}
	return found, err
}

// run repeats a single character.
func (m *matcher) run(n *node, s state) ([]state, error) {
	ends, at := []int{s.end}, s.end
	for at < len(m.text) && (n.hi < 0 || len(ends) <= n.hi) {
		r, size := utf8.DecodeRuneInString(m.text[at:])
		if !n.subs[0].set.has(r) {
			break
		}
		at += size
		ends = append(ends, at)
	}
	if err := m.step(len(ends)); err != nil {
		return nil, err
	}
	var all []state
	for i := len(ends) - 1; i >= n.lo; i-- {
		all = append(all, state{ends[i], s.groups})
	}
	return all, nil
}

// repeat repeats anything.
func (m *matcher) repeat(n *node, s state) ([]state, error) {
	r := &repetition{m: m, n: n, seen: m.newSeen(), tried: map[int]*seenStates{}}
	if err := r.from(s, 0); err != nil {
		return nil, err
	}
	return r.found, nil
}

type repetition struct {
	m     *matcher
	n     *node
	seen  *seenStates
	tried map[int]*seenStates // by how often, up to lo
	found []state
}

// from goes on after count repetitions.
func (r *repetition) from(s state, count int) error {
	level := count
	if r.n.hi < 0 {
		level = min(count, r.n.lo) // beyond, it does not matter how often
	}
	if r.tried[level] == nil {
		r.tried[level] = r.m.newSeen()
	}
	if !r.tried[level].add(s) {
		return nil
	}
	if count > maxRounds {
		return ErrSteps
	}
	if r.n.hi < 0 || count < r.n.hi {
		found, err := r.m.ends(r.n.subs[0], s)
		if err != nil {
			return err
		}
		for _, f := range found {
			if f.end == s.end && count >= r.n.lo && count > 0 {
				continue // nothing, once more
			}
			next := count + 1
			if f.end == s.end {
				next = max(next, r.n.lo)
			}
			if err := r.from(f, next); err != nil {
				return err
			}
		}
	}
	if count >= r.n.lo && r.seen.add(s) {
		r.found = append(r.found, s)
	}
	return nil
}

// seenStates is a set of states: of their ends, and of their groups too where those
// decide what else can match.
type seenStates struct {
	back   bool
	ends   map[int]bool
	groups map[string]bool
}

func (m *matcher) newSeen() *seenStates { return &seenStates{back: m.back} }

// add reports whether s was not there before.
func (v *seenStates) add(s state) bool {
	if v.back {
		key := make([]byte, 0, 64)
		key = binary.AppendVarint(key, int64(s.end))
		for _, at := range s.groups {
			key = binary.AppendVarint(key, int64(at))
		}
		if v.groups[string(key)] {
			return false
		}
		if v.groups == nil {
			v.groups = map[string]bool{}
		}
		v.groups[string(key)] = true
		return true
	}
	if v.ends[s.end] {
		return false
	}
	if v.ends == nil {
		v.ends = map[int]bool{}
	}
	v.ends[s.end] = true
	return true
}

// again matches what a group has matched before.
func (m *matcher) again(s state, number int) (end int, ok bool) {
	from, to := s.groups[2*number-2], s.groups[2*number-1]
	if from < 0 {
		return 0, false
	}
	size := to - from
	if s.end+size > len(m.text) {
		return 0, false
	}
	was, is := m.text[from:to], m.text[s.end:s.end+size]
	return s.end + size, was == is || m.fold && strings.EqualFold(was, is)
}

// at reports whether a position is such a place.
func (m *matcher) at(p place, pos int) bool {
	before, after := m.wordBefore(pos), m.wordAfter(pos)
	switch p {
	case lineStart:
		return pos == 0 || m.text[pos-1] == '\n'
	case lineEnd:
		return pos == len(m.text) || m.text[pos] == '\n'
	case textStart:
		return pos == 0
	case textEnd:
		return pos == len(m.text)
	case wordEdge:
		return before != after
	case notWordEdge:
		return before == after
	case wordStart:
		return !before && after
	case wordEnd:
		return before && !after
	case notAfterWord:
		return !before
	}
	return !after // notBeforeWord
}

func (m *matcher) wordBefore(pos int) bool {
	r, size := utf8.DecodeLastRuneInString(m.text[:pos])
	return size > 0 && isWord(r)
}

func (m *matcher) wordAfter(pos int) bool {
	r, size := utf8.DecodeRuneInString(m.text[pos:])
	return size > 0 && isWord(r)
}
