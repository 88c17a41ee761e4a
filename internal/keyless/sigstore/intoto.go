package sigstore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"github.com/sigstore/rekor/pkg/generated/models"
	rekorverify "github.com/sigstore/rekor/pkg/verify"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore/pkg/signature"
)

// An intotoEntry is an entry of a transparency log of the kind intoto 0.0.1 (Rekor,
// pkg/types/intoto/v0.0.1), which cosign attest recorded before version 2.2 and records
// on request. sigstore-go reads no such entries.
type intotoEntry struct {
	body              []byte
	logID             string // hexadecimal
	index, integrated int64  // of the log; seconds since 1970
	promise           []byte // the signed entry timestamp

	witnessed *root.Timestamp // after verify
}

// verify demands that a log which the root names has promised to have the entry, and that
// it is about this envelope and this certificate, while the certificate was valid.
func (e *intotoEntry) verify(trusted root.TrustedMaterial, certificate *x509.Certificate, envelope []byte) error {
	log, at := trusted.RekorLogs()[e.logID], time.Unix(e.integrated, 0)
	switch {
	case log == nil:
		return errors.New("the trusted root does not name its log")
	case log.ValidityPeriodStart.IsZero() || at.Before(log.ValidityPeriodStart) || !log.ValidityPeriodEnd.IsZero() && at.After(log.ValidityPeriodEnd):
		return errors.New("the log's key was not valid at the integrated time")
	}
	key, err := signature.LoadVerifier(log.PublicKey, log.SignatureHashFunc)
	if err != nil {
		return err
	}
	err = rekorverify.VerifySignedEntryTimestamp(context.Background(), &models.LogEntryAnon{
		Body: base64.StdEncoding.EncodeToString(e.body), IntegratedTime: &e.integrated, LogIndex: &e.index, LogID: &e.logID,
		Verification: &models.LogEntryAnonVerification{SignedEntryTimestamp: e.promise},
	}, key)
	if err != nil {
		return fmt.Errorf("the log has not promised it: %w", err)
	}
	if err := e.compare(certificate, envelope); err != nil {
		return err
	}
	if at.Before(certificate.NotBefore) || at.After(certificate.NotAfter) {
		return errors.New("integrated time outside certificate validity")
	}
	e.witnessed = &root.Timestamp{Time: at, URI: log.BaseURL}
	return nil
}

// compare compares what the entry says with what it was found with.
func (e *intotoEntry) compare(certificate *x509.Certificate, envelope []byte) error {
	var said struct {
		Spec struct {
			Content struct {
				Hash struct{ Algorithm, Value string }
			}
			PublicKey []byte
		}
	}
	if err := json.Unmarshal(e.body, &said); err != nil {
		return errors.New("the entry is not JSON of its form")
	}
	hash, sum := said.Spec.Content.Hash, sha256.Sum256(envelope)
	if hash.Algorithm != "sha256" || hash.Value != hex.EncodeToString(sum[:]) {
		return fmt.Errorf("the entry is of an envelope with digest %.20s:%.64s, this one's is sha256:%x", hash.Algorithm, hash.Value, sum)
	}
	block, _ := pem.Decode(said.Spec.PublicKey)
	if block == nil || !bytes.Equal(block.Bytes, certificate.Raw) {
		return errors.New("the entry is of another certificate")
	}
	return nil
}

// Verify returns the time at which the log had the entry. A log's promise is a signed
// timestamp, though of its own form.
func (e *intotoEntry) Verify(promise, _ []byte) (*root.Timestamp, error) {
	if e.witnessed == nil || !bytes.Equal(promise, e.promise) {
		return nil, errors.New("it is not the promise of this entry")
	}
	return e.witnessed, nil
}
