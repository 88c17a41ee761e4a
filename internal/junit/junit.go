// Package junit writes results in the form that continuous integration reads those of
// tests in. It is the form of Ant's JUnit task and has no standard;
// github.com/testmoapp/junitxml describes what of it everybody understands.
//
// It counts: a suite says of its cases what they are. Times are seconds, as text.
package junit

import (
	"encoding/xml"
	"fmt"
	"strings"
)

// Report is a whole document.
type Report struct {
	XMLName xml.Name `xml:"testsuites"`
	Name    string   `xml:"name,attr"`
	// Encode counts these.
	Tests    int      `xml:"tests,attr"`
	Failures int      `xml:"failures,attr"`
	Skipped  int      `xml:"skipped,attr"`
	Suites   []*Suite `xml:"testsuite"`
}

// Suite is the cases that belong together.
type Suite struct {
	Name      string `xml:"name,attr"`
	Timestamp string `xml:"timestamp,attr,omitempty"` // 2006-01-02T15:04:05
	// Add counts these.
	Tests    int    `xml:"tests,attr"`
	Failures int    `xml:"failures,attr"`
	Errors   int    `xml:"errors,attr"`
	Skipped  int    `xml:"skipped,attr"`
	Time     string `xml:"time,attr"`
	Cases    []Case `xml:"testcase"`
}

// Case is one test. It passed where it neither failed nor was skipped.
type Case struct {
	Class   string   `xml:"classname,attr"`
	Name    string   `xml:"name,attr"`
	Time    string   `xml:"time,attr"`
	Skipped *Outcome `xml:"skipped"`
	Failure *Outcome `xml:"failure"`
}

// Outcome is why a case did not pass.
type Outcome struct {
	Type    string `xml:"type,attr,omitempty"`
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// Add adds a case and counts it.
func (s *Suite) Add(c Case) {
	s.Tests++
	if c.Skipped != nil {
		s.Skipped++
	}
	if c.Failure != nil {
		s.Failures++
	}
	s.Cases = append(s.Cases, c)
}

// Encode returns the document.
func (r *Report) Encode() ([]byte, error) {
	r.Tests, r.Failures, r.Skipped = 0, 0, 0
	for _, s := range r.Suites {
		r.Tests += s.Tests
		r.Failures += s.Failures
		r.Skipped += s.Skipped
	}
	text, err := xml.MarshalIndent(r, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("cannot write results as JUnit: %w", err)
	}
	return append([]byte(xml.Header), append(text, '\n')...), nil
}

// Printable replaces what XML 1.0 cannot have (section 2.2) and what a terminal obeys.
func Printable(s string) string {
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
