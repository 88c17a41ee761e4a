//go:build linux

// Command fidelity compares the trees that hardpan makes of Debian packages with
// those that dpkg itself makes of the same packages in the same versions: every
// path, its type, mode, owner, link target and content. It is what `make fidelity`
// runs; no test calls it, as it takes the network and, for its dpkg, namespaces.
//
// Each case is one package with all that it depends on, on top of the essential
// packages, which dpkg needs in order to run scripts. dpkg's trees are made once
// for each set of package versions and kept, so that a change of hardpan costs
// only hardpan's side.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// insideArg is the argument with which the program starts itself in namespaces.
const insideArg = "inside-namespaces"

// options are the flags.
type options struct {
	hardpan, cache, arch, table string
	sample, jobs                int
	bar                         float64
	diff, update                bool
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == insideArg {
		exitOn(runInside())
		return
	}
	var o options
	flag.StringVar(&o.hardpan, "hardpan", "bin/hardpan", "`binary` to prove")
	flag.StringVar(&o.cache, "cache", defaultCache(), "`directory` of what is kept between runs")
	flag.StringVar(&o.arch, "arch", "amd64", "`architecture` of the packages; arm64 has 30 cases and needs qemu-user-static")
	flag.StringVar(&o.table, "table", "", "write the results to this `file` too")
	flag.IntVar(&o.sample, "sample", 0, "run only `n` cases, always the same ones")
	flag.IntVar(&o.jobs, "jobs", 1, "cases at a time")
	flag.Float64Var(&o.bar, "bar", -1, "`percent` of cases that must be equal (default 97 for the whole corpus, else 0)")
	flag.BoolVar(&o.diff, "diff", false, "print what differs, not only where")
	flag.BoolVar(&o.update, "update", false, "resolve the packages again instead of using the versions of the last run")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: fidelity [flags] [package...]")
		flag.PrintDefaults()
	}
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	exitOn(run(ctx, o, flag.Args()))
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "fidelity:", err)
		os.Exit(1)
	}
}

func defaultCache() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		dir = os.TempDir()
	}
	return filepath.Join(dir, "hardpan-fidelity")
}

func run(ctx context.Context, o options, names []string) error {
	names, bar, err := o.cases(names)
	if err != nil {
		return err
	}
	if err := canRun(o.arch); err != nil {
		fmt.Printf("SKIPPED: %v: nothing was compared with dpkg\n", err)
		return nil
	}
	h, err := newHarness(ctx, o)
	if err != nil {
		return err
	}
	begin := time.Now()
	results, err := h.runAll(ctx, names, o.jobs)
	if err != nil {
		return err
	}
	total := count(results)
	fmt.Printf("%s; in %v\n", total, time.Since(begin).Round(time.Second))
	if o.table != "" {
		var b bytes.Buffer
		table(&b, o.arch, h.version(), time.Now(), results)
		if err := writeWhole(o.table, b.Bytes()); err != nil {
			return err
		}
	}
	return total.check(bar)
}

// cases returns the names to run and the bar that they have to pass.
func (o options) cases(names []string) ([]string, float64, error) {
	bar := 0.0
	switch {
	case len(names) > 0 && o.sample > 0:
		return nil, 0, errors.New("found both -sample and names of packages, expected one of them")
	case len(names) > 0:
	case o.sample > 0:
		names = sample(corpus(), o.sample)
	case o.arch != "amd64":
		names = sample(corpus(), otherArchCases)
	default:
		names, bar = corpus(), 97
	}
	if o.bar >= 0 {
		bar = o.bar
	}
	return names, bar, nil
}

func newHarness(ctx context.Context, o options) (*harness, error) {
	binary, err := filepath.Abs(o.hardpan)
	if err != nil {
		return nil, err
	}
	cache, err := filepath.Abs(o.cache)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return nil, err
	}
	for _, tool := range []string{binary, "mmdebstrap", "apt-get", "dpkg-deb", "diff"} {
		if _, err := exec.LookPath(tool); err != nil {
			return nil, fmt.Errorf("%w (make build builds hardpan; the others are packages of Debian)", err)
		}
	}
	store := filepath.Join(cache, "hardpan")
	h := &harness{
		hardpan: &hardpanSide{binary: binary, cache: cache, store: store, arch: o.arch, base: basePackages()},
		dpkg:    &dpkgSide{cache: cache, blobs: filepath.Join(store, "blobs", "sha256"), arch: o.arch},
		diff:    o.diff, update: o.update,
	}
	base, err := h.hardpan.lock(ctx, baseCase, o.update)
	if err != nil {
		return nil, err
	}
	if h.base = h.hardpan.packages(base); len(h.base) != len(h.hardpan.base) {
		return nil, fmt.Errorf("base.txt names %d packages, with what they need they are %d", len(h.hardpan.base), len(h.base))
	}
	_, err = h.hardpan.build(ctx, baseCase, filepath.Join(cache, "specs", o.arch, baseCase)) // which downloads the packages
	return h, err
}

// runAll runs the cases, some at a time, and prints them in their order.
func (h *harness) runAll(ctx context.Context, names []string, jobs int) ([]*result, error) {
	slots := make([]chan *result, len(names))
	for i := range slots {
		slots[i] = make(chan *result, 1)
	}
	free := make(chan struct{}, max(1, jobs))
	go func() {
		for i, name := range names {
			free <- struct{}{}
			go func() {
				slots[i] <- h.run(ctx, name)
				<-free
			}()
		}
	}()
	var results []*result
	for _, slot := range slots {
		select {
		case r := <-slot:
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			r.print(os.Stdout, h.diff)
			results = append(results, r)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return results, nil
}

// version returns what the binary says of itself.
func (h *harness) version() string {
	out, err := exec.Command(h.hardpan.binary, "version").Output()
	if err != nil {
		return "hardpan of unknown version"
	}
	first, _, _ := strings.Cut(string(out), "\n")
	return first
}
