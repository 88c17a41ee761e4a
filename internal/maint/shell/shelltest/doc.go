// Package shelltest compares interpreted commands with the programs that they stand
// for: files of short scripts, each with what the real programs printed and left
// behind, recorded in a directory of a Debian system and checked wherever tests run.
package shelltest
