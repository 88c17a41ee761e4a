package sign_test

import (
	"crypto"
	"crypto/ed25519"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/sign"
	"github.com/hardpan/hardpan/internal/store"
)

func readFile(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	check(t, err)
	return b
}

// cosignPair is an ECDSA key that `cosign generate-key-pair` made.
func cosignPair(t testing.TB) pair {
	t.Helper()
	p := pair{private: readFile(t, "testdata/cosign.key"), public: readFile(t, "testdata/cosign.pub")}
	var err error
	p.signer, err = sign.LoadSigner(p.private, []byte("s3cret"))
	check(t, err)
	return p
}

// Both halves of a pair have one ID, that of ssh-keygen -l.
func TestKeyID(t *testing.T) {
	t.Parallel()
	rsa := []byte(`-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAnvqOgZeOZJ+YYRpW3FB4
oSJrv6NaBe+VkcjS70QAfftzeQLlKckbOjY1SmYj03OyIhllxI8RGiRgGiymZ4e8
+4WRbDHQ49QX25MlnGyay5ZAnCkJVoRI8ik6gE6JS63m0puT73q6Yo1jrK6M2znR
Jn/CGwNBaH7W4QZkqEjsZ4Bz68oJ4FUxnvJWsZlIvb2b82H/2AvUUT6tYJXnnKtf
25AJtCjUO2FRSTWP3Vbzi/Splt84CQtxLWKBWiJJU4qRlLpCsGmy4zXijw0m5gU/
WPW28tuYNYGFUW0kciz/PRrwUwtzNa/SJrZWfHIueGGQy4bM/MGBTJbHeSQgN3TP
nQIDAQAB
-----END PUBLIC KEY-----
`)
	for name, p := range map[string]pair{"Ed25519": own(), "ECDSA": cosignPair(t), "RSA": {public: rsa}} {
		v, err := sign.LoadVerifier(p.public)
		check(t, err)
		block, _ := pem.Decode(p.public)
		key, err := x509.ParsePKIXPublicKey(block.Bytes)
		check(t, err)
		public, err := ssh.NewPublicKey(key)
		check(t, err)
		if want := ssh.FingerprintSHA256(public); v.ID() != want {
			t.Errorf("%s: ID %s, want %s", name, v.ID(), want)
		}
		if p.signer != nil && p.signer.Verifier().ID() != v.ID() {
			t.Errorf("%s: private key has ID %s, public key %s", name, p.signer.Verifier().ID(), v.ID())
		}
	}
}

// What is not a key is refused on one line, without a word of key or password.
func TestKeyRefused(t *testing.T) {
	t.Parallel()
	private, public := own().private, own().public
	plain := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("secret bits")})
	for _, c := range []struct {
		text, password []byte
		want           string
	}{
		{private, []byte("another"), "private key: the password is wrong or the key is damaged"},
		{private, nil, "private key: the password is wrong or the key is damaged"},
		{private[:len(private)/2], []byte(password), "private key: expected a PEM block, found none"},
		{public, []byte(password), "private key: found a public key"},
		{plain, []byte(password), `private key: PEM block of type "PRIVATE KEY", expected "ENCRYPTED SIGSTORE PRIVATE KEY"`},
		{pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED COSIGN PRIVATE KEY", Bytes: []byte("{}")}), []byte(password), "private key: the password is wrong or the key is damaged"},
	} {
		_, err := sign.LoadSigner(c.text, c.password)
		if err == nil || err.Error() != c.want {
			t.Errorf("error %v, want %s", err, c.want)
		}
		if strings.Contains(c.want, "password") != errors.Is(err, sign.ErrPassword) {
			t.Errorf("%v: wraps ErrPassword: %t", err, errors.Is(err, sign.ErrPassword))
		}
	}
	for _, c := range []struct{ text, want string }{
		{"", "public key: expected a PEM block, found none"},
		{string(private), `public key: PEM block of type "ENCRYPTED SIGSTORE PRIVATE KEY", expected "PUBLIC KEY"`},
		{string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: []byte("x")})), "public key: "},
	} {
		if _, err := sign.LoadVerifier([]byte(c.text)); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("error %v, want %s", err, c.want)
		}
	}
}

// A private key is protected by a password that is not empty.
func TestIsProtected(t *testing.T) {
	t.Parallel()
	open, _, err := sign.GenerateKey(nil)
	check(t, err)
	plain := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("secret bits")})
	legacy := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: []byte("secret bits")})
	for _, c := range []struct {
		name           string
		text, password []byte
		want           bool
	}{
		{"with its password", own().private, []byte(password), true},
		{"without its password", own().private, nil, true},
		{"the empty password", open, nil, false},
		{"not encrypted", plain, nil, false},
		{"not encrypted, and a password", plain, []byte(password), false},
		{"of another form", legacy, []byte(password), false},
		{"a public key", own().public, nil, true},
		{"no key", []byte("no key"), nil, true},
	} {
		if got := sign.IsProtected(c.text, c.password); got != c.want {
			t.Errorf("%s: protected: %t, want %t", c.name, got, c.want)
		}
	}
}

// cosign signs with Ed25519ph where its key is Ed25519, and refuses that itself: the answer
// says so, and not that another key signed.
func TestPrehashed(t *testing.T) {
	t.Parallel()
	public, private, err := ed25519.GenerateKey(nil)
	check(t, err)
	der, err := x509.MarshalPKIXPublicKey(public)
	check(t, err)
	v, err := sign.LoadVerifier(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	check(t, err)
	prehash := func(message string) string {
		sum := sha512.Sum512([]byte(message))
		signature, err := private.Sign(nil, sum[:], crypto.SHA512)
		check(t, err)
		return base64.StdEncoding.EncodeToString(signature)
	}
	subject := store.DigestOf([]byte("image"))
	d, err := sign.SignPayload(own().signer, subject, "null")
	check(t, err)
	d.Annotations["dev.cosignproject.cosign/signature"] = prehash(string(d.Content))
	body := `{"_type":"https://in-toto.io/Statement/v1"}`
	pae := fmt.Sprintf("DSSEv1 28 application/vnd.in-toto+json %d %s", len(body), body)
	envelope := fmt.Sprintf(`{"payloadType":"application/vnd.in-toto+json","payload":%q,"signatures":[{"sig":%q}]}`,
		base64.StdEncoding.EncodeToString([]byte(body)), prehash(pae))
	_, attested := sign.CheckAttestation(v, oci.Document{MediaType: "application/vnd.dsse.envelope.v1+json", Content: []byte(envelope)}, subject)
	for _, err := range []error{sign.CheckSignature(v, d, subject), attested} {
		if want := "it is Ed25519ph by the key " + v.ID(); !errors.Is(err, sign.ErrDamaged) || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}
