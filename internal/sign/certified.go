package sign

import (
	"context"
	"errors"
	"fmt"

	"github.com/hardpan/hardpan/internal/oci"
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

// A Judge decides who may have signed without a key that is kept.
type Judge interface {
	// Judge returns a verdict on each document: sigstore bundles, and layers of the media
	// types that cosign's tags have, with their annotations. An error is that there are no
	// verdicts.
	Judge(ctx context.Context, documents []oci.Document) ([]Verdict, error)
	// String says whom it trusts.
	String() string
}

// A Verdict is what a [Judge] says of a document.
type Verdict struct {
	Signed []byte // what is signed: a statement, or the payload of a signature; nil with Err
	Signer string // who signed, and when, in words
	Err    error  // wraps one of the errors of this package
}

// NewIdentityVerifier returns a verifier that believes what j does.
func NewIdentityVerifier(j Judge) *Verifier { return &Verifier{judge: j, id: j.String()} }

// judged returns v with verdicts on all that was found.
func (v *Verifier) judged(ctx context.Context, all map[store.Digest]found) (*Verifier, error) {
	if v.judge == nil {
		return v, nil
	}
	with := &Verifier{judge: v.judge, id: v.id, verdicts: map[store.Digest]Verdict{}}
	var documents []oci.Document
	for _, f := range all {
		for _, d := range f.documents() {
			if id := documentID(d); !with.isJudged(id) {
				with.verdicts[id] = Verdict{}
				documents = append(documents, d)
			}
		}
	}
	if len(documents) == 0 {
		return with, nil
	}
	verdicts, err := v.judge.Judge(ctx, documents)
	if err == nil && len(verdicts) != len(documents) {
		err = errors.New("not every document has a verdict")
	}
	if err != nil {
		return nil, err
	}
	for i, verdict := range verdicts {
		if verdict.Err == nil && verdict.Signed == nil {
			verdict.Err = fmt.Errorf("%w: the verdict does not say what is signed", ErrUntrusted)
		}
		with.verdicts[documentID(documents[i])] = verdict
	}
	return with, nil
}

func (v *Verifier) isJudged(id store.Digest) bool {
	_, ok := v.verdicts[id]
	return ok
}

// errKeyed is about a layer that there is no need to judge.
var errKeyed = fmt.Errorf("%w: it is signed with a key, and no certificate says whose that is", ErrIdentity)

// verdict returns that on a document.
func (v *Verifier) verdict(d oci.Document) Verdict {
	if verdict, ok := v.verdicts[documentID(d)]; ok {
		return verdict
	}
	if d.MediaType != mediaBundle && !isCertified(d) {
		return Verdict{Err: errKeyed}
	}
	return Verdict{Err: fmt.Errorf("%w: it was not judged", ErrUntrusted)}
}

// documentID tells documents apart by all that a judge looks at.
func documentID(d oci.Document) store.Digest {
	text, err := encode([]any{d.MediaType, d.Annotations, store.DigestOf(d.Content)})
	if err != nil {
		panic(err) // strings
	}
	return store.DigestOf(text)
}
