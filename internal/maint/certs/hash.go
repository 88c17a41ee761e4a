package certs

import (
	"bytes"
	"crypto/sha1"
	"encoding/asn1"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// ErrNotOne is wrapped by the error for a file that has no certificate or more
// than one.
var ErrNotOne = errors.New("not exactly one certificate")

// Parse returns the DER bytes of the only certificate of a PEM file.
func Parse(file []byte) ([]byte, error) {
	var der []byte
	count := 0
	for rest := file; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		switch block.Type {
		case "CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE":
			der = block.Bytes
			count++
		}
	}
	if count != 1 {
		return nil, fmt.Errorf("%d certificates: %w", count, ErrNotOne)
	}
	return der, nil
}

// Subject returns the DER bytes of a certificate's subject (RFC 5280, 4.1.2.6).
// The rest of the certificate may be what crypto/x509 refuses: old roots are.
func Subject(der []byte) ([]byte, error) {
	var cert struct {
		TBS struct {
			Raw          asn1.RawContent
			Version      int `asn1:"optional,explicit,default:0,tag:0"`
			Serial       asn1.RawValue
			Signature    asn1.RawValue
			Issuer       asn1.RawValue
			Validity     asn1.RawValue
			Subject      asn1.RawValue
			PublicKey    asn1.RawValue
			IssuerUnique asn1.BitString `asn1:"optional,tag:1"`
			SubjUnique   asn1.BitString `asn1:"optional,tag:2"`
			Extensions   asn1.RawValue  `asn1:"optional,explicit,tag:3"`
		}
		Algorithm asn1.RawValue
		Value     asn1.BitString
	}
	if _, err := asn1.Unmarshal(der, &cert); err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	return cert.TBS.Subject.FullBytes, nil
}

// Hash returns the eight hex digits under which OpenSSL looks for a certificate
// with that DER subject (X509_NAME_hash_ex): the first four bytes, little
// endian, of the SHA-1 of the subject in canonical form.
func Hash(subject []byte) (string, error) {
	canon, err := canonical(subject)
	if err != nil {
		return "", fmt.Errorf("subject: %w", err)
	}
	sum := sha1.Sum(canon)
	return fmt.Sprintf("%08x", binary.LittleEndian.Uint32(sum[:4])), nil
}

// canonical is OpenSSL's x509_name_canon: the relative names one after the
// other, without the sequence around them, each text as UTF8String in lower
// case with its white space folded.
func canonical(subject []byte) ([]byte, error) {
	var rdns []asn1.RawValue
	if rest, err := asn1.Unmarshal(subject, &rdns); err != nil {
		return nil, err
	} else if len(rest) > 0 {
		return nil, fmt.Errorf("%d bytes after the name", len(rest))
	}
	var out []byte
	for _, rdn := range rdns {
		var sets [][]byte
		for rest := rdn.Bytes; len(rest) > 0; {
			var attr struct {
				Type  asn1.ObjectIdentifier
				Value asn1.RawValue
			}
			var err error
			if rest, err = asn1.Unmarshal(rest, &attr); err != nil {
				return nil, err
			}
			if text, ok, err := utf8Text(attr.Value); err != nil {
				return nil, err
			} else if ok {
				attr.Value = asn1.RawValue{Class: asn1.ClassUniversal, Tag: asn1.TagUTF8String, Bytes: fold(text)}
			}
			der, err := asn1.Marshal(attr)
			if err != nil {
				return nil, err
			}
			sets = append(sets, der)
		}
		slices.SortFunc(sets, bytes.Compare) // DER orders the elements of a SET OF
		der, err := asn1.Marshal(asn1.RawValue{Class: asn1.ClassUniversal, Tag: asn1.TagSet, IsCompound: true, Bytes: bytes.Join(sets, nil)})
		if err != nil {
			return nil, err
		}
		out = append(out, der...)
	}
	return out, nil
}

// utf8Text returns the text of one of the string types that OpenSSL folds
// (ASN1_MASK_CANON), and false for any other type, which it keeps as it is.
func utf8Text(v asn1.RawValue) ([]byte, bool, error) {
	const tagVisible, tagUniversal = 26, 28
	if v.Class != asn1.ClassUniversal {
		return nil, false, nil
	}
	switch v.Tag {
	case asn1.TagUTF8String:
		if !utf8.Valid(v.Bytes) {
			return nil, false, errors.New("UTF8String is not UTF-8")
		}
		return v.Bytes, true, nil
	case asn1.TagPrintableString, asn1.TagIA5String, asn1.TagT61String, tagVisible:
		var out []byte // each byte is a character, as in Latin-1
		for _, b := range v.Bytes {
			out = utf8.AppendRune(out, rune(b))
		}
		return out, true, nil
	case asn1.TagBMPString:
		if len(v.Bytes)%2 != 0 {
			return nil, false, fmt.Errorf("BMPString of %d bytes", len(v.Bytes))
		}
		units := make([]uint16, len(v.Bytes)/2)
		for i := range units {
			units[i] = binary.BigEndian.Uint16(v.Bytes[2*i:])
		}
		return []byte(string(utf16.Decode(units))), true, nil
	case tagUniversal:
		if len(v.Bytes)%4 != 0 {
			return nil, false, fmt.Errorf("UniversalString of %d bytes", len(v.Bytes))
		}
		var out []byte
		for i := 0; i < len(v.Bytes); i += 4 {
			out = utf8.AppendRune(out, rune(binary.BigEndian.Uint32(v.Bytes[i:])))
		}
		return out, true, nil
	}
	return nil, false, nil
}

// fold takes white space off the ends, makes each run of it one space, and
// lowers the letters of ASCII only.
func fold(text []byte) []byte {
	fields := strings.FieldsFunc(string(text), func(c rune) bool {
		return c == ' ' || '\t' <= c && c <= '\r'
	})
	out := []byte(strings.Join(fields, " "))
	for i, b := range out {
		if 'A' <= b && b <= 'Z' {
			out[i] = b + 'a' - 'A'
		}
	}
	return out
}
