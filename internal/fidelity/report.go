//go:build linux

package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// tally counts verdicts.
type tally struct {
	equal, reported, wrong, failed int
}

func count(results []*result) tally {
	var t tally
	for _, r := range results {
		switch {
		case r.Err != nil:
			t.failed++
		case r.Verdict == equal:
			t.equal++
		case r.Verdict == reported:
			t.reported++
		default:
			t.wrong++
		}
	}
	return t
}

// percent is the share of equal cases.
func (t tally) percent() float64 {
	return 100 * float64(t.equal) / float64(max(1, t.equal+t.reported+t.wrong+t.failed))
}

func (t tally) String() string {
	return fmt.Sprintf("%d cases: %d equal (%.1f %%), %d reported, %d WRONG, %d failed",
		t.equal+t.reported+t.wrong+t.failed, t.equal, t.percent(), t.reported, t.wrong, t.failed)
}

// check returns why the results are not good enough, if so. The bar is in percent.
func (t tally) check(bar float64) error {
	switch {
	case t.failed > 0:
		return fmt.Errorf("%d cases could not be compared", t.failed)
	case t.wrong > 0:
		return fmt.Errorf("%d cases are wrong in silence", t.wrong)
	case t.percent() < bar:
		return fmt.Errorf("%.1f %% are equal, expected at least %.1f %%", t.percent(), bar)
	}
	return nil
}

// print writes a case for a person, its differing paths and, with values, what
// they are on both sides.
func (r *result) print(w io.Writer, values bool) {
	if r.Err != nil {
		fmt.Fprintf(w, "%-28s failed    %v\n", r.Name, r.Err)
		return
	}
	kept := "kept"
	if r.Dpkg > 0 {
		kept = r.Dpkg.Round(10 * time.Millisecond).String()
	}
	fmt.Fprintf(w, "%-28s %-8s  %d packages, %d paths, %d differ; hardpan %v, dpkg %s\n", r.Name, r.Verdict, r.Packages, r.Paths, len(r.Found), r.Hardpan.Round(10*time.Millisecond), kept)
	if r.Verdict == equal {
		return
	}
	for _, line := range r.Said {
		fmt.Fprintf(w, "    said: %s\n", strings.ReplaceAll(strings.TrimSpace(line), "\n", "\n          "))
	}
	for _, d := range r.Found {
		if !values {
			fmt.Fprintf(w, "    %s\n", d.summary())
			continue
		}
		fmt.Fprintf(w, "    %s\n", d)
		for line := range strings.Lines(r.Diffs[d.Path]) {
			fmt.Fprintf(w, "      | %s\n", strings.TrimSuffix(line, "\n"))
		}
	}
}

// table writes the results to be kept: every case, when it was run and on what.
func table(w io.Writer, arch, version string, now time.Time, results []*result) {
	fmt.Fprintf(w, "# The trees that hardpan makes of debian/trixie (%s) against those of dpkg, by make fidelity.\n", arch)
	fmt.Fprintf(w, "# %s, %s\n", now.UTC().Format(time.DateOnly), version)
	var archives []string
	for _, r := range results {
		for _, a := range r.Archives {
			archives = append(archives, fmt.Sprintf("# %s of %s, InRelease %s", a.ID, a.Date, a.InRelease))
		}
	}
	slices.Sort(archives)
	for _, a := range slices.Compact(archives) {
		fmt.Fprintln(w, a)
	}
	fmt.Fprintf(w, "# %s\n", count(results))
	fmt.Fprintln(w, "case\tpackages\tpaths\tscripts\tresult\tdiffering")
	for _, r := range results {
		v := string(r.Verdict)
		if r.Err != nil {
			v = "failed"
		}
		var differing []string
		for _, d := range r.Found {
			differing = append(differing, "/"+d.Path)
		}
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%s\t%s\n", r.Name, r.Packages, r.Paths, r.Scripts, v, abbreviate(differing))
	}
}

// abbreviate keeps a line of the table readable.
func abbreviate(paths []string) string {
	const most = 5
	if len(paths) <= most {
		return strings.Join(paths, " ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(paths[:most], " "), len(paths)-most)
}
