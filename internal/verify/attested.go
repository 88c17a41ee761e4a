package verify

import (
	"bytes"
	"slices"

	"github.com/hardpan/hardpan/internal/provenance"
	"github.com/hardpan/hardpan/internal/sign"
)

// attested has what the key says of a subject: predicates by type, each once. There are
// several of a type where an image was signed again as bundles, which replace nothing.
// Their order is that of whoever keeps the registry, and so nothing may depend on it:
// what is asked of a document is asked of each.
type attested map[string][][]byte

// attestedOf returns what a report found attested of a subject.
func attestedOf(r *sign.Report, s sign.Subject) attested {
	a := attested{}
	for _, q := range r.Questions {
		same := func(p []byte) bool { return bytes.Equal(p, q.Predicate) }
		if q.Subject.Digest == s.Digest && q.Predicate != nil && !slices.ContainsFunc(a[q.Type], same) {
			a[q.Type] = append(a[q.Type], q.Predicate)
		}
	}
	return a
}

// each asks of each document of a type, or of nil where there is none. The first no is
// the answer, else the first that cannot be answered, else the first yes.
func (a attested) each(predicateType string, ask func(document []byte) sign.Question) sign.Question {
	documents := a[predicateType]
	if len(documents) == 0 {
		return ask(nil)
	}
	var answer sign.Question
	for i, d := range documents {
		q := ask(d)
		if !q.OK {
			return q
		}
		if i == 0 || q.Unanswered && !answer.Unanswered {
			answer = q
		}
	}
	return answer
}

// origin asks of each provenance whether it fits a lock.
func (a attested) origin() sign.Question {
	return a.each(provenance.Type, func(said []byte) sign.Question {
		answer := origin(said, nil)
		for _, locked := range a[provenance.LockType] {
			if answer = origin(said, locked); answer.OK {
				break
			}
		}
		return answer
	})
}

// inputs returns those of the first provenance that fits a lock, to build again from:
// where the same comes out, it does not matter which was chosen.
func (a attested) inputs() (in *provenance.Inputs, err error) {
	for _, said := range a[provenance.Type] {
		for _, locked := range a[provenance.LockType] {
			for _, spec := range a[provenance.SpecType] {
				if in, err = provenance.ReadInputs(said, locked, spec); err == nil {
					return in, nil
				}
			}
		}
	}
	return in, err
}
