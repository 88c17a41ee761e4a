package sboms

import (
	"crypto/sha1"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

// project is where this program comes from; names that must be unique in the world
// begin with it.
const project = "https://github.com/hardpan/hardpan"

// uuid returns the identifier of the document in that format about the image, a
// UUID of version 5 (RFC 9562, 5.5). Another version of hardpan may say more about
// the image, and so its document has another one.
func (img *Image) uuid(format string) string {
	urls := [16]byte{0x6b, 0xa7, 0xb8, 0x11, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8} // RFC 9562, 6.6
	name := project + "/" + format + "/" + img.ToolVersion + "/" + string(img.Digest)
	sum := sha1.Sum(append(urls[:], name...))
	b := sum[:16]
	b[6] = b[6]&0x0f | 0x50
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:16])
}

func sha512Of(b []byte) string {
	sum := sha512.Sum512(b)
	return hex.EncodeToString(sum[:])
}

func (img *Image) timestamp() string { return img.Created.UTC().Format(time.RFC3339) }

// title names the image as a person would, "python:3.13 linux/amd64", and an index,
// which has no platform, "python:3.13".
func (img *Image) title() string {
	name := img.Name
	if img.Version != "" {
		name += ":" + img.Version
	}
	return strings.TrimSuffix(name+" "+img.Platform, " ")
}

// comment says in words what the image is.
func (img *Image) comment() string {
	return "OCI image for " + img.Platform + " with the manifest " + string(img.Digest)
}

// statement says in words how far the document is complete.
func (img *Image) statement() string {
	const scope = "Listed are packages, and files with content; directories and symbolic links have none. "
	switch img.Completeness {
	case Complete:
		return scope + "Complete: made from the record of the image's build and compared with its content; every file has an origin."
	case Incomplete:
		if !img.Recorded {
			return scope + "Incomplete: the image has no record of its build; " + strings.Join(img.Gaps, "; ") + "."
		}
		return scope + "Incomplete: " + strings.Join(img.Gaps, "; ") + "."
	default:
		if len(img.Packages) == 0 {
			return scope + "Completeness is unknown: the image has no record of its build and no database of packages, so this is what packages of programming languages in it say."
		}
		return scope + "Completeness is unknown: the image has no record of its build, so this is what dpkg's database, and packages of programming languages, in it say."
	}
}

// provenance says in words which signed indexes the packages were taken from.
func (img *Image) provenance() string {
	var texts []string
	for _, a := range img.Archives {
		texts = append(texts, fmt.Sprintf("%s of %s, InRelease %s, signed by %s", a.ID, a.Date.UTC().Format(time.RFC3339), a.InRelease, strings.Join(a.SignedBy, ", ")))
	}
	return strings.Join(texts, "; ")
}

// ancestry says in words which images the image stands on.
func (img *Image) ancestry() string {
	var texts []string
	for _, base := range img.Bases {
		text := base.Reference + " with the manifest " + string(base.Digest)
		if base.Layers == 0 {
			text += ", written anew"
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, ", which stands on ")
}

// webAddress returns s if it is an address that a document may have as one.
func webAddress(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || !slices.Contains([]string{"http", "https", "ftp"}, u.Scheme) {
		return ""
	}
	return u.String()
}

// isLibrary reports whether a package is there for other programs, by its section
// (Debian Policy 2.4).
func (p *Package) isLibrary() bool {
	_, section, ok := strings.Cut(p.Section, "/") // "contrib/libs"
	if !ok {
		section = p.Section
	}
	return slices.Contains([]string{"libs", "oldlibs", "libdevel", "perl", "python", "ruby", "javascript", "java", "rust", "golang"}, section)
}

// comment says in words where the file comes from, and what is not known of it.
func (f *File) comment() string {
	text := "nothing says where it comes from"
	if f.Origin != nil {
		text = "from " + f.Origin.String()
	}
	if f.Unread != "" {
		text += "; which packages it stands for is not known: " + f.Unread
	}
	return text
}

// verificationCode returns the digest over the SHA-1 digests of files, sorted and joined
// (SPDX 2.3, clause 7.9).
func verificationCode(files []*File) string {
	var sums []string
	for _, f := range files {
		sums = append(sums, f.SHA1)
	}
	slices.Sort(sums)
	sum := sha1.Sum([]byte(strings.Join(sums, "")))
	return hex.EncodeToString(sum[:])
}
