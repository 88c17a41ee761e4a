package resolve

import (
	"cmp"
	"slices"
)

// maxDepth bounds the recursion of install, as apt's does.
const maxDepth = 3000

type mode uint8

const (
	modeKeep mode = iota // not to be installed
	modeInstall
	modeDelete
)

// mayChange reports whether the name's mode may be changed to m. A request
// changes anything; otherwise protected names stay as they are, and essential
// ones are not dropped.
func (s *solver) mayChange(n nodeID, m mode, depth int, byRequest bool) bool {
	st, node := &s.states[n], &s.u.nodes[n]
	switch {
	case depth > maxDepth || node.newest == none:
		return false
	case byRequest, m == modeInstall && st.marked, m == modeKeep && !st.marked:
		return true
	case st.protected:
		return false
	}
	return m != modeDelete || !node.essential && !node.protected
}

// keep takes the name out of what is to be installed.
func (s *solver) keep(n nodeID, byRequest bool) bool {
	if !s.mayChange(n, modeKeep, 0, byRequest) {
		return false
	}
	if st := &s.states[n]; st.marked {
		s.unmark(n)
	}
	return true
}

// drop takes the name out of what is to be installed, unless it was asked for.
func (s *solver) drop(n nodeID) bool {
	if !s.mayChange(n, modeDelete, 0, false) {
		return false
	}
	st := &s.states[n]
	if st.install == none {
		return true
	}
	if !st.auto {
		return false
	}
	s.unmark(n)
	return true
}

func (s *solver) unmark(n nodeID) {
	st := &s.states[n]
	st.marked = false
	s.change(n, none, st.candidate)
	s.update(n)
}

// setCandidate makes the version the one that is chosen for its name.
func (s *solver) setCandidate(v versionID) {
	n := s.u.versions[v].node
	st := &s.states[n]
	if st.candidate == v {
		return
	}
	install := st.install
	if st.marked && install == st.candidate {
		install = v
	}
	s.change(n, install, v)
	s.update(n)
}

// discardCandidate leaves the name without a version to choose; relations on it
// do not get to know.
func (s *solver) discardCandidate(n nodeID) {
	s.change(n, s.states[n].install, s.states[n].install)
}

// discardInstall undoes the marking of a name whose dependencies failed.
func (s *solver) discardInstall(n nodeID) {
	st := &s.states[n]
	if !st.marked && st.install == none && st.candidate == none {
		return
	}
	s.unmark(n)
	s.discardCandidate(n)
}

// mark puts the candidate into what is to be installed.
func (s *solver) mark(n nodeID, byRequest bool) {
	st := &s.states[n]
	if st.protected && st.install == st.candidate {
		return
	}
	st.marked, st.auto = true, !byRequest
	s.change(n, st.candidate, st.candidate)
	s.update(n)
}

// install marks the candidate of a name for installation and, with follow, all
// that it needs. It reports whether that went well; for a request it goes on
// after a failure, so that fix has the whole picture.
func (s *solver) install(n nodeID, follow bool, depth int, byRequest bool) bool {
	st := &s.states[n]
	if !s.mayChange(n, modeInstall, depth, byRequest) || st.candidate == none {
		return false
	}
	if !st.protected && st.marked && !s.broken(n) {
		return true
	}
	if follow && !s.satisfiable(n) {
		return false
	}
	if byRequest {
		s.mark(n, true)
	}
	var wanted, unwanted []*dependency
	failEarly := !st.protected && !byRequest
	ok := true
	if follow {
		wanted, unwanted = s.collect(n)
		if !s.clearConflicts(unwanted, st.protected, byRequest) {
			if failEarly {
				return false
			}
			ok = false
		}
	}
	if !byRequest {
		s.mark(n, false)
	}
	if !follow {
		return ok
	}

	// While its dependencies are marked, nothing below may unmark the name. Only
	// what a request protects passes its protection on.
	protected := st.protected
	st.protected = true
	if !s.installWanted(wanted, depth, protected, byRequest) {
		if failEarly {
			s.discardInstall(n)
		}
		ok = false
	}
	st.protected = protected
	return ok
}

// satisfiable reports whether each dependency of the candidate could be met by
// what is to be installed or by a candidate. Where not, it discards the candidate
// of a name that is not protected.
func (s *solver) satisfiable(n nodeID) bool {
	st := &s.states[n]
	ds := s.dependenciesOf(st.candidate)
	for i := range ds {
		d := &ds[i]
		if d.kind.weak() || d.kind.negative() || s.anyHit(d, installed) || s.anyHit(d, candidates) || s.waived(d) {
			continue
		}
		if !st.protected {
			st.marked = false
			s.change(n, st.install, none)
		}
		return false
	}
	return true
}

