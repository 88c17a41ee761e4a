// Package kmstest is a program for keys that are elsewhere, for tests: the keys are in
// files.
package kmstest

import (
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
	"path/filepath"

	"github.com/sigstore/sigstore/pkg/signature/kms/cliplugin/common"
)

// Program is the name that the program must have in PATH. References begin with test://.
const Program = "sigstore-kms-test"

// Main is the program. It signs with the key in the PEM file that the reference names,
// which is PKCS #8, not encrypted. Some names of files make it misbehave. It gets the
// arguments and streams of the process and ends it.
func Main(arguments []string, stdin io.Reader, stdout, stderr io.Writer) {
	var args common.PluginArgs
	answer := func(r common.PluginResp) {
		json.NewEncoder(stdout).Encode(r)
		os.Exit(0)
	}
	if len(arguments) != 3 || arguments[1] != "v1" || json.Unmarshal([]byte(arguments[2]), &args) != nil || args.InitOptions.HashFunc != crypto.SHA256 {
		answer(common.PluginResp{ErrorMessage: fmt.Sprintf("not the protocol: %q", arguments)})
	}
	if os.Getenv("HARDPAN_PASSWORD") != "" {
		answer(common.PluginResp{ErrorMessage: "the password is in the environment"})
	}
	file := args.InitOptions.KeyResourceID
	switch filepath.Base(file) {
	case "noise":
		fmt.Fprintln(stderr, "cannot reach\nthe service")
		os.Exit(7)
	case "denied":
		answer(common.PluginResp{ErrorMessage: "access\ndenied"})
	case "nothing":
		answer(common.PluginResp{})
	case "wrong":
		if args.MethodName == common.SignMessageMethodName {
			answer(common.PluginResp{SignMessage: &common.SignMessageResp{Signature: []byte("wrong")}})
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		answer(common.PluginResp{ErrorMessage: err.Error()})
	}
	block, _ := pem.Decode(text)
	parsed, _ := x509.ParsePKCS8PrivateKey(block.Bytes)
	key := parsed.(crypto.Signer)
	switch args.MethodName {
	case common.PublicKeyMethodName:
		der, _ := x509.MarshalPKIXPublicKey(key.Public())
		answer(common.PluginResp{PublicKey: &common.PublicKeyResp{PublicKeyPEM: pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})}})
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
