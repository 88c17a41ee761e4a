// Package sigstore does the work of the program hardpan-sigstore with sigstore's own
// libraries: it gets certificates, log entries and timestamps, and verifies them, in
// bundles and in the layers under cosign's tags, of which it makes bundles.
//
// It promises that verification asks no network and that whatever is not verified is
// refused. It is linked into that program only.
package sigstore
