package builder

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hardpan/hardpan/internal/debian"
	"github.com/hardpan/hardpan/internal/debian/prune"
	"github.com/hardpan/hardpan/internal/harden/closure"
	"github.com/hardpan/hardpan/internal/harden/tool"
	"github.com/hardpan/hardpan/internal/lock"
	"github.com/hardpan/hardpan/internal/maint"
	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/record"
	"github.com/hardpan/hardpan/internal/tree"
	"github.com/hardpan/hardpan/specs"
)

// grow makes the tree: what packages ship, what the spec adds, what the packages'
// scripts would have made of both, what is copied out of stages, and at last what the
// spec changes.
func (b *build) grow(ctx context.Context, p specs.Platform, members []*member, copies []*stageCopy, base *baseImage) (*tree.Tree, *placement, *maint.Report, error) {
	implied := &tree.Origin{Kind: tree.FromBuilder, Command: "directory above another path"}
	t := tree.New(implied, b.epoch.Unix())
	img := b.maintImage(t, p, members)
	below, err := b.begin(img, members, base)
	if err != nil {
		return nil, nil, nil, err
	}
	in, keep, err := b.installation(img, base)
	if err != nil {
		return nil, nil, nil, err
	}
	batches := img.Batches()
	placed := newPlacement(t, in, b.epoch.Unix())
	placed.base = base
	for i, batch := range batches {
		if err := placed.unpack(ctx, members, batch.Packages); err != nil {
			return nil, nil, nil, err
		}
		if err := linkMergedUsr(t); err != nil {
			return nil, nil, nil, err
		}
		if i == len(batches)-1 {
			if err := b.addPaths(t); err != nil {
				return nil, nil, nil, err
			}
		}
		if err := in.Configure(ctx, batch); err != nil {
			return nil, nil, nil, err
		}
	}
	if err := keep(); err != nil {
		return nil, nil, nil, err
	}
	if err := b.runScripts(ctx, p, t, members); err != nil {
		return nil, nil, nil, err
	}
	if err := b.addCopies(t, copies); err != nil {
		return nil, nil, nil, err
	}
	if placed.stripped, err = b.dropPrivileges(t, base); err != nil {
		return nil, nil, nil, err
	}
	left, err := b.dropLeftovers(t)
	if err != nil {
		return nil, nil, nil, err
	}
	placed.stripped = slices.Concat(below, placed.stripped, left)
	return t, placed, in.Report(), b.finish(img, base)
}

// begin puts into the tree what is there before any package: what the base image has,
// and accounts. It returns what a base that is written anew has lost to the policy.
func (b *build) begin(img *maint.Image, members []*member, base *baseImage) (stripped []record.Stripped, err error) {
	if base != nil {
		if names := sandboxed(&b.spec.Contents); len(names) > 0 {
			return nil, b.specError([]any{"contents", "scripts", names[0]}, withHint(
				errors.New("scripts are run in a sandbox on packages alone, not on the image in from"),
				"leave the line out, so that they are interpreted, or write skip"))
		}
		if err := b.judge(base); err != nil {
			return nil, err
		}
		if b.spec.Flatten {
			policy, err := b.policy()
			if err != nil {
				return nil, err
			}
			stripped = base.strip(policy)
		}
		if err := b.standOn(img.Tree, base, members); err != nil {
			return nil, err
		}
		img.Installed = base.maint(members)
	}
	return stripped, b.addFirstAccounts(img, base)
}

// dropPrivileges takes the privileges that the policy forbids from the files that
// scripts gave them to. Those of packages never had them.
func (b *build) dropPrivileges(t *tree.Tree, base *baseImage) (list []record.Stripped, err error) {
	policy, err := b.policy()
	if err != nil {
		return nil, err
	}
	for n := range t.All() {
		if n.Type != tree.File && n.Type != tree.Hardlink || base.same(n) {
			continue
		}
		mode, rule := policy.Mode(n.Path, n.Mode)
		if n.Capability != "" && rule == nil {
			rule = policy.Capability(n.Path)
		}
		if rule == nil {
			continue
		}
		n.Mode = mode
		if rule.Strip.Capabilities {
			n.Capability = ""
		}
		s := record.Stripped{Path: n.Path, Rule: rule.ID, Bits: true}
		if n.Origin != nil {
			s.Package = n.Origin.Package
		}
		list = append(list, s)
	}
	return list, nil
}

// dropLeftovers takes away what scripts leave behind that the policy forbids: logs of the
// installation, and what the files of accounts were before.
func (b *build) dropLeftovers(t *tree.Tree) (list []record.Stripped, err error) {
	policy, err := b.policy()
	if err != nil {
		return nil, err
	}
	for n := range t.All() {
		if n.Type != tree.File || n.Layered || n.Size == 0 || n.Origin == nil || n.Origin.Script == "" {
			continue
		}
		what := tool.LeftoverOf(n.Path)
		if what == "" {
			continue
		}
		if rule, _ := policy.Refuse(n.Path, []tool.Tool{{Kind: tool.Leftover, Name: what, By: tool.ByPath}}); rule != nil {
			list = append(list, record.Stripped{Package: n.Origin.Package, Path: n.Path, Rule: rule.ID, Size: n.Size})
		}
	}
	for _, s := range list {
		t.Remove(s.Path)
	}
	return list, nil
}

