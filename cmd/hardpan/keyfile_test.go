package main

import (
	"fmt"
	"io/fs"
	"syscall"
	"testing"
	"testing/fstest"
)

// A key is exposed where group or others may read it, and who signs could change that.
func TestIsExposed(t *testing.T) {
	t.Parallel()
	const owner, other = 1000, 1001
	for _, c := range []struct {
		mode fs.FileMode
		user int
		want bool
	}{
		{0o600, owner, false},
		{0o400, owner, false},
		{0o644, owner, true},
		{0o640, owner, true},
		{0o604, owner, true},
		{0o644, 0, true},
		{0o600, 0, false},
		{0o440, other, false}, // a secret of Kubernetes that the group of the pod may read
		{0o644, other, false},
		{0o622, owner, false},                    // they may not read it
		{0o644 | fs.ModeNamedPipe, owner, false}, // --key <(command)
	} {
		t.Run(fmt.Sprintf("%s as %d", c.mode, c.user), func(t *testing.T) {
			files := fstest.MapFS{"key": {Mode: c.mode, Sys: &syscall.Stat_t{Uid: owner}}}
			info, err := fs.Stat(files, "key")
			if err != nil {
				t.Fatal(err)
			}
			if got := isExposed(info, c.user); got != c.want {
				t.Errorf("exposed: %t, want %t", got, c.want)
			}
		})
	}
}
