// Package sign makes and verifies what a key says of an image: its signature
// (simple signing, as cosign has it) and attestations (in-toto statements in DSSE
// envelopes), of the index and of each platform's image; by choice all of it as sigstore
// bundles that refer to the image. Identities without a key sign bundles, and are
// verified in either form.
//
// It promises that cosign verifies what it makes and that it verifies what cosign
// makes; that the same key, image and predicates give the same bytes, where the key
// is an Ed25519 key; that verification fails closed and gives each refusal a
// message of its own; and that no key or password is in an error.
//
// It does not make the predicates, does not decide who is trusted, and asks no
// service: where signatures are read from and written to is package oci's, and who
// vouches for an identity is package keyless's.
package sign
