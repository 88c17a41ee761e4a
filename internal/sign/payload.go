package sign

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/store"
)

// Media types and annotations of the layers (cosign, specs/SIGNATURE_SPEC.md and
// specs/ATTESTATION_SPEC.md).
const (
	mediaSimpleSigning  = "application/vnd.dev.cosign.simplesigning.v1+json"
	mediaEnvelope       = "application/vnd.dsse.envelope.v1+json"
	annotationSignature = "dev.cosignproject.cosign/signature"
	annotationPredicate = "predicateType"

	annotationCertificate = "dev.sigstore.cosign/certificate" // where there is no key
)

// payloadType is what a payload says it is; cosign accepts no other.
const payloadType = "cosign container image signature"

// A payload is what a signature signs (containers-signature(5), JSON data format).
type payload struct {
	Critical critical `json:"critical"`
	Optional optional `json:"optional"`
}

type critical struct {
	Identity struct {
		Reference string `json:"docker-reference"`
	} `json:"identity"`
	Image struct {
		Digest store.Digest `json:"docker-manifest-digest"`
	} `json:"image"`
	Type string `json:"type"`
}

// optional is what hardpan says beside: the key, so that a refusal can tell a
// changed payload from one of another key, and the attestations that belong to the
// image, so that a missing one is noticed.
type optional struct {
	KeyID        string  `json:"dev.hardpan.keyid,omitempty"`
	Attestations promise `json:"dev.hardpan.attestations,omitempty"`
}

// A promise names, by subject, the types of predicates that there are attestations
// of. That of an index has its platforms' images too.
type promise map[store.Digest][]string

// add notes the types of the attestations of a subject.
func (p promise) add(subject store.Digest, types []string) {
	slices.Sort(types)
	if types = slices.Compact(types); len(types) > 0 {
		p[subject] = types
	}
}

// of returns what the signature of subject is to speak of.
func (p promise) of(subject Subject) promise {
	if subject.Name == IndexName {
		return p
	}
	own := promise{}
	own.add(subject.Digest, p[subject.Digest])
	return own
}

// newSignature returns the signature of the manifest or index with that digest.
// reference is the name that the image goes by, such as its repository.
func (s *Signer) newSignature(subject store.Digest, reference string, attestations promise) (oci.Document, error) {
	var p payload
	p.Critical.Type = payloadType
	p.Critical.Identity.Reference = reference
	p.Critical.Image.Digest = subject
	p.Optional = optional{KeyID: s.verifier.id, Attestations: attestations}
	content, err := encode(p)
	if err != nil {
		return oci.Document{}, err
	}
	signature, err := s.sign(content)
	if err != nil {
		return oci.Document{}, fmt.Errorf("cannot sign %s: %w", subject, err)
	}
	return oci.Document{MediaType: mediaSimpleSigning, Content: content, Annotations: map[string]string{
		annotationSignature: base64.StdEncoding.EncodeToString(signature),
	}}, nil
}

// checkSignature returns what d says of subject, if v says that it is signed.
func (v *Verifier) checkSignature(d oci.Document, subject store.Digest) (payload, error) {
	if d.MediaType != mediaSimpleSigning {
		return payload{}, fmt.Errorf("%w: its media type is %.80q, expected %s", ErrDamaged, d.MediaType, mediaSimpleSigning)
	}
	signed, err := v.openSignature(d)
	if err != nil {
		return payload{}, err
	}
	var p payload
	switch err := json.Unmarshal(signed, &p); {
	case err != nil:
		return payload{}, fmt.Errorf("%w: the payload is not JSON of its form", ErrDamaged)
	case p.Critical.Type != payloadType:
		return payload{}, fmt.Errorf("%w: the payload is a %.60q, expected a %q", ErrDamaged, p.Critical.Type, payloadType)
	case p.Critical.Image.Digest != subject:
		return payload{}, fmt.Errorf("%w: it is of %.80s, the image is %s", ErrReplayed, p.Critical.Image.Digest, subject)
	}
	return p, nil
}

// openSignature returns the payload of a signature, if v says that it is signed.
func (v *Verifier) openSignature(d oci.Document) ([]byte, error) {
	if v.judge != nil {
		verdict := v.verdict(d)
		return verdict.Signed, verdict.Err
	}
	signature, err := base64.StdEncoding.DecodeString(d.Annotations[annotationSignature])
	if err != nil || len(signature) == 0 {
		return nil, fmt.Errorf("%w: annotation %s is no signature in base64", ErrDamaged, annotationSignature)
	}
	if !v.verify(d.Content, signature) {
		var claimed payload // which serves the message only
		broken := json.Unmarshal(d.Content, &claimed)
		return nil, v.refusal(claimed.Optional.KeyID, broken)
	}
	return d.Content, nil
}

// refusal is the error about a signature that does not verify, which claims to be
// of the key with that ID.
func (v *Verifier) refusal(claimed string, broken error) error {
	switch {
	case broken != nil:
		return fmt.Errorf("%w: neither JSON of its form nor what the key %s signed", ErrDamaged, v.id)
	case claimed == v.id:
		return fmt.Errorf("%w: it is said to be of the key %s, which does not verify it", ErrTampered, v.id)
	case claimed != "":
		return fmt.Errorf("%w: it is of the key %.60q, the given key is %s", ErrOtherKey, claimed, v.id)
	}
	return fmt.Errorf("%w: %s does not verify it: another key signed it, or it was changed after that", ErrOtherKey, v.id)
}
