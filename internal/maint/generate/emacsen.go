package generate

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

// The directories of emacsen-common: what add-on packages bring, and which of them
// and which flavors of Emacs are installed (Debian Emacs Policy).
const (
	emacsenLib      = "/usr/lib/emacsen-common"
	emacsenPackages = "/var/lib/emacsen-common/state/package/installed"
	emacsenFlavors  = "/var/lib/emacsen-common/state/flavor/installed"
)

// emacsInstall is emacs-install, which every flavor of Emacs calls: it runs the
// install scripts of all add-on packages for a flavor.
func emacsInstall(ctx context.Context, p *shell.Proc) (int, error) {
	flavor, done, status, err := emacsenState(p, emacsenFlavors)
	if done || err != nil {
		return status, err
	}
	ready, err := emacsenReady(p)
	if err != nil {
		return 0, err
	}
	ordered, err := emacsenOrder(ctx, p, ready, ready)
	if err != nil {
		return 0, err
	}
	for _, pkg := range ordered {
		if status, err := emacsenRun(ctx, p, pkg, flavor); status != 0 || err != nil {
			return status, err
		}
	}
	return 0, nil
}

// emacsPackageInstall is emacs-package-install, which every add-on package calls:
// it runs its install script, and those of what it depends on, for all flavors.
func emacsPackageInstall(ctx context.Context, p *shell.Proc) (int, error) {
	pkg, done, status, err := emacsenState(p, emacsenPackages)
	if done || err != nil {
		return status, err
	}
	if !p.FS.Exists(emacsenLib + "/packages/compat/" + pkg) {
		return 0, shell.Unsupported("emacs-package-install for a package of the old style, %s,", pkg)
	}
	ready, err := emacsenReady(p)
	if err != nil {
		return 0, err
	}
	ordered, err := emacsenOrder(ctx, p, []string{pkg}, ready)
	if err != nil {
		return 0, err
	}
	flavors, err := p.FS.ReadDir(emacsenFlavors)
	if err != nil {
		return p.Fail(err)
	}
	for _, pkg := range ordered {
		for _, flavor := range flavors {
			if status, err := emacsenRun(ctx, p, pkg, flavor); status != 0 || err != nil {
				return status, err
			}
		}
	}
	return 0, nil
}

// emacsenState reads the arguments, "--preinst" or "--postinst" and a name, and notes
// that what has the name is installed. done says that this was all.
func emacsenState(p *shell.Proc, dir string) (name string, done bool, status int, err error) {
	args := p.Args[1:]
	preinst := len(args) == 2 && args[0] == "--preinst"
	if len(args) == 2 && (preinst || args[0] == "--postinst") {
		args = args[1:]
	}
	if len(args) != 1 {
		fmt.Fprintf(p.Stdout, "Usage: %s (--preinst|--postinst) NAME\n", p.Args[0])
		return "", true, 2, nil
	}
	at := dir + "/" + args[0]
	switch {
	case preinst:
		err = p.FS.RemoveAll(at)
	case !p.FS.Exists(at):
		err = p.FS.WriteFile(at, nil, 0o644&^p.Umask)
	default:
		err = p.FS.Touch(at, p.FS.Time, true)
	}
	if err != nil {
		status, err = fail(p, err)
		return "", true, status, err
	}
	return args[0], preinst, 0, nil
}

// emacsenReady returns the add-on packages whose scripts can run: those of the new
// style, once they are installed.
func emacsenReady(p *shell.Proc) ([]string, error) {
	names, err := p.FS.ReadDir(emacsenLib + "/packages/install")
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		return strings.HasPrefix(name, ".") || strings.HasSuffix(name, "~") ||
			p.FS.Exists(emacsenLib+"/packages/compat/"+name) && !p.FS.Exists(emacsenPackages+"/"+name)
	}), nil
}

// emacsenOrder returns packages and the add-on packages that they depend on, those
// first that others depend on.
func emacsenOrder(ctx context.Context, p *shell.Proc, names, ready []string) ([]string, error) {
	var ordered []string
	seen := map[string]bool{}
	var visit func(name string) error
	visit = func(name string) error {
		if seen[name] {
			return nil
		}
		seen[name] = true
		var b strings.Builder
		q := *p
		q.Stdout = &b
		if status, err := q.Run(ctx, "dpkg-query", "-W", "-f=${Depends}", name); err != nil || status != 0 {
			return err
		}
		for _, d := range strings.FieldsFunc(b.String(), func(r rune) bool { return r == ',' || r == '|' }) {
			if f := strings.Fields(d); len(f) > 0 && slices.Contains(ready, f[0]) {
				if err := visit(f[0]); err != nil {
					return err
				}
			}
		}
		ordered = append(ordered, name)
		return nil
	}
	for _, name := range names {
		if err := visit(name); err != nil {
			return nil, err
		}
	}
	return ordered, nil
}

// emacsenRun runs a package's install script for a flavor.
func emacsenRun(ctx context.Context, p *shell.Proc, pkg, flavor string) (int, error) {
	fmt.Fprintf(p.Stdout, "Install %s for %s\n", pkg, flavor)
	script := emacsenLib + "/packages/install/" + pkg
	if !p.FS.Exists(script) {
		return 0, nil
	}
	if status, err := p.Run(ctx, script, flavor); err != nil || status != 0 {
		fmt.Fprintf(p.Stderr, "ERROR: install script from %s package failed\n", pkg)
		return 2, err
	}
	return 0, nil
}
