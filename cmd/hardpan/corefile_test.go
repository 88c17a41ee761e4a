package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A process that holds a password leaves no core file, where one without it would.
func TestNoCoreFile(t *testing.T) {
	if mode := os.Getenv("HARDPAN_TEST_CORE"); mode != "" {
		if mode == "refused" {
			if err := refuseCoreFiles(); err != nil {
				t.Fatal(err)
			}
		}
		os.Stdout.WriteString("ready\n")
		time.Sleep(time.Minute)
	}
	pattern, err := os.ReadFile("/proc/sys/kernel/core_pattern")
	var limit unix.Rlimit
	if err == nil {
		err = unix.Getrlimit(unix.RLIMIT_CORE, &limit)
	}
	if err != nil || strings.ContainsAny(string(pattern), "|/") || limit.Max < 1<<30 {
		t.Skip("SKIPPED: needs a linux that leaves core files in the working directory (kernel.core_pattern, RLIMIT_CORE)")
	}
	for mode, want := range map[string]bool{"refused": false, "taken": true} {
		dir := t.TempDir()
		cmd := exec.Command("sh", "-c", "ulimit -c $(ulimit -Hc); exec \"$0\" -test.run=^TestNoCoreFile$", os.Args[0])
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "HARDPAN_TEST_CORE="+mode, "GOTRACEBACK=crash")
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(out, make([]byte, len("ready\n"))); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Process.Signal(syscall.SIGABRT); err != nil {
			t.Fatal(err)
		}
		cmd.Wait()
		found, err := filepath.Glob(dir + "/core*")
		if err != nil || (len(found) > 0) != want {
			t.Errorf("%s: core files %v, %v", mode, found, err)
		}
	}
}
