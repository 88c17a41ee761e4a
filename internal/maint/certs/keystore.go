package certs

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/pavlo-v-chernykh/keystore-go/v4"
)

// Keystore returns a Java keystore (JKS, version 2) that trusts the
// certificates, DER by alias. Aliases are in lower case, as Java makes them, and
// entries in their order; an entry's date is the day from which its certificate
// is valid, so that the same certificates give the same bytes.
func Keystore(trusted map[string][]byte, password string) ([]byte, error) {
	ks := keystore.New(keystore.WithOrderedAliases())
	for _, alias := range slices.Sorted(maps.Keys(trusted)) {
		der := trusted[alias]
		from, err := notBefore(der)
		if err != nil {
			return nil, fmt.Errorf("keystore entry %s: %w", alias, err)
		}
		entry := keystore.TrustedCertificateEntry{
			CreationTime: from,
			Certificate:  keystore.Certificate{Type: "X.509", Content: der},
		}
		if err := ks.SetTrustedCertificateEntry(alias, entry); err != nil {
			return nil, fmt.Errorf("keystore entry %s: %w", alias, err)
		}
	}
	var b bytes.Buffer
	if err := ks.Store(&b, []byte(password)); err != nil {
		return nil, fmt.Errorf("keystore: %w", err)
	}
	return b.Bytes(), nil
}

// notBefore returns when the certificate becomes valid. A certificate that
// crypto/x509 refuses, as it does some old roots, has the date of the epoch.
func notBefore(der []byte) (time.Time, error) {
	if _, err := Subject(der); err != nil {
		return time.Time{}, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return time.Unix(0, 0), nil
	}
	return cert.NotBefore, nil
}

// Trusted returns the certificates that a Java keystore trusts, DER by alias.
func Trusted(store []byte, password string) (map[string][]byte, error) {
	ks := keystore.New()
	if err := ks.Load(bytes.NewReader(store), []byte(password)); err != nil {
		return nil, fmt.Errorf("keystore: %w", err)
	}
	trusted := map[string][]byte{}
	for _, alias := range ks.Aliases() {
		entry, err := ks.GetTrustedCertificateEntry(alias)
		if err != nil {
			return nil, fmt.Errorf("keystore entry %s: %w", alias, err)
		}
		trusted[alias] = entry.Certificate.Content
	}
	return trusted, nil
}
