package harden_test

import (
	"testing"

	"github.com/hardpan/hardpan/internal/harden"
)

func TestDocumentation(t *testing.T) {
	policy, err := harden.NewPolicy(harden.Strict, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path string
		rule string // that leaves it out, "" for none
	}{
		{"usr/share/man/man1/psql.1.gz", "documentation"},
		{"usr/share/man/de/man1/ls.1.gz", "documentation"},
		{"usr/share/postgresql/17/man/man7/ABORT.7.gz", "documentation"},
		{"usr/lib/jvm/java-21-openjdk-amd64/man/man1/java.1.gz", "documentation"},
		{"usr/lib/man/manual.py", ""},
		{"usr/share/doc/libc6/changelog.gz", "documentation"},
		{"usr/share/doc/libc6/copyright", ""},
	} {
		got := ""
		if r := policy.Drop(c.path); r != nil {
			got = r.ID
		}
		if got != c.rule {
			t.Errorf("%s: left out by %q, expected %q", c.path, got, c.rule)
		}
	}
}
