package page

import (
	"cmp"
	"fmt"

	"github.com/hardpan/hardpan/internal/check"
	"github.com/hardpan/hardpan/internal/diff"
	"github.com/hardpan/hardpan/internal/inventory"
)

// layer is a line of the chart of layers.
type layer struct {
	Number   int // 1 is the lowest
	Digest   string
	Holds    string
	Size     int64 // bytes, as it is pulled
	Unpacked int64
	Paths    int // that the image has from it
	Width    int // of its bar, of barUnits
}

func (p *platform) layers(inv *inventory.Inventory) {
	img := inv.Image
	paths := make([]int, len(img.Layers))
	for f := range img.All() {
		paths[f.Layer]++
	}
	var largest int64 = 1
	for _, l := range img.Layers {
		largest = max(largest, l.Size)
	}
	for i, l := range img.Layers {
		p.Size += l.Size
		p.Layers = append(p.Layers, layer{
			Number: i + 1, Digest: l.Digest, Holds: shown(cmp.Or(clip(check.ShownText(inv.Holds(i))), "the image does not say")), Size: l.Size, Unpacked: l.Unpacked,
			Paths: paths[i], Width: max(int(float64(l.Size)/float64(largest)*barUnits), 4),
		})
	}
}

// maxListed is how many paths of the differences the page has. `hardpan diff` has all.
const maxListed = 1000

// changes are the differences from a previous image.
type changes struct {
	*diff.Diff
	Fails, Fixed, Other     []diff.Rule
	Added, Removed, Changed int // paths
	Listed                  []pathChange
	Omitted                 int
	Pulled, Grown           int64 // bytes more or less
}

type pathChange struct {
	Change diff.Change
	Path   string
	Say    []string
	Origin string
}

func newChanges(d *diff.Diff) *changes {
	c := &changes{Diff: d, Pulled: d.New.Size - d.Old.Size, Grown: d.New.Unpacked - d.Old.Unpacked}
	for _, r := range d.Rules {
		switch {
		case r.Fails:
			c.Fails = append(c.Fails, r)
		case r.Fixed:
			c.Fixed = append(c.Fixed, r)
		default:
			c.Other = append(c.Other, r)
		}
	}
	for i := range d.Paths {
		p := &d.Paths[i]
		switch p.Change {
		case diff.Added:
			c.Added++
		case diff.Removed:
			c.Removed++
		default:
			c.Changed++
		}
		if len(c.Listed) == maxListed {
			c.Omitted++
			continue
		}
		c.Listed = append(c.Listed, listed(p))
	}
	return c
}

// listed says what is different about a path.
func listed(p *diff.Path) pathChange {
	e := p.New
	if e == nil {
		e = p.Old
	}
	c := pathChange{Change: p.Change, Path: shown(p.Path), Origin: shown(e.Origin)}
	if p.Change != diff.Changed {
		c.Say = []string{fmt.Sprintf("%s, %s, %s", e.Type, e.Mode, e.Owner)}
		if e.Type == "file" {
			c.Say[0] += ", " + size(e.Size)
		}
		return c
	}
	for _, line := range p.Says() {
		c.Say = append(c.Say, shown(line))
	}
	return c
}
