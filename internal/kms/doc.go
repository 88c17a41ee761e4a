// Package kms signs with keys that never leave a key management service or a token such
// as a PKCS #11 one: a program sigstore-kms-NAME does it for references NAME://KEY
// (sigstore, pkg/signature/kms/cliplugin, protocol v1).
//
// It promises that what a program returns verifies with the public key that it returned
// before, or is refused; that a password of hardpan's is not in the program's environment;
// that a program is waited for two minutes, and ends with all that it started when the
// context does; and that a key which refuses to sign is not asked again. It links no cloud's
// library, and of sigstore's only the protocol's types: the client beside them gives the
// program the whole environment and this one's standard error, and adds 14 packages and
// 0.4 MB.
package kms
