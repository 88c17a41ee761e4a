package keylesstest

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net/http"
	"time"

	"github.com/cyberphone/json-canonicalization/go/src/webpki.org/jsoncanonicalizer"
	"github.com/digitorus/timestamp"
	"github.com/go-openapi/runtime"
	ct "github.com/google/certificate-transparency-go"
	"github.com/google/certificate-transparency-go/tls"
	ctx509 "github.com/google/certificate-transparency-go/x509"
	"github.com/google/certificate-transparency-go/x509util"
	"github.com/sigstore/rekor/pkg/generated/models"
	"github.com/sigstore/rekor/pkg/types"
	"github.com/sigstore/rekor/pkg/util"
	"github.com/sigstore/sigstore/pkg/signature"

	_ "github.com/sigstore/rekor/pkg/types/dsse/v0.0.1"         // the entries that are recorded
	_ "github.com/sigstore/rekor/pkg/types/hashedrekord/v0.0.1" // and cosign's
)

// certify issues a certificate (Fulcio, api/v2/signingCert).
func (a *Authority) certify(w http.ResponseWriter, r *http.Request) error {
	who, err := readClaims(r)
	if err != nil {
		return err
	}
	var request struct {
		PublicKeyRequest struct {
			PublicKey         struct{ Content string }
			ProofOfPossession []byte
		}
	}
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		return err
	}
	block, _ := pem.Decode([]byte(request.PublicKeyRequest.PublicKey.Content))
	if block == nil {
		return errors.New("no public key")
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return err
	}
	key, ok := parsed.(*ecdsa.PublicKey)
	proof := sha256.Sum256([]byte(who.Email))
	if !ok || !ecdsa.VerifyASN1(key, proof[:], request.PublicKeyRequest.ProofOfPossession) {
		return errors.New("no proof of possession")
	}
	der, err := a.certificate(who, key)
	if err != nil {
		return err
	}
	var chain []string
	for _, c := range [][]byte{der, a.ca.Raw, a.rootCert.Raw} {
		chain = append(chain, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c})))
	}
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(map[string]any{"signedCertificateEmbeddedSct": map[string]any{"chain": map[string]any{"certificates": chain}}})
}

var (
	oidIssuer = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 1} // Fulcio, oid-info.md
	oidSCTs   = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 4, 2}
)

// certificate makes one that says it is in the certificate log. What the log signs is
// the certificate without that (RFC 6962, section 3.2).
func (a *Authority) certificate(who claims, key *ecdsa.PublicKey) ([]byte, error) {
	from := time.Now().Add(-a.CertificateAge - time.Minute)
	make := func(scts []byte) ([]byte, error) {
		return x509.CreateCertificate(rand.Reader, &x509.Certificate{
			SerialNumber: big.NewInt(from.UnixNano()), EmailAddresses: []string{who.Email}, NotBefore: from, NotAfter: from.Add(10 * time.Minute),
			KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
			ExtraExtensions: []pkix.Extension{{Id: oidIssuer, Value: []byte(who.Issuer)}, {Id: oidSCTs, Value: scts}},
		}, a.ca, key, a.caKey)
	}
	draft, err := make([]byte{asn1.TagOctetString, 0})
	if err != nil {
		return nil, err
	}
	chain := []*ctx509.Certificate{}
	for _, der := range [][]byte{draft, a.ca.Raw} {
		c, err := ctx509.ParseCertificate(der)
		if ctx509.IsFatal(err) {
			return nil, err
		}
		chain = append(chain, c)
	}
	scts, err := a.certificateTimestamp(chain)
	if err != nil {
		return nil, err
	}
	return make(scts)
}

