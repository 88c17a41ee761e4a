package builder

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/harden"
	"github.com/hardpan/hardpan/internal/oci/layer"
	"github.com/hardpan/hardpan/internal/tree"
	"github.com/hardpan/hardpan/specs"
)

// merged are the files of a base image that an image on it may have in another version:
// those that are one for the whole system, so that nobody can add an account, a library
// or a certificate without writing the file again. The bytes below stay in the image,
// which the record and the report say. Nothing else is in two layers (DESIGN.md,
// invariant 2): what a file of one's own says can be said beside the base's, and what
// cannot is a reason to flatten.
var merged = []string{
	"etc/passwd", "etc/group", "etc/shadow", "etc/gshadow", "etc/passwd-", "etc/group-", "etc/shadow-", "etc/gshadow-", "etc/subuid", "etc/subgid",
	"etc/shells", "etc/ld.so.cache", "etc/mailcap", "etc/alternatives/*", "etc/os-release", "usr/lib/os-release",
	"etc/ca-certificates.conf", "etc/ssl/certs/ca-certificates.crt", "etc/ssl/certs/java/cacerts",
	"var/lib/dpkg/status", "var/lib/dpkg/diversions", "var/lib/dpkg/statoverride", "var/lib/dpkg/alternatives/*",
	"var/lib/dpkg/triggers/*", "var/cache/debconf/*", "var/lib/ucf/*", "var/cache/ldconfig/*",
	"usr/share/info/dir", "usr/share/mime/*", "usr/share/applications/mimeinfo.cache", "usr/share/icons/*/icon-theme.cache",
	"usr/share/glib-2.0/schemas/gschemas.compiled", "usr/lib/*/gdk-pixbuf-2.0/*/loaders.cache", "usr/lib/*/gio/modules/giomodule.cache",
	"usr/lib/*/gconv/gconv-modules.cache", "usr/lib/locale/locale-archive",
}

func isMerged(name string) bool {
	return slices.ContainsFunc(merged, func(pattern string) bool { return harden.Match(pattern, name) })
}

// standOn begins the tree with what the base image has, less what takes its place: the
// files of packages that are installed in another version.
func (b *build) standOn(t *tree.Tree, base *baseImage, members []*member) error {
	if len(members) > 0 {
		for _, dir := range []string{"bin", "sbin", "lib", "lib64"} {
			if n := base.tree.Lookup(dir); n != nil && n.Type == tree.Dir {
				return b.specError([]any{"from"}, withHint(
					fmt.Errorf("base image %s has a directory /%s, expected a link into /usr, where Debian's packages have their files", base.reference, dir),
					"take a base image with a merged /usr, such as those of Debian 12 and later, or add no packages"))
			}
		}
	}
	if err := base.plant(t); err != nil {
		return err
	}
	var replaced []*installed
	for _, m := range members {
		old := base.find(m.Name)
		if old == nil {
			continue
		}
		replaced = append(replaced, old)
		for _, name := range old.files {
			if n := t.Lookup(name); n != nil && n.Type != tree.Dir && base.owners[name] == old {
				t.HandOver(name)
				t.Remove(name)
			}
		}
		for _, name := range base.owned(old) {
			t.Remove(name)
		}
	}
	status, err := readIfThere(t, statusFile)
	if err != nil || status == nil || len(replaced) == 0 {
		return err
	}
	origin := &tree.Origin{Kind: tree.FromBuilder, Command: "package database without what is installed in another version"}
	return t.WriteFile(statusFile, without(status, replaced), 0o644, origin)
}

// owned returns the paths of dpkg's database that are about the package alone.
func (base *baseImage) owned(p *installed) []string {
	var names []string
	for _, name := range databaseFiles(p.Name) {
		if base.tree.Lookup(name) != nil {
			names = append(names, name)
		}
	}
	for _, base := range base.tree.ReadDir(infoDir) {
		if strings.HasPrefix(base, p.Name+".") || strings.HasPrefix(base, p.Name+":") {
			names = append(names, path.Join(infoDir, base))
		}
	}
	return names
}

