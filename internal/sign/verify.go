package sign

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"runtime"
	"slices"

	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/store"
	"golang.org/x/sync/errgroup"
)

// A Report answers whether an image is what a key says it is.
type Report struct {
	Image     store.Digest `json:"image"`
	Key       string       `json:"key,omitempty"`      // as [Verifier.ID] has it
	Identity  string       `json:"identity,omitempty"` // whom the verifier trusts, where that is no key
	Questions []Question   `json:"questions"`
}

// A Question is one row of a report.
type Question struct {
	Subject Subject `json:"subject"`
	Kind    string  `json:"question"`       // "signature", "attestation" or "content"
	Type    string  `json:"type,omitempty"` // of an attestation's predicate
	OK      bool    `json:"ok"`
	Answer  string  `json:"answer"` // in words; the reason where OK is false
	// Unanswered says that the image has nothing that would answer the question.
	Unanswered bool `json:"unanswered,omitempty"`

	// Err is nil or wraps one of the errors of this package.
	Err error `json:"-"`
	// Predicate is that of an attestation where OK is true.
	Predicate []byte `json:"-"`
}

// Refused returns the questions whose answer is no.
func (r *Report) Refused() []Question {
	return slices.DeleteFunc(slices.Clone(r.Questions), func(q Question) bool { return q.OK })
}

// Signed reports whether the question for the signature of a subject is answered with yes.
func (r *Report) Signed(s Subject) bool {
	return slices.ContainsFunc(r.Questions, func(q Question) bool {
		return q.Kind == askSignature && q.Subject.Digest == s.Digest && q.OK
	})
}

func (r *Report) yes(s Subject, kind, predicateType string, answer string) *Question {
	r.Questions = append(r.Questions, Question{Subject: s, Kind: kind, Type: predicateType, OK: true, Answer: answer})
	return &r.Questions[len(r.Questions)-1]
}

func (r *Report) no(s Subject, kind, predicateType string, err error) {
	r.Questions = append(r.Questions, Question{Subject: s, Kind: kind, Type: predicateType, Answer: err.Error(), Err: err})
}

// The kinds of questions.
const (
	askSignature   = "signature"
	askAttestation = "attestation"
	askContent     = "content"
)

// Verify reads the signatures and attestations of an image and of each of its
// platforms' images, where it is, and their layers, and says whether they are the
// key's, or the identity's, and about this image. An error is that something could not be read, and
// then nothing is verified; all else is an answer in the report, those that are not
// a clear yes with OK false.
//
// A platform's image that this key did not sign is the signed index's. Other
// keys may have signed too. An attestation of another key, of a type of which this
// key has none, is not taken where the signatures name attestations of that subject
// and none of that type, and refused elsewhere.
//
// Of the signatures of one subject those count in whose place no other stands. All that
// they name has to be there, and of a type that they name nothing else is taken.
func Verify(ctx context.Context, src *oci.Source, v *Verifier) (*Report, error) {
	r := &Report{Image: src.Digest}
	if r.Key = v.id; v.judge != nil {
		r.Key, r.Identity = "", v.id
	}
	all, err := find(ctx, src)
	if err != nil {
		return nil, err
	}
	if v, err = v.judged(ctx, all); err != nil {
		return nil, err
	}
	indexSigned, promised := false, promise{}
	for _, s := range Subjects(src) {
		signed := r.signature(v, s, all[s.Digest], indexSigned, promised)
		if s.Name == IndexName {
			indexSigned = signed
		}
		r.attestations(v, s, all[s.Digest], promised[s.Digest])
	}
	if err := r.content(ctx, src); err != nil {
		return nil, err
	}
	return r, nil
}

