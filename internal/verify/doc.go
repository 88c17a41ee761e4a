// Package verify answers an auditor's questions about an image from its digest and a
// public key, without a network but for a registry: is it signed, is each attestation
// about it, is each file and package of its layers, and each image of its index, what
// the attested SBOM says and nothing more, were the packages of the provenance those of
// the attested lock, did the tests of its spec pass, how old is it, is it what a policy
// demands, and does it come out the same when it is built again.
//
// Nothing in the image vouches for itself: what is compared is the layers, read again,
// with what the key has signed. Where an image has no such document, because something
// else built it, the answer is that the question cannot be answered; where a policy
// demands it, that is a no.
package verify
