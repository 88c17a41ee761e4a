package oci

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/hardpan/hardpan/internal/store"
)

// ArtifactKind is what an artifact says about its subject. The names that follow
// from it are those of cosign's specification (cosign, specs/SIGNATURE_SPEC.md),
// which other programs look for.
type ArtifactKind string

// The kinds of artifacts.
const (
	Signatures   ArtifactKind = "sig"
	Attestations ArtifactKind = "att"
	// Referrers name their subject in the manifest (OCI image spec 1.1, manifest.md,
	// subject) and have no tag; the registry lists them. There may be several.
	Referrers ArtifactKind = "referrer"
)

// annotationKind says in a layout's index.json what an entry is (cosign,
// pkg/oci/layout).
const (
	annotationKind = "kind"
	kindImage      = "dev.cosignproject.cosign/image"
	kindImageIndex = "dev.cosignproject.cosign/imageIndex"
)

func (k ArtifactKind) layoutKind() string { return "dev.cosignproject.cosign/" + string(k) + "s" }

// A Document is one layer of an artifact.
type Document struct {
	MediaType   string
	Annotations map[string]string
	Content     []byte
}

// An Artifact is a manifest that is not an image to run: its layers are documents
// about the manifest or index with the digest Subject. In a registry it has the
// tag "sha256-HEX.sig" or "sha256-HEX.att", in a layout that name and the
// annotation "kind"; a referrer has neither.
type Artifact struct {
	Subject   store.Digest
	Kind      ArtifactKind
	Documents []Document // of a referrer that was read, see [Artifact.Read]

	ArtifactType string            // of a referrer
	Annotations  map[string]string // of a referrer

	digest           store.Digest
	listed           store.Digest // of the manifest that was read from a layout
	manifest, config []byte
	parts            []blob      // where there are any, in place of Documents and config: of a referrer, and of one that was kept
	children         []*Artifact // of a referrer that is an index: what it lists
	media            string      // of the manifest of a referrer
}

const (
	maxDocuments    = 1000      // of an artifact, as cosign has it
	maxArtifactSize = 128 << 20 // bytes of all documents, as cosign has it
)

// NewArtifact makes the artifact of documents, in their order. The same arguments
// give the same bytes.
func NewArtifact(subject store.Digest, kind ArtifactKind, documents []Document) (*Artifact, error) {
	a := &Artifact{Subject: subject, Kind: kind, Documents: slices.Clone(documents)}
	doc := manifestDoc{SchemaVersion: 2, MediaType: mediaManifest, Layers: []descriptor{}}
	diffIDs := []store.Digest{}
	for _, d := range documents {
		part := d.descriptor()
		doc.Layers = append(doc.Layers, part)
		diffIDs = append(diffIDs, part.Digest)
	}
	// The config that cosign writes: one of an image for no platform, since there are
	// registries that refuse other ones.
	config := map[string]any{
		"architecture": "", "os": "", "config": map[string]any{},
		"rootfs": map[string]any{"type": "layers", "diff_ids": diffIDs},
	}
	var err error
	if a.config, err = encode(config); err != nil {
		return nil, fmt.Errorf("cannot make artifact %s: %w", a.name(), err)
	}
	doc.Config = descriptor{MediaType: mediaConfig, Digest: store.DigestOf(a.config), Size: int64(len(a.config))}
	if a.manifest, err = encodeManifest(doc); err != nil {
		return nil, fmt.Errorf("cannot make artifact %s: %w", a.name(), err)
	}
	a.digest = store.DigestOf(a.manifest)
	return a, nil
}

func (d Document) descriptor() descriptor {
	return descriptor{MediaType: d.MediaType, Digest: store.DigestOf(d.Content), Size: int64(len(d.Content)), Annotations: d.Annotations}
}

func artifactName(subject store.Digest, kind ArtifactKind) string {
	return "sha256-" + subject.Hex() + "." + string(kind)
}

// Digest returns the digest of the artifact's manifest.
func (a *Artifact) Digest() store.Digest { return a.digest }

func (a *Artifact) name() string {
	if a.Kind == Referrers {
		return string(a.digest)
	}
	return artifactName(a.Subject, a.Kind)
}

// mediaType returns that of the manifest.
func (a *Artifact) mediaType() string { return mediaOr(a.media, mediaManifest) }

