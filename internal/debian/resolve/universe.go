package resolve

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/hardpan/hardpan/internal/debian"
)

// A Universe holds the packages that a resolution may choose from: those of one
// architecture and of "all", out of any number of archives. After the last Add it
// may be used by several goroutines at once.
//
// A name's number is the order in which the indexes first mention it, in a stanza
// or in a relation of one. Apt breaks ties by that order, so it is part of what
// makes the outcome the same as apt's: add the archives in the order in which
// sources.list would have them.
type Universe struct {
	arch     string
	archives []string
	words    words

	byName   map[string]nodeID   // the names without a qualifier, which is most
	byArch   map[nodeName]nodeID // the others
	nodes    []node
	versions []version
	provides []provide

	installed map[nodeID]versionID // see OnBase

	walkOnce sync.Once
	walk     []nodeID // see walkOrder
}

type (
	nodeID    int32
	versionID int32
)

const none = -1

// nodeName names what relations point at. "python3:any" is a name of its own,
// which the versions of python3 that are Multi-Arch: allowed provide.
type nodeName struct{ name, qualifier string }

func (n nodeName) String() string {
	if n.qualifier == "" {
		return n.name
	}
	return n.name + ":" + n.qualifier
}

// A node is a name that a package has or that a relation mentions.
type node struct {
	nodeName
	newest    versionID // its versions from the newest on, by version.older
	provided  int32     // the provisions of the name, the last added first, by provide.next
	essential bool      // a version of it is essential
	protected bool      // a version of it is protected
}

type version struct {
	record   record
	number   string // the version itself
	node     nodeID
	older    versionID
	provides int32 // by provide.nextOfVersion
	priority priority
}

// A provide tells that a version provides a name, in a version of its own or "".
type provide struct {
	version       versionID
	target        nodeID
	number        string
	next          int32
	nextOfVersion int32
}

// NewUniverse returns an empty universe for the architecture, such as "amd64".
func NewUniverse(arch string) *Universe {
	return &Universe{arch: arch, byName: map[string]nodeID{}, byArch: map[nodeName]nodeID{}}
}

// Architecture returns the architecture that the universe is for.
func (u *Universe) Architecture() string { return u.arch }

// Len returns how many packages, counting each version, the universe has.
func (u *Universe) Len() int { return len(u.versions) }

// Add adds a package. It ignores one of another architecture, which a flat
// archive's index may list, and one that it has already, by version and SHA-256.
// An error says which relation of the package cannot be read.
func (u *Universe) Add(p debian.Package) error {
	if p.Architecture != u.arch && p.Architecture != "all" {
		return nil
	}
	if !slices.Contains(u.archives, p.Archive) {
		u.archives = append(u.archives, p.Archive)
	}
	n := u.node(nodeName{name: p.Name})
	node := &u.nodes[n]
	// As in apt, a name is essential once any of its versions is, and apt itself
	// always is.
	node.essential = node.essential || p.Essential || p.Name == "apt"
	node.protected = node.protected || p.Protected || p.Name == "apt"
	v, isNew := u.insert(n, &p)
	if !isNew {
		return nil
	}
	if err := u.mention(&p); err != nil {
		return fmt.Errorf("package %s %s: %w", p.Name, p.Version, err)
	}
	if err := u.provide(v, &p); err != nil {
		return fmt.Errorf("package %s %s: Provides: %w", p.Name, p.Version, err)
	}
	return nil
}

// Essential returns the names of the packages that are to be on every system whose
// maintainer scripts run (Debian Policy 3.8), sorted.
func (u *Universe) Essential() []string {
	var names []string
	for i := range u.nodes {
		n := &u.nodes[i]
		if n.essential && n.newest != none && n.name != "apt" { // which is essential to apt only
			names = append(names, n.name)
		}
	}
	slices.Sort(names)
	return names
}

// Has reports whether there is a package of that name.
func (u *Universe) Has(name string) bool {
	n, ok := u.byName[name]
	return ok && u.nodes[n].newest != none
}