// installation returns the installation of an image's packages, and what keeps its
// effects for the next time: scripts have the same effects for the same packages.
func (b *build) installation(img *maint.Image, base *baseImage) (in installer, keep func() error, err error) {
	key, err := b.effectsKey(img, base)
	if err != nil {
		return nil, nil, err
	}
	var effects maint.Effects
	if b.store.Get("effects", key, &effects) && len(effects.Preinst) == len(img.Packages) {
		return maint.Again(img, &effects), func() error { return nil }, nil
	}
	live, err := maint.Begin(img)
	if err != nil {
		return nil, nil, err
	}
	return live, func() error {
		if e := live.Effects(); e != nil {
			return b.store.Set("effects", key, e)
		}
		return nil
	}, nil
}

// effectsKey returns the text that the effects of scripts depend on: the packages
// as the policy leaves them, and of the spec what the scripts see.
func (b *build) effectsKey(img *maint.Image, base *baseImage) (string, error) {
	policy, err := b.policy()
	if err != nil {
		return "", err
	}
	parts := []string{maint.Format, unpackFormat, policy.Key(), img.Architecture, b.epoch.Format(time.RFC3339), b.canonical, b.originLines()}
	for _, p := range img.Packages {
		parts = append(parts, p.SHA256)
	}
	if base != nil {
		parts = append(parts, baseLayerFormat, string(base.Digest))
	}
	return strings.Join(append(parts, img.LeftOut...), "\x00"), nil
}

// finish adds what is the spec's to say, after all that packages do.
func (b *build) finish(img *maint.Image, base *baseImage) error {
	t := img.Tree
	if err := b.addAccounts(img, base); err != nil {
		return err
	}
	if err := b.addOSRelease(t); err != nil {
		return err
	}
	// A script may have written over what the spec wants, whose word is the last.
	if err := b.addPaths(t); err != nil {
		return err
	}
	if err := b.addProbe(t, img.Architecture); err != nil {
		return err
	}
	return b.setPermissions(t)
}

func (b *build) maintImage(t *tree.Tree, p specs.Platform, members []*member) *maint.Image {
	img := &maint.Image{
		Tree: t, Architecture: p.DebianArch(), Time: b.epoch.Unix(), Answers: b.spec.Contents.Answers,
	}
	for name, how := range b.spec.Contents.Scripts {
		if how == specs.ScriptsSkip {
			img.Skip = append(img.Skip, name)
		}
	}
	for _, d := range b.dropped(p) {
		img.LeftOut = append(img.LeftOut, d.Name)
	}
	for _, m := range members {
		c := &m.files.control
		scripts := c.Scripts
		if b.spec.Contents.Scripts[m.Name] == specs.ScriptsSandbox {
			scripts = nil // see runScripts
		}
		img.Packages = append(img.Packages, maint.Package{
			Name: m.Name, Version: m.Version, Architecture: m.Architecture, SHA256: m.SHA256,
			Scripts: scripts, Templates: c.Templates, Triggers: c.Triggers, Conffiles: absolute(c.Conffiles),
			Control: c.Paragraph, Files: m.paths,
		})
	}
	return img
}

func absolute(paths map[string]string) map[string]string {
	all := map[string]string{}
	for name, v := range paths {
		all["/"+name] = v
	}
	return all
}

// paths returns what a package ships, as absolute paths.
func (m *member) paths() []string {
	list := make([]string, len(m.files.Entries))
	for i := range m.files.Entries {
		list[i] = "/" + m.files.Entries[i].Path
	}
	return list
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
// library is missing, its health check cannot be run, or its user cannot write where it
// says so. It returns what may be missing but need not be. Without hardening the image
// is what Debian made, with programs that never had all that they need: only the
// entrypoint is refused then, and so it is with what a base has.
func (b *build) complete(a *assembly, p specs.Platform) (warnings []string, err error) {
	interpreter := leftOutInterpreter(b.dropped(p))
	config, err := b.config(p, a.base)
	if err != nil {
		return nil, err
	}
	o := closure.Options{
		Entrypoint: command(config), Env: variables(config.Env), WorkDir: config.WorkingDir, Recommends: recommends(a.members),
		Provider: func(name string) string { return cmp.Or(interpreter(name), b.stageProvider(p, name)) }, LeftOut: interpreter,
	}
	problems, err := closure.Check(a.tree, p.DebianArch(), o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p, err)
	}
	var errs Errors
	for _, problem := range problems {
		lacking := a.tree.Lookup(tree.Clean(problem.Path()))
		inBase := lacking != nil && a.base.same(lacking) // and lacked it before
		if problem.Severity == closure.Error && (problem.Entrypoint || b.spec.Hardening.Profile != specs.ProfileNone && !inBase) {
			errs = append(errs, fmt.Errorf("%s: %w", p, problem))
		} else {
			warnings = append(warnings, problem.Error())
		}
	}
	if len(errs) > 0 {
		return nil, errs
	}
	if err := b.checkWritable(a.tree, p); err != nil {
		return nil, err
	}
	unhealthy, err := b.checkHealth(a.tree, p, o)
	return append(warnings, unhealthy...), err
}

// leftOutInterpreter returns the function that knows which of the packages that
// hardening left out has an interpreter.
func leftOutInterpreter(dropped []lock.Dropped) func(name string) string {
	left := map[string]bool{}
	for _, d := range dropped {
		left[d.Name] = d.Why != ""
	}
	return func(name string) string {
		if pkg := prune.Interpreter(name); left[pkg] {
			return pkg
		}
		return ""
	}
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
func command(c oci.Config) []string {
	if len(c.Entrypoint) > 0 {
		return c.Entrypoint
	}
	return c.Cmd
}
