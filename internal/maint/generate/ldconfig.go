package generate

import (
	"context"
	"path"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/ldso"
	"github.com/hardpan/hardpan/internal/maint/shell"
)

// ldconfig is ldconfig(8).
func (c Config) ldconfig(_ context.Context, p *shell.Proc) (int, error) {
	for i := 1; i < len(p.Args); i++ {
		switch a := p.Args[i]; {
		case a == "-v" || a == "--verbose":
			return 0, shell.Unsupported("ldconfig %s", a)
		case a == "-r" && i+1 < len(p.Args):
			if i++; path.Clean("/"+p.Args[i]) != "/" {
				return 0, shell.Unsupported("ldconfig -r %s", p.Args[i])
			}
		case a == "-i" || a == "--ignore-aux-cache":
		default:
			return 0, shell.Unsupported("ldconfig %s", a)
		}
	}
	if c.Libc == "" || !strings.HasPrefix(c.Libc, "2.") {
		return 0, shell.Unsupported("ldconfig for libc %q", c.Libc)
	}
	links, err := ldso.Links(p.FS.Tree, c.Architecture, c.Libc)
	if err != nil {
		return 0, err
	}
	for _, l := range links {
		if err := p.FS.RemoveAll(l.Path); err != nil {
			return fail(p, err)
		}
		if l.Target == "" {
			continue
		}
		if err := p.FS.Symlink(l.Target, l.Path); err != nil {
			return fail(p, err)
		}
	}
	cache, err := ldso.Cache(p.FS.Tree, c.Architecture, c.Libc)
	if err != nil {
		return 0, err
	}
	temporary := ldso.CachePath + "~"
	if err := p.FS.WriteFile(temporary, cache, 0o644); err != nil {
		return fail(p, err)
	}
	if err := p.FS.Rename(temporary, ldso.CachePath); err != nil {
		return fail(p, err)
	}
	return 0, nil
}
