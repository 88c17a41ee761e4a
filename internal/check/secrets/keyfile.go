package secrets

import (
	"bytes"
	"crypto/x509"
	"encoding/binary"
)

// keyHead is how much of a file [keyFile] looks at, in bytes.
const keyHead = 16 << 10

// magics begin files that are made to hold keys and passwords.
var magics = []struct{ magic, rule, about string }{
	{"\x03\xd9\xa2\x9a\x67\xfb\x4b\xb5", "keepass-database", "a KeePass database"},
	{"\x03\xd9\xa2\x9a\x65\xfb\x4b\xb5", "keepass-database", "a KeePass database"},
	{"(21:protected-private-key", "gnupg-private-key", "a private key of GnuPG"},
	{"(11:private-key", "gnupg-private-key", "a private key of GnuPG"},
	{"PuTTY-User-Key-File-", "putty-private-key", "a private key of PuTTY"},
	{"openssh-key-v1\x00", "private-key-der", "a private key of OpenSSH"},
}

// The object identifiers that say what is in a DER file (RFC 5958, RFC 8018, RFC 7292).
var (
	pbes2  = []byte("\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0d")
	pbes12 = []byte("\x06\x0a\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x01")
	pfx    = []byte("\x02\x01\x03\x30")
	data   = []byte("\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01")
)

// keyFile says what a file is whose first bytes are head, if it holds keys. whole says
// that head is all of it.
func keyFile(head []byte, whole bool) (rule, about string) {
	for _, m := range magics {
		if bytes.HasPrefix(head, []byte(m.magic)) {
			return m.rule, m.about
		}
	}
	switch {
	case len(head) < 16:
	case javaStore(head):
		return "java-key-store", "a Java key store with a private or secret key"
	case head[0] == 0x30:
		return derKey(head, whole)
	case bytes.HasPrefix(head, []byte("\x05\x02\x00\x00")) && head[4] == 0 && head[6] == 0 && head[7] < 8 && head[8] == 0: // version 2, an entry's size, its components, the realm's length
		return "kerberos-keytab", "a Kerberos keytab"
	}
	return "", ""
}

func derKey(head []byte, whole bool) (rule, about string) {
	start := head[:min(len(head), 64)]
	switch {
	case bytes.Contains(start[:12], pfx) && bytes.Contains(start, data):
		return "pkcs12-store", "a PKCS #12 store"
	case bytes.Contains(start[:min(len(start), 24)], pbes2), bytes.Contains(start[:min(len(start), 24)], pbes12):
		return "private-key-der", "an encrypted private key in DER"
	case !whole:
		return "", ""
	}
	_, pkcs8 := x509.ParsePKCS8PrivateKey(head)
	_, pkcs1 := x509.ParsePKCS1PrivateKey(head)
	_, sec1 := x509.ParseECPrivateKey(head)
	if pkcs8 == nil || pkcs1 == nil || sec1 == nil {
		return "private-key-der", "a private key in DER"
	}
	return "", ""
}

// javaStore reports whether a JKS or JCEKS file has a key beside trusted certificates
// (sun.security.provider.JavaKeyStore): a magic, a version and a count of four bytes
// each, then entries of a tag, an alias, a date and what the tag says.
func javaStore(head []byte) bool {
	magic := binary.BigEndian.Uint32(head)
	if magic != 0xfeedfeed && magic != 0xcececece {
		return false
	}
	rest := head[12:]
	skip := func(n int) bool {
		if n < 0 || n > len(rest) {
			return false
		}
		rest = rest[n:]
		return true
	}
	for range min(binary.BigEndian.Uint32(head[8:]), 64) {
		if len(rest) < 6 {
			return false
		}
		if tag := binary.BigEndian.Uint32(rest); tag != 2 {
			return tag == 1 || tag == 3
		}
		if !skip(6+int(binary.BigEndian.Uint16(rest[4:]))) || !skip(8) || len(rest) < 2 || !skip(2+int(binary.BigEndian.Uint16(rest))) || len(rest) < 4 || !skip(4+int(binary.BigEndian.Uint32(rest))) {
			return false
		}
	}
	return false
}
