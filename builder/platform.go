package builder

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/hardpan/hardpan/internal/debian"
	"github.com/hardpan/hardpan/internal/harden"
	"github.com/hardpan/hardpan/internal/harden/closure"
	"github.com/hardpan/hardpan/internal/lock"
	"github.com/hardpan/hardpan/internal/maint"
	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/oci/layer"
	"github.com/hardpan/hardpan/internal/record"
	"github.com/hardpan/hardpan/internal/store"
	"github.com/hardpan/hardpan/internal/tree"
	"github.com/hardpan/hardpan/specs"
)

// platform makes the image of one platform: packages, tree, layers, config.
func (b *build) platform(ctx context.Context, p specs.Platform) (*oci.Image, *ImageStats, error) {
	members := b.members(p)
	policy, err := b.policy()
	if err != nil {
		return nil, nil, err
	}
	u := newUnpacker(b.store, policy, b.compression())
	if err := b.unpack(ctx, u, members); err != nil {
		return nil, nil, err
	}
	t, placed, report, err := b.grow(ctx, p, members)
	if err != nil {
		return nil, nil, err
	}
	if changed := placed.replan(members, b.epoch.Unix()); len(changed) > 0 {
		if err := b.unpack(ctx, u, changed); err != nil {
			return nil, nil, err
		}
		refresh(t, changed)
	}
	warnings, err := b.complete(t, p, members)
	if err != nil {
		return nil, nil, err
	}
	strata, err := stack(ctx, b.store, t, members, b.spec.Layering.Budget, b.compression())
	if err != nil {
		return nil, nil, err
	}
	rec := b.record(p, t, members, report, strata)
	rec.Warnings = warnings
	img, err := b.imageOf(p, rec, strata)
	if err != nil {
		return nil, nil, err
	}
	return img, stats(img, rec), nil
}

// members returns the packages of the image in the order in which they are
// unpacked and configured.
func (b *build) members(p specs.Platform) []*member {
	locked := b.lock.Platforms[p.String()]
	var members []*member
	for i := range locked.Packages {
		if pkg := &locked.Packages[i]; pkg.In(b.o.Variant) {
			members = append(members, newMember(b.store, pkg))
		}
	}
	return members
}

func (b *build) policy() (*harden.Policy, error) {
	h := b.spec.Hardening
	var waived []string
	for _, w := range h.Waive {
		waived = append(waived, w.Rule)
	}
	policy, err := harden.NewPolicy(harden.Profile(h.Profile), h.Keep, waived)
	if unknown, ok := errors.AsType[*harden.UnknownRuleError](err); ok {
		return nil, b.specError([]any{"hardening", "waive", slices.Index(waived, unknown.ID), "rule"}, err)
	}
	return policy, err
}

func (b *build) compression() layer.Compression {
	return layer.Compression(b.spec.Layering.Compression)
}

