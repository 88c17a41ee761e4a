package verify

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/record"
	"github.com/hardpan/hardpan/internal/sign"
)

// testResult is what is read of a result of tests (in-toto attestation framework,
// spec/predicates/test-result.md).
type testResult struct {
	Result        string
	Configuration []struct{ Digest map[string]string }
	PassedTests   []string
	WarnedTests   []string
	FailedTests   []string
}

// tested asks whether what is attested of tests is about those of the image's spec,
// all of them, and that they passed. rec is the record of the image, nil for none.
func tested(said []byte, rec *record.Record) sign.Question {
	switch {
	case said == nil && rec != nil && len(rec.Tests) == 0:
		return sign.Question{OK: true, Answer: "its spec has none"}
	case said == nil:
		return unanswered("no result of tests is attested")
	}
	var r testResult
	if err := json.Unmarshal(said, &r); err != nil {
		return no(fmt.Errorf("%w: result of tests: %w", ErrDocument, err))
	}
	if rec == nil {
		return unanswered("hardpan did not build the image")
	}
	var wanted []string
	for _, t := range rec.Tests {
		wanted = append(wanted, t.Name)
	}
	_, spec, _ := strings.Cut(rec.Spec, ":")
	others := slices.DeleteFunc(slices.Clone(r.PassedTests), func(name string) bool { return slices.Contains(wanted, name) })
	missing := slices.DeleteFunc(slices.Clone(wanted), func(name string) bool { return slices.Contains(r.PassedTests, name) })
	switch {
	case r.Result != "PASSED" || len(r.FailedTests)+len(r.WarnedTests) > 0:
		return no(fmt.Errorf("%w: the result is %.40q, %d failed", ErrTests, r.Result, len(r.FailedTests)))
	case len(r.Configuration) != 1 || r.Configuration[0].Digest["sha256"] != spec:
		return no(fmt.Errorf("%w: they are of another spec", ErrTests))
	case len(others) > 0:
		return no(fmt.Errorf("%w: its spec has no test %.200q", ErrTests, others[0]))
	case len(missing) > 0:
		return no(fmt.Errorf("%w: nothing is said of test %.200q", ErrTests, missing[0]))
	}
	return sign.Question{OK: true, Answer: fmt.Sprintf("all %d of its spec passed", len(wanted))}
}
