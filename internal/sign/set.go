package sign

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/store"
	"golang.org/x/sync/errgroup"
)

// A Subject is a manifest or index that is signed.
type Subject struct {
	Name     string       `json:"name"` // "index" or the platform
	Digest   store.Digest `json:"digest"`
	Platform oci.Platform `json:"-"` // zero for the index
}

// IndexName is the name of the subject that is an index.
const IndexName = "index"

// Subjects returns what is signed of an image: the index, where there is one, and
// each platform's image.
func Subjects(src *oci.Source) []Subject {
	var list []Subject
	if src.Index != nil {
		list = append(list, Subject{Name: IndexName, Digest: src.Index.Digest})
	}
	for _, img := range src.Images {
		list = append(list, Subject{Name: img.Platform.String(), Digest: img.Digest, Platform: img.Platform})
	}
	return list
}

// A Set is what a key is about to say of one image.
type Set struct {
	src       *oci.Source
	signer    *Signer
	reference string
	attest    []attestation
	asBundles bool
}

type attestation struct {
	subject       string // "" is each
	predicateType string
	predicate     []byte // without white space
}

// NewSet begins the set of src. reference is the name that the image goes by, such
// as "registry.example.com/base/python"; it may be empty.
func NewSet(src *oci.Source, signer *Signer, reference string) *Set {
	return &Set{src: src, signer: signer, reference: reference}
}

// AsBundles makes the artifacts sigstore bundles that refer to their subjects, and not
// cosign's tags. Identities sign in no other way.
func (s *Set) AsBundles() { s.asBundles = true }

// Attest adds an attestation about the subject with that name, or about each where
// it is "". The type is a URI, the predicate JSON.
func (s *Set) Attest(subject, predicateType string, predicate []byte) error {
	if subject != "" && !slices.ContainsFunc(Subjects(s.src), func(x Subject) bool { return x.Name == subject }) {
		return fmt.Errorf("cannot attest %s: the image has no %s", predicateType, subject)
	}
	var compact bytes.Buffer
	compact.Grow(len(predicate))
	if json.Compact(&compact, predicate) != nil {
		return fmt.Errorf("cannot attest %s: the predicate is not JSON", predicateType)
	}
	s.attest = append(s.attest, attestation{subject, predicateType, compact.Bytes()})
	return nil
}

// Artifacts makes the signatures and attestations, in the order in which they are
// to be written: a signature after what it speaks of, the index's last.
//
// What the image has already stays, except for what this key signed: its signatures
// are replaced, and its attestations of a type that the set has too. As long as the
// signatures are the old ones, the attestations that they name stay too, and so an
// artifact may be there twice, of which the last is to stay. Of bundles nothing is
// replaced, but the new signature says in whose place it stands.
//
// Each signature names the attestations that belong to the image. An error that wraps
// [ErrStripped] is that the image lacks one that a signature of this key names.
func (s *Set) Artifacts(ctx context.Context) ([]*oci.Artifact, error) {
	subjects := Subjects(s.src)
	slices.Reverse(subjects) // the index is the first
	if s.asBundles || s.signer.certified != nil {
		return s.bundleArtifacts(ctx, subjects)
	}
	before, others, err := s.taggedBefore(ctx, subjects)
	if err != nil {
		return nil, err
	}
	var list, last []*oci.Artifact
	all := promise{}
	for _, subject := range subjects {
		meanwhile, after, err := s.attestations(ctx, subject, before, all)
		if err != nil {
			return nil, err
		}
		list, last = append(list, meanwhile...), append(last, after...)
	}
	for _, subject := range subjects {
		own, err := s.signer.signPayload(subject.Digest, s.reference, all.of(subject))
		if err != nil {
			return nil, err
		}
		sig, err := oci.NewArtifact(subject.Digest, oci.Signatures, append(others[subject.Digest], own))
		if err != nil {
			return nil, err
		}
		list = append(list, sig)
	}
	return append(list, last...), nil
}

