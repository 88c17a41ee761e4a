// Package kmstest is a program for keys that are elsewhere, for tests: the keys are in
// files.
package kmstest

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"github.com/sigstore/sigstore/pkg/signature/kms/cliplugin/common"
)

// Program is the name that the program must have in PATH. References begin with test://.
const Program = "sigstore-kms-test"

// Main is the program. It signs with the key in the PEM file that the reference names,
// which is PKCS #8, not encrypted. Some names of files make it misbehave. It gets the
// arguments and streams of the process and ends it.
func Main(arguments []string, stdin io.Reader, stdout, stderr io.Writer) {
	var args common.PluginArgs
	var code int
	answer := func(r common.PluginResp) {
		json.NewEncoder(stdout).Encode(r)
		os.Exit(code)
	}
	if len(arguments) != 3 || arguments[1] != "v1" || json.Unmarshal([]byte(arguments[2]), &args) != nil || args.InitOptions.HashFunc != crypto.SHA256 {
		answer(common.PluginResp{ErrorMessage: fmt.Sprintf("not the protocol: %q", arguments)})
	}
	if os.Getenv("HARDPAN_PASSWORD") != "" {
		answer(common.PluginResp{ErrorMessage: "the password is in the environment"})
	}
	file := args.InitOptions.KeyResourceID
	code = misbehave(filepath.Base(file), file, args.MethodName, answer, stdout, stderr)
	switch args.MethodName {
	case common.DefaultAlgorithmMethodName:
		answer(common.PluginResp{DefaultAlgorithm: &common.DefaultAlgorithmResp{DefaultAlgorithm: "ed25519"}})
	case common.CreateKeyMethodName:
		if err := create(file, args.CreateKey.Algorithm); err != nil {
			answer(common.PluginResp{ErrorMessage: err.Error()})
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		answer(common.PluginResp{ErrorMessage: err.Error()})
	}
	block, _ := pem.Decode(text)
	parsed, _ := x509.ParsePKCS8PrivateKey(block.Bytes)
	key := parsed.(crypto.Signer)
	der, _ := x509.MarshalPKIXPublicKey(key.Public())
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	switch args.MethodName {
	case common.PublicKeyMethodName:
		answer(common.PluginResp{PublicKey: &common.PublicKeyResp{PublicKeyPEM: public}})
	case common.CreateKeyMethodName:
		answer(common.PluginResp{CreateKey: &common.CreateKeyResp{PublicKeyPEM: public}})
	case common.SignMessageMethodName:
		message, _ := io.ReadAll(stdin)
		hash := crypto.Hash(0)
		if _, ok := key.(ed25519.PrivateKey); !ok {
			sum := sha256.Sum256(message)
			message, hash = sum[:], crypto.SHA256
		}
		signature, err := key.Sign(rand.Reader, message, hash)
		if err != nil {
			answer(common.PluginResp{ErrorMessage: err.Error()})
		}
		answer(common.PluginResp{SignMessage: &common.SignMessageResp{Signature: signature}})
	}
	if args.MethodName == common.VerifySignatureMethodName { // which cosign asks for
		message, _ := io.ReadAll(stdin)
		sum := sha256.Sum256(message)
		if public, ok := key.Public().(*ecdsa.PublicKey); ok && ecdsa.VerifyASN1(public, sum[:], args.VerifySignature.Signature) {
			answer(common.PluginResp{VerifySignature: &common.VerifySignatureResp{}})
		}
	}
	answer(common.PluginResp{ErrorMessage: "refused: " + args.MethodName})
}

// create makes the file of a key.
func create(file, algorithm string) error {
	if algorithm != "ed25519" {
		return fmt.Errorf("algorithm %q, expected ed25519", algorithm)
	}
	_, key, _ := ed25519.GenerateKey(nil)
	der, _ := x509.MarshalPKCS8PrivateKey(key)
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	return pem.Encode(f, &pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// misbehave is what some names of files have the program do, and returns its exit code.
func misbehave(name, file, method string, answer func(common.PluginResp), stdout, stderr io.Writer) int {
	isSigning := method == common.SignMessageMethodName
	switch name {
	case "noise":
		fmt.Fprintln(stderr, "cannot reach\nthe service")
		os.Exit(7)
	case "flood":
		for {
			if _, err := stdout.Write(make([]byte, 1<<16)); err != nil {
				os.Exit(0)
			}
		}
	case "shout":
		stderr.Write(bytes.Repeat([]byte("no "), 1<<16))
		os.Exit(0)
	case "garbage":
		fmt.Fprint(stdout, "\x7fELF{}\x00")
		os.Exit(0)
	case "killed":
		json.NewEncoder(stdout).Encode(common.PluginResp{PublicKey: &common.PublicKeyResp{}})
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	case "hang":
		hang(file, stdout)
	case "child":
		startChild(nil, stdout, "3")
	case "seven":
		return 7
	case "denied":
		answer(common.PluginResp{ErrorMessage: "access\ndenied\nhint: ask\nsomebody"})
	case "nothing":
		answer(common.PluginResp{})
	case "wrong":
		if isSigning {
			answer(common.PluginResp{SignMessage: &common.SignMessageResp{Signature: []byte("wrong")}})
		}
	case "locks":
		if isSigning {
			appendTo(file+".tries", "x")
			answer(common.PluginResp{ErrorMessage: "the PIN is wrong"})
		}
	}
	return 0
}

// hang never ends, nor does a child, which has the pipe for the answer too. Both hold the
// named pipe open for writing, into which comes a line as soon as there are two.
func hang(pipe string, stdout io.Writer) {
	w, err := os.OpenFile(pipe, os.O_WRONLY, 0)
	if err != nil {
		os.Exit(1)
	}
	child := startChild(w, stdout, "600")
	fmt.Fprintln(w, "hanging")
	child.Wait()
}

func startChild(w *os.File, stdout io.Writer, seconds string) *exec.Cmd {
	child := exec.Command("sleep", seconds)
	child.Stdout = stdout
	if w != nil {
		child.ExtraFiles = []*os.File{w}
	}
	if child.Start() != nil {
		os.Exit(1)
	}
	return child
}

func appendTo(file, text string) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		os.Exit(1)
	}
	fmt.Fprint(f, text)
	f.Close()
}
