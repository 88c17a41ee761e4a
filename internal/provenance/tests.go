package provenance

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/hardpan/hardpan/internal/record"
)

// TestResultType is the predicate type of what [TestResult] returns (in-toto
// attestation framework, spec/predicates/test-result.md).
const TestResultType = "https://in-toto.io/attestation/test-result/v0.1"

// testResult is the predicate, of which we state results that are good: an image
// with others is not published.
type testResult struct {
	Result        string          `json:"result"` // PASSED, WARNED or FAILED
	Configuration []configuration `json:"configuration"`
	PassedTests   []string        `json:"passedTests"`
}

// configuration is a resource descriptor of what says which tests there are.
type configuration struct {
	Name   string            `json:"name"`
	Digest map[string]string `json:"digest"`
}

// TestResult states that the tests of an image, which its spec has, were run and
// passed.
func TestResult(r *record.Record, passed []string) ([]byte, error) {
	algorithm, hex, _ := strings.Cut(r.Spec, ":")
	text, err := json.Marshal(testResult{
		Result: "PASSED", PassedTests: passed,
		Configuration: []configuration{{Name: "spec of " + r.Name, Digest: map[string]string{algorithm: hex}}},
	})
	if err != nil {
		return nil, fmt.Errorf("cannot state the results of tests: %w", err)
	}
	return text, nil
}
