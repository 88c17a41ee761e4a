// Package archive brings what a Debian archive publishes into the cache, and
// nothing that its keyring did not sign: it finds the mirror, fetches and verifies
// the Release of a suite, the Packages indexes that the Release lists, and the
// files that an index lists (Debian wiki, DebianRepository/Format; apt-secure(8)).
//
// It promises that each byte handed out was vouched for by the chain keyring ->
// InRelease -> index -> file, that an unchanged archive costs one conditional
// request per suite, that a download goes on where a killed one stopped, and that
// no credential is in an error, in the cache or sent to another host than its own.
//
// It does not parse Packages, resolve dependencies or unpack a .deb, and it never
// prints: progress goes to the caller's [Progress].
package archive
