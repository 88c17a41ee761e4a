// Package shell interprets shell scripts over the tree of an image: the shell of
// POSIX.1-2024 (XCU chapter 2) as dash has it, and what scripts for bash use beyond
// it. What cannot be done as the true shell does it is an [*UnsupportedError], and
// never done otherwise.
//
// Nothing is executed. Every command is a Go function ([Command]) or another
// script of the image; files are those of [rootfs.FS], and no other state of the
// machine can be reached: no process, no network, no clock, no environment. The
// sides of a pipe run one after the other, and what is in the background runs
// first, so that equal inputs have equal effects. Steps, output, memory and depth
// are bounded ([Limits]), and each bound is an error.
//
// The parser is mvdan.cc/sh's. Its expansion is not used, for it differs from dash
// in quoting, splitting and arithmetic and may ask the host; nor is its
// interpreter, which runs the sides of a pipe at once and looks for commands on the
// host.
package shell
