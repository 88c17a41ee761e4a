package sign

import (
	"encoding/base64"
	"encoding/json"
	"fmt"

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
	Critical critical        `json:"critical"`
	Optional json.RawMessage `json:"optional"` // a saying, or what others write
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

// signPayload returns the signature of the manifest or index with that digest.
// reference is the name that the image goes by, such as its repository.
func (s *Signer) signPayload(subject store.Digest, reference string, attestations promise) (oci.Document, error) {
	var p payload
	p.Critical.Type = payloadType
	p.Critical.Identity.Reference = reference
	p.Critical.Image.Digest = subject
	var err error
	if p.Optional, err = encode(saying{KeyID: s.verifier.id, Attestations: attestations}); err != nil {
		return oci.Document{}, err
	}
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
func (v *Verifier) checkSignature(d oci.Document, subject store.Digest) (*signature, error) {
	if d.MediaType != mediaSimpleSigning {
		return nil, fmt.Errorf("%w: its media type is %.80q, expected %s", ErrDamaged, d.MediaType, mediaSimpleSigning)
	}
	signed, err := v.openSignature(d)
	if err != nil {
		return nil, err
	}
	var p payload
	switch err := json.Unmarshal(signed, &p); {
	case err != nil:
		return nil, fmt.Errorf("%w: the payload is not JSON of its form", ErrDamaged)
	case p.Critical.Type != payloadType:
		return nil, fmt.Errorf("%w: the payload is a %.60q, expected a %q", ErrDamaged, p.Critical.Type, payloadType)
	case p.Critical.Image.Digest != subject:
		return nil, fmt.Errorf("%w: it is of %.80s, the image is %s", ErrReplayed, p.Critical.Image.Digest, subject)
	}
	return newSignature(signed, p.Critical.Identity.Reference, p.Optional), nil
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
	if v.isPrehashed(d.Content, signature) {
		return nil, v.prehashed()
	}
	if !v.verify(d.Content, signature) {
		var claimed payload // which serves the message only
		broken := json.Unmarshal(d.Content, &claimed)
		said, _ := readSaying(claimed.Optional)
		return nil, v.refusal(said.KeyID, broken)
	}
	return d.Content, nil
}

// prehashed is the error about a signature that is Ed25519ph.
func (v *Verifier) prehashed() error {
	return fmt.Errorf("%w: it is Ed25519ph by the key %s, as cosign makes and refuses it, expected Ed25519: let hardpan sign", ErrDamaged, v.id)
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
