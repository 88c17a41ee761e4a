package sboms

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// CycloneDX returns the image's description as CycloneDX 1.6 in JSON
// (https://cyclonedx.org/docs/1.6/json/). The image is the document's subject; its
// packages are the components of the document. Files, which have no version or supplier
// of their own, are where a package, or the image itself, occurs, with their digests and
// origins as context.
func CycloneDX(img *Image) ([]byte, error) {
	contents, languages := img.contents(), img.languageParts()
	bom := cdx.NewBOM()
	bom.SerialNumber = img.cdxSerial()
	bom.Metadata = img.cdxMetadata(img.statement())
	components := []cdx.Component{} // an image without any has an empty list, not none
	for i := range img.Packages {
		c := img.cdxPackage(&img.Packages[i])
		c.Components, c.Evidence = img.cdxParts(part{ofPackage, i}, languages, contents), cdxFiles(contents[part{ofPackage, i}])
		components = append(components, c)
	}
	for i := range img.Components {
		c := img.cdxOwn(&img.Components[i])
		c.Evidence = cdxFiles(contents[part{ofComponent, i}])
		components = append(components, c)
	}
	for _, i := range languages[part{}] {
		components = append(components, img.cdxLanguage(i, languages, contents))
	}
	bom.Metadata.Component.Evidence = cdxFiles(contents[part{}])
	bom.Components = &components
	bom.Dependencies = img.cdxDependencies()
	bom.Compositions = img.cdxCompositions()
	return encodeCycloneDX(bom)
}

// cdxSerial is the name of the image's document, unique in the world.
func (img *Image) cdxSerial() string { return "urn:uuid:" + img.uuid("cyclonedx") }

// cdxImage returns the image, or the index of several, as a component.
func (img *Image) cdxImage() *cdx.Component {
	c := &cdx.Component{
		BOMRef: img.cdxRef(), Type: cdx.ComponentTypeContainer, Name: img.Name, Version: cmp.Or(img.Version, string(img.Digest)),
		Hashes: cdxHashes(img.Digest.Hex(), img.SHA512), PackageURL: img.imagePURL(), Supplier: cdxParty(img.Publisher),
	}
	if img.Licence != "" {
		c.Licenses = cdxLicences(Licence{Expression: img.Licence})
	}
	c.ExternalReferences = references(cdx.ERTypeWebsite, img.Publisher.Web, cdx.ERTypeVCS, img.Sources)
	return c
}

// cdxMetadata returns what is not of the content, with how far the document is complete.
func (img *Image) cdxMetadata(statement string) *cdx.Metadata {
	m := &cdx.Metadata{
		Timestamp:  img.timestamp(),
		Lifecycles: &[]cdx.Lifecycle{{Phase: cdx.LifecyclePhaseBuild}},
		Tools: &cdx.ToolsChoice{Components: &[]cdx.Component{{
			Type: cdx.ComponentTypeApplication, Name: "hardpan", Version: img.ToolVersion,
			ExternalReferences: &[]cdx.ExternalReference{{Type: cdx.ERTypeWebsite, URL: project}},
		}}},
		Component:  img.cdxImage(),
		Licenses:   &cdx.Licenses{{License: &cdx.License{ID: "CC0-1.0"}}}, // of the document, as SPDX demands it too
		Properties: properties("hardpan:platform", img.Platform, "hardpan:completeness", statement),
	}
	if !img.Recorded { // it was looked at after it was built
		m.Lifecycles = &[]cdx.Lifecycle{{Phase: cdx.LifecyclePhasePostBuild}}
	}
	if by := img.Publisher; by.Name != "" {
		m.Supplier = cdxParty(by)
		m.Manufacturer = m.Supplier
		m.Authors = &[]cdx.OrganizationalContact{{Name: by.Name, Email: by.Address}}
	}
	if base := img.ancestry(); base != "" {
		*m.Properties = append(*m.Properties, *properties("hardpan:base", base)...)
	}
	for _, a := range img.Archives {
		*m.Properties = append(*m.Properties, *properties("hardpan:archive", fmt.Sprintf("%s InRelease %s signed by %s", a.ID, a.InRelease, strings.Join(a.SignedBy, ", ")))...)
	}
	return m
}

