//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// hardpanSide makes images with the binary under test.
type hardpanSide struct {
	binary string
	cache  string // of this program
	store  string // hardpan's own cache
	arch   string
	base   []string // names of the base's packages
}

// pkg is a package of a lock.
type pkg struct {
	Name, Version, Architecture, SHA256 string
}

// lock is what is needed of a lock.
type lock struct {
	Archives  []archive
	Platforms map[string]struct{ Packages []pkg }
}

// archive is a suite as it was when the packages were resolved.
type archive struct {
	ID, Date, InRelease string
}

// outcome is what a build said.
type outcome struct {
	Refusal  string // its error, empty where it made an image
	Skipped  []string
	Warnings []string
	Layout   string // directory of the image
}

func (h *hardpanSide) spec(name string) string {
	return filepath.Join(h.cache, "specs", h.arch, name, name+".yaml")
}

// lock resolves a case, unless its lock is kept from before, and returns the
// lock's packages.
func (h *hardpanSide) lock(ctx context.Context, name string, update bool) (*lock, error) {
	spec := h.spec(name)
	file := strings.TrimSuffix(spec, ".yaml") + ".lock"
	packages := h.base
	if name != baseCase && !slices.Contains(packages, name) {
		packages = append(slices.Clone(packages), name)
	}
	text := fmt.Sprintf("apiVersion: hardpan/v1\nname: fidelity\nversion: %q\ndistro: debian/trixie\nplatforms: [linux/%s]\ncontents:\n  packages: [%s]\nhardening: {profile: none}\n",
		"1", h.arch, strings.Join(packages, ", "))
	old, _ := os.ReadFile(spec)
	if _, err := os.Stat(file); err != nil || string(old) != text || update {
		if err := writeWhole(spec, []byte(text)); err != nil {
			return nil, err
		}
		if out, err := h.run(ctx, "lock", spec, "--cache-dir", h.store); err != nil {
			return nil, fmt.Errorf("%w: %s", err, out)
		}
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var l lock
	if err := json.Unmarshal(b, &l); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return &l, nil
}

// packages returns those of the side's platform.
func (h *hardpanSide) packages(l *lock) []pkg { return l.Platforms["linux/"+h.arch].Packages }

// build builds a case to a layout in dir.
func (h *hardpanSide) build(ctx context.Context, name, dir string) (*outcome, error) {
	o := &outcome{Layout: filepath.Join(dir, "layout")}
	args := []string{"build", h.spec(name), "--locked", "--cache-dir", h.store, "--layout", o.Layout, "--jobs", "1", "--output", "json"}
	stdout, err := h.run(ctx, args...)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		o.Refusal, o.Layout = err.Error(), ""
		return o, nil
	}
	var result struct {
		Images []struct{ Skipped, Warnings []string }
	}
	if err := json.Unmarshal(stdout, &result); err != nil {
		return nil, fmt.Errorf("hardpan build: %w", err)
	}
	for _, img := range result.Images {
		o.Skipped, o.Warnings = append(o.Skipped, img.Skipped...), append(o.Warnings, img.Warnings...)
	}
	return o, nil
}

// run runs hardpan and returns what it printed; the error is what it said.
func (h *hardpanSide) run(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, h.binary, args...)
	cmd.Env = append(os.Environ(), fmt.Sprintf("SOURCE_DATE_EPOCH=%d", int64(epoch)))
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.Bytes(), fmt.Errorf("hardpan %s: %w: %s", args[0], err, bytes.TrimSpace(stderr.Bytes()))
	}
	return stdout.Bytes(), nil
}