// settlement is what became of a base image in an image on it.
type settlement struct {
	on       *baseImage
	kept     map[string]bool // paths that the base's layers have as the image has them, and that no other layer need have
	replaced []string        // files of the base's layers that the image's own has otherwise
}

// settle compares the finished tree with what the base image had. What is the same
// stays the base's. What differs has to be in the image's own layer, which only some
// files may be unless the base is written anew.
func (b *build) settle(t *tree.Tree, p *placement, base *baseImage) (*settlement, error) {
	s := &settlement{on: base, kept: map[string]bool{}}
	if err := s.handOver(t, p); err != nil {
		return nil, err
	}
	var gone, changed []string // what only a second copy or a whiteout could make so
	for old := range base.tree.All() {
		n := t.Lookup(old.Path)
		switch {
		case n == nil || n.Type != tree.Dir && old.Type == tree.Dir:
			gone = append(gone, old.Path)
		case base.same(n) && !s.linkedElsewhere(t, old) && p.owners[n.Path] == nil:
			if err := t.Set(clone(old)); err != nil {
				return nil, err
			}
			s.kept[old.Path] = old.Origin != base.implied
		case old.Type == tree.Dir: // its metadata is written again, which hides nothing
		default:
			changed = append(changed, old.Path)
		}
	}
	if b.spec.Flatten {
		s.kept = nil
		return s, nil
	}
	not := slices.DeleteFunc(slices.Clone(changed), func(name string) bool {
		return isMerged(name) && len(base.tree.Hardlinks(name)) == 0 && base.tree.Lookup(name).Type != tree.Hardlink
	})
	var errs Errors
	if len(not) > 0 {
		errs = append(errs, b.specError([]any{"from"}, withHint(
			fmt.Errorf("the image would have a second copy of what base image %s has: %s", base.reference, describe(t, not)),
			"leave these paths as the base has them, or write flatten: true, which writes the base's layers anew")))
	}
	if len(gone) > 0 {
		errs = append(errs, b.specError([]any{"from"}, withHint(
			fmt.Errorf("the image would hide what base image %s has: %s", base.reference, list(gone)),
			"keep these paths, or write flatten: true, which writes the base's layers anew")))
	}
	if len(errs) > 0 {
		return nil, errs
	}
	s.replaced = changed
	return s, nil
}

// handOver lets the other names of a file of the base keep its content where one name
// has another now.
func (s *settlement) handOver(t *tree.Tree, p *placement) error {
	heirs := map[string]string{}
	for old := range s.on.tree.All() {
		n := t.Lookup(old.Path)
		if old.Type != tree.Hardlink || n == nil || n.Type != tree.Hardlink || n.Link != old.Link {
			continue
		}
		if to := t.Lookup(old.Link); to != nil && to.Layered && p.owners[to.Path] == nil {
			continue
		}
		c := clone(n)
		if heir, ok := heirs[old.Link]; ok {
			c.Link = heir
		} else {
			c = clone(s.on.tree.Lookup(old.Link))
			c.Path, c.Origin = old.Path, n.Origin
			heirs[old.Link] = old.Path
		}
		if err := t.Set(c); err != nil {
			return err
		}
	}
	return nil
}

