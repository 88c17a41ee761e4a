package resolve

import (
	"context"
	"slices"

	"github.com/hardpan/hardpan/internal/debian"
)

// Solution is what a resolution chose.
type Solution struct {
	Packages []Selection // sorted by name
	// Installed are the packages that the system had already and that a request or a
	// chosen package needs, sorted by name.
	Installed []Selection
	Dropped   []Drop // sorted by excluded package, then by the depending one
}

// A Selection is a chosen package and why it is there.
type Selection struct {
	debian.Package
	Reason Reason
}

// Reason tells why a package was chosen: a request or the first relation, in the
// order from the requests on, that it serves.
type Reason struct {
	Request  string // the request, or "" for a package that another needs
	By       string // the package that needs it
	Field    string // "Depends" or "Pre-Depends"; "Recommends" or "Suggests" of what apt leaves in place
	Relation string // the field's entry, such as "bar (>= 1) | baz"
	Replaces string // version of the package in a base image whose place it takes, "" for none
}

// String returns "requested" or "foo depends on bar (>= 1)".
func (r Reason) String() string {
	switch {
	case r.Replaces != "":
		return "in place of " + r.Replaces + " of the base image"
	case r.Request != "":
		return "requested"
	case r.By == "": // as apt leaves it too
		return "left by an alternative that failed"
	}
	for k := preDepends; k <= suggests; k++ {
		if k.String() == r.Field {
			return r.By + " " + k.verb() + " " + r.Relation
		}
	}
	return r.By + " needs " + r.Relation
}

// A Drop is a dependency that only an excluded package would have satisfied.
type Drop struct {
	Package  string // the excluded one
	By       string // the chosen package that depends on it
	Field    string // "Depends" or "Pre-Depends"
	Relation string
}

// Resolve chooses the packages that the requests need. An excluded package is
// never among them; a dependency that one of its versions would satisfy, and no
// chosen package does, counts as satisfied and is recorded in Dropped, and none
// of its other alternatives is chosen in its stead.
//
// Errors that a request causes are a [*RequestError] around one of
// [*UnknownPackageError], [*VirtualPackageError], [*NoVersionError],
// [*ContradictionError], [*InstalledError] and [*UnsatisfiableError].
func Resolve(ctx context.Context, u *Universe, requests []Request) (*Solution, error) {
	s := newSolver(ctx, u)
	if err := s.take(requests); err != nil {
		return nil, err
	}
	ok := s.run()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if !ok {
		return nil, s.explain(requests)
	}
	return s.solution(requests), nil
}

// take finds what the requests name.
func (s *solver) take(requests []Request) error {
	for i, r := range requests {
		if !r.Exclude {
			continue
		}
		n, err := s.u.excludedName(r)
		if err != nil {
			return &RequestError{Request: r, Index: i, Err: err}
		}
		s.excluded[n] = true
		s.states[n].candidate = none
	}
	for i, r := range requests {
		if r.Exclude {
			continue
		}
		v, err := s.u.selectVersion(r)
		if err == nil && s.excluded[s.u.versions[v].node] {
			err = &ContradictionError{Name: s.u.nodes[s.u.versions[v].node].name}
		}
		if err == nil {
			err = s.choose(requests, choice{i, v})
		}
		if err != nil {
			return &RequestError{Request: r, Index: i, Err: err}
		}
	}
	return nil
}

// choose adds a choice. Of several for one name, which a spec that extends
// another may have, the one with a pin counts.
func (s *solver) choose(requests []Request, c choice) error {
	n := s.u.versions[c.version].node
	if !s.named[n] {
		s.named[n] = true
		s.chosen = append(s.chosen, c)
		return nil
	}
	i := slices.IndexFunc(s.chosen, func(c choice) bool { return s.u.versions[c.version].node == n })
	first, second := requests[s.chosen[i].request], requests[c.request]
	switch {
	case s.chosen[i].version == c.version || second.Pin == "":
	case first.Pin == "":
		s.chosen[i] = c
	default:
		return &ContradictionError{Name: s.u.nodes[n].name, Requests: []string{first.String(), second.String()}}
	}
	return nil
}

// run marks the requested packages, then what they need, mends and sweeps. It
// reports whether a set was found.
func (s *solver) run() bool {
	for _, c := range s.chosen {
		n := s.u.versions[c.version].node
		s.setCandidate(c.version)
		s.states[n].protected = true
		s.install(n, false, 0, true)
	}
	for _, c := range s.chosen {
		if s.ctx.Err() != nil {
			return false
		}
		s.install(s.u.versions[c.version].node, true, 0, true)
	}
	if !s.mend() {
		return false
	}
	s.sweep()
	return s.brokenCount() == 0
}

// solution describes what is to be installed.
func (s *solver) solution(requests []Request) *Solution {
	reasons := s.reasons(requests)
	sol := &Solution{}
	for _, n := range s.inNameOrder(s.marked) {
		v := s.states[n].install
		if v == none {
			continue
		}
		chosen := Selection{s.u.words.unpack(s.u.versions[v].record), reasons[n]}
		if s.isInstalled(v) {
			if _, needed := reasons[n]; needed {
				sol.Installed = append(sol.Installed, chosen)
			}
			continue
		}
		sol.Packages = append(sol.Packages, chosen)
		ds := s.dependenciesOf(v)
		for i := range ds {
			d := &ds[i]
			if by, ok := s.waivedBy(d); ok && !d.kind.weak() && !s.anyHit(d, installed) {
				sol.Dropped = append(sol.Dropped, Drop{s.u.nodes[by].name, s.u.nodes[n].name, d.kind.String(), d.String()})
			}
		}
	}
	slices.SortStableFunc(sol.Dropped, func(a, b Drop) int {
		switch {
		case a.Package < b.Package:
			return -1
		case a.Package > b.Package:
			return 1
		}
		return 0 // already by the depending package
	})
	return sol
}

// reasons goes from the requests along the dependencies, depth first, and notes
// for each package what it was reached by; then along what is only recommended
// or suggested.
func (s *solver) reasons(requests []Request) map[nodeID]Reason {
	reasons := map[nodeID]Reason{}
	var order []nodeID // as reached
	var follow func(n nodeID)
	reach := func(n nodeID, why Reason) {
		if _, ok := reasons[n]; !ok && s.states[n].install != none {
			reasons[n] = why
			order = append(order, n)
			follow(n)
		}
	}
	along := func(n nodeID, weak bool) {
		ds := s.dependenciesOf(s.states[n].install)
		for i := range ds {
			d := &ds[i]
			if d.kind.negative() || d.kind.weak() != weak {
				continue
			}
			why := Reason{By: s.u.nodes[n].name, Field: d.kind.String(), Relation: d.String()}
			for _, a := range d.alternatives {
				for _, v := range s.serving(d, a) {
					reach(s.u.versions[v].node, why)
				}
			}
		}
	}
	follow = func(n nodeID) { along(n, false) }
	for _, c := range s.chosen { // first, as a request is the better reason
		n := s.u.versions[c.version].node
		reasons[n] = Reason{Request: requests[c.request].String()}
		order = append(order, n)
	}
	for _, n := range slices.Clone(order) {
		follow(n)
	}
	for i := 0; i < len(order); i++ {
		along(order[i], true)
	}
	return reasons
}
