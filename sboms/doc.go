// Package sboms describes an image of one platform as an SPDX 2.3 or a CycloneDX 1.6
// document: which packages it has, with their .debs, sources, licences and
// dependencies, which files, with their digests and where each comes from, and how
// far the list is complete. Of an index it lists the images, and refers to the
// document of each.
//
// What it says of an image that hardpan built is what the image's record knows,
// together with the content that one pass over the layers finds; nothing is guessed
// from names or patterns. Of another image it says what dpkg's database says, and
// that nobody vouches for completeness. The same image gives the same bytes: no
// clock, no random ids.
//
// It does not sign, does not fetch, and knows no packages of systems but Debian's; those
// of programming languages are package language's to read.
package sboms

// The types that the documents have as predicates of attestations (in-toto
// attestation, spec/predicates).
const (
	SPDXType      = "https://spdx.dev/Document"
	CycloneDXType = "https://cyclonedx.org/bom"
)

// Format names what this package makes of an image. It changes when that does, and
// belongs into the key of whatever is cached about documents.
const Format = "sbom4"
