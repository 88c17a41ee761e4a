//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// harness makes both trees of each case and compares them.
type harness struct {
	hardpan *hardpanSide
	dpkg    *dpkgSide
	base    []pkg // the packages of the base, from its lock
	update  bool  // resolve again what was resolved before
	diff    bool  // collect what texts differ in
}

// result is what came out of a case.
type result struct {
	Name     string
	Packages int
	Paths    int // of dpkg's tree
	Scripts  int // that dpkg ran, beyond the base's
	Verdict  verdict
	Found    []difference
	Said     []string          // what the build said it did not do
	Diffs    map[string]string // by path
	Archives []archive
	Err      error // of the harness, or of dpkg: there is nothing to compare

	Hardpan, Dpkg time.Duration // 0 for what was kept
}

// run does one case.
func (h *harness) run(ctx context.Context, name string) *result {
	r := &result{Name: name}
	r.Err = h.try(ctx, r)
	return r
}

func (h *harness) try(ctx context.Context, r *result) error {
	l, err := h.hardpan.lock(ctx, r.Name, h.update)
	if err != nil {
		return err
	}
	packages := h.hardpan.packages(l)
	r.Packages, r.Archives = len(packages), l.Archives
	work, err := h.dpkg.workDir()
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)

	begin := time.Now()
	built, err := h.hardpan.build(ctx, r.Name, work)
	if err != nil {
		return err
	}
	r.Hardpan = time.Since(begin)

	begin = time.Now()
	theirs, kept, err := h.dpkg.manifest(ctx, r.Name, h.base, packages)
	if err != nil {
		return err
	}
	if !kept {
		r.Dpkg = time.Since(begin)
	}
	if theirs.Failure != "" {
		return fmt.Errorf("dpkg did not install it: %s", theirs.Failure)
	}
	if err := sameSet(packages, theirs.Packages); err != nil {
		return err
	}
	r.Paths, r.Scripts = len(theirs.Paths), len(theirs.Scripts)
	return h.compare(r, built, theirs, packages)
}

// compare fills in the verdict.
func (h *harness) compare(r *result, built *outcome, theirs *manifest, packages []pkg) error {
	var names []string
	for _, p := range packages {
		names = append(names, p.Name)
	}
	r.Said = append(slices.Clone(built.Skipped), built.Warnings...)
	if built.Refusal != "" {
		r.Said = append(r.Said, built.Refusal)
		r.Verdict = judge(built, nil, names)
		return nil
	}
	image, err := openLayout(built.Layout)
	if err != nil {
		return err
	}
	ours, err := image.manifest(filepath.Join(h.dpkg.cache, "layers"))
	if err != nil {
		return err
	}
	r.Found = compare(ours, theirs)
	blame(r.Found, theirs, image.origin, notices(r.Said, names))
	r.Verdict = judge(built, r.Found, names)
	if h.diff {
		r.Diffs, err = textDiffs(r.Found, image, ours, theirs)
	}
	return err
}

// sameSet returns an error unless dpkg installed exactly the packages of the lock.
func sameSet(locked []pkg, installed []string) error {
	var want []string
	for _, p := range locked {
		want = append(want, p.Name+" "+p.Version+" "+p.Architecture)
	}
	slices.Sort(want)
	var odd []string
	for _, p := range want {
		if !slices.Contains(installed, p) {
			odd = append(odd, "dpkg lacks "+p)
		}
	}
	for _, p := range installed {
		if !slices.Contains(want, p) {
			odd = append(odd, "dpkg has also "+p)
		}
	}
	if len(odd) > 0 {
		return errors.New("the two sides have not the same packages: " + strings.Join(odd, "; "))
	}
	return nil
}
