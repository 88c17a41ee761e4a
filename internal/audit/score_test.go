package audit

import (
	"testing"

	"github.com/hardpan/hardpan/internal/harden"
)

// TestWeights holds each vector against its rule: it is one of CVSS v3.1, and its score is
// of the rule's severity.
func TestWeights(t *testing.T) {
	for id, w := range weights {
		rule := harden.SourceRuleOf(id)
		if rule == nil {
			t.Errorf("%s: no such rule", id)
			continue
		}
		score := scoreOf(w.vector)
		if got := severityOf(score.Number); got != rule.Severity {
			t.Errorf("%s: %s is %.1f, %s, but the rule is %s", id, score.Vector, score.Number, got, rule.Severity)
		}
	}
	for severity, vector := range severities {
		if got := severityOf(scoreOf(vector).Number); got != severity {
			t.Errorf("%s: %s, expected %s", vector, got, severity)
		}
	}
}

// TestSourceRules holds that each rule about sources can be found, and says everything.
func TestSourceRules(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range harden.SourceRules {
		if harden.RuleOf(r.ID) != nil || seen[r.ID] {
			t.Errorf("%s: there are two rules of that name", r.ID)
		}
		seen[r.ID] = true
		if r.Title == "" || r.Why == "" || r.Looks == "" || r.Fix == "" {
			t.Errorf("%s: a text is missing", r.ID)
		}
		if _, ok := weights[r.ID]; !ok {
			t.Errorf("%s: no vector", r.ID)
		}
	}
}
