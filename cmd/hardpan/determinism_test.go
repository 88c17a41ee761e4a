//go:build linux

package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

const richSpec = helloSpec + `accounts:
  users: [{name: app, uid: 1000, gid: 1000, home: /app}]
  groups: [{name: app, gid: 1000}]
  run-as: app
paths:
  - {path: /app/settings, type: file, source: settings.txt, mode: "0640", uid: 1000}
  - {path: /usr/bin/hello-su, type: permissions, mode: "0700"}
`

// The same spec and lock give the same image whoever builds, wherever, with whatever
// environment and cache.
func TestSameDigest(t *testing.T) {
	t.Parallel()
	w := newWorkshop(t)
	w.write("hello.yaml", richSpec, 0o644)
	w.write("settings.txt", "a: 1\n", 0o600)
	want := w.build()
	if want == "" {
		t.Fatal("the build told no digest")
	}
	for _, c := range []struct {
		name string
		env  []string
		args []string
	}{
		{"warm cache", nil, nil},
		{"no image in the cache", []string{"FORGET=keys/image"}, nil},
		{"no layers in the cache", []string{"FORGET=keys"}, nil},
		{"another cache", nil, []string{"--cache-dir", "another/cache"}},
		{"one core", []string{"GOMAXPROCS=1"}, []string{"--cache-dir", "one"}},
		{"two cores", []string{"GOMAXPROCS=2"}, []string{"--cache-dir", "two"}},
		{"many jobs", []string{"GOMAXPROCS=4"}, []string{"--cache-dir", "many", "--jobs", "9"}},
		{"one job", nil, []string{"--cache-dir", "single", "--jobs", "1"}},
		{"time zone", []string{"TZ=Pacific/Kiritimati"}, []string{"--cache-dir", "zone"}},
		{"language", []string{"LANG=tr_TR.UTF-8", "LC_ALL=tr_TR.UTF-8"}, []string{"--cache-dir", "language"}},
		{"collector", []string{"GOGC=1"}, []string{"--cache-dir", "collector"}},
		{"JSON", nil, []string{"--cache-dir", "json", "--output", "json"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, e := range c.env {
				if sub, ok := bytes.CutPrefix([]byte(e), []byte("FORGET=")); ok {
					must(os.RemoveAll(filepath.Join(w.dir, "cache", string(sub))))
				}
			}
			w.check(t, want, w.with(c.env, append([]string{"build", "hello.yaml"}, c.args...)...))
		})
	}
	t.Run("umask", func(t *testing.T) {
		for _, mask := range []string{"000", "077"} {
			cmd := w.with(nil)
			cmd.Path, cmd.Args = "/bin/sh", []string{"sh", "-c", "umask " + mask + " && exec hardpan build hello.yaml --cache-dir mask" + mask + " --layout mask" + mask + ".out"}
			w.check(t, want, cmd)
		}
	})
	t.Run("another directory", func(t *testing.T) {
		dir := t.TempDir()
		spec, err := filepath.Rel(dir, filepath.Join(w.dir, "hello.yaml"))
		must(err)
		cmd := w.with(nil, "build", spec, "--cache-dir", filepath.Join(w.dir, "else"))
		cmd.Dir = dir
		w.check(t, want, cmd)
	})
	t.Run("another place and times", func(t *testing.T) {
		dir := t.TempDir()
		for _, name := range []string{"hello.yaml", "hello.lock", "settings.txt"} {
			b, err := os.ReadFile(filepath.Join(w.dir, name))
			must(err)
			must(os.WriteFile(filepath.Join(dir, name), b, 0o444))
		}
		cmd := w.with(nil, "build", "hello.yaml")
		cmd.Dir = dir
		w.check(t, want, cmd)
	})
	t.Run("ordinary user", func(t *testing.T) { w.asNobody(t, want) })
}

func (w *workshop) write(name, text string, mode os.FileMode) {
	w.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), mode); err != nil {
		w.Fatal(err)
	}
}

// with returns the program with more environment.
func (w *workshop) with(env []string, args ...string) *exec.Cmd {
	cmd := w.hardpan(args...)
	cmd.Env = append(cmd.Env, env...)
	return cmd
}

func (w *workshop) check(t *testing.T, want string, cmd *exec.Cmd) {
	t.Helper()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	if got := digestForm.FindString(string(out)); got != want {
		t.Errorf("the image is %s, want %s", got, want)
	}
}

// asNobody builds as a user without rights, in a directory that belongs to it.
func (w *workshop) asNobody(t *testing.T, want string) {
	if os.Getuid() != 0 {
		t.Skip("needs to be root, to become somebody else; all else here ran as an ordinary user")
	}
	const nobody = 65534
	// Not below t.TempDir, which only its owner may enter.
	dir, err := os.MkdirTemp("", "nobody-")
	must(err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	for _, name := range []string{"hello.yaml", "hello.lock", "settings.txt"} {
		b, err := os.ReadFile(filepath.Join(w.dir, name))
		must(err)
		must(os.WriteFile(filepath.Join(dir, name), b, 0o644))
		must(os.Chown(filepath.Join(dir, name), nobody, nobody))
	}
	program, err := exec.LookPath("hardpan")
	must(err)
	b, err := os.ReadFile(program)
	must(err)
	must(os.WriteFile(filepath.Join(dir, "program"), b, 0o755))
	must(os.Chown(dir, nobody, nobody))

	cmd := w.with([]string{"HOME=" + dir, "XDG_CONFIG_HOME=" + dir, "TMPDIR=" + dir, "HARDPAN_KEYRING="}, "build", "hello.yaml")
	cmd.Path, cmd.Dir = filepath.Join(dir, "program"), dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	w.check(t, want, cmd)
}
