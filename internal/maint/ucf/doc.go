// Package ucf is the programs of Debian's ucf(1) over the tree of an image:
// configuration files that maintainer scripts install and that keep the
// administrator's changes.
//
// It promises the files and the state below /var/lib/ucf that ucf 3.0052 leaves
// where nobody answers its question: then the file in place stays, and the new one
// is beside it as .ucf-dist.
package ucf
