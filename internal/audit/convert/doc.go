// Package convert writes the hardpan spec that is equivalent to a Dockerfile: its stages,
// packages, users, permissions, health check, ports, labels, environment and command. The
// base image becomes a distribution and packages where it is one of Docker's official ones.
//
// It hardens on the way: login shells, directories that are open to everybody, and clients
// that only the health check calls are not carried over. All that is not carried over, or
// otherwise, is in the notes with its reason; nothing is left out in silence. The result
// is a spec that specs.Load takes. Nothing is executed or fetched; of the build's context
// only what COPY names is looked at.
package convert
