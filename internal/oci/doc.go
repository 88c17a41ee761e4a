// Package oci is everything of an image except the making of its layers: the
// config, manifests and index of a multi-platform image (OCI image spec 1.1),
// written to an image layout, an archive, a `docker load` archive or a registry,
// and read back from each of them; and the artifacts about it, such as signatures,
// whose content it does not understand.
//
// It promises that the same input gives the same bytes; that an output appears
// under its final name whole or not at all; that a tag moves only after all it
// leads to has been pushed; and that every byte read is checked against digest
// and size, a mismatch naming both values.
//
// It does not know specs, packages or policies, keeps no cache of its own beside
// the [store.Store] it is given, and runs no daemon's client.
package oci
