package maint

import (
	"context"
	"fmt"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/ldso"
	"github.com/hardpan/hardpan/internal/maint/shell"
)

// ldconfig is ldconfig(8), of the format of the image's glibc: it makes the links
// that sonames name, and the cache.
func (in *Installation) ldconfig(_ context.Context, p *shell.Proc) (int, error) {
	for args := p.Args[1:]; len(args) > 0; args = args[1:] {
		switch {
		case args[0] == "-v" || args[0] == "--verbose":
		case args[0] == "-r" && len(args) > 1 && strings.Trim(args[1], "/") == "":
			args = args[1:]
		default:
			return 0, shell.Unsupported("ldconfig %s", args[0])
		}
	}
	libc := in.img.Package("libc6")
	if libc == nil || !strings.HasPrefix(libc.Version, "2.") {
		return 0, shell.Unsupported("ldconfig without glibc 2")
	}
	links, err := ldso.Links(in.img.Tree, in.img.Architecture, libc.Version)
	if err != nil {
		return 0, err
	}
	for _, l := range links {
		if err := p.FS.Remove(l.Path); err == nil && l.Target == "" {
			continue
		}
		if l.Target != "" {
			if err := p.FS.Symlink(l.Target, l.Path); err != nil {
				return p.Fail(err)
			}
		}
	}
	cache, err := ldso.Cache(in.img.Tree, in.img.Architecture, libc.Version)
	if err != nil {
		return 0, fmt.Errorf("cannot make %s: %w", ldso.CachePath, err)
	}
	if old, err := p.FS.ReadFile(ldso.CachePath); err == nil && string(old) == string(cache) {
		return 0, nil
	}
	if err := p.FS.WriteFile(ldso.CachePath, cache, 0o644); err != nil {
		return p.Fail(err)
	}
	return 0, nil
}
