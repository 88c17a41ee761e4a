package sboms

import (
	"path"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/spdx/tools-golang/spdx/v2/common"
	"github.com/spdx/tools-golang/spdx/v2/v2_3"

	"github.com/hardpan/hardpan/internal/record"
)

// projectParty is who supplies the programs that hardpan adds to images.
var projectParty = Party{Name: "hardpan", Web: project, Organization: true}

// componentPURL returns the package URL of a program that hardpan added (types/generic).
func (img *Image) componentPURL(c *record.Component) string {
	_, arch, _ := strings.Cut(img.Platform, "/")
	return "pkg:generic/" + purlEncode(c.Name) + "@" + purlEncode(c.Version) +
		purlQualifiers([][2]string{{"arch", arch}, {"checksum", "sha256:" + c.SHA256}})
}

func (img *Image) cdxOwn(c *record.Component) cdx.Component {
	purl := img.componentPURL(c)
	out := cdx.Component{
		BOMRef: purl, Type: cdx.ComponentTypeApplication, Name: c.Name, Version: c.Version, PackageURL: purl,
		Description: "program that hardpan added to the image",
		Supplier:    cdxParty(projectParty),
		Licenses:    cdxLicences(Licence{Expression: c.Licence}),
		Hashes:      &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: c.SHA256}},
		Properties: properties("bsi:component:filename", path.Base(c.Path), "bsi:component:executable", "executable",
			"bsi:component:archive", "no archive", "bsi:component:structured", "unstructured"),
		ExternalReferences: &[]cdx.ExternalReference{{Type: cdx.ERTypeWebsite, URL: project}},
	}
	return out
}

func (d *spdxDocument) component(i int) {
	c, files := &d.img.Components[i], d.contents[part{ofComponent, i}]
	id := "Component-" + c.Name
	s := &v2_3.Package{
		PackageName: c.Name, PackageSPDXIdentifier: common.ElementID(id), PackageVersion: c.Version,
		PackageSupplier: spdxSupplier(projectParty), PackageDownloadLocation: noAssertion, PackageHomePage: project,
		PackageFileName:         path.Base(c.Path),
		PackageChecksums:        []common.Checksum{{Algorithm: common.SHA256, Value: c.SHA256}},
		PackageSourceInfo:       "program that hardpan added to the image",
		PackageLicenseConcluded: c.Licence, PackageLicenseDeclared: c.Licence, PackageCopyrightText: noAssertion,
		PrimaryPackagePurpose:     "APPLICATION",
		PackageExternalReferences: []*v2_3.PackageExternalReference{spdxPURL(d.img.componentPURL(c))},
	}
	if len(files) > 0 {
		s.FilesAnalyzed, s.PackageLicenseInfoFromFiles = true, []string{noAssertion}
		s.PackageVerificationCode = &common.PackageVerificationCode{Value: verificationCode(files)}
	}
	d.Packages = append(d.Packages, s)
	d.relate(spdxImage, common.TypeRelationshipContains, id)
	d.relate(spdxImage, common.TypeRelationshipDependsOn, id)
	d.relateTo(id, "NONE")
	for _, f := range files {
		d.file(id, f)
	}
}
