package resolve

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/debian"
)

// universeOf makes a universe for amd64 of stanzas that leave out what they do
// not need: a version is 1 and an architecture amd64 unless they say otherwise,
// and a line "Archive:" gives the archive.
func universeOf(t testing.TB, text string) *Universe {
	t.Helper()
	u := NewUniverse("amd64")
	r := debian.NewControlReader(strings.NewReader(strings.ReplaceAll(text, "\t", "")))
	for {
		paragraph, err := r.Next()
		if err != nil {
			return u
		}
		name, version := paragraph.Get("Package"), cmp.Or(paragraph.Get("Version"), "1")
		for _, f := range [][2]string{
			{"Version", "1"}, {"Architecture", "amd64"}, {"Priority", "optional"},
			{"Filename", "pool/" + name + ".deb"}, {"Size", "1"},
			{"SHA256", fmt.Sprintf("%064x", version+paragraph.Get("Depends"))[:64]},
		} {
			if paragraph.Get(f[0]) == "" {
				paragraph = append(paragraph, debian.Field{Name: f[0], Value: f[1]})
			}
		}
		p, err := debian.PackageFromParagraph(paragraph)
		if err != nil {
			t.Fatal(err)
		}
		p.Archive = cmp.Or(paragraph.Get("Archive"), "debian/trixie")
		if err := u.Add(p); err != nil {
			t.Fatal(err)
		}
	}
}

// resolveText resolves and returns the outcome as text: a line for each package,
// for each drop, or the error.
func resolveText(u *Universe, requests string) string {
	var rs []Request
	for text := range strings.FieldsSeq(requests) {
		r, err := ParseRequest(text)
		if err != nil {
			return err.Error()
		}
		rs = append(rs, r)
	}
	sol, err := Resolve(context.Background(), u, rs)
	if err != nil {
		return err.Error()
	}
	var lines []string
	for _, p := range sol.Packages {
		lines = append(lines, fmt.Sprintf("%s %s: %s", p.Name, p.Version, p.Reason))
	}
	for _, d := range sol.Dropped {
		lines = append(lines, fmt.Sprintf("dropped %s: %s %s %s", d.Package, d.By, d.Field, d.Relation))
	}
	return strings.Join(lines, "\n")
}

