package sign

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/store"
)

// SignatureType is the predicate type of a statement that signs an image; cosign has
// the same. Any other is an attestation, which signs nothing.
const SignatureType = "https://sigstore.dev/cosign/sign/v1"

// Media types and annotations of bundles as referrers (cosign, specs/BUNDLE_SPEC.md).
const (
	mediaBundle         = "application/vnd.dev.sigstore.bundle.v0.3+json"
	mediaBundlePrefix   = "application/vnd.dev.sigstore.bundle"
	annotationContent   = "dev.sigstore.bundle.content"
	annotationStatement = "dev.sigstore.bundle.predicateType"
	contentEnvelope     = "dsse-envelope"

	maxBundles = 128 << 20 // bytes of all bundles of one subject
)

// A bundle is a signed statement with what is needed to verify it (sigstore
// protobuf-specs, sigstore_bundle.proto, as JSON).
type bundle struct {
	MediaType            string               `json:"mediaType"`
	VerificationMaterial verificationMaterial `json:"verificationMaterial"`
	Envelope             *envelope            `json:"dsseEnvelope,omitempty"`
}

type verificationMaterial struct {
	PublicKey *publicKeyHint `json:"publicKey,omitempty"`
}

type publicKeyHint struct {
	Hint string `json:"hint"`
}

// newBundle signs an in-toto statement with a key.
func (s *Signer) newBundle(body []byte) ([]byte, error) {
	signature, err := s.sign(encoding(payloadInToto, body))
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKIXPublicKey(s.verifier.key)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(der)
	return encode(bundle{
		MediaType:            mediaBundle,
		VerificationMaterial: verificationMaterial{&publicKeyHint{base64.StdEncoding.EncodeToString(sum[:])}},
		Envelope: &envelope{
			PayloadType: payloadInToto, Payload: base64.StdEncoding.EncodeToString(body),
			Signatures: []envelopeSignature{{KeyID: s.verifier.id, Sig: base64.StdEncoding.EncodeToString(signature)}},
		},
	})
}

// A foundBundle is one of an image's bundles as it was read, of which nothing is known.
type foundBundle struct {
	content       []byte
	predicateType string // what it says of itself
	damage        error  // why it could not be read
}

// bundleDocument is a bundle as a [Judge] gets it, whatever the media type that it had.
func bundleDocument(content []byte) oci.Document {
	return oci.Document{MediaType: mediaBundle, Content: content}
}

// findBundles reads the bundles that refer to subject. Other referrers, which others
// have put there, are left out.
func findBundles(ctx context.Context, src *oci.Source, subject store.Digest) ([]foundBundle, error) {
	referrers, err := src.Referrers(ctx, subject)
	if err != nil {
		return nil, err
	}
	var list []foundBundle
	total := 0
	for _, a := range referrers {
		if !strings.HasPrefix(a.ArtifactType, mediaBundlePrefix) && a.Annotations[annotationContent] == "" {
			continue
		}
		err := a.Read()
		switch {
		case err != nil && !isDamage(err):
			return nil, err
		case err == nil && len(a.Documents) != 1:
			err = fmt.Errorf("referrer %s: %d documents, expected one bundle", a.Digest(), len(a.Documents))
		}
		b := foundBundle{predicateType: shortType(a.Annotations[annotationStatement]), damage: err}
		if err == nil {
			b.content = a.Documents[0].Content
			if total += len(b.content); total > maxBundles {
				return nil, fmt.Errorf("%w: bundles of more than %d bytes", oci.ErrTooLarge, maxBundles)
			}
			if said := saidType(b.content); said != "" {
				b.predicateType = said
			}
		}
		list = append(list, b)
	}
	slices.SortStableFunc(list, func(a, b foundBundle) int { return strings.Compare(a.predicateType, b.predicateType) })
	return list, nil
}

// shortType returns a type that can be shown.
func shortType(s string) string {
	if s == "" || len(s) > maxTypeLength {
		return unknownType
	}
	return s
}

// saidType returns the type of the statement that a bundle holds, or "" where it holds
// none. Nothing is verified.
func saidType(content []byte) string {
	body, err := envelopeOf(content)
	if err != nil {
		return ""
	}
	var st statement
	if json.Unmarshal(body, &st) != nil || st.PredicateType == "" {
		return ""
	}
	return shortType(st.PredicateType)
}

// envelopeOf returns what the envelope in a bundle holds. Nothing is verified.
func envelopeOf(content []byte) ([]byte, error) {
	var b bundle
	if err := json.Unmarshal(content, &b); err != nil {
		return nil, err
	}
	if b.Envelope == nil {
		return nil, errors.New("no DSSE envelope")
	}
	return decodeBase64(b.Envelope.Payload)
}

// checkBundle returns the statement of a bundle, if v says that it is about subject.
// With an error it has only the type that the bundle says it is of.
func (v *Verifier) checkBundle(b foundBundle, subject store.Digest) (statement, error) {
	claimed := statement{PredicateType: b.predicateType}
	if b.damage != nil {
		return claimed, fmt.Errorf("%w: %w", ErrDamaged, b.damage)
	}
	body, err := v.openBundle(b.content)
	if err != nil {
		return claimed, err
	}
	st, err := checkStatement(body, subject)
	if errors.Is(err, ErrSubject) && st.PredicateType == SignatureType {
		err = fmt.Errorf("%w: it is of %s, the image is %s", ErrReplayed, subjects(st), subject)
	}
	// What it says of itself was read by other means than what was verified, and decides
	// whether it may count as a signature.
	if err == nil && shortType(st.PredicateType) != b.predicateType {
		err = fmt.Errorf("%w: the bundle says that it is of type %.200q, what is signed is of type %.200q", ErrDamaged, b.predicateType, st.PredicateType)
	}
	if err != nil {
		return claimed, err
	}
	return st, nil
}

