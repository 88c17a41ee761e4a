package resolve

import (
	"math/bits"
	"slices"
)

// Scores that decide which of two packages gives way: apt's defaults.
const (
	scoreEssential    = 100
	scoreAddProtected = 10000
	scoreAddEssential = 5000
)

// priorityScores is indexed by priority.
var priorityScores = [...]int{0, 3, 2, 1, -1, -2}

// scores weighs each name by its priority and by what is marked and relates to it.
func (s *solver) scores() []int {
	scores := make([]int, len(s.u.nodes))
	var walk []nodeID // what is to be installed
	for _, n := range s.u.walkOrder() {
		if s.states[n].install != none {
			walk = append(walk, n)
		}
	}
	for _, n := range walk {
		node, v := &s.u.nodes[n], s.states[n].install
		if node.essential || node.protected {
			scores[n] += scoreEssential
		}
		scores[n] += priorityScores[s.u.versions[v].priority]
		ds := s.dependenciesOf(v)
		for i := range ds {
			s.scoreTargets(&ds[i], scores)
		}
	}
	s.inheritScores(walk, scores)
	for n := range s.named {
		scores[n] += scoreAddProtected
	}
	for n := range s.u.nodes {
		if s.u.nodes[n].essential || s.u.nodes[n].protected {
			scores[n] += scoreAddEssential
		}
	}
	return scores
}

// scoreTargets gives a point to what the relation needs and takes one from what
// it excludes.
func (s *solver) scoreTargets(d *dependency, scores []int) {
	points := 1
	switch {
	case d.kind == suggests:
		return
	case d.kind.negative():
		points = -1
	}
	for _, a := range d.alternatives {
		if !d.kind.negative() || a.target != d.owner {
			v := s.states[a.target].install
			if a.relation.Operator != "" && (v == none || !a.relation.Admits(s.u.versions[v].number)) {
				continue
			}
			scores[a.target] += points
		}
		for _, owner := range s.providersOf(a.target, func(p *provide) bool {
			return (!d.kind.negative() || s.u.versions[p.version].node != d.owner) && admitsProvide(a.relation, p)
		}) {
			scores[owner] += points
		}
	}
}

// inheritScores lets a package inherit the scores of those that need it, and the
// providers of a name what the name inherited.
func (s *solver) inheritScores(walk []nodeID, scores []int) {
	old := slices.Clone(scores)
	for _, n := range walk {
		ds := s.dependenciesOf(s.states[n].install)
		for i := range ds {
			if ds[i].kind.negative() || ds[i].kind == suggests || old[n] <= 0 {
				continue
			}
			for _, a := range ds[i].alternatives {
				if s.states[a.target].install != none {
					scores[a.target] += old[n]
				}
			}
		}
	}
	for _, n := range walk {
		inherited := max(scores[n]-old[n], old[n]-scores[n])
		if inherited == 0 {
			continue
		}
		for _, owner := range s.providersOf(n, func(*provide) bool { return true }) {
			scores[owner] += inherited
		}
	}
}

// providersOf returns, each once, the names whose version to be installed
// provides n in a way that the filter accepts.
func (s *solver) providersOf(n nodeID, accept func(*provide) bool) []nodeID {
	var owners []nodeID
	for i := s.u.nodes[n].provided; i != none; i = s.u.provides[i].next {
		p := &s.u.provides[i]
		owner := s.u.versions[p.version].node
		if s.states[owner].install == p.version && accept(p) && !slices.Contains(owners, owner) {
			owners = append(owners, owner)
		}
	}
	return owners
}

// walkOrder returns all names in the order in which apt walks them, that of its
// hash table. It shows where apt treats packages of equal score one by one.
func (u *Universe) walkOrder() []nodeID {
	u.walkOnce.Do(func() {
		hashes := make([]uint32, len(u.nodes))
		names := make([]string, len(u.nodes))
		u.walk = make([]nodeID, len(u.nodes))
		for n := range u.nodes {
			u.walk[n] = nodeID(n)
			names[n] = u.nodes[n].String()
			hashes[n] = bucket(names[n])
		}
		slices.SortFunc(u.walk, func(a, b nodeID) int {
			if hashes[a] != hashes[b] {
				return int(hashes[a]) - int(hashes[b])
			}
			if len(names[a]) != len(names[b]) {
				return len(names[a]) - len(names[b])
			}
			if names[a] < names[b] {
				return -1
			}
			return 1
		})
	})
	return u.walk
}

// bucket returns the place of a name in a table of the size of apt's.
func bucket(name string) uint32 {
	const tableSize = 196613
	hash := uint32(5381)
	for i := range len(name) {
		hash = 33*hash + uint32(name[i]|0x20)
	}
	return hash % tableSize
}

// byScore returns all names from the highest score down. Which of several equal
// ones comes first is up to the sorting algorithm; to meet apt's choices it has
// to be the same, the introsort of the GNU C++ library.
func (u *Universe) byScore(scores []int) []nodeID {
	order := slices.Clone(u.walkOrder())
	before := func(a, b nodeID) bool { return scores[a] > scores[b] }
	introsort(order, 2*(bits.Len(uint(len(order)))-1), before)
	insertionSort(order, before)
	return order
}

// smallRun is the length of a run that introsort leaves to insertionSort.
const smallRun = 16

func introsort(a []nodeID, depth int, before func(a, b nodeID) bool) {
	for len(a) > smallRun {
		if depth == 0 {
			// Only an adversary's input gets here; apt would heapsort.
			slices.SortStableFunc(a, func(x, y nodeID) int {
				return compareTrue(before(x, y), before(y, x))
			})
			return
		}
		depth--
		median := medianOf(a, 1, len(a)/2, len(a)-1, before)
		a[0], a[median] = a[median], a[0]
		cut := partition(a, before)
		introsort(a[cut:], depth, before)
		a = a[:cut]
	}
}

// medianOf returns which of three elements is the median.
func medianOf(a []nodeID, x, y, z int, before func(a, b nodeID) bool) int {
	if before(a[x], a[y]) {
		switch {
		case before(a[y], a[z]):
			return y
		case before(a[x], a[z]):
			return z
		}
		return x
	}
	switch {
	case before(a[x], a[z]):
		return x
	case before(a[y], a[z]):
		return z
	}
	return y
}

// partition parts a around its first element and returns where the second part begins.
func partition(a []nodeID, before func(a, b nodeID) bool) int {
	pivot := a[0]
	low, high := 1, len(a)
	for {
		for before(a[low], pivot) {
			low++
		}
		high--
		for before(pivot, a[high]) {
			high--
		}
		if low >= high {
			return low
		}
		a[low], a[high] = a[high], a[low]
		low++
	}
}

func insertionSort(a []nodeID, before func(a, b nodeID) bool) {
	for i := 1; i < len(a); i++ {
		x, j := a[i], i
		for j > 0 && before(x, a[j-1]) {
			a[j] = a[j-1]
			j--
		}
		a[j] = x
	}
}
