package check

import (
	"encoding/json"
	"encoding/xml"
	"strings"
	"testing"
	"time"

	"github.com/hardpan/hardpan/internal/harden"
	"github.com/hardpan/hardpan/internal/record"
	"github.com/hardpan/hardpan/internal/sarif/sariftest"
)

// broken is an image that breaks several rules, in file names too.
func broken() *fixture {
	f := sound()
	f.config.User = ""
	f.add("/app/ab&<\x01>\xff.py 644 4711:0 k=\""+awsKey+"\"\\n", "/usr/bin/up 4755 0:0 x")
	return f
}

// SARIF is what the schema of OASIS says, of any image.
func TestSARIF(t *testing.T) {
	waived := broken()
	waived.options.Waivers = []Waiver{{Rule: "privilege-bits", Reason: "it must", From: "x"}}
	for name, f := range map[string]*fixture{"sound": sound(), "broken": broken(), "waived": waived} {
		text, err := SARIF([]*Report{f.judge(t), f.judge(t)}, "1.0")
		if err != nil {
			t.Fatal(err)
		}
		sariftest.Validate(t, name, text)
		if has := strings.Contains(string(text), `"justification": "it must"`); has != (name == "waived") {
			t.Errorf("%s: a suppression is there: %t", name, has)
		}
		if name == "broken" && (!strings.Contains(string(text), `"uri": "usr/bin/up"`) || !strings.Contains(string(text), `"uri": "app/ab&%3C%01%3E`)) {
			t.Errorf("paths are no URIs: %s", text)
		}
	}
}

