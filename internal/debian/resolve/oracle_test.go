package resolve

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"hash/fnv"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/hardpan/hardpan/internal/debian"
)

var (
	oracle = flag.String("oracle", "sample", "requests that the apt oracle is asked for: sample, all, or a file with a request (one name or several) on each line")
	// Apt's lists and cache may be kept between runs; by default they are fetched anew.
	oracleDir = flag.String("oracle-dir", "", "directory that keeps apt's lists between runs of the oracle")
)

// sampleSize is how many names of the corpus a plain test run compares on each
// architecture.
const sampleSize = 160

// TestRealArchiveAptOracle compares the resolver with the machine's own apt on
// the real trixie archive: for each request, on an empty dpkg status, the set of
// names and versions or the failure has to be the same.
func TestRealArchiveAptOracle(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: the apt oracle needs the mirror and takes long; -short leaves it out")
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		t.Skip("SKIPPED: needs a Debian linux: apt-get, the oracle, is not installed")
	}
	for _, arch := range []string{"amd64", "arm64"} {
		t.Run(arch, func(t *testing.T) {
			apt := newApt(t, arch)
			u := apt.universe(t)
			equal, total := apt.compare(t, u, oracleRequests(t))
			t.Logf("%d of %d sets equal to apt (%s)", equal, total, arch)
			fmt.Printf("%s: %d of %d sets equal to apt\n", arch, equal, total)
		})
	}
}

// oracleRequests returns the requests to compare, each a list of names.
func oracleRequests(t *testing.T) [][]string {
	var requests [][]string
	if *oracle != "sample" && *oracle != "all" {
		for line := range strings.Lines(readFile(t, *oracle)) {
			if names := strings.Fields(line); len(names) > 0 {
				requests = append(requests, names)
			}
		}
		return requests
	}
	var names []string
	for line := range strings.Lines(readFile(t, "testdata/corpus.tsv")) {
		if _, name, ok := strings.Cut(strings.TrimSpace(line), "\t"); ok {
			names = append(names, name)
		}
	}
	for _, name := range names {
		requests = append(requests, []string{name})
	}
	if *oracle == "sample" {
		requests = sample(requests, sampleSize)
	}
	for _, n := range []int{10, 25, 50, len(names)} {
		requests = append(requests, names[:n])
	}
	pairs := 60
	if *oracle == "sample" {
		pairs = 4
	}
	for i := range pairs {
		requests = append(requests, []string{names[(i*37+11)%len(names)], names[(i*101+5)%len(names)]})
	}
	return append(requests, strings.Fields(readFile(t, "testdata/bench-set.txt")))
}

// sample returns n of the requests, the same on every run.
func sample(requests [][]string, n int) [][]string {
	hash := func(r []string) uint64 {
		h := fnv.New64a()
		h.Write([]byte(strings.Join(r, " ")))
		return h.Sum64()
	}
	sorted := slices.SortedFunc(slices.Values(requests), func(a, b []string) int {
		if hash(a) < hash(b) {
			return -1
		}
		return 1
	})
	return sorted[:min(n, len(sorted))]
}

// apt is a set-up of the machine's apt that shares nothing with the machine's own
// but the mirror and the keys.
type apt struct {
	arch, dir string
}

