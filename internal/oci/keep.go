package oci

import (
	"fmt"
	"io"
	"io/fs"

	"github.com/hardpan/hardpan/internal/store"
)

// A KeptArtifact says where in a store the parts of an artifact are.
type KeptArtifact struct {
	Subject  store.Digest `json:"subject"`
	Kind     ArtifactKind `json:"kind"`
	Manifest store.Digest `json:"manifest"`
}

// Keep puts the artifact into the store.
func (a *Artifact) Keep(s *store.Store) (KeptArtifact, error) {
	for _, b := range a.blobs() {
		if err := keepBlob(s, b); err != nil {
			return KeptArtifact{}, fmt.Errorf("cannot keep %s: %w", a.name(), err)
		}
	}
	return KeptArtifact{Subject: a.Subject, Kind: a.Kind, Manifest: a.digest}, nil
}

func keepBlob(s *store.Store, b blob) error {
	if size, ok := s.Stat(b.digest); ok && size == b.size {
		return nil
	}
	r, err := b.open()
	if err != nil {
		return err
	}
	defer r.Close()
	w, err := s.Create()
	if err != nil {
		return err
	}
	defer w.Close()
	if _, err := io.Copy(w, r); err != nil {
		return err
	}
	_, err = w.Commit(b.digest)
	return err
}

// OpenKept returns an artifact that was kept, to be written out. Its documents stay in
// the store, and Documents is nil. An error for one that is no longer whole there wraps
// [fs.ErrNotExist] or [store.ErrCorrupt].
func OpenKept(s *store.Store, k KeptArtifact) (*Artifact, error) {
	a := &Artifact{Subject: k.Subject, Kind: k.Kind, digest: k.Manifest}
	fail := func(err error) (*Artifact, error) { return nil, fmt.Errorf("cannot read %s: %w", a.name(), err) }
	var err error
	if a.manifest, err = s.ReadFile(k.Manifest); err != nil {
		return fail(err)
	}
	doc, _, err := parseDocument(a.manifest, mediaManifest)
	if err == nil && doc == nil {
		err = fmt.Errorf("%w: expected a manifest, found an index", ErrInvalid)
	}
	if err != nil {
		return fail(err)
	}
	for _, d := range append(doc.Layers, doc.Config) {
		if size, ok := s.Stat(d.Digest); !ok || size != d.Size {
			return fail(fmt.Errorf("blob %s: %w", d.Digest, fs.ErrNotExist))
		}
		a.kept = append(a.kept, blob{digest: d.Digest, size: d.Size, media: d.MediaType, open: func() (io.ReadCloser, error) { return s.Open(d.Digest) }})
	}
	return a, nil
}
