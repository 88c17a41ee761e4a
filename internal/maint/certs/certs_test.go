package certs_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"time"

	"github.com/hardpan/hardpan/internal/maint/certs"
)

// The oracle is OpenSSL, on subjects that need folding and some of this
// machine's certificates; all of them are compared in package maint, by
// "openssl rehash".
func TestHashAgainstOpenSSL(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("SKIPPED: openssl is not installed")
	}
	files, _ := filepath.Glob("/usr/share/ca-certificates/mozilla/*.crt")
	files = files[:min(len(files), 10)]
	for _, name := range []string{"  White \t Space  ", "ÀÉ Straße Ő", "under_score*", "日本 CA"} {
		files = append(files, selfSigned(t, name))
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		der, err := certs.Parse(text)
		if err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		subject, err := certs.Subject(der)
		if err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		got, err := certs.Hash(subject)
		if err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		out, err := exec.Command(openssl, "x509", "-noout", "-hash", "-in", f).Output()
		if err != nil {
			t.Fatalf("%s: openssl: %v", f, err)
		}
		if want := strings.TrimSpace(string(out)); got != want {
			t.Errorf("%s: got %s, openssl has %s", f, got, want)
		}
	}
	t.Logf("%d certificates compared", len(files))
}

func selfSigned(t *testing.T, name string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Unix(2000000000, 0),
		Subject: pkix.Name{CommonName: name, Organization: []string{"Two Of", "one Kind"}, Country: []string{"DE"}},
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	at := filepath.Join(t.TempDir(), "cert.pem")
	if err := os.WriteFile(at, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o666); err != nil {
		t.Fatal(err)
	}
	return at
}

func TestParseWantsOne(t *testing.T) {
	one, err := os.ReadFile(selfSigned(t, "one"))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"none": []byte("no certificate\n"), "two": append(one, one...)} {
		if _, err := certs.Parse(text); !errors.Is(err, certs.ErrNotOne) {
			t.Errorf("%s: got error %v, want %v", name, err, certs.ErrNotOne)
		}
	}
}

func FuzzHash(f *testing.F) {
	f.Add([]byte("0\x0b1\x090\x07\x06\x03U\x04\x03\x0c\x00"))
	f.Add([]byte("0\x111\x0f0\x0d\x06\x03U\x04\x0a\x1e\x06\x00A\x00 \x00B"))
	f.Fuzz(func(t *testing.T, subject []byte) {
		if h, err := certs.Hash(subject); err == nil && len(h) != 8 {
			t.Errorf("%x: hash %q", subject, h)
		}
	})
}
