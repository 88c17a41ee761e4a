package sboms

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"path"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/spdx/tools-golang/spdx/v2/common"
	"github.com/spdx/tools-golang/spdx/v2/v2_3"

	"github.com/hardpan/hardpan/internal/language"
)

// isProgram reports whether the package is there for its own sake and not for others.
func (p *LanguagePackage) isProgram() bool {
	return p.Type == language.Golang && p.Digests != nil || p.Type == language.NPM && p.Package < 0 && !strings.Contains(p.Path, "/node_modules/")
}

// place is where the package is.
func (p *LanguagePackage) place() string {
	if p.Within != "" {
		return p.Path + ", in it " + p.Within
	}
	return p.Path
}

// origin says where the file comes from that states the package.
func (p *LanguagePackage) origin() string {
	if p.Origin == nil {
		return ""
	}
	return p.Origin.String()
}

// languageOwner names the Debian package that the package is part of, "" if there is none.
func (img *Image) languageOwner(p *LanguagePackage) string {
	if p.Package < 0 {
		return ""
	}
	return img.Packages[p.Package].Name + " " + img.Packages[p.Package].Version
}

// languageVersion is the package's version or, of a jar that states none, that of the
// Debian package that ships it, else its digest, which tells versions apart as well.
func (img *Image) languageVersion(p *LanguagePackage) string {
	switch {
	case p.Version != "":
		return p.Version
	case p.Package >= 0:
		return img.Packages[p.Package].Version
	case p.Digests != nil:
		return "sha256:" + p.Digests.SHA256
	}
	return ""
}

// cdxParts returns the packages of languages that are part of something.
func (img *Image) cdxParts(of part, languages map[part][]int, contents map[part][]*File) *[]cdx.Component {
	var parts []cdx.Component
	for _, i := range languages[of] {
		parts = append(parts, img.cdxLanguage(i, languages, contents))
	}
	if len(parts) == 0 {
		return nil
	}
	return &parts
}

// cdxLanguage returns a package of a language with what is part of it. One that a
// Debian package ships is part of that, whose version says which fixes it has.
func (img *Image) cdxLanguage(i int, languages map[part][]int, contents map[part][]*File) cdx.Component {
	p := &img.Languages[i]
	c := cdx.Component{
		BOMRef: p.ref(), Type: cdx.ComponentTypeLibrary, Group: p.Namespace, Name: p.Name, Version: img.languageVersion(p), PackageURL: p.purl(),
		Supplier: cdxParty(p.Supplier), Licenses: cdxLicences(p.Licence),
		Properties: properties("hardpan:location", p.place(), "hardpan:origin", cmp.Or(p.origin(), "unknown"), "hardpan:package", img.languageOwner(p),
			"hardpan:licences", p.Licence.Source, "hardpan:go-sum", p.Sum),
		Components: img.cdxParts(part{ofLanguage, i}, languages, contents), Evidence: cdxFiles(contents[part{ofLanguage, i}]),
	}
	if p.isProgram() {
		c.Type = cdx.ComponentTypeApplication
	}
	c.ExternalReferences = references(cdx.ERTypeVCS, p.repository(), cdx.ERTypeWebsite, webAddress(p.Homepage))
	if d := p.Digests; d != nil {
		c.Hashes = cdxHashes(d.SHA256, d.SHA512)
		archive, structured := "archive", "structured"
		if p.Type == language.Golang {
			archive, structured = "no archive", "unstructured"
		}
		*c.Properties = append(*c.Properties, *properties("bsi:component:filename", path.Base(cmp.Or(p.Within, p.Path)), "bsi:component:executable", "executable",
			"bsi:component:archive", archive, "bsi:component:structured", structured)...)
	}
	return c
}

// cdxHashes returns those that are known.
func cdxHashes(long, longer string) *[]cdx.Hash {
	hashes := []cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: long}}
	if longer != "" {
		hashes = append(hashes, cdx.Hash{Algorithm: cdx.HashAlgoSHA512, Value: longer})
	}
	return &hashes
}