// openBundle returns the statement of a bundle, if v says that it is signed.
func (v *Verifier) openBundle(content []byte) ([]byte, error) {
	if v.judge != nil {
		verdict := v.verdict(bundleDocument(content))
		return verdict.Signed, verdict.Err
	}
	var b bundle
	switch err := json.Unmarshal(content, &b); {
	case err != nil:
		return nil, fmt.Errorf("%w: the bundle is not JSON of its form", ErrDamaged)
	case !strings.HasPrefix(b.MediaType, mediaBundlePrefix):
		return nil, fmt.Errorf("%w: the bundle's media type is %.80q, expected %s", ErrDamaged, b.MediaType, mediaBundle)
	case b.Envelope == nil:
		return nil, fmt.Errorf("%w: the bundle has no DSSE envelope", ErrDamaged)
	}
	return v.openEnvelope(*b.Envelope)
}

// newReferrer makes the referrer of a bundle, as `cosign attest --new-bundle-format`
// does, without the time.
func newReferrer(src *oci.Source, subject store.Digest, predicateType string, content []byte) (*oci.Artifact, error) {
	return src.NewReferrer(subject, mediaBundle, map[string]string{
		annotationContent: contentEnvelope, annotationStatement: predicateType,
	}, oci.Document{MediaType: mediaBundle, Content: content})
}

// bundles signs statements, each into a bundle of its own.
func (s *Signer) bundles(ctx context.Context, statements [][]byte) ([][]byte, error) {
	if s.certified != nil {
		return s.certified.Sign(ctx, statements)
	}
	var list [][]byte
	for _, body := range statements {
		b, err := s.newBundle(body)
		if err != nil {
			return nil, err
		}
		list = append(list, b)
	}
	return list, nil
}

// bundleArtifacts is Artifacts in the form of referrers: a statement about each subject
// for each attestation and, after them, for the signature. Nothing that the image has
// is replaced: the registry's list of referrers only grows.
func (s *Set) bundleArtifacts(ctx context.Context, subjects []Subject) ([]*oci.Artifact, error) {
	before, err := s.bundledBefore(ctx, subjects)
	if err != nil {
		return nil, err
	}
	type part struct {
		subject       store.Digest
		predicateType string
	}
	var parts []part
	var statements [][]byte
	add := func(subject store.Digest, predicateType string, predicate []byte) (store.Digest, error) {
		body, err := newStatement(subject, s.reference, predicateType, predicate)
		parts, statements = append(parts, part{subject, predicateType}), append(statements, body)
		return store.DigestOf(body), err
	}
	all := promise{}
	for _, subject := range subjects {
		for _, a := range s.about(subject) {
			digest, err := add(subject.Digest, a.predicateType, a.predicate)
			if err != nil {
				return nil, err
			}
			all.add(subject.Digest, a.predicateType, digest)
		}
		if err := all.carry(subject, before); err != nil {
			return nil, err
		}
	}
	for _, subject := range subjects {
		names := all.of(subject)
		predicate, err := encode(saying{Attestations: names, Supersedes: before.supersededBy(subject, names)})
		if err == nil {
			_, err = add(subject.Digest, SignatureType, predicate)
		}
		if err != nil {
			return nil, err
		}
	}
	contents, err := s.signer.bundles(ctx, statements)
	if err != nil {
		return nil, err
	}
	var list []*oci.Artifact
	for i, p := range parts {
		a, err := newReferrer(s.src, p.subject, p.predicateType, contents[i])
		if err != nil {
			return nil, err
		}
		list = append(list, a)
	}
	return list, nil
}

// bundledBefore returns what the signer has said in bundles. Without a key there is
// nothing to tell whose they are: then it is what anybody has signed, which serves to
// say in whose place the new signature stands, and to nothing else.
func (s *Set) bundledBefore(ctx context.Context, subjects []Subject) (*history, error) {
	before := newHistory(s.signer.verifier != nil)
	for _, subject := range subjects {
		found, err := findBundles(ctx, s.src, subject.Digest)
		if err != nil {
			return nil, err
		}
		for _, b := range found {
			st, err := s.ownBundle(b, subject)
			switch {
			case err != nil:
			case st.PredicateType == SignatureType:
				before.signed(subject, st.signature)
			case before.known:
				before.attested[subject.Digest] = append(before.attested[subject.Digest], st)
			}
		}
	}
	return before.end(), nil
}

// ownBundle returns the statement of a bundle that the signer may have made.
func (s *Set) ownBundle(b foundBundle, subject Subject) (statement, error) {
	if s.signer.verifier != nil {
		return s.signer.verifier.checkBundle(b, subject.Digest)
	}
	body, err := envelopeOf(b.content)
	if err != nil {
		return statement{}, err
	}
	return checkStatement(body, subject.Digest)
}
