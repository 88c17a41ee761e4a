package keylesstest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/testing/ca"
)

// Authority is all of them. Its addresses are set by [New]; the others may be changed
// while nothing is signed.
type Authority struct {
	Fulcio, Rekor, Timestamp string // URLs
	Root                     []byte // the trusted root, JSON
	TimestampRoot            []byte // the trusted root without a transparency log

	CertificateAge time.Duration                      // how long ago certificates were valid for ten minutes
	Unlogged       bool                               // certificates do not say that they are in the certificate log
	Fail           func(service string) (int, string) // a status other than 0 and a body for "fulcio", "rekor" or "timestamp"

	server   *httptest.Server
	requests atomic.Int64

	ca, tsaCA, tsaLeaf             *x509.Certificate
	rootCert                       *x509.Certificate
	caKey, tsaKey, rekorKey, ctKey *ecdsa.PrivateKey
	mu                             sync.Mutex
	entries                        int64
}

// New starts an authority. Close it.
func New() (*Authority, error) {
	a := &Authority{}
	if err := a.makeKeys(); err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	for path, h := range map[string]struct {
		service string
		serve   func(http.ResponseWriter, *http.Request) error
	}{
		"/api/v2/signingCert": {"fulcio", a.certify},
		"/api/v1/signingCert": {"fulcio", a.certifyOld},
		"/api/v1/log/entries": {"rekor", a.record},
		"/api/v1/timestamp":   {"timestamp", a.stamp},
	} {
		mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
			a.requests.Add(1)
			if a.Fail != nil {
				if status, body := a.Fail(h.service); status != 0 {
					w.Header().Set("Content-Type", "application/json")
					w.WriteHeader(status)
					json.NewEncoder(w).Encode(map[string]any{"code": status, "message": body})
					return
				}
			}
			if err := h.serve(w, r); err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
			}
		})
	}
	a.server = httptest.NewServer(mux)
	a.Fulcio, a.Rekor, a.Timestamp = a.server.URL, a.server.URL, a.server.URL+"/api/v1/timestamp"
	var err error
	if a.Root, err = a.trustedRoot(true); err == nil {
		a.TimestampRoot, err = a.trustedRoot(false)
	}
	if err != nil {
		a.Close()
		return nil, err
	}
	return a, nil
}

// Close stops the servers.
func (a *Authority) Close() { a.server.Close() }

// Requests returns how many requests there were.
func (a *Authority) Requests() int { return int(a.requests.Load()) }

func (a *Authority) makeKeys() (err error) {
	var rootKey, tsaCAKey *ecdsa.PrivateKey
	if a.rootCert, rootKey, err = ca.GenerateRootCa(); err != nil {
		return err
	}
	if a.ca, a.caKey, err = ca.GenerateFulcioIntermediate(a.rootCert, rootKey); err != nil {
		return err
	}
	if a.tsaCA, tsaCAKey, err = ca.GenerateTSAIntermediate(a.rootCert, rootKey); err != nil {
		return err
	}
	for _, key := range []**ecdsa.PrivateKey{&a.tsaKey, &a.rekorKey, &a.ctKey} {
		if *key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			return err
		}
	}
	a.tsaLeaf, err = ca.GenerateTSALeafCert(time.Now().Add(-5*time.Minute), a.tsaKey, a.tsaCA, tsaCAKey)
	return err
}

// logID is that of a log with this key (RFC 6962, section 3.2).
func logID(key *ecdsa.PrivateKey) []byte {
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		panic(err) // a key that was just made
	}
	sum := sha256.Sum256(der)
	return sum[:]
}

func (a *Authority) trustedRoot(withLog bool) ([]byte, error) {
	from, to := time.Now().Add(-24*time.Hour), time.Now().Add(24*time.Hour)
	log := func(key *ecdsa.PrivateKey) map[string]*root.TransparencyLog {
		return map[string]*root.TransparencyLog{hex.EncodeToString(logID(key)): {
			BaseURL: a.server.URL, ID: logID(key), ValidityPeriodStart: from, ValidityPeriodEnd: to,
			HashFunc: crypto.SHA256, PublicKey: key.Public(), SignatureHashFunc: crypto.SHA256,
		}}
	}
	logs := map[string]*root.TransparencyLog{}
	if withLog {
		logs = log(a.rekorKey)
	}
	r, err := root.NewTrustedRoot(root.TrustedRootMediaType01,
		[]root.CertificateAuthority{&root.FulcioCertificateAuthority{
			Root: a.rootCert, Intermediates: []*x509.Certificate{a.ca}, ValidityPeriodStart: from, ValidityPeriodEnd: to, URI: a.Fulcio,
		}},
		log(a.ctKey),
		[]root.TimestampingAuthority{&root.SigstoreTimestampingAuthority{
			Root: a.rootCert, Intermediates: []*x509.Certificate{a.tsaCA}, Leaf: a.tsaLeaf, ValidityPeriodStart: from, ValidityPeriodEnd: to, URI: a.Timestamp,
		}}, logs)
	if err != nil {
		return nil, err
	}
	return r.MarshalJSON()
}

// Token returns a token for an email address, as the issuer would sign it.
func Token(email, issuer string) string {
	claims := map[string]any{
		"iss": issuer, "sub": email, "email": email, "email_verified": true, "aud": "sigstore", "exp": time.Now().Add(time.Hour).Unix(),
	}
	text, err := json.Marshal(claims)
	if err != nil {
		panic(err) // strings and numbers
	}
	part := base64.RawURLEncoding.EncodeToString
	return part([]byte(`{"alg":"HS256"}`)) + "." + part(text) + "." + part([]byte("signature of the issuer"))
}

type claims struct {
	Email  string `json:"email"`
	Issuer string `json:"iss"`
}

func readClaims(r *http.Request) (c claims, err error) {
	parts := strings.Split(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), ".")
	if len(parts) != 3 {
		return c, fmt.Errorf("the token is none: %q", r.Header.Get("Authorization"))
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return c, err
	}
	return c, json.Unmarshal(text, &c)
}
