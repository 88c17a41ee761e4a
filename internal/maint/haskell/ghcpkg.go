package haskell

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/shell"
)

// database is the directory of the libraries' descriptions.
const database = "/usr/lib/ghc/lib/package.conf.d"

// Config is what the programs need to know of the image.
type Config struct {
	Architecture string // Debian's name
	Version      string // of the package ghc
	// Omitted is told, unless nil, of each call whose effect is left out, with why.
	Omitted func(command, why string)
}

// Commands returns the programs by name.
func Commands(c Config) map[string]shell.Command {
	return map[string]shell.Command{"ghc": c.ghc, "ghc-pkg": c.ghcPkg}
}

func (c Config) known(p *shell.Proc) error {
	if !strings.HasPrefix(c.Version, "9.6.") {
		return shell.Unsupported("%s of ghc %s, as that of ghc 9.6 is known alone,", p.Args[0], c.Version)
	}
	return nil
}

// ghc is ghc --info, of which the postinst wants the line about the interpreter.
func (c Config) ghc(_ context.Context, p *shell.Proc) (int, error) {
	if err := c.known(p); err != nil {
		return 0, err
	}
	if !slices.Equal(p.Args[1:], []string{"--info"}) || c.Architecture != "amd64" && c.Architecture != "arm64" {
		return 0, shell.Unsupported("ghc %s on %s", strings.Join(p.Args[1:], " "), c.Architecture)
	}
	fmt.Fprintln(p.Stdout, " [(\"Project name\",\"The Glorious Glasgow Haskell Compilation System\")\n ,(\"Have interpreter\",\"YES\")\n ]")
	return 0, nil
}

// ghcPkg is ghc-pkg(1) with recache --global, and check --global, which only prints.
func (c Config) ghcPkg(_ context.Context, p *shell.Proc) (int, error) {
	if err := c.known(p); err != nil {
		return 0, err
	}
	switch strings.Join(p.Args[1:], " ") {
	case "check --global":
		return 0, nil
	case "recache --global":
	default:
		return 0, shell.Unsupported("ghc-pkg %s", strings.Join(p.Args[1:], " "))
	}
	names, err := p.FS.ReadDir(database)
	if err != nil {
		return p.Fail(err)
	}
	slices.Sort(names)
	var all []*library
	for _, name := range names {
		if !strings.HasSuffix(name, ".conf") {
			continue
		}
		b, err := p.FS.ReadFile(database + "/" + name)
		if err != nil {
			return p.Fail(err)
		}
		l, err := parseLibrary(string(b))
		if err != nil {
			return 0, shell.Unsupported("ghc-pkg: reading %s: %v", name, err)
		}
		all = append(all, l)
	}
	lock := database + "/package.cache.lock"
	if !p.FS.Exists(lock) {
		if err := p.FS.WriteFile(lock, nil, 0o666&^p.Umask); err != nil {
			return p.Fail(err)
		}
	}
	temporary := database + "/package.cache.tmp"
	if err := p.FS.WriteFile(temporary, cache(all), 0o666&^p.Umask|0o444); err != nil {
		return p.Fail(err)
	}
	if err := p.FS.Rename(temporary, database+"/package.cache"); err != nil {
		return p.Fail(err)
	}
	if c.Omitted != nil {
		c.Omitted("ghc-pkg", "the cache lists libraries by name; ghc-pkg lists them as the directory does")
	}
	return 0, nil
}