// cdxRef is how the document refers to the image.
func (img *Image) cdxRef() string { return cmp.Or(img.imagePURL(), string(img.Digest)) }

func (img *Image) cdxPackage(p *Package) cdx.Component {
	purl := img.purl(p)
	c := cdx.Component{
		BOMRef: purl, Type: cdx.ComponentTypeApplication, Name: p.Name, Version: p.Version, PackageURL: purl,
		Publisher: p.Maintainer, Licenses: cdxLicences(p.Licence), Copyright: p.Licence.Copyright,
		Properties: properties("hardpan:source", p.Source+" "+p.SourceVersion, "hardpan:archive", p.Archive,
			"hardpan:licences", p.Licence.Source),
	}
	if p.isLibrary() {
		c.Type = cdx.ComponentTypeLibrary
	}
	if p.Why != "" {
		*c.Properties = append(*c.Properties, *properties("hardpan:reason", reason(p.Why))...)
	}
	for _, u := range p.Unmet {
		*c.Properties = append(*c.Properties, *properties("hardpan:unmet-dependency", u)...)
	}
	c.Supplier = cdxParty(p.Supplier)
	if p.SHA256 != "" {
		c.Hashes = cdxHashes(p.SHA256, p.SHA512)
		// BSI TR-03183-2 asks for these of the file that a component comes as
		// (https://github.com/BSI-Bund/tr-03183-cyclonedx-property-taxonomy).
		*c.Properties = append(*c.Properties, *properties("bsi:component:filename", path.Base(p.Path), "bsi:component:executable", "non-executable",
			"bsi:component:archive", "archive", "bsi:component:structured", "structured")...)
	}
	c.ExternalReferences = references(cdx.ERTypeDistribution, p.Location, cdxSources, p.Sources, cdx.ERTypeVCS, p.repository(), cdx.ERTypeWebsite, webAddress(p.Homepage))
	if p.Location != "" { // what is fetched from there has the digests of the component (BSI TR-03183-2, 5.2.2)
		(*c.ExternalReferences)[0].Hashes = c.Hashes
	}
	return c
}

// cdxSources is the type of a reference to a source package, which the library lacks.
const cdxSources cdx.ExternalReferenceType = "source-distribution"

// references returns the external references that have an address, given as type and
// address, nil if none has.
func references(pairs ...any) *[]cdx.ExternalReference {
	var list []cdx.ExternalReference
	for pair := range slices.Chunk(pairs, 2) {
		if address := pair[1].(string); address != "" {
			list = append(list, cdx.ExternalReference{Type: pair[0].(cdx.ExternalReferenceType), URL: address})
		}
	}
	if list == nil {
		return nil
	}
	return &list
}

// cdxFiles returns files as the places where that occurs which they belong to, nil if
// there are none. The context of each is "sha256:HEX, from ORIGIN".
func cdxFiles(files []*File) *cdx.Evidence {
	if len(files) == 0 {
		return nil
	}
	list := make([]cdx.EvidenceOccurrence, len(files))
	for i, f := range files {
		list[i] = cdx.EvidenceOccurrence{Location: f.Path, AdditionalContext: "sha256:" + f.SHA256 + ", " + f.comment()}
	}
	return &cdx.Evidence{Occurrences: &list}
}

// cdxLicences returns the choice for an expression: an identifier of SPDX's list
// stands as one, anything else as an expression. What a copyright file says is both
// declared, by who made the package, and concluded, which BSI TR-03183-2 calls original
// and distribution licences: nothing else is known of it. CycloneDX 1.6 has room for both
// of single licences; an expression is one, and says concluded.
func cdxLicences(l Licence) *cdx.Licenses {
	const concluded, declared = cdx.LicenseAcknowledgementConcluded, cdx.LicenseAcknowledgementDeclared
	switch {
	case l.Expression == noAssertion:
		return nil
	case spdxIDs()[strings.ToLower(l.Expression)] != "":
		return &cdx.Licenses{
			{License: &cdx.License{ID: l.Expression, Acknowledgement: concluded}}, {License: &cdx.License{ID: l.Expression, Acknowledgement: declared}},
		}
	case len(l.Custom) == 1 && l.Custom[0].ID == l.Expression && l.Custom[0].Name != "":
		text := &cdx.AttachedText{ContentType: "text/plain", Content: cmp.Or(l.Custom[0].Text, l.Custom[0].Name)}
		return &cdx.Licenses{
			{License: &cdx.License{Name: l.Expression, Acknowledgement: concluded, Text: text}}, {License: &cdx.License{Name: l.Expression, Acknowledgement: declared}},
		}
	}
	return &cdx.Licenses{{Expression: l.Expression}} // see encodeCycloneDX
}

