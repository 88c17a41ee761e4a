// Package closure checks, without running anything, that an image has all that
// its programs need to start: the entrypoint, the interpreters it names (execve(2)),
// the dynamic linker, and the shared libraries of every ELF file, found as ld.so(8)
// finds them.
//
// It promises that a missing file of the entrypoint's chain is an [Error] with the
// whole chain, and the same problems in the same order for the same tree. A
// library that lies in the image but outside the search path of a plugin is only a
// [Warning]: the program that opens the plugin may have loaded it already. So is a
// script, other than the entrypoint, whose interpreter hardening left out. Of a further
// command, such as that of a health check, it also checks that the image's user may
// search, read and execute all of it.
//
// It does not look at symbols or their versions, nor at what programs open by name
// at run time (dlopen(3)) beyond the ELF files that are there.
package closure
