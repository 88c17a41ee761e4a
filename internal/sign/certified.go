package sign

import (
	"context"
	"errors"
	"fmt"

	"github.com/hardpan/hardpan/internal/store"
)

// Certified signs without a key that is kept: with one made for the call, which an
// authority certifies for an identity.
type Certified interface {
	// Sign puts each in-toto statement into a sigstore bundle of its own.
	Sign(ctx context.Context, statements [][]byte) ([][]byte, error)
	// String says who signs.
	String() string
}

// NewCertifiedSigner returns a signer that has no key. It makes bundles only.
func NewCertifiedSigner(c Certified) *Signer { return &Signer{certified: c} }

// A Judge decides who may have signed a bundle without a key.
type Judge interface {
	// Judge returns a verdict on each bundle. An error is that there are no verdicts.
	Judge(ctx context.Context, bundles [][]byte) ([]Verdict, error)
	// String says whom it trusts.
	String() string
}

// A Verdict is what a [Judge] says of a bundle.
type Verdict struct {
	Statement []byte // what the bundle signs; nil with Err
	Signer    string // who signed, and when, in words
	Err       error  // wraps one of the errors of this package
}

// NewIdentityVerifier returns a verifier that believes what j does. It reads bundles
// only: signatures by cosign's tags are verified with keys.
func NewIdentityVerifier(j Judge) *Verifier { return &Verifier{judge: j, id: j.String()} }

var errNoKey = fmt.Errorf("%w: it is not in a bundle, and without a key only bundles are verified", ErrOtherKey)

// judged returns v with verdicts on all bundles.
func (v *Verifier) judged(ctx context.Context, found map[store.Digest][]foundBundle) (*Verifier, error) {
	if v.judge == nil {
		return v, nil
	}
	seen := map[store.Digest]bool{}
	var contents [][]byte
	for _, list := range found {
		for _, b := range list {
			if d := store.DigestOf(b.content); b.damage == nil && !seen[d] {
				seen[d] = true
				contents = append(contents, b.content)
			}
		}
	}
	with := &Verifier{judge: v.judge, id: v.id, verdicts: map[store.Digest]Verdict{}}
	if len(contents) == 0 {
		return with, nil
	}
	verdicts, err := v.judge.Judge(ctx, contents)
	if err == nil && len(verdicts) != len(contents) {
		err = errors.New("not every bundle has a verdict")
	}
	if err != nil {
		return nil, err
	}
	for i, verdict := range verdicts {
		if verdict.Err == nil && verdict.Statement == nil {
			verdict.Err = fmt.Errorf("%w: the verdict has no statement", ErrUntrusted)
		}
		with.verdicts[store.DigestOf(contents[i])] = verdict
	}
	return with, nil
}
