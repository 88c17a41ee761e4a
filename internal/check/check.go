package check

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hardpan/hardpan/internal/check/facts"
	"github.com/hardpan/hardpan/internal/harden"
	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/tree"
)

// Image judges an image. Errors of content that is not what its digest says wrap
// [oci.ErrMismatch]; those of an image out of all bounds [oci.ErrTooLarge].
func Image(ctx context.Context, src *oci.Image, o Options) (*Report, error) {
	img, err := facts.Read(ctx, src)
	if err != nil {
		return nil, err
	}
	return Judge(img, o), nil
}

// Judge judges what is known of an image.
func Judge(img *facts.Image, o Options) *Report {
	if o.Now.IsZero() {
		o.Now = time.Now()
	}
	o.Now = o.Now.UTC().Truncate(24 * time.Hour)
	o.Profile = o.Profile.orAll()
	r := &Report{
		Digest: string(img.Digest), Platform: img.Platform.String(), Profile: o.Profile.Name, Date: o.Now.Format(time.DateOnly),
		Paths: img.Len(), Size: img.Unpacked, Layers: []string{},
	}
	for _, l := range img.Layers {
		r.Layers = append(r.Layers, l.Digest)
	}
	waivers := slices.Concat(recorded(img), o.Waivers, o.Profile.Waive)
	for i := range waivers {
		waivers[i].Expired = waivers[i].expired(o.Now)
	}
	used := make([]bool, len(waivers))
	steps := sync.OnceValue(func() []step { return stepsOf(img.History) })
	for i := range harden.Rules {
		rule := &harden.Rules[i]
		if severity, ok := o.Profile.severity(rule); ok {
			r.Results = append(r.Results, ask(&question{Image: img, options: o, rule: rule, severity: severity, waivers: waivers, used: used, steps: steps}))
		}
	}
	for i, w := range waivers {
		if !used[i] {
			r.Unused = append(r.Unused, w)
		}
	}
	return r
}

// recorded returns the waivers of the spec that the image was built from.
func recorded(img *facts.Image) []Waiver {
	if img.Record == nil {
		return nil
	}
	var list []Waiver
	for _, w := range img.Record.Waived {
		list = append(list, Waiver{Rule: w.Rule, Reason: w.Reason, Expires: w.Expires, From: "record"})
	}
	return list
}

// A question is one rule that is being asked of an image.
type question struct {
	*facts.Image
	options  Options
	rule     *harden.Rule
	severity harden.Severity
	findings []Finding
	omitted  int
	counts   [harden.Critical + 1]int // of findings, listed or not
	steps    func() []step            // of the history, taken apart once
	waivers  []Waiver
	used     []bool
	waived   int
}

// ask answers one rule.
func ask(q *question) Result {
	result := Result{Rule: q.rule.ID, Title: q.rule.Title, Severity: q.severity, Status: Passed, Rules: q.rule}
	result.Reason = judges[q.rule.ID](q)
	result.Findings, result.Omitted = q.findings, q.omitted
	open := slices.Max(append(q.counts[:], 0)) > 0
	switch {
	case open:
		result.Status, result.Severity = Failed, harden.Info
		for s, n := range q.counts {
			if n > 0 {
				result.Severity = harden.Severity(s)
			}
		}
	case q.waived > 0:
		result.Status = Waived
	case result.Reason != "":
		result.Status = NotApplicable
	}
	if result.Status != NotApplicable {
		result.Reason = ""
	}
	slices.SortStableFunc(result.Findings, func(a, b Finding) int { return int(b.Severity) - int(a.Severity) })
	return result
}

// applies is what a judge returns of a rule that was asked.
const applies = ""

// found notes a finding of the rule's severity.
func (q *question) found(f Finding) { q.foundAs(q.rule.Severity, f) }

// foundAs notes a finding that is less grave than the rule, or graver. A profile that
// changes the rule's severity changes it by as much.
func (q *question) foundAs(s harden.Severity, f Finding) {
	if q.severity != q.rule.Severity {
		s = harden.Severity(min(max(int(s)+int(q.severity)-int(q.rule.Severity), 0), int(harden.Critical)))
	}
	f.Severity = s
	if w := q.waiver(f); w != nil {
		f.Waiver = w
		q.waived++
	} else {
		q.counts[s]++
	}
	f.Path, f.Value, f.Message = clip(f.Path), clip(f.Value), clip(f.Message)
	if len(q.findings) >= maxFindings {
		q.omitted++
		return
	}
	q.findings = append(q.findings, f)
}

// maxShown bounds what is printed of anything that an image says, in bytes.
const maxShown = 400

func clip(s string) string {
	if len(s) > maxShown {
		s = s[:maxShown] + "..."
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// waiver returns the waiver that lets a finding pass.
func (q *question) waiver(f Finding) *Waiver {
	for i := range q.waivers {
		w := &q.waivers[i]
		if w.Rule != q.rule.ID || w.Expired {
			continue
		}
		if len(w.Paths) == 0 || slices.ContainsFunc(w.Paths, func(p string) bool { return harden.Match(tree.Clean(p), tree.Clean(f.Path)) }) {
			q.used[i] = true
			return w
		}
	}
	return nil
}

// at is the place of a file, for a finding.
func at(f *facts.File, message, value string) Finding {
	layer := f.Layer
	return Finding{Path: "/" + f.Path, Layer: &layer, Message: message, Value: value}
}

// said is a finding about the config.
func said(message, value string) Finding { return Finding{Message: message, Value: value} }

func mode(f *facts.File) string {
	return fmt.Sprintf("%04o %d:%d", f.Mode, f.UID, f.GID)
}
