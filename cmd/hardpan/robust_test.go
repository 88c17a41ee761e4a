package main

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hardpan/hardpan/internal/debian/archivetest"
	"github.com/hardpan/hardpan/internal/sample"
)

const helloSpec = `apiVersion: hardpan/v1
name: hello
version: "1"
distro: debian/trixie
contents:
  packages: [base-files, hello, hello-common, tool]
entrypoint: [/usr/bin/hello]
layering: {budget: 4}
`

// workshop is a directory with a spec, and an archive, where the program runs as a
// process of its own.
type workshop struct {
	*testing.T
	dir    string
	server *archivetest.Server
}

func newWorkshop(t *testing.T) *workshop {
	t.Helper()
	s, err := archivetest.New(sample.Debian())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	w := &workshop{t, t.TempDir(), s}
	if err := os.WriteFile(filepath.Join(w.dir, "hello.yaml"), []byte(helloSpec), 0o644); err != nil {
		t.Fatal(err)
	}
	return w
}

// hardpan returns the program with these arguments. TestMain has put it on the path.
func (w *workshop) hardpan(args ...string) *exec.Cmd {
	cmd := exec.CommandContext(w.Context(), "hardpan", args...)
	cmd.Dir = w.dir
	cmd.Env = append(os.Environ(), "HARDPAN_MIRROR="+w.server.URL, "HARDPAN_KEYRING="+w.server.Keyring,
		"HARDPAN_CACHE_DIR=cache", "HARDPAN_FAIL_ON=never", "HOME="+w.dir, "XDG_CONFIG_HOME="+w.dir)
	return cmd
}

var digestForm = regexp.MustCompile(`sha256:[0-9a-f]{64}`)

// build builds the spec, which must succeed, and returns the image's digest.
func (w *workshop) build(args ...string) string {
	w.Helper()
	var stderr bytes.Buffer
	cmd := w.hardpan(append([]string{"build", "hello.yaml"}, args...)...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		w.Fatalf("%v: %v: %s", args, err, stderr.String())
	}
	return digestForm.FindString(string(out))
}

// complete checks that there is no output of that name, or a whole one.
func (w *workshop) complete(name string) {
	w.Helper()
	if _, err := os.Stat(filepath.Join(w.dir, name)); err != nil {
		return
	}
	if out, err := w.hardpan("explain", "./"+name, "/usr/bin/hello").CombinedOutput(); err != nil {
		w.Errorf("%s is not whole: %v: %s", name, err, out)
	}
}

// files returns the names of all files below a directory.
func (w *workshop) files(dir string) []string {
	var names []string
	filepath.WalkDir(filepath.Join(w.dir, dir), func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, name)
		}
		return nil
	})
	return names
}

// A process that is killed leaves nothing under a final name that is not whole, and
// the next build works and leads to the same image.
func TestKill(t *testing.T) {
	t.Parallel()
	w := newWorkshop(t)
	want := w.build()
	if err := os.Remove(filepath.Join(w.dir, "hello.lock")); err != nil {
		t.Fatal(err)
	}
	requests := len(w.server.Requests())
	points, step := 0, 2
	if testing.Short() {
		step = 5
	}
	for n := 1; n <= requests; n += step {
		w.reset()
		cmd := w.hardpan("build", "hello.yaml")
		left := n
		var mu sync.Mutex
		hook := archivetest.Fault{Hook: func() {
			mu.Lock()
			defer mu.Unlock()
			if left--; left == 0 {
				cmd.Process.Kill()
			}
		}}
		faults := make([]archivetest.Fault, requests)
		for i := range faults {
			faults[i] = hook
		}
		w.server.Inject("*", faults...)
		mu.Lock() // until the process is known
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		mu.Unlock()
		if cmd.Wait() == nil {
			t.Fatalf("was not killed at request %d", n)
		}
		w.server.Heal()
		w.afterKill(want)
		points++
	}
	// From here on what the disk shows decides: so many files in the cache, or the
	// first sign of an output.
	for n := 2; n < 40; n += 2 * step {
		w.reset()
		w.build("--platform", "linux/amd64", "--layout", "other") // makes the lock and a part of the cache
		before := len(w.files("cache"))
		cmd := w.hardpan("build", "hello.yaml")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		done := make(chan error)
		go func() { done <- cmd.Wait() }()
		killed := false
		for waiting := true; waiting; {
			select {
			case <-done:
				waiting = false
			default:
				if !killed && (len(w.files("cache")) >= before+n || len(w.files("dist")) > n) {
					cmd.Process.Kill()
					killed = true
				}
				time.Sleep(100 * time.Microsecond) // a core for the one that is watched
			}
		}
		w.afterKill(want)
		points++
	}
	t.Logf("killed at %d points", points)
}

func (w *workshop) reset() {
	for _, name := range []string{"cache", "dist", "other", "hello.lock"} {
		if err := os.RemoveAll(filepath.Join(w.dir, name)); err != nil {
			w.Fatal(err)
		}
	}
}

func (w *workshop) afterKill(want string) {
	w.Helper()
	w.complete("dist/hello-1")
	if got := w.build(); got != want {
		w.Errorf("after a kill the image is %s, want %s", got, want)
	}
	w.complete("dist/hello-1")
	for _, name := range append(w.files("dist"), w.files("cache/partial")...) {
		if strings.Contains(name, "partial") {
			w.Errorf("left: %s", name)
		}
	}
	entries, _ := os.ReadDir(filepath.Join(w.dir, "dist"))
	for _, e := range entries {
		if e.Name() != "hello-1" {
			w.Errorf("left: dist/%s", e.Name())
		}
	}
}

// Builds that run at once on one cache, one spec and one output do not disturb each
// other.
func TestTwoAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorkshop(t)
	digests := make([]string, 4)
	var wg sync.WaitGroup
	for i := range digests {
		wg.Go(func() { digests[i] = w.build() })
	}
	wg.Wait()
	for _, d := range digests {
		if d == "" || d != digests[0] {
			t.Errorf("digests are %q", digests)
		}
	}
	w.complete("dist/hello-1")
	if left := w.files("cache/tmp"); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// A signal that asks for the end is obeyed, and leaves no temporary files.
func TestInterrupt(t *testing.T) {
	w := newWorkshop(t)
	w.server.Inject("pool/main/t/tool/tool_1.2-1_all.deb", archivetest.Fault{Stall: true})
	started := make(chan struct{})
	cmd := w.hardpan("build", "hello.yaml")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	w.server.Inject("pool/main/h/hello/hello_2.10-3_amd64.deb", archivetest.Fault{Hook: func() {
		<-started
		cmd.Process.Signal(os.Interrupt)
	}})
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	close(started)
	if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() != exitFailed {
		t.Errorf("have %v, want exit code %d", err, exitFailed)
	}
	if got := stderr.String(); got != "hardpan: interrupted\n" {
		t.Errorf("said %q, want that it was interrupted", got)
	}
	if left := append(w.files("cache/tmp"), w.files("dist")...); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}
