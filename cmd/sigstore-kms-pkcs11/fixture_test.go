package main

import (
	"crypto"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/miekg/pkcs11"
	"github.com/sigstore/sigstore/pkg/signature/kms/cliplugin/common"
)

const pin = "1234-secret"

// softHSM gives the test a SoftHSM of its own, with tokens of these labels, and the
// environment that names it, with the PIN.
func softHSM(t testing.TB, labels ...string) (module string) {
	t.Helper()
	for _, pattern := range []string{"/usr/lib/softhsm/libsofthsm2.so", "/usr/lib*/*/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so", "/opt/homebrew/lib/softhsm/libsofthsm2.so"} {
		if found, _ := filepath.Glob(pattern); len(found) > 0 && module == "" {
			module = found[0]
		}
	}
	if module == "" {
		t.Skip("SKIPPED: needs SoftHSM's PKCS #11 module, which the network has: apt-get install softhsm2")
	}
	dir := t.TempDir()
	tokens, config := filepath.Join(dir, "tokens"), filepath.Join(dir, "softhsm2.conf")
	check(t, os.Mkdir(tokens, 0o700))
	check(t, os.WriteFile(config, []byte("directories.tokendir = "+tokens+"\nlog.level = ERROR\n"), 0o600))
	t.Setenv("SOFTHSM2_CONF", config)
	t.Setenv("PKCS11_MODULE_PATH", module)
	t.Setenv("HARDPAN_PKCS11_PIN", pin)
	for _, label := range labels {
		addToken(t, module, label)
	}
	return module
}

// addToken makes a token in the free slot, which is the last.
func addToken(t testing.TB, module, label string) {
	t.Helper()
	m := pkcs11.New(module)
	check(t, m.Initialize())
	defer m.Destroy()
	defer m.Finalize()
	slots, err := m.GetSlotList(true)
	check(t, err)
	slot := slots[len(slots)-1]
	check(t, m.InitToken(slot, "so-pin", label))
	s, err := m.OpenSession(slot, pkcs11.CKF_SERIAL_SESSION|pkcs11.CKF_RW_SESSION)
	check(t, err)
	check(t, m.Login(s, pkcs11.CKU_SO, "so-pin"))
	check(t, m.InitPIN(s, pin))
}

// inside runs f with the token of a reference, logged in.
func inside(t testing.TB, text string, f func(*token)) {
	t.Helper()
	r, err := parseReference(text)
	check(t, err)
	k, err := openToken(r, os.Getenv)
	check(t, err)
	defer k.close()
	check(t, k.login())
	f(k)
}

// call is what hardpan and cosign do: the method's arguments are JSON.
func call(reference, method, arguments, message string) (*common.PluginResp, error) {
	text, err := json.Marshal(reference)
	if err != nil {
		return nil, err
	}
	args := fmt.Sprintf(`{"initOptions": {"protocolVersion": "v1", "keyResourceID": %s, "hashFunc": 5, "rpcOptions": {}}, "methodName": %q, %[2]q: %s}`, text, method, arguments)
	return serve("v1", args, strings.NewReader(message))
}

// create makes a key and returns its public half.
func create(t testing.TB, reference, algorithm string) crypto.PublicKey {
	t.Helper()
	answer, err := call(reference, "createKey", fmt.Sprintf(`{"algorithm": %q}`, algorithm), "")
	check(t, err)
	return parsePEM(t, answer.CreateKey.PublicKeyPEM)
}

func publicKey(t testing.TB, reference string) crypto.PublicKey {
	t.Helper()
	answer, err := call(reference, "publicKey", "{}", "")
	check(t, err)
	return parsePEM(t, answer.PublicKey.PublicKeyPEM)
}

func sign(t testing.TB, reference, arguments, message string) []byte {
	t.Helper()
	answer, err := call(reference, "signMessage", arguments, message)
	check(t, err)
	return answer.SignMessage.Signature
}

func parsePEM(t testing.TB, text []byte) crypto.PublicKey {
	t.Helper()
	var der []byte
	if block, _ := pem.Decode(text); block != nil {
		der = block.Bytes
	}
	key, err := x509.ParsePKIXPublicKey(der)
	check(t, err)
	return key
}

// refused checks the error and the hint of a call, which are a line each and have no PIN.
func refused(t testing.TB, err error, want, hint string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want %s", err, want)
		return
	}
	said := err.Error()
	h, ok := errors.AsType[*hinted](err)
	if ok {
		said += h.hint
	}
	if ok != (hint != "") || ok && !strings.Contains(h.hint, hint) {
		t.Errorf("%v has the hint %v, want %s", err, h, hint)
	}
	if strings.Contains(said, "\n") || strings.Contains(said, pin) || strings.Contains(said, "wrong-secret") {
		t.Errorf("%q is more than a line, or has the PIN", said)
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
