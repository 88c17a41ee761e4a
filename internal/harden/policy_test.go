package harden

import (
	"errors"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/harden/tool"
)

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"usr/share/man", "usr/share/man", true},
		{"usr/share/man", "usr/share/man/man1", false},
		{"usr/share/man", "usr/share", false},
		{"usr/share/man/**", "usr/share/man", false}, // the directory itself is not below itself
		{"usr/share/man/**", "usr/share/man/man1", true},
		{"usr/share/man/**", "usr/share/man/man1/ls.1.gz", true},
		{"usr/share/man/**", "usr/share/manual", false},
		{"usr/share/doc/*/copyright", "usr/share/doc/bash/copyright", true},
		{"usr/share/doc/*/copyright", "usr/share/doc/copyright", false},
		{"usr/share/doc/*/copyright", "usr/share/doc/a/b/copyright", false},
		{"usr/lib/**/*.a", "usr/lib/libc.a", true},
		{"usr/lib/**/*.a", "usr/lib/x/y/libc.a", true},
		{"usr/lib/**/*.a", "usr/lib/libc.so", false},
		{"usr/lib/**/*.a", "usr/lib/x.a/y", false},
		{"usr/lib/**/pkgconfig/**", "usr/lib/pkgconfig", false},
		{"usr/lib/**/pkgconfig/**", "usr/lib/pkgconfig/a.pc", true},
		{"usr/lib/**/pkgconfig/**", "usr/lib/x/pkgconfig/y/a.pc", true},
		{"**/*.pyc", "a.pyc", true},
		{"**/*.pyc", "a/b/c.pyc", true},
		{"**", "a/b", true},
		{"**", "", false},
		{"*", "a", true},
		{"*", "a/b", false},
		{"a*/b", "abc/b", true},
		{"a[", "a[", true}, // as it is written, although it is no pattern
		{"a[", "ab", false},
	} {
		if got := Match(c.pattern, c.name); got != c.want {
			t.Errorf("Match(%q, %q) is %v, want %v", c.pattern, c.name, got, c.want)
		}
	}
}

func TestDrop(t *testing.T) {
	for _, c := range []struct {
		profile      Profile
		keep, waived string
		name, rule   string
	}{
		{Strict, "", "", "usr/share/man/man1/ls.1.gz", "documentation"},
		{Standard, "", "", "usr/share/man/man1/ls.1.gz", "documentation"},
		{None, "", "", "usr/share/man/man1/ls.1.gz", ""},
		{Strict, "", "", "usr/share/doc/ls/copyright", ""},
		{Strict, "", "", "usr/share/doc/ls/changelog.gz", "documentation"},
		{Strict, "", "", "usr/share/lintian/overrides/ls", "packaging-metadata"},
		{Strict, "", "", "usr/share/locale/de/LC_MESSAGES/ls.mo", "translations"},
		{Strict, "", "", "usr/share/locale/locale.alias", ""},
		{Standard, "", "", "usr/share/locale/de/LC_MESSAGES/ls.mo", ""},
		{Strict, "", "", "usr/include/stdio.h", "development-files"},
		{Strict, "", "", "usr/lib/x86_64-linux-gnu/libc.a", "development-files"},
		{Strict, "", "", "usr/lib/x86_64-linux-gnu/libc.so.6", ""},
		{Strict, "", "", "etc/passwd", ""},
		{Strict, "", "documentation", "usr/share/man/man1/ls.1.gz", ""},
		{Strict, "", "documentation", "usr/include/stdio.h", "development-files"},
		{Strict, "/usr/include/stdio.h", "", "usr/include/stdio.h", ""},
		{Strict, "/usr/include/stdio.h", "", "usr/include/stdlib.h", "development-files"},
		{Strict, "/usr/include", "", "usr/include/a/b.h", ""},
		{Strict, "/usr/include/", "", "usr/include/a/b.h", ""},
		{Strict, "/usr/share/man/man1/*.gz", "", "usr/share/man/man1/ls.1.gz", ""},
		{Strict, "/usr/share/ma", "", "usr/share/man/man1/ls.1.gz", "documentation"},
	} {
		p := policy(t, c.profile, c.keep, c.waived)
		got := ""
		if rule := p.Drop(c.name); rule != nil {
			got = rule.ID
		}
		if got != c.rule {
			t.Errorf("%s, keep %q, waived %q: %s is dropped by %q, want %q", c.profile, c.keep, c.waived, c.name, got, c.rule)
		}
	}
}

