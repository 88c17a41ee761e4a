package sboms

import (
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/oci"
)

// CycloneDX says of each component once whether all that it depends on is known.
func TestKnownDependencies(t *testing.T) {
	for name, img := range images(t) {
		bom := decode[cdxDoc](t, CycloneDX, img)
		known := map[string]string{}
		for _, c := range bom.Compositions {
			for _, ref := range c.Dependencies {
				if known[ref] != "" {
					t.Errorf("%s: %s is %s and %s", name, ref, known[ref], c.Aggregate)
				}
				known[ref] = c.Aggregate
			}
		}
		var each func(list []cdxComponent)
		each = func(list []cdxComponent) {
			for _, c := range list {
				if known[c.Ref] == "" {
					t.Errorf("%s: of %s nothing is said", name, c.Ref)
				}
				each(c.Components)
			}
		}
		each(append(bom.Components, bom.Metadata.Component))
		if name == "foreign" { // one depends on what the image does not have
			for i := range img.Packages {
				want := map[string]string{"one": "incomplete", "libone1": "complete"}[img.Packages[i].Name]
				if got := known[img.purl(&img.Packages[i])]; got != want {
					t.Errorf("%s is %s, want %s", img.Packages[i].Name, got, want)
				}
			}
		}
	}
}

// Images whose packages are not Debian's, or that have no database of packages.
func TestPackagesThatAreNotRead(t *testing.T) {
	release := member{name: "etc/os-release", content: "ID=other\nVERSION_ID=1\n"}
	for _, c := range []struct {
		name string
		has  []member
		want Completeness
		says string
	}{
		{"apk", []member{{name: "lib/apk/db/installed", content: "P:musl\nV:1\n"}}, Incomplete, "the image has no record of its build; packages are not listed, for their database is not read: /lib/apk/db/installed."},
		{"rpm", []member{{name: "var/lib/rpm/rpmdb.sqlite", content: "x"}}, Incomplete, "not read: /var/lib/rpm/rpmdb.sqlite."},
		{"rpm beside dpkg", []member{{name: "usr/lib/sysimage/rpm/Packages.db", content: "x"}, {name: "var/lib/dpkg/status.d/a", content: "Package: aa\nVersion: 1\n"}}, Incomplete, "not read: /usr/lib/sysimage/rpm/Packages.db."},
		{"pacman", []member{{name: "var/lib/pacman/local/ALPM_DB_VERSION", content: "9\n"}}, Incomplete, "not read: /var/lib/pacman/local/ALPM_DB_VERSION."},
		{"no packages", []member{{name: "usr/bin/app", content: "x"}}, Unknown, "no record of its build and no database of packages"},
		{"dpkg", []member{{name: "var/lib/dpkg/status.d/a", content: "Package: aa\nVersion: 1\n"}}, Unknown, "this is what dpkg's database"},
	} {
		img := describe(t, imageOf(t, oci.Config{Platform: oci.Platform{OS: "linux", Architecture: "amd64"}}, append(c.has, release)))
		if img.Completeness != c.want || !strings.Contains(img.statement(), c.says) {
			t.Errorf("%s: %s, %q, want %s, %q", c.name, img.Completeness, img.statement(), c.want, c.says)
		}
		b, err := CycloneDX(img)
		check(t, err)
		if !strings.Contains(string(b), `"phase": "post-build"`) {
			t.Errorf("%s: the document says that it was made by the build", c.name)
		}
	}
}
