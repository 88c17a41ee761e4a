package main

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"

	"github.com/miekg/pkcs11"
)

// What PKCS #11 3.0 adds for Ed25519 (sections 6.3.5, 6.3.8 and 6.3.15).
const (
	keyTypeEdwards         = 0x40   // CKK_EC_EDWARDS
	mechanismEdDSA         = 0x1057 // CKM_EDDSA
	mechanismEdwardsKeyGen = 0x1055 // CKM_EC_EDWARDS_KEY_PAIR_GEN
)

// Curves by their parameters (RFC 5480, section 2.1.1.1).
var (
	curves = []struct {
		curve elliptic.Curve
		oid   asn1.ObjectIdentifier
	}{
		{elliptic.P256(), asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7}},
		{elliptic.P384(), asn1.ObjectIdentifier{1, 3, 132, 0, 34}},
		{elliptic.P521(), asn1.ObjectIdentifier{1, 3, 132, 0, 35}},
	}
	oidEd25519 = asn1.ObjectIdentifier{1, 3, 101, 112} // RFC 8410; some modules have its name
)

const nameEd25519 = "edwards25519"

// publicKey returns the public key of the reference: that of a public key or a certificate,
// which most tokens show without a PIN; else of what goes with the private key.
func (t *token) publicKey() (crypto.PublicKey, error) {
	key, err := t.publicObject(t.reference)
	if key != nil || err != nil {
		return key, err
	}
	private, err := t.privateKey()
	if err != nil {
		return nil, err
	}
	id := string(t.value(private, pkcs11.CKA_ID))
	if id != "" {
		if key, err = t.publicObject(&reference{id: id}); key != nil || err != nil {
			return key, err
		}
	}
	if key, err = t.publicKeyOf(private); err == nil { // as RSA keys have it
		return key, nil
	}
	return nil, &hinted{fmt.Errorf("token %q has the private key %s, but neither its public key nor a certificate", t.info.Label, keyName(t.reference.object, t.reference.id)),
		"write its public key to the token with the same id"}
}

// publicObject returns the public key that is named so, or of the certificate that is, or
// nothing.
func (t *token) publicObject(r *reference) (crypto.PublicKey, error) {
	list, err := t.objects(r.template(pkcs11.CKO_PUBLIC_KEY)...)
	if err != nil {
		return nil, err
	}
	if len(list) > 0 {
		o, err := t.one("public key", list)
		if err != nil {
			return nil, err
		}
		return t.publicKeyOf(o)
	}
	if list, err = t.objects(r.template(pkcs11.CKO_CERTIFICATE)...); err != nil || len(list) == 0 {
		return nil, err
	}
	o, err := t.one("certificate", list)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(t.value(o, pkcs11.CKA_VALUE))
	if err != nil {
		return nil, t.failed("read the certificate", err)
	}
	return cert.PublicKey, nil
}

// privateKey returns the private key of the reference, after a login.
func (t *token) privateKey() (pkcs11.ObjectHandle, error) {
	if err := t.login(); err != nil {
		return 0, err
	}
	list, err := t.objects(t.reference.template(pkcs11.CKO_PRIVATE_KEY)...)
	if err != nil {
		return 0, err
	}
	return t.one("private key", list)
}

// number returns a CK_ULONG, which is as wide as a pointer of the machine.
func number(value []byte) (n uint) {
	switch len(value) {
	case 4:
		return uint(binary.NativeEndian.Uint32(value))
	case 8:
		return uint(binary.NativeEndian.Uint64(value))
	}
	return ^uint(0)
}

// publicKeyOf reads the public key that the attributes of a key say.
func (t *token) publicKeyOf(o pkcs11.ObjectHandle) (crypto.PublicKey, error) {
	kind := number(t.value(o, pkcs11.CKA_KEY_TYPE))
	var key crypto.PublicKey
	var err error
	switch kind {
	case pkcs11.CKK_RSA:
		key, err = rsaKey(t.value(o, pkcs11.CKA_MODULUS), t.value(o, pkcs11.CKA_PUBLIC_EXPONENT))
	case pkcs11.CKK_EC:
		key, err = ecdsaKey(t.value(o, pkcs11.CKA_EC_PARAMS), t.value(o, pkcs11.CKA_EC_POINT))
	case keyTypeEdwards:
		key, err = ed25519Key(t.value(o, pkcs11.CKA_EC_PARAMS), t.value(o, pkcs11.CKA_EC_POINT))
	default:
		err = fmt.Errorf("key type %#x, expected RSA, EC or EC_EDWARDS", kind)
	}
	if err != nil {
		return nil, t.failed("read the public key", err)
	}
	return key, nil
}

func rsaKey(modulus, exponent []byte) (*rsa.PublicKey, error) {
	n, e := new(big.Int).SetBytes(modulus), new(big.Int).SetBytes(exponent)
	if n.Sign() == 0 || !e.IsInt64() || e.Int64() < 3 || e.Int64() > 1<<31-1 {
		return nil, errors.New("no modulus, or an exponent that is none")
	}
	return &rsa.PublicKey{N: n, E: int(e.Int64())}, nil
}

// ecdsaKey reads a key on a named curve, whose point is an OCTET STRING, or by modules that
// are older than the standard's word on that, bare (PKCS #11 3.0, section 6.3.3).
func ecdsaKey(params, point []byte) (*ecdsa.PublicKey, error) {
	var oid asn1.ObjectIdentifier
	if rest, err := asn1.Unmarshal(params, &oid); err != nil || len(rest) > 0 {
		return nil, errors.New("the curve is not named")
	}
	for _, c := range curves {
		if !c.oid.Equal(oid) {
			continue
		}
		var octets []byte
		if rest, err := asn1.Unmarshal(point, &octets); err != nil || len(rest) > 0 {
			octets = point
		}
		return ecdsa.ParseUncompressedPublicKey(c.curve, octets)
	}
	return nil, fmt.Errorf("the curve is %s, expected P-256, P-384 or P-521", oid)
}

// ed25519Key reads an Edwards key, whose point is an OCTET STRING, or bare.
func ed25519Key(params, point []byte) (ed25519.PublicKey, error) {
	var oid asn1.ObjectIdentifier
	var name string
	_, errOID := asn1.Unmarshal(params, &oid)
	_, errName := asn1.UnmarshalWithParams(params, &name, "printable")
	if (errOID != nil || !oid.Equal(oidEd25519)) && (errName != nil || name != nameEd25519) {
		return nil, errors.New("the curve is not Ed25519")
	}
	var octets []byte
	if rest, err := asn1.Unmarshal(point, &octets); err != nil || len(rest) > 0 {
		octets = point
	}
	if len(octets) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("a point of %d bytes, expected %d", len(octets), ed25519.PublicKeySize)
	}
	return bytes.Clone(octets), nil
}

func publicPEM(key crypto.PublicKey, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), nil
}
