// Package ldso does the work of ldconfig(8) over an image's tree: it finds the
// shared libraries in the directories that /etc/ld.so.conf and the dynamic linker
// know, and makes /etc/ld.so.cache and the links named by sonames.
//
// It promises the bytes that the ldconfig of the image's own glibc would write
// for the same tree, for Debian's glibc 2.36 (bookworm) and 2.41 (trixie), on every
// architecture of [ABIOf], without running it. The format and the order are those
// of glibc's elf/dl-cache.h and elf/cache.c.
//
// It does not write /var/cache/ldconfig/aux-cache, which holds inode numbers
// and only makes the next run of ldconfig faster, and it changes no tree.
package ldso
