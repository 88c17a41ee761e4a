package archive

import (
	"bytes"
	_ "embed"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
)

//go:generate sh keys/update

//go:embed keys/debian-archive-keyring.pgp
var debianKeys []byte

// maxKeyring bounds a keyring file, in bytes; Debian's has 56 kB.
const maxKeyring = 16 << 20

// Keyring is a set of OpenPGP certificates (RFC 9580) that may sign a Release.
type Keyring struct {
	name string
	// The library notes in the certificates which of their self-signatures it has
	// verified: one verification at a time.
	mu    sync.Mutex
	certs openpgp.EntityList
}

// DebianKeyring returns the archive keys of Debian that travel in the binary.
var DebianKeyring = sync.OnceValue(func() *Keyring {
	k, err := ReadKeyring("debian-archive-keyring", bytes.NewReader(debianKeys))
	if err != nil {
		panic(err) // the embedded file is part of the program; a test reads it
	}
	return k
})

// ReadKeyring reads certificates, armored or binary, any number of them. name is
// for messages: the path of the file, say. A keyring without a usable
// certificate is an error: it would trust nobody.
func ReadKeyring(name string, r io.Reader) (*Keyring, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxKeyring+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read keyring %s: %w", name, err)
	}
	if len(b) > maxKeyring {
		return nil, fmt.Errorf("cannot read keyring %s: larger than %d bytes", name, maxKeyring)
	}
	k := &Keyring{name: name}
	if bytes.HasPrefix(bytes.TrimLeft(b, "\r\n\t "), []byte("-----BEGIN ")) {
		err = k.readArmored(b)
	} else {
		k.certs, err = openpgp.ReadKeyRing(bytes.NewReader(b))
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read keyring %s: %w", name, err)
	}
	if len(k.certs) == 0 {
		return nil, fmt.Errorf("cannot read keyring %s: no openpgp certificate in it", name)
	}
	return k, nil
}

const publicKeyType = "PGP PUBLIC KEY BLOCK"

// readArmored reads all armored blocks of b: keyrings are often concatenated.
func (k *Keyring) readArmored(b []byte) error {
	begin := []byte("-----BEGIN " + publicKeyType + "-----")
	for {
		i := bytes.Index(b, begin)
		if i < 0 {
			return nil
		}
		next := bytes.Index(b[i+len(begin):], begin)
		one := b[i:]
		if next >= 0 {
			one = b[i : i+len(begin)+next]
		}
		block, err := armor.Decode(bytes.NewReader(one))
		if err != nil {
			return err
		}
		certs, err := openpgp.ReadKeyRing(block.Body)
		if err != nil {
			return err
		}
		k.certs = append(k.certs, certs...)
		b = b[i+len(one):]
	}
}

// Name returns the name that the keyring was read under.
func (k *Keyring) Name() string { return k.name }

// Fingerprints returns the fingerprints of the keyring's primary keys, as upper-case
// hex digits, in its order.
func (k *Keyring) Fingerprints() []string {
	var all []string
	for _, c := range k.certs {
		all = append(all, fingerprint(c.PrimaryKey.Fingerprint))
	}
	return all
}

func fingerprint(b []byte) string { return strings.ToUpper(hex.EncodeToString(b)) }
