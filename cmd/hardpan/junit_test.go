package main

import (
	"encoding/xml"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hardpan/hardpan/builder"
)

// TestJUnit reads what is written as the CI systems do that know the form.
func TestJUnit(t *testing.T) {
	report := &builder.TestReport{Name: "app", Tag: "1", Tests: []builder.TestResult{
		{Platform: "linux/amd64", Name: "good", Status: builder.TestPassed, Elapsed: 1500 * time.Millisecond},
		{
			Platform: "linux/amd64", Name: "bad", Status: builder.TestFailed, Elapsed: 250 * time.Millisecond, Place: "app.yaml:3:5",
			Command: []string{"sh", "a<b"}, Why: `exited with 1 & "said" <no>`, Output: []string{"first]]>", "second \x01\x1b[31m"},
		},
		{Platform: "linux/arm64", Name: "good", Status: builder.TestNotRun, Why: "no emulator"},
	}}
	var b strings.Builder
	if err := writeJUnit(&b, report); err != nil {
		t.Fatal(err)
	}
	var doc struct {
		XMLName xml.Name `xml:"testsuites"`
		Suites  []struct {
			Name     string `xml:"name,attr"`
			Tests    int    `xml:"tests,attr"`
			Failures int    `xml:"failures,attr"`
			Skipped  int    `xml:"skipped,attr"`
			Time     string `xml:"time,attr"`
			Cases    []struct {
				Name    string `xml:"name,attr"`
				Class   string `xml:"classname,attr"`
				Failure *struct {
					Message string `xml:"message,attr"`
					Text    string `xml:",chardata"`
				} `xml:"failure"`
				Skipped *struct {
					Message string `xml:"message,attr"`
				} `xml:"skipped"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal([]byte(b.String()), &doc); err != nil {
		t.Fatalf("%v:\n%s", err, b.String())
	}
	var got strings.Builder
	for _, s := range doc.Suites {
		fmt.Fprintf(&got, "%s: %d tests, %d failed, %d skipped, %s s\n", s.Name, s.Tests, s.Failures, s.Skipped, s.Time)
		for _, c := range s.Cases {
			fmt.Fprintf(&got, "  %s of %s", c.Name, c.Class)
			if c.Failure != nil {
				fmt.Fprintf(&got, " failed: %s; %q", c.Failure.Message, c.Failure.Text)
			}
			if c.Skipped != nil {
				fmt.Fprintf(&got, " skipped: %s", c.Skipped.Message)
			}
			fmt.Fprintln(&got)
		}
	}
	want := `linux/amd64: 2 tests, 1 failed, 0 skipped, 1.750 s
  good of app.linux/amd64
  bad of app.linux/amd64 failed: exited with 1 & "said" <no>; "app.yaml:3:5\n[\"sh\" \"a<b\"]\nfirst]]>\nsecond ��[31m"
linux/arm64: 1 tests, 0 failed, 1 skipped, 0.000 s
  good of app.linux/arm64 skipped: no emulator
`
	if got.String() != want {
		t.Errorf("found:\n%s\nwant:\n%s", got.String(), want)
	}
}
