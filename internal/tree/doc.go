// Package tree is the file tree of an image in memory: each path with its
// metadata, a reference to its content, and its origin.
//
// Paths are slash-separated, relative and clean, as in [io/fs]: "usr/bin/env",
// and "." for the root. Content is never held for what packages bring; it is
// opened where it lies when somebody reads it, so that memory grows with the
// number of paths and not with their bytes.
//
// The tree promises that each path has one node and one origin, that a node's
// parent is a directory, and that looking a path up never leaves the root,
// whatever its symbolic links say. It knows no Debian, no OCI and no spec.
package tree
