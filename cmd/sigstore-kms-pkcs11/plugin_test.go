package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/miekg/pkcs11"
	"github.com/sigstore/sigstore/pkg/signature/kms/cliplugin/common"
)

type equaler interface{ Equal(crypto.PublicKey) bool }

// A key of each kind signs what verifies with its public key, which takes no PIN to see.
func TestSign(t *testing.T) {
	softHSM(t, "release")
	for _, a := range algorithms {
		if a.bits > 2048 {
			continue // a second each to make, and nothing new
		}
		t.Run(a.name, func(t *testing.T) {
			reference := "token=release;object=" + a.name
			public := create(t, reference, a.name)
			signature := sign(t, reference, "{}", "hello")
			digest := sha256.Sum256([]byte("hello"))
			var ok bool
			switch key := public.(type) {
			case *ecdsa.PublicKey:
				ok = ecdsa.VerifyASN1(key, digest[:], signature)
			case *rsa.PublicKey:
				ok = key.N.BitLen() == 2048 && rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], signature) == nil
			case ed25519.PublicKey:
				ok = ed25519.Verify(key, []byte("hello"), signature)
			}
			if !ok {
				t.Errorf("%x does not verify with %T", signature, public)
			}
			t.Setenv("HARDPAN_PKCS11_PIN", "")
			if !publicKey(t, reference).(equaler).Equal(public) {
				t.Error("the public key is not that of the new key")
			}
			arguments := fmt.Sprintf(`{"signature": %q}`, base64.StdEncoding.EncodeToString(signature))
			if _, err := call(reference, "verifySignature", arguments, "hello"); err != nil {
				t.Error(err)
			}
			_, err := call(reference, "verifySignature", arguments, "hallo")
			refused(t, err, "the signature does not verify with the key", "")
		})
	}
}

// Options name another hash, or have the digest in place of the message.
func TestDigest(t *testing.T) {
	softHSM(t, "release")
	sum := sha512.Sum384([]byte("hello"))
	asDigest := fmt.Sprintf(`{"signOptions": {"messageOptions": {"digest": %q, "hashFunc": 6}}}`, base64.StdEncoding.EncodeToString(sum[:]))
	asMessage := `{"signOptions": {"messageOptions": {"hashFunc": 6}}}`
	curve := create(t, "object=curve", "ecdsa-sha2-256-nistp384").(*ecdsa.PublicKey)
	modulus := create(t, "object=modulus", "rsa-sign-pkcs1-2048-sha256").(*rsa.PublicKey)
	for _, c := range []struct{ arguments, message string }{{asDigest, ""}, {asMessage, "hello"}} {
		if !ecdsa.VerifyASN1(curve, sum[:], sign(t, "object=curve", c.arguments, c.message)) {
			t.Errorf("ECDSA, %s: does not verify", c.arguments)
		}
		if err := rsa.VerifyPKCS1v15(modulus, crypto.SHA384, sum[:], sign(t, "object=modulus", c.arguments, c.message)); err != nil {
			t.Errorf("RSA, %s: %v", c.arguments, err)
		}
	}
	create(t, "object=edwards", "ed25519")
	for _, c := range []struct{ reference, arguments, want string }{
		{"object=edwards", asDigest, "an Ed25519 key signs a message, not its digest"},
		{"object=curve", `{"signOptions": {"messageOptions": {"digest": "AAAA"}}}`, "a digest of 3 bytes, expected the 32 of SHA-256"},
		{"object=modulus", `{"signOptions": {"messageOptions": {"hashFunc": 3}}}`, "hash function 3, expected SHA-256, SHA-384 or SHA-512"},
	} {
		_, err := call(c.reference, "signMessage", c.arguments, "")
		refused(t, err, c.want, "")
	}
}

