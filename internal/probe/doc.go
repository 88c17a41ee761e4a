// Package probe holds the health probe that images carry which have no client program
// of their own: a static program of a few KiB for each platform of Debian, which asks
// a server on the same host, over HTTP or by connecting, whether it is well.
//
// It promises that the probe needs nothing of an image, neither libc nor shell nor
// user, that it ends within its timeout, and that it connects to nothing but the
// loopback: it is of no use to an intruder. Its file is never writable in memory.
//
// It speaks no TLS and reads no more of an answer than its status. The binaries are
// checked in, with what made them (bin/manifest.json); `make probe` makes them anew.
package probe
