package desktop_test

import (
	"errors"
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
	commands := desktop.Commands(desktop.Config{Version: func(pkg string) string {
		return map[string]string{"libgdk-pixbuf-2.0-0": "2.42.12+dfsg-4", "libgtk-3-0t64": "3.24.49-3", "libgtk2.0-0t64": "2.24.33-7", "shared-mime-info": "2.4-5+b2"}[pkg]
	}})
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

// moduleRoot returns a directory in which packages with modules are installed: that of
// -debian-root, or the machine's own.
func moduleRoot() string { return *shelltest.Root }

// The caches of modules are those that the programs made when they were installed.
func TestRealModules(t *testing.T) {
	lib, _ := filepath.Glob(moduleRoot() + "/usr/lib/*/gdk-pixbuf-2.0")
	if *shelltest.Root == "" || len(lib) == 0 {
		t.Skip("SKIPPED: needs a Debian trixie with modules as -debian-root: the lists of modules were not compared")
	}
	dir := strings.TrimPrefix(filepath.Dir(lib[0]), moduleRoot())
	caches := map[string]string{
		"gio/modules/giomodule.cache":                 dir + "/glib-2.0/gio-querymodules " + dir + "/gio/modules",
		"gtk-4.0/4.0.0/printbackends/giomodule.cache": dir + "/glib-2.0/gio-querymodules " + dir + "/gtk-4.0/4.0.0/*",
		"gtk-2.0/2.10.0/immodules.cache":              dir + "/libgtk2.0-0t64/gtk-query-immodules-2.0 --update-cache",
		"gtk-3.0/3.0.0/immodules.cache":               dir + "/libgtk-3-0t64/gtk-query-immodules-3.0 --update-cache",
		"gdk-pixbuf-2.0/2.10.0/loaders.cache":         dir + "/gdk-pixbuf-2.0/gdk-pixbuf-query-loaders " + dir + "/gdk-pixbuf-2.0/2.10.0/loaders/*.so >" + dir + "/gdk-pixbuf-2.0/2.10.0/loaders.cache",
	}
	for name, script := range caches {
		want, err := os.ReadFile(moduleRoot() + dir + "/" + name)
		if err != nil {
			t.Logf("SKIPPED: %v", err)
			continue
		}
		sh := newShell(t)
		program, _, _ := strings.Cut(script, " ")
		program = strings.TrimPrefix(program, dir+"/")
		for _, at := range []string{"gio", "gtk-2.0", "gtk-3.0", "gtk-4.0", "gdk-pixbuf-2.0/2.10.0"} {
			err := filepath.WalkDir(moduleRoot()+dir+"/"+at, func(name string, d fs.DirEntry, err error) error {
				if err != nil || !strings.HasSuffix(name, ".so") {
					return nil
				}
				in := strings.TrimPrefix(name, moduleRoot())
				b, err := os.ReadFile(name)
				if err != nil {
					return err
				}
				if err := sh.FS.MkdirAll(filepath.Dir(in), 0o755); err != nil {
					return err
				}
				return sh.FS.WriteFile(in, b, 0o644)
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		node := &tree.Node{Path: strings.TrimPrefix(dir, "/") + "/" + program, Type: tree.File, Mode: 0o755, ELF: &tree.ELF{}}
		if err := sh.FS.MkdirAll("/"+filepath.Dir(node.Path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := sh.FS.Tree.Set(node); err != nil {
			t.Fatal(err)
		}
		out := shelltest.Run(t, sh, shelltest.Case{Script: "HOME=/root; export HOME\n" + script})
		if got, _ := sh.FS.ReadFile(dir + "/" + name); string(got) != string(want) {
			t.Errorf("%s: said %s, made\n%s\nwant\n%s", name, out, got, want)
		}
	}
}

// What a module is for is known by its name, if it has the words of the answer in it.
func TestModules(t *testing.T) {
	const dir = "/usr/lib/x86_64-linux-gnu/gio/modules"
	for _, tt := range []struct{ name, content, want, fault string }{
		{"libgvfsdbus.so", "\x00g_io_gvfsdbus_query\x00gio-vfs\x00gio-volume-monitor\x00", "libgvfsdbus.so: gio-vfs,gio-volume-monitor\n", ""},
		{"libgvfsdbus.so", "\x00g_io_module_query\x00gio-vfs\x00gio-volume-monitor2\x00", "", `running the code of the module ` + dir + `/libgvfsdbus.so, which does not have the "gio-volume-monitor" of the one that is known, is not supported`},
		{"libnew.so", "\x00g_io_new_query\x00gio-vfs\x00", "", "running the code of the module " + dir + "/libnew.so, which is not known, is not supported"},
		{"libother.so", "\x00no such function\x00", "", ""},
	} {
		sh := newShell(t)
		if err := sh.FS.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := sh.FS.WriteFile(dir+"/"+tt.name, []byte(tt.content), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := sh.Run(t.Context(), shell.Script{Name: "script", Text: "gio-querymodules " + dir})
		var fault string
		if e, ok := errors.AsType[*shell.UnsupportedError](err); ok {
			fault = e.Error()
		}
		if got, _ := sh.FS.ReadFile(dir + "/giomodule.cache"); string(got) != tt.want || fault != tt.fault {
			t.Errorf("%s: made %q, %s; want %q, %s", tt.name, got, fault, tt.want, tt.fault)
		}
	}
}

// What is left out is told, and leaves no files but those that have no times in them.
func TestLeftOut(t *testing.T) {
	sh := newShell(t)
	var told []string
	maps.Copy(sh.Commands, desktop.Commands(desktop.Config{Omitted: func(command, _ string) { told = append(told, command) }}))
	out := shelltest.Run(t, sh, shelltest.Case{Script: "fc-cache -s -f -v; setpriv --reuid man --regid man --init-groups -- /usr/bin/mandb -cq; runuser -u man -- /usr/bin/mandb -pq\ncat /var/cache/fontconfig/*"})
	if want := "fc-cache: succeeded\nSignature: 8a477f597d28d172789f06886806bc55\n"; !strings.HasPrefix(string(out), want) {
		t.Errorf("printed %q, want %q", out, want)
	}
	if want := "fc-cache -s -f -v|mandb -cq|mandb -pq"; strings.ReplaceAll(strings.Join(told, "|"), "/usr/bin/", "") != want {
		t.Errorf("told %q, want %q", told, want)
	}
	_, err := sh.Run(t.Context(), shell.Script{Name: "script", Text: "setpriv --reuid man -- touch /x"})
	if _, ok := errors.AsType[*shell.UnsupportedError](err); !ok {
		t.Errorf("running a program as another user: %v, want that it is not supported", err)
	}
}

// The database of MIME types is that which the program made when it was installed.
func TestRealMIMEDatabase(t *testing.T) {
	const dir = "/usr/share/mime"
	packages, _ := filepath.Glob(*shelltest.Root + dir + "/packages/*.xml")
	if *shelltest.Root == "" || len(packages) == 0 {
		t.Skip("SKIPPED: needs a Debian trixie with shared-mime-info as -debian-root: the database was not compared")
	}
	sh := newShell(t)
	if err := sh.FS.MkdirAll(dir+"/packages", 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range packages {
		b, err := os.ReadFile(name)
		if err == nil {
			err = sh.FS.WriteFile(dir+"/packages/"+filepath.Base(name), b, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if out := shelltest.Run(t, sh, shelltest.Case{Script: "update-mime-database " + dir}); len(out) > 0 {
		t.Errorf("said %s", out)
	}
	got, want := shelltest.Tree(sh.FS, dir), shelltest.Disk(t, *shelltest.Root+dir)
	byPath := map[string]shelltest.Entry{}
	for _, e := range got {
		byPath[e.Path] = e
	}
	for _, e := range want {
		if g := byPath[e.Path]; g.Status != e.Status || !strings.HasPrefix(e.Path, "packages/") && g.Content != e.Content {
			t.Errorf("%s:%.300s %.3000s\nwant%.300s %.3000s", e.Path, g.Status, g.Content, e.Status, e.Content)
		}
		delete(byPath, e.Path)
	}
	for name := range byPath {
		t.Errorf("%s is too much", name)
	}
}