// OnBase returns the universe of a system that has packages already: each is the only
// version of its name that there is, and stays. What it depends on is not looked at
// again, since whoever made the system answers for that; what it conflicts with and
// breaks is. u stays as it is. No package may be installed twice.
func (u *Universe) OnBase(installed []debian.Package) (*Universe, error) {
	c := &Universe{
		arch: u.arch, archives: slices.Clip(u.archives), words: u.words.clone(),
		byName: maps.Clone(u.byName), byArch: maps.Clone(u.byArch),
		nodes: slices.Clone(u.nodes), versions: slices.Clone(u.versions), provides: slices.Clone(u.provides),
		installed: map[nodeID]versionID{},
	}
	for i := range installed {
		p := installed[i]
		if p.Architecture != u.arch && p.Architecture != "all" {
			continue // of a foreign architecture: what is added here needs none of it
		}
		n := c.node(nodeName{name: p.Name})
		if _, twice := c.installed[n]; twice {
			return nil, fmt.Errorf("package %s is installed twice", p.Name)
		}
		p.Archive = "" // of no archive that is read here
		p.PreDepends, p.Depends, p.Recommends, p.Suggests, p.Enhances, p.Replaces = "", "", "", "", "", ""
		c.nodes[n].newest = none
		v, _ := c.insert(n, &p)
		c.installed[n] = v
		if err := c.mention(&p); err != nil {
			return nil, fmt.Errorf("installed package %s %s: %w", p.Name, p.Version, err)
		}
		if err := c.provide(v, &p); err != nil {
			return nil, fmt.Errorf("installed package %s %s: Provides: %w", p.Name, p.Version, err)
		}
	}
	return c, nil
}

// lookup returns the number of a name.
func (u *Universe) lookup(name nodeName) (n nodeID, ok bool) {
	if name.qualifier == "" {
		n, ok = u.byName[name.name]
	} else {
		n, ok = u.byArch[name]
	}
	return n, ok
}

// node returns the number of a name, a new one where the name is new.
func (u *Universe) node(name nodeName) nodeID {
	if n, ok := u.lookup(name); ok {
		return n
	}
	n := nodeID(len(u.nodes))
	name.name = strings.Clone(name.name) // not to hold on to a whole stanza
	name.qualifier = strings.Clone(name.qualifier)
	u.nodes = append(u.nodes, node{nodeName: name, newest: none, provided: none})
	if name.qualifier == "" {
		u.byName[name.name] = n
		return n
	}
	u.byArch[name] = n
	if name.qualifier == u.arch {
		// "foo:amd64" is what every version of foo and every provider of foo provides.
		plain := u.node(nodeName{name: name.name})
		for i := u.nodes[plain].provided; i != none; i = u.provides[i].next {
			owner := u.provides[i].version
			u.addProvide(owner, n, u.versions[owner].number)
		}
		for v := u.nodes[plain].newest; v != none; v = u.versions[v].older {
			u.addProvide(v, n, u.versions[v].number)
		}
	}
	return n
}

// insert puts the package into the name's list of versions, below the versions
// that are newer or equal.
func (u *Universe) insert(n nodeID, p *debian.Package) (v versionID, isNew bool) {
	at := &u.nodes[n].newest
	for *at != none {
		known := &u.versions[*at]
		c := debian.CompareVersions(p.Version, known.number)
		if c > 0 {
			break
		}
		if c == 0 && known.record.get(recordSHA256) == p.SHA256 {
			return *at, false
		}
		at = &known.older
	}
	v = versionID(len(u.versions))
	rec := u.words.pack(p)
	older := *at
	*at = v
	u.versions = append(u.versions, version{
		record:   rec,
		number:   rec.get(recordVersion),
		node:     n,
		older:    older,
		provides: none,
		priority: parsePriority(p.Priority),
	})
	return v, true
}