// collect returns the candidate's strong relations that something is to be done
// about. A protected name passes its protection on through all of them.
func (s *solver) collect(n nodeID) (wanted, unwanted []*dependency) {
	st := &s.states[n]
	ds := s.dependenciesOf(st.candidate)
	for i := range ds {
		d := &ds[i]
		switch {
		case d.kind.weak() || !st.protected && s.holds(d):
		case d.kind.negative():
			unwanted = append(unwanted, d)
		default:
			wanted = append(wanted, d)
		}
	}
	return wanted, unwanted
}

// clearConflicts unmarks what the relations conflict with.
func (s *solver) clearConflicts(unwanted []*dependency, protect, byRequest bool) bool {
	ok := true
	for _, d := range unwanted {
		for _, v := range s.solutions(d, true) {
			n := s.u.versions[v].node
			st := &s.states[n]
			if st.candidate != v {
				continue
			}
			switch {
			case st.marked && !s.keep(n, false):
				ok = false
				if !protect && !byRequest {
					return false
				}
			case protect:
				s.discardCandidate(n)
				st.protected = true
			}
		}
	}
	return ok
}

// installWanted marks a solution of each dependency: the first whose own
// dependencies can be met.
func (s *solver) installWanted(wanted []*dependency, depth int, protect, byRequest bool) bool {
	ok := true
	for _, d := range wanted {
		if s.waived(d) {
			continue
		}
		if s.anyHit(d, installed) {
			if protect && !s.protectOnly(d, depth) {
				ok = false
			}
			continue
		}
		if !s.installFirst(d, depth, protect) {
			ok = false
			if !protect && !byRequest {
				return false
			}
		}
	}
	return ok
}

// protectOnly protects the version that meets a dependency where there is only one.
func (s *solver) protectOnly(d *dependency, depth int) bool {
	found := s.solutions(d, false)
	if len(found) != 1 {
		return true
	}
	n := s.u.versions[found[0]].node
	if s.states[n].protected {
		return true
	}
	s.states[n].protected = true
	return s.install(n, true, depth+1, false)
}

func (s *solver) installFirst(d *dependency, depth int, protect bool) bool {
	found := s.solutions(d, true)
	for _, v := range found {
		n := s.u.versions[v].node
		if s.states[n].candidate != v {
			continue
		}
		if protect && len(found) == 1 {
			if !s.install(n, false, depth+1, false) {
				continue
			}
			s.states[n].protected = true
		}
		if s.install(n, true, depth+1, false) {
			return true
		}
	}
	return false
}

// solutions returns the candidates that meet a relation: in the order of
// preference, alternative by alternative, or in the order of the versions.
func (s *solver) solutions(d *dependency, byPreference bool) []versionID {
	var found []versionID
	for _, a := range d.alternatives {
		if !s.hits(d, a, candidates) {
			continue
		}
		from := len(found)
		s.u.targets(d, a, func(v versionID) bool {
			if s.states[s.u.versions[v].node].candidate == v {
				found = append(found, v)
			}
			return true
		})
		if byPreference {
			slices.SortFunc(found[from:], func(x, y versionID) int { return s.comparePreference(x, y, a.target) })
		}
	}
	if !byPreference {
		slices.Sort(found)
	}
	found = slices.Compact(found)
	if d.kind.negative() {
		return found
	}
	return slices.DeleteFunc(found, func(v versionID) bool {
		st := &s.states[s.u.versions[v].node]
		return st.protected && !st.marked
	})
}

// comparePreference orders two versions that meet a relation on target: what is
// protected, the package of that very name, essential ones, those of the more
// important priority, and of equals the one whose name the indexes mention last.
func (s *solver) comparePreference(x, y versionID, target nodeID) int {
	vx, vy := &s.u.versions[x], &s.u.versions[y]
	nx, ny := &s.u.nodes[vx.node], &s.u.nodes[vy.node]
	return cmp.Or(
		compareTrue(s.states[vx.node].protected, s.states[vy.node].protected),
		compareTrue(vx.node == target, vy.node == target),
		compareTrue(nx.essential, ny.essential),
		compareTrue(nx.protected, ny.protected),
		cmp.Compare(vx.priority, vy.priority),
		cmp.Compare(vy.node, vx.node),
	)
}

// compareTrue orders true before false.
func compareTrue(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}
