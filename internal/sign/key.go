package sign

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"strings"

	"github.com/secure-systems-lab/go-securesystemslib/encrypted"

	"github.com/hardpan/hardpan/internal/store"
)

// Types of PEM blocks that hold an encrypted private key: PKCS #8 in a NaCl secret
// box with a key that scrypt makes of the password (cosign, pkg/cosign/keys.go).
const (
	pemSigstore = "ENCRYPTED SIGSTORE PRIVATE KEY"
	pemCosign   = "ENCRYPTED COSIGN PRIVATE KEY"
	pemPublic   = "PUBLIC KEY"
)

const minRSABits = 2048

// A Signer is a private key, or an identity that needs none. It is safe for use by
// several goroutines.
type Signer struct {
	sign      func(message []byte) ([]byte, error)
	verifier  *Verifier // nil for an identity
	certified Certified // nil for a key
}

// A Verifier is a public key, or what decides on identities. It is safe for use by
// several goroutines.
type Verifier struct {
	key crypto.PublicKey
	id  string

	judge    Judge // nil for a key
	verdicts map[store.Digest]Verdict
}

// GenerateKey makes an Ed25519 key pair, whose signatures are deterministic
// (RFC 8032), and returns it as PEM blocks: the private key encrypted with the
// password as cosign does it, the public key as RFC 5280 has it.
func GenerateKey(password []byte) (private, public []byte, err error) {
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot make a key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot make a key: %w", err)
	}
	defer clear(der)
	box, err := encrypted.Encrypt(der, password)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot encrypt the key: %w", err)
	}
	if public, err = (&Verifier{key: pub}).PEM(); err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: pemSigstore, Bytes: box}), public, nil
}

// PEM returns the public key as [LoadVerifier] reads it. An identity has none.
func (v *Verifier) PEM() ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(v.key)
	if err != nil {
		return nil, fmt.Errorf("cannot write the public key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: pemPublic, Bytes: der}), nil
}

// IsProtected reports whether a private key takes more to use than is in its file: whether
// it is encrypted, and not with the empty password. What is not a private key is.
func IsProtected(text, password []byte) bool {
	block, _ := pem.Decode(text)
	if block == nil || !strings.HasSuffix(block.Type, "PRIVATE KEY") {
		return true
	}
	if !strings.HasPrefix(block.Type, "ENCRYPTED") {
		return false
	}
	if len(password) > 0 {
		return true
	}
	_, err := LoadSigner(text, nil)
	return err != nil
}

// LoadSigner reads a private key that [GenerateKey] or `cosign generate-key-pair`
// made: Ed25519, ECDSA or RSA. Where the password does not open it the error wraps
// [ErrPassword].
func LoadSigner(text, password []byte) (*Signer, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("private key: expected a PEM block, found none")
	}
	switch block.Type {
	case pemSigstore, pemCosign:
	case pemPublic:
		return nil, errors.New("private key: found a public key")
	default:
		return nil, &hinted{fmt.Errorf("private key: PEM block of type %.60q, expected %q", block.Type, pemSigstore),
			"cosign import-key-pair encrypts a key of another form"}
	}
	der, err := encrypted.Decrypt(block.Bytes, password)
	if err != nil {
		return nil, fmt.Errorf("private key: %w", ErrPassword) // what the library says is of no more use
	}
	defer clear(der)
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, errors.New("private key: expected PKCS #8 in the encrypted block") // the cause may quote key material
	}
	key, ok := parsed.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("private key: %T, expected Ed25519, ECDSA or RSA", parsed)
	}
	v, err := newVerifier(key.Public())
	if err != nil {
		return nil, fmt.Errorf("private key: %w", err)
	}
	return &Signer{sign: func(message []byte) ([]byte, error) { return signWith(key, message) }, verifier: v}, nil
}

// NewSigner returns the signer of a key that is elsewhere. sign signs as cosign does: the
// SHA-256 of the message, or with Ed25519 the message. What does not verify with the
// public key is not used.
func NewSigner(public *Verifier, sign func(message []byte) ([]byte, error)) *Signer {
	return &Signer{verifier: public, sign: func(message []byte) ([]byte, error) {
		signature, err := sign(message)
		if err == nil && !public.verify(message, signature) {
			err = fmt.Errorf("the signature does not verify with the public key %s", public.id)
		}
		if err != nil {
			return nil, err
		}
		return signature, nil
	}}
}

