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
		t.Skip("SKIPPED: needs a Debian linux: apt-get, the oracle, is not installed")
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

// generator writes a random Packages index. A change of it changes what a seed gives.
type generator struct {
	*rand.Rand
	strings.Builder
	names     []string // of packages
	mentioned []string // what relations may point at
}

// generate returns a Packages index and the names that requests may have.
func generate(r *rand.Rand) (index string, names []string) {
	g := generator{Rand: r, mentioned: []string{"virtual-a", "virtual-b", "virtual-c", "missing-a"}}
	count := 12 + r.IntN(30)
	if r.IntN(4) == 0 {
		count *= 5
	}
	for i := range count {
		g.names = append(g.names, fmt.Sprintf("pkg-%c%d", 'a'+r.IntN(26), i))
	}
	g.mentioned = append(g.mentioned, g.names...)
	for _, name := range g.names {
		g.stanza(name, 1+r.IntN(3))
		if g.oneIn(8) {
			g.stanza(name, 4)
		}
	}
	return g.String(), append(g.names, "virtual-a")
}

func (g *generator) oneIn(n int) bool { return g.IntN(n) == 0 }

func (g *generator) stanza(name string, version int) {
	fmt.Fprintf(g, "Package: %s\nVersion: %d\nArchitecture: amd64\n", name, version)
	fmt.Fprintf(g, "Priority: %s\n", [...]string{"optional", "optional", "optional", "extra", "important", "required", "standard"}[g.IntN(7)])
	switch g.IntN(10) {
	case 0:
		g.WriteString("Essential: yes\n")
	case 1:
		g.WriteString("Protected: yes\n")
	case 2, 3:
		g.WriteString("Multi-Arch: allowed\n")
	case 4:
		g.WriteString("Multi-Arch: foreign\n")
	}
	g.list("Depends", g.mentioned, 1, 2)
	g.list("Pre-Depends", g.names, 4, 1)
	g.list("Conflicts", g.mentioned, 6, 2)
	g.list("Breaks", g.mentioned, 6, 1)
	g.list("Recommends", g.mentioned, 4, 2)
	g.list("Suggests", g.mentioned, 6, 2)
	if g.oneIn(2) {
		provided := fmt.Sprintf("virtual-%c", 'a'+g.IntN(3))
		if g.oneIn(3) {
			provided += fmt.Sprintf(" (= %d)", 1+g.IntN(3))
		}
		fmt.Fprintf(g, "Provides: %s\n", provided)
	}
	fmt.Fprintf(g, "Filename: pool/%s_%d_amd64.deb\nSize: %d\nSHA256: %064x\n\n", name, version, 1+g.IntN(1000), g.Uint64())
}

// list writes, for one package in so many, a field of at most so many entries.
func (g *generator) list(field string, from []string, oneIn, most int) {
	if !g.oneIn(oneIn) {
		return
	}
	var entries []string
	for range g.IntN(most + 1) {
		entry := g.relation(from)
		for field != "Conflicts" && field != "Breaks" && g.oneIn(2) {
			entry += " | " + g.relation(from)
		}
		entries = append(entries, entry)
	}
	if len(entries) > 0 {
		fmt.Fprintf(g, "%s: %s\n", field, strings.Join(entries, ", "))
	}
}

func (g *generator) relation(from []string) string {
	s := from[g.IntN(len(from))]
	switch g.IntN(24) {
	case 0, 1:
		s += fmt.Sprintf(" (%s %d)", [...]string{">=", ">=", "<<", "=", "<=", ">>"}[g.IntN(6)], 1+g.IntN(3))
	case 2:
		s += ":any"
	}
	return s
}
