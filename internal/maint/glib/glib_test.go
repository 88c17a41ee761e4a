package glib_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/maint/files"
	"github.com/hardpan/hardpan/internal/maint/glib"
	"github.com/hardpan/hardpan/internal/maint/rootfs"
	"github.com/hardpan/hardpan/internal/maint/shell"
	"github.com/hardpan/hardpan/internal/maint/shell/shelltest"
	"github.com/hardpan/hardpan/internal/maint/text"
	"github.com/hardpan/hardpan/internal/tree"
)

// The cases were recorded with trixie's programs, in a directory that "mmdebstrap
// --variant=apt --include=libglib2.0-dev-bin trixie DIR" made:
//
//	go test ./internal/maint/glib -run TestReal -args -debian-root DIR -record
var caseFiles = []string{"schemas"}

func newShell(tb testing.TB) *shell.Shell {
	f := rootfs.New(tree.New(&tree.Origin{Kind: tree.FromBuilder}, shelltest.Time), shelltest.Time)
	commands := glib.Commands()
	maps.Copy(commands, files.Commands())
	maps.Copy(commands, text.Commands())
	return &shell.Shell{FS: f, Commands: commands}
}

func TestCommands(t *testing.T) {
	for _, name := range caseFiles {
		t.Run(name, func(t *testing.T) { shelltest.Check(t, "testdata/"+name+".txt", newShell) })
	}
}

// The expectations are those of the real programs.
func TestRealCommands(t *testing.T) {
	if *shelltest.Root == "" {
		t.Skip("SKIPPED: needs the directory of a Debian trixie as -debian-root: the expectations were not compared with its programs")
	}
	for _, name := range caseFiles {
		t.Run(name, func(t *testing.T) { shelltest.CheckReal(t, "testdata/"+name+".txt", shelltest.Real) })
	}
}

// All schemas of the machine become the bytes that its own program makes of them.
func TestRealSchemas(t *testing.T) {
	const dir = "/usr/share/glib-2.0/schemas"
	program, err := exec.LookPath("glib-compile-schemas")
	if err != nil {
		program = "/usr/lib/x86_64-linux-gnu/glib-2.0/glib-compile-schemas"
	}
	names, _ := filepath.Glob(dir + "/*.xml")
	more, _ := filepath.Glob(dir + "/*.override")
	if _, err := os.Stat(program); err != nil || len(names) == 0 {
		t.Skip("SKIPPED: no glib-compile-schemas, or no schemas, on this host: nothing to compare with")
	}
	to := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), program, "--targetdir="+to, dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	want, err := os.ReadFile(to + "/gschemas.compiled")
	if err != nil {
		t.Fatal(err)
	}
	sh := newShell(t)
	if err := sh.FS.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range append(names, more...) {
		b, err := os.ReadFile(name)
		if err == nil {
			err = sh.FS.WriteFile(name, b, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if out := shelltest.Run(t, sh, shelltest.Case{Script: "glib-compile-schemas " + dir}); strings.TrimSpace(string(out)) != "" {
		t.Errorf("said %s", out)
	}
	got, err := sh.FS.ReadFile(dir + "/gschemas.compiled")
	if err != nil || string(got) != string(want) {
		t.Errorf("%d schemas: %d bytes, %v; the real program makes other %d bytes", len(names), len(got), err, len(want))
	}
}
