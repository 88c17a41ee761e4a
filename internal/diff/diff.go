package diff

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/check"
	"github.com/hardpan/hardpan/internal/inventory"
	"github.com/hardpan/hardpan/internal/oci"
)

// Diff is how one image differs from another.
type Diff struct {
	Old      Side      `json:"old"`
	New      Side      `json:"new"`
	Packages []Package `json:"packages,omitempty"`
	Paths    []Path    `json:"paths,omitempty"`
	Config   []Setting `json:"config,omitempty"`
	Layers   []Layer   `json:"layers,omitempty"` // that only one of the two has
	Rules    []Rule    `json:"rules,omitempty"`  // filled by whoever judged both, with [Rules]
}

// Side is one of the two images.
type Side struct {
	Image    string `json:"image,omitempty"` // as it was named
	Digest   string `json:"digest"`
	Platform string `json:"platform"`
	Size     int64  `json:"size"`     // bytes of the layers as they are pulled
	Unpacked int64  `json:"unpacked"` // bytes of the files of all layers
	Layers   int    `json:"layers"`
	Packages int    `json:"packages"`
	Paths    int    `json:"paths"`
}

// Change says what became of something.
type Change string

// The changes.
const (
	Added   Change = "added"
	Removed Change = "removed"
	Changed Change = "changed"
)

// Package is a package that differs.
type Package struct {
	Change       Change `json:"change"`
	Name         string `json:"name"`
	Architecture string `json:"architecture,omitempty"`
	Old          string `json:"old,omitempty"`  // version
	New          string `json:"new,omitempty"`  // version
	Size         int64  `json:"size,omitempty"` // bytes more, or less, that it has
}

// Setting is something of the config that differs.
type Setting struct {
	Change Change `json:"change"`
	Name   string `json:"name"` // such as "user", "environment PATH", "label maintainer"
	Old    string `json:"old,omitempty"`
	New    string `json:"new,omitempty"`
}

// Layer is a layer that only one of the images has.
type Layer struct {
	Change Change `json:"change"`
	Digest string `json:"digest"`
	Index  int    `json:"index"` // 0 is the lowest
	Size   int64  `json:"size"`  // bytes, as it is pulled
	Holds  string `json:"holds,omitempty"`
}

// Rule is a rule that the images answer differently.
type Rule struct {
	Rule  string       `json:"rule"`
	Title string       `json:"title"`
	Old   check.Status `json:"old"`
	New   check.Status `json:"new"`
	// Fails says that the new image breaks what the old one did not, Fixed the reverse.
	Fails bool `json:"fails,omitempty"`
	Fixed bool `json:"fixed,omitempty"`
}

// Images compares two images.
func Images(old, new *inventory.Inventory) *Diff {
	return &Diff{
		Old: side(old), New: side(new),
		Packages: packages(old, new), Paths: paths(old, new), Config: config(old.Image.Image, new.Image.Image), Layers: layers(old, new),
	}
}

// Empty reports whether the images are the same in all that is compared.
func (d *Diff) Empty() bool {
	return len(d.Packages)+len(d.Paths)+len(d.Config)+len(d.Layers)+len(d.Rules) == 0
}

func side(inv *inventory.Inventory) Side {
	img := inv.Image
	s := Side{Digest: string(img.Digest), Platform: img.Platform.String(), Unpacked: img.Unpacked, Layers: len(img.Layers), Packages: len(inv.Packages), Paths: img.Len()}
	for _, l := range img.Layers {
		s.Size += l.Size
	}
	return s
}

// packages compares by name, and by name and architecture where an image has a package
// of several.
func packages(old, new *inventory.Inventory) (list []Package) {
	several := map[string]bool{}
	for _, inv := range []*inventory.Inventory{old, new} {
		for i, p := range inv.Packages {
			if i > 0 && inv.Packages[i-1].Name == p.Name {
				several[p.Name] = true
			}
		}
	}
	byKey := func(inv *inventory.Inventory) map[string]inventory.Package {
		m := map[string]inventory.Package{}
		for _, p := range inv.Packages {
			key := p.Name
			if several[key] {
				key += ":" + p.Architecture
			}
			m[key] = p
		}
		return m
	}
	was, is := byKey(old), byKey(new)
	for _, key := range union(was, is) {
		a, before := was[key]
		b, after := is[key]
		switch {
		case before && after && a.Version == b.Version && a.Architecture == b.Architecture:
			continue
		case before && after:
			list = append(list, Package{Changed, b.Name, b.Architecture, a.Version, b.Version, b.Size - a.Size})
		case before:
			list = append(list, Package{Removed, a.Name, a.Architecture, a.Version, "", -a.Size})
		default:
			list = append(list, Package{Added, b.Name, b.Architecture, "", b.Version, b.Size})
		}
	}
	return list
}

func union[V any](a, b map[string]V) []string {
	keys := slices.AppendSeq(slices.Collect(maps.Keys(a)), maps.Keys(b))
	slices.Sort(keys)
	return slices.Compact(keys)
}

// layers compares by digest; a layer that moved is no difference.
func layers(old, new *inventory.Inventory) (list []Layer) {
	only := func(inv, other *inventory.Inventory, change Change) {
		has := map[string]bool{}
		for _, l := range other.Image.Layers {
			has[l.Digest] = true
		}
		for i, l := range inv.Image.Layers {
			if !has[l.Digest] {
				list = append(list, Layer{change, l.Digest, i, l.Size, check.ShownText(inv.Holds(i))})
			}
		}
	}
	only(old, new, Removed)
	only(new, old, Added)
	return list
}

// Rules compares the answers of two reports. A rule that only one profile asks is no
// difference.
func Rules(old, new *check.Report) (list []Rule) {
	was := map[string]check.Result{}
	for _, r := range old.Results {
		was[r.Rule] = r
	}
	for _, r := range new.Results {
		before, asked := was[r.Rule]
		if !asked || before.Status == r.Status {
			continue
		}
		list = append(list, Rule{
			Rule: r.Rule, Title: r.Title, Old: before.Status, New: r.Status,
			Fails: r.Status == check.Failed, Fixed: before.Status == check.Failed,
		})
	}
	rank := func(r Rule) int {
		switch {
		case r.Fails:
			return 0
		case r.Fixed:
			return 1
		}
		return 2
	}
	slices.SortStableFunc(list, func(a, b Rule) int { return cmp.Compare(rank(a), rank(b)) })
	return list
}

// Pair says which image of old is to be compared with which of new: those of the same
// platform, or the only ones there are. Platforms that only one side has are named.
func Pair(old, new []*oci.Image) (pairs [][2]*oci.Image, alone []string) {
	if len(old) == 1 && len(new) == 1 {
		return [][2]*oci.Image{{old[0], new[0]}}, nil
	}
	was := map[string]*oci.Image{}
	for _, img := range old {
		was[img.Platform.String()] = img
	}
	for _, img := range new {
		platform := img.Platform.String()
		if before := was[platform]; before != nil {
			pairs = append(pairs, [2]*oci.Image{before, img})
			delete(was, platform)
			continue
		}
		alone = append(alone, fmt.Sprintf("%s is only in the new image", platform))
	}
	for _, platform := range slices.SortedFunc(maps.Keys(was), strings.Compare) {
		alone = append(alone, fmt.Sprintf("%s is only in the old image", platform))
	}
	return pairs, alone
}
