package sboms

import (
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/debian/archive"
	"github.com/hardpan/hardpan/internal/lock"
)

// purl returns the package URL of a Debian package
// (https://github.com/package-url/purl-spec, types/deb).
func (img *Image) purl(p *Package) string {
	qualifiers := [][2]string{{"arch", p.Architecture}, {"distro", img.Distro}}
	if a := p.archive(); a != nil && a.URI != "" {
		qualifiers = append(qualifiers, [2]string{"repository_url", a.URI})
	}
	qualifiers = append(qualifiers, [2]string{"upstream", p.Source + "@" + p.SourceVersion})
	return "pkg:deb/" + purlEncode(img.Namespace) + "/" + purlEncode(p.Name) + "@" + purlEncode(p.Version) + purlQualifiers(qualifiers)
}

// imagePURL returns the package URL of the image itself (types/oci, whose version is
// the digest and whose name is in lower case), or "" where nothing says its name. An
// index has no platform, and so its package URL no architecture.
func (img *Image) imagePURL() string {
	if img.Name == string(img.Digest) {
		return ""
	}
	_, arch, _ := strings.Cut(img.Platform, "/")
	return "pkg:oci/" + purlEncode(strings.ToLower(img.Name)) + "@" + purlEncode(string(img.Digest)) +
		purlQualifiers([][2]string{{"arch", arch}, {"tag", img.Version}})
}

// purlQualifiers returns the qualifiers that have a value. They are to be given in
// the order of their keys.
func purlQualifiers(qualifiers [][2]string) string {
	var parts []string
	for _, q := range qualifiers {
		if q[1] != "" {
			parts = append(parts, q[0]+"="+purlEncode(q[1]))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return "?" + strings.Join(parts, "&")
}

// purlEncode percent-encodes all but letters, digits and ".-_~:" (purl-spec,
// "Character encoding").
func purlEncode(s string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte(".-_~:", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// archive returns the archive that the package was taken from, nil if nothing says it.
func (p *Package) archive() *lock.Archive {
	i := slices.IndexFunc(p.archives, func(a lock.Archive) bool { return a.ID == p.Archive })
	if i < 0 {
		return nil
	}
	return &p.archives[i]
}

// location returns where a package of the archive can be fetched from. Which mirror
// a build used is the machine's affair, so that Debian's primary one is named.
func location(a *lock.Archive, path string) string {
	return archive.PublicBase(a.URI, a.Suite) + "/" + (&url.URL{Path: path}).EscapedPath()
}

// sourcePath returns where Debian's archive has the description of a package's source,
// which is beside the package in the pool (Debian Policy 5.4).
func sourcePath(p *Package) string {
	version := p.SourceVersion
	if _, upstream, ok := strings.Cut(version, ":"); ok { // files' names have no epoch
		version = upstream
	}
	return path.Join(path.Dir(p.Path), p.Source+"_"+version+".dsc")
}

// Party is a person or an organization.
type Party struct {
	Name         string
	Address      string // of electronic mail, "" if unknown
	Web          string // "" if unknown
	Organization bool
}

// String returns the party as SPDX has it, "Organization: Name (address)" (SPDX 2.3,
// clause 7.5), or NOASSERTION where there is none.
func (p Party) String() string {
	if p.Name == "" {
		return noAssertion
	}
	return p.kind() + ": " + p.text()
}

func (p Party) kind() string {
	if p.Organization {
		return "Organization"
	}
	return "Person"
}

func (p Party) text() string {
	if p.Address != "" {
		return p.Name + " (" + p.Address + ")"
	}
	return p.Name
}

// publisher reads who publishes an image: the vendor, with the address that is given for
// the authors, or these (OCI image spec, annotations.md).
func publisher(vendor, authors, web string) Party {
	first, _, _ := strings.Cut(authors, ",")
	p := maintainer(first)
	if !strings.Contains(p.Address, "@") {
		p.Address = ""
	}
	if strings.Contains(p.Name, "@") && p.Address == "" {
		p.Name, p.Address = "", p.Name
	}
	if vendor != "" {
		p.Name, p.Organization = vendor, true
	}
	p.Web = web
	return p
}

// debianProject is who publishes Debian's archives.
var debianProject = Party{Name: "Debian", Web: "https://www.debian.org/", Organization: true}

// maintainer reads a Maintainer field, "Name <address>" (Debian Policy 5.6.2). SPDX
// wants to know whether that is a person or a group, which the field does not say:
// a name is taken for a group's that ends as theirs do.
func maintainer(field string) Party {
	name, address, _ := strings.Cut(field, "<")
	p := Party{Name: strings.Trim(name, " \""), Address: strings.TrimRight(strings.TrimSpace(address), ">")}
	if p.Name == "" {
		p.Name, p.Address = p.Address, ""
	}
	words := strings.Fields(strings.ToLower(p.Name))
	p.Organization = len(words) > 0 && slices.Contains([]string{"team", "group", "maintainers", "developers", "packagers", "packaging", "project"}, words[len(words)-1])
	return p
}
