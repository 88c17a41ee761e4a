// Package script reads maintainer scripts without running them: it says which
// commands a script calls in a fresh installation, with which arguments.
//
// The reader folds what is constant: variables, positional parameters, loops
// over known words, tests of files of the image's tree. Where a condition
// cannot be known, both branches are read and their calls are marked as not
// certain; where an argument cannot be known, the call says so.
//
// It promises to end, to read nothing but the script and the tree, and never to
// leave out a call that the script could make. It changes nothing and is no
// interpreter: a command's output and status are unknown to it, but for a
// few that are as good as constants.
package script
