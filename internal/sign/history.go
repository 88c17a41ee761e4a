package sign

import (
	"fmt"
	"maps"
	"slices"

	"github.com/hardpan/hardpan/internal/store"
)

// history is what a signer has said of an image before, in one of the two forms.
type history struct {
	known      bool                          // it was verified: it is the signer's own
	signatures map[store.Digest][]*signature // of each subject
	attested   map[store.Digest][]statement  // of each subject
	named      promise                       // what the signatures that stand name
}

func newHistory(known bool) *history {
	return &history{known: known, signatures: map[store.Digest][]*signature{}, attested: map[store.Digest][]statement{}, named: promise{}}
}

func (h *history) signed(subject Subject, s *signature) {
	h.signatures[subject.Digest] = append(h.signatures[subject.Digest], s)
}

// end makes of the signatures that were added those that stand.
func (h *history) end() *history {
	if !h.known {
		return h // anybody could have said that one stands in place of another
	}
	for subject, list := range h.signatures {
		h.signatures[subject] = standing(list)
		for _, s := range h.signatures[subject] {
			h.named.merge(s.Attestations)
		}
	}
	return h
}

// carry names, beside the attestations of subject that are made now, which p has, those
// of other types that stay: what the signer's signatures name already or, of a type of
// which they name none, what the signer has attested. What they name has to be there,
// or signing would make an image good from which something was taken away.
func (p promise) carry(subject Subject, before *history) error {
	named, made := before.named[subject.Digest], maps.Clone(p[subject.Digest])
	there := map[store.Digest]bool{}
	for _, st := range before.attested[subject.Digest] {
		there[st.digest] = true
		if made[st.PredicateType] == nil && named[st.PredicateType] == nil {
			p.add(subject.Digest, st.PredicateType, st.digest)
		}
	}
	for _, predicateType := range slices.Sorted(maps.Keys(named)) {
		if made[predicateType] != nil {
			continue
		}
		for _, d := range named[predicateType] {
			if !there[d] {
				return &hinted{fmt.Errorf("%w: the signature of %s that is there names one of type %.200s, %s", ErrStripped, subject.Name, predicateType, d),
					"attest it again, or to begin anew remove that signature"}
			}
			p.add(subject.Digest, predicateType, d)
		}
	}
	return nil
}

// supersededBy returns the signatures in whose place one of subject stands that names
// these attestations: those that name others, and none of a type that it does not name.
// The same again is the same statement.
func (h *history) supersededBy(subject Subject, names promise) []store.Digest {
	var list []store.Digest
	for _, s := range h.signatures[subject.Digest] {
		switch {
		case h.known && s.unread == nil && s.Attestations.equal(names):
			list = append(list, s.Supersedes...)
		case s.unread != nil || len(s.Attestations) > 0 && names.covers(s.Attestations):
			list = append(list, s.digest)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}
