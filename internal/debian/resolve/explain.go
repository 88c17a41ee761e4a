package resolve

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// explain returns the error for requests that have no solution: the first chain
// from a request to a relation that nothing satisfies or, where each package
// alone could be installed, to two that exclude each other.
func (s *solver) explain(requests []Request) error {
	e := &explainer{
		solver: newSolver(s.ctx, s.u), failed: s,
		links: map[nodeID]link{}, visited: map[nodeID]bool{},
	}
	e.excluded, e.chosen = s.excluded, s.chosen
	for n := range s.excluded {
		e.states[n].candidate = none
	}
	for _, c := range s.chosen {
		e.setCandidate(c.version)
		e.pinned = append(e.pinned, s.u.versions[c.version].node)
	}
	fail := func(c choice, chain []string, reason string) error {
		r := requests[c.request]
		return &RequestError{Request: r, Index: c.request,
			Err: &UnsatisfiableError{Name: r.String(), Chain: chain, Reason: reason}}
	}
	for _, c := range s.chosen {
		if chain, reason, ok := e.check(c.version); !ok {
			return fail(c, append([]string{e.label(c.version)}, chain...), reason)
		}
	}
	for i, c := range s.chosen {
		e.collectFrom(i, c.version)
	}
	if c, chain, reason, ok := e.conflict(); ok {
		return fail(c, chain, reason)
	}
	c, chain := e.leftBroken()
	return fail(c, chain, "what it needs conflicts with the rest of the packages")
}

// explainer looks at the requests afresh, without what the failed resolution
// discarded.
type explainer struct {
	*solver
	failed  *solver
	pinned  []nodeID
	visited map[nodeID]bool // checked, or being checked
	links   map[nodeID]link
	order   []nodeID // the names in links, as reached
}

// link says how a package came into the naive set that conflict looks through.
type link struct {
	by     nodeID // none for a request
	choice int
}

// label names a version, "foo 1.2".
func (e *explainer) label(v versionID) string {
	return e.u.nodes[e.u.versions[v].node].name + " " + e.u.versions[v].number
}

// check reports whether each dependency of the version, and in turn of what
// satisfies it, has a candidate; where not, it returns the chain to the one that
// has none and what is the matter with it. Cycles and conflicts are left out.
func (e *explainer) check(v versionID) (chain []string, reason string, ok bool) {
	e.visited[e.u.versions[v].node] = true
	ds := e.dependenciesOf(v)
	for i := range ds {
		d := &ds[i]
		if d.kind.weak() || d.kind.negative() || e.waived(d) {
			continue
		}
		found := e.solutions(d, true)
		if len(found) == 0 {
			return []string{d.String()}, e.missing(d), false
		}
		ok := false
		for _, solution := range found {
			if e.visited[e.u.versions[solution].node] {
				ok = true
				break
			}
			c, r, solved := e.check(solution)
			if ok = solved; ok {
				break
			}
			if chain == nil {
				chain, reason = append([]string{e.label(solution)}, c...), r
			}
		}
		if !ok {
			if chain == nil { // each solution has failed before
				chain, reason = []string{d.String()}, "what would satisfy it cannot be installed"
			}
			delete(e.visited, e.u.versions[v].node)
			return chain, reason, false
		}
		chain, reason = nil, ""
	}
	return nil, "", true
}

// missing says why nothing satisfies the dependency.
func (e *explainer) missing(d *dependency) string {
	var reasons []string
	for _, a := range d.alternatives {
		reasons = append(reasons, e.missingTarget(a))
	}
	return strings.Join(slices.Compact(reasons), "; ")
}

func (e *explainer) missingTarget(a alternative) string {
	node := &e.u.nodes[a.target]
	if c := e.states[a.target].candidate; c != none {
		number := e.u.versions[c].number
		if e.isInstalled(c) {
			return fmt.Sprintf("the base image has %s %s", node, number)
		}
		if slices.Contains(e.pinned, a.target) && c != node.newest {
			return fmt.Sprintf("%s is pinned to %s", node, number)
		}
		return fmt.Sprintf("%s %s is the newest in %s", node, number, e.u)
	}
	var providers []string
	for i := node.provided; i != none; i = e.u.provides[i].next {
		p := &e.u.provides[i]
		if e.states[e.u.versions[p.version].node].candidate == p.version {
			provided := node.String()
			if p.number != "" {
				provided += " (= " + p.number + ")"
			}
			providers = append(providers, e.label(p.version)+" provides "+provided)
		}
	}
	if len(providers) > 0 {
		slices.Sort(providers)
		return strings.Join(providers, ", ")
	}
	return fmt.Sprintf("%s is not in %s", node, e.u)
}

