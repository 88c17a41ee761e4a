package resolve

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/debian"
)

// TestOnBase resolves requests on systems that have packages already, "name=version",
// with fields after a semicolon.
func TestOnBase(t *testing.T) {
	const universe = `
		Package: libc6
		Version: 2.41

		Package: app
		Depends: libc6 (>= 2.36)

		Package: new-app
		Depends: libc6 (>= 2.41)

		Package: libc-dev
		Depends: libc6 (= 2.41)

		Package: mailer
		Depends: default-mta | mail-transport-agent

		Package: exim
		Provides: default-mta, mail-transport-agent
		Conflicts: mail-transport-agent

		Package: postfix
		Provides: mail-transport-agent
		Conflicts: mail-transport-agent

		Package: top
		Depends: middle

		Package: middle
		Depends: libc6, leaf

		Package: leaf
		Version: 2

		Package: wants-exim
		Depends: exim

		Package: either
		Depends: leaf | exim
		`
	for _, c := range []struct{ base, requests, want string }{
		{"libc6=2.36", "app", "app 1: requested\nhas libc6 2.36: app depends on libc6 (>= 2.36)"},
		{"libc6=2.36-9;leaf=1", "top", "middle 1: top depends on middle\ntop 1: requested\nhas leaf 1: middle depends on leaf\nhas libc6 2.36-9: middle depends on libc6"},
		{"libc6=2.36", "leaf", "leaf 2: requested"},
		{"libc6=2.36", "libc6", "has libc6 2.36: requested"},
		{"libc6=2.36", "libc6=2.3*", "has libc6 2.36: requested"},
		{"libc6=2.36 Depends: gone", "app", "app 1: requested\nhas libc6 2.36: app depends on libc6 (>= 2.36)"},
		{"libc6=2.99", "new-app", "has libc6 2.99: new-app depends on libc6 (>= 2.41)\nnew-app 1: requested"},
		{"ssmtp=1 Provides: mail-transport-agent", "mailer", "has ssmtp 1: mailer depends on default-mta | mail-transport-agent\nmailer 1: requested"},
		{"ssmtp=1 Provides: mail-transport-agent;mailer=0 Depends: gone", "mailer", "has mailer 0: requested"},
		{"local=1", "local", "has local 1: requested"},
		{"other=1 Breaks: leaf (<< 3)", "either", "either 1: requested\nexim 1: either depends on leaf | exim"},
		{"aa=1 Conflicts: bb;bb=1", "leaf", "leaf 2: requested"},

		{"libc6=2.36", "new-app", `cannot install "new-app": new-app 1 -> libc6 (>= 2.41): the base image has libc6 2.36`},
		{"libc6=2.42", "libc-dev", `cannot install "libc-dev": libc-dev 1 -> libc6 (= 2.41): the base image has libc6 2.42`},
		{"libc6=2.36", "libc6=2.41", `the base image has libc6 2.36, which "libc6=2.41" rules out`},
		{"libc6=2.36", "app !libc6", `the base image has libc6 2.36, which "!libc6" rules out`},
		{"ssmtp=1 Provides: mail-transport-agent", "wants-exim", `cannot install "wants-exim": wants-exim 1 -> exim 1: exim conflicts with mail-transport-agent, but the base image has ssmtp 1`},
		{"other=1 Breaks: leaf (<< 3)", "top", `cannot install "top": top 1 -> middle 1 -> leaf 2: the base image has other 1, which breaks leaf (<< 3)`},
	} {
		u := universeOf(t, universe)
		before := resolveText(u, "app top mailer")
		on, err := u.OnBase(installedOf(t, c.base))
		if err != nil {
			t.Fatal(err)
		}
		got := onBaseText(on, c.requests)
		want := strings.Split(c.want, "\n")
		if len(want) > 1 || strings.HasPrefix(c.want, "has ") || strings.HasSuffix(c.want, "requested") {
			if !sameLines(got, want) {
				t.Errorf("%s on %s\ngives:\n%s\nexpected:\n%s", c.requests, c.base, got, c.want)
			}
		} else if got != c.want {
			t.Errorf("%s on %s\ngives:    %s\nexpected: %s", c.requests, c.base, got, c.want)
		}
		if after := resolveText(u, "app top mailer"); after != before {
			t.Errorf("on %s: the universe has changed:\n%s\nbefore:\n%s", c.base, after, before)
		}
	}
	u := universeOf(t, universe)
	if _, err := u.OnBase(installedOf(t, "aa=1;aa=2")); err == nil || err.Error() != "package aa is installed twice" {
		t.Errorf("twice: %v", err)
	}
	if _, err := u.OnBase([]debian.Package{{Name: "aa", Version: "1", Architecture: "amd64", Breaks: "("}}); err == nil || !strings.HasPrefix(err.Error(), "installed package aa 1: Breaks: ") {
		t.Errorf("bad relation: %v", err)
	}
	on, err := u.OnBase([]debian.Package{{Name: "leaf", Version: "1", Architecture: "i386"}})
	if err != nil || onBaseText(on, "leaf") != "leaf 2: requested" {
		t.Errorf("a foreign architecture: %v", err)
	}
}

// installedOf reads "name=version Field: value;...".
func installedOf(t *testing.T, text string) (list []debian.Package) {
	for entry := range strings.SplitSeq(text, ";") {
		id, fields, _ := strings.Cut(entry, " ")
		name, version, _ := strings.Cut(id, "=")
		p := debian.Package{Name: name, Version: version, Architecture: "amd64"}
		switch field, value, _ := strings.Cut(fields, ": "); field {
		case "Provides":
			p.Provides = value
		case "Breaks":
			p.Breaks = value
		case "Conflicts":
			p.Conflicts = value
		case "Depends":
			p.Depends = value
		case "":
		default:
			t.Fatalf("field %q", field)
		}
		list = append(list, p)
	}
	return list
}

func onBaseText(u *Universe, requests string) string {
	text := resolveText(u, requests)
	var rs []Request
	for r := range strings.FieldsSeq(requests) {
		request, err := ParseRequest(r)
		if err != nil {
			return err.Error()
		}
		rs = append(rs, request)
	}
	sol, err := Resolve(context.Background(), u, rs)
	if err != nil {
		return text
	}
	for _, p := range sol.Installed {
		text += fmt.Sprintf("\nhas %s %s: %s", p.Name, p.Version, p.Reason)
	}
	return strings.TrimPrefix(text, "\n")
}

func sameLines(text string, want []string) bool {
	have := strings.Split(text, "\n")
	if len(have) != len(want) {
		return false
	}
	for _, line := range want {
		if !strings.Contains("\n"+text+"\n", "\n"+line+"\n") {
			return false
		}
	}
	return true
}
