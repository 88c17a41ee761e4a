// Package specs reads the spec of an image: the strict YAML file that says which
// Debian packages, accounts, paths and settings an image is made of.
//
// [Load] follows extends, merges, substitutes vars, fills in defaults and checks
// everything that can be known without the archive, before any work starts. What
// it returns is complete and consistent; what it refuses it reports all at once,
// each as one line "file:line:column: message" ([Errors]).
//
// A [Bundle] is a spec with all that Load reads, to be loaded on another machine. A
// [Policy], read as strictly, is what an organisation demands of images.
//
// It promises that a key is never ignored: what is unknown is an error. It does not
// resolve packages or read the network, and writes nothing but a bundle's files.
package specs