// cdxParty returns a party with how to reach it, nil if there is none.
func cdxParty(p Party) *cdx.OrganizationalEntity {
	if p.Name == "" {
		return nil
	}
	e := &cdx.OrganizationalEntity{Name: p.Name}
	if p.Web != "" {
		e.URL = &[]string{p.Web}
	}
	if p.Address != "" {
		e.Contact = &[]cdx.OrganizationalContact{{Name: p.Name, Email: p.Address}}
	}
	return e
}

// spdxID returns the package's identifier; its place and its package URL are in it.
func (p *LanguagePackage) spdxID() string {
	sum := sha256.Sum256([]byte(p.ref()))
	return "Package-" + p.Type + "-" + hex.EncodeToString(sum[:8])
}

// language adds a package of a language, related to what it is part of.
func (d *spdxDocument) language(i int) {
	p, files := &d.img.Languages[i], d.contents[part{ofLanguage, i}]
	id := p.spdxID()
	s := &v2_3.Package{
		PackageName: p.Name, PackageSPDXIdentifier: common.ElementID(id), PackageVersion: d.img.languageVersion(p),
		PackageSupplier: spdxSupplier(p.Supplier), PackageDownloadLocation: noAssertion, PackageHomePage: webAddress(p.Homepage),
		PackageSourceInfo:       "stated by " + p.place() + ", from " + cmp.Or(p.origin(), "nothing says where"),
		PackageLicenseConcluded: p.Licence.Expression, PackageLicenseDeclared: p.Licence.Expression, PackageLicenseComments: p.Licence.Source,
		PackageCopyrightText: noAssertion, PrimaryPackagePurpose: "LIBRARY",
		PackageExternalReferences: []*v2_3.PackageExternalReference{spdxPURL(p.purl())},
	}
	if p.isProgram() {
		s.PrimaryPackagePurpose = "APPLICATION"
	}
	if upstream := p.repository(); upstream != "" {
		s.PackageSourceInfo += "; sources " + upstream
	}
	if owner := d.img.languageOwner(p); owner != "" {
		s.PackageComment = "part of the Debian package " + owner + ", whose version says which fixes it has"
	}
	if p.Sum != "" {
		s.Annotations = append(s.Annotations, d.annotation("go.sum: "+p.Sum))
	}
	if h := p.Digests; h != nil {
		s.PackageFileName = path.Base(cmp.Or(p.Within, p.Path))
		s.PackageChecksums = spdxChecksums(h.SHA256, h.SHA512)
	}
	if len(files) > 0 {
		s.FilesAnalyzed, s.PackageLicenseInfoFromFiles = true, []string{noAssertion}
		s.PackageVerificationCode = &common.PackageVerificationCode{Value: verificationCode(files)}
	}
	d.Packages = append(d.Packages, s)
	d.licences(p.Licence, p.Path)
	d.languageRelations(p, id)
	for _, f := range files {
		d.file(id, f)
	}
}

func (d *spdxDocument) languageRelations(p *LanguagePackage, id string) {
	owner := spdxImage
	switch {
	case p.Parent >= 0:
		owner = d.img.Languages[p.Parent].spdxID()
	case p.Package >= 0:
		owner = d.img.Packages[p.Package].spdxID()
	}
	d.relate(owner, common.TypeRelationshipContains, id)
	for _, on := range p.DependsOn {
		d.relate(id, common.TypeRelationshipDependsOn, d.img.Languages[on].spdxID())
	}
	switch {
	case len(p.DependsOn) > 0:
	case p.Described:
		d.relateTo(id, "NONE")
	default:
		d.relateTo(id, noAssertion)
	}
}

// languageRoots says which packages of languages the image, or the Debian package that
// ships them, needs.
func (d *spdxDocument) languageRoots() {
	for debian, list := range d.img.languageRoots() { // relationships are sorted later
		owner := spdxImage
		if debian >= 0 {
			owner = d.img.Packages[debian].spdxID()
		}
		for _, i := range list {
			d.relate(owner, common.TypeRelationshipDependsOn, d.img.Languages[i].spdxID())
		}
	}
}

// spdxChecksums returns those that are known.
func spdxChecksums(long, longer string) []common.Checksum {
	sums := []common.Checksum{{Algorithm: common.SHA256, Value: long}}
	if longer != "" {
		sums = append(sums, common.Checksum{Algorithm: common.SHA512, Value: longer})
	}
	return sums
}
