// Package inventory says what is in an image: its packages, with architecture, source,
// size and why they are there, and where each path comes from.
//
// Of an image that hardpan built, the record answers; of any other the distribution's
// package database, as far as it goes, and what neither explains is unknown. Sizes are
// those of the files that the image has, not those that a database states.
//
// The image may be anybody's: what cannot be read of its database is left out. It
// judges nothing, and reads nothing that package facts has not read.
package inventory
