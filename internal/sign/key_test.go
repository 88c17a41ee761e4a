package sign_test

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/hardpan/hardpan/internal/sign"
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
