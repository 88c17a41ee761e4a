package check

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"github.com/hardpan/hardpan/internal/harden"
)

// SARIF writes reports as SARIF 2.1.0 (OASIS, Static Analysis Results Interchange
// Format), a run for each. Findings that are waived are suppressed results; rules that
// passed or do not apply are results of that kind.
func SARIF(reports []*Report, version string) ([]byte, error) {
	log := sarifLog{Schema: "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json", Version: "2.1.0", Runs: []sarifRun{}}
	for _, r := range reports {
		log.Runs = append(log.Runs, r.sarif(version))
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(log)
	return b.Bytes(), err
}

type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool       sarifTool      `json:"tool"`
		Automation sarifID        `json:"automationDetails"`
		Results    []sarifResult  `json:"results"`
		ColumnKind string         `json:"columnKind"`
		Properties map[string]any `json:"properties,omitempty"`
	}
	sarifID struct {
		ID string `json:"id"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name    string      `json:"name"`
		Version string      `json:"version,omitempty"`
		Rules   []sarifRule `json:"rules"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifRule struct {
		ID         string         `json:"id"`
		Short      sarifText      `json:"shortDescription"`
		Full       sarifText      `json:"fullDescription"`
		Help       sarifText      `json:"help"`
		Default    sarifLevel     `json:"defaultConfiguration"`
		Properties map[string]any `json:"properties"`
	}
	sarifLevel struct {
		Level string `json:"level"`
	}
	sarifResult struct {
		RuleID       string             `json:"ruleId"`
		RuleIndex    int                `json:"ruleIndex"`
		Kind         string             `json:"kind"`
		Level        string             `json:"level"`
		Message      sarifText          `json:"message"`
		Locations    []sarifLocation    `json:"locations,omitempty"`
		Fingerprints map[string]string  `json:"partialFingerprints,omitempty"`
		Suppressions []sarifSuppression `json:"suppressions,omitempty"`
		Properties   map[string]any     `json:"properties,omitempty"`
	}
	sarifLocation struct {
		Physical sarifPhysical  `json:"physicalLocation"`
		Logical  []sarifLogical `json:"logicalLocations,omitempty"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   *sarifRegion  `json:"region,omitempty"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifRegion struct {
		StartLine int `json:"startLine"`
	}
	sarifLogical struct {
		Name string `json:"name"`
		Kind string `json:"kind"`
	}
	sarifSuppression struct {
		Kind          string `json:"kind"`
		Status        string `json:"status"`
		Justification string `json:"justification"`
	}
)

func (r *Report) sarif(version string) sarifRun {
	run := sarifRun{
		Tool: sarifTool{sarifDriver{Name: "hardpan", Version: version, Rules: []sarifRule{}}}, Automation: sarifID{"hardpan check/" + r.Platform},
		Results: []sarifResult{}, ColumnKind: "unicodeCodePoints",
		Properties: map[string]any{"image": r.Image, "digest": r.Digest, "platform": r.Platform, "profile": r.Profile},
	}
	for i, result := range r.Results {
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, result.sarifRule())
		switch result.Status {
		case Passed, NotApplicable:
			kind := map[Status]string{Passed: "pass", NotApplicable: "notApplicable"}[result.Status]
			text := result.Title
			if result.Reason != "" {
				text = result.Reason
			}
			run.Results = append(run.Results, sarifResult{RuleID: result.Rule, RuleIndex: i, Kind: kind, Level: "none", Message: sarifText{text}})
		}
		for _, f := range result.Findings {
			run.Results = append(run.Results, f.sarif(r, result.Rule, i))
		}
	}
	return run
}

func (r *Result) sarifRule() sarifRule {
	rule := r.Rules
	tags := []string{"security"}
	for _, c := range rule.Controls.List() {
		tags = append(tags, c.Of+" "+c.Number)
	}
	return sarifRule{
		ID: rule.ID, Short: sarifText{rule.Title}, Full: sarifText{rule.Why + ". Looked at: " + rule.Looks + "."}, Help: sarifText{rule.Fix},
		Default: sarifLevel{level(r.Severity)}, Properties: map[string]any{"tags": tags, "security-severity": securityScore[r.Severity], "severity": r.Severity.String()},
	}
}

func (f *Finding) sarif(r *Report, rule string, index int) sarifResult {
	text := f.Message
	if f.Value != "" {
		text += ": " + f.Value
	}
	result := sarifResult{
		RuleID: rule, RuleIndex: index, Kind: "fail", Level: level(f.Severity), Message: sarifText{text},
		Fingerprints: map[string]string{"hardpanFinding/v1": strings.Join([]string{rule, f.Path, f.Value}, " ")},
		Properties:   map[string]any{"severity": f.Severity.String()},
	}
	// What is about the config is placed there: programs that read SARIF want a place.
	place := sarifLocation{Physical: sarifPhysical{Artifact: sarifArtifact{"config.json"}}}
	if f.Path != "" {
		place.Physical.Artifact.URI = (&url.URL{Path: strings.TrimLeft(f.Path, "/")}).String()
		if place.Physical.Artifact.URI == "" {
			place.Physical.Artifact.URI = "."
		}
		result.Properties["path"] = f.Path
	}
	if f.Line > 0 {
		place.Physical.Region = &sarifRegion{f.Line}
	}
	if f.Layer != nil && *f.Layer < len(r.Layers) {
		place.Logical = []sarifLogical{{Name: r.Layers[*f.Layer], Kind: "module"}}
		result.Properties["layer"] = *f.Layer
	}
	result.Locations = []sarifLocation{place}
	if w := f.Waiver; w != nil {
		result.Suppressions = []sarifSuppression{{Kind: "external", Status: "accepted", Justification: w.describe()}}
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
