// Package builder turns a spec into a container image: the public API of hardpan.
//
// [Build] read from top to bottom tells the story of a build: the spec is loaded,
// its lock is read or made, packages are fetched and become layers, their files
// and the effects of their scripts become a tree, tree and layers become an
// image for each platform, and the images become an index that is written where
// the caller wants it.
//
// The same spec and lock give the same digest on any machine, as any user, with
// an empty cache or a full one. Nothing of the image is executed. The package
// prints nothing.
package builder
