package sboms

import (
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/store"
)

var indexFormats = map[string]func(*Index) ([]byte, error){"spdx": SPDXIndex, "cyclonedx": CycloneDXIndex}

// describeIndex describes an index and its images.
func describeIndex(t *testing.T, src *oci.Index) *Index {
	t.Helper()
	var parts []Part
	for _, img := range src.Images {
		described := describe(t, img)
		spdx, err := SPDX(described)
		check(t, err)
		parts = append(parts, Part{described, spdx})
	}
	x, err := IndexOf(src, parts)
	check(t, err)
	return x
}

// foreignIndex is an index of images that hardpan did not build, two for one platform.
func foreignIndex(t *testing.T) *oci.Index {
	t.Helper()
	st, err := store.Open(t.TempDir())
	check(t, err)
	platform := oci.Platform{OS: "linux", Architecture: "arm", Variant: "v7"}
	x := &oci.Index{Images: []*oci.Image{
		imageOf(t, oci.Config{Platform: platform, Created: time.Unix(86400, 0)}), imageOf(t, oci.Config{Platform: platform}, []member{{name: "etc/hostname"}}), foreign(t),
	}}
	var manifests []map[string]string
	for _, img := range x.Images {
		manifests = append(manifests, map[string]string{"digest": string(img.Digest)})
	}
	x.Manifest, err = json.Marshal(map[string]any{"manifests": manifests})
	check(t, err)
	x.Digest, err = st.Put(x.Manifest)
	check(t, err)
	return x
}

// TestIndexGolden holds both documents of the index of the builder's sample, and of a
// foreign one, and validates them. go test ./sboms -update renews them.
func TestIndexGolden(t *testing.T) {
	schemas := schemas(t)
	for name, src := range map[string]*oci.Index{"sample-index": sampleIndex(t), "foreign-index": foreignIndex(t)} {
		x := describeIndex(t, src)
		for format, encode := range indexFormats {
			got, err := encode(x)
			check(t, err)
			golden(t, name+"."+format+".json", got)
			doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(got))
			check(t, err)
			if err := schemas[format].Validate(doc); err != nil {
				t.Errorf("%s of %s: %v", format, name, err)
			}
			slices.Reverse(x.Images)
			again, err := IndexOf(src, x.Images)
			check(t, err)
			if b, err := encode(again); err != nil || !bytes.Equal(b, got) {
				t.Errorf("%s of %s depends on the order of images: %v", format, name, err)
			}
			x = again
		}
	}
}

