package builder

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/hardpan/hardpan/internal/check"
	"github.com/hardpan/hardpan/internal/check/facts"
	"github.com/hardpan/hardpan/internal/harden"
	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/record"
	"github.com/hardpan/hardpan/internal/store"
)

// ErrGate is wrapped by errors about images that break a hardening rule as badly as their
// gate says. Nothing of them is published.
var ErrGate = errors.New("the image breaks a hardening rule")

// Hardening is how one platform's image keeps the hardening rules today.
type Hardening struct {
	Image         store.Digest `json:"image"` // of the manifest
	Platform      string       `json:"platform"`
	FailOn        string       `json:"failOn"` // least severity that refuses the image, or "never"
	Passed        int          `json:"passed"` // rules
	NotApplicable int          `json:"notApplicable"`

	// Broken has the rules that something breaks, waived or not.
	Broken []check.Result `json:"broken,omitempty"`
	// Expired has the waivers of the spec that hold no longer.
	Expired []check.Waiver `json:"expiredWaivers,omitempty"`
}

// Count returns how many rules are broken with that severity, and how many are broken
// and waived.
func (h *Hardening) Count(severity harden.Severity) (failed, waived int) {
	for i := range h.Broken {
		switch r := &h.Broken[i]; {
		case r.Status == check.Waived:
			waived++
		case r.Severity == severity:
			failed++
		}
	}
	return failed, waived
}

// GateError is a finding that an image is not published for.
type GateError struct {
	Platform string
	Rule     *harden.Rule
	Finding  check.Finding
	Expired  string // last day of the waiver that let it pass, "" for none
}

func (e *GateError) Error() string {
	where := ""
	if e.Expired != "" {
		where = ", whose waiver expired on " + e.Expired
	}
	severity, finding, _ := strings.Cut(e.Finding.String(), ": ")
	return fmt.Sprintf("%s: rule %s (%s)%s: %s", e.Platform, e.Rule.ID, severity, where, finding)
}

// Hint says how to mend it, and what to write where it has to be.
func (e *GateError) Hint() string {
	return fmt.Sprintf("%s; or say why it has to be, in the spec: hardening: {waive: [{rule: %s, reason: \"...\"}]}", e.Rule.Fix, e.Rule.ID)
}

// Unwrap returns [ErrGate].
func (e *GateError) Unwrap() error { return ErrGate }

// gateLevel returns the gate of the images: that of the call, else that of the spec, else
// that of its profile.
func (b *build) gateLevel() (harden.Gate, error) {
	for _, name := range []string{b.o.FailOn, b.spec.Hardening.FailOn} {
		if name != "" {
			g, err := harden.ParseGate(name)
			if err != nil {
				err = specFault{fmt.Errorf("fail-on: %w", err)}
			}
			return g, err
		}
	}
	return harden.GateOf(harden.Profile(b.spec.Hardening.Profile)), nil
}

// gate judges the images by the same rules as `hardpan check`, and returns an error where
// one of them may not be published. The day is that of the machine's clock: what the rules
// about ages and waivers say depends on it, and no image does.
func (b *build) gate(ctx context.Context, res *Result) ([]Hardening, error) {
	level, err := b.gateLevel()
	if err != nil {
		return nil, err
	}
	var all []Hardening
	var errs Errors
	for _, img := range res.Index.Images {
		h, err := b.hardening(ctx, img)
		if err != nil {
			return nil, fmt.Errorf("%s: cannot judge the image: %w", img.Platform, err)
		}
		h.FailOn = level.String()
		errs = append(errs, h.refusals(level)...)
		all = append(all, *h)
	}
	if len(errs) > 0 {
		return nil, errs
	}
	return all, nil
}

