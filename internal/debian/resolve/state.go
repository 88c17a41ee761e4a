package resolve

import (
	"context"
	"maps"
	"slices"
)

// solver is one resolution. It follows what apt does when told to install names
// on a system without packages: mark.go marks, fix.go mends what conflicts,
// sweep.go drops what no longer serves.
//
// Apt keeps for each relation whether it is satisfied and brings that up to date
// only at some of the changes, so that it decides on stale knowledge at times. A
// solver keeps the history of each name's state instead, and for each name the
// time when the relations on it were last brought up to date; that gives the same
// answers and needs no index of reverse dependencies.
type solver struct {
	ctx context.Context
	u   *Universe

	states  []state
	clock   uint32
	updated []uint32 // per name: when the relations on it were brought up to date
	history map[nodeID][]snapshot
	marked  []nodeID // every name that was ever marked for installation, once
	deps    map[versionID][]dependency

	excluded map[nodeID]bool
	chosen   []choice        // what the requests ask for, in their order
	named    map[nodeID]bool // the names of chosen
}

// choice is the version that a request selects.
type choice struct {
	request int
	version versionID
}

type state struct {
	install   versionID // the version to install, or none
	candidate versionID // the version that would be, or none
	changed   uint32    // when install or candidate last changed
	listed    bool      // is in solver.marked
	marked    bool      // mode is install, not keep
	auto      bool      // came in as a dependency
	protected bool      // nothing but a request may change it
}

type snapshot struct {
	time               uint32
	install, candidate versionID
}

func newSolver(ctx context.Context, u *Universe) *solver {
	s := &solver{
		ctx: ctx, u: u,
		states:   make([]state, len(u.nodes)),
		updated:  make([]uint32, len(u.nodes)),
		history:  map[nodeID][]snapshot{},
		deps:     map[versionID][]dependency{},
		excluded: map[nodeID]bool{},
		named:    map[nodeID]bool{},
	}
	for n := range s.states {
		s.states[n] = state{install: none, candidate: u.nodes[n].newest}
	}
	for _, n := range slices.Sorted(maps.Keys(u.installed)) {
		v := u.installed[n]
		s.states[n] = state{install: v, candidate: v, listed: true, marked: true, protected: true}
		s.marked = append(s.marked, n)
	}
	return s
}

// dependenciesOf returns the version's relations, read once.
func (s *solver) dependenciesOf(v versionID) []dependency {
	ds, ok := s.deps[v]
	if !ok {
		ds = s.u.dependencies(v)
		if s.isInstalled(v) {
			ds = slices.DeleteFunc(ds, func(d dependency) bool { return s.hitsInstalled(&d) }) // of its relations only conflicts are there
		}
		s.deps[v] = ds
	}
	return ds
}

// isInstalled reports whether the system has the version before anything is added.
func (s *solver) isInstalled(v versionID) bool {
	installed, ok := s.u.installed[s.u.versions[v].node]
	return ok && installed == v
}

// hitsInstalled reports whether a conflict is one among what is installed, which
// stands as it is.
func (s *solver) hitsInstalled(d *dependency) (hits bool) {
	for _, a := range d.alternatives {
		s.u.targets(d, a, func(v versionID) bool {
			hits = s.isInstalled(v)
			return !hits
		})
	}
	return hits
}

// change sets what is to be installed and what could be, without bringing the
// relations on the name up to date.
func (s *solver) change(n nodeID, install, candidate versionID) {
	st := &s.states[n]
	if len(s.history[n]) == 0 {
		s.history[n] = append(s.history[n], snapshot{0, st.install, st.candidate})
	}
	s.clock++
	st.install, st.candidate, st.changed = install, candidate, s.clock
	s.history[n] = append(s.history[n], snapshot{s.clock, install, candidate})
	if install != none && !st.listed {
		st.listed = true
		s.marked = append(s.marked, n)
	}
}

// update brings the relations up to date that are on the name and on what its
// candidate provides.
func (s *solver) update(n nodeID) {
	s.updated[n] = s.clock
	if c := s.states[n].candidate; c != none {
		for i := s.u.versions[c].provides; i != none; i = s.u.provides[i].nextOfVersion {
			s.updated[s.u.provides[i].target] = s.clock
		}
	}
}

// seen returns n's state as the relations on target know it.
func (s *solver) seen(n, target nodeID) snapshot {
	st, at := &s.states[n], s.updated[target]
	if st.changed <= at {
		return snapshot{st.changed, st.install, st.candidate}
	}
	past := s.history[n]
	i := len(past) - 1
	for past[i].time > at {
		i--
	}
	return past[i]
}

// installed and candidates select what a relation is checked against.
func installed(sn snapshot) versionID  { return sn.install }
func candidates(sn snapshot) versionID { return sn.candidate }

// hits reports whether the alternative meets a version that is, by its
// knowledge, selected.
func (s *solver) hits(d *dependency, a alternative, selected func(snapshot) versionID) bool {
	if !d.kind.negative() || a.target != d.owner {
		if v := selected(s.seen(a.target, a.target)); v != none && a.relation.Admits(s.u.versions[v].number) {
			return true
		}
	}
	for i := s.u.nodes[a.target].provided; i != none; i = s.u.provides[i].next {
		p := &s.u.provides[i]
		owner := s.u.versions[p.version].node
		if d.kind.negative() && owner == d.owner {
			continue
		}
		if selected(s.seen(owner, a.target)) == p.version && admitsProvide(a.relation, p) {
			return true
		}
	}
	return false
}

// anyHit reports whether one of the alternatives meets a selected version.
func (s *solver) anyHit(d *dependency, selected func(snapshot) versionID) bool {
	for _, a := range d.alternatives {
		if s.hits(d, a, selected) {
			return true
		}
	}
	return false
}

// waived reports whether the dependency counts as satisfied because a version of
// an excluded package would satisfy it.
func (s *solver) waived(d *dependency) bool {
	_, ok := s.waivedBy(d)
	return ok
}

// waivedBy returns the excluded package that would satisfy the dependency.
func (s *solver) waivedBy(d *dependency) (by nodeID, ok bool) {
	if len(s.excluded) == 0 || d.kind.negative() {
		return 0, false
	}
	for _, a := range d.alternatives {
		s.u.targets(d, a, func(v versionID) bool {
			by = s.u.versions[v].node
			ok = s.excluded[by]
			return !ok
		})
		if ok {
			return by, true
		}
	}
	return 0, false
}

// holds reports whether the dependency is in order with what is to be installed.
func (s *solver) holds(d *dependency) bool {
	return s.anyHit(d, installed) != d.kind.negative() || s.waived(d)
}

// broken reports whether the name is to be installed and one of its strong
// relations does not hold.
func (s *solver) broken(n nodeID) bool {
	v := s.states[n].install
	if v == none {
		return false
	}
	ds := s.dependenciesOf(v)
	for i := range ds {
		if !ds[i].kind.weak() && !s.holds(&ds[i]) {
			return true
		}
	}
	return false
}

// brokenCount counts the broken names.
func (s *solver) brokenCount() int {
	count := 0
	for _, n := range s.marked {
		if s.broken(n) {
			count++
		}
	}
	return count
}
