package sboms

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"path"
	"slices"
	"strings"

	"github.com/spdx/tools-golang/spdx/v2/common"
	"github.com/spdx/tools-golang/spdx/v2/v2_3"
)

// SPDX returns the image's description as SPDX 2.3 in JSON
// (https://spdx.github.io/spdx-spec/v2.3/). The image is a package that contains all
// others; where a file comes from is its comment.
func SPDX(img *Image) ([]byte, error) {
	d := &spdxDocument{img: img, contents: img.contents(), custom: map[string]*v2_3.OtherLicense{}}
	d.head(img.title(), img.statement())
	d.image()
	for i := range img.Packages {
		d.pkg(i)
	}
	for i := range img.Components {
		d.component(i)
	}
	for i := range img.Languages {
		d.language(i)
	}
	d.languageRoots()
	for _, f := range d.contents[part{}] {
		d.file(spdxImage, f)
	}
	return d.encode()
}

// encode returns the document in order.
func (d *spdxDocument) encode() ([]byte, error) {
	for _, l := range d.custom {
		d.OtherLicenses = append(d.OtherLicenses, l)
	}
	slices.SortFunc(d.OtherLicenses, func(a, b *v2_3.OtherLicense) int {
		return strings.Compare(a.LicenseIdentifier, b.LicenseIdentifier)
	})
	slices.SortFunc(d.Files, func(a, b *v2_3.File) int { return strings.Compare(a.FileName, b.FileName) })
	slices.SortFunc(d.Relationships, compareRelationships)
	return encode(&d.Document)
}

// spdxImage is the identifier of the image, without "SPDXRef-" as those all are.
const spdxImage = "Image"

type spdxDocument struct {
	v2_3.Document
	img      *Image
	contents map[part][]*File
	custom   map[string]*v2_3.OtherLicense
}

// head fills in what is not of the content, with the document's name and how far it
// is complete.
func (d *spdxDocument) head(title, statement string) {
	img := d.img
	creators := []common.Creator{{CreatorType: "Tool", Creator: "hardpan-" + img.ToolVersion}}
	if by := img.Publisher; by.Name != "" {
		creators = append(creators, common.Creator{CreatorType: by.kind(), Creator: by.text()})
	}
	d.Document = v2_3.Document{
		SPDXVersion: v2_3.Version, DataLicense: v2_3.DataLicense, SPDXIdentifier: "DOCUMENT",
		DocumentName: title, DocumentNamespace: img.spdxNamespace(),
		DocumentComment: statement,
		CreationInfo:    &v2_3.CreationInfo{Creators: creators, Created: img.timestamp(), LicenseListVersion: "3.28"},
	}
	d.relate("DOCUMENT", common.TypeRelationshipDescribe, spdxImage)
}

// spdxNamespace is the name of the image's document, unique in the world (SPDX 2.3,
// clause 6.5).
func (img *Image) spdxNamespace() string { return project + "/spdx/" + img.uuid("spdx") }

// container adds an image, or the index of several, as a package.
func (d *spdxDocument) container(img *Image, id, comment string) *v2_3.Package {
	p := &v2_3.Package{
		PackageName: img.Name, PackageSPDXIdentifier: common.ElementID(id), PackageVersion: cmp.Or(img.Version, string(img.Digest)),
		PackageSupplier:         spdxSupplier(img.Publisher),
		PackageDownloadLocation: noAssertion,
		PackageChecksums:        spdxChecksums(img.Digest.Hex(), img.SHA512),
		PackageLicenseConcluded: cmp.Or(img.Licence, noAssertion), PackageLicenseDeclared: cmp.Or(img.Licence, noAssertion), PackageCopyrightText: noAssertion,
		PackageHomePage:       img.Publisher.Web,
		PrimaryPackagePurpose: "CONTAINER",
		PackageComment:        comment,
		Annotations:           []v2_3.Annotation{d.annotation("completeness: " + string(img.Completeness))},
	}
	if purl := img.imagePURL(); purl != "" {
		p.PackageExternalReferences = append(p.PackageExternalReferences, spdxPURL(purl))
	}
	if img.Sources != "" {
		p.PackageSourceInfo = "sources: " + img.Sources
	}
	if from := img.provenance(); from != "" {
		p.PackageSourceInfo = strings.TrimPrefix(p.PackageSourceInfo+"; packages taken from "+from, "; ")
	}
	if base := img.ancestry(); base != "" {
		p.PackageSourceInfo = strings.TrimPrefix(p.PackageSourceInfo+"; stands on "+base, "; ")
	}
	d.Packages = append(d.Packages, p)
	return p
}