func TestResolve(t *testing.T) {
	const mta = `
		Package: mailer
		Depends: default-mta | mail-transport-agent

		Package: exim4
		Provides: mail-transport-agent, default-mta
		Conflicts: mail-transport-agent
		Depends: exim4-base

		Package: exim4-base

		Package: postfix
		Provides: mail-transport-agent
		Conflicts: mail-transport-agent
		`
	const debconf = `
		Package: app
		Depends: debconf (>= 0.5) | debconf-2.0, libapp

		Package: libapp

		Package: debconf
		Version: 1.5
		Provides: debconf-2.0
		Depends: debconf-i18n

		Package: debconf-i18n

		Package: cdebconf
		Provides: debconf-2.0
		`
	for _, tt := range []struct {
		name, universe, requests, want string
	}{{
		name: "dependencies are followed, recommendations are not, and nothing essential comes unasked",
		universe: `
			Package: dash
			Essential: yes

			Package: app
			Pre-Depends: loader
			Depends: libfoo (>= 1.2)
			Recommends: doc

			Package: loader

			Package: libfoo
			Version: 1.2-3
			Depends: libbar

			Package: libbar

			Package: doc`,
		requests: "app",
		want: `
			app 1: requested
			libbar 1: libfoo depends on libbar
			libfoo 1.2-3: app depends on libfoo (>= 1.2)
			loader 1: app pre-depends on loader`,
	}, {
		name: "the newest version over all archives is the candidate, unless a request pins another",
		universe: `
			Package: curl
			Version: 8.14.1-2

			Package: curl
			Version: 8.14.1-2+deb13u1
			Archive: debian/trixie-security

			Package: curl
			Version: 8.13.0-1`,
		requests: "curl",
		want:     `curl 8.14.1-2+deb13u1: requested`,
	}, {
		name: "a glob takes the newest version that matches",
		universe: `
			Package: curl
			Version: 8.14.1-2

			Package: curl
			Version: 8.14.1-3

			Package: curl
			Version: 8.15.0-1`,
		requests: "curl=8.1[0-4].* curl",
		want:     `curl 8.14.1-3: requested`,
	}, {
		name: "the first alternative that can be satisfied is taken",
		universe: `
			Package: app
			Depends: gone | old (>= 2) | new | newer

			Package: old

			Package: new
			Depends: missing

			Package: newer`,
		requests: "app",
		want: `
			app 1: requested
			newer 1: app depends on gone | old (>= 2) | new | newer`,
	}, {
		name: "an alternative that is there already is enough",
		universe: `
			Package: app
			Depends: one | two

			Package: one

			Package: two`,
		requests: "app two",
		want: `
			app 1: requested
			two 1: requested`,
	}, {
		name:     "a named default comes before other providers",
		universe: mta,
		requests: "mailer",
		want: `
			exim4 1: mailer depends on default-mta | mail-transport-agent
			exim4-base 1: exim4 depends on exim4-base
			mailer 1: requested`,
	}, {
		name:     "a requested provider spares the default",
		universe: mta,
		requests: "mailer postfix",
		want: `
			mailer 1: requested
			postfix 1: requested`,
	}, {
		name: "of providers the more important comes first, then the one that is mentioned last",
		universe: `
			Package: app
			Depends: awk, pager

			Package: awk-plain
			Provides: awk

			Package: awk-required
			Priority: required
			Provides: awk

			Package: pager-a
			Provides: pager

			Package: pager-b
			Provides: pager`,
		requests: "app",
		want: `
			app 1: requested
			awk-required 1: app depends on awk
			pager-b 1: app depends on pager`,
	}, {
		name: "a versioned relation is satisfied by a versioned provision only",
		universe: `
			Package: app
			Depends: api (>= 2)

			Package: plain
			Provides: api

			Package: old
			Provides: api (= 1)

			Package: right
			Provides: api (= 2.1)

			Package: unversioned
			Provides: api`,
		requests: "app",
		want: `
			app 1: requested
			right 1: app depends on api (>= 2)`,
	}, {
		name: "python3:any is satisfied by a package that is Multi-Arch: allowed, foo:amd64 by foo",
		universe: `
			Package: app
			Depends: python3:any (>= 3.9), libfoo:amd64, libbar:native

			Package: python3
			Version: 3.13
			Multi-Arch: allowed

			Package: libfoo

			Package: libbar
			Architecture: all`,
		requests: "app:amd64",
		want: `
			app 1: requested
			libbar 1: app depends on libbar:native
			libfoo 1: app depends on libfoo:amd64
			python3 3.13: app depends on python3:any (>= 3.9)`,
	}, {
		name: "what a failed alternative had pulled in is swept out",
		universe: `
			Package: app
			Depends: first | second

			Package: first
			Depends: helper, bad

			Package: helper

			Package: bad
			Depends: worse

			Package: worse
			Depends: missing

			Package: second`,
		requests: "app",
		want: `
			app 1: requested
			second 1: app depends on first | second`,
	}, {
		name: "a conflict with a requested package moves on to the next alternative",
		universe: `
			Package: app
			Depends: init-a | init-b

			Package: init-a
			Breaks: tool (<< 2)

			Package: init-b

			Package: tool`,
		requests: "tool app",
		want: `
			app 1: requested
			init-b 1: app depends on init-a | init-b
			tool 1: requested`,
	}, {
		name: "cycles are no obstacle",
		universe: `
			Package: libc6
			Depends: libgcc-s1

			Package: libgcc-s1
			Depends: libc6`,
		requests: "libc6",
		want: `
			libc6 1: requested
			libgcc-s1 1: libc6 depends on libgcc-s1`,
	}, {
		name:     "an excluded package satisfies what it would, and no other alternative takes its place",
		universe: debconf,
		requests: "app !debconf",
		want: `
			app 1: requested
			libapp 1: app depends on libapp
			dropped debconf: app Depends debconf (>= 0.5) | debconf-2.0`,
	}, {
		name:     "nothing is dropped where a chosen package satisfies the dependency",
		universe: debconf,
		requests: "app cdebconf !debconf",
		want: `
			app 1: requested
			cdebconf 1: requested
			libapp 1: app depends on libapp`,
	}, {
		name:     "excluding the default provider does not bring in another",
		universe: mta,
		requests: "mailer !exim4",
		want: `
			mailer 1: requested
			dropped exim4: mailer Depends default-mta | mail-transport-agent`,
	}, {
		name: "an excluded package cannot be in conflict",
		universe: `
			Package: app
			Depends: evil
			Conflicts: evil

			Package: evil`,
		requests: "app !evil",
		want: `
			app 1: requested
			dropped evil: app Depends evil`,
	}, {
		name:     "a virtual package with one provider stands for it",
		universe: mta,
		requests: "default-mta",
		want: `
			exim4 1: requested
			exim4-base 1: exim4 depends on exim4-base`,
	}, {
		name:     "no requests, no packages",
		universe: mta,
		requests: "",
		want:     "",
	}} {
		t.Run(tt.name, func(t *testing.T) {
			want := strings.TrimSpace(strings.ReplaceAll(tt.want, "\t", ""))
			if got := resolveText(universeOf(t, tt.universe), tt.requests); got != want {
				t.Errorf("%s\ngives:\n%s\nexpected:\n%s", tt.requests, got, want)
			}
		})
	}
}