// describe lists paths with what wants them otherwise.
func describe(t *tree.Tree, names []string) string {
	slices.Sort(names)
	var texts []string
	for _, name := range names[:min(maxRefused, len(names))] {
		texts = append(texts, fmt.Sprintf("/%s (%s)", name, t.Lookup(name).Origin))
	}
	text := strings.Join(texts, ", ")
	if more := len(names) - maxRefused; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// linkedElsewhere reports whether a hard link of the base leads to another file now.
func (s *settlement) linkedElsewhere(t *tree.Tree, old *tree.Node) bool {
	if old.Type != tree.Hardlink {
		return false
	}
	n := t.Lookup(old.Link)
	return n == nil || !s.on.same(n)
}

// below returns the layers that the image stands on: those of its base as they are, or
// written anew.
func (a *assembly) below(ctx context.Context, b *build) ([]stratum, error) {
	if a.base == nil {
		return nil, nil
	}
	if b.spec.Flatten {
		return a.rewrite(ctx, b)
	}
	if err := a.keep(a.tree, a.placement); err != nil {
		return nil, err
	}
	var strata []stratum
	for _, l := range a.base.layers {
		info := layer.Info{Digest: l.layer.Digest, DiffID: l.layer.DiffID, Size: l.layer.Size}
		strata = append(strata, stratum{Info: info, base: l})
	}
	return strata, nil
}

// keep has what the base's layers do not hold as it is written to the image's own layer.
// Directories of the base that hold something of another layer are written again: an
// extracted layer whose directories are not in it gets some of the runtime's making,
// with its own idea of owners and modes.
func (s *settlement) keep(t *tree.Tree, p *placement) error {
	maps.DeleteFunc(s.kept, func(_ string, kept bool) bool { return !kept })
	needed := map[string]bool{}
	for n := range t.All() {
		if s.kept[n.Path] {
			continue
		}
		if n.Layered && p.owners[n.Path] == nil {
			n = clone(n)
			n.Layered = false
			if err := t.Set(n); err != nil {
				return err
			}
		}
		for _, dir := range above(n.Path) {
			if needed[dir] {
				break
			}
			needed[dir] = true
		}
	}
	maps.DeleteFunc(s.kept, func(name string, _ bool) bool { return needed[name] })
	return nil
}

// judge refuses what the policy would leave out of packages and a base image has, and
// the kinds of files that no copy may bring either. A base that is written anew loses
// what is left out, and keeps what is only refused, since something there may need it.
func (b *build) judge(base *baseImage) error {
	policy, err := b.policy()
	if err != nil {
		return err
	}
	found, conffiles := map[string][]string{}, base.conffiles()
	for n := range base.tree.All() {
		rule := stripping(policy, n, conffiles)
		if rule != nil && b.spec.Flatten {
			continue
		}
		what := ""
		if content, ok := n.Content.(*baseContent); ok && rule == nil && n.Type == tree.File {
			refused, is := policy.Refuse(n.Path, content.entry().Tools)
			if rule = refused; rule != nil {
				what = " (" + is.String() + ")"
			}
		}
		if rule != nil {
			found[rule.ID] = append(found[rule.ID], n.Path+what)
		}
	}
	var errs Errors
	for _, rule := range slices.Sorted(maps.Keys(found)) {
		hint := fmt.Sprintf("write hardening: {waive: [{rule: %s, reason: ...}]}", rule)
		if harden.RuleOf(rule).Strip != nil {
			hint += ", or flatten: true, which leaves them out"
		}
		errs = append(errs, b.specError([]any{"from"}, withHint(
			fmt.Errorf("base image %s has what rule %s of profile %s keeps out: %s", base.reference, rule, b.spec.Hardening.Profile, list(found[rule])), hint)))
	}
	var special []string
	for name := range base.special {
		// Runtimes mount a /dev of their own over that of an image.
		if b.spec.Hardening.Profile == specs.ProfileStrict || !strings.HasPrefix(name, "dev/") {
			special = append(special, name)
		}
	}
	if len(special) > 0 && !b.spec.Flatten {
		errs = append(errs, b.specError([]any{"from"}, withHint(
			fmt.Errorf("base image %s has devices or named pipes, which have no place in an image: %s", base.reference, list(special)),
			"write flatten: true, which leaves them out")))
	}
	if len(errs) > 0 {
		return errs
	}
	return nil
}

// stripping returns the rule by which a path of a base image would be left out, or its
// mode or capability changed, if it came with a package; nil where there is none.
func stripping(policy *harden.Policy, n *tree.Node, conffiles map[string]bool) *harden.Rule {
	if n.Type == tree.Dir {
		return nil // without anything in it, it is nothing
	}
	if rule := policy.Drop(n.Path); rule != nil && !conffiles[n.Path] {
		return rule
	}
	if n.Type == tree.Symlink {
		return nil
	}
	if _, rule := policy.Mode(n.Path, n.Mode); rule != nil {
		return rule
	}
	if n.Capability != "" {
		return policy.Capability(n.Path)
	}
	return nil
}
