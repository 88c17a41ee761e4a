package sign

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"

	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/store"
)

const (
	payloadInToto   = "application/vnd.in-toto+json"
	statementV1     = "https://in-toto.io/Statement/v1"
	statementV01    = "https://in-toto.io/Statement/v0.1" // what cosign attest writes
	unknownType     = "unknown"
	maxTypeLength   = 200
	maxSignatures   = 32 // of an envelope, each of which costs reading all that is signed
	digestAlgorithm = "sha256"
)

// predicateTypes are the names that cosign has for types of predicates.
var predicateTypes = map[string]string{
	"spdx":            "https://spdx.dev/Document",
	"cyclonedx":       "https://cyclonedx.org/bom",
	"slsaprovenance1": "https://slsa.dev/provenance/v1",
	"openvex":         "https://openvex.dev/ns",
	"vuln":            "https://cosign.sigstore.dev/attestation/vuln/v1",
}

// PredicateType returns the URI of a type of predicates: of one of the names spdx,
// cyclonedx, slsaprovenance1, openvex and vuln, or the URI itself.
func PredicateType(s string) (string, error) {
	if uri, ok := predicateTypes[s]; ok {
		return uri, nil
	}
	if u, err := url.Parse(s); err == nil && u.Scheme != "" && (u.Host != "" || u.Opaque != "") && len(s) <= maxTypeLength {
		return s, nil
	}
	return "", fmt.Errorf("predicate type %.80q: expected spdx, cyclonedx, slsaprovenance1, openvex, vuln or a URI", s)
}

// An envelope is a signed document (DSSE, envelope.md).
type envelope struct {
	PayloadType string              `json:"payloadType"`
	Payload     string              `json:"payload"` // base64
	Signatures  []envelopeSignature `json:"signatures"`
}

type envelopeSignature struct {
	KeyID string `json:"keyid"`
	Sig   string `json:"sig"` // base64
}

// A statement says something about its subjects (in-toto attestation, v1/statement.md).
type statement struct {
	Type          string             `json:"_type"`
	Subject       []statementSubject `json:"subject"`
	PredicateType string             `json:"predicateType"`
	Predicate     json.RawMessage    `json:"predicate,omitempty"`

	digest    store.Digest // of the statement as it was read
	signature *signature   // of one of the type SignatureType
}

type statementSubject struct {
	Name   string            `json:"name,omitempty"`
	Digest map[string]string `json:"digest"`
}

// encoding is what the envelope's signature signs (DSSE, protocol.md, PAE).
func encoding(kind string, body []byte) []byte {
	return append(fmt.Appendf(nil, "DSSEv1 %d %s %d ", len(kind), kind, len(body)), body...)
}

// newStatement says a predicate, which is JSON without white space, of the manifest or
// index with that digest. It is put into the statement by hand: an encoder reads all of it.
func newStatement(subject store.Digest, reference, predicateType string, predicate []byte) ([]byte, error) {
	frame, err := encode(statement{
		Type: statementV1, PredicateType: predicateType,
		Subject: []statementSubject{{Name: reference, Digest: map[string]string{digestAlgorithm: subject.Hex()}}},
	})
	if err != nil {
		return nil, fmt.Errorf("predicate of type %s: %w", predicateType, err)
	}
	if len(predicate) == 0 {
		return frame, nil
	}
	return slices.Concat(frame[:len(frame)-1], []byte(`,"predicate":`), predicate, []byte("}")), nil
}

// newAttestation returns the attestation of a predicate, which is JSON, about the
// manifest or index with that digest, and the digest of the statement.
func (s *Signer) newAttestation(subject store.Digest, reference, predicateType string, predicate []byte) (d oci.Document, statement store.Digest, err error) {
	body, err := newStatement(subject, reference, predicateType, predicate)
	if err != nil {
		return oci.Document{}, "", err
	}
	signature, err := s.sign(encoding(payloadInToto, body))
	if err != nil {
		return oci.Document{}, "", fmt.Errorf("cannot attest %s: %w", subject, err)
	}
	content, err := enclose(body, envelopeSignature{KeyID: s.verifier.id, Sig: base64.StdEncoding.EncodeToString(signature)})
	if err != nil {
		return oci.Document{}, "", err
	}
	return oci.Document{MediaType: mediaEnvelope, Content: content, Annotations: map[string]string{
		annotationSignature: "", annotationPredicate: predicateType, // as cosign attest has them
	}}, store.DigestOf(body), nil
}

// enclose returns the envelope of a statement. The payload is put into it by hand:
// base64 has nothing to escape, and an encoder looks for that in megabytes.
func enclose(body []byte, by envelopeSignature) ([]byte, error) {
	frame, err := encode(envelope{PayloadType: payloadInToto, Signatures: []envelopeSignature{by}})
	if err != nil {
		return nil, err
	}
	before, after, _ := bytes.Cut(frame, []byte(`"payload":""`))
	content := make([]byte, 0, len(frame)+base64.StdEncoding.EncodedLen(len(body)))
	content = append(append(content, before...), `"payload":"`...)
	content = base64.StdEncoding.AppendEncode(content, body)
	return append(append(content, '"'), after...), nil
}

