package verify

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/check"
	"github.com/hardpan/hardpan/internal/check/facts"
	"github.com/hardpan/hardpan/internal/harden"
	"github.com/hardpan/hardpan/internal/lock"
	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/provenance"
	"github.com/hardpan/hardpan/internal/sign"
	"github.com/hardpan/hardpan/specs"
)

// attested returns what is attested of the subject, by predicate type.
func (j *judgement) attested() attested { return j.x.attested[j.subject] }

func (j *judgement) signers() (string, error) {
	var signed, missing []string
	chosen := false // who verifies is one of them
	for _, s := range j.policy.signers {
		v := s.verifier
		if s.id == j.with.ID() {
			v, chosen = j.with, true
		}
		if v == nil {
			missing = append(missing, s.name+" (nothing to verify it with)")
			continue
		}
		refusal, err := sign.Signed(j.ctx, j.x.Source, v)
		if err != nil {
			return "", err
		}
		if refusal != nil {
			missing = append(missing, s.name)
			continue
		}
		signed = append(signed, s.name)
	}
	if !chosen {
		return "", fmt.Errorf("%s is no signer of the policy", j.with.ID())
	}
	n, least := len(signed), j.policy.Signers.AtLeast
	if n < least {
		return "", fmt.Errorf("%d of at least %d have signed; not: %s", n, least, strings.Join(missing, ", "))
	}
	return fmt.Sprintf("%d of at least %d: %s", n, least, strings.Join(signed, ", ")), nil
}

func (j *judgement) rebuilt() (string, error) {
	if j.o.Rebuild == nil {
		return "", unknown("nobody builds it again")
	}
	return "it is built again", nil
}

func (j *judgement) platforms() (string, error) {
	var has, missing []string
	for _, img := range j.x.Images {
		has = append(has, img.Platform.String())
	}
	for _, p := range j.policy.Platforms {
		if !slices.Contains(has, p.String()) {
			missing = append(missing, p.String())
		}
	}
	if len(missing) > 0 {
		return "", fmt.Errorf("there is no image for %s", strings.Join(missing, ", "))
	}
	return strings.Join(has, ", "), nil
}

func (j *judgement) ageOfImage() (string, error) {
	made, most := datesOf(j.x).made, specs.ParseDays(j.policy.Age.Image)
	switch age := j.o.Now.Sub(made); {
	case made.IsZero():
		return "", unknown("the image does not say when it was made")
	case days(age) > days(most):
		return "", fmt.Errorf("%d days, at most %d are allowed", days(age), days(most))
	case age < 0:
		return "", fmt.Errorf("the image is of %s", ago(made, j.o.Now))
	default:
		return fmt.Sprintf("%d days, %d are allowed", days(age), days(most)), nil
	}
}

func (j *judgement) ageOfArchive() (string, error) {
	d, most := datesOf(j.x), specs.ParseDays(j.policy.Age.Archive)
	newest := d.newest()
	if newest == nil {
		return "", unknown("nobody knows the archives")
	}
	switch age := j.o.Now.Sub(newest.Date); {
	case days(age) > days(most):
		return "", fmt.Errorf("%d days, at most %d are allowed", days(age), days(most))
	case age < 0:
		return "", fmt.Errorf("the archive is of %s", ago(newest.Date, j.o.Now))
	default:
		return fmt.Sprintf("%d days, %d are allowed", days(age), days(most)), nil
	}
}

func (j *judgement) unexpired() (string, error) {
	d := datesOf(j.x)
	if len(d.archives) == 0 {
		return "", unknown("nobody knows the archives")
	}
	if list := d.expired(j.o.Now); len(list) > 0 {
		return "", fmt.Errorf("past their Valid-Until: %s", strings.Join(list, ", "))
	}
	return fmt.Sprintf("%d archives", len(d.archives)), nil
}

// attestationTypes are the names that a policy has for types of predicates, beside
// those of [sign.PredicateType].
var attestationTypes = map[string]string{
	"provenance": provenance.Type, "lock": provenance.LockType, "spec": provenance.SpecType, "tests": provenance.TestResultType,
	"hardening": check.ResultType,
}

