package sandbox

import (
	"archive/tar"
	"io"
	"os"
	"strings"
	"testing"
)

// cacheText exports a cache as text.
func cacheText(t *testing.T, s *Space, name string) string {
	t.Helper()
	var b strings.Builder
	err := s.ExportCache(t.Context(), name, func(h *tar.Header, r io.Reader) error {
		b.WriteString(describe(h, r))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestCache: a cache lasts from step to step and is in no snapshot.
func TestCache(t *testing.T) {
	s := space(t)
	if got := cacheText(t, s, "go"); got != "" {
		t.Errorf("a cache that nobody used holds\n%s", got)
	}
	cache := []Mount{{Cache: "go", Target: "/root/.cache"}}
	do(t, s, Step{Keep: "one", Mounts: cache}, strings.Fields("seq mkdir /root/.cache/d ; write /root/.cache/d/f text ; symlink d /root/.cache/l")...)
	if r, out := do(t, s, Step{Mounts: cache}, "cat", "/root/.cache/l/f"); r.ExitCode != 0 || out != "text" {
		t.Errorf("the next step read %q", out)
	}
	if r, _ := do(t, s, Step{Mounts: []Mount{{Cache: "go", Target: "/c", ReadOnly: true}}}, "write", "/c/x", "y"); r.ExitCode == 0 {
		t.Error("a step wrote to a cache that is mounted read-only")
	}
	if r, _ := do(t, s, Step{Mounts: []Mount{{Cache: "other", Target: "/c"}}}, "cat", "/c/d/f"); r.ExitCode == 0 {
		t.Error("a step read another cache")
	}
	if got, want := cacheText(t, s, "go"), lines(`
		dir d 755
		file d/f 644 text
		link l d`); got != want {
		t.Errorf("the cache holds\n%swant\n%s", got, want)
	}
	changes, err := s.Changes(t.Context(), "one")
	if err != nil || len(changes) > 0 {
		t.Errorf("the snapshot has %v, %v", changes, err)
	}
	if err := s.RemoveAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.Has("base") || s.Has("one") || cacheText(t, s, "go") != "" {
		t.Error("something is left after RemoveAll")
	}
}

// TestWorkDir: a working directory that is missing is made and kept, and one that
// is there is no change.
func TestWorkDir(t *testing.T) {
	s := space(t)
	for _, tt := range []struct{ key, dir, want string }{
		{"new", "/src/app", "/src drwxr-xr-x\n/src/app drwxr-xr-x\n"},
		{"above a mount point", "/run", "/run drwxr-xr-x\n"},
		{"there", "/tmp", ""},
		{"in a mount", "/run/cache/x", ""},
	} {
		do(t, s, Step{Keep: tt.key, Dir: tt.dir, Mounts: []Mount{{Cache: "c", Target: "/run/cache"}}}, "pwd")
		changes, err := s.Changes(t.Context(), tt.key)
		if err != nil {
			t.Fatal(err)
		}
		var got strings.Builder
		for _, c := range changes {
			got.WriteString(c.Path + " " + (c.Type | c.Mode).String() + "\n")
		}
		if got.String() != tt.want {
			t.Errorf("%s: changes\n%swant\n%s", tt.key, got.String(), tt.want)
		}
	}
}

// TestHostNames: with the host's network come the files that names are resolved by.
func TestHostNames(t *testing.T) {
	s := space(t)
	for _, name := range nameFiles {
		want, err := os.ReadFile(name)
		if err != nil {
			t.Skipf("the host has no %s", name)
		}
		r, out := do(t, s, Step{Network: NetworkHost, Keep: "k" + name}, "cat", name)
		if r.ExitCode != 0 || out != strings.TrimSpace(string(want)) {
			t.Errorf("%s is %q, want %q", name, out, want)
		}
		if changes, err := s.Changes(t.Context(), "k"+name); err != nil || len(changes) > 0 {
			t.Errorf("%s left %v, %v", name, changes, err)
		}
		mine := Step{Network: NetworkHost, Mounts: []Mount{{Bytes: []byte("mine"), Target: name}}}
		if _, out := do(t, s, mine, "cat", name); out != "mine" {
			t.Errorf("%s is %q where the step has its own", name, out)
		}
	}
}
