package verify

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/sboms"
)

// format is one kind of SBOM.
type format struct {
	name, predicate string
	make            func(*sboms.Image) ([]byte, error)
	makeIndex       func(*sboms.Index) ([]byte, error)
	list            func([]byte) (listing, error) // what the document lists, with its digest
}

var formatList = []format{
	{"SPDX", sboms.SPDXType, sboms.SPDX, sboms.SPDXIndex, listSPDX},
	{"CycloneDX", sboms.CycloneDXType, sboms.CycloneDX, sboms.CycloneDXIndex, listCycloneDX},
}

// formats returns those that there are attestations of.
func (a attested) formats() []format {
	return slices.DeleteFunc(slices.Clone(formatList), func(f format) bool { return len(a[f.predicate]) == 0 })
}

// names joins the names of formats.
func names(formats []format) string {
	var list []string
	for _, f := range formats {
		list = append(list, f.name)
	}
	return strings.Join(list, " and ")
}

// compare returns what a document says of an image that is otherwise.
func (f *format) compare(document []byte, is *sboms.Image) ([]string, error) {
	again, err := f.make(is)
	if err != nil {
		return nil, err
	}
	return f.differences(document, again)
}

// compareIndex returns what a document says of an index that is otherwise.
func (f *format) compareIndex(document []byte, is *sboms.Index) ([]string, error) {
	again, err := f.makeIndex(is)
	if err != nil {
		return nil, err
	}
	return f.differences(document, again)
}

// differences returns what a document lists otherwise than the one made again.
func (f *format) differences(document, again []byte) ([]string, error) {
	said, err := f.list(document)
	if err != nil {
		return nil, err
	}
	found, err := f.list(again)
	if err != nil {
		return nil, err
	}
	var differences []string
	for _, name := range slices.Sorted(maps.Keys(found)) {
		switch digest, ok := said[name]; {
		case !ok:
			differences = append(differences, name+" is in the image and not in the document")
		case digest != found[name]:
			differences = append(differences, fmt.Sprintf("%s is %.19s, the document says %.19s", name, found[name], digest))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(said)) {
		if _, ok := found[name]; !ok {
			differences = append(differences, name+" is in the document and not in the image")
		}
	}
	return differences, nil
}

// listing is what a document lists, by name, with its digest.
type listing map[string]string

func (l listing) add(name, digest string) {
	name = strings.TrimSpace(name)
	if before, ok := l[name]; ok && before != digest {
		digest = "several things"
	}
	l[name] = digest
}

// kind returns what tells things of one name and version apart: the package URL, by which
// scanners know them, and of its qualifiers the architecture. That of an image has its
// digest, which is compared anyway.
func kind(purl string) string {
	name, qualifiers, _ := strings.Cut(purl, "?")
	values, err := url.ParseQuery(qualifiers)
	if err != nil {
		return purl
	}
	if strings.HasPrefix(name, "pkg:oci/") {
		name = ""
	}
	return strings.TrimSpace(name + " " + values.Get("arch"))
}

// digests are those that a document has of one thing, of which it may say one by SHA-256.
type digests string

func (d *digests) add(hex string) {
	switch is := digests("sha256:" + hex); {
	case *d == "" || *d == is:
		*d = is
	default:
		*d = "several things"
	}
}

func (d digests) String() string { return cmp.Or(string(d), "without a SHA-256") }

// listSPDX returns the files and packages of an SPDX document.
func listSPDX(document []byte) (listing, error) {
	type checksums []struct{ Algorithm, ChecksumValue string }
	digest := func(sums checksums) string {
		var d digests
		for _, c := range sums {
			if c.Algorithm == "SHA256" {
				d.add(c.ChecksumValue)
			}
		}
		return d.String()
	}
	var d struct {
		SPDXVersion string
		Files       []struct {
			FileName  string
			Checksums checksums
		}
		Packages []struct {
			Name, VersionInfo string
			Checksums         checksums
			ExternalRefs      []struct{ ReferenceType, ReferenceLocator string }
		}
	}
	if err := json.Unmarshal(document, &d); err != nil {
		return nil, err
	}
	if !strings.HasPrefix(d.SPDXVersion, "SPDX-2.") {
		return nil, fmt.Errorf("version is %.40q, expected SPDX-2.x", d.SPDXVersion)
	}
	all := listing{}
	for _, f := range d.Files {
		all.add("file "+strings.TrimPrefix(f.FileName, "."), digest(f.Checksums))
	}
	for _, p := range d.Packages {
		purl := ""
		for _, r := range p.ExternalRefs {
			if r.ReferenceType == "purl" {
				purl = r.ReferenceLocator
			}
		}
		all.add("package "+p.Name+" "+p.VersionInfo+" "+kind(purl), digest(p.Checksums))
	}
	return all, nil
}

// component is what a CycloneDX document says of one thing.
type component struct {
	Type, Name, Version string
	PURL                string
	Hashes              []struct{ Alg, Content string }
	Components          []component
	Evidence            struct{ Occurrences []occurrence }
}

// occurrence is a file of a component, with its digest first in the context.
type occurrence struct{ Location, AdditionalContext string }

// listCycloneDX returns the components of a CycloneDX document.
func listCycloneDX(document []byte) (listing, error) {
	var d struct {
		BOMFormat  string
		Metadata   struct{ Component component }
		Components []component
	}
	if err := json.Unmarshal(document, &d); err != nil {
		return nil, err
	}
	if d.BOMFormat != "CycloneDX" {
		return nil, fmt.Errorf("bomFormat is %.40q, expected CycloneDX", d.BOMFormat)
	}
	all := listing{}
	files := func(c component) {
		for _, o := range c.Evidence.Occurrences {
			digest, _, _ := strings.Cut(o.AdditionalContext, ",")
			all.add("file "+o.Location, digest)
		}
	}
	var add func([]component)
	add = func(components []component) {
		for _, c := range components {
			var d digests
			for _, h := range c.Hashes {
				if h.Alg == "SHA-256" {
					d.add(h.Content)
				}
			}
			all.add(strings.TrimSpace(c.Type+" "+c.Name+" "+c.Version)+" "+kind(c.PURL), d.String())
			files(c)
			add(c.Components)
		}
	}
	add(d.Components)
	files(d.Metadata.Component)
	return all, nil
}
