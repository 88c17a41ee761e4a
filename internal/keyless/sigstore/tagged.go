package sigstore

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	protodsse "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"github.com/sigstore/sigstore-go/pkg/bundle"

	"github.com/hardpan/hardpan/internal/keyless"
)

// Media types and annotations of the layers under cosign's tags (cosign,
// specs/SIGNATURE_SPEC.md and specs/ATTESTATION_SPEC.md). The chain of the certificate,
// which there is an annotation for too, is that of the trusted root, as with bundles.
const (
	mediaSignature   = "application/vnd.dev.cosign.simplesigning.v1+json"
	mediaAttestation = "application/vnd.dsse.envelope.v1+json"

	annotationSignature   = "dev.cosignproject.cosign/signature"
	annotationCertificate = "dev.sigstore.cosign/certificate"
	annotationEntry       = "dev.sigstore.cosign/bundle"
	annotationTimestamp   = "dev.sigstore.cosign/rfc3161timestamp"

	maxAnnotation = 128 << 10 // bytes; those of cosign have some five thousand

	// mediaBundle is of bundles that need no more of the log than its promise.
	mediaBundle = "application/vnd.dev.sigstore.bundle+json;version=0.1"
)

// readSignature reads a layer under the tag "sha256-HEX.sig": a payload, whose signature
// is in an annotation.
func readSignature(from keyless.Document) (*document, error) {
	text, err := annotation(from, annotationSignature)
	if err != nil {
		return nil, err
	}
	signature, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(signature) == 0 {
		return nil, fmt.Errorf("annotation %s is no signature in base64", annotationSignature)
	}
	sum := sha256.Sum256(from.Content)
	d := &document{signed: from.Content, message: true}
	return d, d.assemble(from, &protobundle.Bundle{Content: &protobundle.Bundle_MessageSignature{MessageSignature: &protocommon.MessageSignature{
		MessageDigest: &protocommon.HashOutput{Algorithm: protocommon.HashAlgorithm_SHA2_256, Digest: sum[:]}, Signature: signature,
	}}})
}

// readAttestation reads a layer under the tag "sha256-HEX.att": a DSSE envelope. What
// cosign has timestamped of it is all of it.
func readAttestation(from keyless.Document) (*document, error) {
	var envelope dsse.Envelope
	if err := json.Unmarshal(from.Content, &envelope); err != nil {
		return nil, errors.New("it is not a DSSE envelope")
	}
	switch {
	case envelope.PayloadType != payloadInToto:
		return nil, fmt.Errorf("the envelope holds %.80q, expected %s", envelope.PayloadType, payloadInToto)
	case len(envelope.Signatures) != 1:
		return nil, fmt.Errorf("the envelope has %d signatures, expected one", len(envelope.Signatures))
	}
	payload, err := envelope.DecodeB64Payload()
	if err != nil {
		return nil, errors.New("the envelope's payload is not base64")
	}
	signature, err := base64.StdEncoding.DecodeString(envelope.Signatures[0].Sig)
	if err != nil {
		return nil, errors.New("the envelope's signature is not base64")
	}
	d := &document{signed: payload, stamped: from.Content}
	return d, d.assemble(from, &protobundle.Bundle{Content: &protobundle.Bundle_DsseEnvelope{DsseEnvelope: &protodsse.Envelope{
		PayloadType: envelope.PayloadType, Payload: payload, Signatures: []*protodsse.Signature{{Keyid: envelope.Signatures[0].KeyID, Sig: signature}},
	}}})
}

// assemble adds to a bundle what the annotations say of its signature.
func (d *document) assemble(from keyless.Document, b *protobundle.Bundle) error {
	b.MediaType, b.VerificationMaterial = mediaBundle, &protobundle.VerificationMaterial{}
	for _, add := range []func(keyless.Document, *protobundle.VerificationMaterial) error{addCertificate, d.addEntry, addTimestamp} {
		if err := add(from, b.VerificationMaterial); err != nil {
			return err
		}
	}
	var err error
	if d.bundle, err = bundle.NewBundle(b); err != nil {
		return fmt.Errorf("the annotations make no bundle: %w", err)
	}
	return nil
}