// What is not there, or twice, is named, with what is.
func TestNotFound(t *testing.T) {
	module := softHSM(t, "release", "twin", "twin")
	create(t, "token=release;object=signing;id=%01", "ed25519")
	inside(t, "token=release;object=x", func(k *token) {
		for _, id := range []string{"\x02", "\x03"} { // create refuses the second
			k.reference = &reference{object: "twice", id: id}
			public, private, mechanism, err := k.templates("ed25519")
			check(t, err)
			_, _, err = k.module.GenerateKeyPair(k.session, []*pkcs11.Mechanism{pkcs11.NewMechanism(mechanism, nil)}, public, private)
			check(t, err)
		}
	})
	text := filepath.Join(t.TempDir(), "module.so")
	check(t, os.WriteFile(text, []byte("no library"), 0o600))
	for _, c := range []struct{ reference, want, hint string }{
		{"token=release;object=nothing", `token "release" has no private key object=nothing; it has object=`, "see object and id"},
		{"token=release;object=nothing", "object=signing;id=%01", "see object and id"},
		{"token=release;object=signing;id=%02", "has no private key object=signing;id=%02;", "see object and id"},
		{"token=twin;object=signing", `2 tokens fit the key reference: "twin" with serial=`, "name one by token, which is its label, or by serial"},
		{"token=other;object=signing", "no token fits the key reference; " + module + ` has "`, "see token, serial"},
		{"token=release;serial=1;object=signing", "no token fits the key reference", "see token, serial"},
		{"token=release;slot-id=4;object=signing", "no token fits the key reference", "see token, serial"},
		{"token=release;object=twice", "object=twice: object=twice;id=%0", "name one by both object and id"},
		{"token=release;object=signing?module-path=/nowhere/module.so", "cannot load the PKCS #11 module: stat /nowhere/module.so: no such file or directory", "token's maker supplies"},
		{"token=release;object=signing?module-path=" + text, "cannot load the PKCS #11 module " + text + ": it is none, or a library that it needs is missing", "ldd " + text},
	} {
		for _, method := range []string{"publicKey", "signMessage"} {
			_, err := call(c.reference, method, "{}", "hello")
			refused(t, err, c.want, c.hint)
		}
	}
	if _, err := call("token=release;object=twice;id=%03", "signMessage", "{}", "hello"); err != nil {
		t.Errorf("named by both: %v", err)
	}
	t.Setenv("SOFTHSM2_CONF", "/nowhere/softhsm2.conf")
	_, err := call("token=release;object=signing", "publicKey", "{}", "")
	refused(t, err, "cannot initialize the PKCS #11 module "+module+": pkcs11: ", "SOFTHSM2_CONF")
	t.Setenv("PKCS11_MODULE_PATH", "")
	_, err = call("token=release;object=signing", "publicKey", "{}", "")
	refused(t, err, "no PKCS #11 module is named", "set PKCS11_MODULE_PATH")
	t.Setenv("HARDPAN_PKCS11_MODULE", "/nowhere/ours.so")
	_, err = call("token=release;object=signing", "publicKey", "{}", "")
	refused(t, err, "/nowhere/ours.so", "token's maker")
}

// A module may have no token at all.
func TestNoToken(t *testing.T) {
	module := softHSM(t)
	_, err := call("token=release;object=signing", "publicKey", "{}", "")
	refused(t, err, module+" has no token", "plugged in")
}

// The PIN comes from the environment or a file, and what is wrong with it is said.
func TestPIN(t *testing.T) {
	softHSM(t, "release")
	create(t, "token=release;object=signing", "ed25519")
	dir := t.TempDir()
	file := func(name, text string) string {
		name = filepath.Join(dir, name)
		check(t, os.WriteFile(name, []byte(text), 0o600))
		return name
	}
	right, wrong, empty := file("right", pin+"\r\nanother line"), file("wrong", "wrong-secret"), file("empty", "\n")
	for _, c := range []struct{ name, variable, value, query, want, hint string }{
		{name: "environment", variable: "HARDPAN_PKCS11_PIN", value: pin},
		{name: "the other variable", variable: "PKCS11_PIN", value: pin},
		{name: "file", query: "?pin-source=file:" + right},
		{name: "file as a URL", query: "?pin-source=file://" + right},
		{name: "file before environment", variable: "HARDPAN_PKCS11_PIN", value: "wrong-secret", query: "?pin-source=file:" + right},
		{"none", "", "", "", `token "release" wants a PIN, and none is given`, "set HARDPAN_PKCS11_PIN, or add ?pin-source=file:/path"},
		{"wrong", "HARDPAN_PKCS11_PIN", "wrong-secret", "", `token "release": the PIN is wrong; it was tried once`, "before the next try"},
		{"too short", "HARDPAN_PKCS11_PIN", "w", "", `token "release": the PIN is wrong; it was tried once`, "before the next try"},
		{"wrong in file", "", "", "?pin-source=file:" + wrong, `token "release": the PIN is wrong; it was tried once`, "before the next try"},
		{"empty file", "", "", "?pin-source=file:" + empty, "cannot read the PIN: the first line of " + empty + " is empty", ""},
		{"no file", "", "", "?pin-source=file:/nowhere/pin", "cannot read the PIN: open /nowhere/pin: no such file or directory", ""},
		{"command", "", "", "?pin-source=%7Ccat%20/etc/pin", "pin-source: expected file:/path", ""},
		{"in the reference", "", "", "?pin-value=" + pin, "pin-value would put the PIN into arguments", "set HARDPAN_PKCS11_PIN"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("HARDPAN_PKCS11_PIN", "")
			if c.variable != "" {
				t.Setenv(c.variable, c.value)
			}
			_, err := call("token=release;object=signing"+c.query, "signMessage", "{}", "hello")
			if c.want == "" {
				check(t, err)
				return
			}
			refused(t, err, c.want, c.hint)
		})
	}
	var limit syscall.Rlimit
	if check(t, syscall.Getrlimit(syscall.RLIMIT_CORE, &limit)); limit.Cur > 1 {
		t.Errorf("core files of %d bytes, which have the PIN", limit.Cur)
	}
}

