// Package specs reads the spec of an image: the strict YAML file that says which
// Debian packages, accounts, paths and settings an image is made of.
//
// [Load] follows extends, merges, substitutes vars, fills in defaults and checks
// everything that can be known without the archive, before any work starts. What
// it returns is complete and consistent; what it refuses it reports all at once,
// each as one line "file:line:column: message" ([Errors]).
//
// It promises that a key is never ignored: what is unknown is an error. It does not
// resolve packages, read the network, or write anything.
package specs
