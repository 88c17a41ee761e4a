// Command bench measures hardpan against plain tools on one set of packages and
// prints ratios taken in the same run, which hold where absolute times do not. It
// is what `make bench` runs; no test calls it.
//
// The plain tools do the least that making layers out of .debs can cost:
// `xz -dc | sha256sum` and `gzip -1` over the same files, two at a time.
package main

import (
	_ "embed"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/hardpan/hardpan/internal/sandbox"
)

//go:embed bench-set.txt
var packages string

func main() {
	sandbox.Init()
	hardpan := flag.String("hardpan", "bin/hardpan", "`binary` to measure")
	rounds := flag.Int("rounds", 5, "measured rounds")
	only := flag.String("only", "", "measure layers or stages `only`")
	flag.Parse()
	if err := run(*hardpan, *rounds, *only); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench is one benchmark in a directory of its own.
type bench struct {
	hardpan string
	dir     string
	edits   int // of what is built in stages
}

// sample is what one run of a command cost.
type sample struct {
	wall time.Duration
	rss  int64 // bytes, the largest process
}

func run(hardpan string, rounds int, only string) error {
	binary, err := filepath.Abs(hardpan)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "hardpan-bench-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b := &bench{hardpan: binary, dir: dir}
	if only != "stages" {
		if err := b.layers(rounds); err != nil {
			return err
		}
	}
	if only != "layers" {
		return b.stages()
	}
	return nil
}

// layers measures how packages become layers, and prints what comes out.
func (b *bench) layers(rounds int) error {
	if err := b.prepare(); err != nil {
		return err
	}
	results := map[string][]sample{}
	for round := range rounds + 1 {
		for _, c := range b.cases() {
			s, err := c.measure()
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			if round > 0 { // the first warms the machine up
				results[c.name] = append(results[c.name], s)
			}
		}
	}
	return b.report(results, rounds)
}

// prepare writes the specs, fills the cache and lays out what the plain tools read.
func (b *bench) prepare() error {
	set := strings.Fields(packages)
	if err := b.writeSpec("set", set); err != nil {
		return err
	}
	if err := b.writeSpec("changed", append(set, "hostname")); err != nil {
		return err
	}
	if _, err := b.time(exec.Command(b.hardpan, "key", "generate", "--output-key-prefix", "bench")); err != nil {
		return err
	}
	for _, spec := range []string{"set", "changed"} {
		if _, err := b.time(b.build(spec)); err != nil {
			return err
		}
	}
	debs, err := b.debs()
	if err != nil {
		return err
	}
	for i, deb := range debs {
		if err := extractData(deb, filepath.Join(b.dir, "xz", fmt.Sprintf("%03d.xz", i))); err != nil {
			return fmt.Errorf("%s: %w", deb, err)
		}
	}
	unpack := `mkdir -p tar; for f in xz/*.xz; do xz -dc "$f" > "tar/$(basename "$f" .xz)"; done`
	_, err = b.time(b.shell(unpack))
	return err
}

func (b *bench) writeSpec(name string, packages []string) error {
	text := fmt.Sprintf("apiVersion: hardpan/v1\nname: %s\nversion: bench\ndistro: debian/trixie\nplatforms: [linux/amd64]\naccounts:\n  groups: [{name: app, gid: 1000}]\n  users: [{name: app, uid: 1000}]\n  run-as: app\ncontents:\n  packages: [%s]\nentrypoint: [/usr/bin/python3]\n",
		name, strings.Join(packages, ", "))
	return os.WriteFile(filepath.Join(b.dir, name+".yaml"), []byte(text), 0o644)
}

// debs returns the cached packages of the set, the largest first, as a careful
// user of the plain tools would order them.
func (b *bench) debs() ([]string, error) {
	text, err := os.ReadFile(filepath.Join(b.dir, "set.lock"))
	if err != nil {
		return nil, err
	}
	var lock struct {
		Platforms map[string]struct {
			Packages []struct {
				SHA256 string
				Size   int64
			}
		}
	}
	if err := json.Unmarshal(text, &lock); err != nil {
		return nil, err
	}
	list := lock.Platforms["linux/amd64"].Packages
	slices.SortFunc(list, func(x, y struct {
		SHA256 string
		Size   int64
	}) int {
		return int(y.Size - x.Size)
	})
	var debs []string
	for _, p := range list {
		debs = append(debs, filepath.Join(b.dir, "cache", "blobs", "sha256", p.SHA256[:2], p.SHA256))
	}
	return debs, os.MkdirAll(filepath.Join(b.dir, "xz"), 0o755)
}

// extractData copies the data.tar.xz of a package to a file.
func extractData(deb, to string) error {
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	defer out.Close()
	cmd := exec.Command("ar", "p", deb, "data.tar.xz")
	cmd.Stdout = out
	return cmd.Run()
}

type benchCase struct {
	name    string
	measure func() (sample, error)
}

// The cases, which the report names.
const (
	plain   = "plain tools"
	cold    = "cold layers"
	scripts = "scripts run again"
	kept    = "scripts' effects kept"
	warm    = "warm, nothing changed"
	absent  = "warm, output missing"
	changed = "one package more"
	first   = "cold layers, described and signed"
	signed  = "warm, signed"
	verify  = "verify, contents included"
	start   = "hardpan version"
)

// cases returns what is measured. What is told the difference of stands close together: a
// second later the machine may have less to give.
func (b *bench) cases() []benchCase {
	return []benchCase{
		{plain, func() (sample, error) {
			return b.time(b.shell(`ls xz/*.xz | xargs -P2 -n1 sh -c 'xz -dc "$0" | sha256sum >/dev/null'; ls -S tar/* | xargs -P2 -n1 sh -c 'gzip -1 <"$0" >/dev/null'`))
		}},
		{cold, func() (sample, error) {
			if err := b.forget("cache/keys", "dist"); err != nil {
				return sample{}, err
			}
			return b.time(b.build("set"))
		}},
		{warm, func() (sample, error) { return b.time(b.build("set")) }},
		{first, func() (sample, error) {
			if err := b.forget("cache/keys", "dist"); err != nil {
				return sample{}, err
			}
			return b.time(b.build("set", "--key", "bench.key"))
		}},
		{signed, func() (sample, error) { return b.time(b.build("set", "--key", "bench.key")) }},
		{verify, func() (sample, error) {
			return b.time(exec.Command(b.hardpan, "verify", "./dist/set", "--key", "bench.pub"))
		}},
		{scripts, func() (sample, error) {
			if err := b.forget("cache/keys/effects", "cache/keys/image", "dist"); err != nil {
				return sample{}, err
			}
			return b.time(b.build("set"))
		}},
		{kept, func() (sample, error) {
			if err := b.forget("cache/keys/image", "dist"); err != nil {
				return sample{}, err
			}
			return b.time(b.build("set"))
		}},
		{absent, func() (sample, error) {
			if err := b.forget("dist"); err != nil {
				return sample{}, err
			}
			return b.time(b.build("set"))
		}},
		{changed, func() (sample, error) { return b.time(b.build("changed")) }},
		{start, func() (sample, error) { return b.time(exec.Command(b.hardpan, "version")) }},
	}
}

// forget moves files out of the way, until all are removed at the end: ext4 looks at
// every inode that was freed in the last seconds before it makes a new one, for which the
// next command would pay.
func (b *bench) forget(paths ...string) error {
	aside, err := os.MkdirTemp(b.dir, "forgotten-")
	if err != nil {
		return err
	}
	for i, p := range paths {
		if err := os.Rename(filepath.Join(b.dir, p), filepath.Join(aside, strconv.Itoa(i))); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	return nil
}

func (b *bench) build(spec string, more ...string) *exec.Cmd {
	return exec.Command(b.hardpan, append([]string{"build", spec + ".yaml", "--cache-dir", "cache", "--layout", "dist/" + spec}, more...)...)
}

func (b *bench) shell(script string) *exec.Cmd { return exec.Command("sh", "-c", script) }

func (b *bench) time(cmd *exec.Cmd) (sample, error) {
	cmd.Dir, cmd.Env = b.dir, append(cmd.Environ(), "HARDPAN_PASSWORD=bench")
	var stderr strings.Builder
	cmd.Stdout, cmd.Stderr = io.Discard, &stderr
	begin := time.Now()
	err := cmd.Run()
	s := sample{wall: time.Since(begin)}
	if err != nil {
		return s, fmt.Errorf("%w: %s", err, stderr.String())
	}
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		s.rss = usage.Maxrss << 10
	}
	return s, nil
}

func (b *bench) report(results map[string][]sample, rounds int) error {
	fmt.Printf("%d packages, %d rounds, median (least to most)\n", len(strings.Fields(packages)), rounds)
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\twall\tto plain tools\tmemory")
	for _, name := range []string{plain, cold, changed, scripts, kept, absent, warm, first, signed, verify, start} {
		samples := results[name]
		var walls, ratios []float64
		var rss int64
		for i, s := range samples {
			walls = append(walls, s.wall.Seconds())
			ratios = append(ratios, s.wall.Seconds()/results[plain][i].wall.Seconds())
			rss = max(rss, s.rss)
		}
		fmt.Fprintf(w, "%s\t%s s\t%s\t%d MB\n", name, spread(walls), spread(ratios), rss/1e6)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	var interpreting []float64
	for i, s := range results[scripts] {
		interpreting = append(interpreting, (s.wall - results[kept][i].wall).Seconds())
	}
	fmt.Printf("interpreting the scripts takes the difference of the two: %s s\n", spread(interpreting))
	for _, pair := range [][2]string{{cold, first}, {warm, signed}} {
		var added []float64
		for i, s := range results[pair[1]] {
			added = append(added, (s.wall - results[pair[0]][i].wall).Seconds())
		}
		fmt.Printf("%s takes longer than %s by %s s\n", pair[1], pair[0], spread(added))
	}
	return nil
}

// spread writes median, least and most.
func spread(v []float64) string {
	s := slices.Sorted(slices.Values(v))
	return fmt.Sprintf("%.3f (%.3f to %.3f)", s[len(s)/2], s[0], s[len(s)-1])
}
