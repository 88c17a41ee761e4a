// Package archivetest makes tiny Debian archives for tests: packages from a
// description in Go, the indexes over them, a Release signed with a throw-away key,
// and a server on loopback that can be told to misbehave.
//
// The packages and indexes are the same bytes on every machine and in every run, so
// golden digests may depend on them; only keys and signatures differ. It needs no
// *testing.T and is used by the tests of the whole project.
//
// It writes what it is told to, sensible or not, and is no tool for real archives.
package archivetest