// LoadVerifier reads a public key: a PEM block PUBLIC KEY with an Ed25519, ECDSA or
// RSA key, such as cosign.pub.
func LoadVerifier(text []byte) (*Verifier, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("public key: expected a PEM block, found none")
	}
	if block.Type != pemPublic {
		return nil, fmt.Errorf("public key: PEM block of type %.60q, expected %q", block.Type, pemPublic)
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("public key: %w", err)
	}
	v, err := newVerifier(key)
	if err != nil {
		return nil, fmt.Errorf("public key: %w", err)
	}
	return v, nil
}

func newVerifier(key crypto.PublicKey) (*Verifier, error) {
	wire, err := sshWire(key)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(wire)
	return &Verifier{key: key, id: "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:])}, nil
}

// Verifier returns the public key, or nil for an identity.
func (s *Signer) Verifier() *Verifier { return s.verifier }

// String says who signs: the key by its ID, or the identity.
func (s *Signer) String() string {
	if s.certified != nil {
		return s.certified.String()
	}
	return "key " + s.verifier.id
}

// ID returns the fingerprint of the key as ssh-keygen -l prints it, which is also
// the key ID that DSSE libraries give a key that has no other.
func (v *Verifier) ID() string { return v.id }

// signWith signs as `cosign sign` does with the same key, except that Ed25519 is pure:
// cosign verify --key does not accept Ed25519ph.
func signWith(key crypto.Signer, message []byte) ([]byte, error) {
	if _, ok := key.(ed25519.PrivateKey); ok {
		return key.Sign(nil, message, crypto.Hash(0))
	}
	sum := sha256.Sum256(message)
	return key.Sign(rand.Reader, sum[:], crypto.SHA256)
}

func (v *Verifier) verify(message, signature []byte) bool {
	sum := sha256.Sum256(message)
	switch key := v.key.(type) {
	case ed25519.PublicKey:
		return ed25519.Verify(key, message, signature)
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(key, sum[:], signature)
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], signature) == nil
	}
	return false
}

// isPrehashed reports a signature by Ed25519ph (RFC 8032, section 5.1), which is for the
// message only: what counts is what cosign verify takes.
func (v *Verifier) isPrehashed(message, signature []byte) bool {
	key, ok := v.key.(ed25519.PublicKey)
	sum := sha512.Sum512(message)
	return ok && ed25519.VerifyWithOptions(key, sum[:], signature, &ed25519.Options{Hash: crypto.SHA512}) == nil
}

// sshWire returns a public key as the SSH protocol has it (RFC 4253, section 6.6;
// RFC 5656, section 3.1; RFC 8709, section 4).
func sshWire(key crypto.PublicKey) ([]byte, error) {
	switch key := key.(type) {
	case ed25519.PublicKey:
		return sshStrings([]byte("ssh-ed25519"), key), nil
	case *ecdsa.PublicKey:
		curve := map[elliptic.Curve]string{elliptic.P256(): "nistp256", elliptic.P384(): "nistp384", elliptic.P521(): "nistp521"}[key.Curve]
		if curve == "" {
			return nil, fmt.Errorf("ECDSA curve %s, expected P-256, P-384 or P-521", key.Curve.Params().Name)
		}
		point, err := key.Bytes()
		if err != nil {
			return nil, err
		}
		return sshStrings([]byte("ecdsa-sha2-"+curve), []byte(curve), point), nil
	case *rsa.PublicKey:
		if key.N.BitLen() < minRSABits {
			return nil, fmt.Errorf("RSA key of %d bits, expected at least %d", key.N.BitLen(), minRSABits)
		}
		return sshStrings([]byte("ssh-rsa"), sshInteger(big.NewInt(int64(key.E))), sshInteger(key.N)), nil
	}
	return nil, fmt.Errorf("key of type %T, expected Ed25519, ECDSA or RSA", key)
}

func sshStrings(list ...[]byte) []byte {
	var b []byte
	for _, s := range list {
		b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
		b = append(b, s...)
	}
	return b
}

// sshInteger returns a positive integer without its length (RFC 4251, section 5).
func sshInteger(n *big.Int) []byte {
	b := n.Bytes()
	if len(b) > 0 && b[0] >= 0x80 {
		b = append([]byte{0}, b...)
	}
	return b
}