func (j *judgement) attestations() (string, error) {
	var missing []string
	for _, name := range j.policy.Attestations {
		uri, ok := attestationTypes[name]
		if !ok {
			uri, _ = sign.PredicateType(name) // what has no type, nobody attests
		}
		if len(j.attested()[uri]) == 0 {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return "", fmt.Errorf("not attested: %s", strings.Join(missing, ", "))
	}
	return strings.Join(j.policy.Attestations, ", "), nil
}

var errNoProvenance = unknown("no provenance is attested")

// provenance returns what is read of the provenance that is judged.
func (j *judgement) provenance() (*predicate, error) {
	if j.document == nil {
		return nil, errNoProvenance
	}
	var p predicate
	if err := json.Unmarshal(j.document, &p); err != nil {
		return nil, unknown("%w: provenance: %w", ErrDocument, err)
	}
	return &p, nil
}

func (j *judgement) builder() (string, error) {
	p, err := j.provenance()
	if err != nil {
		return "", err
	}
	id := p.RunDetails.Builder.ID
	if !slices.ContainsFunc(j.policy.Builders, func(b specs.TrustedBuilder) bool { return starred(b.ID, id) }) {
		return "", fmt.Errorf("%.200q is no builder of the policy", id)
	}
	return id, nil
}

// level is what a builder is believed of, by those who signed its provenance: what the
// provenance says of itself counts nothing.
func (j *judgement) level() (string, error) {
	p, err := j.provenance()
	if err != nil {
		return "", err
	}
	reached := 1
	for _, b := range j.policy.Builders {
		if !starred(b.ID, p.RunDetails.Builder.ID) {
			continue
		}
		for _, s := range j.policy.signers {
			if slices.Contains(b.SignedBy, s.name) && s.id == j.with.ID() {
				reached = max(reached, b.Level)
			}
		}
	}
	if reached < j.policy.Level {
		return "", fmt.Errorf("level %d, at least %d is demanded", reached, j.policy.Level)
	}
	return fmt.Sprintf("level %d, %d is demanded", reached, j.policy.Level), nil
}

func (j *judgement) sources() (string, error) {
	p, err := j.provenance()
	if err != nil {
		return "", err
	}
	var found []string
	for _, d := range p.BuildDefinition.ResolvedDependencies {
		if d.Digest["gitCommit"] == "" {
			continue
		}
		if !matches(j.policy.Sources, d.URI) {
			return "", fmt.Errorf("%.200q is no source of the policy", d.URI)
		}
		found = append(found, d.URI)
	}
	if len(found) == 0 {
		return "", unknown("the provenance names no repository")
	}
	return strings.Join(found, ", "), nil
}

func (j *judgement) archives() (string, error) {
	l, err := lock.Decode(j.document)
	if err != nil {
		return "", unknown("%w: lock: %w", ErrDocument, err)
	}
	var refused, ids []string
	for _, a := range l.Archives {
		ids = append(ids, a.ID)
		if !matches(j.policy.Archives, a.ID) && (a.URI == "" || !matches(j.policy.Archives, a.URI+" "+a.Suite)) {
			refused = append(refused, fmt.Sprintf("%.200s", a.ID))
		}
	}
	if len(refused) > 0 {
		return "", fmt.Errorf("no archive of the policy: %s", strings.Join(refused, ", "))
	}
	return strings.Join(ids, ", "), nil
}

func (j *judgement) bases() (string, error) {
	p, err := j.provenance()
	if err != nil {
		return "", err
	}
	all := map[string]bool{}
	if from := p.BuildDefinition.ExternalParameters.From; from != "" {
		all[from] = true
	}
	for _, s := range p.BuildDefinition.InternalParameters.Stages {
		if specs.IsImage(s.From) {
			all[s.From] = true
		}
	}
	names := slices.Sorted(maps.Keys(all))
	refused := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return matches(j.policy.Bases, name) })
	switch {
	case len(refused) > 0:
		return "", fmt.Errorf("no base of the policy: %.400s", strings.Join(refused, ", "))
	case len(names) == 0:
		return "it stands on no other image", nil
	}
	return strings.Join(names, ", "), nil
}