func (d *spdxDocument) image() {
	img := d.img
	d.container(img, spdxImage, img.comment())
	for _, i := range img.roots() {
		d.relate(spdxImage, common.TypeRelationshipDependsOn, img.Packages[i].spdxID())
	}
}

func (d *spdxDocument) pkg(i int) {
	p, files := &d.img.Packages[i], d.contents[part{ofPackage, i}]
	id := p.spdxID()
	s := &v2_3.Package{
		PackageName: p.Name, PackageSPDXIdentifier: common.ElementID(id), PackageVersion: p.Version,
		PackageSupplier: spdxSupplier(p.Supplier), PackageDownloadLocation: cmp.Or(p.Location, noAssertion),
		PackageHomePage:           webAddress(p.Homepage),
		PackageSourceInfo:         sourceInfo(p),
		PackageLicenseConcluded:   p.Licence.Expression,
		PackageLicenseDeclared:    p.Licence.Expression,
		PackageLicenseComments:    p.Licence.Source,
		PackageCopyrightText:      cmp.Or(p.Licence.Copyright, noAssertion),
		PrimaryPackagePurpose:     "APPLICATION",
		PackageExternalReferences: []*v2_3.PackageExternalReference{spdxPURL(d.img.purl(p))},
	}
	if p.isLibrary() {
		s.PrimaryPackagePurpose = "LIBRARY"
	}
	if m := maintainer(p.Maintainer); m.Name != "" {
		s.PackageOriginator = &common.Originator{OriginatorType: m.kind(), Originator: m.text()}
	}
	if p.SHA256 != "" {
		s.PackageFileName = path.Base(p.Path)
		s.PackageChecksums = spdxChecksums(p.SHA256, p.SHA512)
		s.PackageSourceInfo += "; taken from archive " + p.Archive + "; in the image because " + reason(p.Why)
	}
	if len(files) > 0 { // those of its files that are in the image were read
		s.FilesAnalyzed, s.PackageLicenseInfoFromFiles = true, []string{noAssertion}
		s.PackageVerificationCode = &common.PackageVerificationCode{Value: verificationCode(files)}
	}
	for _, u := range p.Unmet {
		s.Annotations = append(s.Annotations, d.annotation("the image has nothing that satisfies the dependency "+u))
	}
	d.Packages = append(d.Packages, s)
	d.licences(p.Licence, "The copyright file of "+p.Name)
	d.relate(spdxImage, common.TypeRelationshipContains, id)
	d.dependencies(p)
	for _, f := range files {
		d.file(id, f)
	}
}

// sourceInfo says in words what the package was built from.
func sourceInfo(p *Package) string {
	text := "built from source package " + p.Source + " " + p.SourceVersion
	if p.Sources != "" {
		text += ", " + p.Sources
	}
	if upstream := p.repository(); upstream != "" {
		text += ", upstream " + upstream
	}
	return text
}

// dependencies relates a package to those that it depends on, or says that there are
// none or that nobody knows (SPDX 2.3, clause 11.1).
func (d *spdxDocument) dependencies(p *Package) {
	for _, i := range p.DependsOn {
		d.relate(p.spdxID(), common.TypeRelationshipDependsOn, d.img.Packages[i].spdxID())
	}
	special := ""
	switch {
	case !p.Described:
		special = noAssertion
	case len(p.DependsOn) == 0:
		special = "NONE"
	default:
		return
	}
	d.relateTo(p.spdxID(), special)
}

