// Package text has the commands for text that maintainer scripts call (cat, grep,
// sed, awk, sort, cut, ...) and the small ones that tell about the system or call
// other commands (date, uname, env, xargs, ...), as [shell.Command] functions over
// an image's tree.
//
// On standard output, in files and by their exit status they do what the programs of
// Debian 13 do: GNU coreutils, grep, sed, diffutils and findutils, and mawk. An
// option or a form that they do not know is an error that says so. There is no
// clock, no randomness and no machine: the time is the image's, and what
// would tell about the host is that of a Debian system with one processor.
package text
