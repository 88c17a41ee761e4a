package resolve

// maxRounds bounds the rounds of mend, as apt's does.
const maxRounds = 20

// mender mends what is broken after the requests are marked: the counterpart of
// apt's problem resolver. It goes through the broken packages from the highest
// score down and takes the cheaper way out for each: leave the package out, or
// unmark what it conflicts with.
type mender struct {
	*solver
	scores      []int
	upgraded    map[nodeID]bool // whether upgrade was tried
	preMarked   map[nodeID]bool // marked before mending began
	round       int
	changed     bool
	unwantedNow []nodeID // what the package under repair wants unmarked
}

// whatNext says what becomes of a package none of whose alternatives could be mended.
type whatNext uint8

const (
	thenRemove whatNext = iota
	thenKeep
)

// mend reports whether nothing is broken any more.
func (s *solver) mend() bool {
	if s.brokenCount() == 0 {
		return true
	}
	m := &mender{solver: s, upgraded: map[nodeID]bool{}, preMarked: map[nodeID]bool{}, changed: true}
	for _, n := range s.marked {
		m.preMarked[n] = s.states[n].marked
	}
	m.scores = s.scores()
	order := s.u.byScore(m.scores)
	for ; m.round < maxRounds && m.changed; m.round++ {
		m.changed = false
		for _, n := range order {
			if s.broken(n) {
				m.repair(n)
			}
		}
		if s.ctx.Err() != nil {
			return false
		}
	}
	if s.brokenCount() != 0 {
		return false
	}
	for _, n := range s.marked {
		if st := &s.states[n]; st.marked && !m.preMarked[n] {
			st.auto = true
		}
	}
	return true
}

// repair deals with the dependencies of one broken package, in their order,
// until one led to a change of the package itself.
func (m *mender) repair(n nodeID) {
	m.unwantedNow = m.unwantedNow[:0]
	ds := m.dependenciesOf(m.states[n].install)
	for i := range ds {
		d := &ds[i]
		if d.kind.weak() || m.holds(d) {
			continue
		}
		if m.repairDependency(n, d) {
			break
		}
	}
	if m.states[n].install != none {
		m.unmarkUnwanted(n)
	}
}

// repairDependency tries the alternatives of a broken dependency and reports
// whether the package is done with.
func (m *mender) repairDependency(n nodeID, d *dependency) (done bool) {
	inOr := len(d.alternatives) > 1
	next := thenRemove
	unwantedBefore := len(m.unwantedNow)
	for _, a := range d.alternatives {
		if m.holds(d) {
			return false
		}
		finished, stop := m.repairAlternative(n, d, a, inOr, &next)
		if stop || finished && !inOr {
			return true
		}
	}
	if !inOr || len(m.unwantedNow) != unwantedBefore {
		return false
	}
	switch {
	case next == thenKeep:
		m.keep(n, false)
		m.changed = true
	case !m.states[n].protected:
		m.drop(n)
		m.changed = true
	}
	return false
}

// repairAlternative looks for a way out along one alternative. Finished means
// that a decision was taken on it, stop that nothing else may be looked at.
func (m *mender) repairAlternative(n nodeID, d *dependency, a alternative, inOr bool, next *whatNext) (finished, stop bool) {
	var targets []versionID
	m.u.targets(d, a, func(v versionID) bool {
		if !m.excluded[m.u.versions[v].node] {
			targets = append(targets, v)
		}
		return true
	})
	if len(targets) == 0 && !d.kind.negative() && !m.states[n].protected {
		if inOr {
			return false, false
		}
		m.changed = true
		m.keep(n, false)
		return true, true
	}
	for _, v := range targets {
		target := m.u.versions[v].node
		if d.kind.negative() && m.states[target].install != v {
			continue
		}
		if m.scores[n] <= m.scores[target] || !d.kind.negative() {
			if m.states[n].protected {
				if m.upgrade(target) {
					m.scores[target] = min(m.scores[target], m.scores[n])
					break
				}
				continue
			}
			m.giveWay(n, target, a, inOr, next)
			m.changed = true
			return true, false
		}
		if d.kind == breaks && !m.hits(d, a, candidates) {
			m.install(target, false, 0, false)
			continue
		}
		if m.states[target].protected {
			continue
		}
		m.unwantedNow = append(m.unwantedNow, target)
	}
	return false, false
}

// giveWay changes the package with the broken relation rather than its target.
func (m *mender) giveWay(n, target nodeID, a alternative, inOr bool, next *whatNext) {
	wasMarked := m.states[n].marked
	m.keep(n, false)
	if !m.broken(n) {
		*next = thenKeep
		if inOr && wasMarked {
			m.install(n, false, 0, false)
		}
		return
	}
	if m.upgrade(n) {
		return
	}
	if !inOr {
		m.drop(n)
		if m.round > 1 && m.scores[target] > m.scores[n] {
			m.scores[n] = m.scores[target]
		}
		return
	}
	if m.states[a.target].candidate == none {
		return
	}
	before := m.brokenCount()
	m.install(a.target, true, 1, false)
	if m.broken(a.target) || m.brokenCount() > before {
		m.drop(a.target)
	}
}

// unmarkUnwanted unmarks what the package wants gone.
func (m *mender) unmarkUnwanted(n nodeID) {
	for _, target := range m.unwantedNow {
		kept := m.keep(target, false)
		if kept {
			m.changed = true
		}
		if (!kept || m.round > 1) && m.scores[n] > m.scores[target] {
			m.scores[target] = m.scores[n]
			m.changed = true
		}
	}
}

// upgrade tries to mark the package, whose relations it follows where a
// candidate would make them hold.
func (m *mender) upgrade(n nodeID) bool {
	st := &m.states[n]
	if m.upgraded[n] || st.candidate == none || m.named[n] {
		return false
	}
	m.upgraded[n] = true
	wasMarked := st.marked
	if !m.install(n, false, 0, false) || st.install == none {
		return false
	}
	ds := m.dependenciesOf(st.install)
	for i := range ds {
		if d := &ds[i]; !d.kind.weak() && !m.upgradeFor(n, d) {
			if wasMarked {
				m.drop(n)
			} else {
				m.keep(n, false)
			}
			return false
		}
	}
	return true
}

// upgradeFor makes one relation of n hold by upgrading what it points at.
func (m *mender) upgradeFor(n nodeID, d *dependency) bool {
	ok := true
	for _, a := range d.alternatives {
		if m.holds(d) {
			return ok
		}
		target := m.smartTarget(n, a.target)
		switch {
		case m.states[target].protected:
			ok = false
		case m.hits(d, a, candidates) != d.kind.negative():
			if m.upgrade(target) {
				return true
			}
			ok = false
		case d.kind.negative():
			return ok
		default:
			ok = false
		}
	}
	return ok
}

// smartTarget returns the first provider of a name that nothing but providers
// has, other than the package n itself.
func (s *solver) smartTarget(n, target nodeID) nodeID {
	if s.u.nodes[target].newest != none {
		return target
	}
	for i := s.u.nodes[target].provided; i != none; i = s.u.provides[i].next {
		if owner := s.u.versions[s.u.provides[i].version].node; owner != n {
			return owner
		}
	}
	return target
}
