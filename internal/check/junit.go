package check

import (
	"fmt"
	"strings"

	"github.com/hardpan/hardpan/internal/junit"
)

// JUnit writes reports in the form that continuous integration reads test results in:
// a suite for each, a case for each rule. A rule that does not apply is skipped, and so
// is one of which all findings are waived.
func JUnit(reports []*Report) ([]byte, error) {
	all := junit.Report{Name: "hardpan check"}
	for _, r := range reports {
		suite := &junit.Suite{Name: strings.TrimSpace(r.Image + " " + r.Platform), Timestamp: r.Date + "T00:00:00", Time: "0"}
		for _, result := range r.Results {
			suite.Add(result.junit(r.Profile))
		}
		all.Suites = append(all.Suites, suite)
	}
	return all.Encode()
}

func (r *Result) junit(profile string) junit.Case {
	c := junit.Case{Class: "hardpan." + profile, Name: r.Rule + ": " + r.Title, Time: "0"}
	switch r.Status {
	case NotApplicable:
		c.Skipped = &junit.Outcome{Message: "not applicable: " + junit.Printable(r.Reason)}
	case Waived:
		c.Skipped = &junit.Outcome{Message: "waived: " + junit.Printable(r.waivers())}
	case Failed:
		var text strings.Builder
		open := 0
		for _, f := range r.Findings {
			fmt.Fprintln(&text, junit.Printable(f.String()))
			if f.Waiver == nil {
				open++
			}
		}
		fmt.Fprintf(&text, "to fix: %s\n", r.Rules.Fix)
		c.Failure = &junit.Outcome{Type: r.Severity.String(), Message: fmt.Sprintf("%d findings", open+r.Omitted), Text: text.String()}
	}
	return c
}

// waivers returns the reasons for which a rule's findings pass, each once.
func (r *Result) waivers() string {
	var reasons []string
	seen := map[string]bool{}
	for _, f := range r.Findings {
		if f.Waiver != nil && !seen[f.Waiver.describe()] {
			seen[f.Waiver.describe()] = true
			reasons = append(reasons, f.Waiver.describe())
		}
	}
	return strings.Join(reasons, "; ")
}

// String says a finding on one line.
func (f *Finding) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: ", f.Severity)
	if f.Path != "" {
		b.WriteString(f.Path)
		if f.Line > 0 {
			fmt.Fprintf(&b, ":%d", f.Line)
		}
		b.WriteString(": ")
	}
	b.WriteString(f.Message)
	if f.Value != "" {
		fmt.Fprintf(&b, " (%s)", f.Value)
	}
	if f.Layer != nil {
		fmt.Fprintf(&b, ", layer %d", *f.Layer+1)
	}
	if f.Waiver != nil {
		b.WriteString(", waived: " + f.Waiver.describe())
	}
	return b.String()
}
