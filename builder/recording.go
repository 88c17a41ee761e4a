package builder

import (
	"slices"

	"github.com/hardpan/hardpan/internal/harden"
	"github.com/hardpan/hardpan/internal/lock"
	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/record"
	"github.com/hardpan/hardpan/internal/store"
	"github.com/hardpan/hardpan/internal/tree"
	"github.com/hardpan/hardpan/specs"
)

// record writes down how the image came to be.
func (b *build) record(p specs.Platform, a *assembly, strata []stratum) *record.Record {
	r := &record.Record{
		Format: record.Format, Name: b.spec.Name, Version: b.spec.Version, Variant: b.o.Variant,
		Platform: p.String(), Created: b.epoch, Spec: string(store.DigestOf([]byte(b.canonical))), Distro: b.spec.Distro.String(),
		Archives: b.lock.Archives, Profile: b.spec.Hardening.Profile, FailOn: b.spec.Hardening.FailOn,
		Effects: a.report.Applied, Dropped: b.dropped(p),
	}
	for _, w := range b.spec.Hardening.Waive {
		r.Waived = append(r.Waived, record.Waived{Rule: w.Rule, Reason: w.Reason, Expires: string(w.Expires)})
	}
	for _, s := range a.report.Skipped {
		r.Skipped = append(r.Skipped, s.String())
	}
	layerOf, stages := map[*member]int{}, map[string]int{}
	for i, st := range strata {
		l := record.Layer{Digest: st.Digest, DiffID: st.DiffID, Size: st.Size}
		for _, m := range st.members {
			l.Packages = append(l.Packages, m.Name)
			layerOf[m] = i
		}
		if st.stage != "" {
			stages[st.stage] = i
		}
		r.Layers = append(r.Layers, l)
	}
	for _, m := range a.members {
		r.Packages = append(r.Packages, *m.Package)
		for _, s := range m.files.Stripped {
			r.Stripped = append(r.Stripped, record.Stripped{Package: m.Name, Path: s.Path, Rule: s.Rule, Size: s.Size, Bits: s.Bits})
		}
	}
	r.Stripped = append(r.Stripped, a.stripped...)
	r.Stages = b.recordStages(p)
	r.Components = b.components(a.tree)
	r.Tests, r.Writable = b.recordTests(), b.spec.Writable
	b.recordBase(r, a)
	below := map[string]int{} // layers of the base, by their digest
	for i, st := range strata {
		if st.base != nil {
			below[string(st.base.layer.Digest)] = i
		}
	}
	r.SetPaths(a.tree, func(n *tree.Node) int {
		switch owner := a.owners[n.Path]; {
		case n.Layered && owner != nil:
			return layerOf[owner]
		case n.Layered && a.base != nil:
			return below[string(a.base.layerOf(a.tree, n).layer.Digest)]
		case a.keeps(n):
			return below[n.Origin.Base]
		}
		if i, ok := stages[stageOf(n)]; ok {
			return i
		}
		return len(strata) - 1
	})
	return r
}

// dropped returns what the lock says that the image lacks.
func (b *build) dropped(p specs.Platform) []lock.Dropped {
	return slices.DeleteFunc(slices.Clone(b.lock.Platforms[p.String()].Dropped), func(d lock.Dropped) bool {
		return len(d.Variants) > 0 && !slices.Contains(d.Variants, b.system)
	})
}

// maxRecord is how large a record may be, in bytes, for the config that holds it in
// base64 to stay within [oci.MaxDocument].
const maxRecord = 2 << 20

// imageOf makes config and manifest.
func (b *build) imageOf(p specs.Platform, rec *record.Record, a *assembly, strata []stratum) (*oci.Image, error) {
	config, err := b.config(p, a.base)
	if err != nil {
		return nil, err
	}
	if config.Record, err = rec.Encode(); err != nil {
		return nil, err
	}
	if len(config.Record) > maxRecord {
		rec.Shorten()
		if config.Record, err = rec.Encode(); err != nil {
			return nil, err
		}
	}
	layers := imageLayers(b.store, strata)
	if a.base != nil && !b.spec.Flatten {
		var below []oci.Layer
		below, config.History = oci.BaseLayers(a.base.Image)
		copy(layers, below)
	}
	return oci.NewImage(b.store, config, layers, b.annotations(p.String()))
}

func stats(img *oci.Image, rec *record.Record) *ImageStats {
	s := &ImageStats{
		Platform: rec.Platform, Digest: img.Digest, Layers: len(rec.Layers),
		Packages: len(rec.Packages), Paths: len(rec.Paths.Path), Skipped: rec.Skipped, Warnings: rec.Warnings,
	}
	for range rec.BasePackages() {
		s.Packages++
	}
	for _, l := range rec.Layers {
		s.Size += l.Size
	}
	for _, n := range rec.Paths.Size {
		s.Unpacked += n
	}
	for _, d := range rec.Dropped {
		if d.Why == "" {
			s.Dropped = append(s.Dropped, d.Name)
		}
	}
	s.LeftOut = leftOut(rec.Dropped)
	for _, rule := range harden.Rules {
		total := RuleStats{Rule: rule.ID}
		for _, p := range rec.Stripped {
			if p.Rule == rule.ID {
				total.Paths++
				total.Size += p.Size
			}
		}
		if total.Paths > 0 {
			s.Stripped = append(s.Stripped, total)
		}
	}
	return s
}

// leftOut returns what a hardening rule dropped, each package once.
func leftOut(dropped []lock.Dropped) []LeftOut {
	var left []LeftOut
	for _, d := range dropped {
		if d.Why != "" && (len(left) == 0 || left[len(left)-1].Package != d.Name) {
			left = append(left, LeftOut{d.Name, d.Why})
		}
	}
	return left
}