// A PIN is not tried where that could lock the token.
func TestLocked(t *testing.T) {
	softHSM(t, "release")
	create(t, "token=release;object=signing", "ed25519")
	for flag, want := range map[uint]string{
		pkcs11.CKF_USER_PIN_LOCKED:    `token "release": the PIN is locked`,
		pkcs11.CKF_USER_PIN_FINAL_TRY: `token "release" is locked by one more wrong PIN, and it is not tried here`,
	} {
		r, err := parseReference("token=release;object=signing")
		check(t, err)
		k, err := openToken(r, os.Getenv)
		check(t, err)
		k.info.Flags |= flag // as a card says it; SoftHSM never does
		_, err = k.privateKey()
		if err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
		info, err := k.module.GetSessionInfo(k.session)
		check(t, err)
		if info.State == pkcs11.CKS_RW_USER_FUNCTIONS {
			t.Error("logged in all the same")
		}
		k.close()
	}
}

// Tokens without the public key have it in a certificate, or with an RSA key itself.
func TestPublicElsewhere(t *testing.T) {
	softHSM(t, "release")
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	_, issuer, err := ed25519.GenerateKey(rand.Reader)
	check(t, err)
	for _, algorithm := range []string{"ecdsa-sha2-256-nistp256", "rsa-sign-pkcs1-2048-sha256"} {
		name := "token=release;object=" + algorithm + ";id=%07" + algorithm[:1]
		public := create(t, name, algorithm)
		inside(t, name, func(k *token) {
			list, err := k.objects(k.reference.template(pkcs11.CKO_PUBLIC_KEY)...)
			check(t, err)
			check(t, k.module.DestroyObject(k.session, list[0]))
		})
		if _, isRSA := public.(*rsa.PublicKey); isRSA {
			if !publicKey(t, name).(equaler).Equal(public) {
				t.Error("the RSA key is another")
			}
		} else {
			_, err = call(name, "publicKey", "{}", "")
			refused(t, err, `token "release" has the private key object=`+algorithm, "with the same id")
		}
		der, err := x509.CreateCertificate(rand.Reader, template, template, public, issuer)
		check(t, err)
		inside(t, name, func(k *token) {
			attribute := pkcs11.NewAttribute
			_, err := k.module.CreateObject(k.session, []*pkcs11.Attribute{
				attribute(pkcs11.CKA_CLASS, pkcs11.CKO_CERTIFICATE), attribute(pkcs11.CKA_CERTIFICATE_TYPE, pkcs11.CKC_X_509),
				attribute(pkcs11.CKA_TOKEN, true), attribute(pkcs11.CKA_PRIVATE, false), attribute(pkcs11.CKA_LABEL, "of another name"),
				attribute(pkcs11.CKA_ID, k.reference.id), attribute(pkcs11.CKA_SUBJECT, []byte("x")), attribute(pkcs11.CKA_VALUE, der),
			})
			check(t, err)
		})
		if !publicKey(t, name).(equaler).Equal(public) {
			t.Errorf("%s: the certificate's key is another", algorithm)
		}
		t.Setenv("HARDPAN_PKCS11_PIN", "") // the id alone finds the certificate without one
		if !publicKey(t, "token=release;id=%07"+algorithm[:1]).(equaler).Equal(public) {
			t.Errorf("%s: the certificate's key is another", algorithm)
		}
		t.Setenv("HARDPAN_PKCS11_PIN", pin)
	}
}

