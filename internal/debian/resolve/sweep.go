package resolve

import (
	"cmp"
	"slices"

	"github.com/hardpan/hardpan/internal/debian"
)

// sweep unmarks what came in as a dependency and is not needed any more, such as
// the first half of an alternative that failed later. As in apt's default
// configuration, what is recommended or suggested by a package that stays is
// needed, and so is each marked provider of a needed name.
func (s *solver) sweep() {
	needed := s.needed()
	var dropped []nodeID
	for _, n := range s.inNameOrder(s.marked) {
		if s.states[n].marked && !needed[n] && s.drop(n) {
			dropped = append(dropped, n)
		}
	}
	slices.Sort(dropped)
	for len(dropped) > 0 && s.brokenCount() != 0 {
		i := slices.IndexFunc(dropped, s.wantedByMarked)
		if i < 0 {
			return
		}
		s.install(dropped[i], false, 0, false)
		dropped = slices.Delete(dropped, i, i+1)
	}
}

// needed returns what can be reached from what must stay.
func (s *solver) needed() map[nodeID]bool {
	needed := map[nodeID]bool{}
	var queue []nodeID
	reach := func(n nodeID) {
		if st := &s.states[n]; st.marked && st.install != none && !needed[n] {
			needed[n] = true
			queue = append(queue, n)
		}
	}
	for _, n := range s.marked {
		st, node := &s.states[n], &s.u.nodes[n]
		if !st.auto || st.protected || node.essential || node.protected {
			reach(n)
		}
	}
	for len(queue) > 0 {
		n := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		ds := s.dependenciesOf(s.states[n].install)
		for i := range ds {
			if ds[i].kind.negative() {
				continue
			}
			for _, a := range ds[i].alternatives {
				for _, v := range s.serving(&ds[i], a) {
					reach(s.u.versions[v].node)
				}
			}
		}
	}
	return needed
}

// serving returns the marked versions that satisfy the alternative; of several
// binary packages of one source, those of its newest version.
func (s *solver) serving(d *dependency, a alternative) []versionID {
	var found []versionID
	s.u.targets(d, a, func(v versionID) bool {
		if st := &s.states[s.u.versions[v].node]; st.marked && st.install == v {
			found = append(found, v)
		}
		return true
	})
	if len(found) < 2 {
		return found
	}
	source := func(v versionID) string {
		rec := s.u.versions[v].record
		return cmp.Or(rec.get(recordSource), rec.get(recordName))
	}
	number := func(v versionID) string {
		return cmp.Or(s.u.versions[v].record.get(recordSourceVersion), s.u.versions[v].number)
	}
	all := slices.Clone(found)
	return slices.DeleteFunc(found, func(v versionID) bool {
		return slices.ContainsFunc(all, func(w versionID) bool {
			return source(v) == source(w) && debian.CompareVersions(number(v), number(w)) < 0
		})
	})
}

// wantedByMarked reports whether a strong relation of a marked package points at
// the name or at what its candidate provides.
func (s *solver) wantedByMarked(n nodeID) bool {
	names := map[nodeID]bool{n: true}
	if c := s.states[n].candidate; c != none {
		for i := s.u.versions[c].provides; i != none; i = s.u.provides[i].nextOfVersion {
			names[s.u.provides[i].target] = true
		}
	}
	return slices.ContainsFunc(s.marked, func(m nodeID) bool {
		if !s.states[m].marked {
			return false
		}
		ds := s.dependenciesOf(s.states[m].install)
		return slices.ContainsFunc(ds, func(d dependency) bool {
			return !d.kind.weak() && !d.kind.negative() &&
				slices.ContainsFunc(d.alternatives, func(a alternative) bool { return names[a.target] })
		})
	})
}

// inNameOrder returns the names sorted.
func (s *solver) inNameOrder(ns []nodeID) []nodeID {
	return slices.SortedFunc(slices.Values(ns), func(a, b nodeID) int {
		return cmp.Or(cmp.Compare(s.u.nodes[a].name, s.u.nodes[b].name), cmp.Compare(a, b))
	})
}
