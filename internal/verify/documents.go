package verify

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/sboms"
)

// format is one kind of SBOM.
type format struct {
	name, predicate string
	make            func(*sboms.Image) ([]byte, error)
	list            func([]byte) (map[string]string, error) // what the document lists, with its digest
}

var formatList = []format{
	{"SPDX", sboms.SPDXType, sboms.SPDX, listSPDX},
	{"CycloneDX", sboms.CycloneDXType, sboms.CycloneDX, listCycloneDX},
}

// compare returns what a document says of an image that is otherwise.
func (f *format) compare(document []byte, is *sboms.Image) ([]string, error) {
	said, err := f.list(document)
	if err != nil {
		return nil, err
	}
	again, err := f.make(is)
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

// listSPDX returns the files and packages of an SPDX document.
func listSPDX(document []byte) (map[string]string, error) {
	type checksums []struct{ Algorithm, ChecksumValue string }
	digest := func(list checksums) string {
		for _, c := range list {
			if c.Algorithm == "SHA256" {
				return "sha256:" + c.ChecksumValue
			}
		}
		return "without a SHA-256"
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
		}
	}
	if err := json.Unmarshal(document, &d); err != nil {
		return nil, err
	}
	if !strings.HasPrefix(d.SPDXVersion, "SPDX-2.") {
		return nil, fmt.Errorf("version is %.40q, expected SPDX-2.x", d.SPDXVersion)
	}
	all := map[string]string{}
	for _, f := range d.Files {
		all["file "+strings.TrimPrefix(f.FileName, ".")] = digest(f.Checksums)
	}
	for _, p := range d.Packages {
		all["package "+p.Name+" "+p.VersionInfo] = digest(p.Checksums)
	}
	return all, nil
}

// component is what a CycloneDX document says of one thing.
type component struct {
	Type, Name, Version string
	BOMRef              string `json:"bom-ref"`
	Hashes              []struct{ Alg, Content string }
	Components          []component
}

// listCycloneDX returns the components of a CycloneDX document.
func listCycloneDX(document []byte) (map[string]string, error) {
	var d struct {
		BOMFormat  string
		Components []component
	}
	if err := json.Unmarshal(document, &d); err != nil {
		return nil, err
	}
	if d.BOMFormat != "CycloneDX" {
		return nil, fmt.Errorf("bomFormat is %.40q, expected CycloneDX", d.BOMFormat)
	}
	all := map[string]string{}
	var add func([]component)
	add = func(list []component) {
		for _, c := range list {
			digest := "without a SHA-256"
			for _, h := range c.Hashes {
				if h.Alg == "SHA-256" {
					digest = "sha256:" + h.Content
				}
			}
			all[strings.TrimSpace(c.Type+" "+c.Name+" "+c.Version)] = digest
			add(c.Components)
		}
	}
	add(d.Components)
	return all, nil
}
