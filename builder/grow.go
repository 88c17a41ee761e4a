package builder

import (
	"context"
	"fmt"

	"github.com/hardpan/hardpan/internal/debian"
	"github.com/hardpan/hardpan/internal/debian/prune"
	"github.com/hardpan/hardpan/internal/harden/closure"
	"github.com/hardpan/hardpan/internal/lock"
	"github.com/hardpan/hardpan/internal/maint"
	"github.com/hardpan/hardpan/internal/tree"
	"github.com/hardpan/hardpan/specs"
)

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
	interpreter := leftOutInterpreter(b.dropped(p))
	problems, err := closure.Check(t, p.DebianArch(), closure.Options{
		Entrypoint: b.command(), Env: b.spec.Environment, WorkDir: b.spec.WorkDir, Recommends: recommends(members),
		Provider: interpreter, LeftOut: interpreter,
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
func (b *build) command() []string {
	if len(b.spec.Entrypoint) > 0 {
		return b.spec.Entrypoint
	}
	return b.spec.Cmd
}