func TestResolveErrors(t *testing.T) {
	const universe = `
		Package: foo
		Version: 1.2
		Depends: bar (>= 2)

		Package: bar
		Version: 1.8

		Package: bar
		Version: 1.9
		Archive: debian/trixie-updates

		Package: top
		Depends: middle

		Package: middle
		Depends: nowhere | api (>= 3)

		Package: impl
		Provides: api (= 2)

		Package: other-impl
		Provides: api

		Package: pinned
		Depends: bar (>= 1.9)

		Package: red
		Conflicts: blue (<< 5)

		Package: blue
		Version: 4

		Package: wants-red
		Depends: red

		Package: wants-blue
		Depends: blue

		Package: only-impl
		Provides: single
		`
	for requests, want := range map[string]string{
		"foo":                  `cannot install "foo": foo 1.2 -> bar (>= 2): bar 1.9 is the newest in debian/trixie (amd64)`,
		"top":                  `cannot install "top": top 1 -> middle 1 -> nowhere | api (>= 3): nowhere is not in debian/trixie (amd64); impl 1 provides api (= 2), other-impl 1 provides api`,
		"pinned bar=1.8":       `cannot install "pinned": pinned 1 -> bar (>= 1.9): bar is pinned to 1.8`,
		"red blue":             `cannot install "red": red 1: red conflicts with blue (<< 5), but blue 4 is requested`,
		"wants-red wants-blue": `cannot install "wants-red": wants-red 1 -> red 1: red conflicts with blue (<< 5), but the requests need it: wants-blue 1 -> blue 4`,
		"wants-rod":            `package "wants-rod" is not in debian/trixie (amd64); did you mean "wants-red"?`,
		"quite-another-name":   `package "quite-another-name" is not in debian/trixie (amd64)`,
		"nowhere":              `package "nowhere" is not in debian/trixie (amd64)`,
		"bar:arm64":            `package "bar:arm64" is not in debian/trixie (amd64); did you mean "bar"?`,
		"api":                  `"api" is a virtual package with several providers: other-impl 1, impl 1 (= 2)`,
		"bar=2*":               `no version of "bar" matches "2*" in debian/trixie (amd64); there is 1.9, 1.8`,
		"foo !baz":             `package "baz" is not in debian/trixie (amd64); did you mean "bar"?`,
		"foo !single":          `"single" cannot be excluded: it is a virtual package, provided by only-impl 1`,
		"foo !api":             `"api" cannot be excluded: it is a virtual package, provided by other-impl 1, impl 1 (= 2)`,
		"bar bar=1.8 bar=1.9":  `package "bar" is requested in two versions, by bar=1.8 and bar=1.9`,
		"bar !bar":             `package "bar" is both requested and excluded`,
		"single !only-impl":    `package "only-impl" is both requested and excluded`,
	} {
		if got := resolveText(universeOf(t, universe), requests); got != want {
			t.Errorf("%s\ngives:    %s\nexpected: %s", requests, got, want)
		}
	}
}

func TestErrorNamesRequest(t *testing.T) {
	u := universeOf(t, "Package: foo\n")
	_, err := Resolve(context.Background(), u, []Request{{Name: "foo"}, {Name: "bar"}})
	var request *RequestError
	var unknown *UnknownPackageError
	if !errors.As(err, &request) || request.Index != 1 || request.Request.Name != "bar" || !errors.As(err, &unknown) {
		t.Errorf("found %#v", err)
	}
}

func TestResolveCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Resolve(ctx, universeOf(t, "Package: foo\n"), []Request{{Name: "foo"}}); !errors.Is(err, context.Canceled) {
		t.Errorf("found %v", err)
	}
}

func TestParseRequest(t *testing.T) {
	for text, want := range map[string]Request{
		"curl":               {Name: "curl"},
		"g++":                {Name: "g++"},
		"curl:amd64=8.14.1*": {Name: "curl", Architecture: "amd64", Pin: "8.14.1*"},
		"tzdata=2025b-4":     {Name: "tzdata", Pin: "2025b-4"},
		"dpkg=1:1.2":         {Name: "dpkg", Pin: "1:1.2"},
		"!openssl":           {Name: "openssl", Exclude: true},
	} {
		if got, err := ParseRequest(text); err != nil || got != want || got.String() != text {
			t.Errorf("ParseRequest(%q) = %+v, %v", text, got, err)
		}
	}
	for text, want := range map[string]string{
		"":            `package request "": expected name, name=version or !name`,
		"Curl":        `package request "Curl": expected name, name=version or !name`,
		"curl (>= 1)": `package request "curl (>= 1)": expected name, name=version or !name`,
		"a b":         `package request "a b": expected name, name=version or !name`,
		"curl=":       `package request "curl=": expected a version after '='`,
		"curl=1 2":    `package request "curl=1 2": found ' ' in the version`,
		"!curl=1":     `package request "!curl=1": an exclusion is for all versions, expected !name`,
		"curl:":       `package request "curl:": expected an architecture after ':'`,
	} {
		if got, err := ParseRequest(text); err == nil || err.Error() != want {
			t.Errorf("ParseRequest(%q) = %+v, %v, want %s", text, got, err, want)
		}
	}
}

func TestMatchPin(t *testing.T) {
	for _, tt := range []struct {
		pin, version string
		want         bool
	}{
		{"8.14.1-2", "8.14.1-2", true},
		{"8.14.1-2", "8.14.1-2+deb13u1", false},
		{"8.14.1-2*", "8.14.1-2+deb13u1", true},
		{"8.*-2", "8.14.1-2", true},
		{"8.1?.1-*", "8.14.1-2", true},
		{"8.1[!5-9].*", "8.14.1-2", true},
		{"8.1[5-9].*", "8.14.1-2", false},
		{"1.0~RC1", "1.0~rc1", true},
		{`1\*`, "1*", true},
		{"[", "[", true},
		{"*", "1", true},
		{"?", "12", false},
	} {
		if got := matchPin(tt.pin, tt.version); got != tt.want {
			t.Errorf("matchPin(%q, %q) = %t", tt.pin, tt.version, got)
		}
	}
}

// TestUniverseAdd looks at what Add keeps of a package and what it ignores.
func TestUniverseAdd(t *testing.T) {
	u := universeOf(t, `
		Package: foo
		Source: foo-source (0.9)
		Version: 1
		Essential: yes
		Installed-Size: 12
		Section: libs
		Maintainer: Someone
		Homepage: https://example.com

		Package: foo
		Version: 1
		Archive: debian/trixie-security

		Package: foreign
		Architecture: i386
		`)
	if u.Len() != 1 {
		t.Errorf("found %d packages, expected 1", u.Len())
	}
	sol, err := Resolve(context.Background(), u, []Request{{Name: "foo"}})
	if err != nil {
		t.Fatal(err)
	}
	got := sol.Packages[0].Package
	got.SHA256 = ""
	want := debian.Package{
		Name: "foo", Version: "1", Architecture: "amd64", Essential: true, Priority: "optional", Section: "libs",
		Source: "foo-source", SourceVersion: "0.9", Filename: "pool/foo.deb", Size: 1, InstalledSize: 12,
		Maintainer: "Someone", Homepage: "https://example.com", Archive: "debian/trixie",
	}
	if got != want {
		t.Errorf("found %+v\nexpected %+v", got, want)
	}
	err = u.Add(debian.Package{Name: "bad", Version: "1", Architecture: "all", Depends: "libc6 (>= "})
	if want := `package bad 1: Depends: relation "libc6 (>= ": found ">= ", expected a closing ')'`; err == nil || err.Error() != want {
		t.Errorf("found %v, expected %s", err, want)
	}
}
