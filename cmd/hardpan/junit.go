package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/hardpan/hardpan/builder"
	"github.com/hardpan/hardpan/internal/junit"
)

// writeJUnit writes what became of the tests, a suite for each platform.
func writeJUnit(w io.Writer, report *builder.TestReport) error {
	seconds := func(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()) }
	doc := junit.Report{Name: report.Name + ":" + report.Tag}
	var total time.Duration
	for _, t := range report.Tests {
		if n := len(doc.Suites); n == 0 || doc.Suites[n-1].Name != t.Platform {
			doc.Suites = append(doc.Suites, &junit.Suite{Name: t.Platform})
			total = 0
		}
		suite := doc.Suites[len(doc.Suites)-1]
		c := junit.Case{Name: t.Name, Class: report.Name + "." + t.Platform, Time: seconds(t.Elapsed)}
		switch t.Status {
		case builder.TestFailed:
			c.Failure = &junit.Outcome{Message: t.Why, Text: fmt.Sprintf("%s\n%q\n%s", t.Place, t.Command, strings.Join(t.Output, "\n"))}
		case builder.TestNotRun:
			c.Skipped = &junit.Outcome{Message: t.Why}
		}
		total += t.Elapsed
		suite.Time = seconds(total)
		suite.Add(c)
	}
	text, err := doc.Encode()
	if err != nil {
		return err
	}
	_, err = w.Write(text)
	return err
}
