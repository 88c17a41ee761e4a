package lock

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// MisfitError says where a lock and a spec differ.
type MisfitError struct {
	// Differences has one line for each, "+" what only the spec has and "-" what
	// only the lock has, such as `packages: + "curl"`.
	Differences []string
}

func (e *MisfitError) Error() string {
	return "the lock does not fit the spec: " + strings.Join(e.Differences, "; ")
}

// Hint says what to do.
func (e *MisfitError) Hint() string {
	return "run hardpan lock, or build with --update, to renew it"
}

// Fits returns a [*MisfitError] unless the lock answers exactly the request want.
func (l *Lock) Fits(want Request) error {
	var diffs []string
	add := func(what string, locked, asked []string) {
		for _, line := range difference(locked, asked) {
			diffs = append(diffs, what+": "+line)
		}
	}
	add("distro", []string{l.Request.Distro}, []string{want.Distro})
	add("platforms", l.Request.Platforms, want.Platforms)
	add("repositories", l.Request.Repositories, want.Repositories)
	add("images", l.Request.Images, want.Images)
	variants := map[string]bool{}
	for v := range l.Request.Packages {
		variants[v] = true
	}
	for v := range want.Packages {
		variants[v] = true
	}
	for _, v := range slices.Sorted(maps.Keys(variants)) {
		what := "packages"
		if v != "" {
			what = "packages of " + systemName(v)
		}
		locked, has := l.Request.Packages[v]
		asked, wants := want.Packages[v]
		if has != wants {
			diffs = append(diffs, what+map[bool]string{true: ": only in the lock", false: ": only in the spec"}[has])
			continue
		}
		add(what, locked, asked)
		add(strings.Replace(what, "packages", "hardening", 1), l.Request.Rules[v], want.Rules[v])
	}
	for _, p := range want.Platforms {
		if _, ok := l.Platforms[p]; !ok && slices.Contains(l.Request.Platforms, p) {
			diffs = append(diffs, fmt.Sprintf("platforms: %s was not resolved", p))
		}
	}
	for _, ref := range want.Images {
		if slices.Contains(l.Request.Images, ref) && l.Image(ref) == nil {
			diffs = append(diffs, fmt.Sprintf("images: %q was not resolved", ref))
		}
	}
	if len(diffs) == 0 {
		return nil
	}
	return &MisfitError{Differences: diffs}
}

// systemName says for a person what a system is.
func systemName(system string) string {
	variant, stage, ok := strings.Cut(system, "@")
	switch {
	case !ok:
		return fmt.Sprintf("variant %q", variant)
	case variant == "":
		return fmt.Sprintf("stage %q", stage)
	}
	return fmt.Sprintf("stage %q of variant %q", stage, variant)
}

func difference(locked, asked []string) []string {
	var lines []string
	for _, a := range asked {
		if !slices.Contains(locked, a) {
			lines = append(lines, fmt.Sprintf("+ %q", a))
		}
	}
	for _, l := range locked {
		if !slices.Contains(asked, l) {
			lines = append(lines, fmt.Sprintf("- %q", l))
		}
	}
	if len(lines) == 0 && !slices.Equal(locked, asked) {
		lines = append(lines, fmt.Sprintf("order is %q in the lock, %q in the spec", locked, asked))
	}
	return lines
}

// Changes lists what differs between two locks, for a person: "linux/amd64: + curl
// 8.14.1-2", "- curl ..." or "curl 8.14.1-1 -> 8.14.1-2", and the same of images with
// the beginning of their digests. old may be nil.
func Changes(old, renewed *Lock) []string {
	if old == nil {
		return nil
	}
	lines := changedImages(old, renewed)
	for _, platform := range slices.Sorted(maps.Keys(renewed.Platforms)) {
		before, after := versions(old.Platforms[platform]), versions(renewed.Platforms[platform])
		names := map[string]bool{}
		for n := range before {
			names[n] = true
		}
		for n := range after {
			names[n] = true
		}
		for _, n := range slices.Sorted(maps.Keys(names)) {
			switch was, is := before[n], after[n]; {
			case was == is:
			case was == "":
				lines = append(lines, fmt.Sprintf("%s: + %s %s", platform, n, is))
			case is == "":
				lines = append(lines, fmt.Sprintf("%s: - %s %s", platform, n, was))
			default:
				lines = append(lines, fmt.Sprintf("%s: %s %s -> %s", platform, n, was, is))
			}
		}
	}
	return lines
}

// changedImages lists the images that differ. What is for a platform has no line of its
// own: it changes with the index, or is the manifest that the reference names.
func changedImages(old, renewed *Lock) (lines []string) {
	short := func(img *Image) string { return img.Digest[:min(len(img.Digest), len("sha256:")+12)] }
	for i := range renewed.Images {
		is := &renewed.Images[i]
		switch was := old.Image(is.Reference); {
		case was == nil:
			lines = append(lines, fmt.Sprintf("image: + %s %s", is.Reference, short(is)))
		case was.Digest != is.Digest:
			lines = append(lines, fmt.Sprintf("image: %s %s -> %s", is.Reference, short(was), short(is)))
		}
	}
	for i := range old.Images {
		if was := &old.Images[i]; renewed.Image(was.Reference) == nil {
			lines = append(lines, fmt.Sprintf("image: - %s %s", was.Reference, short(was)))
		}
	}
	return lines
}

// versions returns the version of each package, several joined where variants differ.
func versions(p Platform) map[string]string {
	byName := map[string]string{}
	for _, pkg := range p.Packages {
		if v := byName[pkg.Name]; v != "" {
			byName[pkg.Name] = v + ", " + pkg.Version
		} else {
			byName[pkg.Name] = pkg.Version
		}
	}
	return byName
}
