package desktop_test

import (
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/maint/desktop"
	"github.com/hardpan/hardpan/internal/maint/files"
	"github.com/hardpan/hardpan/internal/maint/rootfs"
	"github.com/hardpan/hardpan/internal/maint/shell"
	"github.com/hardpan/hardpan/internal/maint/shell/shelltest"
	"github.com/hardpan/hardpan/internal/maint/text"
	"github.com/hardpan/hardpan/internal/tree"
)

// The cases were recorded with trixie's programs, in a directory that "mmdebstrap
// --variant=apt --include=gtk-update-icon-cache,shared-mime-info,desktop-file-utils
// trixie DIR" made:
//
//	go test ./internal/maint/desktop -run TestReal -args -debian-root DIR -record
var caseFiles = []string{"icons"}

func newShell(tb testing.TB) *shell.Shell {
	f := rootfs.New(tree.New(&tree.Origin{Kind: tree.FromBuilder}, shelltest.Time), shelltest.Time)
	commands := desktop.Commands()
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

// fromDisk puts a directory of the disk into the tree of sh, at the same path.
func fromDisk(t *testing.T, sh *shell.Shell, dir string, content bool) {
	t.Helper()
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			return sh.FS.MkdirAll(name, 0o755)
		case d.Type()&fs.ModeSymlink != 0:
			to, err := os.Readlink(name)
			if err != nil {
				return err
			}
			return sh.FS.Symlink(to, name)
		}
		var b []byte
		if content {
			if b, err = os.ReadFile(name); err != nil {
				return err
			}
		}
		return sh.FS.WriteFile(name, b, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// All icon themes of the machine get the cache that its own program makes of them.
func TestRealIconThemes(t *testing.T) {
	program, err := exec.LookPath("gtk-update-icon-cache")
	themes, _ := filepath.Glob("/usr/share/icons/*/index.theme")
	if err != nil || len(themes) == 0 {
		t.Skip("SKIPPED: no gtk-update-icon-cache, or no icon themes, on this host: nothing to compare with")
	}
	for _, index := range themes {
		dir, err := filepath.EvalSymlinks(filepath.Dir(index))
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Lstat(index); err != nil || !info.Mode().IsRegular() {
			continue // of an alternative, which is not copied
		}
		copied := filepath.Join(t.TempDir(), "theme")
		if out, err := exec.CommandContext(t.Context(), "cp", "-a", dir, copied).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if out, err := exec.CommandContext(t.Context(), program, "--force", "--quiet", copied).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", dir, err, out)
		}
		want, err := os.ReadFile(copied + "/icon-theme.cache")
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		sh := newShell(t)
		fromDisk(t, sh, dir, false)
		if out := shelltest.Run(t, sh, shelltest.Case{Script: "gtk-update-icon-cache --force --quiet " + dir}); strings.TrimSpace(string(out)) != "" {
			t.Errorf("said %s", out)
		}
		got, _ := sh.FS.ReadFile(dir + "/icon-theme.cache")
		if string(got) != string(want) {
			t.Errorf("%s: %d bytes; the real program makes other %d bytes", dir, len(got), len(want))
		}
	}
}
