// Package treetest makes file trees for tests: from a text that lists their paths,
// from a directory on disk, and from packages of the real Debian archive.
//
// The text has a path a line, then what is there:
//
//	/etc/motd           file "hello\n"
//	/usr/bin/env        file 0755 "#!/bin/sh\n"
//	/usr/bin/app        elf amd64 exec interp=/lib64/ld.so needed=libc.so.6,libm.so.6
//	/usr/lib/libm.so.6  elf amd64 soname=libm.so.6 runpath=$ORIGIN
//	/usr/bin/vi         hardlink /usr/bin/env
//	/lib                symlink usr/lib
//	/var/empty          dir 0700
//
// Directories above a path are implied. Nothing but tests may import it.
package treetest
