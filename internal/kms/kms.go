package kms

import (
	"bytes"
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"

	"github.com/sigstore/sigstore/pkg/signature/kms/cliplugin/common"

	"github.com/hardpan/hardpan/internal/sign"
)

const (
	prefix = "sigstore-kms-"

	maxNoise = 500 // bytes of a program's standard error that an error has
)

// ErrNoProgram is wrapped by the error about a reference that no program is for.
var ErrNoProgram = errors.New("no program for this kind of key")

var form = regexp.MustCompile(`^([a-z0-9][a-z0-9.+-]*)://(.*)$`)

// IsReference reports whether a key is named by a reference, such as awskms://..., and
// not by a file.
func IsReference(key string) bool { return form.MatchString(key) }

// A key is one that a program has.
type key struct {
	program, name, resource string
}

// find returns the key of a reference. The error about a program that is not there wraps
// [ErrNoProgram].
func find(reference string) (*key, error) {
	parts := form.FindStringSubmatch(reference)
	if parts == nil {
		return nil, fmt.Errorf("key %.200q: expected a reference NAME://KEY", reference)
	}
	k := &key{name: prefix + parts[1], resource: parts[2]}
	var err error
	if k.program, err = exec.LookPath(k.name); err != nil {
		return nil, &hinted{fmt.Errorf("key %.200s: %w: %s is not in PATH", reference, ErrNoProgram, k.name),
			"such programs are plugins of sigstore, which cosign uses too"}
	}
	return k, nil
}

// Check reports a reference that no program is for, with an error that wraps
// [ErrNoProgram], and asks no program.
func Check(reference string) error {
	_, err := find(reference)
	return err
}

// Signer returns the signer of the key that a reference names. ctx ends its signing, too.
func Signer(ctx context.Context, reference string) (*sign.Signer, error) {
	k, err := find(reference)
	if err != nil {
		return nil, err
	}
	public, err := k.public(ctx)
	if err != nil {
		return nil, err
	}
	return sign.NewSigner(public, func(message []byte) ([]byte, error) {
		answer, err := k.call(ctx, message, &common.MethodArgs{
			MethodName: common.SignMessageMethodName, SignMessage: &common.SignMessageArgs{SignOptions: &common.SignOptions{}},
		})
		if err != nil {
			return nil, err
		}
		if answer.SignMessage == nil || len(answer.SignMessage.Signature) == 0 {
			return nil, fmt.Errorf("%s returned no signature", k.name)
		}
		return answer.SignMessage.Signature, nil
	}), nil
}

// Verifier returns the public key that a reference names.
func Verifier(ctx context.Context, reference string) (*sign.Verifier, error) {
	k, err := find(reference)
	if err != nil {
		return nil, err
	}
	return k.public(ctx)
}

func (k *key) public(ctx context.Context) (*sign.Verifier, error) {
	answer, err := k.call(ctx, nil, &common.MethodArgs{
		MethodName: common.PublicKeyMethodName, PublicKey: &common.PublicKeyArgs{PublicKeyOptions: &common.PublicKeyOptions{}},
	})
	if err != nil {
		return nil, err
	}
	if answer.PublicKey == nil {
		return nil, fmt.Errorf("%s returned no public key", k.name)
	}
	v, err := sign.LoadVerifier(answer.PublicKey.PublicKeyPEM)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", k.name, err)
	}
	return v, nil
}

// call runs the program: the message on its standard input, all else in an argument. Its
// exit code says nothing, by the protocol.
func (k *key) call(ctx context.Context, message []byte, method *common.MethodArgs) (*common.PluginResp, error) {
	init := &common.InitOptions{ProtocolVersion: common.ProtocolVersion, KeyResourceID: k.resource, HashFunc: crypto.SHA256, RPCOptions: &common.RPCOptions{}}
	if deadline, ok := ctx.Deadline(); ok {
		init.CtxDeadline = &deadline
	}
	args, err := json.Marshal(&common.PluginArgs{InitOptions: init, MethodArgs: method})
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, k.program, common.ProtocolVersion, string(args))
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "HARDPAN_PASSWORD=") })
	cmd.Stdin = bytes.NewReader(message)
	var noise bytes.Buffer
	cmd.Stderr = &noise
	out, err := cmd.Output()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	var answer common.PluginResp
	if broken := json.Unmarshal(out, &answer); broken != nil {
		if _, exited := errors.AsType[*exec.ExitError](err); err == nil || exited {
			err = fmt.Errorf("its answer is not JSON of the protocol %s", common.ProtocolVersion)
		}
		return nil, fmt.Errorf("%s: %w; it says %.*q", k.name, err, maxNoise, strings.TrimSpace(noise.String()))
	}
	if answer.ErrorMessage != "" {
		return nil, fmt.Errorf("%s: %s", k.name, strings.Join(strings.Fields(answer.ErrorMessage), " "))
	}
	return &answer, nil
}

// hinted is an error that knows what to do next.
type hinted struct {
	error
	hint string
}

func (e *hinted) Unwrap() error { return e.error }

// Hint says what to do about the error.
func (e *hinted) Hint() string { return e.hint }
