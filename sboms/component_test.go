package sboms

import (
	"slices"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/probe"
)

// A program that hardpan added is a component of its own, with supplier, licence and
// digest, and holds its file.
func TestComponent(t *testing.T) {
	img := describe(t, probeImage(t))
	binary, err := probe.Binary("amd64")
	check(t, err)
	if img.Completeness != Complete || len(img.Components) != 1 || img.Components[0].Path != probe.Path {
		t.Fatalf("completeness %s %q, components %+v", img.Completeness, img.Gaps, img.Components)
	}
	sum := img.Components[0].SHA256
	purl := "pkg:generic/hardpan-probe@" + probe.Version + "?arch=amd64&checksum=sha256:" + sum
	bom := decode[cdxDoc](t, CycloneDX, img)
	i := slices.IndexFunc(bom.Components, func(c cdxComponent) bool { return c.PURL == purl })
	if i < 0 {
		t.Fatalf("CycloneDX has no component %s", purl)
	}
	c := bom.Components[i]
	if c.Name != probe.Name || c.Supplier.Name != "hardpan" || len(c.Hashes) != 1 || c.Hashes[0].Content != sum ||
		len(c.Evidence.Occurrences) != 1 || c.Evidence.Occurrences[0].Location != "/"+probe.Path || !strings.HasPrefix(c.Evidence.Occurrences[0].AdditionalContext, "sha256:"+sum+", from hardpan") {
		t.Errorf("CycloneDX: %+v", c)
	}
	doc := decode[spdxDoc](t, SPDX, img)
	j := slices.IndexFunc(doc.Packages, func(p struct {
		SPDXID, Name, VersionInfo, Supplier, DownloadLocation string
		LicenseDeclared                                       string
		ExternalRefs                                          []struct{ ReferenceType, ReferenceLocator string }
	}) bool {
		return p.Name == probe.Name
	})
	if j < 0 || doc.Packages[j].LicenseDeclared != "Apache-2.0" || doc.Packages[j].ExternalRefs[0].ReferenceLocator != purl {
		t.Fatalf("SPDX: %+v", doc.Packages)
	}
	k := slices.IndexFunc(img.Files, func(f File) bool { return f.Path == "/"+probe.Path })
	if k < 0 || img.Files[k].Size != int64(len(binary)) || img.Files[k].Origin.String() != "hardpan, health probe hardpan-probe "+probe.Version+", spec child.yaml:3" {
		t.Errorf("file %+v", img.Files[k])
	}

	// What the record says of it is compared with what is there.
	img.Components[0].SHA256 = sum[1:] + "0"
	if owner := img.owner(&img.Files[k]); owner != (part{}) {
		t.Errorf("a file of another digest belongs to %v", owner)
	}
}
