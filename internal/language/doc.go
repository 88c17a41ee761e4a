// Package language reads which packages of programming languages a file of an image
// stands for: Python distributions by their metadata, npm packages, the modules of a
// program that Go built, Maven artifacts in jars and in the jars within those.
//
// It is given a file as a stream, once, and holds little of it, so that it can listen
// while layers are read or written. Files are not trusted: each has a bound in size,
// depth and work, and one that cannot be read says so and is no error.
//
// It does not know images, does not resolve versions and runs nothing. Programs that
// Go before 1.18 built name their modules in a form that needs the whole file; they
// are told apart by their magic, and not read.
package language
