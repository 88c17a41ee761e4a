// Package keyless signs and verifies without a key that anybody keeps: with one made
// for the call, which Fulcio certifies for the identity in an OIDC token, and whose use
// Rekor or a timestamp authority records (sigstore, Keyless signing).
//
// It promises that verification asks no network, and trusts nobody but whom the trusted
// root in a file names and nothing but the identity it is told; that a token is in no
// argument, environment, error or file; and that nothing of sigstore's libraries is in
// a program that imports it: the program hardpan-sigstore does the work, since they add
// 8 ms to the start of whatever links them.
//
// It does not log in: the token comes from a file, the environment or the CI system.
package keyless
