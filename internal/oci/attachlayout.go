package oci

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/store"
)

// A layoutPlace is an image layout, in a directory or in an archive.
type layoutPlace struct {
	dir   string // "" for an archive
	files blobFiles
}

// artifacts reads index.json anew, which may have been replaced since s was opened.
func (p layoutPlace) artifacts(ctx context.Context, s *Source, subject store.Digest, kind ArtifactKind) ([]*Artifact, error) {
	raw, err := readSmall(p.files, indexFile)
	if err != nil {
		return nil, err
	}
	_, doc, err := parseDocument(raw, "")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", indexFile, err)
	}
	if doc == nil {
		return nil, fmt.Errorf("%s: %w: expected an image index", indexFile, ErrInvalid)
	}
	var list []*Artifact
	var total int64
	for _, d := range doc.Manifests {
		if !isAbout(d, subject, kind, s.Digest) || slices.ContainsFunc(list, func(a *Artifact) bool { return a.listed == d.Digest }) {
			continue
		}
		a, err := readArtifact(ctx, layoutBackend{p.files}, d, subject, kind)
		if err != nil {
			return nil, err
		}
		a.listed = d.Digest
		for _, document := range a.Documents {
			total += int64(len(document.Content))
		}
		if list = append(list, a); total > maxArtifactSize || len(list) > maxDocuments {
			return nil, fmt.Errorf("%w: %d artifacts, documents of %d bytes", ErrTooLarge, len(list), total)
		}
	}
	return list, nil
}

// isAbout reports whether an entry of index.json is an artifact of that kind about
// subject. One without a name is about the layout's image.
func isAbout(d descriptor, subject store.Digest, kind ArtifactKind, root store.Digest) bool {
	if d.Annotations[annotationKind] != kind.layoutKind() {
		return false
	}
	refName := d.Annotations[annotationRefName]
	return refName == artifactName(subject, kind) || refName == "" && subject == root
}

func (p layoutPlace) attach(ctx context.Context, s *Source, artifacts []*Artifact) error {
	if p.dir == "" {
		return withHint(errors.New("the image is in an archive"), "write a layout, or push it to a registry")
	}
	artifacts = lastOfEach(artifacts)
	w := &layoutWriter{jobs: 1}
	for _, a := range artifacts {
		w.blobs = append(w.blobs, a.blobs()...)
	}
	w.amend = func(dir string) (err error) {
		w.index, err = amendIndex(dir, s.Digest, artifacts)
		if err == nil {
			w.used, err = reachable(dir, w.index, w.blobs)
		}
		return err
	}
	return w.update(ctx, p.dir)
}

// lastOfEach returns the artifacts without those that a later one replaces: index.json
// is written once.
func lastOfEach(artifacts []*Artifact) []*Artifact {
	last := map[string]*Artifact{}
	for _, a := range artifacts {
		last[a.name()] = a
	}
	return slices.DeleteFunc(slices.Clone(artifacts), func(a *Artifact) bool { return last[a.name()] != a })
}

// A layoutIndex is index.json with its entries as they are written there.
type layoutIndex struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType,omitempty"`
	ArtifactType  string            `json:"artifactType,omitempty"`
	Manifests     []json.RawMessage `json:"manifests"`
	Subject       json.RawMessage   `json:"subject,omitempty"`
	Annotations   map[string]string `json:"annotations,omitempty"`
}

// A layoutEntry is a descriptor with all members that it may have.
type layoutEntry struct {
	descriptor
	URLs []string `json:"urls,omitempty"`
	Data []byte   `json:"data,omitempty"`
}

