package inventory

import (
	"cmp"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/check/facts"
	"github.com/hardpan/hardpan/internal/lock"
	"github.com/hardpan/hardpan/internal/tree"
)

// Package is a package of an image.
type Package struct {
	Name          string `json:"name"`
	Version       string `json:"version"`
	Architecture  string `json:"architecture,omitempty"`
	Source        string `json:"source,omitempty"`
	SourceVersion string `json:"sourceVersion,omitempty"`
	Size          int64  `json:"size"`  // bytes of its files in the image
	Files         int    `json:"files"` // of any type but directories
	// Why it is in the image: "requested", or what needs it; "" where nobody says.
	Why string `json:"why,omitempty"`
}

// Unknown is the kind of an origin that nothing tells.
const Unknown tree.OriginKind = "unknown"

// Origin is where a path comes from.
type Origin struct {
	Kind    tree.OriginKind `json:"kind"`
	Package string          `json:"package,omitempty"` // that ships the path, or whose script made it
	Text    string          `json:"text"`              // for a person
}

// Inventory is what is in an image.
type Inventory struct {
	Image    *facts.Image
	Packages []Package // by name, then architecture
	// By is who answers: "record", "dpkg", "apk", or "" where nobody does.
	By string

	version map[string]string // of packages, by name
	told    map[*tree.Origin]Origin
}

// Of returns what is in the image.
func Of(img *facts.Image) *Inventory {
	inv := &Inventory{Image: img, version: map[string]string{}, told: map[*tree.Origin]Origin{}}
	if img.Record != nil {
		inv.By = "record"
		inv.recorded()
	} else {
		inv.By = img.System().Database
		inv.installed()
	}
	slices.SortStableFunc(inv.Packages, func(a, b Package) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Architecture, b.Architecture))
	})
	index := map[string]int{}
	for n, p := range inv.Packages {
		inv.version[p.Name] = p.Version
		if _, ok := index[p.Name]; !ok {
			index[p.Name] = n
		}
	}
	for f := range img.All() {
		o := inv.Origin(f)
		if n, ok := index[o.Package]; ok && f.Type != facts.Directory && o.Kind != tree.FromScript {
			inv.Packages[n].Files++
			if f.Type == facts.Regular {
				inv.Packages[n].Size += f.Size
			}
		}
	}
	return inv
}

// recorded takes the packages of the record.
func (inv *Inventory) recorded() {
	rec := inv.Image.Record
	for i := range rec.Packages {
		inv.add(&rec.Packages[i], rec.Packages[i].Why)
	}
	for p := range rec.BasePackages() {
		why := p.Why
		if why == "" {
			why = "in the base image"
		} else {
			why += ", in the base image"
		}
		inv.add(p, why)
	}
}

func (inv *Inventory) add(p *lock.Package, why string) {
	inv.Packages = append(inv.Packages, Package{
		Name: p.Name, Version: p.Version, Architecture: p.Architecture, Source: p.Source, SourceVersion: p.SourceVersion, Why: why,
	})
}

// Origin says where a path comes from.
func (inv *Inventory) Origin(f *facts.File) Origin {
	if rec := inv.Image.Record; rec != nil {
		if row, ok := rec.Lookup(f.Path); ok {
			o, ok := inv.told[row.Origin]
			if !ok {
				o = Origin{Kind: row.Origin.Kind, Package: row.Origin.Package, Text: row.Origin.String()}
				inv.told[row.Origin] = o
			}
			return o
		}
		if rec.Partial && f.Layer < len(rec.Layers) && len(rec.Layers[f.Layer].Packages) > 0 {
			return inv.ofLayer(rec.Layers[f.Layer].Packages)
		}
	}
	name, ok := inv.Image.System().Owner[f.Path]
	if !ok {
		return Origin{Kind: Unknown, Text: "unknown"}
	}
	o := Origin{Kind: tree.FromPackage, Package: name, Text: strings.TrimSpace("package "+name+" "+inv.version[name]) + ", by the database of " + inv.Image.System().Database}
	if sum, ok := inv.Image.System().Sums[f.Path]; ok && f.Type == facts.Regular && sum != f.MD5 {
		o.Text += ", changed since"
	}
	return o
}

// ofLayer is the origin of a path that the record leaves to its layer.
func (inv *Inventory) ofLayer(packages []string) Origin {
	o := Origin{Kind: tree.FromPackage, Text: "one of the packages " + strings.Join(packages, ", ")}
	if len(packages) == 1 {
		o.Package = packages[0]
		o.Text = "package " + packages[0] + " " + inv.version[packages[0]]
	}
	return o
}

// Holds says what a layer of the image holds, in one line: the packages of the record,
// or what the config says made it.
func (inv *Inventory) Holds(layer int) string {
	img := inv.Image
	if rec := img.Record; rec != nil && layer < len(rec.Layers) && len(rec.Layers[layer].Packages) > 0 {
		return strings.Join(rec.Layers[layer].Packages, ", ")
	}
	return img.Layers[layer].CreatedBy
}
