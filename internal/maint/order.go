package maint

import (
	"cmp"
	"hash/fnv"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/debian"
)

// dependencies is what the order of an installation follows from.
type dependencies struct {
	packages  []Package
	essential []bool
	depends   [][][]int // by package, for each dependency: the packages that meet it
	before    [][][]int // the same of Pre-Depends alone
}

// dependencies reads the relations between the packages.
func (img *Image) dependencies() *dependencies {
	d := &dependencies{packages: img.Packages, essential: make([]bool, len(img.Packages)), depends: make([][][]int, len(img.Packages)), before: make([][][]int, len(img.Packages))}
	providers := map[string][]int{}
	relations := make([]map[string]string, len(img.Packages))
	for i, p := range img.Packages {
		relations[i] = fields(p.Control, "Essential", "Pre-Depends", "Depends", "Provides")
		d.essential[i] = relations[i]["Essential"] == "yes"
		providers[p.Name] = append([]int{i}, providers[p.Name]...)
		for _, r := range relationsOf(relations[i]["Provides"]) {
			providers[r[0].Name] = append(providers[r[0].Name], i)
		}
	}
	meeting := func(i int, text string) (all [][]int) {
		for _, alternatives := range relationsOf(text) {
			var meet []int
			for _, r := range alternatives {
				meet = append(meet, providers[r.Name]...)
			}
			if len(meet) > 0 && !slices.Contains(meet, i) {
				all = append(all, meet)
			}
		}
		return all
	}
	for i := range img.Packages {
		d.before[i] = meeting(i, relations[i]["Pre-Depends"])
		d.depends[i] = append(slices.Clone(d.before[i]), meeting(i, relations[i]["Depends"])...)
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
	done := make([]bool, len(img.Packages))
	var add func(to *[]int, i int)
	add = func(to *[]int, i int) {
		if done[i] {
			return
		}
		done[i] = true
		for _, meet := range d.depends[i] {
			add(to, meet[0])
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
	for i := range img.Packages {
		for _, meet := range d.before[i] {
			var early []int
			if add(&early, meet[0]); len(early) > 0 {
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

// dpkgBins is the number of bins of dpkg's table of packages, through which
// "dpkg --configure --pending" goes (lib/dpkg/pkg-hash.c).
const dpkgBins = 65521

// configureOrder returns a batch in the order in which dpkg configures it: as its
// table has the packages, except that one whose dependencies are not configured
// yet goes to the end of the queue (process_queue in dpkg's src/main/packages.c).
// Ids of users follow from it, and what comes first in a generated file.
func (d *dependencies) configureOrder(batch []int) []int {
	bin := func(i int) uint32 {
		h := fnv.New32a()
		h.Write([]byte(d.packages[i].Name))
		return h.Sum32() % dpkgBins
	}
	queue := slices.Clone(batch)
	slices.SortStableFunc(queue, func(a, b int) int { return cmp.Compare(bin(a), bin(b)) })
	waiting := map[int]bool{}
	for _, i := range queue {
		waiting[i] = true
	}
	var order []int
	for idle := 0; len(queue) > 0; {
		i := queue[0]
		queue = queue[1:]
		// Where all wait in a circle, it is cut first before a package without a postinst,
		// which needs nobody's (deb-postinst(5), Debian Policy 7.2).
		cut := idle > len(queue) && d.inCycle(i, waiting) && (idle > 2*len(queue)+1 || !d.waitsForScript(i, waiting))
		if d.waits(i, waiting) && !cut {
			queue = append(queue, i)
			idle++
			continue
		}
		idle = 0
		delete(waiting, i)
		order = append(order, i)
	}
	return order
}

// waits reports whether a dependency is not met by a configured package, but will
// be by one that waits.
func (d *dependencies) waits(i int, waiting map[int]bool) bool {
	return slices.ContainsFunc(d.depends[i], func(meet []int) bool {
		return !slices.ContainsFunc(meet, func(j int) bool { return !waiting[j] })
	})
}

// waitsForScript reports whether a package that i waits for has a postinst.
func (d *dependencies) waitsForScript(i int, waiting map[int]bool) bool {
	return slices.ContainsFunc(d.depends[i], func(meet []int) bool {
		return waiting[meet[0]] && d.packages[meet[0]].Scripts["postinst"] != ""
	})
}

// inCycle reports whether all that a package waits for waits for it in turn, so
// that nothing is lost by configuring it now.
func (d *dependencies) inCycle(i int, waiting map[int]bool) bool {
	for _, meet := range d.depends[i] {
		if slices.ContainsFunc(meet, func(j int) bool { return !waiting[j] }) {
			continue
		}
		if !d.reaches(meet[0], i, waiting, map[int]bool{}) {
			return false
		}
	}
	return true
}

func (d *dependencies) reaches(from, to int, waiting, seen map[int]bool) bool {
	if from == to {
		return true
	}
	if seen[from] {
		return false
	}
	seen[from] = true
	for _, meet := range d.depends[from] {
		if waiting[meet[0]] && d.reaches(meet[0], to, waiting, seen) {
			return true
		}
	}
	return false
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
