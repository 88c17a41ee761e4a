// Package dockerfile reads a Dockerfile or Containerfile for those who judge or
// translate it: its stages and steps with variables expanded, the commands that its
// RUN lines call, each with its line, and what these do to accounts and permissions.
//
// The file is parsed by BuildKit's own parser, so that what it refuses is refused here
// with the same words, and RUN lines by mvdan.cc/sh's. Nothing is executed, fetched or
// looked up on the host: what only a build would know, such as a build argument without
// a default or the output of a command, is kept as unknown and never guessed.
//
// Any input gives a [File] or an [*Error], in time that grows with its size.
package dockerfile