func (d *spdxDocument) file(owner string, f *File) {
	sum := sha256.Sum256([]byte(f.Path))
	id := "File-" + hex.EncodeToString(sum[:8])
	s := &v2_3.File{
		FileName: "." + f.Path, FileSPDXIdentifier: common.ElementID(id),
		Checksums:          []common.Checksum{{Algorithm: common.SHA1, Value: f.SHA1}, {Algorithm: common.SHA256, Value: f.SHA256}},
		LicenseConcluded:   noAssertion,
		LicenseInfoInFiles: []string{noAssertion},
		FileCopyrightText:  noAssertion,
		FileComment:        f.comment(),
	}
	d.Files = append(d.Files, s)
	d.relate(owner, common.TypeRelationshipContains, id)
}

// licences adds what the LicenseRef- identifiers of a package's licence stand for.
func (d *spdxDocument) licences(l Licence, name string) {
	for _, c := range l.Custom {
		if d.custom[c.ID] == nil {
			d.custom[c.ID] = &v2_3.OtherLicense{
				LicenseIdentifier: c.ID, LicenseName: cmp.Or(c.Name, noAssertion),
				ExtractedText: cmp.Or(c.Text, name+" names this licence "+c.Name+" and gives no text of it."),
			}
		}
	}
}

func (d *spdxDocument) relate(from, relationship, to string) {
	d.Relationships = append(d.Relationships, &v2_3.Relationship{
		RefA: common.MakeDocElementID("", from), Relationship: relationship, RefB: common.MakeDocElementID("", to),
	})
}

// relateTo says that something depends on NONE, or that nobody knows on what (SPDX 2.3,
// clause 11.1).
func (d *spdxDocument) relateTo(from, special string) {
	d.Relationships = append(d.Relationships, &v2_3.Relationship{
		RefA: common.MakeDocElementID("", from), Relationship: common.TypeRelationshipDependsOn, RefB: common.MakeDocElementSpecial(special),
	})
}

func (d *spdxDocument) annotation(text string) v2_3.Annotation {
	return v2_3.Annotation{
		Annotator:      common.Annotator{AnnotatorType: "Tool", Annotator: "hardpan-" + d.img.ToolVersion},
		AnnotationDate: d.img.timestamp(), AnnotationType: "OTHER", AnnotationComment: text,
	}
}

func compareRelationships(a, b *v2_3.Relationship) int {
	if c := strings.Compare(string(a.RefA.ElementRefID), string(b.RefA.ElementRefID)); c != 0 {
		return c
	}
	if c := strings.Compare(a.Relationship, b.Relationship); c != 0 {
		return c
	}
	if a.RefB.SpecialID == "" && b.RefB.SpecialID == "" {
		return strings.Compare(string(a.RefB.ElementRefID), string(b.RefB.ElementRefID))
	}
	return strings.Compare(string(a.RefB.ElementRefID)+a.RefB.SpecialID, string(b.RefB.ElementRefID)+b.RefB.SpecialID)
}

// spdxID returns the package's identifier, of letters, digits, "." and "-" (SPDX 2.3,
// clause 7.2). Two packages differ in more than the "+" of their names.
func (p *Package) spdxID() string {
	return "Package-" + strings.ReplaceAll(p.Name, "+", "-plus") + "-" + p.Architecture
}

func spdxSupplier(p Party) *common.Supplier {
	if p.Name == "" {
		return &common.Supplier{Supplier: noAssertion}
	}
	return &common.Supplier{SupplierType: p.kind(), Supplier: p.text()}
}

func spdxPURL(purl string) *v2_3.PackageExternalReference {
	return &v2_3.PackageExternalReference{Category: common.CategoryPackageManager, RefType: common.TypePackageManagerPURL, Locator: purl}
}

// reason completes "in the image because".
func reason(why string) string {
	if why == "requested" {
		return "the spec names it"
	}
	return why
}
