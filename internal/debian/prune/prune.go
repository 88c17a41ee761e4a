package prune

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/debian"
	"github.com/hardpan/hardpan/internal/debian/resolve"
)

// Left is a package that is left out.
type Left struct {
	Package  string
	NeededBy []string // "ca-certificates: openssl (>= 1.1.1)": who depended on it, sorted; packages that stay where there are any
	Why      string   // "only for maintainer scripts: ca-certificates depends on openssl for openssl rehash"
}

// Solution returns what is left of a solution without the packages that are in it
// for maintainer scripts only, and these, sorted. A package that was there for the
// sake of one that is left out has another reason then. sol stays as it is.
func Solution(sol *resolve.Solution) (*resolve.Solution, []Left, error) { return prune(Table, sol) }

func prune(table []Row, sol *resolve.Solution) (*resolve.Solution, []Left, error) {
	g, err := newGraph(table, sol.Packages)
	if err != nil {
		return nil, nil, err
	}
	kept := g.kept()
	rest := &resolve.Solution{}
	var left []Left
	for _, s := range sol.Packages {
		e, stays := kept[s.Name]
		if !stays {
			left = append(left, g.left(s.Name, kept))
			continue
		}
		if e != nil {
			s.Reason = resolve.Reason{By: e.by, Field: e.field, Relation: e.entry.String()}
		}
		rest.Packages = append(rest.Packages, s)
	}
	for _, in := range sol.Installed {
		if _, stays := kept[in.Reason.By]; stays || in.Reason.By == "" {
			rest.Installed = append(rest.Installed, in)
		}
	}
	for _, d := range sol.Dropped {
		if _, stays := kept[d.By]; stays {
			rest.Dropped = append(rest.Dropped, d)
		}
	}
	return rest, left, nil
}

// edge is one entry of a package's dependencies with the packages that satisfy it.
type edge struct {
	by, field string
	entry     debian.Alternatives
	to        []string
	row       *Row // nil where by needs it
}

// graph has the edges of a solution by the package that has them.
type graph struct {
	packages []resolve.Selection
	edges    map[string][]*edge
}

func newGraph(table []Row, packages []resolve.Selection) (*graph, error) {
	g := &graph{packages: packages, edges: map[string][]*edge{}}
	offers, err := offered(packages)
	if err != nil {
		return nil, err
	}
	for _, p := range packages {
		for _, f := range []struct{ name, value string }{{"Pre-Depends", p.PreDepends}, {"Depends", p.Depends}} {
			entries, err := debian.ParseRelations(f.value)
			if err != nil {
				return nil, fmt.Errorf("package %s %s: %s: %w", p.Name, p.Version, f.name, err)
			}
			for _, entry := range entries {
				e := &edge{by: p.Name, field: f.name, entry: entry, row: find(table, p.Name, f.name, entry)}
				for _, r := range entry {
					e.to = append(e.to, offers.satisfying(r)...)
				}
				g.edges[p.Name] = append(g.edges[p.Name], e)
			}
		}
	}
	return g, nil
}

// offers is what packages are and provide, by name.
type offers map[string][]offer

type offer struct{ pkg, version string } // the version is "" for a provision without one

func offered(packages []resolve.Selection) (offers, error) {
	all := offers{}
	for _, p := range packages {
		all[p.Name] = append(all[p.Name], offer{p.Name, p.Version})
		provides, err := debian.ParseRelations(p.Provides)
		if err != nil {
			return nil, fmt.Errorf("package %s %s: Provides: %w", p.Name, p.Version, err)
		}
		for _, entry := range provides {
			for _, r := range entry {
				all[r.Name] = append(all[r.Name], offer{p.Name, r.Version})
			}
		}
	}
	return all, nil
}

// satisfying returns the packages that satisfy a relation (Debian Policy 7.5).
func (o offers) satisfying(r debian.Relation) []string {
	var names []string
	for _, offer := range o[r.Name] {
		if r.Operator == "" || offer.version != "" && r.Admits(offer.version) {
			names = append(names, offer.pkg)
		}
	}
	return names
}

