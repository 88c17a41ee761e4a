package prune

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/debian"
	"github.com/hardpan/hardpan/internal/debian/resolve"
)

// outcome resolves the requests among packages and prunes what came of it. Packages
// are given as stanzas that leave out what they do not need. The outcome has a line
// for each package that stays and each that is left out.
func outcome(t *testing.T, stanzas, requests string) string {
	t.Helper()
	u := resolve.NewUniverse("amd64")
	for r := debian.NewControlReader(strings.NewReader(strings.ReplaceAll(stanzas, "\t", ""))); ; {
		paragraph, err := r.Next()
		if err != nil {
			break
		}
		name, version := paragraph.Get("Package"), cmp.Or(paragraph.Get("Version"), "1")
		for _, f := range [][2]string{
			{"Version", version}, {"Architecture", "amd64"}, {"Priority", "optional"}, {"Filename", "pool/" + name + ".deb"}, {"Size", "1"},
			{"SHA256", strings.Repeat("0", 64)},
		} {
			if paragraph.Get(f[0]) == "" {
				paragraph = append(paragraph, debian.Field{Name: f[0], Value: f[1]})
			}
		}
		p, err := debian.PackageFromParagraph(paragraph)
		if err != nil {
			t.Fatal(err)
		}
		if err := u.Add(p); err != nil {
			t.Fatal(err)
		}
	}
	var rs []resolve.Request
	for text := range strings.FieldsSeq(requests) {
		r, err := resolve.ParseRequest(text)
		if err != nil {
			t.Fatal(err)
		}
		rs = append(rs, r)
	}
	sol, err := resolve.Resolve(t.Context(), u, rs)
	if err != nil {
		t.Fatal(err)
	}
	before := fmt.Sprint(sol)
	rest, left, err := Solution(sol)
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(sol) != before {
		t.Error("the solution was changed")
	}
	var lines []string
	for _, p := range rest.Packages {
		lines = append(lines, p.Name+": "+p.Reason.String())
	}
	for _, d := range rest.Dropped {
		lines = append(lines, fmt.Sprintf("excluded %s: %s: %s", d.Package, d.By, d.Relation))
	}
	for _, l := range left {
		lines = append(lines, fmt.Sprintf("- %s [%s] %s", l.Package, strings.Join(l.NeededBy, ", "), l.Why))
	}
	return strings.Join(lines, "\n")
}

// tools are packages that scripts call, with the dependencies that these have.
const tools = `
	Package: libc6

	Package: perl-base
	Depends: libc6

	Package: debconf
	Version: 1.5.91
	Provides: debconf-2.0
	Depends: perl-base

	Package: ucf
	Depends: debconf (>= 0.5) | debconf-2.0, sensible-utils

	Package: sensible-utils

	Package: adduser
	Depends: passwd (>= 1)

	Package: passwd
	Pre-Depends: libpam-modules
	Depends: libc6

	Package: libpam-modules
	Pre-Depends: debconf (>= 0.5) | debconf-2.0
	Depends: libc6

	Package: openssl
	Depends: libssl3t64

	Package: libssl3t64
	Depends: libc6

	Package: systemd
	Provides: systemd-sysusers, systemd-tmpfiles
	Depends: mount

	Package: mount

	Package: dpkg
	Version: 1.22

	Package: init-system-helpers
	Version: 1.69
`