// mention numbers the names that the package's relations mention, in the order
// in which apt reads the fields.
func (u *Universe) mention(p *debian.Package) error {
	for _, f := range []struct{ name, value string }{
		{"Pre-Depends", p.PreDepends}, {"Depends", p.Depends}, {"Conflicts", p.Conflicts},
		{"Breaks", p.Breaks}, {"Recommends", p.Recommends}, {"Suggests", p.Suggests},
		{"Replaces", p.Replaces}, {"Enhances", p.Enhances},
	} {
		for r, err := range debian.EachRelation(f.value) {
			if err != nil {
				return fmt.Errorf("%s: %w", f.name, err)
			}
			u.node(u.target(r.Relation))
		}
	}
	return nil
}

// target returns the name that a relation points at.
func (u *Universe) target(r debian.Relation) nodeName {
	if r.Qualifier == "native" {
		return nodeName{r.Name, u.arch}
	}
	return nodeName{r.Name, r.Qualifier}
}

// provide records what a version provides: what Provides says and what
// Multi-Arch: allowed implies.
func (u *Universe) provide(v versionID, p *debian.Package) error {
	allowed := p.MultiArch == "allowed"
	for r, err := range debian.EachRelation(p.Provides) {
		if err != nil {
			return err
		}
		if !r.First {
			return errors.New("found '|' between provided names")
		}
		if r.Operator != "" && r.Operator != "=" {
			continue // apt ignores it too
		}
		u.provideOne(v, p, r.Relation, allowed)
	}
	if allowed {
		u.addProvide(v, u.node(nodeName{p.Name, "any"}), u.versions[v].number)
	}
	if n, ok := u.byArch[nodeName{p.Name, u.arch}]; ok && !u.hasProvide(v, n) {
		u.addProvide(v, n, u.versions[v].number)
	}
	return nil
}

func (u *Universe) provideOne(v versionID, p *debian.Package, r debian.Relation, allowed bool) {
	number := strings.Clone(r.Version)
	if r.Qualifier != "" {
		if r.Qualifier == u.arch {
			u.addProvide(v, u.node(nodeName{name: r.Name}), number)
		}
		u.addProvide(v, u.node(nodeName{r.Name, r.Qualifier}), number)
		return
	}
	if allowed {
		u.addProvide(v, u.node(nodeName{r.Name, "any"}), number)
	}
	if r.Name != p.Name || number != "" && number != p.Version {
		u.addProvide(v, u.node(nodeName{name: r.Name}), number)
	}
	if n, ok := u.byArch[nodeName{r.Name, u.arch}]; ok {
		u.addProvide(v, n, number)
	}
}

func (u *Universe) addProvide(v versionID, n nodeID, number string) {
	i := int32(len(u.provides))
	u.provides = append(u.provides, provide{
		version: v, target: n, number: number,
		next: u.nodes[n].provided, nextOfVersion: u.versions[v].provides,
	})
	u.nodes[n].provided = i
	u.versions[v].provides = i
}

func (u *Universe) hasProvide(v versionID, n nodeID) bool {
	for i := u.versions[v].provides; i != none; i = u.provides[i].nextOfVersion {
		if u.provides[i].target == n {
			return true
		}
	}
	return false
}

// String names the archives and the architecture, "debian/trixie (amd64)". The
// suites that only amend another, such as debian/trixie-updates, go without saying.
func (u *Universe) String() string {
	var names []string
	for _, a := range u.archives {
		amends := func(base string) bool { return strings.HasPrefix(a, base+"-") }
		if !slices.ContainsFunc(u.archives, amends) {
			names = append(names, a)
		}
	}
	return strings.Join(names, ", ") + " (" + u.arch + ")"
}

// priority is a package's Priority; a smaller one is more important and 0 is for
// a package that states none.
type priority uint8

func parsePriority(s string) priority {
	switch strings.ToLower(s) {
	case "":
		return 0
	case "required":
		return 1
	case "important":
		return 2
	case "standard":
		return 3
	case "optional":
		return 4
	default:
		return 5
	}
}
