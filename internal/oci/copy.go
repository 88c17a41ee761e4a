package oci

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/hardpan/hardpan/internal/store"
)

// CopyOptions say how an image is copied.
type CopyOptions struct {
	Push    PushOptions // of a copy to a registry; its Artifacts are not read
	RefName string      // of a copy to a layout or an archive, as in [LayoutOptions]
}

// Copy writes the image, with the signatures, the attestations and the referrers of any
// kind that its place has about it, to another place: the registry, the layout ("oci:DIR") or the archive
// ("oci-archive:FILE") that to names. Without a prefix what ends in ".tar" is an
// archive, what begins like a path or is a layout already a layout, and anything else
// a reference to a registry. It returns what was written as [Open] reads it.
//
// Nothing is changed, so that every digest and signature stays what it is; what is
// copied is compared with its digest on the way. The order is that of [Push] and
// [WriteLayout]: a tag or index.json is last.
func Copy(ctx context.Context, s *Source, to string, o CopyOptions) (string, error) {
	written, err := s.copy(ctx, to, o)
	if err != nil {
		return "", fmt.Errorf("cannot copy to %s: %w", to, err)
	}
	return written, nil
}

func (s *Source) copy(ctx context.Context, to string, o CopyOptions) (string, error) {
	x := s.Index
	if x == nil && len(s.Images) == 1 {
		x = alone(s.Images[0])
	}
	if x == nil || x.omitted > 0 || len(s.Images) == 0 {
		return "", errors.New("not all of its images were read")
	}
	artifacts, err := s.allArtifacts(ctx)
	if err != nil {
		return "", err
	}
	layout := LayoutOptions{RefName: o.RefName, Artifacts: artifacts}
	kind, place := destination(to)
	switch kind {
	case prefixArchive:
		return kind + place, WriteArchive(ctx, place, x, layout)
	case prefixLayout:
		return kind + place, WriteLayout(ctx, place, x, layout)
	}
	o.Push.Artifacts = artifacts
	pinned, err := Push(ctx, place, x, o.Push)
	if err != nil && kind == prefixRegistry && !strings.ContainsAny(to, "/:") {
		err = withHint(err, fmt.Sprintf("a name alone is a repository of %s; oci:%s or ./%[2]s is a layout", name.DefaultRegistry, to))
	}
	return pinned, err
}

// alone returns the image of one platform as what [Push] and [WriteLayout] write: its
// manifest stands where an index would.
func alone(img *Image) *Index {
	return &Index{Digest: img.Digest, MediaType: img.MediaType, Manifest: img.Manifest, Annotations: img.Annotations, Images: []*Image{img}}
}

// allArtifacts returns the artifacts about the index and its images. Where a place has
// several of a kind about one of them, a registry has room for one with all documents.
func (s *Source) allArtifacts(ctx context.Context) (all []*Artifact, err error) {
	var subjects []store.Digest
	for _, img := range s.Images {
		subjects = append(subjects, img.Digest)
	}
	if s.Index != nil {
		subjects = append(subjects, s.Digest) // the last, as in Push
	}
	for _, subject := range subjects {
		for _, kind := range []ArtifactKind{Attestations, Signatures} {
			list, err := s.Artifacts(ctx, subject, kind)
			if err != nil {
				return nil, err
			}
			if len(list) > 1 {
				var documents []Document
				for _, a := range list {
					documents = append(documents, a.Documents...)
				}
				if list[0], err = NewArtifact(subject, kind, documents); err != nil {
					return nil, err
				}
			}
			if len(list) > 0 {
				all = append(all, list[0])
			}
		}
		if all, err = s.addReferrers(ctx, subject, all, 0); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// maxReferrerDepth bounds what refers to what refers to an image: a signature of an
// SBOM is at 1.
const maxReferrerDepth = 4

// addReferrers appends the referrers of subject, and theirs, each once.
func (s *Source) addReferrers(ctx context.Context, subject store.Digest, all []*Artifact, depth int) ([]*Artifact, error) {
	list, err := s.Referrers(ctx, subject)
	if err != nil {
		return nil, err
	}
	for _, a := range list {
		if slices.ContainsFunc(all, func(b *Artifact) bool { return b.digest == a.digest }) {
			continue
		}
		if depth > maxReferrerDepth || len(all) >= maxReferrers {
			return nil, fmt.Errorf("%w: more than %d referrers or %d deep", ErrTooLarge, maxReferrers, maxReferrerDepth)
		}
		if all, err = s.addReferrers(ctx, a.digest, append(all, a), depth+1); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// destination says what a reference to write to means, by its prefix.
func destination(to string) (kind, place string) {
	for _, prefix := range []string{prefixLayout, prefixArchive, prefixRegistry} {
		if rest, ok := strings.CutPrefix(to, prefix); ok {
			return prefix, rest
		}
	}
	switch {
	case strings.HasSuffix(to, ".tar"):
		return prefixArchive, to
	case looksLikePath(to) || isImagePath(to):
		return prefixLayout, filepath.Clean(to)
	}
	return prefixRegistry, to
}
