package kms_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/hardpan/hardpan/internal/kms"
	"github.com/hardpan/hardpan/internal/kms/kmstest"
	"github.com/hardpan/hardpan/internal/oci"
	hardpansign "github.com/hardpan/hardpan/internal/sign"
	"github.com/hardpan/hardpan/internal/sign/signtest"
)

// TestMain makes this binary the plugin, too.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) != kmstest.Program {
		os.Setenv("HARDPAN_PASSWORD", "s3cret")
	}
	os.Exit(signtest.Main(m, kmstest.Program, func() { kmstest.Main(os.Args, os.Stdin, os.Stdout, os.Stderr) }))
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// keyFile makes the file of a key and returns its reference.
func keyFile(t testing.TB, name string, key crypto.Signer) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	check(t, err)
	file := filepath.Join(t.TempDir(), name)
	check(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600))
	return "test://" + file
}

func newKeys(t testing.TB) (onCurve, edwards crypto.Signer) {
	t.Helper()
	a, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	_, b, err := ed25519.GenerateKey(rand.Reader)
	check(t, err)
	return a, b
}

// What a program signs verifies, here and with cosign, which asks the same program.
func TestSigned(t *testing.T) {
	t.Parallel()
	onCurve, edwards := newKeys(t)
	for _, reference := range []string{keyFile(t, "key", onCurve), keyFile(t, "key", edwards)} {
		signer, err := kms.Signer(t.Context(), reference)
		check(t, err)
		verifier, err := kms.Verifier(t.Context(), reference)
		check(t, err)
		if signer.Verifier().ID() != verifier.ID() || !strings.HasPrefix(verifier.ID(), "SHA256:") {
			t.Errorf("signer %s, verifier %s", signer.Verifier().ID(), verifier.ID())
		}
		ref := signtest.Push(t, reference[len(reference)-12:])
		attach(t, ref, signer)
		if refused := verify(t, ref, verifier); len(refused) > 0 {
			t.Errorf("refused: %v", refused)
		}
	}
}

// cosign verifies with the same program what was signed through it, and is verified.
func TestCosign(t *testing.T) {
	t.Parallel()
	cosign, err := exec.LookPath("cosign")
	if err != nil {
		t.Skip("SKIPPED: needs the cosign program in PATH, which the network has: go install github.com/sigstore/cosign/v2/cmd/cosign@v2.6.5, and have it in PATH")
	}
	key, _ := newKeys(t)
	reference := keyFile(t, "key", key)
	signer, err := kms.Signer(t.Context(), reference)
	check(t, err)
	run := func(args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), cosign, append(args, "--allow-insecure-registry", "--key", reference)...)
		for _, v := range append(os.Environ(), "HOME="+t.TempDir(), "DOCKER_CONFIG="+t.TempDir()) {
			if !strings.HasPrefix(v, "HARDPAN_PASSWORD=") {
				cmd.Env = append(cmd.Env, v)
			}
		}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("cosign %s: %v\n%s", args, err, out)
		}
	}
	ours, theirs := signtest.Push(t, "ours"), signtest.Push(t, "theirs")
	attach(t, ours, signer)
	run("verify", "--insecure-ignore-tlog", ours)
	run("sign", "--yes", "--tlog-upload=false", theirs)
	if refused := verify(t, theirs, signer.Verifier()); len(refused) > 0 {
		t.Errorf("cosign's: %v", refused)
	}
}

