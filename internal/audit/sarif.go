package audit

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/harden"
	"github.com/hardpan/hardpan/internal/sarif"
)

// SARIF writes a report as SARIF 2.1.0 (OASIS, Static Analysis Results Interchange
// Format), as programs that show results beside the code read it.
func (r *Report) SARIF(version string) ([]byte, error) {
	file := sarif.URI(filepath.ToSlash(r.File))
	run := sarif.NewRun(version, "hardpan audit/"+r.Kind)
	run.Artifacts = []sarif.Artifact{{Location: sarif.Reference{URI: file}, Hashes: map[string]string{"sha-256": r.SHA256}}}
	run.Properties = map[string]any{"risk": r.Risk.Level.String(), "reasons": r.Risk.Reasons, "good": r.Good, "missing": r.Missing, "notJudged": r.NotJudged}
	rules := &run.Tool.Driver.Rules
	index := map[string]int{}
	for _, f := range r.Findings {
		if _, ok := index[f.Rule]; !ok {
			index[f.Rule] = len(*rules)
			*rules = append(*rules, f.sarifRule())
		}
		run.Results = append(run.Results, f.sarif(file, index[f.Rule]))
	}
	return sarif.Encode(run)
}

// levels are SARIF's, section 3.27.10.
var levels = map[harden.Severity]string{harden.Info: "note", harden.Low: "note", harden.Medium: "warning", harden.High: "error", harden.Critical: "error"}

func (f *Finding) sarifRule() sarif.Rule {
	rule := harden.SourceRuleOf(f.Rule)
	tags := []string{"security"}
	add := func(tag string) {
		if !slices.Contains(tags, tag) {
			tags = append(tags, tag)
		}
	}
	if f.CWE != "" {
		add("external/cwe/" + strings.ToLower(f.CWE))
	}
	for _, c := range f.Controls {
		add(c.Of + " " + c.Number)
	}
	return sarif.Rule{
		ID: f.Rule, Short: sarif.Text{Text: f.Title}, Full: sarif.Text{Text: f.Risk + ". Looked at: " + rule.Looks + "."}, Help: sarif.Text{Text: f.Fix},
		Default:    sarif.Configuration{Level: levels[rule.Severity]},
		Properties: map[string]any{"tags": tags, "security-severity": fmt.Sprintf("%.1f", scoreOf(weights[f.Rule].vector).Number)},
	}
}

func (f *Finding) sarif(file string, index int) sarif.Result {
	text := f.Found
	if f.Evidence != "" {
		text += ": " + f.Evidence
	}
	place := sarif.Physical{Artifact: sarif.Reference{URI: file, Index: new(int)}, Region: &sarif.Region{StartLine: max(1, f.Line), StartColumn: max(0, f.Column)}}
	return sarif.Result{
		RuleID: f.Rule, RuleIndex: index, Kind: "fail", Level: levels[f.Severity], Message: sarif.Text{Text: text},
		Locations:    []sarif.Location{{Physical: place}},
		Fingerprints: map[string]string{"hardpanFinding/v1": f.Rule + " " + f.Found},
		Properties:   map[string]any{"severity": f.Severity.String(), "cvss": f.Score.Vector, "score": f.Score.Number, "remediation": f.Fix},
	}
}
