// Package deb reads binary packages (deb(5)) once, front to back, without
// trusting them: an ar archive with the member debian-binary, a tar of control
// files and a tar of the files to install, each plain or compressed with gzip,
// xz or zstd.
//
// It promises that names are clean and relative, that nothing but files,
// directories, symbolic and hard links comes out, that a name comes out once,
// and that no stream grows past its limit. It does not verify the package's
// digest: who opens the stream does. It extracts nothing.
package deb