// What goes wrong with a program is one line, with its name.
func TestRefused(t *testing.T) {
	t.Parallel()
	key, _ := newKeys(t)
	for reference, want := range map[string]string{
		"test://noise":                  `sigstore-kms-test: exit status 7, and its answer is not JSON of the protocol v1; it says "cannot reach the service"`,
		"test://garbage":                "sigstore-kms-test: its answer is not JSON of the protocol v1",
		"test://flood":                  "sigstore-kms-test: its answer is longer than 1048576 bytes",
		"test://shout":                  `sigstore-kms-test: its answer is not JSON of the protocol v1; it says "no no no `,
		"test://killed":                 "sigstore-kms-test: signal: killed",
		"test://denied":                 "sigstore-kms-test: access denied",
		"test://nothing":                "sigstore-kms-test returned no public key",
		"test:///nowhere/key":           "sigstore-kms-test: open /nowhere/key: no such file or directory",
		"absent://key":                  "key absent://key: no program for this kind of key: sigstore-kms-absent is neither in PATH nor beside hardpan",
		"absent://key?pin-value=1234":   "key absent://key: no program",
		"file":                          `key "file": expected a reference NAME://KEY`,
		"../sigstore-kms-test://denied": `expected a reference NAME://KEY`,
		keyFile(t, "wrong", key):        "",
	} {
		signer, err := kms.Signer(t.Context(), reference)
		if want == "" {
			check(t, err)
			if err := sign(t, signtest.Push(t, "wrong"), signer); err == nil || !strings.Contains(err.Error(), "the signature does not verify with the public key SHA256:") {
				t.Errorf("a wrong signature: %v", err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), want) || strings.ContainsAny(err.Error(), "\n\x00") || len(err.Error()) > 1000 {
			t.Errorf("%s: %v, want %s", reference, err, want)
		}
		if strings.HasPrefix(reference, "absent") != errors.Is(err, kms.ErrNoProgram) {
			t.Errorf("%v wraps ErrNoProgram: %t", err, errors.Is(err, kms.ErrNoProgram))
		}
		if _, err := kms.Verifier(t.Context(), reference); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", reference, err, want)
		}
	}
	for name, is := range map[string]bool{"awskms:///alias/a": true, "pkcs11://token": true, "hardpan.key": false, "/a/b://c": false, "C://x": false} {
		if kms.IsReference(name) != is {
			t.Errorf("%s is a reference: %t", name, !is)
		}
	}
}

// A program may say what to do.
func TestHint(t *testing.T) {
	t.Parallel()
	_, err := kms.Verifier(t.Context(), "test://denied")
	h, ok := err.(interface{ Hint() string })
	if !ok || h.Hint() != "ask somebody" {
		t.Errorf("%v has no hint of the program", err)
	}
}

// An answer counts whatever the exit code, and whatever keeps the pipe open.
func TestAnswered(t *testing.T) {
	t.Parallel()
	key, _ := newKeys(t)
	for _, name := range []string{"seven", "child"} {
		if _, err := kms.Verifier(t.Context(), keyFile(t, name, key)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A program that hangs ends with the context, and so does what it started.
func TestCancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	dir := t.TempDir()
	name := filepath.Join(dir, "hang")
	check(t, syscall.Mkfifo(name, 0o600))
	done := make(chan error)
	go func() {
		_, err := kms.Signer(ctx, "test://"+name)
		done <- err
	}()
	f, err := os.Open(name) // waits for the program
	check(t, err)
	defer f.Close()
	line := make([]byte, len("hanging\n"))
	_, err = io.ReadFull(f, line)
	check(t, err)
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that of the context", err)
	}
	if rest, err := io.ReadAll(f); err != nil || len(rest) > 0 { // ends with the last who could write
		t.Errorf("%q, %v", rest, err)
	}
	key, _ := newKeys(t)
	if _, err := kms.Signer(ctx, keyFile(t, "key", key)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled before: %v", err)
	}
}

// A key that refuses to sign is asked once, however much there is to sign: a wrong PIN
// locks a token after a few tries.
func TestAskedOnce(t *testing.T) {
	t.Parallel()
	key, _ := newKeys(t)
	reference := keyFile(t, "locks", key)
	signer, err := kms.Signer(t.Context(), reference)
	check(t, err)
	src, err := oci.Open(t.Context(), signtest.Push(t, "locks"), oci.OpenOptions{})
	check(t, err)
	defer src.Close()
	set := hardpansign.NewSet(src, signer, src.Repository)
	for _, x := range []string{"a", "b", "c", "d"} {
		check(t, set.Attest("", "https://example.com/"+x, []byte("{}")))
	}
	for range 2 {
		if _, err := set.Artifacts(t.Context()); err == nil || !strings.Contains(err.Error(), "sigstore-kms-test: the PIN is wrong") {
			t.Errorf("error %v", err)
		}
	}
	tries, err := os.ReadFile(strings.TrimPrefix(reference, "test://") + ".tries")
	check(t, err)
	if string(tries) != "x" {
		t.Errorf("asked %d times", len(tries))
	}
}