// hardening asks the rules of one image, unless the store remembers today's answers.
func (b *build) hardening(ctx context.Context, img *oci.Image) (*Hardening, error) {
	o := check.Options{Now: b.now()}
	if b.o.Outputs.Sign != nil { // what signs attests all of it
		o.Attached = check.Attached{Asked: true, Signed: true, SBOM: len(b.o.Outputs.Describe) > 0, Provenance: true}
	}
	key := strings.Join([]string{check.RulesVersion(), string(img.Digest), fmt.Sprint(o.Attached), o.Now.UTC().Format(time.DateOnly)}, "\x00")
	h := &Hardening{}
	if b.store.Get("hardening", key, h) {
		return h, nil
	}
	known, err := b.facts(ctx, img)
	if err != nil {
		return nil, err
	}
	if b.o.Outputs.Sign != nil {
		b.known[img.Digest] = known
	}
	report := check.Judge(known, o)
	h.Image, h.Platform, h.Passed, h.NotApplicable = img.Digest, img.Platform.String(), report.Count(check.Passed), report.Count(check.NotApplicable)
	for _, r := range report.Results {
		if r.Status == check.Failed || r.Status == check.Waived {
			h.Broken = append(h.Broken, r)
		}
	}
	for _, w := range report.Unused {
		if w.Expired {
			h.Expired = append(h.Expired, w)
		}
	}
	return h, b.store.Set("hardening", key, h)
}

// attestHardening returns how an image keeps the rules on the day of its creation, which
// depends on nothing but the image and the gate. The store keeps it.
func (b *build) attestHardening(ctx context.Context, img *oci.Image) ([]byte, error) {
	level, err := b.gateLevel()
	if err != nil {
		return nil, err
	}
	key := strings.Join([]string{check.RulesVersion(), string(img.Digest), level.String()}, "\x00")
	var text json.RawMessage
	if b.store.Get("hardening-attested", key, &text) {
		return text, nil
	}
	known := b.known[img.Digest]
	if delete(b.known, img.Digest); known == nil {
		if known, err = b.facts(ctx, img); err != nil {
			return nil, err
		}
	}
	attested, err := check.Attest(known, level)
	if err != nil {
		return nil, err
	}
	if text, err = attested.Encode(); err != nil {
		return nil, err
	}
	return text, b.store.Set("hardening-attested", key, text)
}

// now is the clock that ages and waivers are judged by.
func (b *build) now() time.Time {
	if b.o.now != nil {
		return b.o.now()
	}
	return time.Now()
}

// facts returns what is known of an image, of which the layers that this cache has
// written are not read again.
func (b *build) facts(ctx context.Context, img *oci.Image) (*facts.Image, error) {
	rec := b.records[img.Digest]
	delete(b.records, img.Digest)
	var err error
	if rec == nil {
		if rec, err = record.Decode(img.Config.Record); err != nil {
			return nil, err
		}
	}
	if len(rec.Paths.Path) > manyPaths {
		runtime.GC() // the tree that the image was made of is not needed any more
	}
	contents := make([]*facts.Content, len(img.Layers))
	for i, l := range img.Layers {
		if contents[i], err = b.press.content(ctx, l); err != nil {
			return nil, err
		}
	}
	for _, i := range facts.Unvouched(img, rec, contents) { // such as files whose mode the spec sets
		if contents[i], err = b.press.read(ctx, img.Layers[i]); err != nil {
			return nil, err
		}
	}
	return facts.New(img, rec, contents), nil
}

// refusals returns what an image may not be published for.
func (h *Hardening) refusals(level harden.Gate) []error {
	var errs []error
	for _, r := range h.Broken {
		rule := harden.RuleOf(r.Rule)
		expired := ""
		for _, w := range h.Expired {
			if w.Rule == r.Rule {
				expired = w.Expires
			}
		}
		for _, f := range r.Findings {
			if f.Waiver == nil && level.Refuses(f.Severity) {
				errs = append(errs, &GateError{Platform: h.Platform, Rule: rule, Finding: f, Expired: expired})
			}
		}
		if r.Omitted > 0 && level.Refuses(r.Severity) && r.Status == check.Failed {
			more := check.Finding{Severity: r.Severity, Message: fmt.Sprintf("and %d more", r.Omitted)}
			errs = append(errs, &GateError{Platform: h.Platform, Rule: rule, Finding: more})
		}
	}
	return errs
}
