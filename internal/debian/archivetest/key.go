package archivetest

import (
	"bytes"
	"crypto"
	_ "crypto/sha1" // for the weak signatures that tests want refused
	"fmt"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
)

// Key is a throw-away OpenPGP key.
type Key struct {
	entity *openpgp.Entity
}

// KeyOptions describe a key. The zero value is one made at [Epoch] less a day that
// does not expire.
type KeyOptions struct {
	Created  time.Time
	Lifetime time.Duration // 0: does not expire
}

// NewKey makes a key.
func NewKey(o KeyOptions) (*Key, error) {
	if o.Created.IsZero() {
		o.Created = Epoch.AddDate(0, 0, -1)
	}
	entity, err := openpgp.NewEntity("Fixture Archive", "", "fixture@example.org", &packet.Config{
		Algorithm:       packet.PubKeyAlgoEdDSA,
		Time:            func() time.Time { return o.Created },
		KeyLifetimeSecs: uint32(o.Lifetime / time.Second),
	})
	if err != nil {
		return nil, fmt.Errorf("cannot make a key: %w", err)
	}
	return &Key{entity}, nil
}

// ID returns the key id: 16 upper-case hex digits.
func (k *Key) ID() string { return k.entity.PrimaryKey.KeyIdString() }

// Fingerprint returns the fingerprint in upper-case hex digits.
func (k *Key) Fingerprint() string { return fmt.Sprintf("%X", k.entity.PrimaryKey.Fingerprint) }

// Revoke makes the certificate say from now on that the key is compromised.
func (k *Key) Revoke(at time.Time) error {
	return k.entity.Revoke(packet.KeyCompromised, "fixture", &packet.Config{Time: func() time.Time { return at }})
}

// Public returns the certificate, binary.
func (k *Key) Public() ([]byte, error) {
	var b bytes.Buffer
	err := k.entity.Serialize(&b)
	return b.Bytes(), err
}

// Armored returns the certificate, armored.
func (k *Key) Armored() ([]byte, error) {
	public, err := k.Public()
	if err != nil {
		return nil, err
	}
	return armored(openpgp.PublicKeyType, public)
}

func armored(kind string, content []byte) ([]byte, error) {
	var b bytes.Buffer
	w, err := armor.Encode(&b, kind, nil)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(content); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}

// ClearSign signs text with all the keys, at that time and with that hash, 0 meaning
// SHA-256, as an InRelease is signed (RFC 9580, section 7). It is written out here
// because the library's own refuses the weak hashes that tests want refused.
func ClearSign(text []byte, at time.Time, hash crypto.Hash, keys ...*Key) ([]byte, error) {
	if hash == 0 {
		hash = crypto.SHA256
	}
	var message bytes.Buffer
	fmt.Fprintf(&message, "-----BEGIN PGP SIGNED MESSAGE-----\nHash: %s\n\n", strings.ReplaceAll(hash.String(), "-", ""))
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(line, " \t")
		if strings.HasPrefix(line, "-") {
			message.WriteString("- ")
		}
		message.WriteString(line + "\n")
	}
	var signatures bytes.Buffer
	for _, k := range keys {
		sig := &packet.Signature{
			SigType: packet.SigTypeText, PubKeyAlgo: k.entity.PrimaryKey.PubKeyAlgo,
			Hash: hash, CreationTime: at, IssuerKeyId: &k.entity.PrimaryKey.KeyId,
		}
		h := hash.New()
		h.Write([]byte(strings.Join(lines, "\r\n")))
		if err := sig.Sign(h, k.entity.PrivateKey, &packet.Config{NonDeterministicSignaturesViaNotation: new(bool)}); err != nil {
			return nil, err
		}
		if err := sig.Serialize(&signatures); err != nil {
			return nil, err
		}
	}
	block, err := armored(openpgp.SignatureType, signatures.Bytes())
	message.Write(block)
	return message.Bytes(), err
}

// DetachSign signs text, as Release.gpg does: armored.
func (k *Key) DetachSign(text []byte, at time.Time) ([]byte, error) {
	var b bytes.Buffer
	err := openpgp.ArmoredDetachSign(&b, []*openpgp.Entity{k.entity}, bytes.NewReader(text),
		&openpgp.SignParams{Config: &packet.Config{Time: func() time.Time { return at }}})
	b.WriteByte('\n')
	return b.Bytes(), err
}
