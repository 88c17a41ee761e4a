// Package sboms describes an image of one platform as an SPDX 2.3 or a CycloneDX 1.6
// document: which packages it has, with their .debs, sources, licences and
// dependencies, which files, with their digests and where each comes from, and how
// far the list is complete.
//
// What it says of an image that hardpan built is what the image's record knows,
// together with the content that one pass over the layers finds; nothing is guessed
// from names or patterns. Of another image it says what dpkg's database says, and
// that nobody vouches for completeness. The same image gives the same bytes: no
// clock, no random ids.
//
// It does not sign, does not fetch, and knows no packages but Debian's.
package sboms
