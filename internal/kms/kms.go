package kms

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/sigstore/sigstore/pkg/signature/kms/cliplugin/common"

	"github.com/hardpan/hardpan/internal/sign"
)

const prefix = "sigstore-kms-"

// ErrNoProgram is wrapped by the error about a reference that no program is for.
var ErrNoProgram = errors.New("no program for this kind of key")

var form = regexp.MustCompile(`^([a-z0-9][a-z0-9.+-]*)://(.*)$`)

// IsReference reports whether a key is named by a reference, such as awskms://..., and
// not by a file.
func IsReference(key string) bool { return form.MatchString(key) }

// A key is one that a program has.
type key struct {
	program, name, resource string
	patience                time.Duration // for one answer
}

// find returns the key of a reference. The error about a program that is not there wraps
// [ErrNoProgram].
func find(reference string) (*key, error) {
	parts := form.FindStringSubmatch(reference)
	if parts == nil {
		return nil, fmt.Errorf("key %.200q: expected a reference NAME://KEY", reference)
	}
	k := &key{name: prefix + parts[1], resource: parts[2], patience: patience}
	var err error
	if k.program, err = lookup(k.name); err != nil {
		shown, _, _ := strings.Cut(reference, "?") // in a query somebody may have put a PIN
		hint := "such programs are plugins of sigstore, which cosign uses too"
		if parts[1] == "pkcs11" || parts[1] == "p11" {
			hint = "hardpan's make pkcs11 builds it, which takes a C compiler"
		}
		return nil, &hinted{fmt.Errorf("key %.200s: %w: %s is neither in PATH nor beside hardpan", shown, ErrNoProgram, k.name), hint}
	}
	return k, nil
}

// lookup returns the path of a program: in PATH, where cosign looks, or beside this one.
func lookup(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err == nil {
		return path, nil
	}
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	return exec.LookPath(filepath.Join(filepath.Dir(self), name))
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
	var t turns
	return sign.NewSigner(public, func(message []byte) ([]byte, error) {
		return t.take(func() ([]byte, error) { return k.sign(ctx, message) })
	}), nil
}

// turns has a key asked for one signature at a time, and no more once it refused: several
// documents are signed side by side, but a wrong PIN is to be tried once, since tokens lock
// themselves after a few, and SoftHSM reads amiss what another process is writing.
type turns struct {
	mu     sync.Mutex
	failed error
}

func (t *turns) take(sign func() ([]byte, error)) (signature []byte, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.failed == nil {
		signature, t.failed = sign()
	}
	return signature, t.failed
}

// Verifier returns the public key that a reference names.
func Verifier(ctx context.Context, reference string) (*sign.Verifier, error) {
	k, err := find(reference)
	if err != nil {
		return nil, err
	}
	return k.public(ctx)
}

// Generate makes a key under the name of a reference, where there is none, and returns its
// public half. The algorithm is one of the program's names, or "" for its default.
func Generate(ctx context.Context, reference, algorithm string) (*sign.Verifier, error) {
	k, err := find(reference)
	if err != nil {
		return nil, err
	}
	if algorithm == "" {
		answer, err := k.call(ctx, nil, &common.MethodArgs{MethodName: common.DefaultAlgorithmMethodName, DefaultAlgorithm: &common.DefaultAlgorithmArgs{}})
		if err != nil {
			return nil, err
		}
		if answer.DefaultAlgorithm == nil {
			return nil, fmt.Errorf("%s returned no algorithm", k.name)
		}
		algorithm = answer.DefaultAlgorithm.DefaultAlgorithm
	}
	answer, err := k.call(ctx, nil, &common.MethodArgs{MethodName: common.CreateKeyMethodName, CreateKey: &common.CreateKeyArgs{Algorithm: algorithm}})
	if err != nil {
		return nil, err
	}
	if answer.CreateKey == nil {
		return nil, fmt.Errorf("%s returned no public key", k.name)
	}
	return k.load(answer.CreateKey.PublicKeyPEM)
}

func (k *key) sign(ctx context.Context, message []byte) ([]byte, error) {
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
	return k.load(answer.PublicKey.PublicKeyPEM)
}

func (k *key) load(text []byte) (*sign.Verifier, error) {
	v, err := sign.LoadVerifier(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", k.name, err)
	}
	return v, nil
}

// hinted is an error that knows what to do next.
type hinted struct {
	error
	hint string
}

func (e *hinted) Unwrap() error { return e.error }

// Hint says what to do about the error.
func (e *hinted) Hint() string { return e.hint }