// certificateTimestamp is the certificate log's promise, as an extension.
func (a *Authority) certificateTimestamp(chain []*ctx509.Certificate) ([]byte, error) {
	sct := ct.SignedCertificateTimestamp{SCTVersion: ct.V1, Timestamp: uint64(time.Now().UnixMilli())}
	copy(sct.LogID.KeyID[:], logID(a.ctKey))
	leaf, err := ct.MerkleTreeLeafForEmbeddedSCT(chain, sct.Timestamp)
	if err != nil {
		return nil, err
	}
	input, err := ct.SerializeSCTSignatureInput(sct, ct.LogEntry{Leaf: *leaf})
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(input)
	signed, err := ecdsa.SignASN1(rand.Reader, a.ctKey, sum[:])
	if err != nil {
		return nil, err
	}
	sct.Signature = ct.DigitallySigned{Algorithm: tls.SignatureAndHashAlgorithm{Hash: tls.SHA256, Signature: tls.ECDSA}, Signature: signed}
	list, err := x509util.MarshalSCTsIntoSCTList([]*ct.SignedCertificateTimestamp{&sct})
	if err != nil {
		return nil, err
	}
	text, err := tls.Marshal(*list)
	if err != nil {
		return nil, err
	}
	return asn1.Marshal(text)
}

// record adds an entry to the log (Rekor, api/v1/log/entries): to a tree of its own.
func (a *Authority) record(w http.ResponseWriter, r *http.Request) error {
	proposed, err := models.UnmarshalProposedEntry(r.Body, runtime.JSONConsumer())
	if err != nil {
		return err
	}
	entry, err := types.CreateVersionedEntry(proposed)
	if err != nil {
		return err
	}
	body, err := types.CanonicalizeEntry(r.Context(), entry)
	if err != nil {
		return err
	}
	a.mu.Lock()
	a.entries++
	index := a.entries
	a.mu.Unlock()
	now := time.Now().Unix()
	text := base64.StdEncoding.EncodeToString(body)
	set, err := a.promise(map[string]any{"body": text, "integratedTime": now, "logIndex": index, "logID": hex.EncodeToString(logID(a.rekorKey))})
	if err != nil {
		return err
	}
	proof, err := a.proof(r.Context(), body)
	if err != nil {
		return err
	}
	uuid := hex.EncodeToString(logID(a.rekorKey))
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("ETag", uuid)
	w.Header().Set("Location", "/api/v1/log/entries/"+uuid)
	w.WriteHeader(http.StatusCreated)
	return json.NewEncoder(w).Encode(map[string]any{uuid: map[string]any{
		"body": text, "integratedTime": now, "logIndex": index, "logID": hex.EncodeToString(logID(a.rekorKey)),
		"verification": map[string]any{"inclusionProof": proof, "signedEntryTimestamp": set},
	}})
}

// promise is the signed entry timestamp.
func (a *Authority) promise(entry map[string]any) ([]byte, error) {
	text, err := json.Marshal(entry)
	if err == nil {
		text, err = jsoncanonicalizer.Transform(text)
	}
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(text)
	return ecdsa.SignASN1(rand.Reader, a.rekorKey, sum[:])
}

func (a *Authority) proof(ctx context.Context, body []byte) (map[string]any, error) {
	signer, err := signature.LoadECDSASignerVerifier(a.rekorKey, crypto.SHA256)
	if err != nil {
		return nil, err
	}
	leaf := sha256.Sum256(append([]byte{0}, body...)) // RFC 6962, section 2.1
	checkpoint, err := util.CreateAndSignCheckpoint(ctx, "rekor.localhost", 1, 1, leaf[:], signer)
	if err != nil {
		return nil, err
	}
	return map[string]any{"treeSize": 1, "logIndex": 0, "hashes": []string{}, "rootHash": hex.EncodeToString(leaf[:]), "checkpoint": string(checkpoint)}, nil
}

// stamp says that it has seen a signature now (RFC 3161).
func (a *Authority) stamp(w http.ResponseWriter, r *http.Request) error {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	request, err := timestamp.ParseRequest(text)
	if err != nil {
		return err
	}
	t := timestamp.Timestamp{
		HashAlgorithm: request.HashAlgorithm, HashedMessage: request.HashedMessage, Time: time.Now(), Nonce: request.Nonce,
		Policy: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 2}, AddTSACertificate: request.Certificates,
	}
	answer, err := t.CreateResponseWithOpts(a.tsaLeaf, a.tsaKey, crypto.SHA256)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/timestamp-reply")
	w.WriteHeader(http.StatusCreated)
	_, err = io.Copy(w, bytes.NewReader(answer))
	return err
}