func (j *judgement) packages() (string, error) {
	rec := j.x.record(j.x.subjects[j.subject])
	if rec == nil {
		return "", unknown("hardpan did not build the image")
	}
	n := 0
	var refused []string
	judge := func(p *lock.Package) {
		n++
		if matches(j.policy.Packages.Denied, p.Name) {
			refused = append(refused, p.Name+" is denied")
		}
		for _, has := range []struct{ name, version string }{{p.Name, p.Version}, {p.Source, p.SourceVersion}} {
			least, ok := j.policy.Packages.Minimum[has.name]
			if ok && older(has.version, least) {
				refused = append(refused, fmt.Sprintf("%s is %s, at least %s is demanded", has.name, has.version, least))
				break
			}
		}
	}
	for i := range rec.Packages {
		judge(&rec.Packages[i])
	}
	for p := range rec.BasePackages() {
		judge(p)
	}
	slices.Sort(refused)
	if refused = slices.Compact(refused); len(refused) > 0 {
		return "", errors.New(summary(refused))
	}
	return fmt.Sprintf("%d packages", n), nil
}

// hardening judges the image anew, by its layers, with those waivers of its spec that
// the policy allows.
func (j *judgement) hardening() (string, error) {
	img, err := j.x.Image(j.x.subjects[j.subject].Platform)
	if err != nil {
		return "", err
	}
	h := j.policy.Hardening
	var refused []string
	if rec := j.x.records[img]; rec != nil {
		for _, w := range rec.Waived {
			if !slices.Contains(h.Waivers, w.Rule) {
				refused = append(refused, w.Rule+" is waived by its spec")
			}
		}
	}
	answer := "no waiver that the policy does not allow"
	if len(h.Rules) > 0 || h.FailOn != "" {
		broken, asked, err := j.broken(img)
		if err != nil {
			return "", unknown("%w", err)
		}
		refused = append(refused, broken...)
		answer = fmt.Sprintf("%d rules hold", asked)
	}
	if len(refused) > 0 {
		return "", errors.New(summary(refused))
	}
	return answer, nil
}

// beside says what lies beside the image, as those before have found it.
func (j *judgement) beside() check.Attached {
	a := check.Attached{Asked: true, Verified: true, Provenance: len(j.attested()[provenance.Type]) > 0}
	for _, f := range formatList {
		a.SBOM = a.SBOM || len(j.attested()[f.predicate]) > 0
	}
	refusal, err := sign.Signed(j.ctx, j.x.Source, j.with)
	a.Signed = err == nil && refusal == nil
	return a
}

// broken returns the rules of the policy that an image breaks, and how many were asked.
func (j *judgement) broken(img *oci.Image) (broken []string, asked int, err error) {
	h := j.policy.Hardening
	least := harden.Critical + 1
	if h.FailOn != "" {
		if err := least.UnmarshalText([]byte(h.FailOn)); err != nil {
			return nil, 0, err
		}
	}
	known := j.x.contents[j.subject].known // read for another question
	if known == nil {
		if j.x.unsigned[j.subject] {
			return nil, 0, errUnsigned
		}
		if known, err = facts.Read(j.ctx, img); err != nil {
			return nil, 0, err
		}
	}
	report := check.Judge(known, check.Options{Now: j.o.Now, Attached: j.beside()})
	for _, r := range report.Results {
		named := slices.Contains(h.Rules, r.Rule)
		if named || r.Rules.Severity >= least {
			asked++
		}
		if r.Status == check.Failed && (named || r.Severity >= least) {
			broken = append(broken, fmt.Sprintf("%s is broken (%s)", r.Rule, r.Severity))
		}
	}
	return broken, asked, nil
}
