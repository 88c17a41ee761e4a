package verify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/debian"
	"github.com/hardpan/hardpan/internal/harden"
	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/provenance"
	"github.com/hardpan/hardpan/internal/sign"
	"github.com/hardpan/hardpan/specs"
)

// ErrPolicy is an image that is not what a policy demands, or of which nobody can tell.
var ErrPolicy = errors.New("the policy demands otherwise")

const askPolicy = "policy"

// A Policy is what an organisation demands, with the keys of its signers.
type Policy struct {
	*specs.Policy
	signers []signer
}

// signer is one that a policy lets sign.
type signer struct {
	name, id string
	verifier *sign.Verifier // nil where only the id is known
}

// Identities returns what verifies the identity of a certificate.
type Identities func(identity, issuer string) (*sign.Verifier, error)

// NewPolicy reads the keys of a policy. identities may be nil: then nobody counts
// whom a policy lets sign by identity. Errors are about the policy, with the place in
// its file.
func NewPolicy(p *specs.Policy, identities Identities) (*Policy, error) {
	policy := &Policy{Policy: p}
	for i, k := range p.Signers.Keys {
		s := signer{name: k.Name, id: k.Fingerprint}
		if k.File != "" {
			v, err := readKey(p, k.File)
			if err != nil {
				return nil, p.Error(fmt.Errorf("signers.keys[%d]: %w", i, err), "signers", "keys", i, "file")
			}
			s.id, s.verifier = v.ID(), v
		}
		for _, other := range policy.signers {
			if other.id == s.id {
				return nil, p.Error(fmt.Errorf("signers.keys[%d]: %s is the key of %s, too", i, s.id, other.name), "signers", "keys", i)
			}
		}
		policy.signers = append(policy.signers, s)
	}
	for i, id := range p.Signers.Identities {
		s := signer{name: id.Name, id: id.Identity}
		for _, other := range p.Signers.Identities[:i] {
			if other.Identity == id.Identity && other.Issuer == id.Issuer { // one signature would count as two
				return nil, p.Error(fmt.Errorf("signers.identities[%d]: %s is the identity of %s, too", i, id.Identity, other.Name), "signers", "identities", i)
			}
		}
		if identities != nil {
			var err error
			if s.verifier, err = identities(id.Identity, id.Issuer); err != nil {
				return nil, p.Error(fmt.Errorf("signers.identities[%d]: %w", i, err), "signers", "identities", i)
			}
			s.id = s.verifier.ID()
		}
		policy.signers = append(policy.signers, s)
	}
	if h := p.Hardening; h != nil {
		for key, rules := range map[string][]string{"rules": h.Rules, "waivers": h.Waivers} {
			for i, id := range rules {
				if harden.RuleOf(id) == nil {
					return nil, p.Error(fmt.Errorf("hardening.%s: %w", key, &harden.UnknownRuleError{ID: id}), "hardening", key, i)
				}
			}
		}
	}
	return policy, nil
}

// maxKey bounds a file with a public key, in bytes.
const maxKey = 64 << 10

func readKey(p *specs.Policy, name string) (*sign.Verifier, error) {
	f, err := p.OpenKey(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxKey))
	if err != nil {
		return nil, err
	}
	return sign.LoadVerifier(text)
}

// Verifier returns the signer that an image is verified with where nobody chose one:
// the first that signed it, else the first whose key the policy has, nil for none.
func (p *Policy) Verifier(ctx context.Context, src *oci.Source) (*sign.Verifier, error) {
	var first *sign.Verifier
	for _, s := range p.signers {
		if s.verifier == nil {
			continue
		}
		refusal, err := sign.Signed(ctx, src, s.verifier)
		if err != nil {
			return nil, err
		}
		if refusal == nil {
			return s.verifier, nil
		}
		if first == nil {
			first = s.verifier
		}
	}
	return first, nil
}

// demand is one demand of a policy on a subject.
type demand struct {
	name    string
	made    bool // the policy has it
	every   bool // it is made of each platform's image, not of the whole
	judge   func(*judgement) (string, error)
	content bool   // it is about what the image's documents say of its content
	origin  bool   // it is about what its provenance says of its inputs
	said    string // predicate type of the document that it is about, each of which must be so
}

