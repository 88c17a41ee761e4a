package sarif

import (
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/sarif/sariftest"
)

// TestEncode holds documents with nothing and with everything against OASIS' schema.
func TestEncode(t *testing.T) {
	full := NewRun("1", "hardpan audit/dockerfile")
	full.Artifacts = []Artifact{{Location: Reference{URI: URI("a b")}, Hashes: map[string]string{"sha-256": "00"}}}
	full.Tool.Driver.Rules = []Rule{{ID: "a", Short: Text{"A"}, Full: Text{"A."}, Help: Text{"fix"}, Default: Configuration{"note"}, Properties: map[string]any{"tags": []string{"security"}}}}
	full.Results = []Result{
		{RuleID: "a", Kind: "pass", Level: "none", Message: Text{"good"}},
		{
			RuleID: "a", Kind: "fail", Level: "error", Message: Text{"<bad> & worse"}, Fingerprints: map[string]string{"x/v1": "a"},
			Locations: []Location{{
				Physical: Physical{Artifact: Reference{URI: "a%20b", Index: new(int)}, Region: &Region{StartLine: 1, StartColumn: 2}},
				Logical:  []Logical{{Name: "sha256:00", Kind: "module"}},
			}},
			Suppressions: []Suppression{{Kind: "external", Status: "accepted", Justification: "because"}},
		},
	}
	for name, runs := range map[string][]Run{"no run": nil, "an empty run": {NewRun("", "x")}, "a full run": {full, full}} {
		text, err := Encode(runs...)
		if err != nil {
			t.Fatal(err)
		}
		sariftest.Validate(t, name, text)
		if len(runs) == 2 && !strings.Contains(string(text), "<bad> & worse") {
			t.Errorf("%s: text is not readable\n%s", name, text)
		}
	}
}

func TestURI(t *testing.T) {
	for path, want := range map[string]string{
		"": ".", "a/b": "a/b", "/a": "/a", "a b<%>": "a%20b%3C%25%3E", "c:d": "./c:d", "ü\xff": "%C3%BC%FF", "lib++.so": "lib++.so",
	} {
		if got := URI(path); got != want {
			t.Errorf("%q is %q, want %q", path, got, want)
		}
	}
}
