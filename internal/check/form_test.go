package check

import (
	"os"
	"testing"

	"github.com/hardpan/hardpan/internal/harden"
	"github.com/hardpan/hardpan/internal/sarif/sariftest"
)

// smallReport has an answer of each kind.
func smallReport() *Report {
	layer := 0
	rule := func(id string) *harden.Rule { return harden.RuleOf(id) }
	return &Report{
		Image: "a/b:1", Digest: "sha256:00", Platform: "linux/amd64", Profile: "all", Date: "2026-11-22", Layers: []string{"sha256:11"},
		Results: []Result{
			{Rule: "root-user", Title: rule("root-user").Title, Status: Passed, Severity: harden.High, Rules: rule("root-user")},
			{Rule: "umask", Title: rule("umask").Title, Status: NotApplicable, Severity: harden.Low, Reason: "the image has none", Rules: rule("umask")},
			{Rule: "privilege-bits", Title: rule("privilege-bits").Title, Status: Failed, Severity: harden.High, Rules: rule("privilege-bits"), Findings: []Finding{
				{Severity: harden.High, Message: "set-user-id root", Path: "/usr/bin/a b+<&>", Layer: &layer, Value: "4755 0:0"},
				{Severity: harden.Medium, Message: "about the config", Line: 3, Waiver: &Waiver{Rule: "privilege-bits", Reason: "it must", Expires: "2999-12-31"}},
			}},
		},
	}
}

// TestForms holds what programs read, byte for byte but for the order of the keys in JSON.
func TestForms(t *testing.T) {
	sarif, err := SARIF([]*Report{smallReport()}, "1.0")
	if err != nil {
		t.Fatal(err)
	}
	sariftest.Same(t, "testdata/small.sarif", sarif)
	junit, err := JUnit([]*Report{smallReport()})
	if err != nil {
		t.Fatal(err)
	}
	if want, err := os.ReadFile("testdata/small.junit.xml"); err != nil || string(want) != string(junit) {
		t.Errorf("JUnit is %v\n%s\nwant\n%s", err, junit, want)
	}
}
