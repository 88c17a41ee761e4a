package oci

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/hardpan/hardpan/internal/store"
)

const (
	mediaEmpty   = "application/vnd.oci.empty.v1+json" // OCI image spec, manifest.md, Guidance for an Empty Descriptor
	emptyContent = "{}"

	maxReferrers = 1000 // of one subject, with what they list, and of all that is copied with an image
)

// A referrerDoc is a manifest or an index with a subject.
type referrerDoc struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType,omitempty"`
	ArtifactType  string            `json:"artifactType,omitempty"`
	Config        *descriptor       `json:"config,omitempty"`
	Layers        []descriptor      `json:"layers,omitempty"`
	Manifests     []descriptor      `json:"manifests,omitempty"`
	Subject       *descriptor       `json:"subject,omitempty"`
	Annotations   map[string]string `json:"annotations,omitempty"`
}

// NewReferrer makes the manifest of a document about the index or one of the images of
// s. The same arguments give the same bytes.
func (s *Source) NewReferrer(subject store.Digest, artifactType string, annotations map[string]string, d Document) (*Artifact, error) {
	about := descriptor{Digest: subject}
	if s.Index != nil && s.Index.Digest == subject {
		about.MediaType, about.Size = s.Index.MediaType, int64(len(s.Index.Manifest))
	}
	for _, img := range s.Images {
		if img.Digest == subject {
			about.MediaType, about.Size = img.MediaType, int64(len(img.Manifest))
		}
	}
	if about.MediaType == "" {
		return nil, fmt.Errorf("cannot make a referrer: %s is not of the image", subject)
	}
	config := documentBlob(store.DigestOf([]byte(emptyContent)), mediaEmpty, []byte(emptyContent))
	part := d.descriptor()
	manifest, err := encodeManifest(referrerDoc{
		SchemaVersion: 2, MediaType: mediaManifest, ArtifactType: artifactType,
		Config: &descriptor{MediaType: mediaEmpty, Digest: config.digest, Size: config.size},
		Layers: []descriptor{part}, Subject: &about, Annotations: annotations,
	})
	if err != nil {
		return nil, fmt.Errorf("cannot make a referrer of %s: %w", subject, err)
	}
	return &Artifact{
		Subject: subject, Kind: Referrers, Documents: []Document{d}, ArtifactType: artifactType, Annotations: annotations,
		digest: store.DigestOf(manifest), manifest: manifest, parts: []blob{config, documentBlob(part.Digest, part.MediaType, d.Content)},
	}, nil
}

// Referrers returns the manifests that name the manifest or index with that digest as
// their subject, by digest: what the registry lists or the layout's index.json leads to.
// Their documents are not read, see [Artifact.Read]. What is listed and names another
// subject is left out. Errors are those of [Source.Artifacts].
func (s *Source) Referrers(ctx context.Context, subject store.Digest) ([]*Artifact, error) {
	if s.place == nil {
		return nil, nil
	}
	list, err := s.place.referrers(ctx, s, subject)
	if err != nil {
		return nil, fmt.Errorf("cannot read the referrers of %s: %w", subject, unread(err))
	}
	slices.SortFunc(list, func(a, b *Artifact) int { return cmp.Compare(a.digest, b.digest) })
	return slices.CompactFunc(list, func(a, b *Artifact) bool { return a.digest == b.digest }), nil
}

// Read reads the documents of a referrer, at most 128 MB. Errors are those of
// [Source.Artifacts].
func (a *Artifact) Read() error {
	var doc referrerDoc
	if err := decode(a.manifest, &doc); err != nil {
		return err
	}
	var total int64
	for _, part := range doc.Layers {
		if total += min(part.Size, maxArtifactSize+1); total > maxArtifactSize {
			return fmt.Errorf("%w: documents of more than %d bytes", ErrTooLarge, maxArtifactSize)
		}
	}
	a.Documents = nil
	for _, part := range doc.Layers {
		i := slices.IndexFunc(a.parts, func(b blob) bool { return b.digest == part.Digest })
		content, err := readAll(a.parts[i])
		if err != nil {
			return fmt.Errorf("referrer %s: %w", a.digest, unread(err))
		}
		a.Documents = append(a.Documents, Document{MediaType: part.MediaType, Annotations: part.Annotations, Content: content})
	}
	return nil
}

