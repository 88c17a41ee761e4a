package maint

import (
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/debian"
)

// Batches returns the packages, by index, in the groups that are unpacked and then
// configured one after the other: first what is essential with all that it depends
// on, as every tool that installs a Debian system does it, for the scripts of all
// others may rely on that; then the rest.
func (img *Image) Batches() [][]int {
	essential := map[int]bool{}
	byName := map[string]int{}
	relations := make([]map[string]string, len(img.Packages))
	for i, p := range img.Packages {
		byName[p.Name] = i
		relations[i] = fields(p.Control, "Essential", "Pre-Depends", "Depends")
	}
	var need func(i int)
	need = func(i int) {
		if essential[i] {
			return
		}
		essential[i] = true
		for _, field := range []string{"Pre-Depends", "Depends"} {
			groups, err := debian.ParseRelations(relations[i][field])
			if err != nil {
				continue // the resolver has read it before
			}
			for _, alternatives := range groups {
				for _, r := range alternatives {
					if j, ok := byName[r.Name]; ok {
						need(j)
						break
					}
				}
			}
		}
	}
	for i := range img.Packages {
		if relations[i]["Essential"] == "yes" {
			need(i)
		}
	}
	first, rest := make([]int, 0, len(essential)), make([]int, 0, len(img.Packages))
	for i := range img.Packages {
		if essential[i] {
			first = append(first, i)
		} else {
			rest = append(rest, i)
		}
	}
	if len(first) == 0 {
		return [][]int{rest}
	}
	return [][]int{first, rest}
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