// annotation returns one of a document's annotations, or "" where there is none.
func annotation(from keyless.Document, name string) (string, error) {
	text := from.Annotations[name]
	if len(text) > maxAnnotation {
		return "", fmt.Errorf("annotation %s has %d bytes, at most %d are read", name, len(text), maxAnnotation)
	}
	return text, nil
}

// decodeAnnotation reads one that is JSON, and reports whether there is one.
func decodeAnnotation(from keyless.Document, name string, to any) (bool, error) {
	text, err := annotation(from, name)
	if text == "" || err != nil {
		return false, err
	}
	if err := json.Unmarshal([]byte(text), to); err != nil {
		return false, fmt.Errorf("annotation %s is not JSON of its form", name)
	}
	return true, nil
}

// addCertificate adds the certificate. Without one it was a key that signed.
func addCertificate(from keyless.Document, to *protobundle.VerificationMaterial) error {
	text, err := annotation(from, annotationCertificate)
	if err != nil {
		return err
	}
	if text == "" {
		to.Content = &protobundle.VerificationMaterial_PublicKey{PublicKey: &protocommon.PublicKeyIdentifier{}}
		return nil
	}
	block, rest := pem.Decode([]byte(text))
	if block == nil || block.Type != "CERTIFICATE" || strings.TrimSpace(string(rest)) != "" {
		return fmt.Errorf("annotation %s is not one certificate in PEM", annotationCertificate)
	}
	to.Content = &protobundle.VerificationMaterial_Certificate{Certificate: &protocommon.X509Certificate{RawBytes: block.Bytes}}
	return nil
}

// addEntry adds the entry of the transparency log, with the log's promise to have it.
func (d *document) addEntry(from keyless.Document, to *protobundle.VerificationMaterial) error {
	var said struct {
		SignedEntryTimestamp []byte
		Payload              struct {
			Body           []byte `json:"body"`
			IntegratedTime int64  `json:"integratedTime"`
			LogIndex       int64  `json:"logIndex"`
			LogID          string `json:"logID"`
		}
	}
	if ok, err := decodeAnnotation(from, annotationEntry, &said); !ok {
		return err
	}
	p := said.Payload
	var kind struct{ Kind, APIVersion string }
	id, err := hex.DecodeString(p.LogID)
	switch {
	case err != nil || len(id) != sha256.Size:
		return fmt.Errorf("annotation %s: the log's ID is %.80q, expected a SHA-256 in hexadecimal", annotationEntry, p.LogID)
	case len(said.SignedEntryTimestamp) == 0 || p.IntegratedTime <= 0 || p.LogIndex < 0:
		return fmt.Errorf("annotation %s has no promise of a log with index and time", annotationEntry)
	case json.Unmarshal(p.Body, &kind) != nil:
		return fmt.Errorf("annotation %s: the body is no entry in JSON", annotationEntry)
	case kind.Kind == "intoto" && kind.APIVersion == "0.0.1" && !d.message:
		d.entry = &intotoEntry{body: p.Body, logID: hex.EncodeToString(id), index: p.LogIndex, integrated: p.IntegratedTime, promise: said.SignedEntryTimestamp}
		return nil
	}
	to.TlogEntries = []*protorekor.TransparencyLogEntry{{
		LogIndex: p.LogIndex, LogId: &protocommon.LogId{KeyId: id}, IntegratedTime: p.IntegratedTime, CanonicalizedBody: p.Body,
		KindVersion:      &protorekor.KindVersion{Kind: kind.Kind, Version: kind.APIVersion},
		InclusionPromise: &protorekor.InclusionPromise{SignedEntryTimestamp: said.SignedEntryTimestamp},
	}}
	return nil
}

// addTimestamp adds the timestamp (RFC 3161).
func addTimestamp(from keyless.Document, to *protobundle.VerificationMaterial) error {
	var said struct{ SignedRFC3161Timestamp []byte }
	if ok, err := decodeAnnotation(from, annotationTimestamp, &said); !ok {
		return err
	}
	if len(said.SignedRFC3161Timestamp) == 0 {
		return fmt.Errorf("annotation %s has no timestamp", annotationTimestamp)
	}
	to.TimestampVerificationData = &protobundle.TimestampVerificationData{
		Rfc3161Timestamps: []*protocommon.RFC3161SignedTimestamp{{SignedTimestamp: said.SignedRFC3161Timestamp}},
	}
	return nil
}
