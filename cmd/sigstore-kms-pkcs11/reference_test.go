package main

import (
	"bytes"
	"crypto/elliptic"
	"encoding/asn1"
	"strings"
	"testing"
)

func TestParseReference(t *testing.T) {
	t.Parallel()
	slot := uint(7)
	for _, c := range []struct {
		text string
		want reference
	}{
		{"token=release;object=signing", reference{token: "release", object: "signing"}},
		{"id=%01%ff", reference{id: "\x01\xff"}},
		{"token=The%20token;object=a%3Bb%3F", reference{token: "The token", object: "a;b?"}},
		{"model=SoftHSM%20v2;manufacturer=SoftHSM%20project;serial=16ea;token=t;object=o+p;type=private;slot-id=7",
			reference{model: "SoftHSM v2", manufacturer: "SoftHSM project", serial: "16ea", token: "t", object: "o+p", slot: &slot}},
		{"object=o?module-path=/usr/lib/x.so&pin-source=file:/run/pin", reference{object: "o", module: "/usr/lib/x.so", pinSource: "file:/run/pin"}},
	} {
		got, err := parseReference(c.text)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if (got.slot == nil) != (c.want.slot == nil) || got.slot != nil && *got.slot != *c.want.slot {
			t.Errorf("%s: slot %v, want %v", c.text, got.slot, c.want.slot)
		}
		got.slot, c.want.slot = nil, nil
		if *got != c.want {
			t.Errorf("%s: %+v, want %+v", c.text, *got, c.want)
		}
	}
	for text, want := range map[string]string{
		"":                              "no key is named, expected object=LABEL or id=%01",
		"token=release":                 "no key is named",
		"object=":                       `attribute "object": expected NAME=VALUE`,
		"object=a;;":                    `attribute "": expected NAME=VALUE`,
		"object=a;object=b":             "attribute object is given twice",
		"object=a;x-vendor=b":           `attribute "x-vendor" is not known here`,
		"object=a%2":                    "attribute object: % is not followed by two hexadecimal digits",
		"object=a;type=cert":            "expected type=private or none",
		"object=a;slot-id=one":          "slot-id is no decimal number",
		"object=a?module-name=softhsm2": `attribute "module-name" is not known here`,
		"object=a;pin-value=1234":       "pin-value would put the PIN into arguments",
		"object=a?pin-source=":          `attribute "pin-source": expected NAME=VALUE`,
	} {
		if _, err := parseReference(text); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "1234") {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

// What a reference says of a key is what names it again.
func FuzzReference(f *testing.F) {
	for _, text := range []string{"token=release;object=signing", "id=%01%ff;slot-id=7", "object=a%3Bb%3F?module-path=/x.so&pin-source=file:/run/pin", "object=a?pin-value=1", "type=private;object=%zz"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := parseReference(text)
		if err != nil {
			return
		}
		again, err := parseReference(keyName(r.object, r.id))
		if err != nil || again.object != r.object || again.id != r.id {
			t.Errorf("%q: %+v is named %s, which is %+v, %v", text, r, keyName(r.object, r.id), again, err)
		}
	})
}

// Points come as OCTET STRINGs and bare, and the Edwards curve by number and by name.
func TestPoint(t *testing.T) {
	t.Parallel()
	der := func(v any, params string) []byte {
		b, err := asn1.MarshalWithParams(v, params)
		check(t, err)
		return b
	}
	edwards := []byte(strings.Repeat("k", 32))
	for _, params := range [][]byte{der(oidEd25519, ""), der(nameEd25519, "printable")} {
		for _, point := range [][]byte{edwards, der(edwards, "")} {
			if key, err := ed25519Key(params, point); err != nil || string(key) != string(edwards) {
				t.Errorf("%x, %x: %x, %v", params, point, key, err)
			}
		}
	}
	c := elliptic.P256().Params()
	point := append(append([]byte{4}, c.Gx.FillBytes(make([]byte, 32))...), c.Gy.FillBytes(make([]byte, 32))...)
	for _, point := range [][]byte{point, der(point, "")} {
		key, err := ecdsaKey(der(curves[0].oid, ""), point)
		check(t, err)
		if octets, err := key.Bytes(); err != nil || !bytes.HasSuffix(point, octets) {
			t.Errorf("%x: %x, %v", point, octets, err)
		}
	}
	point[len(point)-1] ^= 1
	for name, err := range map[string]error{
		"off the curve":      second(ecdsaKey(der(curves[0].oid, ""), point)),
		"another curve":      second(ecdsaKey(der(asn1.ObjectIdentifier{1, 3, 132, 0, 10}, ""), point)),
		"no curve":           second(ecdsaKey(nil, point)),
		"Ed448":              second(ed25519Key(der(asn1.ObjectIdentifier{1, 3, 101, 113}, ""), edwards)),
		"a short point":      second(ed25519Key(der(oidEd25519, ""), edwards[1:])),
		"no modulus":         second(rsaKey(nil, []byte{1, 0, 1})),
		"no exponent":        second(rsaKey([]byte{5}, nil)),
		"an odd signature":   second(sequence(make([]byte, 63))),
		"an empty signature": second(sequence(nil)),
	} {
		if err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// Whatever a token says of a key, it is a public key or an error.
func FuzzPublicKey(f *testing.F) {
	f.Add([]byte{6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7}, []byte{4, 3, 4, 1, 2})
	f.Add([]byte{6, 3, 0x2b, 0x65, 0x70}, []byte(strings.Repeat("k", 32)))
	f.Fuzz(func(t *testing.T, params, point []byte) {
		if key, err := ecdsaKey(params, point); err == nil {
			if _, err := publicPEM(key, nil); err != nil {
				t.Error(err)
			}
		}
		if key, err := ed25519Key(params, point); err == nil && len(key) != 32 {
			t.Errorf("a key of %d bytes", len(key))
		}
		rsaKey(params, point)
		sequence(point)
	})
}