// A key may want the PIN for each signature, as a PIV card's does.
func TestAlwaysAuthenticate(t *testing.T) {
	softHSM(t, "release")
	inside(t, "token=release;object=always", func(k *token) {
		public, private, mechanism, err := k.templates("ecdsa-sha2-256-nistp256")
		check(t, err)
		private = append(private, pkcs11.NewAttribute(pkcs11.CKA_ALWAYS_AUTHENTICATE, true))
		_, key, err := k.module.GenerateKeyPair(k.session, []*pkcs11.Mechanism{pkcs11.NewMechanism(mechanism, nil)}, public, private)
		check(t, err)
		check(t, k.module.SignInit(k.session, []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_ECDSA, nil)}, key))
		if _, err := k.module.Sign(k.session, make([]byte, 32)); err == nil {
			t.Fatal("the key signs without another login")
		}
	})
	sum := sha256.Sum256([]byte("hello"))
	key := publicKey(t, "token=release;object=always").(*ecdsa.PublicKey)
	if !ecdsa.VerifyASN1(key, sum[:], sign(t, "token=release;object=always", "{}", "hello")) {
		t.Error("does not verify")
	}
}

// Keys are made under a name of their own, and cannot leave the token.
func TestCreate(t *testing.T) {
	softHSM(t, "release")
	create(t, "token=release;object=signing", "ed25519")
	for _, c := range []struct{ reference, algorithm, want string }{
		{"token=release;object=signing", "ed25519", `token "release" has a key object=signing;id=%`},
		{"token=release;id=%01", "ed25519", "a new key needs a name"},
		{"token=release;object=x", "rsa-sign-pss-2048-sha256", `keys of the kind "rsa-sign-pss-2048-sha256" cannot be made, expected ecdsa-sha2-256-nistp256, `},
	} {
		_, err := call(c.reference, "createKey", fmt.Sprintf(`{"algorithm": %q}`, c.algorithm), "")
		refused(t, err, c.want, "")
	}
	inside(t, "token=release;object=signing", func(k *token) {
		private, err := k.privateKey()
		check(t, err)
		if v := k.value(private, pkcs11.CKA_EXTRACTABLE); !slices.Equal(v, []byte{0}) {
			t.Errorf("extractable: %v", v)
		}
		if v := k.value(private, pkcs11.CKA_VALUE); len(v) > 0 {
			t.Error("the private key can be read")
		}
	})
}

// Without a token there are the algorithms, and errors about the call.
func TestProtocol(t *testing.T) {
	t.Parallel()
	answer, err := call("", "supportedAlgorithms", "{}", "")
	check(t, err)
	fallback, err := call("", "defaultAlgorithm", "{}", "")
	check(t, err)
	if !slices.Contains(answer.SupportedAlgorithms.SupportedAlgorithms, fallback.DefaultAlgorithm.DefaultAlgorithm) {
		t.Errorf("the default of %v is %v", answer.SupportedAlgorithms, fallback.DefaultAlgorithm)
	}
	whole, err := json.Marshal(common.PluginArgs{InitOptions: &common.InitOptions{KeyResourceID: "object=x"}, MethodArgs: &common.MethodArgs{MethodName: "publicKey"}})
	check(t, err)
	for _, c := range []struct{ version, arguments, want string }{
		{"v2", string(whole), `protocol "v2", expected "v1"`},
		{"v1", "{", "cannot read the arguments of the protocol: "},
		{"v1", "{}", "the arguments of the protocol name no key or no method"},
		{"v1", `{"methodName": "publicKey"}`, "the arguments of the protocol name no key or no method"},
		{"v1", strings.Replace(string(whole), "object=x", "object", 1), `key reference: attribute "object": expected NAME=VALUE`},
	} {
		_, err := serve(c.version, c.arguments, strings.NewReader(""))
		refused(t, err, c.want, "")
	}
}

// A method that there is not, or that has no arguments, is refused.
func TestMethod(t *testing.T) {
	softHSM(t, "release")
	for _, method := range []string{"decrypt", "createKey", "verifySignature"} {
		_, err := call("token=release;object=x", method, "null", "")
		refused(t, err, fmt.Sprintf("method %q is not of the protocol v1, or has no arguments", method), "")
	}
}
