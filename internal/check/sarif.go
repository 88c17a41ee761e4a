package check

import (
	"fmt"
	"strings"

	"github.com/hardpan/hardpan/internal/harden"
	"github.com/hardpan/hardpan/internal/sarif"
)

// SARIF writes reports as SARIF 2.1.0 (OASIS, Static Analysis Results Interchange
// Format), a run for each. Findings that are waived are suppressed results; rules that
// passed or do not apply are results of that kind.
func SARIF(reports []*Report, version string) ([]byte, error) {
	var runs []sarif.Run
	for _, r := range reports {
		runs = append(runs, r.sarif(version))
	}
	return sarif.Encode(runs...)
}

func (r *Report) sarif(version string) sarif.Run {
	run := sarif.NewRun(version, "hardpan check/"+r.Platform)
	run.Properties = map[string]any{"image": r.Image, "digest": r.Digest, "platform": r.Platform, "profile": r.Profile}
	for i, result := range r.Results {
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, result.sarifRule())
		switch result.Status {
		case Passed, NotApplicable:
			kind := map[Status]string{Passed: "pass", NotApplicable: "notApplicable"}[result.Status]
			text := result.Title
			if result.Reason != "" {
				text = result.Reason
			}
			run.Results = append(run.Results, sarif.Result{RuleID: result.Rule, RuleIndex: i, Kind: kind, Level: "none", Message: sarif.Text{Text: text}})
		}
		for _, f := range result.Findings {
			run.Results = append(run.Results, f.sarif(r, result.Rule, i))
		}
	}
	return run
}

func (r *Result) sarifRule() sarif.Rule {
	rule := r.Rules
	tags := []string{"security"}
	for _, c := range rule.Controls.List() {
		tags = append(tags, c.Of+" "+c.Number)
	}
	return sarif.Rule{
		ID: rule.ID, Short: sarif.Text{Text: rule.Title}, Full: sarif.Text{Text: rule.Why + ". Looked at: " + rule.Looks + "."}, Help: sarif.Text{Text: rule.Fix},
		Default: sarif.Configuration{Level: level(r.Severity)}, Properties: map[string]any{"tags": tags, "security-severity": securityScore[r.Severity], "severity": r.Severity.String()},
	}
}

func (f *Finding) sarif(r *Report, rule string, index int) sarif.Result {
	text := f.Message
	if f.Value != "" {
		text += ": " + f.Value
	}
	result := sarif.Result{
		RuleID: rule, RuleIndex: index, Kind: "fail", Level: level(f.Severity), Message: sarif.Text{Text: text},
		Fingerprints: map[string]string{"hardpanFinding/v1": strings.Join([]string{rule, f.Path, f.Value}, " ")},
		Properties:   map[string]any{"severity": f.Severity.String()},
	}
	// What is about the config is placed there: programs that read SARIF want a place.
	place := sarif.Location{Physical: sarif.Physical{Artifact: sarif.Reference{URI: "config.json"}}}
	if f.Path != "" {
		place.Physical.Artifact.URI = sarif.URI(strings.TrimLeft(f.Path, "/"))
		result.Properties["path"] = f.Path
	}
	if f.Line > 0 {
		place.Physical.Region = &sarif.Region{StartLine: f.Line}
	}
	if f.Layer != nil && *f.Layer < len(r.Layers) {
		place.Logical = []sarif.Logical{{Name: r.Layers[*f.Layer], Kind: "module"}}
		result.Properties["layer"] = *f.Layer
	}
	result.Locations = []sarif.Location{place}
	if w := f.Waiver; w != nil {
		result.Suppressions = []sarif.Suppression{{Kind: "external", Status: "accepted", Justification: w.describe()}}
	}
	return result
}

func (w *Waiver) describe() string {
	text := w.Reason
	if w.Expires != "" {
		text += fmt.Sprintf(" (until %s)", w.Expires)
	}
	return text
}

// level is SARIF's word for a severity, which has three.
func level(s harden.Severity) string {
	switch {
	case s >= harden.High:
		return "error"
	case s >= harden.Low:
		return "warning"
	}
	return "note"
}

// securityScore is the number by which GitHub's code scanning sorts results.
var securityScore = map[harden.Severity]string{harden.Info: "0.0", harden.Low: "3.0", harden.Medium: "5.5", harden.High: "8.0", harden.Critical: "9.5"}
