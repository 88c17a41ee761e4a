//go:build linux

package main

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

var results = []*result{
	{Name: "same", Packages: 59, Paths: 3900, Verdict: equal, Archives: []archive{{"debian/trixie", "2025-08-09T00:00:00Z", "sha256:aa"}}},
	{Name: "said", Packages: 60, Paths: 3901, Scripts: 2, Verdict: reported, Said: []string{"tool postinst:1: frob"}, Archives: []archive{{"debian/trixie", "2025-08-09T00:00:00Z", "sha256:aa"}},
		Found: []difference{{Path: "etc/tool", Ours: "", Theirs: "link 0:0 -> tool", Blame: []string{"tool"}}}, Diffs: map[string]string{"etc/tool": "-x\n+y\n"}},
	{Name: "quiet", Packages: 61, Paths: 3902, Scripts: 1, Verdict: wrong, Found: []difference{{Path: "a", Silent: true}, {Path: "b"}, {Path: "c"}, {Path: "d"}, {Path: "e"}, {Path: "f"}}},
	{Name: "odd", Err: errors.New("dpkg did not install it: no space")},
}

func TestTable(t *testing.T) {
	var b bytes.Buffer
	table(&b, "amd64", "hardpan v1", time.Unix(epoch, 0), results)
	want := `# The trees that hardpan makes of debian/trixie (amd64) against those of dpkg, by make fidelity.
# 2025-08-09, hardpan v1
# debian/trixie of 2025-08-09T00:00:00Z, InRelease sha256:aa
# 4 cases: 1 equal (25.0 %), 1 reported, 1 WRONG, 1 failed
case	packages	paths	scripts	result	differing
same	59	3900	0	equal	
said	60	3901	2	reported	/etc/tool
quiet	61	3902	1	WRONG	/a /b /c /d /e and 1 more
odd	0	0	0	failed	
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestPrint(t *testing.T) {
	var b bytes.Buffer
	results[1].print(&b, true)
	results[2].print(&b, false)
	results[3].print(&b, true)
	want := `said                         reported  60 packages, 3901 paths, 1 differ; hardpan 0s, dpkg kept
    said: tool postinst:1: frob
    reported /etc/tool, of tool
      hardpan: nothing
      dpkg:    link 0:0 -> tool
      | -x
      | +y
quiet                        WRONG     61 packages, 3902 paths, 6 differ; hardpan 0s, dpkg kept
    SILENT   /a, of no package
    reported /b, of no package
    reported /c, of no package
    reported /d, of no package
    reported /e, of no package
    reported /f, of no package
odd                          failed    dpkg did not install it: no space
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestBar(t *testing.T) {
	tests := map[string]struct {
		tally tally
		bar   float64
		want  string
	}{
		"all equal":               {tally{equal: 40}, 97, ""},
		"at the bar":              {tally{equal: 97, reported: 3}, 97, ""},
		"below it":                {tally{equal: 96, reported: 4}, 97, "96.0 % are equal, expected at least 97.0 %"},
		"a sample has no bar":     {tally{reported: 40}, 0, ""},
		"one in silence":          {tally{equal: 99, wrong: 1}, 0, "1 cases are wrong in silence"},
		"one without a result":    {tally{equal: 99, failed: 1}, 0, "1 cases could not be compared"},
		"nothing at all was done": {tally{}, 97, "0.0 % are equal, expected at least 97.0 %"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := ""
			if err := tt.tally.check(tt.bar); err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestCases(t *testing.T) {
	tests := map[string]struct {
		o     options
		names []string
		n     int
		bar   float64
	}{
		"the corpus":           {options{arch: "amd64", bar: -1}, nil, 359, 97},
		"a sample":             {options{arch: "amd64", bar: -1, sample: 40}, nil, 40, 0},
		"a bar for a sample":   {options{arch: "amd64", bar: 90, sample: 40}, nil, 40, 90},
		"another architecture": {options{arch: "arm64", bar: -1}, nil, 30, 0},
		"by name":              {options{arch: "amd64", bar: -1}, []string{"nginx"}, 1, 0},
		"more than there are":  {options{arch: "amd64", bar: -1, sample: 1000}, nil, 359, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, bar, err := tt.o.cases(tt.names)
			if err != nil || len(got) != tt.n || bar != tt.bar {
				t.Errorf("got %d cases, bar %v, %v; want %d, %v", len(got), bar, err, tt.n, tt.bar)
			}
			slices.Sort(got)
			if len(slices.Compact(got)) != tt.n {
				t.Error("a case twice")
			}
		})
	}
	if _, _, err := (options{sample: 3}).cases([]string{"nginx"}); err == nil || !strings.Contains(err.Error(), "expected one of them") {
		t.Errorf("got %v", err)
	}
}
