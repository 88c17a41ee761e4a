// Package files is the file commands of GNU coreutils and findutils, and of the
// programs beside them that maintainer scripts call, as Go functions over the tree
// of an image: cp, mv, rm, ln, chmod, chown, find, stat, ls, install, mktemp, tar
// and their like.
//
// They do what the programs of Debian trixie do when root calls them: the same
// effects, standard output and exit status. Processes and mounts there are none.
// What cannot be kept in an image (devices, access control lists) or is not known
// ends the scripts with [shell.Unsupported]; nothing is passed over in silence.
package files
