// Package generate has the programs that make one file of what many packages
// bring: the bundle of trusted certificates, the dynamic linker's cache, the list
// of shells, the registry of binary formats and the like, over the tree of an
// image.
//
// They promise the files of the programs of Debian 13, byte for byte. Programs
// whose effect an image can do without are in [Commands] too: they do nothing, and
// tell the caller so.
package generate
