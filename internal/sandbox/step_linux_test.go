package sandbox

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestStep says what a command sees and how its end is reported.
func TestStep(t *testing.T) {
	s := space(t)
	host := t.TempDir()
	if err := os.Chmod(host, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(host, "given"), []byte("from outside"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		step Step
		args string
		code int
		out  string
	}{
		{"output", Step{}, "echo a b", 0, "a b"},
		{"status", Step{}, "exit 7", 7, ""},
		{"signal", Step{}, "signal 15", 143, ""},
		{"environment", Step{}, "env", 0, "GORACE=atexit_sleep_ms=0\nHOME=/\nPATH=/bin"},
		{"directory", Step{Dir: "/tmp"}, "pwd", 0, "/tmp"},
		{"host name", Step{}, "host", 0, "hardpan"},
		{"host name of its own", Step{Hostname: "box"}, "host", 0, "box"},
		{"input", Step{Stdin: strings.NewReader("given")}, "stdin", 0, "given"},
		{"no input", Step{}, "stdin", 0, ""},
		{"output opened anew", Step{}, "stdout", 0, "opened anew"},
		{"null", Step{}, "write /dev/null x", 0, ""},
		{"shared memory", Step{}, "write /dev/shm/x y", 0, ""},
		{"secret", Step{Mounts: []Mount{{Bytes: []byte("abc"), Target: "/run/secrets/token"}}}, "cat /run/secrets/token", 0, "abc"},
		{"mounted directory", Step{Mounts: []Mount{{Source: host, Target: "/in", ReadOnly: true}}}, "cat /in/given", 0, "from outside"},
		{"mounted file", Step{Mounts: []Mount{{Source: filepath.Join(host, "given"), Target: "/tmp/a/b", ReadOnly: true}}}, "cat /tmp/a/b", 0, "from outside"},
		{"mode of a mounted text", Step{Mounts: []Mount{{Bytes: []byte("abc"), Mode: 0o444, Target: "/run/x"}}}, "mode /run/x", 0, "-r--r--r--"},
		{"a new working directory", Step{Dir: "/a/b"}, "pwd", 0, "/a/b"},
		{"a name for this host", Step{}, "cat /etc/hosts", 0, "127.0.0.1 localhost\n::1 localhost\n127.0.1.1 hardpan"},
		{"no resolver without a network", Step{}, "cat /etc/resolv.conf", 1, "open /etc/resolv.conf: no such file or directory"},
		{"writing to a read-only mount", Step{Mounts: []Mount{{Source: host, Target: "/in", ReadOnly: true}}}, "write /in/x y", 1, "open /in/x: read-only file system"},
		{"read-only root", Step{ReadOnly: true}, "write /x y", 1, "open /x: read-only file system"},
		{"writable directory of it", Step{ReadOnly: true, Writable: []string{"/tmp"}}, "seq write /tmp/x y ; cat /tmp/x", 0, "y"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, out := do(t, s, tt.step, strings.Fields(tt.args)...)
			if strings.HasPrefix(tt.name, "host name") && strings.Contains(strings.Join(r.Facts.Notes, "\n"), "host name") {
				t.Skip(r.Facts.Notes)
			}
			if r.ExitCode != tt.code || out != tt.out {
				t.Errorf("status %d, output %q; want %d, %q", r.ExitCode, out, tt.code, tt.out)
			}
		})
	}
}

// TestKeep says what a snapshot of a step holds.
func TestKeep(t *testing.T) {
	s := space(t)
	clock := time.Unix(1_100_000_000, 0)
	do(t, s, Step{Keep: "one", Clock: clock, Mounts: []Mount{{Bytes: []byte("x"), Target: "/run/token"}}},
		strings.Fields("seq mkdir /new ; write /new/file text ; rm /etc/passwd ; chmod /etc/secret 640 ; symlink /etc /new/link ; daemon /new/late")...)
	changes, err := s.Changes(t.Context(), "one")
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, c := range changes {
		if c.Removed {
			got.WriteString("removed " + c.Path + "\n")
			continue
		}
		got.WriteString(c.Type.String()[:1] + c.Mode.String()[1:] + " " + c.Path + " " + c.Link + "\n")
		if c.ModTime.After(clock) {
			t.Errorf("%s is of %s", c.Path, c.ModTime)
		}
	}
	want := lines(`
		removed /etc/passwd
		-rw-r----- /etc/secret
		drwxr-xr-x /new
		-rw-r--r-- /new/file
		Lrwxrwxrwx /new/link /etc`)
	if lines(got.String()) != want {
		t.Errorf("changes:\n%swant:\n%s", got.String(), want)
	}
	if got, want := dump(t, s, []string{"base", "one"}, "/new", "/etc"), lines(`
		dir etc 755
		file etc/secret 640 for root
		dir new 755
		file new/file 644 text
		link new/link /etc`); got != want {
		t.Errorf("exported:\n%swant:\n%s", got, want)
	}
}

// TestNotKept: a step that fails, and one that is not to be kept, leave nothing.
func TestNotKept(t *testing.T) {
	s := space(t)
	do(t, s, Step{Keep: "failed"}, strings.Fields("seq write /x y ; exit 3")...)
	do(t, s, Step{}, "write", "/x", "y")
	if s.Has("failed") {
		t.Error("a failed step was kept")
	}
	_, err := s.Run(t.Context(), Step{On: []string{"base", "failed"}, Args: []string{"prog"}, Env: env})
	if !errors.Is(err, ErrNoSnapshot) {
		t.Errorf("run over a missing snapshot: %v", err)
	}
	if names := leftovers(t, s); len(names) > 0 {
		t.Errorf("left behind: %v", names)
	}
}

// leftovers are temporary files of the space.
func leftovers(t *testing.T, s *Space) []string {
	t.Helper()
	locks, _ := filepath.Glob(filepath.Join(s.dir, "tmp", "*"))
	dirs, _ := filepath.Glob(filepath.Join(s.dir, "*", ".*"))
	return append(locks, dirs...)
}

// TestCancel: the end of the context is the end of everything.
func TestCancel(t *testing.T) {
	s := space(t)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := s.Run(ctx, Step{On: []string{"base"}, Args: []string{"prog", "sleep"}, Env: env})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if names := leftovers(t, s); len(names) > 0 {
		t.Errorf("left behind: %v", names)
	}
}

// TestTimeLimit: a step over its time is ended, and the result says so.
func TestTimeLimit(t *testing.T) {
	s := space(t)
	r, _ := do(t, s, Step{Keep: "k", Limits: Limits{Time: 100 * time.Millisecond}}, "sleep")
	if r.Exceeded != "time" || r.ExitCode != 137 || s.Has("k") {
		t.Errorf("got %+v", r)
	}
}

// BenchmarkStep is what a step costs that does nothing.
func BenchmarkStep(b *testing.B) {
	s := space(b)
	for b.Loop() {
		do(b, s, Step{}, "exit", "0")
	}
}