// checkAttestation returns what d says of subject, if v says that it is signed. With an
// error the statement has only the type that d is said to be of.
func (v *Verifier) checkAttestation(d oci.Document, subject store.Digest) (statement, error) {
	annotated := d.Annotations[annotationPredicate]
	claimed := statement{PredicateType: annotated}
	if annotated == "" || len(annotated) > maxTypeLength {
		claimed.PredicateType = unknownType
	}
	if d.MediaType != mediaEnvelope {
		return claimed, fmt.Errorf("%w: its media type is %.80q, expected %s", ErrDamaged, d.MediaType, mediaEnvelope)
	}
	body, err := v.open(d)
	if err != nil {
		return claimed, err
	}
	st, err := checkStatement(body, subject)
	if err == nil && annotated != "" && annotated != st.PredicateType {
		err = fmt.Errorf("%w: annotation %s says %.80q, the statement %.80q", ErrDamaged, annotationPredicate, annotated, st.PredicateType)
	}
	if err != nil {
		return claimed, err
	}
	return st, nil
}

// checkStatement reads what was signed, and refuses it where it is not about subject,
// with the statement for the message.
func checkStatement(body []byte, subject store.Digest) (statement, error) {
	var st statement
	if err := json.Unmarshal(body, &st); err != nil {
		return st, fmt.Errorf("%w: the envelope has no in-toto statement", ErrDamaged)
	}
	st.digest = store.DigestOf(body)
	isSubject := func(s statementSubject) bool { return s.Digest[digestAlgorithm] == subject.Hex() }
	switch {
	case st.Type != statementV1 && st.Type != statementV01:
		return st, fmt.Errorf("%w: the statement is a %.80q, expected %s", ErrDamaged, st.Type, statementV1)
	case st.PredicateType == "" || len(st.Predicate) == 0 && st.PredicateType != SignatureType:
		return st, fmt.Errorf("%w: the statement has no predicate with a type", ErrDamaged)
	case !slices.ContainsFunc(st.Subject, isSubject):
		return st, fmt.Errorf("%w: it is about %s, the image is %s", ErrSubject, subjects(st), subject)
	}
	if st.PredicateType == SignatureType {
		st.signature = newSignature(body, st.Subject[slices.IndexFunc(st.Subject, isSubject)].Name, st.Predicate)
	}
	return st, nil
}

// open returns what the envelope holds, if v says that it is signed.
func (v *Verifier) open(d oci.Document) ([]byte, error) {
	if v.judge != nil {
		verdict := v.verdict(d)
		return verdict.Signed, verdict.Err
	}
	var e envelope
	if err := json.Unmarshal(d.Content, &e); err != nil {
		return nil, fmt.Errorf("%w: it is not a DSSE envelope", ErrDamaged)
	}
	return v.openEnvelope(e)
}

func (v *Verifier) openEnvelope(e envelope) ([]byte, error) {
	body, err := decodeBase64(e.Payload)
	if err != nil {
		return nil, fmt.Errorf("%w: the envelope's payload is not base64", ErrDamaged)
	}
	if len(e.Signatures) == 0 {
		return nil, fmt.Errorf("%w: the envelope has no signature", ErrDamaged)
	}
	if len(e.Signatures) > maxSignatures {
		return nil, fmt.Errorf("%w: the envelope has %d signatures, at most %d are read", ErrDamaged, len(e.Signatures), maxSignatures)
	}
	signed := encoding(e.PayloadType, body)
	claimed := ""
	for _, s := range e.Signatures {
		signature, err := decodeBase64(s.Sig)
		if err == nil && v.verify(signed, signature) {
			if e.PayloadType != payloadInToto {
				return nil, fmt.Errorf("%w: the envelope holds %.80q, expected %s", ErrDamaged, e.PayloadType, payloadInToto)
			}
			return body, nil
		}
		if err == nil && v.isPrehashed(signed, signature) {
			return nil, v.prehashed()
		}
		if claimed != v.id {
			claimed = s.KeyID
		}
	}
	return nil, v.refusal(claimed, nil)
}

// decodeBase64 reads either alphabet (DSSE, envelope.md).
func decodeBase64(s string) ([]byte, error) {
	if b, err := base64.StdEncoding.DecodeString(s); err == nil {
		return b, nil
	}
	return base64.URLEncoding.DecodeString(s)
}

// subjects names what a statement is about.
func subjects(st statement) string {
	switch {
	case len(st.Subject) == 0:
		return "nothing"
	case len(st.Subject) > 1:
		return fmt.Sprintf("%d others", len(st.Subject))
	}
	return fmt.Sprintf("sha256:%.64s", st.Subject[0].Digest[digestAlgorithm])
}

// encode returns v as JSON without white space, and <, > and & as themselves.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte{'\n'}), nil
}