func TestSolution(t *testing.T) {
	for _, c := range []struct {
		name, stanzas, requests, want string
	}{
		{
			"a tool and all that it alone brings",
			"Package: redis\nDepends: libc6, adduser\nPre-Depends: init-system-helpers (>= 1.54~)", "redis", `
			libc6: redis depends on libc6
			redis: requested
			- adduser [redis: adduser] only for maintainer scripts: redis depends on adduser for accounts
			- debconf [libpam-modules: debconf (>= 0.5) | debconf-2.0] only for what is left out: libpam-modules depends on debconf
			- init-system-helpers [redis: init-system-helpers (>= 1.54~)] only for maintainer scripts: redis depends on init-system-helpers for services that are enabled and started
			- libpam-modules [passwd: libpam-modules] only for what is left out: passwd depends on libpam-modules
			- passwd [adduser: passwd (>= 1)] only for what is left out: adduser depends on passwd
			- perl-base [debconf: perl-base] only for what is left out: debconf depends on perl-base`,
		},
		{
			"a tool that is requested stays, and what it needs",
			"Package: tzdata\nDepends: debconf (>= 0.5) | debconf-2.0", "tzdata debconf", `
			debconf: requested
			libc6: perl-base depends on libc6
			perl-base: debconf depends on perl-base
			tzdata: requested`,
		},
		{
			"a tool that a program of another package uses stays",
			"Package: tzdata\nDepends: debconf (>= 0.5) | debconf-2.0\n\nPackage: debconf-utils\nDepends: debconf (= 1.5.91)", "tzdata debconf-utils", `
			debconf: debconf-utils depends on debconf (= 1.5.91)
			debconf-utils: requested
			libc6: perl-base depends on libc6
			perl-base: debconf depends on perl-base
			tzdata: requested`,
		},
		{
			"a package whose programs use the tool, although it says so in the scripts' form",
			"Package: tasksel\nDepends: debconf (>= 0.5) | debconf-2.0", "tasksel", `
			debconf: tasksel depends on debconf (>= 0.5) | debconf-2.0
			libc6: perl-base depends on libc6
			perl-base: debconf depends on perl-base
			tasksel: requested`,
		},
		{
			"what the table does not know is needed",
			"Package: app\nDepends: debconf, passwd, openssl, sensible-utils, perl-base, dpkg (>= 1.17)", "app", `
			app: requested
			debconf: app depends on debconf
			dpkg: app depends on dpkg (>= 1.17)
			libc6: perl-base depends on libc6
			libpam-modules: passwd pre-depends on libpam-modules
			libssl3t64: openssl depends on libssl3t64
			openssl: app depends on openssl
			passwd: app depends on passwd
			perl-base: debconf depends on perl-base
			sensible-utils: app depends on sensible-utils`,
		},
		{
			"one package's dependency is not another's, a field not another",
			"Package: ca-certificates\nDepends: openssl (>= 1)\nPre-Depends: dpkg (>= 1.17)", "ca-certificates", `
			ca-certificates: requested
			- dpkg [ca-certificates: dpkg (>= 1.17)] only for maintainer scripts: ca-certificates depends on dpkg for being unpacked
			- libc6 [libssl3t64: libc6] only for what is left out: libssl3t64 depends on libc6
			- libssl3t64 [openssl: libssl3t64] only for what is left out: openssl depends on libssl3t64
			- openssl [ca-certificates: openssl (>= 1)] only for maintainer scripts: ca-certificates depends on openssl for openssl rehash`,
		},
		{
			"a library that another program links has that program for a reason",
			"Package: ca-certificates\nDepends: openssl\n\nPackage: zcurl\nDepends: libssl3t64", "ca-certificates zcurl", `
			ca-certificates: requested
			libc6: libssl3t64 depends on libc6
			libssl3t64: zcurl depends on libssl3t64
			zcurl: requested
			- openssl [ca-certificates: openssl] only for maintainer scripts: ca-certificates depends on openssl for openssl rehash`,
		},
		{
			"what a virtual package stands for",
			"Package: uuid-runtime\nDepends: systemd | systemd-standalone-sysusers | systemd-sysusers\n\nPackage: logind\nDepends: systemd", "uuid-runtime", `
			uuid-runtime: requested
			- mount [systemd: mount] only for what is left out: systemd depends on mount
			- systemd [uuid-runtime: systemd | systemd-standalone-sysusers | systemd-sysusers] only for maintainer scripts: uuid-runtime depends on systemd for accounts`,
		},
		{
			"the same beside one that needs it",
			"Package: uuid-runtime\nDepends: systemd | systemd-standalone-sysusers | systemd-sysusers\n\nPackage: logind\nDepends: systemd", "uuid-runtime logind", `
			logind: requested
			mount: systemd depends on mount
			systemd: logind depends on systemd
			uuid-runtime: requested`,
		},
		{
			"many that depend on one tool, for several purposes",
			"Package: a1\nDepends: ucf\n\nPackage: a2\nDepends: ucf\n\nPackage: a3\nDepends: ucf\n\nPackage: a4\nDepends: ucf\n\nPackage: a5\nDepends: ucf\n\n" +
				"Package: dnsmasq-base\nDepends: passwd\n\nPackage: b1\nDepends: debconf | debconf-2.0\n\nPackage: b2\nPre-Depends: debconf | debconf-2.0",
			"a1 a2 a3 a4 a5 b1 b2", `
			a1: requested
			a2: requested
			a3: requested
			a4: requested
			a5: requested
			b1: requested
			b2: requested
			- debconf [b1: debconf | debconf-2.0, b2: debconf | debconf-2.0] only for maintainer scripts: b1 and b2 depend on debconf for questions at installation
			- libc6 [perl-base: libc6] only for what is left out: perl-base depends on libc6
			- perl-base [debconf: perl-base] only for what is left out: debconf depends on perl-base
			- sensible-utils [ucf: sensible-utils] only for what is left out: ucf depends on sensible-utils
			- ucf [a1: ucf, a2: ucf, a3: ucf, a4: ucf, a5: ucf] only for maintainer scripts: a1, a2, a3 and 2 more depend on ucf for configuration files that change`,
		},
		{
			"an exclusion of what only a tool needs has nothing left to be about",
			"Package: app\nDepends: ucf, mount", "app !sensible-utils !mount", `
			app: requested
			excluded mount: app: mount
			- debconf [ucf: debconf (>= 0.5) | debconf-2.0] only for what is left out: ucf depends on debconf
			- libc6 [perl-base: libc6] only for what is left out: perl-base depends on libc6
			- perl-base [debconf: perl-base] only for what is left out: debconf depends on perl-base
			- ucf [app: ucf] only for maintainer scripts: app depends on ucf for configuration files that change`,
		},
		{
			"tools that need each other",
			"Package: app\nDepends: ucf, update-inetd\n\nPackage: update-inetd\nDepends: inetd\n\nPackage: inetd\nDepends: update-inetd", "app", `
			app: requested
			- debconf [ucf: debconf (>= 0.5) | debconf-2.0] only for what is left out: ucf depends on debconf
			- inetd [update-inetd: inetd] only for what is left out: update-inetd depends on inetd
			- libc6 [perl-base: libc6] only for what is left out: perl-base depends on libc6
			- perl-base [debconf: perl-base] only for what is left out: debconf depends on perl-base
			- sensible-utils [ucf: sensible-utils] only for what is left out: ucf depends on sensible-utils
			- ucf [app: ucf] only for maintainer scripts: app depends on ucf for configuration files that change
			- update-inetd [app: update-inetd] only for maintainer scripts: app depends on update-inetd for entries of inetd.conf`,
		},
		{
			"nothing to leave out", "Package: app\nDepends: libc6", "app", `
			app: requested
			libc6: app depends on libc6`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := strings.TrimSpace(strings.ReplaceAll(c.want, "\t", ""))
			if got := outcome(t, tools+"\n"+c.stanzas, c.requests); got != want {
				t.Errorf("have\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// What no dependency leads to, as where apt kept a recommended package, was not there
// for scripts.
func TestWithoutDependency(t *testing.T) {
	of := func(name, depends string, why resolve.Reason) resolve.Selection {
		return resolve.Selection{Package: debian.Package{Name: name, Version: "1", Depends: depends}, Reason: why}
	}
	sol := &resolve.Solution{Packages: []resolve.Selection{
		of("app", "ucf", resolve.Reason{Request: "app"}), of("recommended", "lib", resolve.Reason{By: "app", Field: "Recommends", Relation: "recommended"}),
		of("lib", "", resolve.Reason{By: "recommended", Field: "Depends", Relation: "lib"}), of("ucf", "lib", resolve.Reason{By: "app", Field: "Depends", Relation: "ucf"}),
	}}
	rest, left, err := Solution(sol)
	if err != nil || len(left) != 1 || left[0].Package != "ucf" || len(rest.Packages) != 3 {
		t.Errorf("kept %v, left out %v: %v", rest, left, err)
	}
	sol.Packages[0].Depends = "ucf ("
	if _, _, err := Solution(sol); err == nil || !strings.HasPrefix(err.Error(), "package app 1: Depends: relation ") {
		t.Errorf("error %v, want one that names the package and the field", err)
	}
}

// Every row says what it is about and why, in names that a package can have, and no
// package is on both sides.
func TestTable(t *testing.T) {
	rows := map[string]bool{}
	for _, r := range Table {
		if len(r.Entries) == 0 || r.For == "" || r.Why == "" {
			t.Errorf("row %v is incomplete", r.Entries)
		}
		if r.Field != "" && r.Field != "Depends" && r.Field != "Pre-Depends" {
			t.Errorf("row %v is about field %q", r.Entries, r.Field)
		}
		if len(r.From) > 0 && len(r.But) > 0 {
			t.Errorf("row %v lists packages on both sides", r.Entries)
		}
		for _, list := range [][]string{r.From, r.But} {
			if !slices.IsSorted(list) || len(slices.Compact(slices.Clone(list))) != len(list) {
				t.Errorf("row %v: %v is not sorted, or has a name twice", r.Entries, list)
			}
		}
		for _, e := range r.Entries {
			rel, err := debian.ParseRelations(e)
			if err != nil || len(rel) != 1 || rel.String() != e || strings.ContainsAny(e, "(:") {
				t.Errorf("entry %q is not one of names: %v", e, err)
			}
			froms := r.From
			if len(froms) == 0 {
				froms = []string{"*"}
			}
			for _, from := range froms {
				if key := e + " " + from + " " + r.Field; rows[key] {
					t.Errorf("%s is in two rows", key)
				} else {
					rows[key] = true
				}
			}
		}
	}
}

func TestInterpreter(t *testing.T) {
	for name, want := range map[string]string{"/usr/bin/perl": "perl-base", "perl": "perl-base", "/usr/bin/perl5.40": "", "/bin/sh": "dash", "": "", "libperl.so.5": ""} {
		if got := Interpreter(name); got != want {
			t.Errorf("%s is in %q, want %q", name, got, want)
		}
	}
}