// signature asks whether subject is signed, and adds the attestations that the
// signatures speak of to promised.
func (r *Report) signature(v *Verifier, s Subject, f found, indexSigned bool, promised promise) (signed bool) {
	if f.signatures.damage != nil {
		r.no(s, askSignature, "", fmt.Errorf("%w: %w", ErrDamaged, f.signatures.damage))
		return false
	}
	refusal := fmt.Errorf("%w: nothing is signed for %s", ErrNoSignature, s.Digest)
	by := ""
	var said []*signature
	add := func(d oci.Document, one *signature, err error) {
		if err != nil {
			refusal = graver(refusal, err)
			return
		}
		said = append(said, one)
		if v.judge != nil {
			by = v.verdict(d).Signer
		}
	}
	for _, d := range f.signatures.list {
		one, err := v.checkSignature(d, s.Digest)
		add(d, one, err)
	}
	for _, b := range f.bundles {
		if b.predicateType != SignatureType {
			continue // an attestation signs nothing
		}
		st, err := v.checkBundle(b, s.Digest)
		add(bundleDocument(b.content), st.signature, err)
	}
	reference, err := stand(said, promised)
	if err != nil {
		r.no(s, askSignature, "", err)
		return false
	}
	signed = len(said) > 0
	switch {
	case signed && by != "":
		r.yes(s, askSignature, "", fmt.Sprintf("signed by %.400s", by))
	case signed && reference != "":
		r.yes(s, askSignature, "", fmt.Sprintf("signed as %.200q", reference))
	case signed:
		r.yes(s, askSignature, "", "signed")
	case indexSigned && (errors.Is(refusal, ErrNoSignature) || errors.Is(refusal, ErrOtherKey) || errors.Is(refusal, ErrIdentity)):
		r.yes(s, askSignature, "", "none of its own; the signed index lists it")
	default:
		r.no(s, askSignature, "", refusal)
	}
	return signed
}

// graver returns the error that says more about what happened.
func graver(a, b error) error {
	for _, grave := range []error{ErrReplayed, ErrTampered, ErrDamaged, ErrUntrusted, ErrIdentity, ErrOtherKey} {
		if errors.Is(a, grave) {
			return a
		}
		if errors.Is(b, grave) {
			return b
		}
	}
	return a
}

// content asks whether the layers are what the manifests say. Manifests and configs
// were checked when the image was opened.
func (r *Report) content(ctx context.Context, src *oci.Source) error {
	if src.Index != nil && src.Index.Unread > 0 {
		q := r.yes(Subjects(src)[0], askContent, "", fmt.Sprintf("%d of the manifests that it lists are no images by its word, or for no platform, and nothing was asked of them", src.Index.Unread))
		q.Unanswered = true
	}
	var layers []oci.Layer // each once
	at := map[store.Digest]int{}
	for _, img := range src.Images {
		for _, l := range img.Layers {
			if _, ok := at[l.Digest]; !ok {
				at[l.Digest] = len(layers)
				layers = append(layers, l)
			}
		}
	}
	damaged := make([]error, len(layers))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, l := range layers {
		group.Go(func() error {
			err := ctx.Err()
			if err == nil {
				err = readThrough(l)
			}
			if isDamage(err) {
				damaged[i], err = err, nil
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, img := range src.Images {
		s := Subject{Name: img.Platform.String(), Digest: img.Digest, Platform: img.Platform}
		var damage error
		for _, l := range img.Layers {
			if err := damaged[at[l.Digest]]; err != nil && damage == nil {
				damage = fmt.Errorf("%w: %w", ErrContent, err)
			}
		}
		if damage != nil {
			r.no(s, askContent, "", damage)
		} else {
			r.yes(s, askContent, "", fmt.Sprintf("%d layers and the config have their digests", len(img.Layers)))
		}
	}
	return nil
}

func readThrough(l oci.Layer) error {
	b, err := l.Open()
	if err != nil {
		return err
	}
	defer b.Close()
	_, err = io.Copy(io.Discard, b)
	return err
}

// isDamage reports whether err is about what was read and not about the reading.
func isDamage(err error) bool {
	for _, is := range []error{oci.ErrInvalid, oci.ErrMismatch, oci.ErrTooLarge, fs.ErrNotExist} {
		if errors.Is(err, is) {
			return true
		}
	}
	return false
}
