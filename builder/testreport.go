package builder

import (
	"fmt"
	"strings"
	"time"

	"github.com/hardpan/hardpan/internal/store"
)

// What became of a test.
const (
	TestPassed = "passed"
	TestFailed = "failed"
	TestNotRun = "not run" // this host cannot run programs of the image
)

// TestResult is what became of one test of one platform's image.
type TestResult struct {
	Image    store.Digest  `json:"image"` // of the manifest
	Platform string        `json:"platform"`
	Name     string        `json:"name"`
	Place    string        `json:"place,omitempty"` // of the test in the spec
	Command  []string      `json:"command"`
	Status   string        `json:"status"`
	Why      string        `json:"why,omitempty"` // it failed or was not run
	Hint     string        `json:"hint,omitempty"`
	Output   []string      `json:"output,omitempty"`  // the last lines, where it failed
	Elapsed  time.Duration `json:"elapsed,omitempty"` // nanoseconds
	Cached   bool          `json:"cached,omitempty"`  // it passed before, on an image of this digest
}

// TestError is a test that failed, or was not run where it had to be.
type TestError struct{ Result TestResult }

func (e *TestError) Error() string {
	r := &e.Result
	var b strings.Builder
	if r.Place != "" {
		b.WriteString(r.Place + ": ")
	}
	fmt.Fprintf(&b, "%s: test %s (%.120q)", r.Platform, r.Name, r.Command)
	if r.Status == TestNotRun {
		b.WriteString(" was not run")
	}
	b.WriteString(": " + r.Why)
	if len(r.Output) > 0 {
		fmt.Fprintf(&b, "; its output ends %.1000q", strings.Join(r.Output, "\n"))
	}
	return b.String()
}

// Hint says what may mend it.
func (e *TestError) Hint() string { return e.Result.Hint }

// TestReport is what became of the tests of an image.
type TestReport struct {
	Name   string       `json:"name"`
	Tag    string       `json:"tag"`
	Digest store.Digest `json:"digest"` // of the index, or of the one image
	Tests  []TestResult `json:"tests"`
}

// Err returns the tests that failed and, where all are required, those that were not
// run; nil where there is none.
func (r *TestReport) Err(required bool) error { return testErrors(r.Tests, required) }

func testErrors(results []TestResult, required bool) error {
	var errs Errors
	for i := range results {
		if r := &results[i]; r.Status == TestFailed || required && r.Status == TestNotRun {
			errs = append(errs, &TestError{*r})
		}
	}
	if len(errs) > 0 {
		return errs
	}
	return nil
}

// namesPassed returns the names of an image's tests that passed, none where one did
// not.
func namesPassed(results []TestResult, image store.Digest) []string {
	var names []string
	for _, r := range results {
		switch {
		case r.Image != image:
		case r.Status != TestPassed:
			return nil
		default:
			names = append(names, r.Name)
		}
	}
	return names
}
