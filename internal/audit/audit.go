package audit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hardpan/hardpan/internal/audit/dockerfile"
	"github.com/hardpan/hardpan/internal/harden"
)

// Options say how a file is judged. The zero value is right.
type Options struct {
	// Now is the day that ends of life and waivers are judged by; zero is today.
	Now time.Time
}

// The kinds of files.
const (
	KindDockerfile = "dockerfile"
	KindSpec       = "spec"
)

// File judges a Dockerfile, a Containerfile, or a spec, which is told by its name's ending
// .yaml or .yml. A file that cannot be read gives a *[dockerfile.Error] or specs.Errors.
func File(ctx context.Context, name string, o Options) (*Report, error) {
	text, err := read(name)
	if err != nil {
		return nil, err
	}
	if o.Now.IsZero() {
		o.Now = time.Now()
	}
	sum := sha256.Sum256(text)
	r := &Report{File: name, SHA256: hex.EncodeToString(sum[:])}
	if KindOf(name) == KindSpec {
		err = judgeSpec(r, name, o)
	} else {
		err = judgeDockerfile(r, name, text, o)
	}
	if err != nil {
		return nil, err
	}
	r.finish()
	return r, ctx.Err()
}

// KindOf says what a file is taken for, by its name.
func KindOf(name string) string {
	if ext := strings.ToLower(filepath.Ext(name)); ext == ".yaml" || ext == ".yml" {
		return KindSpec
	}
	return KindDockerfile
}

// maxFile is the largest file that is read, in bytes; what is longer is no Dockerfile.
const maxFile = 4 << 20

func read(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return nil, fmt.Errorf("%s is a directory, expected a Dockerfile or a spec", name)
	}
	return io.ReadAll(io.LimitReader(f, maxFile))
}

// judge asks the rules of one Dockerfile.
type judge struct {
	file    *dockerfile.File
	context *buildContext
	report  *Report
	now     time.Time

	aptLines map[*dockerfile.Stage]int // where apt is told to install nothing recommended
}

func judgeDockerfile(r *Report, name string, text []byte, o Options) error {
	f, err := dockerfile.Parse(name, text)
	if err != nil {
		return err
	}
	r.Kind, r.Image = KindDockerfile, imageLine(f)
	j := &judge{file: f, context: openContext(name), report: r, now: o.Now}
	for _, ask := range []func(){
		j.bases, j.stages, j.packages, j.removals, j.tools, j.downloads, j.adds, j.permissions, j.accounts, j.user, j.ports, j.health,
		j.start, j.environment, j.labels, j.volumes, j.secrets, j.sources, j.style, j.shells, j.commands,
	} {
		ask()
	}
	j.notJudged()
	j.good()
	j.missing()
	return nil
}

func imageLine(f *dockerfile.File) string {
	line := "on " + f.Final().Base().Image
	if n := len(f.Stages); n > 1 {
		line += fmt.Sprintf(", %d stages", n)
	}
	return line
}

// finding is what a judge has to say of a place; severity and vector are the rule's
// unless it says otherwise.
type finding struct {
	rule     string
	line     int
	step     *dockerfile.Step
	found    string
	evidence string
	severity *harden.Severity
}

func severity(s harden.Severity) *harden.Severity { return &s }

// add takes a finding into the report. In a stage that is thrown away what is about the
// image alone is only to be known.
func (r *Report) add(f finding) {
	rule := harden.SourceRuleOf(f.rule)
	w := weights[f.rule]
	out := Finding{
		Rule: f.rule, Title: rule.Title, Severity: rule.Severity, Score: scoreOf(w.vector), Line: f.line, Found: f.found, Evidence: shorten(f.evidence), Risk: rule.Why, Fix: rule.Fix,
		Controls: controlsOf(rule, w),
	}
	if w.cwe > 0 {
		out.CWE = fmt.Sprintf("CWE-%d", w.cwe)
	}
	if f.severity != nil && *f.severity != rule.Severity {
		out.Severity, out.Score = *f.severity, scoreOf(severities[*f.severity])
	}
	if f.step != nil {
		out.Stage, out.End = f.step.Stage.Label(), f.step.End
		if out.Line == 0 {
			out.Line = f.step.Line
		}
	}
	r.Findings = append(r.Findings, out)
}

// controlsOf returns the controls of a rule: those of its table, and those of NIST SP
// 800-53 that belong to its weakness.
func controlsOf(rule *harden.Rule, w weight) []harden.Control {
	list := rule.Controls.List()
	seen := map[string]bool{}
	for number := range strings.FieldsSeq(w.nist) {
		seen[number] = true
		list = append(list, harden.Control{Of: "NIST SP 800-53", Number: number})
	}
	for cci := range strings.FieldsSeq(rule.Controls.CCI) {
		if number := byCCI[cci]; number != "" && !seen[number] {
			seen[number] = true
			list = append(list, harden.Control{Of: "NIST SP 800-53", Number: number})
		}
	}
	if list == nil {
		list = []harden.Control{}
	}
	return list
}

// maxEvidence is the longest text that a finding shows, in characters.
const maxEvidence = 160

func shorten(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > maxEvidence {
		return string(r[:maxEvidence-3]) + "..."
	}
	return s
}

// found adds a finding of a step of the file; of ONBUILD it says so.
func (j *judge) found(rule string, step *dockerfile.Step, line int, what string, evidence string) {
	j.report.add(finding{rule: rule, step: step, line: line, found: what, evidence: evidence})
}

// foundAs is found with another severity than the rule's.
func (j *judge) foundAs(s harden.Severity, rule string, step *dockerfile.Step, line int, what string, evidence string) {
	j.report.add(finding{rule: rule, step: step, line: line, found: what, evidence: evidence, severity: severity(s)})
}

// steps goes through all steps of the file, or of those stages that the image is made of.
func (j *judge) steps(image bool) func(yield func(*dockerfile.Step) bool) {
	return func(yield func(*dockerfile.Step) bool) {
		for _, s := range j.file.Stages {
			if image && !j.file.Reaches(s) {
				continue
			}
			for _, step := range s.Steps {
				if !yield(step) {
					return
				}
			}
		}
	}
}

// run goes through the commands of all RUN steps.
func (j *judge) run(image bool) func(yield func(*dockerfile.Step, *dockerfile.Command) bool) {
	return func(yield func(*dockerfile.Step, *dockerfile.Command) bool) {
		for step := range j.steps(image) {
			if step.Name != "RUN" {
				continue
			}
			for _, c := range step.Commands() {
				if !yield(step, c) {
					return
				}
			}
		}
	}
}

// inImage reports whether a step's stage is part of the image.
func (j *judge) inImage(step *dockerfile.Step) bool { return j.file.Reaches(step.Stage) }
