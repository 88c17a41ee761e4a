package main

import (
	"crypto"
	"crypto/rand"
	"encoding/asn1"
	"errors"
	"fmt"
	"strings"

	"github.com/miekg/pkcs11"
)

// algorithms are the kinds of keys to make, by sigstore's names for them (pkg/signature,
// algorithm registry); the first is what cosign generate-key-pair makes. Other keys are used
// as they are, whatever their length or curve.
var algorithms = []struct {
	name      string
	mechanism uint
	kind      uint
	oid       asn1.ObjectIdentifier // of the curve
	bits      int                   // of an RSA key
}{
	{name: "ecdsa-sha2-256-nistp256", mechanism: pkcs11.CKM_EC_KEY_PAIR_GEN, kind: pkcs11.CKK_EC, oid: curves[0].oid},
	{name: "ecdsa-sha2-256-nistp384", mechanism: pkcs11.CKM_EC_KEY_PAIR_GEN, kind: pkcs11.CKK_EC, oid: curves[1].oid},
	{name: "ed25519", mechanism: mechanismEdwardsKeyGen, kind: keyTypeEdwards, oid: oidEd25519},
	{name: "rsa-sign-pkcs1-2048-sha256", mechanism: pkcs11.CKM_RSA_PKCS_KEY_PAIR_GEN, kind: pkcs11.CKK_RSA, bits: 2048},
	{name: "rsa-sign-pkcs1-3072-sha256", mechanism: pkcs11.CKM_RSA_PKCS_KEY_PAIR_GEN, kind: pkcs11.CKK_RSA, bits: 3072},
	{name: "rsa-sign-pkcs1-4096-sha256", mechanism: pkcs11.CKM_RSA_PKCS_KEY_PAIR_GEN, kind: pkcs11.CKK_RSA, bits: 4096},
}

func algorithmNames() (names []string) {
	for _, a := range algorithms {
		names = append(names, a.name)
	}
	return names
}

// create makes a key pair in the token, whose private half cannot leave it, under the name of
// the reference. A name that a key has is refused.
func (t *token) create(algorithm string) (crypto.PublicKey, error) {
	if t.reference.object == "" {
		return nil, errors.New("a new key needs a name: expected object=LABEL in the key reference")
	}
	public, private, mechanism, err := t.templates(algorithm)
	if err != nil {
		return nil, err
	}
	if err := t.login(); err != nil {
		return nil, err
	}
	for _, class := range []uint{pkcs11.CKO_PRIVATE_KEY, pkcs11.CKO_PUBLIC_KEY} {
		list, err := t.objects((&reference{object: t.reference.object}).template(class)...)
		if err != nil {
			return nil, err
		}
		if len(list) > 0 {
			return nil, fmt.Errorf("token %q has a key %s, and keys are not overwritten", t.info.Label, t.names(list))
		}
	}
	made, _, err := t.module.GenerateKeyPair(t.session, []*pkcs11.Mechanism{pkcs11.NewMechanism(mechanism, nil)}, public, private)
	if err != nil {
		return nil, t.failed("make a key of the kind "+algorithm, err)
	}
	return t.publicKeyOf(made)
}

// templates returns the attributes of a key pair to make.
func (t *token) templates(algorithm string) (public, private []*pkcs11.Attribute, mechanism uint, err error) {
	id := t.reference.id
	if id == "" {
		random := make([]byte, 8)
		rand.Read(random)
		id = string(random)
	}
	for _, a := range algorithms {
		if a.name != algorithm {
			continue
		}
		attribute := pkcs11.NewAttribute
		both := []*pkcs11.Attribute{
			attribute(pkcs11.CKA_TOKEN, true), attribute(pkcs11.CKA_KEY_TYPE, a.kind),
			attribute(pkcs11.CKA_LABEL, t.reference.object), attribute(pkcs11.CKA_ID, id),
		}
		public = append(append(public, both...), attribute(pkcs11.CKA_PRIVATE, false), attribute(pkcs11.CKA_VERIFY, true))
		private = append(append(private, both...), attribute(pkcs11.CKA_PRIVATE, true), attribute(pkcs11.CKA_SIGN, true),
			attribute(pkcs11.CKA_SENSITIVE, true), attribute(pkcs11.CKA_EXTRACTABLE, false))
		if a.bits > 0 {
			return append(public, attribute(pkcs11.CKA_MODULUS_BITS, a.bits), attribute(pkcs11.CKA_PUBLIC_EXPONENT, []byte{1, 0, 1})), private, a.mechanism, nil
		}
		params, err := asn1.Marshal(a.oid)
		return append(public, attribute(pkcs11.CKA_EC_PARAMS, params)), private, a.mechanism, err
	}
	return nil, nil, 0, fmt.Errorf("keys of the kind %.60q cannot be made, expected %s", algorithm, strings.Join(algorithmNames(), ", "))
}
