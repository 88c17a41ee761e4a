package builder

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/lock"
	"github.com/hardpan/hardpan/internal/record"
	"github.com/hardpan/hardpan/internal/tree"
)

// recordBase writes down what the image stands on.
func (b *build) recordBase(r *record.Record, a *assembly) {
	base := a.base
	if base == nil {
		return
	}
	r.Base = &record.Base{Reference: base.reference, Digest: base.Digest, Named: base.named, Overwritten: a.overwritten()}
	if !b.spec.Flatten {
		r.Base.Layers = len(base.layers)
		for i := range base.layers {
			if base.record != nil {
				r.Layers[i].Packages = base.record.Layers[i].Packages
			}
		}
	}
	known := map[string]bool{}
	if rec := base.record; rec != nil {
		r.Base.Packages, r.Base.Archives, r.Base.Distro, r.Base.Spec = base.confirmed(rec.Packages), rec.Archives, rec.Distro, rec.Spec
		for last, older := r.Base, rec.Base; older != nil; older = older.Base {
			own := *older
			own.Packages = base.confirmed(older.Packages)
			last.Base, last = &own, &own
		}
		r.Base.Components = rec.Components
		for p := range r.BasePackages() {
			known[p.Name+" "+p.Version] = true
		}
	}
	for _, p := range base.packages { // those in the image in another version are left out by who reads it
		if !known[p.Name+" "+p.Version] {
			r.Base.Packages = append(r.Base.Packages, p.locked())
		}
	}
	if n := len(base.special); n > 0 && !b.spec.Flatten {
		r.Warnings = append(r.Warnings, fmt.Sprintf("%d devices or named pipes of the base image, such as %s, are in its layers and are not listed", n, "/"+slices.Min(slices.Collect(maps.Keys(base.special)))))
	}
	for _, o := range r.Base.Overwritten {
		r.Warnings = append(r.Warnings, fmt.Sprintf("/%s of the base image is in the image in another version, and its %d bytes stay in layer %.19s below", o.Path, o.Size, o.Layer))
	}
}

// confirmed returns those of the packages that a record claims which the database of the
// base has, too.
func (base *baseImage) confirmed(claimed []lock.Package) []lock.Package {
	return slices.DeleteFunc(slices.Clone(claimed), func(p lock.Package) bool {
		in := base.find(p.Name)
		return in == nil || in.Version != p.Version
	})
}

// overwritten returns what the image's own layer has in another version than the base's
// layers, whose bytes are in the image too.
func (s *settlement) overwritten() (all []record.Overwritten) {
	for _, name := range s.replaced {
		old := s.on.tree.Lookup(name)
		if old.Type == tree.Symlink {
			continue // no bytes
		}
		all = append(all, record.Overwritten{Path: name, SHA256: old.SHA256, Size: old.Size, Layer: old.Origin.Base})
	}
	slices.SortFunc(all, func(a, b record.Overwritten) int { return strings.Compare(a.Path, b.Path) })
	return all
}
