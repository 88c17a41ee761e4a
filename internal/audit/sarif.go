package audit

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/hardpan/hardpan/internal/harden"
)

// SARIF writes a report as SARIF 2.1.0 (OASIS, Static Analysis Results Interchange
// Format), as programs that show results beside the code read it.
func (r *Report) SARIF(version string) ([]byte, error) {
	var rules []any
	index := map[string]int{}
	results := []any{}
	for _, f := range r.Findings {
		if _, ok := index[f.Rule]; !ok {
			index[f.Rule] = len(rules)
			rules = append(rules, f.sarifRule())
		}
		results = append(results, f.sarif(r, index[f.Rule]))
	}
	if rules == nil {
		rules = []any{}
	}
	log := object{
		"$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
		"version": "2.1.0",
		"runs": []any{object{
			"tool":              object{"driver": object{"name": "hardpan", "version": version, "rules": rules}},
			"automationDetails": object{"id": "hardpan audit/" + r.Kind},
			"columnKind":        "unicodeCodePoints",
			"artifacts":         []any{object{"location": object{"uri": uri(r.File)}, "hashes": object{"sha-256": r.SHA256}}},
			"results":           results,
			"properties":        object{"risk": r.Risk.Level.String(), "reasons": r.Risk.Reasons, "good": r.Good, "missing": r.Missing, "notJudged": r.NotJudged},
		}},
	}
	b, err := json.MarshalIndent(log, "", "  ")
	return append(b, '\n'), err
}

type object = map[string]any

// uri is a path as a relative reference (RFC 3986, section 4.2).
func uri(name string) string {
	var b strings.Builder
	for _, c := range []byte(filepath.ToSlash(name)) {
		if c == '/' || c == '-' || c == '.' || c == '_' || c == '~' || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// levels are SARIF's, section 3.27.10.
var levels = map[harden.Severity]string{harden.Info: "note", harden.Low: "note", harden.Medium: "warning", harden.High: "error", harden.Critical: "error"}

func (f *Finding) sarifRule() object {
	rule := harden.SourceRuleOf(f.Rule)
	tags := []string{"security"}
	if f.CWE != "" {
		tags = append(tags, "external/cwe/"+strings.ToLower(f.CWE))
	}
	for _, c := range f.Controls {
		tags = append(tags, c.Of+" "+c.Number)
	}
	return object{
		"id": f.Rule, "shortDescription": object{"text": f.Title}, "fullDescription": object{"text": f.Risk + ". Looked at: " + rule.Looks + "."}, "help": object{"text": f.Fix},
		"defaultConfiguration": object{"level": levels[rule.Severity]},
		"properties":           object{"tags": unique(tags), "security-severity": fmt.Sprintf("%.1f", scoreOf(weights[f.Rule].vector).Number)},
	}
}

func unique(list []string) []string {
	seen := map[string]bool{}
	var out []string
	for _, s := range list {
		if !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	return out
}

func (f *Finding) sarif(r *Report, index int) object {
	region := object{"startLine": max(1, f.Line)}
	if f.Column > 0 {
		region["startColumn"] = f.Column
	}
	text := f.Found
	if f.Evidence != "" {
		text += ": " + f.Evidence
	}
	return object{
		"ruleId": f.Rule, "ruleIndex": index, "kind": "fail", "level": levels[f.Severity], "message": object{"text": text},
		"locations":           []any{object{"physicalLocation": object{"artifactLocation": object{"uri": uri(r.File), "index": 0}, "region": region}}},
		"partialFingerprints": object{"hardpanFinding/v1": f.Rule + " " + f.Found},
		"properties":          object{"severity": f.Severity.String(), "cvss": f.Score.Vector, "score": f.Score.Number, "remediation": f.Fix},
	}
}
