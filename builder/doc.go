// Package builder turns a spec into a container image: the public API of hardpan.
//
// [Build] read from top to bottom tells the story of a build: the spec is loaded,
// its lock is read or made, build stages run as far as something is copied out of
// them, packages are fetched and become layers, their files, the effects of their
// scripts, a base image and the copies become a tree, tree and layers become an
// image for each platform, and the images become an index, which is tested and
// then written where the caller wants it.
//
// The same spec and lock give the same digest on any machine, as any user, with
// an empty cache or a full one; where commands run, that is theirs to keep
// ([Options].CheckReproducible). Nothing of the image is executed while it is made but
// what the spec asks for: commands of stages, bytecode, scripts of packages that
// say sandbox. The package prints nothing.
package builder