// Each image is in both documents once with the NTIA's minimum elements, the digest of
// its manifest, and where its own document is.
func TestIndexElements(t *testing.T) {
	for name, x := range map[string]*Index{"sample": describeIndex(t, sampleIndex(t)), "foreign": describeIndex(t, foreignIndex(t))} {
		named := name == "sample" // nothing says the foreign images' names and supplier
		b, err := SPDXIndex(x)
		check(t, err)
		var doc struct {
			spdxDoc
			ExternalDocumentRefs []struct {
				ExternalDocumentID, SPDXDocument string
				Checksum                         struct{ Algorithm, ChecksumValue string }
			}
			Packages []struct {
				SPDXID, Name, VersionInfo, Supplier string
				Checksums                           []struct{ ChecksumValue string }
				ExternalRefs                        []struct{ ReferenceLocator string }
			}
		}
		check(t, json.Unmarshal(b, &doc))
		related := map[string]bool{}
		for _, r := range doc.Relationships {
			related[r.SPDXElementID+" "+r.RelationshipType+" "+r.RelatedSPDXElement] = true
		}
		if len(doc.Packages) != len(x.Images)+1 || len(doc.ExternalDocumentRefs) != len(x.Images) || doc.Packages[0].Checksums[0].ChecksumValue != x.Digest.Hex() ||
			!related["SPDXRef-DOCUMENT DESCRIBES SPDXRef-Image"] || len(related) != 1+2*len(x.Images) || !doc.CreationInfo.Created.Equal(x.Created) {
			t.Fatalf("%s: SPDX: %+v", name, doc)
		}
		b, err = CycloneDXIndex(x)
		check(t, err)
		var bom struct {
			cdxDoc
			Components []struct {
				cdxComponent
				ExternalReferences []struct{ Type, URL string }
			}
		}
		check(t, json.Unmarshal(b, &bom))
		if len(bom.Components) != len(x.Images) || bom.Metadata.Component.Hashes[0].Content != x.Digest.Hex() || len(bom.Dependencies) != 1 ||
			bom.Dependencies[0].Ref != bom.Metadata.Component.Ref || bom.Compositions[0].Aggregate != "complete" {
			t.Fatalf("%s: CycloneDX: %+v", name, bom)
		}
		for i, img := range x.Images {
			p, ref, c := doc.Packages[i+1], doc.ExternalDocumentRefs[i], bom.Components[i]
			sum := sha1.Sum(img.SPDX)
			if !related["SPDXRef-Image CONTAINS "+p.SPDXID] || !related[p.SPDXID+" DESCRIBED_BY "+ref.ExternalDocumentID+":SPDXRef-DOCUMENT"] ||
				p.Checksums[0].ChecksumValue != img.Digest.Hex() || ref.Checksum.ChecksumValue != hex.EncodeToString(sum[:]) || !bytes.Contains(img.SPDX, []byte(`"`+ref.SPDXDocument+`"`)) {
				t.Errorf("%s: SPDX: %+v %+v", name, p, ref)
			}
			own := decode[cdxDoc](t, CycloneDX, img.Image)
			if c.Hashes[0].Content != img.Digest.Hex() || !slices.Contains(bom.Dependencies[0].DependsOn, c.Ref) || c.Ref != own.Metadata.Component.Ref ||
				c.ExternalReferences[0].Type != "bom" || c.ExternalReferences[0].URL != "urn:cdx:"+strings.TrimPrefix(own.SerialNumber, "urn:uuid:")+"/1" {
				t.Errorf("%s: CycloneDX: %+v", name, c)
			}
			if p.Name == "" || p.VersionInfo == "" || c.Name == "" || c.Version == "" ||
				named && (p.Supplier == "NOASSERTION" || c.Supplier.Name == "" || !strings.Contains(c.PURL, "?arch=") || p.ExternalRefs[0].ReferenceLocator != c.PURL) {
				t.Errorf("%s: %+v %+v", name, p, c)
			}
		}
	}
}

// A document that does not have all images of the index says so.
func TestIndexIncomplete(t *testing.T) {
	src := sampleIndex(t)
	whole := describeIndex(t, src)
	x, err := IndexOf(src, whole.Images[1:])
	check(t, err)
	b, err := CycloneDXIndex(x)
	check(t, err)
	if whole.completeness() != Complete || x.completeness() != Incomplete || !bytes.Contains(b, []byte("Incomplete: the index lists ")) || bytes.Contains(b, []byte(`"aggregate": "complete"`)) {
		t.Errorf("%s", b)
	}
	if _, err := IndexOf(&oci.Index{Manifest: []byte("[")}, nil); err == nil {
		t.Error("an index that is none is described")
	}
}

// What an image is, its config says without its layers.
func TestIdentify(t *testing.T) {
	src := sampleImage(t)
	want, got := describe(t, src), (*Image)(nil)
	src.Layers = slices.Clone(src.Layers)
	for i := range src.Layers {
		src.Layers[i].Open = nil
	}
	got, err := Identify(src)
	check(t, err)
	got.ToolVersion = want.ToolVersion
	if got.imagePURL() != want.imagePURL() || got.title() != want.title() || got.uuid("x") != want.uuid("x") || len(got.Packages) > 0 {
		t.Errorf("%+v", got)
	}
}
