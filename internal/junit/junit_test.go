package junit

import "testing"

// TestEncode: what is no XML becomes something else, and counts are those of the cases.
func TestEncode(t *testing.T) {
	first := &Suite{Name: "linux/amd64", Time: "1.500"}
	first.Add(Case{Class: "a", Name: "good", Time: "1.000"})
	first.Add(Case{Class: "a", Name: "bad", Time: "0.500", Failure: &Outcome{Type: "high", Message: `1 & "2"`, Text: "]]>\x01"}})
	second := &Suite{Name: "linux/arm64", Timestamp: "2026-11-22T00:00:00", Time: "0"}
	second.Add(Case{Class: "a", Name: "good", Time: "0", Skipped: &Outcome{Message: Printable("a\nb\x1b[31m\u0085")}})
	report := Report{Name: "app:1", Suites: []*Suite{first, second}}
	const want = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="app:1" tests="3" failures="1" skipped="1">
  <testsuite name="linux/amd64" tests="2" failures="1" errors="0" skipped="0" time="1.500">
    <testcase classname="a" name="good" time="1.000"></testcase>
    <testcase classname="a" name="bad" time="0.500">
      <failure type="high" message="1 &amp; &#34;2&#34;">]]&gt;` + "\uFFFD" + `</failure>
    </testcase>
  </testsuite>
  <testsuite name="linux/arm64" timestamp="2026-11-22T00:00:00" tests="1" failures="0" errors="0" skipped="1" time="0">
    <testcase classname="a" name="good" time="0">
      <skipped message="a b?[31m?"></skipped>
    </testcase>
  </testsuite>
</testsuites>
`
	for range 2 { // encoding again counts nothing twice
		got, err := report.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != want {
			t.Errorf("found\n%s\nwant\n%s", got, want)
		}
	}
}