func newApt(t *testing.T, arch string) *apt {
	dir := *oracleDir
	if dir == "" {
		dir = t.TempDir()
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	a := &apt{arch, filepath.Join(dir, arch)}
	a.configure(t)
	writeFile(t, filepath.Join(a.dir, "etc/sources.list"), trixieSources(t))
	if lists, _ := filepath.Glob(filepath.Join(a.dir, "lists/*_Packages")); len(lists) == 0 {
		if out, err := a.command("update", "--error-on=any").CombinedOutput(); err != nil {
			t.Skipf("SKIPPED: the mirror of the machine's apt sources cannot be reached: %v\n%s", err, out)
		}
	}
	// Build the cache that the runs below only read.
	if out, err := a.command("install", "--no-install-recommends", "-s", "base-files").CombinedOutput(); err != nil {
		t.Fatalf("apt-get: %v\n%s", err, out)
	}
	return a
}

// configure writes apt's configuration, with directories and a status of its own.
func (a *apt) configure(t *testing.T) {
	for _, sub := range []string{"lists/partial", "cache/archives/partial", "etc/apt.conf.d", "etc/preferences.d"} {
		if err := os.MkdirAll(filepath.Join(a.dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	writeFile(t, filepath.Join(a.dir, "status"), "")
	writeFile(t, filepath.Join(a.dir, "apt.conf"), fmt.Sprintf(`
Dir::State %[1]q; Dir::State::lists "%[1]s/lists"; Dir::State::status "%[1]s/status";
Dir::Cache "%[1]s/cache"; Dir::Etc "%[1]s/etc"; Dir::Etc::sourceparts "/dev/null";
APT::Architecture %[2]q; APT::Architectures {%[2]q;};
APT::Sandbox::User "root"; Acquire::Languages "none";
`, a.dir, a.arch))
}

func (a *apt) command(args ...string) *exec.Cmd {
	cmd := exec.Command("apt-get", args...)
	cmd.Env = append(os.Environ(), "APT_CONFIG="+filepath.Join(a.dir, "apt.conf"), "LC_ALL=C")
	return cmd
}

// trixieSources returns a sources.list for trixie on the mirror that the
// machine's own sources name.
func trixieSources(t *testing.T) string {
	uris := map[bool]string{} // by whether it is for security
	files, _ := filepath.Glob("/etc/apt/sources.list.d/*.sources")
	for _, file := range files {
		r := debian.NewControlReader(strings.NewReader(readFile(t, file)))
		for {
			p, err := r.Next()
			if err != nil {
				break
			}
			for _, suite := range strings.Fields(p.Get("Suites")) {
				if uri := strings.Fields(p.Get("URIs")); len(uri) > 0 && strings.Contains(p.Get("Components"), "main") {
					uris[strings.HasSuffix(suite, "-security")] = uri[0]
				}
			}
		}
	}
	if uris[false] == "" || uris[true] == "" {
		t.Skip("SKIPPED: /etc/apt/sources.list.d names no Debian mirror with a security archive")
	}
	const keys = "[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]"
	return fmt.Sprintf("deb %[1]s %[2]s trixie main\ndeb %[1]s %[2]s trixie-updates main\ndeb %[1]s %[3]s trixie-security main\n",
		keys, uris[false], uris[true])
}

// universe reads the very indexes that apt uses.
func (a *apt) universe(t testing.TB) *Universe {
	u := NewUniverse(a.arch)
	for _, suite := range []string{"trixie", "trixie-updates", "trixie-security"} {
		lists, _ := filepath.Glob(filepath.Join(a.dir, "lists", "*_dists_"+suite+"_main_binary-"+a.arch+"_Packages"))
		if len(lists) != 1 {
			t.Fatalf("apt has %d indexes of %s, expected one", len(lists), suite)
		}
		addIndex(t, u, lists[0], "debian/"+suite)
	}
	return u
}

func addIndex(t testing.TB, u *Universe, file, archive string) {
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for p, err := range debian.ReadPackages(f) {
		if err != nil {
			t.Fatal(err)
		}
		p.Archive = archive
		if err := u.Add(p); err != nil {
			t.Fatal(err)
		}
	}
}

// compare resolves each request twice and counts the equal outcomes.
func (a *apt) compare(t *testing.T, u *Universe, requests [][]string) (equal, total int) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	slots := make(chan struct{}, 2)
	for _, names := range requests {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			want := a.install(names)
			got := ours(u, names)
			mu.Lock()
			defer mu.Unlock()
			total++
			if want == got {
				equal++
				return
			}
			t.Errorf("%s: %s", strings.Join(names, " "), difference(want, got))
		})
	}
	wg.Wait()
	return equal, total
}

// The outcomes that are no set.
const (
	outcomeUnknown       = "unknown\n"
	outcomeUnsatisfiable = "unsatisfiable\n"
)

// install returns what "apt-get install --no-install-recommends" would install, a
// line for each package. Instead of simulating with -s, which goes through the
// installation once more, it has apt print the files to fetch: the same set in
// half the time.
func (a *apt) install(names []string) string {
	cmd := a.command(append([]string{"install", "--no-install-recommends", "-qq", "--print-uris"}, names...)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		said := func(texts ...string) bool {
			return slices.ContainsFunc(texts, func(s string) bool { return strings.Contains(stderr.String(), s) })
		}
		switch {
		case said("Unable to locate package", "has no installation candidate", "was not found"):
			return outcomeUnknown
		case said("Unable to correct problems", "generated breaks"):
			return outcomeUnsatisfiable
		}
		return fmt.Sprintf("apt-get: %v: %s", err, stderr.String())
	}
	var set []string
	for line := range strings.Lines(stdout.String()) {
		f := strings.Fields(line) // 'uri' name_version_arch.deb size hash
		if len(f) < 3 || !strings.HasSuffix(f[1], ".deb") {
			return "apt-get prints: " + line
		}
		parts := strings.Split(f[1], "_")
		version, err := url.PathUnescape(parts[1])
		if err != nil || len(parts) != 3 {
			return "apt-get prints: " + line
		}
		set = append(set, parts[0]+" "+version+"\n")
	}
	slices.Sort(set)
	return strings.Join(set, "")
}

// ours returns what Resolve chooses, in the same form.
func ours(u *Universe, names []string) string {
	var requests []Request
	for _, name := range names {
		r, err := ParseRequest(name)
		if err != nil {
			return err.Error()
		}
		requests = append(requests, r)
	}
	sol, err := Resolve(context.Background(), u, requests)
	var unsatisfiable *UnsatisfiableError
	switch {
	case errors.As(err, &unsatisfiable):
		return outcomeUnsatisfiable
	case err != nil:
		return outcomeUnknown
	}
	var set []string
	for _, p := range sol.Packages {
		set = append(set, p.Name+" "+p.Version+"\n")
	}
	slices.Sort(set)
	return strings.Join(set, "")
}

// difference returns the lines that only one of the outcomes has.
func difference(want, got string) string {
	var only []string
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for _, line := range w {
		if !slices.Contains(g, line) {
			only = append(only, "only apt: "+line)
		}
	}
	for _, line := range g {
		if !slices.Contains(w, line) {
			only = append(only, "only ours: "+line)
		}
	}
	return strings.Join(only[:min(len(only), 12)], "; ")
}

func readFile(t testing.TB, name string) string {
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func writeFile(t testing.TB, name, text string) {
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
