package check

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/hardpan/hardpan/internal/check/facts"
	"github.com/hardpan/hardpan/internal/harden"
	"github.com/hardpan/hardpan/internal/oci"
)

// ResultType is the predicate type of what [Attest] returns.
const ResultType = "https://github.com/hardpan/hardpan/blob/main/docs/gate.md#hardening-v1"

// judgesFormat names how rules are answered. It changes when the answer of one may.
const judgesFormat = "1"

// RulesVersion names the rules of this program: their table, what is gathered of an image
// and how it is judged. Two programs of one version give an image the same results.
func RulesVersion() string {
	h := sha256.New()
	fmt.Fprintln(h, judgesFormat, facts.Format)
	for i := range harden.Rules {
		r := &harden.Rules[i]
		fmt.Fprintln(h, r.ID, r.Severity, r.Kinds, r.Strip)
	}
	return judgesFormat + "-" + hex.EncodeToString(h.Sum(nil))[:12]
}

// Attested is the predicate that says how an image keeps the rules: the fields of in-toto's
// test-result (attestation framework, spec/predicates/test-result.md), by which policies
// ask, and what is behind them.
type Attested struct {
	Result        string       `json:"result"`        // PASSED, WARNED or FAILED
	Configuration []Descriptor `json:"configuration"` // the spec, by its digest
	PassedTests   []string     `json:"passedTests"`
	WarnedTests   []string     `json:"warnedTests"` // broken, and let through by FailOn
	FailedTests   []string     `json:"failedTests"`

	FailOn  string           `json:"failOn"`  // least severity of what failed, or "never"
	Profile string           `json:"profile"` // of the spec
	Rules   string           `json:"rules"`   // [RulesVersion]
	Judged  string           `json:"judged"`  // day of the image's creation, by which ages and waivers are judged
	Waived  []AttestedRule   `json:"waived"`
	Broken  []AttestedRule   `json:"broken"`
	Without []AttestedReason `json:"notApplicable"`
}

// Descriptor is a resource descriptor of in-toto.
type Descriptor struct {
	Name   string            `json:"name"`
	Digest map[string]string `json:"digest"`
}

// AttestedRule is a rule that something breaks, waived or not.
type AttestedRule struct {
	Rule     string            `json:"rule"`
	Severity harden.Severity   `json:"severity"`
	Findings []AttestedFinding `json:"findings"`
	Omitted  int               `json:"omittedFindings,omitempty"`
}

// AttestedFinding is one thing that breaks a rule.
type AttestedFinding struct {
	Severity harden.Severity `json:"severity"`
	Message  string          `json:"message"`
	Path     string          `json:"path,omitempty"`
	Value    string          `json:"value,omitempty"`
	Layer    *int            `json:"layer,omitempty"`
	Waived   string          `json:"waived,omitempty"`  // the reason
	Expires  string          `json:"expires,omitempty"` // last day of the waiver
}

// AttestedReason says why a rule does not apply.
type AttestedReason struct {
	Rule   string `json:"rule"`
	Reason string `json:"reason"`
}

// beside are rules about what lies beside an image, which are asked where it lies.
var beside = map[string]bool{"signature-missing": true, "sbom-missing": true, "provenance-missing": true, "mutable-reference": true}

// Attest judges an image that hardpan built by all rules but those about what lies beside
// it, on the day of its creation, so that the same image gives the same bytes. gate is
// that which the image passes.
func Attest(img *facts.Image, gate harden.Gate) (*Attested, error) {
	rec := img.Record
	if rec == nil {
		return nil, fmt.Errorf("image %s has no record of its build", img.Digest)
	}
	day := img.Config.Created
	if day.IsZero() {
		day = time.Unix(0, 0)
	}
	report := Judge(img, Options{Now: day, Profile: Profile{Off: beside}})
	algorithm, digits, _ := strings.Cut(rec.Spec, ":")
	a := &Attested{
		Result: "PASSED", Configuration: []Descriptor{{"spec of " + rec.Name, map[string]string{algorithm: digits}}},
		PassedTests: []string{}, WarnedTests: []string{}, FailedTests: []string{},
		FailOn: gate.String(), Profile: rec.Profile, Rules: RulesVersion(), Judged: report.Date,
		Waived: []AttestedRule{}, Broken: []AttestedRule{}, Without: []AttestedReason{},
	}
	for _, r := range report.Results {
		switch r.Status {
		case Passed:
			a.PassedTests = append(a.PassedTests, r.Rule)
		case NotApplicable:
			a.Without = append(a.Without, AttestedReason{r.Rule, r.Reason})
		case Waived:
			a.PassedTests = append(a.PassedTests, r.Rule)
			a.Waived = append(a.Waived, attested(&r))
		case Failed:
			a.broken(&r, gate)
		}
	}
	return a, nil
}

// AttestImage reads an image that hardpan built, and returns the predicate of what
// [Attest] says of it by the gate of its spec.
func AttestImage(ctx context.Context, src *oci.Image) ([]byte, error) {
	img, err := facts.Read(ctx, src)
	if err != nil {
		return nil, err
	}
	if img.Record == nil {
		return nil, fmt.Errorf("image %s has no record of its build", img.Digest)
	}
	gate := harden.GateOf(harden.Profile(img.Record.Profile))
	if img.Record.FailOn != "" {
		if gate, err = harden.ParseGate(img.Record.FailOn); err != nil {
			return nil, err
		}
	}
	attested, err := Attest(img, gate)
	if err != nil {
		return nil, err
	}
	return attested.Encode()
}

func (a *Attested) broken(r *Result, gate harden.Gate) {
	a.Broken = append(a.Broken, attested(r))
	switch {
	case gate.Refuses(r.Severity):
		a.Result = "FAILED"
		a.FailedTests = append(a.FailedTests, r.Rule)
		return
	case r.Severity > harden.Info && a.Result == "PASSED":
		a.Result = "WARNED"
	}
	a.WarnedTests = append(a.WarnedTests, r.Rule)
}

func attested(r *Result) AttestedRule {
	rule := AttestedRule{Rule: r.Rule, Severity: r.Severity, Omitted: r.Omitted, Findings: []AttestedFinding{}}
	for _, f := range r.Findings {
		finding := AttestedFinding{Severity: f.Severity, Message: f.Message, Path: f.Path, Value: f.Value, Layer: f.Layer}
		if f.Waiver != nil {
			finding.Waived, finding.Expires = f.Waiver.Reason, f.Waiver.Expires
		}
		rule.Findings = append(rule.Findings, finding)
	}
	return rule
}

// Encode returns the predicate as JSON.
func (a *Attested) Encode() ([]byte, error) {
	text, err := json.Marshal(a)
	if err != nil {
		return nil, fmt.Errorf("cannot state how an image keeps the rules: %w", err)
	}
	return text, nil
}
