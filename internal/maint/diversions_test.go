package maint

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/tree"
)

// TestDiversions is what dpkg-divert's calls in preinst scripts come to.
func TestDiversions(t *testing.T) {
	for _, c := range []struct{ name, preinst, want string }{
		{"the usual form", `set -e
if [ "$1" = install ]; then
  dpkg-divert --package dash --add --rename --divert /bin/sh.distrib /bin/sh
fi`, "dash: bin/sh -> bin/sh.distrib"},
		{"values joined, and a target by default", `dpkg-divert --package=mine --quiet --add --no-rename /usr/bin/tool`,
			"mine: usr/bin/tool -> usr/bin/tool.distrib"},
		{"in a loop over known words", `for f in a b; do dpkg-divert --add --divert /etc/$f.orig --rename /etc/$f; done`,
			"pkg: etc/a -> etc/a.orig\npkg: etc/b -> etc/b.orig"},
		{"of the machine's owner, for no package", `dpkg-divert --local --divert /etc/x.mine --add /etc/x`, ": etc/x -> etc/x.mine"},
		{"in an upgrade only", `if [ "$1" = upgrade ]; then dpkg-divert --add --divert /b /a; fi`, ""},
		{"removed or asked for", "dpkg-divert --remove /a\ndpkg-divert --list /a\ndpkg-divert --truename /a", ""},
		{"of a path that cannot be known", `dpkg-divert --add --divert /b "$(cat /etc/which)"`, ""},
		{"a script of another interpreter", "#!/usr/bin/perl\nsystem('dpkg-divert --add /a');", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			preinst := c.preinst
			if !strings.HasPrefix(preinst, "#!") {
				preinst = "#!/bin/sh\n" + preinst
			}
			img := &Image{
				Tree: tree.New(&tree.Origin{}, 0), Architecture: "amd64",
				Packages: []Package{{Name: "pkg", Scripts: map[string]string{"preinst": preinst}}},
			}
			var got []string
			for _, d := range Diversions(img) {
				got = append(got, fmt.Sprintf("%s: %s -> %s", d.Package, d.From, d.To))
			}
			if text := strings.Join(got, "\n"); text != c.want {
				t.Errorf("found\n%s\nexpected\n%s", text, c.want)
			}
		})
	}
}