// kept returns the packages that stay. One that has to have another reason than the
// solution's is mapped to it.
func (g *graph) kept() map[string]*edge {
	var roots []string
	for _, p := range g.packages {
		if p.Reason.Request != "" {
			roots = append(roots, p.Name)
		}
	}
	// What nothing depends on, such as a package that apt recommends its way to, is
	// not there for scripts.
	all := g.reach(roots, func(*edge) bool { return true })
	for _, p := range g.packages {
		if _, ok := all[p.Name]; !ok {
			roots = append(roots, p.Name)
		}
	}
	kept := g.reach(roots, func(e *edge) bool { return e.row == nil })
	for _, p := range g.packages {
		if e := kept[p.Name]; e != nil && g.holds(p, kept) {
			kept[p.Name] = nil
		}
	}
	return kept
}

// holds reports whether the solution's reason for a package is still one.
func (g *graph) holds(p resolve.Selection, kept map[string]*edge) bool {
	if _, ok := kept[p.Reason.By]; !ok {
		return false
	}
	return slices.ContainsFunc(g.edges[p.Reason.By], func(e *edge) bool {
		return e.row == nil && e.field == p.Reason.Field && slices.Contains(e.to, p.Name)
	})
}

// reach returns what the roots lead to along those edges, breadth first, with the
// edge that led there first, nil for the roots.
func (g *graph) reach(roots []string, along func(*edge) bool) map[string]*edge {
	reached := map[string]*edge{}
	for _, name := range roots {
		reached[name] = nil
	}
	for queue := slices.Clone(roots); len(queue) > 0; queue = queue[1:] {
		for _, e := range g.edges[queue[0]] {
			if !along(e) {
				continue
			}
			for _, to := range e.to {
				if _, ok := reached[to]; !ok {
					reached[to] = e
					queue = append(queue, to)
				}
			}
		}
	}
	return reached
}

// left describes a package that is left out: by the packages that stay and depend on
// it or, where none does, by those that are left out with it.
func (g *graph) left(name string, kept map[string]*edge) Left {
	var stay, gone []*edge
	for _, p := range g.packages {
		for _, e := range g.edges[p.Name] {
			if e.by == name || !slices.Contains(e.to, name) {
				continue
			}
			if _, ok := kept[e.by]; ok {
				stay = append(stay, e)
			} else {
				gone = append(gone, e)
			}
		}
	}
	l := Left{Package: name}
	by := stay
	if len(stay) > 0 {
		l.Why = "only for maintainer scripts: " + purposes(name, stay)
	} else {
		by = gone
		l.Why = "only for what is left out: " + depend(gone, name)
	}
	for _, e := range by {
		l.NeededBy = append(l.NeededBy, e.by+": "+e.entry.String())
	}
	slices.Sort(l.NeededBy)
	return l
}

// purposes says who depends on a tool for what.
func purposes(tool string, edges []*edge) string {
	byPurpose := map[string][]*edge{}
	for _, e := range edges {
		byPurpose[e.row.For] = append(byPurpose[e.row.For], e)
	}
	var all []string
	for _, purpose := range slices.Sorted(maps.Keys(byPurpose)) {
		all = append(all, depend(byPurpose[purpose], tool)+" for "+purpose)
	}
	return strings.Join(all, "; ")
}

// depend returns "a, b and 3 more depend on tool".
func depend(edges []*edge, tool string) string {
	var names []string
	for _, e := range edges {
		if !slices.Contains(names, e.by) {
			names = append(names, e.by)
		}
	}
	const shown = 3
	switch n := len(names); {
	case n == 1:
		return names[0] + " depends on " + tool
	case n > shown+1:
		return fmt.Sprintf("%s and %d more depend on %s", strings.Join(names[:shown], ", "), n-shown, tool)
	default:
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1] + " depend on " + tool
	}
}
