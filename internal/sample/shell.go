package sample

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"

	"github.com/hardpan/hardpan/internal/debian/archivetest"
)

// Stage returns what build stages need: an essential package "shell" for the machine's
// architecture, whose /bin/sh is the program of testdata/sh, and a package "kit" with
// what images must not have.
func Stage() ([]archivetest.Package, error) {
	program, err := shell()
	if err != nil {
		return nil, err
	}
	return []archivetest.Package{
		{Name: "shell", Architecture: runtime.GOARCH, Fields: map[string]string{"Essential": "yes"}, DataCompression: "none",
			Files: []archivetest.File{{Path: "/usr/bin/sh", Content: program, Mode: 0o755}}},
		{Name: "kit", Files: []archivetest.File{
			{Path: "/usr/share/kit/data", Content: "kit\n"}, {Path: "/usr/include/kit.h", Content: "int kit;\n"},
			{Path: "/usr/bin/gate", Content: "gate\n", Mode: 0o4755},
		}},
	}, nil
}

// shell compiles the shell, once.
var shell = sync.OnceValues(func() (string, error) {
	_, here, _, _ := runtime.Caller(0)
	dir, err := os.MkdirTemp("", "hardpan-sh-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	at := filepath.Join(dir, "sh")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", at, "./testdata/sh")
	cmd.Dir, cmd.Env = filepath.Dir(here), append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("cannot compile the shell of stages: %w: %s", err, out)
	}
	text, err := os.ReadFile(at)
	return string(text), err
})
