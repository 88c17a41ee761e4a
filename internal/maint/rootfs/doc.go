// Package rootfs shows an image's tree the way a process that runs in it sees its
// files: the system calls of a file system, over [tree.Tree] and nothing else. It
// is all that an interpreted maintainer script can reach.
//
// Paths are resolved as the kernel does (path_resolution(7)), the process is root,
// and errors are those of the system calls ([syscall.ENOENT] and so on); tests
// compare with the kernel. Open files and further names (link(2)) behave as inodes
// do. Whatever is made or changed carries the origin that was set before, and the
// image's time.
//
// There are no devices here; /dev/null and the like are the shell's. Nothing is
// safe for use by several goroutines.
package rootfs
