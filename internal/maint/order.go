package maint

import (
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/debian"
)

// dependencies is what the order of an installation follows from.
type dependencies struct {
	packages  []Package
	essential []bool
	depends   [][]dependency // by package
	before    [][]dependency // Pre-Depends
}

// dependency is the packages that meet it, in the order in which it names them.
type dependency []candidate

// candidate is a package that meets a dependency, by its name or by what it provides.
type candidate struct {
	pkg      int
	provides bool
}

// all returns the dependencies of a package in the order in which dpkg's database has
// them.
func (d *dependencies) all(i int) []dependency {
	return append(slices.Clip(d.depends[i]), d.before[i]...)
}

// dependencies reads the relations between the packages.
func (img *Image) dependencies() *dependencies {
	packages := img.all()
	d := &dependencies{packages: packages, essential: make([]bool, len(packages)), depends: make([][]dependency, len(packages)), before: make([][]dependency, len(packages))}
	providers := map[string][]int{}
	relations := make([]map[string]string, len(packages))
	for i, p := range packages {
		relations[i] = fields(p.Control, "Essential", "Pre-Depends", "Depends", "Provides")
		d.essential[i] = relations[i]["Essential"] == "yes"
		providers[p.Name] = append([]int{i}, providers[p.Name]...)
		for _, r := range relationsOf(relations[i]["Provides"]) {
			providers[r[0].Name] = append(providers[r[0].Name], i)
		}
	}
	meeting := func(i int, text string) (all []dependency) {
		for _, alternatives := range relationsOf(text) {
			var meet dependency
			for _, r := range alternatives {
				for _, j := range providers[r.Name] {
					meet = append(meet, candidate{j, packages[j].Name != r.Name})
				}
			}
			if len(meet) > 0 && !slices.ContainsFunc(meet, func(c candidate) bool { return c.pkg == i }) {
				all = append(all, meet)
			}
		}
		return all
	}
	for i := range packages {
		d.before[i] = meeting(i, relations[i]["Pre-Depends"])
		d.depends[i] = meeting(i, relations[i]["Depends"])
	}
	return d
}

// relationsOf reads relations, which the resolver has read before.
func relationsOf(text string) debian.Relations {
	list := strings.Split(text, ",")
	list = slices.DeleteFunc(list, func(s string) bool { return strings.TrimSpace(s) == "" })
	relations, err := debian.ParseRelations(strings.Join(list, ","))
	if err != nil {
		return nil
	}
	return relations
}

// Batch is packages that are unpacked together, in that order, and then configured.
type Batch struct {
	Packages []int // by index of the image's
	InOrder  bool  // they are configured in the order in which they are unpacked
}

// Batches returns the packages in the groups that are unpacked and then configured
// one after the other, as apt does it: first what is essential with all that it
// depends on, for the scripts of all others may rely on that; then what others
// pre-depend on, each with what it depends on; then the rest. In a group what others
// depend on comes first.
func (img *Image) Batches() []Batch {
	d := img.dependencies()
	var batches []Batch
	var first []int
	done := make([]bool, len(d.packages))
	for i := len(img.Packages); i < len(done); i++ {
		done[i] = true
	}
	var add func(to *[]int, i int)
	add = func(to *[]int, i int) {
		if done[i] {
			return
		}
		done[i] = true
		for _, dep := range append(slices.Clip(d.before[i]), d.depends[i]...) {
			add(to, dep[0].pkg)
		}
		*to = append(*to, i)
	}
	for i := range img.Packages {
		if d.essential[i] {
			add(&first, i)
		}
	}
	if len(first) > 0 {
		batches = append(batches, Batch{Packages: first})
	}
	for i, p := range img.Packages {
		if p.Name == "apt" { // which counts as essential for apt (pkgCacheGen::ForceEssential)
			var early []int
			for _, dep := range d.all(i) { // each alternative
				for _, c := range dep {
					add(&early, c.pkg)
				}
			}
			if add(&early, i); len(early) > 0 {
				batches = append(batches, Batch{early, true})
			}
		}
	}
	for i := range img.Packages {
		for _, dep := range d.before[i] {
			var early []int
			if add(&early, dep[0].pkg); len(early) > 0 {
				batches = append(batches, Batch{early, true})
			}
		}
	}
	var rest []int
	for i := range img.Packages {
		add(&rest, i)
	}
	if len(rest) > 0 || len(batches) == 0 {
		batches = append(batches, Batch{Packages: rest})
	}
	return batches
}

// fields returns some fields of a control paragraph (deb822(5)).
func fields(paragraph string, names ...string) map[string]string {
	found := map[string]string{}
	name := ""
	for line := range strings.Lines(paragraph) {
		if strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t") {
			if name != "" {
				found[name] += " " + strings.TrimSpace(line)
			}
			continue
		}
		field, value, _ := strings.Cut(line, ":")
		name = ""
		if slices.Contains(names, field) {
			name = field
			found[name] = strings.TrimSpace(value)
		}
	}
	return found
}