// entry returns what a layout's index.json says of a.
func (a *Artifact) entry() descriptor {
	if a.Kind == Referrers {
		return descriptor{MediaType: a.mediaType(), Digest: a.digest, Size: int64(len(a.manifest)), ArtifactType: a.ArtifactType}
	}
	return descriptor{MediaType: mediaManifest, Digest: a.digest, Size: int64(len(a.manifest)), Annotations: map[string]string{
		annotationKind: a.Kind.layoutKind(), annotationRefName: a.name(),
	}}
}

// content returns the documents and the config, each once.
func (a *Artifact) content() []blob {
	if a.parts != nil {
		return a.parts
	}
	list := []blob{documentBlob(store.DigestOf(a.config), mediaConfig, a.config)}
	for _, d := range a.Documents {
		digest := store.DigestOf(d.Content)
		if !slices.ContainsFunc(list, func(b blob) bool { return b.digest == digest }) {
			list = append(list, documentBlob(digest, d.MediaType, d.Content))
		}
	}
	return list
}

func (a *Artifact) blobs() []blob {
	var list []blob
	for _, child := range a.children {
		list = append(list, child.blobs()...)
	}
	list = append(list, a.content()...)
	return append(list, documentBlob(a.digest, a.mediaType(), a.manifest))
}

// isArtifact reports whether an entry of a layout's index.json says that it is one. Some
// programs give images an artifact type too, the media type of their configs.
func isArtifact(d descriptor) bool {
	switch kind := d.Annotations[annotationKind]; {
	case kind == Signatures.layoutKind(), kind == Attestations.layoutKind():
		return true
	}
	return d.ArtifactType != "" && d.ArtifactType != mediaConfig && d.ArtifactType != dockerConfig
}

// kindOf returns the annotation "kind" of an image.
func kindOf(mediaType string) string {
	if mediaType == mediaIndex || mediaType == dockerIndex {
		return kindImageIndex
	}
	return kindImage
}

// Artifacts returns what is known about the manifest or index of s that has that
// digest: of a registry at most one artifact, of a layout all that have its name,
// and about s.Digest those without a name, as `cosign save` writes them. None is
// not an error. An error about content wraps [ErrInvalid], [ErrMismatch],
// [ErrTooLarge] or [fs.ErrNotExist], any other [ErrUnread].
func (s *Source) Artifacts(ctx context.Context, subject store.Digest, kind ArtifactKind) ([]*Artifact, error) {
	if s.place == nil {
		return nil, nil
	}
	list, err := s.place.artifacts(ctx, s, subject, kind)
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", artifactName(subject, kind), unread(err))
	}
	return list, nil
}

// CanHaveArtifacts reports whether artifacts can lie beside the image where it is, as in
// a registry, a layout and an OCI archive, and unlike in a docker archive.
func (s *Source) CanHaveArtifacts() bool { return s.place != nil }

// Attach puts artifacts where the image is, in their order, each replacing the one
// of its subject and kind: into the registry, documents first, or into the layout,
// index.json last, whose other entries stay what they are. There the entry of the
// image is marked as one, so that cosign finds it. Archives are refused.
func (s *Source) Attach(ctx context.Context, artifacts []*Artifact) error {
	if s.place == nil {
		return withHint(errors.New("cannot attach artifacts: the image is in an archive"), "write a layout, or push it to a registry")
	}
	if err := s.place.attach(ctx, s, artifacts); err != nil {
		return fmt.Errorf("cannot attach artifacts: %w", err)
	}
	return nil
}

// A place is where a Source is from, as far as it may have artifacts.
type place interface {
	artifacts(ctx context.Context, s *Source, subject store.Digest, kind ArtifactKind) ([]*Artifact, error)
	referrers(ctx context.Context, s *Source, subject store.Digest) ([]*Artifact, error)
	attach(ctx context.Context, s *Source, artifacts []*Artifact) error
}

