// Package debian has the words of the Debian archive that the rooms below it
// share: control paragraphs, versions and their order, relations between
// packages, and a binary package as an index lists it.
//
// The rooms are archive (mirrors, signed indexes, downloads), resolve
// (dependency resolution) and deb (reading .deb files). None of them knows OCI,
// specs or the image's tree.
package debian
