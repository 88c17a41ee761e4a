// Package tool says what a file of an image is: a shell, a package manager, a
// compiler, an interpreter, a network client, a program that gives privileges, a
// server for remote access, a development file or a leftover of making the image.
//
// It judges by the file, never by the package that brought it: by its name where it
// is a program, and by what is in it, so that a bash or a busybox under another name
// is still one. A program is an ELF executable or a script; a completion, a manual or
// a directory that has a tool's name is none of its business.
//
// It reads a file once, from front to back, in constant memory, believes nothing
// that it reads, and executes nothing. It does not follow links: who knows the whole
// image asks [Applet] about them.
package tool
