package sign

import (
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
	predicate     []byte
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
	if !json.Valid(predicate) {
		return fmt.Errorf("cannot attest %s: the predicate is not JSON", predicateType)
	}
	s.attest = append(s.attest, attestation{subject, predicateType, predicate})
	return nil
}

// Artifacts makes the signatures and attestations, in the order in which they are
// to be written: a signature after what it speaks of, the index's last.
//
// What the image has already stays, except for what this key signed: its signatures
// are replaced, and its attestations of a type that the set has too. Of bundles nothing
// is replaced.
func (s *Set) Artifacts(ctx context.Context) ([]*oci.Artifact, error) {
	var list []*oci.Artifact
	subjects := Subjects(s.src)
	slices.Reverse(subjects) // the index is the first
	if s.asBundles || s.signer.certified != nil {
		return s.bundleArtifacts(ctx, subjects)
	}
	all := promise{}
	for _, subject := range subjects {
		att, types, err := s.attestations(ctx, subject)
		if err != nil {
			return nil, err
		}
		all.add(subject.Digest, types)
		list = append(list, att...)
	}
	for _, subject := range subjects {
		sig, err := s.signature(ctx, subject, all.of(subject))
		if err != nil {
			return nil, err
		}
		list = append(list, sig)
	}
	return list, nil
}

// signature makes the artifact with the signature of subject and others' signatures.
func (s *Set) signature(ctx context.Context, subject Subject, promised promise) (*oci.Artifact, error) {
	documents, err := existing(ctx, s.src, subject.Digest, oci.Signatures)
	if err != nil {
		return nil, err
	}
	documents = slices.DeleteFunc(documents, func(d oci.Document) bool {
		_, err := s.signer.verifier.checkSignature(d, subject.Digest)
		return err == nil || errors.Is(err, ErrReplayed)
	})
	own, err := s.signer.newSignature(subject.Digest, s.reference, promised)
	if err != nil {
		return nil, err
	}
	return oci.NewArtifact(subject.Digest, oci.Signatures, append(documents, own))
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

// attestations makes the artifact with the attestations about subject, if there is
// one to add, and returns the types of all those of this key.
func (s *Set) attestations(ctx context.Context, subject Subject) (list []*oci.Artifact, types []string, err error) {
	documents, err := existing(ctx, s.src, subject.Digest, oci.Attestations)
	if err != nil {
		return nil, nil, err
	}
	added := s.about(subject)
	var others, own []oci.Document
	for _, d := range documents {
		st, err := s.signer.verifier.checkAttestation(d, subject.Digest)
		switch {
		case err != nil:
			others = append(others, d)
		case !slices.ContainsFunc(added, func(a attestation) bool { return a.predicateType == st.PredicateType }):
			own = append(own, d)
			types = append(types, st.PredicateType)
		}
	}
	made := make([]oci.Document, len(added)) // side by side: documents have megabytes
	var making errgroup.Group
	making.SetLimit(runtime.GOMAXPROCS(0))
	for i, a := range added {
		types = append(types, a.predicateType)
		making.Go(func() (err error) {
			made[i], err = s.signer.newAttestation(subject.Digest, s.reference, a.predicateType, a.predicate)
			return err
		})
	}
	if err := making.Wait(); err != nil {
		return nil, nil, err
	}
	own = append(own, made...)
	if len(added) == 0 {
		return nil, types, nil
	}
	slices.SortStableFunc(own, func(a, b oci.Document) int {
		return strings.Compare(a.Annotations[annotationPredicate], b.Annotations[annotationPredicate])
	})
	a, err := oci.NewArtifact(subject.Digest, oci.Attestations, append(others, own...))
	if err != nil {
		return nil, nil, err
	}
	return []*oci.Artifact{a}, types, nil
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