func readAll(b blob) ([]byte, error) {
	r, err := b.open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

// A referrerReader reads the manifests that refer to one subject. What lists others lists
// them as often as it likes, and so there is a limit to all that is read.
type referrerReader struct {
	loader
	count int
}

func newReferrerReader(b backend) *referrerReader { return &referrerReader{loader: loader{backend: b}} }

// exhausted reports whether nothing more is read.
func (r *referrerReader) exhausted() bool {
	return r.count > maxReferrers || r.bytes > maxAllDocs
}

// read reads the manifest that d describes, and returns nil where it does not name
// subject. Without a subject it is one that an index lists.
func (r *referrerReader) read(ctx context.Context, d descriptor, subject store.Digest, depth int) (*Artifact, error) {
	if err := d.validate(); err != nil {
		return nil, err
	}
	if r.count++; r.count > maxReferrers {
		return nil, fmt.Errorf("%w: more than %d referrers, with what they list", ErrTooLarge, maxReferrers)
	}
	b := r.backend
	raw, err := r.document(ctx, d, b.manifest)
	if err != nil {
		return nil, fmt.Errorf("manifest %s: %w", d.Digest, err)
	}
	doc, err := parseReferrer(raw)
	if err != nil {
		return nil, fmt.Errorf("manifest %s: %w", d.Digest, err)
	}
	if subject != "" && (doc.Subject == nil || doc.Subject.Digest != subject) {
		return nil, nil
	}
	a := &Artifact{
		Subject: subject, Kind: Referrers, ArtifactType: doc.ArtifactType, Annotations: doc.Annotations,
		digest: d.Digest, manifest: raw, media: mediaOr(doc.MediaType, d.MediaType),
	}
	if a.ArtifactType == "" && doc.Config != nil { // OCI distribution spec, Listing Referrers
		a.ArtifactType = doc.Config.MediaType
	}
	a.addParts(ctx, b, doc)
	for _, child := range doc.Manifests {
		if depth >= maxIndexDepth {
			return nil, fmt.Errorf("%w: manifest %s is more than %d indexes deep", ErrInvalid, d.Digest, maxIndexDepth)
		}
		listed, err := r.read(ctx, child, "", depth+1)
		if err != nil {
			return nil, err
		}
		a.children = append(a.children, listed)
	}
	return a, nil
}

// parseReferrer reads a manifest or an index, with a subject or without.
func parseReferrer(raw []byte) (*referrerDoc, error) {
	if _, _, err := parseDocument(raw, ""); err != nil {
		return nil, err
	}
	var doc referrerDoc
	if err := decode(raw, &doc); err != nil {
		return nil, err
	}
	if len(doc.Layers)+len(doc.Manifests) > maxDocuments {
		return nil, fmt.Errorf("%w: %d documents, at most %d are read", ErrTooLarge, len(doc.Layers)+len(doc.Manifests), maxDocuments)
	}
	all := slices.Concat(doc.Layers, doc.Manifests)
	for _, one := range []*descriptor{doc.Config, doc.Subject} {
		if one != nil {
			all = append(all, *one)
		}
	}
	for _, d := range all {
		if err := d.validate(); err != nil {
			return nil, err
		}
	}
	return &doc, nil
}

// addParts notes the config and the layers, which are verified when they are read.
func (a *Artifact) addParts(ctx context.Context, b backend, doc *referrerDoc) {
	list := slices.Clone(doc.Layers)
	if doc.Config != nil {
		list = append(list, *doc.Config)
	}
	for _, d := range list {
		if slices.ContainsFunc(a.parts, func(b blob) bool { return b.digest == d.Digest }) {
			continue
		}
		a.parts = append(a.parts, blob{digest: d.Digest, size: d.Size, media: d.MediaType, open: func() (io.ReadCloser, error) {
			r, err := b.blob(ctx, d)
			if isMissing(err) {
				return nil, missingBlob(d.Digest)
			}
			if err != nil {
				return nil, err
			}
			return verify(r, d.Digest, d.Size), nil
		}})
	}
}

// isMissing reports whether a registry or a layout says that it does not have it.
func isMissing(err error) bool {
	answer, ok := errors.AsType[*transport.Error](err)
	return ok && answer.StatusCode == http.StatusNotFound || errors.Is(err, fs.ErrNotExist)
}

// referrers asks the registry, or where it has no list of its own, the tag
// "sha256-HEX" (OCI distribution spec, Listing Referrers).
func (p registryPlace) referrers(ctx context.Context, _ *Source, subject store.Digest) ([]*Artifact, error) {
	puller, err := remote.NewPuller(remoteOptions(p.options.Keychain, p.options.Transport, p.options.Insecure)...)
	if err != nil {
		return nil, err
	}
	entries, err := p.listReferrers(ctx, puller, subject)
	if err != nil {
		return nil, err
	}
	var list []*Artifact
	reader := newReferrerReader(remoteBackend{puller, p.repo})
	for _, d := range entries {
		a, err := reader.read(ctx, d, subject, 0)
		if isMissing(err) {
			continue // the tag lists what was deleted
		}
		if err != nil {
			return nil, err
		}
		if a != nil {
			list = append(list, a)
		}
	}
	return list, nil
}

// referrerList reads an index of referrers.
func referrerList(raw []byte) ([]descriptor, error) {
	_, doc, err := parseDocument(raw, "")
	if err == nil && doc == nil {
		err = fmt.Errorf("%w: expected an index, found a manifest", ErrInvalid)
	}
	if err == nil && len(doc.Manifests) > maxReferrers {
		err = fmt.Errorf("%w: %d referrers, at most %d are read", ErrTooLarge, len(doc.Manifests), maxReferrers)
	}
	if err != nil {
		return nil, fmt.Errorf("list of referrers: %w", err)
	}
	return doc.Manifests, nil
}

// referrers reads index.json anew. Entries are referrers by their manifest's word, or
// are the list that a registry without one of its own would have under a tag.
func (p layoutPlace) referrers(ctx context.Context, s *Source, subject store.Digest) ([]*Artifact, error) {
	raw, err := readSmall(p.files, indexFile)
	if err != nil {
		return nil, err
	}
	entries, err := referrerList(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", indexFile, err)
	}
	if store.DigestOf(raw) == s.Digest {
		return nil, nil // the entries are the platforms of the image
	}
	if entries = p.expand(entries, subject); len(entries) > maxReferrers {
		return nil, fmt.Errorf("%s: %w: more than %d referrers", indexFile, ErrTooLarge, maxReferrers)
	}
	var list []*Artifact
	reader := newReferrerReader(layoutBackend{p.files})
	for _, d := range entries {
		if d.Digest == s.Digest || d.Annotations[annotationKind] != "" || !isManifestType(d.MediaType) {
			continue
		}
		a, err := reader.read(ctx, d, subject, 0)
		if err != nil && !isArtifact(d) && !reader.exhausted() {
			continue // another image of the layout, which nobody asked for
		}
		if err != nil {
			return nil, err
		}
		if a != nil {
			list = append(list, a)
		}
	}
	return list, nil
}

// expand replaces the list of subject's referrers with what it lists.
func (p layoutPlace) expand(entries []descriptor, subject store.Digest) []descriptor {
	var all []descriptor
	for _, d := range entries {
		if len(all) > maxReferrers {
			break // it is refused
		}
		if d.Annotations[annotationRefName] == "sha256-"+subject.Hex() && d.Digest.Valid() {
			if raw, err := readSmall(p.files, blobName(d.Digest)); err == nil && store.DigestOf(raw) == d.Digest {
				if listed, err := referrerList(raw); err == nil {
					all = append(all, listed...)
					continue
				}
			}
		}
		all = append(all, d)
	}
	return all
}

func isManifestType(media string) bool {
	switch media {
	case mediaManifest, mediaIndex, dockerManifest, dockerIndex, "":
		return true
	}
	return false
}

// isReferrer reports whether an entry of index.json is no image but about one: its
// manifest has a subject, or it is the list of those that have.
func isReferrer(d descriptor, files blobFiles) bool {
	if !d.Digest.Valid() || !isManifestType(d.MediaType) {
		return false
	}
	raw, err := readSmall(files, blobName(d.Digest))
	if err != nil || store.DigestOf(raw) != d.Digest {
		return false // and reading it says what is wrong
	}
	doc, err := parseReferrer(raw)
	if err != nil {
		return false
	}
	hex, named := strings.CutPrefix(d.Annotations[annotationRefName], "sha256-")
	if _, err := store.FromHex(hex); named && err == nil && doc.Config == nil {
		return true
	}
	return doc.Subject != nil
}
