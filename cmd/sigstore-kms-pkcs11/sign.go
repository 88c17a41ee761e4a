package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	_ "crypto/sha256" // crypto.Hash finds them by this
	_ "crypto/sha512"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"math/big"

	"github.com/miekg/pkcs11"
	"github.com/sigstore/sigstore/pkg/signature/kms/cliplugin/common"
)

// input is what is signed: a message, or its digest where options have one.
type input struct {
	message io.Reader
	hash    crypto.Hash
	options common.MessageOptions
}

// digest returns the digest to sign, and its kind.
func (in input) digest() ([]byte, crypto.Hash, error) {
	hash := in.hash
	if in.options.HashFunc != nil && *in.options.HashFunc != 0 {
		hash = *in.options.HashFunc
	}
	if digestInfo[hash] == nil {
		return nil, 0, fmt.Errorf("hash function %d, expected SHA-256, SHA-384 or SHA-512", uint(hash))
	}
	if d := in.options.Digest; d != nil && len(*d) > 0 {
		if len(*d) != hash.Size() {
			return nil, 0, fmt.Errorf("a digest of %d bytes, expected the %d of %s", len(*d), hash.Size(), hash)
		}
		return *d, hash, nil
	}
	h := hash.New()
	if _, err := io.Copy(h, in.message); err != nil {
		return nil, 0, fmt.Errorf("cannot read the message: %w", err)
	}
	return h.Sum(nil), hash, nil
}

// whole returns the message, which Ed25519 signs as it is: cosign verify takes no Ed25519ph.
func (in input) whole() ([]byte, error) {
	if in.options.Digest != nil && len(*in.options.Digest) > 0 {
		return nil, errors.New("an Ed25519 key signs a message, not its digest")
	}
	message, err := io.ReadAll(in.message)
	if err != nil {
		return nil, fmt.Errorf("cannot read the message: %w", err)
	}
	return message, nil
}

// digestInfo is what comes before a digest that is signed with RSA: the DER of a DigestInfo
// (RFC 8017, section 9.2, note 1).
var digestInfo = map[crypto.Hash][]byte{
	crypto.SHA256: {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20},
	crypto.SHA384: {0x30, 0x41, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02, 0x05, 0x00, 0x04, 0x30},
	crypto.SHA512: {0x30, 0x51, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03, 0x05, 0x00, 0x04, 0x40},
}

// sign signs with the private key of the reference.
func (t *token) sign(in input) ([]byte, error) {
	private, err := t.privateKey()
	if err != nil {
		return nil, err
	}
	switch kind := number(t.value(private, pkcs11.CKA_KEY_TYPE)); kind {
	case pkcs11.CKK_RSA:
		digest, hash, err := in.digest()
		if err != nil {
			return nil, err
		}
		return t.signBytes(private, pkcs11.CKM_RSA_PKCS, append(append([]byte{}, digestInfo[hash]...), digest...))
	case pkcs11.CKK_EC:
		digest, _, err := in.digest()
		if err != nil {
			return nil, err
		}
		raw, err := t.signBytes(private, pkcs11.CKM_ECDSA, digest)
		if err != nil {
			return nil, err
		}
		return sequence(raw)
	case keyTypeEdwards:
		message, err := in.whole()
		if err != nil {
			return nil, err
		}
		return t.signBytes(private, mechanismEdDSA, message)
	default:
		return nil, fmt.Errorf("token %q: the key's type is %#x, expected RSA, EC or EC_EDWARDS", t.info.Label, kind)
	}
}

func (t *token) signBytes(private pkcs11.ObjectHandle, mechanism uint, data []byte) ([]byte, error) {
	if err := t.module.SignInit(t.session, []*pkcs11.Mechanism{pkcs11.NewMechanism(mechanism, nil)}, private); err != nil {
		return nil, t.failed("sign", err)
	}
	// Some keys, such as that for signatures on a PIV card, want the PIN for each signature.
	// It is that which the token took before.
	if always := t.value(private, pkcs11.CKA_ALWAYS_AUTHENTICATE); len(always) == 1 && always[0] != 0 {
		if err := t.module.Login(t.session, pkcs11.CKU_CONTEXT_SPECIFIC, t.pin); err != nil {
			return nil, t.failed("log in for the signature", err)
		}
	}
	signature, err := t.module.Sign(t.session, data)
	if err != nil {
		return nil, t.failed("sign", err)
	}
	return signature, nil
}

// sequence returns an ECDSA signature, two numbers of one length (PKCS #11 3.0, section
// 6.3.1), as the SEQUENCE of RFC 3279, section 2.2.3.
func sequence(raw []byte) ([]byte, error) {
	if len(raw) == 0 || len(raw)%2 != 0 {
		return nil, fmt.Errorf("the token's ECDSA signature has %d bytes, expected two numbers of one length", len(raw))
	}
	half := len(raw) / 2
	return asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(raw[:half]), new(big.Int).SetBytes(raw[half:])})
}

// verify checks a signature with the public key, without the token.
func verify(public crypto.PublicKey, signature []byte, in input) error {
	wrong := errors.New("the signature does not verify with the key")
	if key, ok := public.(ed25519.PublicKey); ok {
		message, err := in.whole()
		if err == nil && !ed25519.Verify(key, message, signature) {
			err = wrong
		}
		return err
	}
	digest, hash, err := in.digest()
	if err != nil {
		return err
	}
	switch key := public.(type) {
	case *ecdsa.PublicKey:
		if ecdsa.VerifyASN1(key, digest, signature) {
			return nil
		}
	case *rsa.PublicKey:
		if rsa.VerifyPKCS1v15(key, hash, digest, signature) == nil {
			return nil
		}
	}
	return wrong
}
