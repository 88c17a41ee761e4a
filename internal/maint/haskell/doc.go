// Package haskell has what maintainer scripts call of GHC: ghc --info, and ghc-pkg,
// which makes the cache of the libraries that are installed from their descriptions.
//
// The cache has the format of GHC 9.6 (GHC.Unit.Database of ghc-boot, and the Binary
// instances of Cabal-syntax 3.10). ghc-pkg lists the libraries as the directory
// happens to have them; here they are sorted, so the bytes can differ from dpkg's,
// which the build says.
package haskell
