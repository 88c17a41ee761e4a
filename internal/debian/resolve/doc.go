// Package resolve chooses, out of the packages of one architecture, the set that
// a list of requests needs.
//
// It promises the set of names and versions that "apt-get install
// --no-install-recommends" takes for the same requests on a system where nothing
// is installed (apt 2.6): the same alternative of "a | b", the same provider of a
// virtual package, the same failures. The oracle test compares it with apt. Only
// Depends and Pre-Depends are followed; an essential package is chosen only where
// something names it. The outcome is the same on every run.
//
// It does not pin by archive, does not weigh installed packages, and fetches
// nothing: indexes come in as [debian.Package] values.
package resolve