// encodeCycloneDX returns the document as JSON. Expressions get the acknowledgement that
// the library has for single licences only; a text cannot look like the key, for its
// quotation marks are escaped.
func encodeCycloneDX(bom *cdx.BOM) ([]byte, error) {
	b, err := encode(bom)
	if err != nil {
		return nil, err
	}
	const key = `"expression": `
	return bytes.ReplaceAll(b, []byte(key), []byte(`"acknowledgement": "concluded", `+key)), nil
}

// cdxDependencies returns the graph, rooted in the image.
func (img *Image) cdxDependencies() *[]cdx.Dependency {
	refs := func(packages, languages []int) []string {
		list := make([]string, 0, len(packages)+len(languages))
		for _, i := range packages {
			list = append(list, img.purl(&img.Packages[i]))
		}
		for _, i := range languages {
			list = append(list, img.Languages[i].ref())
		}
		return list
	}
	languages := img.languageRoots()
	roots := refs(img.roots(), languages[-1])
	var list []cdx.Dependency
	add := func(ref string, on []string) {
		slices.Sort(on)
		list = append(list, cdx.Dependency{Ref: ref, Dependencies: &on})
	}
	for i := range img.Components {
		purl := img.componentPURL(&img.Components[i])
		roots = append(roots, purl)
		add(purl, []string{})
	}
	for i := range img.Packages {
		p, within := &img.Packages[i], languages[i]
		if p.Described || len(within) > 0 {
			add(img.purl(p), refs(p.DependsOn, within))
		}
	}
	for i := range img.Languages {
		if p := &img.Languages[i]; p.Described || len(p.DependsOn) > 0 {
			add(p.ref(), refs(nil, p.DependsOn))
		}
	}
	slices.SortFunc(list, func(a, b cdx.Dependency) int { return strings.Compare(a.Ref, b.Ref) })
	slices.Sort(roots)
	all := append([]cdx.Dependency{{Ref: img.cdxRef(), Dependencies: &roots}}, list...)
	return &all
}

// cdxCompositions says how far the list of what is in the image is complete, and of which
// components all that they depend on is: of those that speak of it, if the image has it all.
func (img *Image) cdxCompositions() *[]cdx.Composition {
	root := []cdx.BOMReference{cdx.BOMReference(img.cdxRef())}
	all := []cdx.Composition{{Aggregate: cdx.CompositionAggregate(img.Completeness), Assemblies: &root, Dependencies: &root}}
	known := map[cdx.CompositionAggregate][]cdx.BOMReference{}
	add := func(ref string, described, lacks bool) {
		aggregate := cdx.CompositionAggregateComplete
		switch {
		case !described:
			aggregate = cdx.CompositionAggregateUnknown
		case lacks:
			aggregate = cdx.CompositionAggregateIncomplete
		}
		known[aggregate] = append(known[aggregate], cdx.BOMReference(ref))
	}
	for i := range img.Packages {
		p := &img.Packages[i]
		add(img.purl(p), p.Described, len(p.Unmet) > 0)
	}
	for i := range img.Components {
		add(img.componentPURL(&img.Components[i]), true, false)
	}
	for i := range img.Languages {
		p := &img.Languages[i]
		add(p.ref(), p.Described, p.lacks)
	}
	for _, aggregate := range slices.Sorted(maps.Keys(known)) {
		refs := known[aggregate]
		slices.Sort(refs)
		all = append(all, cdx.Composition{Aggregate: aggregate, Dependencies: &refs})
	}
	return &all
}

// properties returns the properties that have a value, given as name and value.
func properties(pairs ...string) *[]cdx.Property {
	var list []cdx.Property
	for pair := range slices.Chunk(pairs, 2) {
		if pair[1] != "" {
			list = append(list, cdx.Property{Name: pair[0], Value: pair[1]})
		}
	}
	return &list
}
