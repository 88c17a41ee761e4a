package main

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/hardpan/hardpan/builder"
)

// The elements of a report in the form that CI systems read, which is that of Ant's
// JUnit task and has no standard; github.com/testmoapp/junitxml describes what of it
// everybody understands.
type junitSuites struct {
	XMLName xml.Name     `xml:"testsuites"`
	Name    string       `xml:"name,attr"`
	Suites  []junitSuite `xml:"testsuite"`
}

// junitSuite is the tests of one platform.
type junitSuite struct {
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Errors   int         `xml:"errors,attr"`
	Skipped  int         `xml:"skipped,attr"`
	Time     string      `xml:"time,attr"` // seconds
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Name    string        `xml:"name,attr"`
	Class   string        `xml:"classname,attr"`
	Time    string        `xml:"time,attr"`
	Failure *junitOutcome `xml:"failure"`
	Skipped *junitOutcome `xml:"skipped"`
}

type junitOutcome struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// writeJUnit writes what became of the tests, a suite for each platform.
func writeJUnit(w io.Writer, report *builder.TestReport) error {
	seconds := func(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()) }
	doc := junitSuites{Name: report.Name + ":" + report.Tag}
	var total time.Duration
	for _, t := range report.Tests {
		if n := len(doc.Suites); n == 0 || doc.Suites[n-1].Name != t.Platform {
			doc.Suites = append(doc.Suites, junitSuite{Name: t.Platform})
			total = 0
		}
		suite := &doc.Suites[len(doc.Suites)-1]
		c := junitCase{Name: t.Name, Class: report.Name + "." + t.Platform, Time: seconds(t.Elapsed)}
		switch t.Status {
		case builder.TestFailed:
			suite.Failures++
			c.Failure = &junitOutcome{t.Why, fmt.Sprintf("%s\n%q\n%s", t.Place, t.Command, strings.Join(t.Output, "\n"))}
		case builder.TestNotRun:
			suite.Skipped++
			c.Skipped = &junitOutcome{Message: t.Why}
		}
		total += t.Elapsed
		suite.Tests++
		suite.Time = seconds(total)
		suite.Cases = append(suite.Cases, c)
	}
	text, err := xml.MarshalIndent(doc, "", "  ")
	if err != nil {
		return fmt.Errorf("cannot write the results as JUnit: %w", err)
	}
	_, err = fmt.Fprintf(w, "%s%s\n", xml.Header, text)
	return err
}
