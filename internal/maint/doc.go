// Package maint gives the image what the maintainer scripts of its packages
// would have made at installation: certificate bundles, alternatives, caches,
// accounts of the base system, copied conffiles.
//
// Nothing of the image is executed. Each effect is a Go function over the
// image's tree, and each path that it makes or changes has the package, the
// script and the command as its origin. What a package's scripts do beyond the
// effects known here does not happen; [Run] reports such packages, so that
// nobody has to guess.
package maint
