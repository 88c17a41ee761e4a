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
		if parts[1] == "pkcs11" {
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
	var c caution
	return sign.NewSigner(public, func(message []byte) ([]byte, error) {
		return c.try(func() ([]byte, error) { return k.sign(ctx, message) })
	}), nil
}

// caution keeps a key from being asked again that refused to sign the first time: several
// documents are signed side by side, and a wrong PIN is to be tried once, since tokens
// lock themselves after a few.
type caution struct {
	first  sync.Mutex
	proven bool
	failed error
}

func (c *caution) try(sign func() ([]byte, error)) ([]byte, error) {
	c.first.Lock()
	if c.proven {
		c.first.Unlock()
		return sign()
	}
	defer c.first.Unlock()
	if c.failed != nil {
		return nil, c.failed
	}
	signature, err := sign()
	c.proven, c.failed = err == nil, err
	return signature, err
}

// Verifier returns the public key that a reference names.
func Verifier(ctx context.Context, reference string) (*sign.Verifier, error) {
	k, err := find(reference)
	if err != nil {
		return nil, err
	}
	return k.public(ctx)
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
	v, err := sign.LoadVerifier(answer.PublicKey.PublicKeyPEM)
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