// amendIndex returns the layout's index.json with artifacts, which replace those of
// their subjects and kinds. cosign takes the first entry of a kind, so those about
// root come first.
func amendIndex(dir string, root store.Digest, artifacts []*Artifact) ([]byte, error) {
	raw, err := os.ReadFile(filepath.Join(dir, indexFile))
	if err != nil {
		return nil, err
	}
	if store.DigestOf(raw) == root {
		return nil, withHint(fmt.Errorf("%w: %s is the image's own index, to which nothing can be added", ErrInvalid, indexFile),
			"copy the image into a layout whose index.json lists it, as skopeo copy --all does")
	}
	var doc layoutIndex
	if err := decode(raw, &doc); err != nil {
		return nil, fmt.Errorf("%s: %w", indexFile, err)
	}
	var images []json.RawMessage
	var about []layoutEntry
	for _, text := range doc.Manifests {
		var e layoutEntry
		if err := json.Unmarshal(text, &e); err != nil {
			return nil, fmt.Errorf("%s: %w: %w", indexFile, ErrInvalid, err)
		}
		switch {
		case slices.ContainsFunc(artifacts, func(a *Artifact) bool { return a.replaces(e.descriptor, root) }):
		case isArtifact(e.descriptor):
			about = append(about, e)
		default:
			if e.Digest == root && e.Annotations[annotationKind] == "" {
				if text, err = markImage(e); err != nil {
					return nil, err
				}
			}
			images = append(images, text)
		}
	}
	for _, a := range artifacts {
		about = append(about, layoutEntry{descriptor: a.entry()})
	}
	slices.SortStableFunc(about, func(a, b layoutEntry) int { return compareEntries(a.descriptor, b.descriptor, root) })
	doc.Manifests = images
	for _, e := range about {
		text, err := encode(e)
		if err != nil {
			return nil, err
		}
		doc.Manifests = append(doc.Manifests, text)
	}
	return encode(doc)
}

// replaces reports whether a takes the place of an entry of index.json.
func (a *Artifact) replaces(d descriptor, root store.Digest) bool {
	if a.Kind == Referrers {
		return d.Digest == a.digest
	}
	return isAbout(d, a.Subject, a.Kind, root)
}

// compareEntries sorts entries about artifacts: those about root first, then by name,
// and referrers, which have none, last and by digest.
func compareEntries(a, b descriptor, root store.Digest) int {
	rank := func(d descriptor) int {
		if isAbout(d, root, Signatures, root) || isAbout(d, root, Attestations, root) {
			return 0
		}
		if d.Annotations[annotationKind] != "" {
			return 1
		}
		return 2
	}
	order := cmp.Or(cmp.Compare(rank(a), rank(b)), strings.Compare(a.Annotations[annotationRefName], b.Annotations[annotationRefName]))
	if order == 0 && rank(a) == 2 {
		order = cmp.Compare(a.Digest, b.Digest)
	}
	return order
}

func markImage(e layoutEntry) (json.RawMessage, error) {
	if e.Annotations == nil {
		e.Annotations = map[string]string{}
	}
	e.Annotations[annotationKind] = kindOf(e.MediaType)
	return encode(e)
}

// reachable returns the names of the blobs that index leads to, some of which are
// at hand. Where a document cannot be read nothing is known, and so nothing may be
// removed: the result is nil.
func reachable(dir string, index []byte, atHand []blob) (map[string]bool, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	used := map[string]bool{}
	for _, b := range atHand {
		used[b.digest.Hex()] = true
	}
	var walk func(raw []byte, depth int) bool
	walk = func(raw []byte, depth int) bool {
		var doc struct {
			Config            *descriptor
			Layers, Manifests []descriptor
		}
		if depth > maxIndexDepth+1 || len(used) > maxManifests*maxLayers || json.Unmarshal(raw, &doc) != nil {
			return false
		}
		if doc.Config != nil {
			doc.Layers = append(doc.Layers, *doc.Config)
		}
		for _, d := range append(doc.Layers, doc.Manifests...) {
			if !d.Digest.Valid() {
				return false
			}
			used[d.Digest.Hex()] = true
		}
		for _, d := range doc.Manifests {
			if slices.ContainsFunc(atHand, func(b blob) bool { return b.digest == d.Digest }) {
				continue
			}
			child, err := readSmall(dirFiles{root}, blobName(d.Digest))
			if errors.Is(err, fs.ErrNotExist) {
				continue // a layout may have one platform of several
			}
			if err != nil || !walk(child, depth+1) {
				return false
			}
		}
		return true
	}
	if !walk(index, 0) {
		return nil, nil
	}
	return used, nil
}
