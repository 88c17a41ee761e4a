package sigstore

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"

	"github.com/hardpan/hardpan/internal/keyless"
)

// document is what is judged, as the library has it. A document that is no bundle has
// been made one, so that there is one way to be believed.
type document struct {
	bundle *bundle.Bundle
	signed []byte // what is believed if the bundle verifies

	// message says that the bundle signs the bytes of signed, and not an envelope.
	message bool
	// stamped is what timestamps are of where that is not the signature.
	stamped []byte
	// entry is one of the transparency log that the library does not read.
	entry *intotoEntry
}

// read reads a document of any form.
func read(d keyless.Document) (*document, error) {
	switch d.MediaType {
	case mediaSignature:
		return readSignature(d)
	case mediaAttestation:
		return readAttestation(d)
	}
	var b bundle.Bundle
	if err := b.UnmarshalJSON(d.Content); err != nil {
		return nil, fmt.Errorf("the bundle is not of its form: %w", err)
	}
	envelope := b.GetDsseEnvelope()
	if envelope == nil || envelope.PayloadType != payloadInToto {
		return nil, errors.New("the bundle has no DSSE envelope with an in-toto statement")
	}
	return &document{bundle: &b, signed: envelope.Payload}, nil
}

// artifact returns what the library compares with what is signed. The subject of a
// statement is compared by the caller.
func (d *document) artifact() verify.ArtifactPolicyOption {
	if d.message {
		return verify.WithArtifact(bytes.NewReader(d.signed))
	}
	return verify.WithoutArtifactUnsafe()
}

// logged tells a document without an entry of a log that could be verified from one whose
// entry does not verify.
func (d *document) logged(trusted *root.TrustedRoot) error {
	logs := trusted.RekorLogs()
	if len(logs) == 0 {
		return nil
	}
	var ids []string
	if d.entry != nil {
		ids = append(ids, d.entry.logID)
	}
	for _, e := range d.bundle.VerificationMaterial.GetTlogEntries() {
		ids = append(ids, hex.EncodeToString(e.GetLogId().GetKeyId()))
	}
	if len(ids) == 0 {
		return errors.New("there is no entry of a transparency log")
	}
	for _, id := range ids {
		if logs[id] != nil {
			return nil
		}
	}
	return errors.New("the entry is of no transparency log that the trusted root names")
}

// verify asks the library, with the root that the document needs.
func (d *document) verify(trusted *root.TrustedRoot) (*verify.VerificationResult, error) {
	var material root.TrustedMaterial = trusted
	var entity verify.SignedEntity = d.bundle
	options := demands(trusted)
	if d.stamped != nil {
		material = newWitnesses(trusted, d.stamped)
	}
	if d.entry != nil && len(trusted.RekorLogs()) > 0 {
		content, err := d.bundle.VerificationContent()
		if err != nil {
			return nil, err
		}
		if err := d.entry.verify(trusted, content.Certificate(), d.stamped); err != nil {
			return nil, fmt.Errorf("%s%w", failedLog, err)
		}
		// The entry is verified, and its time is to be counted with the others.
		material = &witnesses{material, append([]root.TimestampingAuthority{d.entry}, material.TimestampingAuthorities()...)}
		entity = loggedEntity{d.bundle, d.entry}
		options = demandsButLog(trusted)
	}
	v, err := verify.NewVerifier(material, options...)
	if err != nil {
		return nil, err
	}
	return v.Verify(entity, verify.NewPolicy(d.artifact(), verify.WithoutIdentitiesUnsafe()))
}

// witnesses are a trusted root with other authorities of time.
type witnesses struct {
	root.TrustedMaterial
	authorities []root.TimestampingAuthority
}

func (w *witnesses) TimestampingAuthorities() []root.TimestampingAuthority { return w.authorities }

// newWitnesses makes the timestamp authorities vouch for stamped, and for nothing else.
func newWitnesses(trusted root.TrustedMaterial, stamped []byte) *witnesses {
	w := &witnesses{TrustedMaterial: trusted}
	for _, a := range trusted.TimestampingAuthorities() {
		w.authorities = append(w.authorities, witness{a, stamped})
	}
	return w
}

type witness struct {
	root.TimestampingAuthority
	stamped []byte
}

func (w witness) Verify(timestamp, _ []byte) (*root.Timestamp, error) {
	return w.TimestampingAuthority.Verify(timestamp, w.stamped)
}

// loggedEntity has the promise of a log among its timestamps, for that is what it is.
type loggedEntity struct {
	*bundle.Bundle
	entry *intotoEntry
}

func (e loggedEntity) Timestamps() ([][]byte, error) {
	list, err := e.Bundle.Timestamps()
	return append([][]byte{e.entry.promise}, list...), err
}
