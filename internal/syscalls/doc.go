// Package syscalls finds out which system calls the programs of an image may make,
// from their machine code and without running anything: the instructions of every
// ELF file, and of the C library the functions that the other files reach.
//
// It promises to say too much rather than too little: what is called through a
// pointer counts wherever the pointer is made, and a number that cannot be found out
// is reported as one that may be any. Each call comes with the chain that leads to it.
//
// It does not see code that a program writes itself while it runs and that makes
// system calls of its own, nor functions of the C library that a script names and a
// foreign function interface calls (Python's ctypes): what offers that is reported.
package syscalls
