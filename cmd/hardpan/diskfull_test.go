//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/hardpan/hardpan/internal/debian/archivetest"
	"github.com/hardpan/hardpan/internal/sample"
)

// A disk that is full, of the cache or of the output, is told in one line, and the
// output that was there before stays.
func TestDiskFull(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs to be root, to mount a small file system")
	}
	big := archivetest.Package{Name: "big", DataCompression: "none", Files: []archivetest.File{{Path: "/usr/share/big", Content: random(300_000)}}}
	for _, where := range []string{"cache", "out"} {
		t.Run(where, func(t *testing.T) {
			w := newWorkshop(t)
			must(w.server.Publish(sample.Debian(big)))
			w.build("--layout", "out/image", "--archive", "out/image.tar")
			before := w.files("out")
			full := filepath.Join(w.dir, where)
			replaceByTmpfs(t, full, map[string]string{"cache": "448k", "out": "256k"}[where])
			must(os.WriteFile(filepath.Join(w.dir, "hello.yaml"), []byte(strings.Replace(helloSpec, "tool]", "big]", 1)), 0o644))
			for _, flag := range []string{"--layout=out/image", "--archive=out/image.tar", "--docker-archive=out/docker.tar"} {
				var stderr bytes.Buffer
				cmd := w.hardpan("build", "hello.yaml", "--update", "--platform", "linux/amd64", flag)
				cmd.Stderr = &stderr
				if err := cmd.Run(); cmd.ProcessState.ExitCode() != exitFailed {
					t.Errorf("%s: have %v, want exit code %d", flag, err, exitFailed)
				}
				text := strings.TrimSpace(stderr.String())
				last := text[strings.LastIndex("\n"+text, "\nhardpan: "):]
				if !strings.Contains(last, "no space left on device") {
					t.Errorf("%s: said %q, want that no space is left", flag, text)
				}
			}
			if after := w.files("out"); fmt.Sprint(after) != fmt.Sprint(before) {
				t.Errorf("files of the output are %q, were %q", after, before)
			}
			w.complete("out/image")
			w.complete("out/image.tar")
			if left := w.files("cache/tmp"); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
			// With room again all is well.
			must(syscall.Mount("none", full, "", syscall.MS_REMOUNT, "size=16m"))
			w.build("--update", "--layout", "out/image")
			w.complete("out/image")
		})
	}
}

// replaceByTmpfs moves what is in dir into a file system with little more room.
func replaceByTmpfs(t *testing.T, dir, size string) {
	t.Helper()
	kept := dir + ".kept"
	must(os.Rename(dir, kept))
	must(os.Mkdir(dir, 0o755))
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("needs to be allowed to mount a tmpfs: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	must(os.CopyFS(dir, os.DirFS(kept)))
	must(os.RemoveAll(kept))
}
