package sboms

import (
	"cmp"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/spdx/tools-golang/spdx/v2/common"
	"github.com/spdx/tools-golang/spdx/v2/v2_3"

	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/store"
)

// Index is what the documents say of a multi-platform image: which images it lists.
// What is in those, their own documents say.
type Index struct {
	Name, Version string // of its images where those agree; else Name is the digest
	Digest        store.Digest
	Created       time.Time // of the last of its images
	SHA512        string    // as in [Image]
	Publisher     Party
	Images        []Part // by platform and digest

	Listed      int    // how many manifests the index lists
	ToolVersion string // as in [Image]
}

// Part is an image of an index.
type Part struct {
	*Image
	// SPDX is the image's document in that format, which the index's refers to with
	// the digest of these bytes (an attestation has the same JSON, written otherwise);
	// nil where there is none.
	SPDX []byte
}

// IndexOf describes an index of which images are described.
func IndexOf(src *oci.Index, images []Part) (*Index, error) {
	var doc struct{ Manifests []struct{} }
	if err := json.Unmarshal(src.Manifest, &doc); err != nil {
		return nil, fmt.Errorf("cannot describe index %s: %w", src.Digest, err)
	}
	x := &Index{Digest: src.Digest, SHA512: sha512Of(src.Manifest), Created: time.Unix(0, 0).UTC(), Listed: len(doc.Manifests), Images: slices.Clone(images)}
	slices.SortFunc(x.Images, func(a, b Part) int {
		return cmp.Or(strings.Compare(a.Platform, b.Platform), strings.Compare(string(a.Digest), string(b.Digest)))
	})
	for i, img := range x.Images {
		if i == 0 {
			x.Name, x.Version, x.Publisher, x.ToolVersion = img.Name, img.Version, img.Publisher, img.ToolVersion
		}
		if img.Name != x.Name || img.Name == string(img.Digest) {
			x.Name = ""
		}
		if img.Version != x.Version {
			x.Version = ""
		}
		if img.Publisher != x.Publisher {
			x.Publisher = Party{}
		}
		if img.Created.After(x.Created) {
			x.Created = img.Created
		}
	}
	x.Name = cmp.Or(x.Name, string(x.Digest))
	return x, nil
}

// subject returns the index as the documents have their subject.
func (x *Index) subject() *Image {
	return &Image{
		Name: x.Name, Version: x.Version, Digest: x.Digest, Created: x.Created, SHA512: x.SHA512, Publisher: x.Publisher, Completeness: x.completeness(), ToolVersion: x.ToolVersion,
		Recorded: !slices.ContainsFunc(x.Images, func(img Part) bool { return !img.Recorded }),
	}
}

// completeness is that of the list of images together with their documents.
func (x *Index) completeness() Completeness {
	all := Complete
	for _, img := range x.Images {
		switch {
		case img.Completeness == Unknown:
			return Unknown
		case img.Completeness == Incomplete:
			all = Incomplete
		}
	}
	if len(x.Images) != x.Listed {
		return Incomplete
	}
	return all
}

// statement says in words how far the document is complete.
func (x *Index) statement() string {
	text := "Listed are the images of the index; packages and files are in the documents of those. "
	if len(x.Images) == x.Listed {
		text += "Complete: all of its images are listed."
	} else {
		text += fmt.Sprintf("Incomplete: the index lists %d manifests, this is %d of its images.", x.Listed, len(x.Images))
	}
	for _, img := range x.Images {
		if img.Completeness == Unknown {
			text += " The completeness of the document of " + img.Platform + " is unknown."
		} else {
			text += " The document of " + img.Platform + " is " + string(img.Completeness) + "."
		}
	}
	return text
}

// SPDXIndex returns the index's description as SPDX 2.3 in JSON. The index is a package
// that contains one for each image, which the document of that image describes.
func SPDXIndex(x *Index) ([]byte, error) {
	d := &spdxDocument{img: x.subject()}
	d.head(d.img.title(), x.statement())
	d.container(d.img, spdxImage, "OCI image index "+string(x.Digest))
	for _, img := range x.Images {
		// A platform alone need not be unique in an index.
		name := strings.ReplaceAll(img.Platform, "/", "-") + "-" + img.Digest.Hex()[:12]
		id := spdxImage + "-" + name
		d.container(img.Image, id, img.comment())
		d.relate(spdxImage, common.TypeRelationshipContains, id)
		if img.SPDX == nil {
			continue
		}
		sum := sha1.Sum(img.SPDX) // the algorithm that SPDX 2.3 demands here, clause 6.6
		d.ExternalDocumentReferences = append(d.ExternalDocumentReferences, v2_3.ExternalDocumentRef{
			DocumentRefID: common.DocumentID(name), URI: img.spdxNamespace(),
			Checksum: common.Checksum{Algorithm: common.SHA1, Value: hex.EncodeToString(sum[:])},
		})
		d.Relationships = append(d.Relationships, &v2_3.Relationship{
			RefA: common.MakeDocElementID("", id), Relationship: common.TypeRelationshipDescribeBy, RefB: common.MakeDocElementID(name, "DOCUMENT"),
		})
	}
	return d.encode()
}

// CycloneDXIndex returns the index's description as CycloneDX 1.6 in JSON. The index
// is the document's subject, each image a component that names its document.
func CycloneDXIndex(x *Index) ([]byte, error) {
	subject := x.subject()
	bom := cdx.NewBOM()
	bom.SerialNumber = subject.cdxSerial()
	bom.Metadata = subject.cdxMetadata(x.statement())
	components, refs := []cdx.Component{}, []string{}
	for _, img := range x.Images {
		c := img.cdxImage()
		link, err := cdx.NewBOMLink(img.cdxSerial(), 1, nil)
		if err != nil {
			return nil, fmt.Errorf("cannot encode SBOM: %w", err)
		}
		c.ExternalReferences = &[]cdx.ExternalReference{{Type: cdx.ERTypeBOM, URL: link.String()}}
		c.Properties = properties("hardpan:platform", img.Platform, "hardpan:completeness", string(img.Completeness))
		components, refs = append(components, *c), append(refs, c.BOMRef)
	}
	bom.Components = &components
	slices.Sort(refs)
	bom.Dependencies = &[]cdx.Dependency{{Ref: subject.cdxRef(), Dependencies: &refs}}
	bom.Compositions = x.cdxCompositions(subject.cdxRef(), refs)
	return encodeCycloneDX(bom)
}

// cdxCompositions says that the list of images is complete, and that what is in an
// image is elsewhere.
func (x *Index) cdxCompositions(root string, images []string) *[]cdx.Composition {
	composition := func(aggregate cdx.CompositionAggregate, refs ...string) cdx.Composition {
		list := make([]cdx.BOMReference, len(refs))
		for i, ref := range refs {
			list[i] = cdx.BOMReference(ref)
		}
		return cdx.Composition{Aggregate: aggregate, Assemblies: &list, Dependencies: &list}
	}
	list := cdx.CompositionAggregateComplete
	if len(x.Images) != x.Listed {
		list = cdx.CompositionAggregateIncomplete
	}
	all := []cdx.Composition{composition(list, root)}
	if len(images) > 0 {
		all = append(all, composition(cdx.CompositionAggregateIncomplete, images...))
	}
	return &all
}
