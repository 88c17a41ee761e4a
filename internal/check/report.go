package check

import (
	"time"

	"github.com/hardpan/hardpan/internal/harden"
)

// Status is the answer of one rule.
type Status string

// The answers.
const (
	Passed        Status = "passed"
	Failed        Status = "failed"
	Waived        Status = "waived" // all that it found is waived
	NotApplicable Status = "not-applicable"
)

// Report is how an image keeps the rules.
type Report struct {
	Image    string   `json:"image"` // as it was named
	Digest   string   `json:"digest"`
	Platform string   `json:"platform"`
	Profile  string   `json:"profile"`
	Date     string   `json:"date"` // the day that ages and waivers were judged by
	Layers   []string `json:"layers"`
	Paths    int      `json:"paths"`
	Size     int64    `json:"size"` // bytes of the files of all layers

	Results []Result `json:"results"`
	// Unused are waivers that let nothing pass, because nothing breaks their rule, or
	// because they have expired.
	Unused []Waiver `json:"unusedWaivers,omitempty"`
}

// Result is the answer of one rule.
type Result struct {
	Rule     string          `json:"rule"`
	Title    string          `json:"title"`
	Status   Status          `json:"status"`
	Severity harden.Severity `json:"severity"`         // the gravest of what is not waived, else the rule's
	Reason   string          `json:"reason,omitempty"` // why it does not apply
	Findings []Finding       `json:"findings,omitempty"`
	Omitted  int             `json:"omittedFindings,omitempty"` // more of the same that are not listed

	Rules *harden.Rule `json:"-"`
}

// Finding is one thing that breaks a rule.
type Finding struct {
	Severity harden.Severity `json:"severity"`
	Message  string          `json:"message"`
	Path     string          `json:"path,omitempty"`
	Line     int             `json:"line,omitempty"`
	Layer    *int            `json:"layer,omitempty"` // index, 0 is the lowest
	Value    string          `json:"value,omitempty"` // what was found
	Waiver   *Waiver         `json:"waiver,omitempty"`
}

// Waiver lets findings of a rule pass.
type Waiver struct {
	Rule    string   `json:"rule" yaml:"rule"`
	Reason  string   `json:"reason" yaml:"reason"`
	Paths   []string `json:"paths,omitempty" yaml:"paths"`     // patterns; none: all findings
	Expires string   `json:"expires,omitempty" yaml:"expires"` // last day on which it holds, 2006-01-02
	From    string   `json:"from" yaml:"-"`                    // the file it stands in, or "record"
	Expired bool     `json:"expired,omitempty" yaml:"-"`
}

// maxFindings is how many findings of a rule are listed.
const maxFindings = 200

// Worst returns the gravest severity of what is not waived, and whether there is any.
func (r *Report) Worst() (worst harden.Severity, any bool) {
	for _, result := range r.Results {
		if result.Status == Failed {
			worst, any = max(worst, result.Severity), true
		}
	}
	return worst, any
}

// Count returns how many rules have that answer.
func (r *Report) Count(s Status) int {
	n := 0
	for _, result := range r.Results {
		if result.Status == s {
			n++
		}
	}
	return n
}

// Failures returns how many rules failed with that severity.
func (r *Report) Failures(s harden.Severity) int {
	n := 0
	for _, result := range r.Results {
		if result.Status == Failed && result.Severity == s {
			n++
		}
	}
	return n
}

// Options say how an image is judged. The zero value asks all rules.
type Options struct {
	Profile Profile
	Waivers []Waiver
	// Now is the day that ages and waivers are judged by; zero is today.
	Now time.Time
	// Reference is how the image was named, "" where that is a path.
	Reference string
	// Attached is what lies beside the image.
	Attached Attached
}

// Attached says what lies beside an image. The zero value is: nobody could look.
type Attached struct {
	Asked      bool // artifacts were looked for
	Signed     bool
	SBOM       bool
	Provenance bool
	Verified   bool   // with a key
	Refused    string // why the key says no, "" where it does not
}
