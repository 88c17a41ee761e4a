// Package getopt reads the arguments of an interpreted command as GNU's
// getopt_long(3) does: bundled short options, values that are joined or apart,
// long options that may be abbreviated, operands between options, and "--".
//
// An option that a command does not declare ends all scripts with
// [shell.Unsupported]: it may exist and change what the command does, so that it
// is never passed over.
package getopt
