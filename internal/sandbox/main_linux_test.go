package sandbox

import (
	"archive/tar"
	"context"
	"debug/elf"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// The tests are their own programs: the test binary lies in each root as /bin/prog
// and does there what its first argument says (see prog_linux_test.go).
func TestMain(m *testing.M) {
	Init()
	if filepath.Base(os.Args[0]) == "prog" {
		os.Exit(prog(os.Args[1:]))
	}
	if os.Args[0] == outerName {
		runtime.LockOSThread() // capabilities are a thread's
		fmt.Println(outer(os.Args[1:]))
		os.Exit(1)
	}
	forceCopies = os.Getenv(rootEnv) == "copy" && os.Getenv(kindEnv) == ""
	childEnv = []string{noRaceSleep}
	os.Exit(m.Run())
}

// noRaceSleep keeps the race detector from a second's sleep at each process's end.
const noRaceSleep = "GORACE=atexit_sleep_ms=0"

// space opens a space with a snapshot "base" that holds the program.
func space(t testing.TB) *Space {
	t.Helper()
	s, err := Open(filepath.Join(t.TempDir(), "space"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { clean(t, s) })
	err = s.Add(t.Context(), "base", nil, func(w *tar.Writer) error {
		const exe = "/proc/self/exe" // the way to it may be closed to us
		if err := putFile(w, exe, "bin/prog", 0o755); err != nil {
			return err
		}
		for _, lib := range libraries(t, exe) {
			if err := putFile(w, lib, strings.TrimPrefix(lib, "/"), 0o755); err != nil {
				return err
			}
		}
		return put(w, tree(`
			dir  tmp 1777
			dir  etc 755
			file etc/passwd 644 root:x:0:0::/:/bin/prog
			file etc/secret 600 for root`))
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// clean removes files that belong to other ids than ours.
func clean(t testing.TB, s *Space) {
	if err := s.RemoveAll(context.Background()); err != nil {
		t.Error(err)
	}
}

// libraries are what a test binary needs that is not linked statically, as under
// the race detector.
func libraries(t testing.TB, exe string) []string {
	f, err := elf.Open(exe)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var libs []string
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			b, _ := io.ReadAll(p.Open())
			libs = append(libs, strings.TrimRight(string(b), "\x00"))
		}
	}
	names, _ := f.ImportedLibraries()
	for _, name := range names {
		found, _ := filepath.Glob("/lib/*-linux-gnu/" + name)
		libs = append(libs, found...)
	}
	return libs
}

func putFile(w *tar.Writer, from, to string, mode int64) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := w.WriteHeader(&tar.Header{Name: to, Typeflag: tar.TypeReg, Mode: mode, Size: int64(len(b))}); err != nil {
		return err
	}
	_, err = w.Write(b)
	return err
}

// env is the environment of the steps.
var env = []string{"PATH=/bin", "HOME=/", noRaceSleep}

// do runs the program with these words.
func do(t testing.TB, s *Space, st Step, words ...string) (*Result, string) {
	t.Helper()
	var out strings.Builder
	st.Args, st.Env, st.Stdout, st.Stderr = append([]string{"prog"}, words...), env, &out, &out
	if st.On == nil {
		st.On = []string{"base"}
	}
	r, err := s.Run(t.Context(), st)
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(words, " "), err, out.String())
	}
	return r, strings.TrimSpace(out.String())
}
