package ucf

import (
	"context"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

// ucfr is ucfr(1): which package a configuration file belongs to.
func ucfr(ctx context.Context, p *shell.Proc) (int, error) {
	return finish(p, register(ctx, p))
}

func register(ctx context.Context, p *shell.Proc) error {
	opts, operands, err := getopt(p.Args[1:], "hd::D::fnvp", "help", "debug::", "DEBUG::", "force", "no-action", "purge", "verbose", "state-dir:")
	if err != nil {
		return exit{1, "ucfr: " + err.Error()}
	}
	c := &call{Proc: p}
	force := false
	for _, o := range opts {
		switch o.name {
		case "h", "help", "n", "no-action":
			return shell.Unsupported("ucfr -%s", o.name)
		case "f", "force":
			force = true
		case "p", "purge":
			c.purge = true
		case "state-dir":
			c.stateDir = o.value
		}
	}
	if len(operands) != 2 {
		return exit{3, fmt.Sprintf("ucfr: *** ERROR: Need exactly two arguments, got %d", len(operands))}
	}
	if operands[0] == "" || operands[1] == "" {
		return exit{1, "ucfr: Unable to determine The Configuration file"}
	}
	pkg, name := operands[0], c.canonical(operands[1])
	if err := c.settings(); err != nil {
		return err
	}
	if err := c.FS.MkdirAll(c.stateDir, 0o755&^c.Umask); err != nil {
		return err
	}
	registry := path.Join(c.stateDir, "registry")
	if !c.FS.Exists(registry) {
		if err := c.FS.WriteFile(registry, nil, 0o644&^c.Umask); err != nil {
			return err
		}
	}
	those, others := about(c.Proc, registry, name)
	if len(those) > 1 {
		return exit{len(those), "ucfr: Corrupt registry: Duplicate entries for " + operands[1]}
	}
	owner := ""
	if len(those) == 1 {
		owner = strings.Fields(those[0])[0]
	}
	if c.purge {
		if owner == "" {
			return nil
		}
		if owner != pkg && !force {
			return exit{5, fmt.Sprintf("ucfr: Association belongs to %s, not %s\nucfr: Aborting", owner, pkg)}
		}
	} else {
		if owner == pkg {
			return nil
		}
		if owner != "" {
			if by, err := c.output(ctx, "dpkg-divert", "--listpackage", operands[1]); err != nil || by != "" {
				return err
			}
			if !force {
				return exit{4, fmt.Sprintf("ucfr: Attempt from package %s  to take %s away from package %s\nucfr: Aborting.", pkg, name, owner)}
			}
		}
		others = append(others, pkg+" \t "+name)
	}
	if err := rotate(c.Proc, registry); err != nil {
		return err
	}
	return replace(c.Proc, registry, others)
}

// ucfq is ucfq(1), of which the form for programs is supported.
func ucfq(_ context.Context, p *shell.Proc) (int, error) {
	opts, operands, err := getopt(p.Args[1:], "hwd::v", "help", "with-colons", "debug::", "verbose", "state-dir:")
	if err != nil {
		return p.Errorf("%v", err)
	}
	dir, colons := "/var/lib/ucf", false
	for _, o := range opts {
		switch o.name {
		case "w", "with-colons":
			colons = true
		case "state-dir":
			dir = o.value
		case "h", "help":
			return 0, shell.Unsupported("ucfq --help")
		}
	}
	if !colons {
		return 0, shell.Unsupported("ucfq without --with-colons")
	}
	owners := map[string]string{}
	b, _ := p.FS.ReadFile(path.Join(dir, "registry")) // none is an empty one
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) == 2 {
			owners[f[1]] = f[0]
		}
	}
	asked := map[string]bool{}
	for _, o := range operands {
		if strings.HasPrefix(o, "/") {
			asked[o] = true
			continue
		}
		for name, pkg := range owners {
			if pkg == o {
				asked[name] = true
			}
		}
	}
	var out strings.Builder
	for _, name := range slices.Sorted(maps.Keys(asked)) {
		there, changed := "", ""
		if owners[name] != "" {
			there, changed = "No", "No"
			if b, err := p.FS.ReadFile(name); err == nil {
				there = "Yes"
				those, _ := about(p, path.Join(dir, "hashfile"), name)
				if firstWords(strings.Join(those, "\n")) != sum(b) {
					changed = "Yes"
				}
			}
		}
		fmt.Fprintf(&out, "%s:%s:%s:%s\n", name, owners[name], there, changed)
	}
	_, err = io.WriteString(p.Stdout, out.String())
	return 0, err
}
