// Package sandbox runs the commands of build stages in namespaces of their own
// and keeps what they change as snapshots: directories on disk, each under a key,
// stacked by overlayfs, or copied where that cannot be. It works as root, as an
// ordinary user with subordinate ids (subuid(5)), as one without, and inside an
// unprivileged container.
//
// Namespaces hide the host; capabilities, a filter of system calls and landlock bound
// what can be tried from within; the kernel and a watch hold the limits.
//
// It promises that a command sees its root, a minimal /dev and /proc and nothing
// else of the host, neither its files nor its processes, environment or network
// (unless asked for); that it ends, with everything it started, when its limits,
// the context or the calling process do; and that a snapshot appears whole or not
// at all, whoever is killed when.
//
// A program that uses it calls [Init] first thing in main: the inside of a sandbox
// is the program itself, executed again. That is the way left to a program without
// cgo: runc's libcontainer and containers/storage's unshare enter their namespaces
// in C constructors, before the Go runtime has threads. Here the kernel makes the
// namespaces with the process (clone(2)), ambient capabilities carry the rights
// through its exec, and one exec is all there is.
//
// It does not fetch, decompress or key anything, and it evicts nothing.
package sandbox
