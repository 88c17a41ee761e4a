// Package record is the record of a build: what was asked, which packages
// answered, which layer and origin each path has, and what was left out.
//
// explain, SBOM, provenance and verification read this one document. It travels
// inside the image's config, so that it is there wherever the image is, after any
// copy between registries and archives, and so that the image's digest covers it. Content digests of files are not in it: the layers
// have the content.
package record
