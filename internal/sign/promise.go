package sign

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/store"
)

// A promise names the attestations that belong to an image: of each subject, by type of
// the predicate, the SHA-256 digests of what is attested. That is the statement, not the
// envelope: ECDSA makes another envelope of the same statement each time. The promise of
// an index has its platforms' images too.
type promise map[store.Digest]map[string][]store.Digest

// add names attestations of a subject.
func (p promise) add(subject store.Digest, predicateType string, statements ...store.Digest) {
	if p[subject] == nil {
		p[subject] = map[string][]store.Digest{}
	}
	list := append(p[subject][predicateType], statements...)
	slices.Sort(list)
	p[subject][predicateType] = slices.Compact(list)
}

// merge adds what other names.
func (p promise) merge(other promise) {
	for subject, types := range other {
		for predicateType, statements := range types {
			p.add(subject, predicateType, statements...)
		}
	}
}

// of returns what the signature of subject is to speak of.
func (p promise) of(subject Subject) promise {
	if subject.Name == IndexName {
		return p
	}
	own := promise{}
	if types := p[subject.Digest]; types != nil {
		own[subject.Digest] = types
	}
	return own
}

// covers reports whether p names attestations of each type that other does.
func (p promise) covers(other promise) bool {
	for subject, types := range other {
		for predicateType := range types {
			if len(p[subject][predicateType]) == 0 {
				return false
			}
		}
	}
	return true
}

func (p promise) equal(other promise) bool {
	return maps.EqualFunc(p, other, func(a, b map[string][]store.Digest) bool {
		return maps.EqualFunc(a, b, slices.Equal)
	})
}

// check refuses what [promise.add] does not make.
func (p promise) check() error {
	if p == nil {
		return errors.New("expected an object")
	}
	for subject, types := range p {
		if !subject.Valid() || len(types) == 0 {
			return fmt.Errorf("%.80q names %d types, expected a digest with some", subject, len(types))
		}
		for predicateType, statements := range types {
			if predicateType == "" || len(predicateType) > maxTypeLength {
				return fmt.Errorf("type %.80q, expected a URI of at most %d bytes", predicateType, maxTypeLength)
			}
			if err := checkDigests(statements); err != nil {
				return fmt.Errorf("type %.200q: %w", predicateType, err)
			}
		}
	}
	return nil
}

// checkDigests refuses a list that is empty, not sorted, or has something twice.
func checkDigests(list []store.Digest) error {
	if len(list) == 0 {
		return errors.New("expected digests, found none")
	}
	for i, d := range list {
		if !d.Valid() {
			return fmt.Errorf("digest %.80q, expected sha256: and 64 hex digits in lower case", d)
		}
		if i > 0 && d <= list[i-1] {
			return fmt.Errorf("%s is not after %s", d, list[i-1])
		}
	}
	return nil
}

// The members that hardpan adds to what it signs.
const (
	memberPrefix       = "dev.hardpan."
	memberKeyID        = "dev.hardpan.keyid"
	memberAttestations = "dev.hardpan.attestations"
	memberSupersedes   = "dev.hardpan.supersedes"
)

// A saying is what hardpan says in a signature beside: the key, so that a refusal can
// tell a changed payload from one of another key, the attestations that belong to the
// image, so that one that is missing or another is noticed, and the signatures by the
// same key in whose place it stands.
type saying struct {
	KeyID        string         `json:"dev.hardpan.keyid,omitempty"`
	Attestations promise        `json:"dev.hardpan.attestations,omitempty"`
	Supersedes   []store.Digest `json:"dev.hardpan.supersedes,omitempty"` // digests of what they sign
}

// readSaying reads what stands beside in a signature, of which others make other use. A
// member of hardpan's that is not as hardpan writes it is an error: it says something,
// and nobody knows what.
func readSaying(text json.RawMessage) (s saying, err error) {
	if len(text) == 0 || string(text) == "null" {
		return s, nil
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		return s, errors.New("expected an object")
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		err := error(nil)
		switch {
		case name == memberKeyID:
			err = json.Unmarshal(members[name], &s.KeyID)
		case name == memberAttestations:
			if err = json.Unmarshal(members[name], &s.Attestations); err == nil {
				err = s.Attestations.check()
			}
		case name == memberSupersedes:
			if err = json.Unmarshal(members[name], &s.Supersedes); err == nil {
				err = checkDigests(s.Supersedes)
			}
		case strings.HasPrefix(strings.ToLower(name), memberPrefix):
			err = errors.New("this version does not know it")
		}
		if err != nil {
			return saying{}, fmt.Errorf("%.80q: %w", name, err)
		}
	}
	return s, nil
}

// A signature is what somebody signed of an image, and was verified.
type signature struct {
	saying
	digest    store.Digest // of what is signed
	reference string       // the name that the image goes by
	unread    error        // why nobody knows what is said beside
}

// newSignature returns the signature that signed is, with what stands beside in it.
func newSignature(signed []byte, reference string, beside json.RawMessage) *signature {
	s := &signature{digest: store.DigestOf(signed), reference: reference}
	if s.unread = unique(signed); s.unread == nil {
		s.saying, s.unread = readSaying(beside)
	}
	return s
}

// standing returns the signatures in whose place no other of them stands. Who withholds
// a signature may make an older one stand again, but what was attested with one cannot
// be mixed with what was with the other.
func standing(all []*signature) []*signature {
	superseded := map[store.Digest]bool{}
	for _, s := range all {
		for _, d := range s.Supersedes {
			superseded[d] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(s *signature) bool { return superseded[s.digest] })
}

// stand adds to promised what the signatures name that stand, and returns the name that
// the image goes by. An error is that one of them says something that cannot be read.
func stand(all []*signature, promised promise) (reference string, err error) {
	for _, s := range standing(all) {
		if s.unread != nil {
			return "", fmt.Errorf("%w: the signature is good, but not what it says of attestations: %w", ErrDamaged, s.unread)
		}
		reference = cmp.Or(s.reference, reference)
		promised.merge(s.Attestations)
	}
	return reference, nil
}

// unique refuses a JSON document with an object that has a member twice, of which one
// reader would believe the first and another the last.
func unique(document []byte) error {
	d := json.NewDecoder(bytes.NewReader(document))
	d.UseNumber()
	var open []map[string]bool // names in each open object; nil for an array
	isName := false
	for {
		t, err := d.Token()
		if err != nil {
			return nil // the end, or what whoever decodes it reports
		}
		inObject := len(open) > 0 && open[len(open)-1] != nil
		if isName = inObject && !isName; isName {
			if name, ok := t.(string); ok {
				seen := open[len(open)-1]
				if seen[name] {
					return fmt.Errorf("member %.80q occurs twice", name)
				}
				seen[name] = true
				continue
			}
		}
		switch t {
		case json.Delim('{'):
			open, isName = append(open, map[string]bool{}), false
		case json.Delim('['):
			open, isName = append(open, nil), false
		case json.Delim('}'), json.Delim(']'):
			open, isName = open[:len(open)-1], false
		}
	}
}
