// Package shell interprets shell scripts over the tree of an image: the shell of
// POSIX.1-2024 (XCU chapter 2) with what Debian's dash and bash scripts use
// beyond it.
//
// Nothing is executed. Every command is a Go function ([Command]) or another
// script of the image; files are those of [rootfs.FS], and no other state of the
// machine can be reached: no process, no network, no clock, no environment. The
// two sides of a pipe run one after the other, so that equal inputs have equal
// effects.
//
// Parsing and the expansion of words are mvdan.cc/sh's; its interpreter is not
// used, for it runs the sides of a pipe at once, looks for commands on the host,
// and has three file descriptors.
package shell