// demands has all that a policy can demand, in the order of the report.
func (p *Policy) demands() []demand {
	return []demand{
		{name: "signers", made: len(p.signers) > 0, judge: (*judgement).signers},
		{name: "rebuild", made: p.Rebuild, judge: (*judgement).rebuilt},
		{name: "platforms", made: len(p.Platforms) > 0, judge: (*judgement).platforms},
		{name: "age of the image", made: p.Age.Image != "", judge: (*judgement).ageOfImage},
		{name: "age of the archive", made: p.Age.Archive != "", judge: (*judgement).ageOfArchive},
		{name: "unexpired archives", made: p.Age.Unexpired, judge: (*judgement).unexpired},
		{name: "attestations", made: len(p.Attestations) > 0, every: true, judge: (*judgement).attestations},
		{name: "builder", made: len(p.Builders) > 0, every: true, said: provenance.Type, judge: (*judgement).builder},
		{name: "slsa-level", made: p.Level > 0, every: true, said: provenance.Type, judge: (*judgement).level},
		{name: "sources", made: len(p.Sources) > 0, every: true, said: provenance.Type, judge: (*judgement).sources},
		{name: "archives", made: len(p.Archives) > 0, every: true, said: provenance.LockType, origin: true, judge: (*judgement).archives},
		{name: "bases", made: len(p.Bases) > 0, every: true, said: provenance.Type, origin: true, judge: (*judgement).bases},
		{name: "packages", made: len(p.Packages.Denied)+len(p.Packages.Minimum) > 0, every: true, content: true, judge: (*judgement).packages},
		{name: "hardening", made: p.Hardening != nil, every: true, judge: (*judgement).hardening},
	}
}

// judgement is a subject that a policy is held against.
type judgement struct {
	ctx     context.Context
	policy  *Policy
	x       *examined
	o       *Options
	with    *sign.Verifier // whose attestations count
	subject int            // of x
	// document is the attested one that the demand is about, nil for none.
	document []byte
}

// unknown is the reason of a no for which nobody can answer.
func unknown(format string, args ...any) error {
	return fmt.Errorf("cannot be answered: "+format, args...)
}

// judge returns a question for each demand of the policy. What cannot be answered is a
// no. answered has the questions that were asked before.
func (x *examined) judge(ctx context.Context, o *Options, with *sign.Verifier, answered []sign.Question) ([]sign.Question, error) {
	var list []sign.Question
	for i, s := range x.subjects {
		j := &judgement{ctx: ctx, policy: o.Policy, x: x, o: o, with: with, subject: i}
		for _, d := range o.Policy.demands() {
			if !d.made || d.every && s.Name == sign.IndexName || !d.every && i > 0 {
				continue
			}
			q := x.attested[i].each(d.said, func(document []byte) sign.Question {
				j.document = document
				return j.answer(&d, answered)
			})
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			q.Subject, q.Kind, q.Type = s, askPolicy, d.name
			list = append(list, q)
		}
	}
	return list, nil
}

// answer says whether the subject is what is demanded.
func (j *judgement) answer(d *demand, answered []sign.Question) sign.Question {
	s := j.x.subjects[j.subject]
	answer, err := "", error(nil)
	switch {
	case d.content && !yes(answered, s, askSBOM):
		err = unknown("nobody knows whether the SBOM is right")
	case d.origin && !yes(answered, s, askProvenance):
		err = unknown("nobody knows whether the provenance is right")
	default:
		answer, err = d.judge(j)
	}
	if err != nil {
		return no(fmt.Errorf("%w: %w", ErrPolicy, err))
	}
	return sign.Question{OK: true, Answer: answer}
}

// yes reports whether a question about a subject was answered with yes.
func yes(answered []sign.Question, s sign.Subject, kind string) bool {
	return slices.ContainsFunc(answered, func(q sign.Question) bool {
		return q.Subject.Name == s.Name && q.Kind == kind && q.OK && !q.Unanswered
	})
}

// matches reports whether one of the patterns is text; a star stands for any text.
func matches(patterns []string, text string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return starred(p, text) })
}

func starred(pattern, text string) bool {
	before, after, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == text
	}
	rest, ok := strings.CutPrefix(text, before)
	if !ok {
		return false
	}
	parts := strings.Split(after, "*")
	last := parts[len(parts)-1]
	for _, part := range parts[:len(parts)-1] {
		_, behind, ok := strings.Cut(rest, part)
		if !ok {
			return false
		}
		rest = behind
	}
	return strings.HasSuffix(rest, last)
}

// older reports whether a version is before another (deb-version(7)).
func older(version, than string) bool { return debian.CompareVersions(version, than) < 0 }