func TestMode(t *testing.T) {
	for _, c := range []struct {
		profile      Profile
		keep, waived string
		mode, want   uint32
	}{
		{Strict, "", "", 0o755, 0o755},
		{Strict, "", "", 0o4755, 0o755},
		{Strict, "", "", 0o2755, 0o755},
		{Strict, "", "", 0o6711, 0o711},
		{Strict, "", "", 0o1777, 0o1777},
		{Standard, "", "", 0o4755, 0o4755},
		{None, "", "", 0o4755, 0o4755},
		{Strict, "", "privilege-bits", 0o4755, 0o4755},
		{Strict, "/usr/bin/su", "", 0o4755, 0o4755},
		{Strict, "/usr/bin/sudo", "", 0o4755, 0o755},
	} {
		got, rule := policy(t, c.profile, c.keep, c.waived).Mode("usr/bin/su", c.mode)
		if got != c.want || (rule != nil) != (got != c.mode) {
			t.Errorf("%s, keep %q, waived %q: mode %o becomes %o, want %o", c.profile, c.keep, c.waived, c.mode, got, c.want)
		}
	}
}

// The key tells apart what leaves out different things, and nothing else.
func TestKey(t *testing.T) {
	base := policy(t, Strict, "/a /b", "").Key()
	for _, other := range []*Policy{policy(t, Standard, "/a /b", ""), policy(t, Strict, "/a", ""), policy(t, Strict, "/a /b", "translations")} {
		if other.Key() == base {
			t.Errorf("another policy has the same key %s", base)
		}
	}
	if policy(t, Strict, "/b /a/", "").Key() != base {
		t.Error("the order of what is kept changes the key")
	}
}

func TestUnknownRule(t *testing.T) {
	_, err := NewPolicy(Strict, nil, []string{"documentation", "documentaton"})
	unknown, ok := errors.AsType[*UnknownRuleError](err)
	if !ok || unknown.ID != "documentaton" || !strings.Contains(err.Error(), `did you mean "documentation"?`) {
		t.Errorf("have %v, want an error about documentaton with the rule that was meant", err)
	}
	if err := (&UnknownRuleError{ID: "x"}).Error(); err != `hardening rule "x" is not known` {
		t.Errorf("a name like no other: %s", err)
	}
}

// Every rule says all that a report prints, and what it lets pass it would
// otherwise leave out.
func TestRules(t *testing.T) {
	seen := map[string]bool{}
	kinds := map[tool.Kind]string{}
	for _, r := range Rules {
		if seen[r.ID] || r.Title == "" || r.Why == "" || r.Looks == "" || r.Fix == "" {
			t.Errorf("rule %q is incomplete or there twice", r.ID)
		}
		seen[r.ID] = true
		if len(r.Profiles) > 0 && r.Strip == nil && len(r.Kinds) == 0 {
			t.Errorf("rule %s is of profiles, but the builder has nothing to do for it", r.ID)
		}
		for _, kind := range r.Kinds {
			if kinds[kind] != "" {
				t.Errorf("rules %s and %s are both about %s", r.ID, kinds[kind], kind)
			}
			kinds[kind] = r.ID
		}
		if r.Strip == nil {
			continue
		}
		for _, but := range r.Strip.But {
			if !matchAny(r.Strip.Drop, strings.ReplaceAll(but, "*", "x")) {
				t.Errorf("rule %s would not leave out %s anyway", r.ID, but)
			}
		}
	}
	for _, kind := range []tool.Kind{tool.Shell, tool.PackageManager, tool.Compiler, tool.Development, tool.Interpreter, tool.NetworkClient, tool.Privilege, tool.RemoteAccess, tool.Leftover} {
		if kinds[kind] == "" {
			t.Errorf("no rule is about %s", kind)
		}
	}
}

// What is copied into an image is refused by what it is.
func TestRefuse(t *testing.T) {
	box := []tool.Tool{{Kind: tool.Shell, Name: "busybox", By: tool.ByContent}, {Kind: tool.NetworkClient, Name: "busybox", By: tool.ByContent}}
	for _, c := range []struct {
		profile      Profile
		keep, waived string
		tools        []tool.Tool
		want         string
	}{
		{Strict, "", "", box, "shell-present"},
		{Strict, "", "shell-present", box, "network-client-present"},
		{Strict, "", "shell-present network-client-present", box, ""},
		{Strict, "/app/x", "", box, ""},
		{Standard, "", "", box, ""},
		{Strict, "", "", []tool.Tool{{Kind: tool.Leftover, Name: "pip cache"}}, "cache-present"},
		{Strict, "", "", []tool.Tool{{Kind: tool.Interpreter, Name: "python"}}, ""},
		{Strict, "", "", nil, ""},
	} {
		got := ""
		if r, _ := policy(t, c.profile, c.keep, c.waived).Refuse("app/x", c.tools); r != nil {
			got = r.ID
		}
		if got != c.want {
			t.Errorf("%s, keep %q, waived %q: %v refused by %q, want %q", c.profile, c.keep, c.waived, c.tools, got, c.want)
		}
	}
}

func policy(t *testing.T, profile Profile, keep, waived string) *Policy {
	t.Helper()
	p, err := NewPolicy(profile, strings.Fields(keep), strings.Fields(waived))
	if err != nil {
		t.Fatal(err)
	}
	return p
}
