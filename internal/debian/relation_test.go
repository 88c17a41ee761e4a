package debian

import "testing"

func TestParseRelations(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"", ""},
		{"libc6 (>= 2.41), libssl3t64", "libc6 (>= 2.41), libssl3t64"},
		{"debconf (>=0.5)|debconf-2.0", "debconf (>= 0.5) | debconf-2.0"},
		{"old (< 2), older (> 1)", "old (<= 2), older (>= 1)"},
		{"strict (<< 2), strict (>> 1), same (= 1:2-3)", "strict (<< 2), strict (>> 1), same (= 1:2-3)"},
		{"python3:any (>= 3.11~), perl:native, libfoo:amd64", "python3:any (>= 3.11~), perl:native, libfoo:amd64"},
		{"libasound2t64 [linux-any], libbsd0 [!linux-any  !any-i386]", "libasound2t64 [linux-any], libbsd0 [!linux-any  !any-i386]"},
		{"one,\n two (\t>= 1 ) ,\n", "one, two (>= 1)"},
		{"libstdc++6, g++-14, 0ad", "libstdc++6, g++-14, 0ad"},
	} {
		rs, err := ParseRelations(tt.in)
		if err != nil || rs.String() != tt.want {
			t.Errorf("ParseRelations(%q) = %q, %v, want %q", tt.in, rs.String(), err, tt.want)
		}
	}
}

func TestParseRelationsErrors(t *testing.T) {
	for in, want := range map[string]string{
		"foo (>= 1":          `relation "foo (>= 1": found ">= 1", expected a closing ')'`,
		"foo (1)":            `relation "foo (1)": found (1), expected an operator and a version`,
		"foo (>= )":          `relation "foo (>= )": version is empty`,
		"foo (== 1)":         `relation "foo (== 1)": found (== 1), expected an operator and a version`,
		"foo <!nocheck>":     `relation "foo <!nocheck>": found a build profile, "<!nocheck>", in a relation of binary packages`,
		"foo bar":            `relation "foo bar": found "bar", expected ',' or '|'`,
		"foo |":              `relation "foo |": nothing after '|'`,
		"| foo":              `relation "| foo": found "", expected a package name of at least two characters`,
		"Foo":                `relation "Foo": found 'F' in package name "Foo"`,
		"${shlibs:Depends}":  `relation "${shlibs:Depends}": found '$' in package name "${shlibs"`,
		"foo:":               `relation "foo:": qualifier "" is no architecture`,
		"foo [amd64 !arm64]": `relation "foo [amd64 !arm64]": [amd64 !arm64] mixes negated and plain architectures`,
		"foo []":             `relation "foo []": found "[]", expected a list of architectures`,
	} {
		if rs, err := ParseRelations(in); err == nil || err.Error() != want {
			t.Errorf("ParseRelations(%q) = %v, %v, want %s", in, rs, err, want)
		}
	}
}

func TestRelationAppliesTo(t *testing.T) {
	for _, tt := range []struct {
		restriction, arch string
		want              bool
	}{
		{"", "amd64", true},
		{"amd64 arm64", "arm64", true},
		{"amd64 arm64", "armhf", false},
		{"!amd64 !arm64", "arm64", false},
		{"!amd64 !arm64", "armhf", true},
		{"linux-any", "amd64", true},
		{"any-amd64", "kfreebsd-amd64", true},
		{"linux-any", "kfreebsd-amd64", false},
		{"!linux-any", "hurd-i386", true},
		{"any", "riscv64", true},
	} {
		if got := (Relation{Restriction: tt.restriction}).AppliesTo(tt.arch); got != tt.want {
			t.Errorf("[%s] applies to %s: %t, want %t", tt.restriction, tt.arch, got, tt.want)
		}
	}
}

func FuzzParseRelations(f *testing.F) {
	f.Add("libc6 (>= 2.41), debconf (>= 0.5) | debconf-2.0, python3:any, foo [amd64]")
	f.Add("foo (< 1), bar (> 2)")
	f.Add("a |")
	f.Fuzz(func(t *testing.T, s string) {
		rs, err := ParseRelations(s)
		if err != nil {
			return
		}
		again, err := ParseRelations(rs.String())
		if err != nil || again.String() != rs.String() {
			t.Errorf("%q reads as %q, and that as %q, %v", s, rs, again, err)
		}
		for _, alternatives := range rs {
			if len(alternatives) == 0 {
				t.Errorf("%q has an entry without a relation", s)
			}
			for _, r := range alternatives {
				if r.Operator != "" && CheckVersion(r.Version) != nil {
					t.Errorf("%q lets through the version %q", s, r.Version)
				}
			}
		}
	})
}
