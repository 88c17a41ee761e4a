package sign

import (
	"context"

	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/store"
)

// found is what there is about a subject, as it was read. Nothing of it is known to be
// true.
type found struct {
	signatures, attestations layers
	bundles                  []foundBundle
}

// layers are those under one of cosign's tags.
type layers struct {
	list   []oci.Document
	damage error // why they could not be read
}

// find reads what there is about each subject of an image. What cannot be read for what
// it is, is found damaged.
func find(ctx context.Context, src *oci.Source) (map[store.Digest]found, error) {
	all := map[store.Digest]found{}
	for _, s := range Subjects(src) {
		f, err := findAbout(ctx, src, s.Digest)
		if err != nil {
			return nil, err
		}
		all[s.Digest] = f
	}
	return all, nil
}

func findAbout(ctx context.Context, src *oci.Source, subject store.Digest) (f found, err error) {
	if f.bundles, err = findBundles(ctx, src, subject); err != nil {
		if !isDamage(err) {
			return found{}, err
		}
		f.bundles = []foundBundle{{predicateType: unknownType, damage: err}}
	}
	for kind, to := range map[oci.ArtifactKind]*layers{oci.Signatures: &f.signatures, oci.Attestations: &f.attestations} {
		list, err := existing(ctx, src, subject, kind)
		if err != nil && !isDamage(err) {
			return found{}, err
		}
		*to = layers{list, err}
	}
	return f, nil
}

// documents returns what a [Judge] is asked about.
func (f found) documents() (list []oci.Document) {
	for _, b := range f.bundles {
		if b.damage == nil {
			list = append(list, bundleDocument(b.content))
		}
	}
	for _, d := range f.signatures.list {
		if d.MediaType == mediaSimpleSigning && isCertified(d) {
			list = append(list, d)
		}
	}
	for _, d := range f.attestations.list {
		if d.MediaType == mediaEnvelope && isCertified(d) {
			list = append(list, d)
		}
	}
	return list
}

// isCertified reports whether a layer has a certificate, and not a key that is known
// otherwise.
func isCertified(d oci.Document) bool { return d.Annotations[annotationCertificate] != "" }
