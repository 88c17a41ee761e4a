package verify

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/check"
	"github.com/hardpan/hardpan/internal/check/facts"
	"github.com/hardpan/hardpan/internal/harden"
	"github.com/hardpan/hardpan/internal/sign"
)

// hardening judges an image that hardpan built anew, and compares how it keeps the rules
// with what is attested. An image without that attestation is refused: whoever builds one
// with a key attests it, and who took it away had a reason.
func hardening(img *facts.Image, document []byte) sign.Question {
	if document == nil {
		return no(fmt.Errorf("%w: nothing is attested of them", ErrHardening))
	}
	said, gate, err := readAttested(document)
	if err != nil {
		return no(fmt.Errorf("%w: hardening: %w", ErrDocument, err))
	}
	found, err := check.Attest(img, gate)
	if err != nil {
		return no(fmt.Errorf("%w: %w", ErrHardening, err))
	}
	if len(found.FailedTests) > 0 {
		return no(fmt.Errorf("%w: broken with severity %s or above: %s", ErrHardening, gate, strings.Join(found.FailedTests, ", ")))
	}
	if said.Rules != found.Rules {
		return unanswered(fmt.Sprintf("it is attested by rules %.40q, this hardpan has %s, which it keeps", said.Rules, found.Rules))
	}
	if differences := compareHardening(said, found); len(differences) > 0 {
		return no(fmt.Errorf("%w: %s", ErrHardening, summary(differences)))
	}
	answer := fmt.Sprintf("%d rules are kept as attested", len(found.PassedTests)-len(found.Waived))
	for _, part := range []struct {
		n    int
		what string
	}{{len(found.WarnedTests), "broken below " + gate.String()}, {len(found.Waived), "waived"}} {
		if part.n > 0 {
			answer += fmt.Sprintf(", %d %s", part.n, part.what)
		}
	}
	return sign.Question{OK: true, Answer: answer}
}

// readAttested reads a predicate, without trusting it.
func readAttested(document []byte) (*check.Attested, harden.Gate, error) {
	d := json.NewDecoder(bytes.NewReader(document))
	d.DisallowUnknownFields()
	var said check.Attested
	if err := d.Decode(&said); err != nil {
		return nil, harden.Gate{}, err
	}
	if !slices.Contains([]string{"PASSED", "WARNED", "FAILED"}, said.Result) {
		return nil, harden.Gate{}, fmt.Errorf("result is %.40q", said.Result)
	}
	gate, err := harden.ParseGate(said.FailOn)
	if err != nil {
		return nil, gate, errors.New("failOn: " + err.Error())
	}
	return &said, gate, nil
}

// compareHardening returns what is attested otherwise than it is found, rule by rule.
func compareHardening(said, found *check.Attested) []string {
	was, is := answers(said), answers(found)
	names := slices.Collect(maps.Keys(was))
	for name := range is {
		if _, ok := was[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var differences []string
	for _, name := range names {
		if was[name] != is[name] {
			differences = append(differences, fmt.Sprintf("%s is %s, attested is %s", name, short(is[name]), short(was[name])))
		}
	}
	return differences
}

// answers returns what a predicate says of each rule, and of the rest.
func answers(a *check.Attested) map[string]string {
	all := map[string]string{}
	add := func(name, format string, args ...any) { all[name] += fmt.Sprintf(format, args...) }
	add("the result", "%s by %s on %s", a.Result, a.Profile, a.Judged)
	add("the spec", "%+v", a.Configuration)
	for what, rules := range map[string][]string{"kept": a.PassedTests, "let through": a.WarnedTests, "failed": a.FailedTests} {
		for _, rule := range rules {
			all[rule] = what + all[rule]
		}
	}
	for _, r := range a.Without {
		add(r.Rule, "not applicable, %s", r.Reason)
	}
	for what, rules := range map[string][]check.AttestedRule{" but waived": a.Waived, " although broken": a.Broken} {
		for _, r := range rules {
			text, _ := json.Marshal(r) // plain data
			add(r.Rule, "%s: %s", what, text)
		}
	}
	return all
}

func short(s string) string {
	const most = 120
	switch {
	case s == "":
		return "not there"
	case len(s) > most:
		return strings.ToValidUTF8(s[:most], "") + "..."
	}
	return s
}
