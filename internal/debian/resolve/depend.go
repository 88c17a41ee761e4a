package resolve

import "github.com/hardpan/hardpan/internal/debian"

// kind is the field that a relation comes from.
type kind uint8

const (
	preDepends kind = iota
	depends
	conflicts
	breaks
	recommends
	suggests
)

func (k kind) String() string {
	return [...]string{"Pre-Depends", "Depends", "Conflicts", "Breaks", "Recommends", "Suggests"}[k]
}

// verb is the kind in a sentence, "a depends on b".
func (k kind) verb() string {
	return [...]string{"pre-depends on", "depends on", "conflicts with", "breaks", "recommends", "suggests"}[k]
}

// negative kinds ask for what must not be installed.
func (k kind) negative() bool { return k == conflicts || k == breaks }

// weak kinds pull nothing in.
func (k kind) weak() bool { return k == recommends || k == suggests }

// A dependency is one entry of a relationship field. A positive one is satisfied
// by any of its alternatives; a negative one has exactly one.
type dependency struct {
	kind         kind
	owner        nodeID // whose version has the field
	alternatives []alternative
}

type alternative struct {
	target   nodeID
	relation debian.Relation
}

func (d *dependency) String() string {
	rs := make(debian.Alternatives, len(d.alternatives))
	for i, a := range d.alternatives {
		rs[i] = a.relation
	}
	return rs.String()
}

// dependencies reads the version's relations in the order in which apt keeps
// them: the four strong fields, then the weak ones.
func (u *Universe) dependencies(v versionID) []dependency {
	rec := u.versions[v].record
	var ds []dependency
	for _, f := range []struct {
		kind  kind
		field recordField
	}{
		{preDepends, recordPreDepends}, {depends, recordDepends}, {conflicts, recordConflicts},
		{breaks, recordBreaks}, {recommends, recordRecommends}, {suggests, recordSuggests},
	} {
		for r, err := range debian.EachRelation(rec.get(f.field)) {
			if err != nil {
				panic("resolve: Add let through " + err.Error())
			}
			if !r.AppliesTo(u.arch) {
				continue
			}
			if r.First || f.kind.negative() || len(ds) == 0 {
				ds = append(ds, dependency{kind: f.kind, owner: u.versions[v].node})
			}
			d := &ds[len(ds)-1]
			target, _ := u.lookup(u.target(r.Relation))
			d.alternatives = append(d.alternatives, alternative{target, r.Relation})
		}
	}
	return ds
}

// admitsProvide reports whether a provision satisfies the relation: one without a
// version only satisfies a relation without.
func admitsProvide(r debian.Relation, p *provide) bool {
	return r.Operator == "" || p.number != "" && r.Admits(p.number)
}

// targets yields the versions that could satisfy the alternative, the name's own
// from the newest on, then its providers. A package does not conflict with
// itself or with what it provides (Debian Policy 7.4).
func (u *Universe) targets(d *dependency, a alternative, yield func(versionID) bool) {
	if !d.kind.negative() || a.target != d.owner {
		for v := u.nodes[a.target].newest; v != none; v = u.versions[v].older {
			if a.relation.Admits(u.versions[v].number) && !yield(v) {
				return
			}
		}
	}
	for i := u.nodes[a.target].provided; i != none; i = u.provides[i].next {
		p := &u.provides[i]
		if d.kind.negative() && u.versions[p.version].node == d.owner {
			continue
		}
		if admitsProvide(a.relation, p) && !yield(p.version) {
			return
		}
	}
}
