package resolve

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestAptOracleGenerated compares the resolver with the machine's apt on small
// random universes that are dense with alternatives, provisions, conflicts and
// versions, which the real archive has little of. It needs no network.
func TestAptOracleGenerated(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: -short leaves out the comparison with apt")
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		t.Skip("SKIPPED: apt-get, the oracle, is not installed")
	}
	universes := 12
	if *oracle == "all" {
		universes = 400
	}
	equal, total := 0, 0
	dir := t.TempDir()
	for seed := range universes {
		random := rand.New(rand.NewPCG(uint64(seed), 7))
		text, names := generate(random)
		a := newGeneratedApt(t, filepath.Join(dir, fmt.Sprint(seed)), text)
		u := NewUniverse(a.arch)
		addIndex(t, u, filepath.Join(a.dir, "repo/Packages"), "generated")
		for range 6 {
			request := requestSome(random, names)
			want, got := a.install(request), ours(u, request)
			total++
			if want == got {
				equal++
				continue
			}
			t.Errorf("seed %d, %s: %s", seed, strings.Join(request, " "), difference(want, got))
		}
	}
	t.Logf("%d of %d sets of generated universes equal to apt", equal, total)
}

// requestSome returns a few of the names, some with a pin.
func requestSome(r *rand.Rand, names []string) []string {
	var request []string
	for _, i := range r.Perm(len(names)) {
		name := names[i]
		switch r.IntN(16) {
		case 0:
			name += fmt.Sprintf("=%d", 1+r.IntN(4))
		case 1:
			name += "=[1-3]*"
		}
		request = append(request, name)
		if r.IntN(3) == 0 {
			break
		}
	}
	return request
}

// newGeneratedApt sets up an apt that has the given index as its only archive.
func newGeneratedApt(t *testing.T, dir, index string) *apt {
	a := &apt{"amd64", dir}
	a.configure(t)
	if err := os.MkdirAll(filepath.Join(dir, "repo"), 0o755); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "repo/Packages"), index)
	writeFile(t, filepath.Join(dir, "etc/sources.list"), "deb [trusted=yes allow-insecure=yes] file:"+dir+"/repo ./\n")
	if out, err := a.command("update").CombinedOutput(); err != nil {
		t.Fatalf("apt-get update: %v\n%s", err, out)
	}
	return a
}

// generate returns a Packages index and the names that requests may have.
func generate(r *rand.Rand) (index string, names []string) {
	var b strings.Builder
	count := 12 + r.IntN(30)
	if r.IntN(4) == 0 {
		count *= 5
	}
	for i := range count {
		names = append(names, fmt.Sprintf("pkg-%c%d", 'a'+r.IntN(26), i))
	}
	mentioned := append([]string{"virtual-a", "virtual-b", "virtual-c", "missing-a"}, names...)
	relation := func(from []string) string {
		s := from[r.IntN(len(from))]
		switch r.IntN(24) {
		case 0, 1:
			s += fmt.Sprintf(" (%s %d)", [...]string{">=", ">=", "<<", "=", "<=", ">>"}[r.IntN(6)], 1+r.IntN(3))
		case 2:
			s += ":any"
		}
		return s
	}
	list := func(field string, from []string, most int) {
		var entries []string
		for range r.IntN(most + 1) {
			entry := relation(from)
			for field != "Conflicts" && field != "Breaks" && r.IntN(2) == 0 {
				entry += " | " + relation(from)
			}
			entries = append(entries, entry)
		}
		if len(entries) > 0 {
			fmt.Fprintf(&b, "%s: %s\n", field, strings.Join(entries, ", "))
		}
	}
	stanza := func(name string, version int) {
		fmt.Fprintf(&b, "Package: %s\nVersion: %d\nArchitecture: amd64\n", name, version)
		fmt.Fprintf(&b, "Priority: %s\n", [...]string{"optional", "optional", "optional", "extra", "important", "required", "standard"}[r.IntN(7)])
		switch r.IntN(10) {
		case 0:
			b.WriteString("Essential: yes\n")
		case 1:
			b.WriteString("Protected: yes\n")
		case 2, 3:
			b.WriteString("Multi-Arch: allowed\n")
		case 4:
			b.WriteString("Multi-Arch: foreign\n")
		}
		list("Depends", mentioned, 2)
		if r.IntN(4) == 0 {
			list("Pre-Depends", names, 1)
		}
		if r.IntN(6) == 0 {
			list("Conflicts", mentioned, 2)
		}
		if r.IntN(6) == 0 {
			list("Breaks", mentioned, 1)
		}
		if r.IntN(4) == 0 {
			list("Recommends", mentioned, 2)
		}
		if r.IntN(6) == 0 {
			list("Suggests", mentioned, 2)
		}
		if r.IntN(2) == 0 {
			provided := fmt.Sprintf("virtual-%c", 'a'+r.IntN(3))
			if r.IntN(3) == 0 {
				provided += fmt.Sprintf(" (= %d)", 1+r.IntN(3))
			}
			fmt.Fprintf(&b, "Provides: %s\n", provided)
		}
		fmt.Fprintf(&b, "Filename: pool/%s_%d_amd64.deb\nSize: %d\nSHA256: %064x\n\n", name, version, 1+r.IntN(1000), r.Uint64())
	}
	for _, name := range names {
		stanza(name, 1+r.IntN(3))
		if r.IntN(8) == 0 {
			stanza(name, 4)
		}
	}
	return b.String(), append(names, "virtual-a")
}
