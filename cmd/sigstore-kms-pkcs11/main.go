// Command sigstore-kms-pkcs11 is a plugin of sigstore (sigstore/sigstore,
// pkg/signature/kms/cliplugin, protocol v1) for keys in PKCS #11 tokens: smart cards, HSMs,
// SoftHSM. hardpan and cosign start it; docs/signing.md says how keys are named.
//
// It promises that the PIN is in no argument, message or core file, and is tried once; and
// that where a reference fits two tokens or keys, none is used. RSA signatures are those of
// PKCS #1 v1.5, for which sigstore takes RSA keys: the protocol has no word for a padding.
//
// It is a module of its own since a PKCS #11 module is a C library, and hardpan is built
// without C.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"github.com/sigstore/sigstore/pkg/signature/kms/cliplugin/common"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "sigstore-kms-pkcs11 is started by hardpan and cosign, for --key pkcs11://...: see docs/signing.md")
		os.Exit(2)
	}
	answer, err := serve(os.Args[1], os.Args[2], os.Stdin)
	if err != nil {
		answer = &common.PluginResp{ErrorMessage: err.Error()}
		if h, ok := errors.AsType[*hinted](err); ok {
			answer.ErrorMessage += "\nhint: " + h.hint
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(answer); err != nil || answer.ErrorMessage != "" {
		os.Exit(1)
	}
}

// serve answers one call of the protocol, whose message comes from stdin.
func serve(version, arguments string, stdin io.Reader) (*common.PluginResp, error) {
	var args common.PluginArgs
	if version != common.ProtocolVersion {
		return nil, fmt.Errorf("protocol %.20q, expected %q", version, common.ProtocolVersion)
	}
	if err := json.Unmarshal([]byte(arguments), &args); err != nil {
		return nil, fmt.Errorf("cannot read the arguments of the protocol: %w", err)
	}
	if args.InitOptions == nil || args.MethodArgs == nil {
		return nil, errors.New("the arguments of the protocol name no key or no method")
	}
	switch args.MethodName {
	case common.DefaultAlgorithmMethodName:
		return &common.PluginResp{DefaultAlgorithm: &common.DefaultAlgorithmResp{DefaultAlgorithm: algorithms[0].name}}, nil
	case common.SupportedAlgorithmsMethodName:
		return &common.PluginResp{SupportedAlgorithms: &common.SupportedAlgorithmsResp{SupportedAlgorithms: algorithmNames()}}, nil
	}
	if err := refuseCoreFiles(); err != nil {
		return nil, err
	}
	r, err := parseReference(args.InitOptions.KeyResourceID)
	if err != nil {
		return nil, fmt.Errorf("key reference: %w", err)
	}
	return use(r, &args, stdin)
}

// use answers a call that takes the token.
func use(r *reference, args *common.PluginArgs, stdin io.Reader) (*common.PluginResp, error) {
	t, err := openToken(r, os.Getenv)
	if err != nil {
		return nil, err
	}
	defer t.close()
	switch args.MethodName {
	case common.PublicKeyMethodName:
		text, err := publicPEM(t.publicKey())
		return &common.PluginResp{PublicKey: &common.PublicKeyResp{PublicKeyPEM: text}}, err
	case common.CreateKeyMethodName:
		if args.CreateKey == nil {
			break
		}
		text, err := publicPEM(t.create(args.CreateKey.Algorithm))
		return &common.PluginResp{CreateKey: &common.CreateKeyResp{PublicKeyPEM: text}}, err
	case common.SignMessageMethodName:
		var options common.MessageOptions
		if args.SignMessage != nil && args.SignMessage.SignOptions != nil {
			options = args.SignMessage.SignOptions.MessageOptions
		}
		signature, err := t.sign(input{stdin, args.InitOptions.HashFunc, options})
		return &common.PluginResp{SignMessage: &common.SignMessageResp{Signature: signature}}, err
	case common.VerifySignatureMethodName:
		if args.VerifySignature == nil {
			break
		}
		var options common.MessageOptions
		if args.VerifySignature.VerifyOptions != nil {
			options = args.VerifySignature.VerifyOptions.MessageOptions
		}
		public, err := t.publicKey()
		if err == nil {
			err = verify(public, args.VerifySignature.Signature, input{stdin, args.InitOptions.HashFunc, options})
		}
		return &common.PluginResp{VerifySignature: &common.VerifySignatureResp{}}, err
	}
	return nil, fmt.Errorf("method %.40q is not of the protocol %s, or has no arguments", args.MethodName, common.ProtocolVersion)
}

// refuseCoreFiles keeps the PIN, and what a module in software knows, out of core files. A
// limit of one byte is heeded where cores go to a program, too (Linux, fs/coredump.c).
func refuseCoreFiles() error {
	var limit syscall.Rlimit
	err := syscall.Getrlimit(syscall.RLIMIT_CORE, &limit)
	if err == nil {
		limit.Cur, limit.Max = min(1, limit.Max), min(1, limit.Max)
		err = syscall.Setrlimit(syscall.RLIMIT_CORE, &limit)
	}
	if err != nil {
		return fmt.Errorf("cannot refuse core files: %w", err)
	}
	return nil
}

// hinted is an error that knows what to do next.
type hinted struct {
	error
	hint string
}

func (e *hinted) Unwrap() error { return e.error }
