package builder

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/debian/archivetest"
	"github.com/hardpan/hardpan/internal/lock"
	"github.com/hardpan/hardpan/internal/record"
	"github.com/hardpan/hardpan/internal/sample"
)

// newToolBench is a place to build in whose archive has packages that only
// maintainer scripts need.
func newToolBench(t *testing.T) *bench {
	t.Helper()
	s, err := archivetest.New(sample.Debian(sample.Tools()...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return &bench{t, s, t.TempDir()}
}

// What is in an image depends on profile, waivers, requests and exclusions; only
// strict leaves out what scripts alone need. Each row has the packages of the image,
// those that are left out, and what its report warns of.
func TestLeftOut(t *testing.T) {
	b := newToolBench(t)
	const all = "adduser cookies debconf libc6 passwd perl-base"
	const warning = "/usr/bin/cookies needs the interpreter /usr/bin/perl, which is in perl-base, left out as only for maintainer scripts: /usr/bin/cookies -> /usr/bin/perl"
	for _, c := range []struct {
		name, spec, packages, left, dropped, warning string
	}{
		{"by default", "contents: {packages: [cookies]}", "cookies", "adduser debconf libc6 passwd perl-base", "", warning},
		{"strict", "contents: {packages: [cookies]}\nhardening: {profile: strict}", "cookies", "adduser debconf libc6 passwd perl-base", "", warning},
		{"standard", "contents: {packages: [cookies]}\nhardening: {profile: standard}", all, "", "", ""},
		{"none", "contents: {packages: [cookies]}\nhardening: {profile: none}", all, "", "", ""},
		{"waived", "contents: {packages: [cookies]}\nhardening: {waive: [{rule: maintainer-script-tools, reason: a Debian to work in}]}", all, "", "", ""},
		{"another rule waived", "contents: {packages: [cookies]}\nhardening: {waive: [{rule: translations, reason: German}]}",
			"cookies", "adduser debconf libc6 passwd perl-base", "", warning},
		{"a tool is requested", "contents: {packages: [cookies, debconf]}", "cookies debconf libc6 perl-base", "adduser passwd", "", ""},
		{"a library is requested", "contents: {packages: [cookies, libc6]}", "cookies libc6", "adduser debconf passwd perl-base", "", warning},
		{"a program needs a tool", "contents: {packages: [cookies, cookie-jar]}", "cookie-jar cookies debconf libc6 perl-base", "adduser passwd", "", ""},
		{"a tool is excluded", `contents: {packages: [cookies, "!debconf"]}`, "cookies", "adduser passwd", "debconf", ""},
		{"what a tool needs is excluded", `contents: {packages: [cookies, "!perl-base"]}`, "cookies", "adduser debconf passwd", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			b.write("left.yaml", c.spec+"\n")
			o := b.options("left.yaml")
			o.Lock = UpdateLock
			for i, img := range b.build(o).Images {
				var left []string
				for _, l := range img.LeftOut {
					left = append(left, l.Package)
					if !strings.HasPrefix(l.Why, "only for ") {
						t.Errorf("%s is left out: %q", l.Package, l.Why)
					}
				}
				rec := b.record(t, o, i)
				for what, lists := range map[string][2]string{
					"packages": {imagePackages(rec), c.packages}, "left out": {strings.Join(left, " "), c.left},
					"dropped": {strings.Join(img.Dropped, " "), c.dropped}, "warnings": {strings.Join(img.Warnings, "\n"), c.warning},
				} {
					if lists[0] != lists[1] {
						t.Errorf("%s: %s: have %q, want %q", img.Platform, what, lists[0], lists[1])
					}
				}
				// The scripts of what is left out have no effect, those of the rest have.
				for _, name := range []string{"cookies", "debconf", "adduser"} {
					_, ok := rec.Lookup("usr/bin/" + name + "-alternative")
					if in := slices.Contains(strings.Fields(c.packages), name); ok != in {
						t.Errorf("%s: the alternative of %s is there: %v, the package: %v", img.Platform, name, ok, in)
					}
				}
			}
		})
	}
}

// record returns the record of the image of a platform.
func (b *bench) record(t *testing.T, o Options, i int) *record.Record {
	t.Helper()
	rec, err := record.Decode(openImages(t, o.Outputs.Layout)[i].Config.Record)
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

func imagePackages(rec *record.Record) string {
	var names []string
	for _, p := range rec.Packages {
		names = append(names, p.Name)
	}
	return strings.Join(names, " ")
}

// A lock says of each variant what was left out and why, and each package's reason
// is one that is in the image with it.
func TestLeftOutInLock(t *testing.T) {
	b := newToolBench(t)
	b.write("left.yaml", `platforms: [linux/amd64]
contents: {packages: [cookies, hello]}
variants:
  plain: {hardening: {profile: none}}
  shell: {contents: {packages: [debconf]}}
`)
	if _, err := Lock(t.Context(), b.options("left.yaml")); err != nil {
		t.Fatal(err)
	}
	l, err := lock.Read(filepath.Join(b.dir, "left.lock"))
	if err != nil {
		t.Fatal(err)
	}
	p := l.Platforms["linux/amd64"]
	text, err := json.MarshalIndent(struct {
		Rules   map[string][]string
		Dropped []lock.Dropped
	}{l.Request.Rules, p.Dropped}, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	const golden = "../testdata/golden/leftout.json"
	if *update {
		if err := os.WriteFile(golden, append(text, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil || string(want) != string(text)+"\n" {
		t.Errorf("%s: %v (- want, + have)\n%s", golden, err, difference(string(want), string(text)+"\n"))
	}
	var lines []string
	for _, pkg := range p.Packages {
		lines = append(lines, fmt.Sprintf("%s %q %s", pkg.Name, pkg.Variants, pkg.Why))
	}
	got := strings.Join(lines, "\n")
	if want := strings.TrimSpace(`
adduser ["plain"] cookies depends on adduser
cookies [] requested
debconf ["plain" "shell"] cookies depends on debconf (>= 0.5) | debconf-2.0
hello [] requested
hello-data [] hello depends on hello-data (>= 2)
libc6 [] hello depends on libc6 (>= 2.36)
passwd ["plain"] adduser depends on passwd
perl-base ["plain" "shell"] debconf depends on perl-base`); got != want {
		t.Errorf("packages\n%s\nwant\n%s", got, want)
	}
}

// A lock that was made under another profile, or before there was the rule, is
// refused with the difference.
func TestLeftOutMisfit(t *testing.T) {
	b := newToolBench(t)
	const packages = "contents: {packages: [cookies]}\n"
	const none, waived = packages + "hardening: {profile: none}\n", packages + "hardening: {waive: [{rule: maintainer-script-tools, reason: why not}]}\n"
	for _, c := range []struct {
		name, locked, asked, want string
	}{
		{"less strict", packages, none, `hardening: - "maintainer-script-tools"`},
		{"stricter", none, packages, `hardening: + "maintainer-script-tools"`},
		{"waived", packages, waived, `hardening: - "maintainer-script-tools"`},
		{"in a variant", packages + "variants: {v: {hardening: {profile: standard}}}\n", packages + "variants: {v: {description: strict}}\n",
			`hardening of variant "v": + "maintainer-script-tools"`},
		{"neither leaves out", none, packages + "hardening: {profile: standard}\n", ""},
		{"waived by another way", none, waived, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			b.write("fit.yaml", c.locked)
			o := b.options("fit.yaml")
			if _, err := Lock(t.Context(), o); err != nil {
				t.Fatal(err)
			}
			b.write("fit.yaml", c.asked)
			_, err := Build(t.Context(), o)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.HasSuffix(err.Error(), "the lock does not fit the spec: "+c.want)) {
				t.Errorf("have %v, want %q", err, c.want)
			}
		})
	}
}
