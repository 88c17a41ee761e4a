package main

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// refuseCoreFiles keeps private keys and passwords out of core files, whoever is told to
// take these. A limit of one byte is less than any core file has, and where the kernel
// hands cores to a program it is the one value that it heeds (Linux, fs/coredump.c).
func refuseCoreFiles() error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &limit); err != nil {
		return fmt.Errorf("cannot refuse core files: %w", err)
	}
	limit.Cur, limit.Max = min(1, limit.Max), min(1, limit.Max)
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &limit); err != nil {
		return fmt.Errorf("cannot refuse core files: %w", err)
	}
	return nil
}