// readArtifact reads the artifact that d describes.
func readArtifact(ctx context.Context, b backend, d descriptor, subject store.Digest, kind ArtifactKind) (*Artifact, error) {
	l := &loader{backend: b}
	if err := d.validate(); err != nil {
		return nil, err
	}
	raw, err := l.document(ctx, d, b.manifest)
	if err != nil {
		return nil, fmt.Errorf("manifest %s: %w", d.Digest, err)
	}
	doc, _, err := parseDocument(raw, d.MediaType)
	if err == nil && doc == nil {
		err = fmt.Errorf("%w: expected a manifest, found an index", ErrInvalid)
	}
	if err != nil {
		return nil, fmt.Errorf("manifest %s: %w", d.Digest, err)
	}
	if len(doc.Layers) > maxDocuments {
		return nil, fmt.Errorf("%w: %d documents, at most %d are read", ErrTooLarge, len(doc.Layers), maxDocuments)
	}
	var total int64
	for _, part := range doc.Layers {
		if err := part.validate(); err != nil {
			return nil, err
		}
		if total += min(part.Size, maxArtifactSize+1); total > maxArtifactSize {
			return nil, fmt.Errorf("%w: documents of more than %d bytes", ErrTooLarge, maxArtifactSize)
		}
	}
	var documents []Document
	for _, part := range doc.Layers {
		content, err := readBlob(ctx, b, part)
		if err != nil {
			return nil, err
		}
		documents = append(documents, Document{MediaType: part.MediaType, Annotations: maps.Clone(part.Annotations), Content: content})
	}
	return NewArtifact(subject, kind, documents)
}

func readBlob(ctx context.Context, b backend, d descriptor) ([]byte, error) {
	r, err := b.blob(ctx, d)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(verify(r, d.Digest, d.Size))
}

// A registryPlace is a repository.
type registryPlace struct {
	repo    name.Repository
	options OpenOptions
}

func (p registryPlace) artifacts(ctx context.Context, _ *Source, subject store.Digest, kind ArtifactKind) ([]*Artifact, error) {
	puller, err := remote.NewPuller(remoteOptions(p.options.Keychain, p.options.Transport, p.options.Insecure)...)
	if err != nil {
		return nil, err
	}
	got, err := puller.Get(ctx, p.repo.Tag(artifactName(subject, kind)))
	if answer, ok := errors.AsType[*transport.Error](err); ok && answer.StatusCode == http.StatusNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, explainRemote(err, p.repo.RegistryStr(), "")
	}
	d := descriptor{MediaType: servedMedia(string(got.MediaType)), Digest: store.DigestOf(got.Manifest), Size: int64(len(got.Manifest))}
	b := &rootedBackend{backend: remoteBackend{puller, p.repo}, digest: d.Digest, content: got.Manifest}
	a, err := readArtifact(ctx, b, d, subject, kind)
	if err != nil {
		return nil, err
	}
	return []*Artifact{a}, nil
}

func (p registryPlace) attach(ctx context.Context, _ *Source, artifacts []*Artifact) error {
	pusher, err := remote.NewPusher(remoteOptions(p.options.Keychain, p.options.Transport, p.options.Insecure)...)
	if err != nil {
		return err
	}
	if err := pushArtifacts(ctx, pusher, p.repo, artifacts); err != nil {
		return explainRemote(err, p.repo.RegistryStr(), retryHint(err, p.repo.RegistryStr(), "attach them again", "what was uploaded is not sent twice"))
	}
	return nil
}

// pushArtifacts puts each artifact, its documents first, under its tag, and a referrer
// under its digest. One comes after another: a registry that does not list referrers by
// itself has the list under a tag, which is read, changed and written (OCI distribution
// spec, Pushing Manifests with Subject).
func pushArtifacts(ctx context.Context, pusher *remote.Pusher, repo name.Repository, artifacts []*Artifact) error {
	for _, a := range artifacts {
		if err := pushArtifacts(ctx, pusher, repo, a.children); err != nil {
			return err
		}
		for _, b := range a.content() {
			if err := pusher.Upload(ctx, repo, v1Layer{b}); err != nil {
				return fmt.Errorf("%s: blob %s: %w", a.name(), b.digest, err)
			}
		}
		if a.Kind == Referrers {
			if err := pusher.Push(ctx, repo.Digest(a.name()), rawManifest{a.manifest, a.mediaType()}); err != nil {
				return fmt.Errorf("referrer %s: %w", a.name(), err)
			}
			continue
		}
		if err := pusher.Push(ctx, repo.Tag(a.name()), rawManifest{a.manifest, mediaManifest}); err != nil {
			return fmt.Errorf("tag %s: %w", a.name(), err)
		}
	}
	return nil
}