// collectFrom gathers the set that the version would need if nothing conflicted,
// the first solution of each dependency.
func (e *explainer) collectFrom(choice int, v versionID) {
	n := e.u.versions[v].node
	if _, ok := e.links[n]; ok {
		return
	}
	e.links[n] = link{none, choice}
	e.order = append(e.order, n)
	for i := len(e.order) - 1; i < len(e.order); i++ {
		from := e.order[i]
		ds := e.dependenciesOf(e.states[from].candidate)
		for j := range ds {
			d := &ds[j]
			if d.kind.weak() || d.kind.negative() || e.waived(d) {
				continue
			}
			found := e.solutions(d, true)
			reached := func(v versionID) bool { _, ok := e.links[e.u.versions[v].node]; return ok }
			if len(found) == 0 || slices.ContainsFunc(found, reached) {
				continue
			}
			to := e.u.versions[found[0]].node
			e.links[to] = link{from, choice}
			e.order = append(e.order, to)
		}
	}
}

// conflict finds the first two packages of the set that exclude each other.
func (e *explainer) conflict() (c choice, chain []string, reason string, ok bool) {
	for _, n := range e.order {
		ds := e.dependenciesOf(e.states[n].candidate)
		for i := range ds {
			d := &ds[i]
			if !d.kind.negative() {
				continue
			}
			for _, v := range e.solutions(d, true) {
				other := e.u.versions[v].node
				if e.isInstalled(v) {
					reason := fmt.Sprintf("%s %s %s, but the base image has %s", e.u.nodes[n].name, d.kind.verb(), d, e.label(v))
					return e.chosen[e.links[n].choice], e.chainTo(n), reason, true
				}
				if _, in := e.links[other]; !in {
					continue
				}
				reason := fmt.Sprintf("%s %s %s, but %s", e.u.nodes[n].name, d.kind.verb(), d, e.need(other))
				return e.chosen[e.links[n].choice], e.chainTo(n), reason, true
			}
		}
	}
	return e.refusedByBase()
}

// refusedByBase looks for a package that is installed and conflicts with one that the
// requests lead to.
func (e *explainer) refusedByBase() (c choice, chain []string, reason string, ok bool) {
	for _, n := range slices.Sorted(maps.Keys(e.u.installed)) {
		ds := e.dependenciesOf(e.u.installed[n])
		for i := range ds {
			for _, v := range e.solutions(&ds[i], true) {
				other := e.u.versions[v].node
				if l, in := e.links[other]; in && !e.isInstalled(v) {
					reason := fmt.Sprintf("the base image has %s, which %s %s", e.label(e.u.installed[n]), ds[i].kind.verb(), &ds[i])
					return e.chosen[l.choice], e.chainTo(other), reason, true
				}
			}
		}
	}
	return choice{}, nil, "", false
}

// need says why a package of the set is needed.
func (e *explainer) need(n nodeID) string {
	chain := strings.Join(e.chainTo(n), " -> ")
	if e.links[n].by == none {
		return chain + " is requested"
	}
	return "the requests need it: " + chain
}

// chainTo names the packages from the request to n.
func (e *explainer) chainTo(n nodeID) []string {
	var chain []string
	for ; n != none; n = e.links[n].by {
		chain = append(chain, e.label(e.states[n].candidate))
	}
	slices.Reverse(chain)
	return chain
}

// leftBroken returns the first request, and a relation of it or of what it
// needs, that the failed resolution left broken.
func (e *explainer) leftBroken() (choice, []string) {
	for _, n := range append(e.order, e.failed.marked...) {
		if !e.failed.broken(n) {
			continue
		}
		ds := e.failed.dependenciesOf(e.failed.states[n].install)
		for i := range ds {
			if !ds[i].kind.weak() && !e.failed.holds(&ds[i]) {
				if l, ok := e.links[n]; ok {
					return e.chosen[l.choice], append(e.chainTo(n), ds[i].String())
				}
				return e.chosen[0], []string{e.label(e.chosen[0].version), e.label(e.failed.states[n].install), ds[i].String()}
			}
		}
	}
	return e.chosen[0], []string{e.label(e.chosen[0].version)}
}
