package check

import (
	"encoding/xml"
	"fmt"
	"strings"
)

// JUnit writes reports in the form that continuous integration reads test results in:
// a suite for each, a case for each rule. A rule that does not apply is skipped, and so
// is one of which all findings are waived.
func JUnit(reports []*Report) ([]byte, error) {
	all := junitSuites{Name: "hardpan check"}
	for _, r := range reports {
		suite := junitSuite{Name: strings.TrimSpace(r.Image + " " + r.Platform), Timestamp: r.Date + "T00:00:00"}
		for _, result := range r.Results {
			suite.add(r, &result)
		}
		all.Tests += suite.Tests
		all.Failures += suite.Failures
		all.Skipped += suite.Skipped
		all.Suites = append(all.Suites, suite)
	}
	b, err := xml.MarshalIndent(all, "", "  ")
	return append([]byte(xml.Header), append(b, '\n')...), err
}

type (
	junitSuites struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Name     string       `xml:"name,attr"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Skipped  int          `xml:"skipped,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name      string      `xml:"name,attr"`
		Timestamp string      `xml:"timestamp,attr"`
		Tests     int         `xml:"tests,attr"`
		Failures  int         `xml:"failures,attr"`
		Errors    int         `xml:"errors,attr"`
		Skipped   int         `xml:"skipped,attr"`
		Time      string      `xml:"time,attr"`
		Cases     []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Class   string        `xml:"classname,attr"`
		Name    string        `xml:"name,attr"`
		Time    string        `xml:"time,attr"`
		Skipped *junitSkipped `xml:"skipped"`
		Failure *junitFailure `xml:"failure"`
	}
	junitSkipped struct {
		Message string `xml:"message,attr"`
	}
	junitFailure struct {
		Type    string `xml:"type,attr"`
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

func (s *junitSuite) add(r *Report, result *Result) {
	c := junitCase{Class: "hardpan." + r.Profile, Name: result.Rule + ": " + result.Title, Time: "0"}
	s.Tests, s.Time = s.Tests+1, "0"
	switch result.Status {
	case NotApplicable:
		c.Skipped = &junitSkipped{"not applicable: " + printable(result.Reason)}
	case Waived:
		c.Skipped = &junitSkipped{"waived: " + printable(result.waivers())}
	case Failed:
		var text strings.Builder
		open := 0
		for _, f := range result.Findings {
			fmt.Fprintln(&text, printable(f.String()))
			if f.Waiver == nil {
				open++
			}
		}
		fmt.Fprintf(&text, "to fix: %s\n", result.Rules.Fix)
		c.Failure = &junitFailure{Type: result.Severity.String(), Message: fmt.Sprintf("%d findings", open+result.Omitted), Text: text.String()}
	}
	if c.Skipped != nil {
		s.Skipped++
	}
	if c.Failure != nil {
		s.Failures++
	}
	s.Cases = append(s.Cases, c)
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

// printable replaces what XML 1.0 cannot have (section 2.2), and what a terminal obeys.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' || r == '\n' {
			return ' '
		}
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == 0xfffe || r == 0xffff {
			return '?'
		}
		return r
	}, s)
}