// JUnit is well-formed, and its counts are those of its cases.
func TestJUnit(t *testing.T) {
	report := broken().judge(t)
	text, err := JUnit([]*Report{report})
	if err != nil {
		t.Fatal(err)
	}
	var read struct {
		Suite struct {
			Tests    int `xml:"tests,attr"`
			Failures int `xml:"failures,attr"`
			Skipped  int `xml:"skipped,attr"`
			Cases    []struct {
				Name    string  `xml:"name,attr"`
				Failure *string `xml:"failure"`
				Skipped *struct {
					Message string `xml:"message,attr"`
				} `xml:"skipped"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal(text, &read); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	failures, skipped := 0, 0
	for _, c := range read.Suite.Cases {
		if c.Failure != nil {
			failures++
		}
		if c.Skipped != nil {
			skipped++
		}
	}
	s := read.Suite
	if s.Tests != len(s.Cases) || s.Tests != len(harden.Rules) || s.Failures != failures || failures != report.Count(Failed) || s.Skipped != skipped || skipped != report.Count(NotApplicable) {
		t.Errorf("counts %d %d %d, cases %d %d %d", s.Tests, s.Failures, s.Skipped, len(s.Cases), failures, skipped)
	}
}

// The same image gives the same bytes.
func TestReportIsTheSame(t *testing.T) {
	var texts []string
	for range 3 {
		f := broken()
		for range 3 {
			f.add("/app/x 666 1:1 x", "/app/y 666 2:2 x")
		}
		b, err := json.Marshal(f.judge(t))
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(b))
	}
	if texts[0] != texts[1] || texts[1] != texts[2] {
		t.Errorf("%s\n%s", texts[0], texts[1])
	}
}

func TestWaivers(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*fixture)
		want   Status
		unused int
	}{
		{"of the rule", func(f *fixture) { f.options.Waivers = []Waiver{{Rule: "privilege-bits", Reason: "r"}} }, Waived, 0},
		{"of the path", func(f *fixture) {
			f.options.Waivers = []Waiver{{Rule: "privilege-bits", Reason: "r", Paths: []string{"/usr/bin/*"}}}
		}, Waived, 0},
		{"of another path", func(f *fixture) {
			f.options.Waivers = []Waiver{{Rule: "privilege-bits", Reason: "r", Paths: []string{"/bin/up"}}}
		}, Failed, 1},
		{"of another rule", func(f *fixture) { f.options.Waivers = []Waiver{{Rule: "image-age", Reason: "r"}} }, Failed, 1},
		{"until today", func(f *fixture) {
			f.options.Waivers = []Waiver{{Rule: "privilege-bits", Reason: "r", Expires: "2026-11-22"}}
		}, Waived, 0},
		{"until yesterday", func(f *fixture) {
			f.options.Waivers = []Waiver{{Rule: "privilege-bits", Reason: "r", Expires: "2026-11-21"}}
		}, Failed, 1},
		{"of the record", recordOf(func(r *record.Record) { r.Waived = []record.Waived{{Rule: "privilege-bits", Reason: "r"}} }), Waived, 0},
		{"of the profile", func(f *fixture) {
			f.options.Profile = must[Profile](t)(ParseProfile("p.yaml", []byte("extends: cis\nwaive: [{rule: privilege-bits, reason: r}]")))
		}, Waived, 0},
	} {
		f := sound()
		f.add("/usr/bin/up 4755 0:0 x")
		c.change(f)
		r := f.judge(t)
		if got := r.result("privilege-bits"); got.Status != c.want || len(r.Unused) != c.unused || (got.Findings[0].Waiver != nil) != (c.want == Waived) {
			t.Errorf("waiver %s: %s, %d unused", c.name, got.Status, len(r.Unused))
		}
	}
}

func TestProfiles(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"extends: cis\nrules: {privilege-bits: low, root-user: off}\nlimits: {size: 5MB, packages: 3, age: 9d}", ""},
		{"", ""},
		{"extends: ours", `extends: "ours" is not known, expected one of all, cis, disa, nist-800-190, strict`},
		{"rules: {shell-presnt: low}", `did you mean "shell-present"?`},
		{"rules: {shell-present: bad}", `severity is "bad"`},
		{"limits: {size: big}", "expected a size such as 200MB"},
		{"limits: {age: 3}", "expected days such as 90d"},
		{"colour: red", "colour"},
		{"waive: [{rule: shell-present}]", "shell-present has no reason"},
		{"waive: [{rule: shell-present, reason: r, expires: soon}]", "expected a day such as 2030-12-31"},
		{"waive: [{rule: x, reason: r}]", `rule "x" is not known`},
		{"- 1", "p.yaml"},
	} {
		p, err := ParseProfile("p.yaml", []byte(c.text))
		if (err == nil) != (c.want == "") || err != nil && (!strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n")) {
			t.Errorf("%q: %v, want %q", c.text, err, c.want)
		}
		if strings.HasPrefix(c.text, "extends: cis\nrules") {
			_, asked := p.severity(harden.RuleOf("root-user"))
			low, _ := p.severity(harden.RuleOf("privilege-bits"))
			_, unlisted := p.severity(harden.RuleOf("elf-pie"))
			if asked || low != harden.Low || unlisted || p.Limits != (Limits{5e6, 3, 9 * 24 * time.Hour}) {
				t.Errorf("profile %+v: root-user asked %t, privilege-bits %s, elf-pie asked %t", p, asked, low, unlisted)
			}
		}
	}
}

// A profile that changes the severity of a rule changes that of its lesser findings too.
func TestSeverityOfAProfile(t *testing.T) {
	f := sound()
	f.add("/usr/bin/up 2755 0:42 x") // medium under a rule of high
	f.options.Profile = must[Profile](t)(ParseProfile("p.yaml", []byte("rules: {privilege-bits: medium}")))
	if got := f.judge(t).result("privilege-bits"); got.Severity != harden.Low {
		t.Errorf("severity %s, want low", got.Severity)
	}
	f = sound()
	f.add("/app/data 644 4711:4712 x") // a rule of low
	f.options.Profile = must[Profile](t)(ParseProfile("p.yaml", []byte("rules: {unowned-file: medium}")))
	if got := f.judge(t).result("unowned-file"); got.Severity != harden.Medium {
		t.Errorf("severity %s, want medium", got.Severity)
	}
}

// What is not applicable is never passed: an image of nothing.
func TestEmptyImage(t *testing.T) {
	f := &fixture{layers: [][]string{{}}, options: Options{Now: today}}
	r := f.judge(t)
	for _, id := range []string{"empty-password", "zero-id", "tls-policy", "umask", "signature-missing", "package-files-changed", "elf-pie", "privileged-port", "base-unpinned", "history-add", "end-of-life", "mutable-reference"} {
		if got := r.result(id); got.Status != NotApplicable || got.Reason == "" {
			t.Errorf("%s is %s", id, got.Status)
		}
	}
	if got := r.result("root-user"); got.Status != Failed {
		t.Errorf("root-user is %s", got.Status)
	}
}
