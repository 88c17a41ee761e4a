package keylesstest

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net/http"
	"strings"
	"time"

	"github.com/digitorus/timestamp"
	ct "github.com/google/certificate-transparency-go"
	"github.com/google/certificate-transparency-go/tls"
	ctx509 "github.com/google/certificate-transparency-go/x509"
	"github.com/google/certificate-transparency-go/x509util"
)

// certify issues a certificate (Fulcio, api/v2/signingCert).
func (a *Authority) certify(w http.ResponseWriter, r *http.Request) error {
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
	chain, err := a.chain(r, block.Bytes, request.PublicKeyRequest.ProofOfPossession)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(map[string]any{"signedCertificateEmbeddedSct": map[string]any{"chain": map[string]any{"certificates": chain}}})
}

// certifyOld issues a certificate as cosign asks for it that makes no bundles (Fulcio,
// api/v1/signingCert).
func (a *Authority) certifyOld(w http.ResponseWriter, r *http.Request) error {
	var request struct {
		PublicKey          struct{ Content []byte }
		SignedEmailAddress []byte
	}
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		return err
	}
	block, _ := pem.Decode(request.PublicKey.Content)
	if block == nil {
		return errors.New("no public key")
	}
	chain, err := a.chain(r, block.Bytes, request.SignedEmailAddress)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/pem-certificate-chain")
	w.WriteHeader(http.StatusCreated)
	_, err = io.WriteString(w, strings.Join(chain, ""))
	return err
}

// chain certifies a key for the identity of the request's token, and returns the
// certificate and those above it as PEM blocks.
func (a *Authority) chain(r *http.Request, publicKey, proof []byte) ([]string, error) {
	who, err := readClaims(r)
	if err != nil {
		return nil, err
	}
	parsed, err := x509.ParsePKIXPublicKey(publicKey)
	if err != nil {
		return nil, err
	}
	key, ok := parsed.(*ecdsa.PublicKey)
	if sum := sha256.Sum256([]byte(who.Email)); !ok || !ecdsa.VerifyASN1(key, sum[:], proof) {
		return nil, errors.New("no proof of possession")
	}
	der, err := a.certificate(who, key)
	if err != nil {
		return nil, err
	}
	return []string{certificatePEM(der), certificatePEM(a.ca.Raw), certificatePEM(a.rootCert.Raw)}, nil
}

func certificatePEM(der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

var (
	oidIssuer = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 1} // Fulcio, oid-info.md
	oidSCTs   = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 4, 2}
)

// certificate makes one that says it is in the certificate log. What the log signs is
// the certificate without that (RFC 6962, section 3.2).
func (a *Authority) certificate(who claims, key *ecdsa.PublicKey) ([]byte, error) {
	from := time.Now().Add(-a.CertificateAge - time.Minute)
	issue := func(scts ...pkix.Extension) ([]byte, error) {
		return x509.CreateCertificate(rand.Reader, &x509.Certificate{
			SerialNumber: big.NewInt(from.UnixNano()), EmailAddresses: []string{who.Email}, NotBefore: from, NotAfter: from.Add(10 * time.Minute),
			KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
			ExtraExtensions: append(scts, pkix.Extension{Id: oidIssuer, Value: []byte(who.Issuer)}),
		}, a.ca, key, a.caKey)
	}
	if a.Unlogged {
		return issue()
	}
	draft, err := issue(pkix.Extension{Id: oidSCTs, Value: []byte{asn1.TagOctetString, 0}})
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
	return issue(pkix.Extension{Id: oidSCTs, Value: scts})
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
	answer, err := a.timestamp(request)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/timestamp-reply")
	w.WriteHeader(http.StatusCreated)
	_, err = io.Copy(w, bytes.NewReader(answer))
	return err
}

func (a *Authority) timestamp(request *timestamp.Request) ([]byte, error) {
	t := timestamp.Timestamp{
		HashAlgorithm: request.HashAlgorithm, HashedMessage: request.HashedMessage, Time: time.Now(), Nonce: request.Nonce,
		Policy: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 2}, AddTSACertificate: request.Certificates,
	}
	return t.CreateResponseWithOpts(a.tsaLeaf, a.tsaKey, crypto.SHA256)
}
