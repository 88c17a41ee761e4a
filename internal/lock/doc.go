// Package lock is the lock of a spec: which packages its requests led to, in
// which version, from which signed index, and why, and which it does without.
//
// A lock is JSON, sorted, one package a line group, so that a review reads its
// difference. It names no host: an archive has an id and a package a path below
// that archive. A build with a lock resolves nothing.
package lock