// taggedBefore returns what the key has said under cosign's tags, without attestations,
// and the signatures of others.
func (s *Set) taggedBefore(ctx context.Context, subjects []Subject) (before *history, others map[store.Digest][]oci.Document, err error) {
	before, others = newHistory(true), map[store.Digest][]oci.Document{}
	for _, subject := range subjects {
		documents, err := existing(ctx, s.src, subject.Digest, oci.Signatures)
		if err != nil {
			return nil, nil, err
		}
		for _, d := range documents {
			switch said, err := s.signer.verifier.checkSignature(d, subject.Digest); {
			case err == nil:
				before.signed(subject, said)
			case !errors.Is(err, ErrReplayed):
				others[subject.Digest] = append(others[subject.Digest], d)
			}
		}
	}
	return before.end(), others, nil
}

// about returns the attestations to make about subject.
func (s *Set) about(subject Subject) (list []attestation) {
	for _, a := range s.attest {
		if a.subject == "" || a.subject == subject.Name {
			list = append(list, a)
		}
	}
	return list
}

// attestations names the attestations about subject in all and makes the artifact with
// them, if there is one to add. Where those that it replaces are named by a signature
// from before, they are in meanwhile, which is to stay until that is replaced, and
// not in after.
func (s *Set) attestations(ctx context.Context, subject Subject, before *history, all promise) (meanwhile, after []*oci.Artifact, err error) {
	documents, err := existing(ctx, s.src, subject.Digest, oci.Attestations)
	if err != nil {
		return nil, nil, err
	}
	own, err := s.make(subject, all)
	if err != nil {
		return nil, nil, err
	}
	made, added := maps.Clone(all[subject.Digest]), len(own) > 0
	var others, named []oci.Document
	for _, d := range documents {
		st, err := s.signer.verifier.checkAttestation(d, subject.Digest)
		switch {
		case errors.Is(err, ErrSubject): // the key's, put here by somebody: it says nothing of this image
		case err != nil:
			others = append(others, d)
		case made[st.PredicateType] == nil:
			own = append(own, d)
			before.attested[subject.Digest] = append(before.attested[subject.Digest], st)
		case slices.Contains(before.named[subject.Digest][st.PredicateType], st.digest) && !slices.Contains(made[st.PredicateType], st.digest):
			named = append(named, d)
		}
	}
	if err := all.carry(subject, before); err != nil || !added {
		return nil, nil, err
	}
	slices.SortStableFunc(own, func(a, b oci.Document) int {
		return strings.Compare(a.Annotations[annotationPredicate], b.Annotations[annotationPredicate])
	})
	artifact := func(documents ...oci.Document) (list []*oci.Artifact) {
		if err == nil {
			list = make([]*oci.Artifact, 1)
			list[0], err = oci.NewArtifact(subject.Digest, oci.Attestations, slices.Concat(others, own, documents))
		}
		return list
	}
	if meanwhile = artifact(named...); len(named) > 0 {
		after = artifact()
	}
	return meanwhile, after, err
}

// make makes the attestations about subject, side by side, for documents have
// megabytes, and names them in all.
func (s *Set) make(subject Subject, all promise) ([]oci.Document, error) {
	about := s.about(subject)
	made, statements := make([]oci.Document, len(about)), make([]store.Digest, len(about))
	var making errgroup.Group
	making.SetLimit(runtime.GOMAXPROCS(0))
	for i, a := range about {
		making.Go(func() (err error) {
			made[i], statements[i], err = s.signer.newAttestation(subject.Digest, s.reference, a.predicateType, a.predicate)
			return err
		})
	}
	if err := making.Wait(); err != nil {
		return nil, err
	}
	for i, a := range about {
		all.add(subject.Digest, a.predicateType, statements[i])
	}
	return made, nil
}

// existing returns the documents of that kind that the image has, each once.
func existing(ctx context.Context, src *oci.Source, subject store.Digest, kind oci.ArtifactKind) ([]oci.Document, error) {
	artifacts, err := src.Artifacts(ctx, subject, kind)
	if err != nil {
		return nil, err
	}
	var list []oci.Document
	for _, a := range artifacts {
		for _, d := range a.Documents {
			same := func(e oci.Document) bool {
				return string(e.Content) == string(d.Content) && maps.Equal(e.Annotations, d.Annotations)
			}
			if !slices.ContainsFunc(list, same) {
				list = append(list, d)
			}
		}
	}
	return list, nil
}
