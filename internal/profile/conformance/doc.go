// Package conformance holds what package profile writes against the code of those who
// read it: the types of Kubernetes and its evaluator of Pod Security Standards, the
// loader of Compose files, and Docker's reader of seccomp profiles.
//
// It is a module of its own, and has no code besides its tests: what they need is ten
// times as much as hardpan itself, and is in neither its go.mod nor its binary.
package conformance
