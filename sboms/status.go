package sboms

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/debian"
)

// control is what a paragraph of dpkg's database says of an installed package.
type control struct {
	name, version, architecture string
	source, sourceVersion       string
	maintainer, homepage        string
	section, supplier           string // supplier is the field Origin, which derivatives set
	depends, provides           debian.Relations
}

// readStatus reads a file of dpkg's database: var/lib/dpkg/status, which has a Status
// field in each paragraph (dpkg(1), "Package states"), or one of status.d, which may
// have none. Packages that are not installed are left out. A relation that cannot be
// read is an error, since a graph without it would be wrong.
func readStatus(r io.Reader) ([]*control, error) {
	var list []*control
	for paragraphs := debian.NewControlReader(r); ; {
		p, err := paragraphs.Next()
		if err == io.EOF {
			return list, nil
		}
		if err != nil {
			return nil, err
		}
		if status := strings.Fields(p.Get("Status")); len(status) > 0 && status[len(status)-1] != "installed" {
			continue
		}
		c, err := controlOf(p)
		if err != nil {
			return nil, fmt.Errorf("package %.80q: %w", p.Get("Package"), err)
		}
		list = append(list, c)
	}
}

func controlOf(p debian.Paragraph) (*control, error) {
	c := &control{
		name: p.Get("Package"), version: p.Get("Version"), architecture: p.Get("Architecture"),
		maintainer: p.Get("Maintainer"), homepage: p.Get("Homepage"), section: p.Get("Section"), supplier: p.Get("Origin"),
	}
	if c.name == "" || c.version == "" {
		return nil, fmt.Errorf("found the version %q, expected a package name and a version", c.version)
	}
	c.source, c.sourceVersion = c.name, c.version
	if name, version, _ := strings.Cut(p.Get("Source"), " "); name != "" { // "name" or "name (version)"
		c.source = name
		if version = strings.Trim(version, " ()"); version != "" {
			c.sourceVersion = version
		}
	}
	for _, field := range []string{"Pre-Depends", "Depends"} {
		rs, err := debian.ParseRelations(p.Get(field))
		if err != nil {
			return nil, fmt.Errorf("field %s: %w", field, err)
		}
		c.depends = append(c.depends, rs...)
	}
	var err error
	if c.provides, err = debian.ParseRelations(p.Get("Provides")); err != nil {
		return nil, fmt.Errorf("field Provides: %w", err)
	}
	return c, nil
}

// relate fills in what the control fields say of the packages' dependencies.
func relate(packages []Package) {
	named := map[string][]int{}
	for i := range packages {
		p := &packages[i]
		named[p.Name] = append(named[p.Name], i)
		if p.control == nil {
			continue
		}
		for _, group := range p.control.provides {
			for _, r := range group {
				if r.Name != p.Name {
					named[r.Name] = append(named[r.Name], i)
				}
			}
		}
	}
	for i := range packages {
		p := &packages[i]
		if p.control == nil {
			continue
		}
		seen := map[int]bool{i: true}
		for _, group := range p.control.depends {
			found := satisfying(packages, named, group, p.Architecture)
			if len(found) == 0 {
				p.Unmet = append(p.Unmet, group.String())
			}
			for _, d := range found {
				if !seen[d] {
					seen[d] = true
					p.DependsOn = append(p.DependsOn, d)
				}
			}
		}
		slices.Sort(p.DependsOn)
	}
}

// satisfying returns the packages that satisfy the first alternative which any
// satisfies, of several architectures those of arch.
func satisfying(packages []Package, named map[string][]int, group debian.Alternatives, arch string) []int {
	for _, r := range group {
		var found, native []int
		for _, i := range named[r.Name] {
			if !satisfies(&packages[i], r) {
				continue
			}
			found = append(found, i)
			if a := packages[i].Architecture; a == arch || a == "all" {
				native = append(native, i)
			}
		}
		if len(native) > 0 {
			return native
		}
		if len(found) > 0 {
			return found
		}
	}
	return nil
}

// satisfies reports whether p is what r asks for or provides it. A relation with a
// version is satisfied by a Provides with one only (Debian Policy 7.5).
func satisfies(p *Package, r debian.Relation) bool {
	if p.Name == r.Name {
		return r.Admits(p.Version)
	}
	for _, group := range p.control.provides {
		for _, provided := range group {
			if provided.Name == r.Name && (r.Operator == "" || provided.Version != "" && r.Admits(provided.Version)) {
				return true
			}
		}
	}
	return false
}
