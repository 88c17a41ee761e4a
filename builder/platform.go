package builder

import (
	"context"
	"errors"
	"runtime/debug"
	"slices"

	"github.com/hardpan/hardpan/internal/check/facts"
	"github.com/hardpan/hardpan/internal/harden"
	"github.com/hardpan/hardpan/internal/lock"
	"github.com/hardpan/hardpan/internal/maint"
	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/oci/layer"
	"github.com/hardpan/hardpan/internal/store"
	"github.com/hardpan/hardpan/internal/tree"
	"github.com/hardpan/hardpan/specs"
)

// platform makes the image of one platform: packages, tree, layers, config.
func (b *build) platform(ctx context.Context, p specs.Platform, copies []*stageCopy) (*oci.Image, *ImageStats, error) {
	a, err := b.assemble(ctx, p, copies)
	if err != nil {
		return nil, nil, err
	}
	warnings, err := b.complete(a, p)
	if err != nil {
		return nil, nil, err
	}
	uncompiled, err := b.addBytecode(ctx, p, a)
	if err != nil {
		return nil, nil, err
	}
	strata, err := b.strata(ctx, a)
	if err != nil {
		return nil, nil, err
	}
	rec := b.record(p, a, strata)
	rec.Warnings = append(rec.Warnings, warnings...)
	img, err := b.imageOf(p, rec, a, strata)
	if err != nil {
		return nil, nil, err
	}
	b.records[img.Digest] = rec
	st := stats(img, rec)
	if uncompiled != "" { // which is the host's, and not in the record
		st.Warnings = append(st.Warnings, uncompiled)
	}
	return img, st, nil
}

// assembly is a system that is complete but for its layers: the tree, and the
// packages whose layers hold what of it is theirs.
type assembly struct {
	*placement
	members     []*member
	report      *maint.Report
	*settlement // with the image that it stands on; empty where it stands on none
}

// strata returns the layers of the image. On a base it has at least one of its own.
func (b *build) strata(ctx context.Context, a *assembly) ([]stratum, error) {
	below, err := a.below(ctx, b)
	if err != nil {
		return nil, err
	}
	own, err := stack(ctx, b.press, a, max(1, b.spec.Layering.Budget-len(below)))
	return append(below, own...), err
}

// keeps reports whether a path is in a layer of the image that the system stands on, and
// need be in no other.
func (a *assembly) keeps(n *tree.Node) bool { return a.kept[n.Path] }

// assemble makes the tree of a system out of its packages and of what is copied into
// it, and unpacks those once
// more whose layers have to differ from the package.
func (b *build) assemble(ctx context.Context, p specs.Platform, copies []*stageCopy) (*assembly, error) {
	members := b.members(p)
	policy, err := b.policy()
	if err != nil {
		return nil, err
	}
	u := newUnpacker(b.press, policy, b.o.Jobs)
	if err := b.unpack(ctx, u, members); err != nil {
		return nil, err
	}
	b.saveMemory(members)
	b.writeAhead(members)
	if !b.stage {
		go facts.Prepare()
	}
	base, err := b.baseImage(ctx, b.spec, b.lock.Images, p)
	if err != nil {
		return nil, err
	}
	t, placed, report, err := b.grow(ctx, p, members, copies, base)
	if err != nil {
		return nil, err
	}
	if changed := placed.replan(members, b.epoch.Unix()); len(changed) > 0 {
		if err := b.unpack(ctx, u, changed); err != nil {
			return nil, err
		}
		refresh(t, changed)
	}
	a := &assembly{placement: placed, members: members, report: report, settlement: &settlement{}}
	if base != nil {
		if a.settlement, err = b.settle(t, placed, base); err != nil {
			return nil, err
		}
	}
	return a, a.verify(members)
}

// manyPaths is how many paths an image has of which two of everything would be felt in
// the memory of a build.
const manyPaths = 50_000

// saveMemory has the rest of the build, where an image has many paths, collect garbage
// when it is half of what is held, and not as much again. That costs some of the time.
func (b *build) saveMemory(members []*member) {
	paths := 0
	for _, m := range members {
		paths += len(m.files.Entries)
	}
	if paths > manyPaths && !b.stage && b.percent == nil {
		was := debug.SetGCPercent(50)
		b.percent = func() { debug.SetGCPercent(was) }
	}
}

// members returns the packages of the image in the order in which they are
// unpacked and configured.
func (b *build) members(p specs.Platform) []*member {
	locked := b.lock.Platforms[p.String()]
	var members []*member
	for i := range locked.Packages {
		if pkg := &locked.Packages[i]; pkg.In(b.system) && !slices.Contains(b.without, pkg.Name) {
			members = append(members, newMember(b.store, pkg))
		}
	}
	return members
}

func (b *build) policy() (*harden.Policy, error) { return policyOf(b.spec) }

// policyOf returns the hardening policy of a spec or a variant.
func policyOf(spec *specs.Spec) (*harden.Policy, error) {
	h := spec.Hardening
	var waived []string
	for _, w := range h.Waive {
		waived = append(waived, w.Rule)
	}
	policy, err := harden.NewPolicy(harden.Profile(h.Profile), h.Keep, waived)
	if unknown, ok := errors.AsType[*harden.UnknownRuleError](err); ok {
		return nil, positioned(spec, []any{"hardening", "waive", slices.Index(waived, unknown.ID), "rule"}, err)
	}
	return policy, err
}

// compression is how layers are compressed: as the spec says, and those of a stage's
// system, which nobody else sees, so that it takes the least time.
func (b *build) compression() layer.Compression {
	if b.stage {
		return layer.Quick
	}
	return layer.Compression(b.spec.Layering.Compression)
}

// unpack unpacks the members. A package whose cached file turns out to be damaged
// is fetched once more. One more than are decoded at a time are on their way, since one
// of them mostly waits for the disk.
func (b *build) unpack(ctx context.Context, u *unpacker, members []*member) error {
	return parallel(ctx, b.o.Jobs+1, bySize(members), func(ctx context.Context, m *member) error {
		un, err := u.unpack(ctx, m.Package, m.plan)
		if err != nil && ctx.Err() == nil && b.damaged(m.Package) {
			if err := b.fetch(ctx, []*lock.Package{m.Package}); err != nil {
				return err
			}
			un, err = u.unpack(ctx, m.Package, m.plan)
		}
		m.files = un
		return err
	})
}

// damaged reports whether the cached file of a package is not what it should be;
// the store then has removed it.
func (b *build) damaged(p *lock.Package) bool {
	digest, err := store.FromHex(p.SHA256)
	if err != nil {
		return false
	}
	return b.store.Verify(digest) != nil
}