// unpack unpacks the members. A package whose cached file turns out to be damaged
// is fetched once more.
func (b *build) unpack(ctx context.Context, u *unpacker, members []*member) error {
	return parallel(ctx, b.o.Jobs, bySize(members), func(ctx context.Context, m *member) error {
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

// grow makes the tree: what packages ship, what the spec adds, what the packages'
// scripts would have made of both, and at last what the spec changes.
func (b *build) grow(ctx context.Context, p specs.Platform, members []*member) (*tree.Tree, *placement, *maint.Report, error) {
	implied := &tree.Origin{Kind: tree.FromBuilder, Command: "directory above another path"}
	t := tree.New(implied, b.epoch.Unix())
	img := b.maintImage(t, p, members)
	placed, err := addPackages(t, members, maint.Diversions(img), b.epoch.Unix())
	if err != nil {
		return nil, nil, nil, err
	}
	if err := linkMergedUsr(t); err != nil {
		return nil, nil, nil, err
	}
	if err := b.addPaths(t); err != nil {
		return nil, nil, nil, err
	}
	report, err := maint.Run(ctx, img)
	if err != nil {
		return nil, nil, nil, err
	}
	return t, placed, report, b.finish(img)
}

// finish adds what is the spec's to say, after all that packages do.
func (b *build) finish(img *maint.Image) error {
	if err := b.addAccounts(img); err != nil {
		return err
	}
	if err := b.addOSRelease(img.Tree); err != nil {
		return err
	}
	// A script may have written over what the spec wants, whose word is the last.
	if err := b.addPaths(img.Tree); err != nil {
		return err
	}
	return b.setPermissions(img.Tree)
}

func (b *build) maintImage(t *tree.Tree, p specs.Platform, members []*member) *maint.Image {
	img := &maint.Image{Tree: t, Architecture: p.DebianArch(), Time: b.epoch.Unix()}
	for _, m := range members {
		img.Packages = append(img.Packages, maint.Package{
			Name: m.Name, Version: m.Version, Architecture: m.Architecture, SHA256: m.SHA256,
			Scripts: m.files.Scripts, Triggers: m.files.Triggers,
		})
	}
	return img
}

// linkMergedUsr makes the links of a merged /usr that no package ships: base-files
// has them from trixie on.
func linkMergedUsr(t *tree.Tree) error {
	origin := &tree.Origin{Kind: tree.FromBuilder, Command: "link of a merged /usr"}
	for _, dir := range []string{"bin", "sbin", "lib", "lib32", "lib64", "libx32"} {
		if n := t.Lookup("usr/" + dir); n == nil || n.Type != tree.Dir || t.Lookup(dir) != nil {
			continue
		}
		if err := t.Symlink(dir, "usr/"+dir, origin); err != nil {
			return err
		}
	}
	return nil
}

// complete refuses an image that cannot run: its entrypoint, an interpreter or a
// library is missing. It returns what may be missing but need not be.
func (b *build) complete(t *tree.Tree, p specs.Platform, members []*member) (warnings []string, err error) {
	problems, err := closure.Check(t, p.DebianArch(), closure.Options{
		Entrypoint: b.command(), Env: b.spec.Environment, WorkDir: b.spec.WorkDir, Recommends: recommends(members),
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p, err)
	}
	var errs Errors
	for _, problem := range problems {
		if problem.Severity == closure.Error {
			errs = append(errs, fmt.Errorf("%s: %w", p, problem))
		} else {
			warnings = append(warnings, problem.Error())
		}
	}
	if len(errs) > 0 {
		return nil, errs
	}
	return warnings, nil
}

// recommends returns the function that knows what packages say they work without.
func recommends(members []*member) func(pkg string) []string {
	byName := map[string]*member{}
	for _, m := range members {
		byName[m.Name] = m
	}
	return func(pkg string) []string {
		m := byName[pkg]
		if m == nil {
			return nil
		}
		rel, err := debian.ParseRelations(m.files.Without)
		if err != nil {
			return nil
		}
		var names []string
		for _, group := range rel {
			for _, r := range group {
				names = append(names, r.Name)
			}
		}
		return names
	}
}

// command returns what a container of the image runs: the entrypoint, or where
// there is none the default command.
func (b *build) command() []string {
	if len(b.spec.Entrypoint) > 0 {
		return b.spec.Entrypoint
	}
	return b.spec.Cmd
}

// record writes down how the image came to be.
func (b *build) record(p specs.Platform, t *tree.Tree, members []*member, report *maint.Report, strata []stratum) *record.Record {
	r := &record.Record{
		Format: record.Format, Name: b.spec.Name, Version: b.spec.Version, Variant: b.o.Variant,
		Platform: p.String(), Created: b.epoch, Spec: string(store.DigestOf([]byte(b.canonical))), Distro: b.spec.Distro.String(),
		Archives: b.lock.Archives, Profile: b.spec.Hardening.Profile,
		Effects: report.Applied,
	}
	for _, s := range report.Skipped {
		r.Skipped = append(r.Skipped, s.String())
	}
	for _, d := range b.lock.Platforms[p.String()].Dropped {
		if len(d.Variants) == 0 || slices.Contains(d.Variants, b.o.Variant) {
			r.Dropped = append(r.Dropped, d)
		}
	}
	layerOf := map[*tree.Origin]int{}
	for i, st := range strata {
		l := record.Layer{Digest: st.Digest, DiffID: st.DiffID, Size: st.Size}
		for _, m := range st.members {
			l.Packages = append(l.Packages, m.Name)
			layerOf[m.origin], layerOf[m.record] = i, i
		}
		r.Layers = append(r.Layers, l)
	}
	for _, m := range members {
		r.Packages = append(r.Packages, *m.Package)
		for _, s := range m.files.Stripped {
			r.Stripped = append(r.Stripped, record.Stripped{Package: m.Name, Path: s.Path, Rule: s.Rule, Size: s.Size, Bits: s.Bits})
		}
	}
	r.SetPaths(t, func(n *tree.Node) int {
		if n.Layered {
			return layerOf[n.Origin]
		}
		return len(strata) - 1
	})
	return r
}

// maxRecord is how large a record may be, in bytes, for the config that holds it in
// base64 to stay within [oci.MaxDocument].
const maxRecord = 2 << 20

// imageOf makes config and manifest.
func (b *build) imageOf(p specs.Platform, rec *record.Record, strata []stratum) (*oci.Image, error) {
	config, err := b.config(p)
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
	return oci.NewImage(b.store, config, imageLayers(b.store, strata), b.annotations())
}

func stats(img *oci.Image, rec *record.Record) *ImageStats {
	s := &ImageStats{
		Platform: rec.Platform, Digest: img.Digest, Layers: len(rec.Layers),
		Packages: len(rec.Packages), Paths: len(rec.Paths.Path), Skipped: rec.Skipped, Warnings: rec.Warnings,
	}
	for _, l := range rec.Layers {
		s.Size += l.Size
	}
	for _, n := range rec.Paths.Size {
		s.Unpacked += n
	}
	for _, d := range rec.Dropped {
		s.Dropped = append(s.Dropped, d.Name)
	}
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
