package secrets

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"strings"
	"testing"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func gzipped(content string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write([]byte(content))
	w.Close()
	return b.String()
}

func zipped(members ...string) string {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := 0; i < len(members); i += 2 {
		must(w.Create(members[i])).Write([]byte(members[i+1]))
	}
	w.Close()
	return b.String()
}

func tarred(name, content string) string {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	w.WriteHeader(&tar.Header{Name: name, Size: int64(len(content)), Mode: 0o644})
	w.Write([]byte(content))
	w.Close()
	return b.String()
}

// javaKeyStore has entries of these tags: 1 a private key, 2 a trusted certificate.
func javaKeyStore(tags ...uint32) string {
	b := binary.BigEndian.AppendUint32(nil, 0xfeedfeed)
	b = binary.BigEndian.AppendUint32(b, 2)
	b = binary.BigEndian.AppendUint32(b, uint32(len(tags)))
	for _, tag := range tags {
		b = binary.BigEndian.AppendUint32(b, tag)
		b = append(b, "\x00\x05alias\x00\x00\x00\x00\x00\x00\x00\x00\x00\x05X.509\x00\x00\x00\x04cert"...)
	}
	return string(b)
}

// What is no text is searched for secrets of a form of their own, for files of keys,
// and within archives.
func TestBlob(t *testing.T) {
	elf := "\x7fELF\x02\x01\x01" + strings.Repeat("\x00key\x00token\x00password=\x00", 1000)
	ec := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	rsaKey := must(rsa.GenerateKey(rand.Reader, 2048))
	_, ed, _ := ed25519.GenerateKey(rand.Reader)
	far := strings.Repeat("\x00\x01nothing", 40000)
	for _, c := range []struct{ name, content, want string }{
		{"a program", elf + aws + "\x00" + elf, "aws-access-token"},
		{"a program, in Go", "\x7fELF\x00unexpected newline" + github + "\x00", "github-pat"},
		{"a program with a key", elf + pem + "\x00", "private-key"},
		{"a program that reads keys", elf + "-----BEGIN RSA PRIVATE KEY-----\x00-----END RSA PRIVATE KEY-----\x00-----BEGIN EC PRIVATE" + " KEY-----cannot parse keys, which is a text of some length that no key has\n-----END EC PRIVATE KEY-----", ""},
		{"words alone", elf, ""},
		{"behind the first piece", far + github + far, "github-pat"},
		{"over the end of a piece", strings.Repeat("\x00", pieceSize-10) + github + far, "github-pat"},
		{"the same twice", elf + aws + "\x00\x00" + aws + far, "aws-access-token"},
		{"a database", "SQLite format 3\x00" + far + "\x17" + github + "\x81", "github-pat"},
		{"byte code", "\xcb\x0d\x0d\x0a\x00\x00\x00\x00\xda\x14" + aws + "\xda", "aws-access-token"},
		{"DER, PKCS #8", string(must(x509.MarshalPKCS8PrivateKey(ed))), "private-key-der"},
		{"DER, PKCS #1", string(x509.MarshalPKCS1PrivateKey(rsaKey)), "private-key-der"},
		{"DER, SEC 1", string(must(x509.MarshalECPrivateKey(ec))), "private-key-der"},
		{"DER, a public key", string(must(x509.MarshalPKIXPublicKey(&ec.PublicKey))), ""},
		{"DER, encrypted", "\x30\x81\xf3\x30\x5e\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0d\x30\x51" + strings.Repeat("x", 200), "private-key-der"},
		{"PKCS #12", "\x30\x82\x0a\x00\x02\x01\x03\x30\x82\x09\xc6\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01\xa0" + strings.Repeat("x", 2000), "pkcs12-store"},
		{"a key store", javaKeyStore(2, 1), "java-key-store"},
		{"a trust store", javaKeyStore(2, 2, 2), ""},
		{"KeePass", "\x03\xd9\xa2\x9a\x67\xfb\x4b\xb5\x01\x00\x04\x00", "keepass-database"},
		{"a keytab", "\x05\x02\x00\x00\x00\x45\x00\x02\x00\x0bEXAMPLE.COM", "kerberos-keytab"},
		{"gzip", gzipped("token: " + github + "\n"), "github-pat in what is compressed"},
		{"gzip with a tar", gzipped(tarred("app/.env", "AWS="+aws+"\n")), "aws-access-token in app/.env"},
		{"zip", zipped("a.txt", "nothing", "b/config.py", "key = '"+aws+"'\n"), "aws-access-token in b/config.py"},
		{"zip with a class", zipped("A.class", "\xca\xfe\xba\xbe\x00\x00"+github+"\x00"), "github-pat in A.class"},
		{"zip with a key", zipped("key.der", string(must(x509.MarshalECPrivateKey(ec)))), "private-key-der in key.der"},
		{"zip in a zip", zipped("x.zip", zipped("a", gzipped(aws))), ""},
		{"zip of a published module", zipped("node_modules/x/y.js", "token: "+github), ""},
		{"a damaged zip", zipped("a", aws)[:40], ""},
		{"a damaged gzip", gzipped("token: " + github + "\n" + strings.Repeat("x", 100))[:60], "github-pat in what is compressed"},
		{"a bomb", gzipped(strings.Repeat("\x00", 64<<20)), ""},
		{"nothing", "", ""},
	} {
		d := must(Default())
		var b Blob
		b.Begin(d, NewBudget(), "app/x")
		for rest := []byte(c.content); len(rest) > 0; {
			n := min(len(rest), 1000)
			b.Write(rest[:n])
			rest = rest[n:]
		}
		var got []string
		for _, f := range b.End() {
			text := f.Rule
			if f.Member != "" {
				text += " in " + f.Member
			}
			got = append(got, text)
			if strings.Contains(f.Shown, aws[:12]) {
				t.Errorf("%s: it shows %q", c.name, f.Shown)
			}
		}
		if strings.Join(got, ", ") != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// Archives are unpacked until the image's budget is spent.
func TestBudget(t *testing.T) {
	budget := &Budget{}
	budget.left.Store(1000)
	var b Blob
	b.Begin(must(Default()), budget, "x")
	b.Write([]byte(zipped("a", strings.Repeat("a", 999), "b", "token: "+github)))
	if found := b.End(); found != nil {
		t.Errorf("beyond the budget it finds %v", found)
	}
}

// Text that lies under base64 is searched.
func TestBase64(t *testing.T) {
	d := must(Default())
	std, url := base64.StdEncoding, base64.RawURLEncoding
	wrapped := func(s string) string {
		text := std.EncodeToString([]byte(s))
		var lines []string
		for len(text) > 76 {
			lines, text = append(lines, text[:76]), text[76:]
		}
		return strings.Join(append(lines, text), "\n")
	}
	for _, c := range []struct{ name, text, want string }{
		{"a value", "data:\n  x: " + std.EncodeToString([]byte("id="+aws+"\n")) + "\n", "aws-access-token:2"},
		{"the URL's alphabet", "x " + url.EncodeToString([]byte("??>token: "+github+"?")) + " y", "github-pat:1"},
		{"a key", "key: " + std.EncodeToString([]byte(pem)), "private-key:1"},
		{"lines", "\n\n" + wrapped("some text before it, so that there are lines; token: "+github+"\n"), "github-pat:3"},
		{"among words", strings.Repeat("getElementByIdentifierAndNameOfTheClass ", 50) + std.EncodeToString([]byte("a="+aws+"\n")), "aws-access-token:1"},
		{"twice", std.EncodeToString([]byte(std.EncodeToString([]byte("id=" + aws + "\n")))), ""},
		{"a picture", "data:image/png;base64," + std.EncodeToString(bytes.Repeat([]byte("\x89PNG\x00\xff"), 100)), ""},
		{"a digest", "sha512-" + std.EncodeToString(bytes.Repeat([]byte{0xa1, 0x07, 0x99}, 20)), ""},
	} {
		var got []string
		for _, f := range d.Find("", []byte(c.text)) {
			if strings.HasPrefix(f.About, "in base64, ") {
				got = append(got, f.Rule+":"+string(rune('0'+f.Line)))
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// FuzzBlob holds that no content and no pieces of it crash the search.
func FuzzBlob(f *testing.F) {
	for _, seed := range []string{"\x7fELF\x00" + aws + "\x00", javaKeyStore(2, 1), zipped("a", aws), gzipped(tarred("a", aws)), "\x30\x82\x01\x00\x02\x01\x03\x30", "\x05\x02\x00\x00\x00\x45\x00\x02\x00\x0b", "-----BEGIN PRIVATE" + " KEY-----\x00"} {
		f.Add([]byte(seed), 7)
	}
	d := must(Default())
	f.Fuzz(func(t *testing.T, content []byte, size int) {
		var b Blob
		b.Begin(d, NewBudget(), "x")
		for rest := content; len(rest) > 0; {
			n := min(len(rest), max(1, size))
			b.Write(rest[:n])
			rest = rest[n:]
		}
		b.End()
		d.Find("", content)
	})
}
