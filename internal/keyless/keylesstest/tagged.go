package keylesstest

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/digitorus/timestamp"

	"github.com/hardpan/hardpan/internal/oci"
)

// Tagged says how a layer under one of cosign's tags is signed.
type Tagged struct {
	Email, Issuer string
	// Entry is the kind of the entry in the log: hashedrekord of a signature, and dsse,
	// "intoto 0.0.1" or "intoto 0.0.2" of an attestation. "" is none.
	Entry string
	// Timestamp adds a timestamp.
	Timestamp bool
}

// Signature returns the layer of the tag "sha256-HEX.sig" that `cosign sign` makes of a
// payload without a key and without a bundle.
func (a *Authority) Signature(ctx context.Context, t Tagged, payload []byte) (oci.Document, error) {
	certified, err := a.certified(t)
	if err != nil {
		return oci.Document{}, err
	}
	signature, err := certified.sign(payload)
	if err != nil {
		return oci.Document{}, err
	}
	d := oci.Document{MediaType: "application/vnd.dev.cosign.simplesigning.v1+json", Content: payload, Annotations: map[string]string{
		"dev.cosignproject.cosign/signature": base64.StdEncoding.EncodeToString(signature),
	}}
	return d, a.vouch(ctx, t, certified, &d, signature, map[string]any{
		"data":      map[string]any{"hash": digestOf(payload)},
		"signature": map[string]any{"content": signature, "publicKey": map[string]any{"content": []byte(certified.pem)}},
	})
}

// Attestation returns the layer of the tag "sha256-HEX.att" that `cosign attest` makes of
// a statement without a key and without a bundle.
func (a *Authority) Attestation(ctx context.Context, t Tagged, predicateType string, statement []byte) (oci.Document, error) {
	const payloadType = "application/vnd.in-toto+json"
	certified, err := a.certified(t)
	if err != nil {
		return oci.Document{}, err
	}
	signature, err := certified.sign(fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(payloadType), payloadType, len(statement), statement))
	if err != nil {
		return oci.Document{}, err
	}
	envelope, err := json.Marshal(map[string]any{
		"payloadType": payloadType, "payload": statement, "signatures": []any{map[string]any{"keyid": "", "sig": signature}},
	})
	if err != nil {
		return oci.Document{}, err
	}
	d := oci.Document{MediaType: "application/vnd.dsse.envelope.v1+json", Content: envelope, Annotations: map[string]string{
		"dev.cosignproject.cosign/signature": "", "predicateType": predicateType,
	}}
	spec := map[string]any{"proposedContent": map[string]any{"envelope": string(envelope), "verifiers": [][]byte{[]byte(certified.pem)}}}
	switch t.Entry {
	case "intoto 0.0.1":
		spec = map[string]any{"content": map[string]any{"envelope": string(envelope)}, "publicKey": []byte(certified.pem)}
	case "intoto 0.0.2": // base64 twice
		again := func(b []byte) []byte { return []byte(base64.StdEncoding.EncodeToString(b)) }
		spec = map[string]any{"content": map[string]any{
			"hash": digestOf(envelope),
			"envelope": map[string]any{
				"payloadType": payloadType, "payload": again(statement),
				"signatures": []any{map[string]any{"sig": again(signature), "publicKey": []byte(certified.pem)}},
			},
		}}
	}
	return d, a.vouch(ctx, t, certified, &d, envelope, spec)
}

// certified is a key made for one signature, with its certificate.
type certified struct {
	key *ecdsa.PrivateKey
	pem string
}

func (a *Authority) certified(t Tagged) (*certified, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := a.certificate(claims{t.Email, t.Issuer}, &key.PublicKey)
	return &certified{key, certificatePEM(der)}, err
}

func (c *certified) sign(message []byte) ([]byte, error) {
	sum := sha256.Sum256(message)
	return ecdsa.SignASN1(rand.Reader, c.key, sum[:])
}

// vouch adds to d the certificate, the entry of the log and the timestamp of stamped.
func (a *Authority) vouch(ctx context.Context, t Tagged, c *certified, d *oci.Document, stamped []byte, spec map[string]any) error {
	d.Annotations["dev.sigstore.cosign/certificate"] = c.pem
	d.Annotations["dev.sigstore.cosign/chain"] = certificatePEM(a.ca.Raw) + certificatePEM(a.rootCert.Raw)
	add := func(name string, value map[string]any) error {
		text, err := json.Marshal(value)
		d.Annotations[name] = string(text)
		return err
	}
	if t.Entry != "" {
		kind, version := t.Entry, "0.0.1"
		if n, err := fmt.Sscan(t.Entry, &kind, &version); n == 0 {
			return err
		}
		proposed, err := json.Marshal(map[string]any{"kind": kind, "apiVersion": version, "spec": spec})
		if err != nil {
			return err
		}
		body, err := readEntry(ctx, bytes.NewReader(proposed))
		if err != nil {
			return fmt.Errorf("entry of kind %s: %w", t.Entry, err)
		}
		entry, promise, err := a.enter(body)
		if err != nil {
			return err
		}
		if err := add("dev.sigstore.cosign/bundle", map[string]any{"SignedEntryTimestamp": promise, "Payload": entry}); err != nil {
			return err
		}
	}
	if !t.Timestamp {
		return nil
	}
	sum := sha256.Sum256(stamped)
	answer, err := a.timestamp(&timestamp.Request{HashAlgorithm: crypto.SHA256, HashedMessage: sum[:], Certificates: true})
	if err != nil {
		return err
	}
	return add("dev.sigstore.cosign/rfc3161timestamp", map[string]any{"SignedRFC3161Timestamp": answer})
}
