package sign

import (
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"

	"github.com/hardpan/hardpan/internal/store"
	"golang.org/x/sync/errgroup"
)

// attestations asks of each attestation whether it is the key's and about subject, and
// the one that the signatures name.
func (r *Report) attestations(v *Verifier, s Subject, f found, promised map[string][]store.Digest) {
	if f.attestations.damage != nil {
		r.no(s, askAttestation, unknownType, fmt.Errorf("%w: %w", ErrDamaged, f.attestations.damage))
		return
	}
	a := answers{Report: r, subject: s, promised: promised, seen: map[attestedDigest]bool{}, asked: map[string]bool{}, others: map[string][]store.Digest{}}
	var checks []func() (statement, error)
	for _, d := range f.attestations.list {
		checks = append(checks, func() (statement, error) { return v.checkAttestation(d, s.Digest) })
	}
	for _, b := range f.bundles {
		if b.predicateType != SignatureType {
			checks = append(checks, func() (statement, error) { return v.checkBundle(b, s.Digest) })
		}
	}
	statements, refusals := make([]statement, len(checks)), make([]error, len(checks))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, check := range checks {
		group.Go(func() error {
			statements[i], refusals[i] = check()
			return nil
		})
	}
	group.Wait()
	for i := range checks {
		a.add(statements[i], refusals[i])
	}
	a.refuse()
	a.compare()
}

// answers are those about the attestations of one subject.
type answers struct {
	*Report
	subject  Subject
	promised map[string][]store.Digest

	seen    map[attestedDigest]bool   // statements, each of which is answered once
	asked   map[string]bool           // types of which there is an answer
	others  map[string][]store.Digest // of types that are named, what is not
	refused []refusedAttestation
}

type attestedDigest struct {
	predicateType string
	statement     store.Digest
}

type refusedAttestation struct {
	predicateType string
	err           error
}

// add answers with yes where a good attestation is one of those that are named, or of a
// type of which none is.
func (a *answers) add(st statement, err error) {
	named, this := a.promised[st.PredicateType], attestedDigest{st.PredicateType, st.digest}
	answer := "about this digest"
	switch {
	case err != nil:
		a.refused = append(a.refused, refusedAttestation{st.PredicateType, err})
		return
	case a.seen[this]:
		return
	case named == nil && len(a.promised) > 0:
		answer += "; the signature names none of this type"
	case named != nil && !slices.Contains(named, st.digest):
		a.seen[this] = true
		a.others[st.PredicateType] = append(a.others[st.PredicateType], st.digest)
		return
	case named != nil:
		answer += ", named by the signature"
	}
	a.seen[this], a.asked[st.PredicateType] = true, true
	a.yes(a.subject, askAttestation, st.PredicateType, answer).Predicate = st.Predicate
}

// refuse answers with no for what is refused, but for what somebody else signed: of a type
// of which there is a yes nothing is said of that, and of a type that the signatures, which
// name others, do not name it is no fault of the image. Who may write to its repository may
// attest what he likes.
func (a *answers) refuse() {
	for _, f := range a.refused {
		others := isOthers(f.err)
		if a.asked[f.predicateType] && others {
			continue
		}
		a.asked[f.predicateType] = true
		if others && len(a.promised) > 0 && a.promised[f.predicateType] == nil {
			a.yes(a.subject, askAttestation, f.predicateType, fmt.Sprintf("not taken: %s; the signature names none of this type", f.err)).Unanswered = true
			continue
		}
		a.no(a.subject, askAttestation, f.predicateType, f.err)
	}
}

// compare answers with no where something is named and not there, and says what is there
// and not named. Nothing is taken from that: it may be of any day.
func (a *answers) compare() {
	for _, predicateType := range slices.Sorted(maps.Keys(a.promised)) {
		others := a.others[predicateType]
		missing := slices.DeleteFunc(slices.Clone(a.promised[predicateType]), func(d store.Digest) bool { return a.seen[attestedDigest{predicateType, d}] })
		switch {
		case len(missing) > 0 && len(others) > 0:
			a.no(a.subject, askAttestation, predicateType, fmt.Errorf("%w: the signature names %s, here is %s", ErrUnnamed, missing[0], others[0]))
		case len(missing) > 0 && !a.isRefused(predicateType):
			a.no(a.subject, askAttestation, predicateType, fmt.Errorf("%w: the signature says that the image has one of type %.200s, %s", ErrStripped, predicateType, missing[0]))
		case len(missing) == 0 && len(others) > 0:
			q := a.yes(a.subject, askAttestation, predicateType, fmt.Sprintf("not taken: %d more by the same signer, such as %s, which the signature does not name", len(others), others[0]))
			q.Unanswered = true
		}
	}
}

// isRefused reports whether there is a no of that type already.
func (a *answers) isRefused(predicateType string) bool {
	return slices.ContainsFunc(a.Questions, func(q Question) bool {
		return q.Subject == a.subject && q.Kind == askAttestation && q.Type == predicateType && !q.OK
	})
}

// isOthers reports whether err is about what somebody else has signed.
func isOthers(err error) bool {
	return errors.Is(err, ErrOtherKey) || errors.Is(err, ErrIdentity) || errors.Is(err, ErrUntrusted)
}
