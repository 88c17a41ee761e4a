package haskell_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/maint/haskell"
	"github.com/hardpan/hardpan/internal/maint/rootfs"
	"github.com/hardpan/hardpan/internal/maint/shell"
	"github.com/hardpan/hardpan/internal/tree"
)

const database = "var/lib/ghc/package.conf.d"

// run runs a script where the libraries have these descriptions, by name of the file.
func run(tb testing.TB, version string, files map[string]string, script string) (string, *tree.Tree, error) {
	tb.Helper()
	tr := tree.New(&tree.Origin{Kind: tree.FromBuilder}, 0)
	if err := tr.Symlink("usr/lib/ghc/lib/package.conf.d", "/"+database, nil); err != nil {
		tb.Fatal(err)
	}
	for name, text := range files {
		if err := tr.WriteFile(database+"/"+name, []byte(text), 0o644, nil); err != nil {
			tb.Fatal(err)
		}
	}
	c := haskell.Config{Architecture: "amd64", Version: version}
	sh := &shell.Shell{FS: rootfs.New(tr, 0), Commands: haskell.Commands(c)}
	out, err := sh.Run(tb.Context(), shell.Script{Name: "postinst", Text: script, Env: []string{"PATH=/usr/bin"}})
	if e, ok := errors.AsType[*shell.Error](err); ok && e.Err == nil {
		tb.Fatalf("%s: %v", script, err)
	}
	return string(out), tr, err
}

// The caches in testdata were made by ghc-pkg 9.6.6, of one description each.
func TestRecache(t *testing.T) {
	confs, err := filepath.Glob("testdata/*.conf")
	if err != nil || len(confs) == 0 {
		t.Fatal(confs, err)
	}
	for _, conf := range confs {
		text, err := os.ReadFile(conf)
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(strings.TrimSuffix(conf, ".conf") + ".cache")
		if err != nil {
			t.Fatal(err)
		}
		out, tr, err := run(t, "9.6.6-4", map[string]string{"x.conf": string(text), "README": "no"}, "umask 077; ghc-pkg recache --global; echo $?; ghc-pkg check --global; echo $?")
		if err != nil || out != "0\n0\n" {
			t.Errorf("%s: printed %q, error %v", conf, out, err)
			continue
		}
		if got, err := tr.ReadFile(database + "/package.cache"); err != nil || string(got) != string(want) {
			t.Errorf("%s: %v\ngot\n%q\nghc-pkg makes\n%q", conf, err, got, want)
		}
		if m := tr.Lookup(database + "/package.cache").Mode; m != 0o644 {
			t.Errorf("%s: the mode is %#o", conf, m)
		}
	}
}

// Several libraries are sorted, whatever the order of the directory.
func TestOrder(t *testing.T) {
	_, tr, err := run(t, "9.6.6-4", map[string]string{"b.conf": "name: b\nversion: 1\nid: b-1\n", "a.conf": "name: a\nversion: 1\nid: a-1\n"}, "ghc-pkg recache --global")
	if err != nil {
		t.Fatal(err)
	}
	b, err := tr.ReadFile(database + "/package.cache")
	if a, z := strings.Index(string(b), "a-1"), strings.Index(string(b), "b-1"); err != nil || a < 0 || z < a {
		t.Errorf("%q %v", b, err)
	}
}

func TestInfo(t *testing.T) {
	out, _, err := run(t, "9.6.6-4", nil, "ghc --info")
	if err != nil || !strings.Contains(out, `"Have interpreter","YES"`) {
		t.Errorf("%q, error %v", out, err)
	}
}

func TestRefused(t *testing.T) {
	for _, c := range []struct{ version, conf, script, want string }{
		{"9.8.4-1", "", "ghc --info", "ghc of ghc 9.8.4-1"},
		{"9.6.6-4", "", "ghc --make", "ghc --make"},
		{"9.6.6-4", "", "ghc-pkg list", "ghc-pkg list"},
		{"9.6.6-4", "name: x\nversion: 1\nid: x\nlicense: Foo\n", "ghc-pkg recache --global", `x.conf: found license "Foo"`},
		{"9.6.6-4", "name: x\nversion: 1\nid: x\nabi-depends: y=1\n", "ghc-pkg recache --global", "abi-depends"},
		{"9.6.6-4", "name: x\nversion: 1\nid: x\nnew-field: y\n", "ghc-pkg recache --global", "line 4"},
		{"9.6.6-4", "name: x\n\tversion: 1\n", "ghc-pkg recache --global", "a tab or a brace"},
		{"9.6.6-4", "name: x\nversion: one\nid: x\n", "ghc-pkg recache --global", `version "one"`},
		{"9.6.6-4", "name: x\nversion: 1\nid: x\nld-options: \"a\\n\"\n", "ghc-pkg recache --global", "a string without escapes"},
	} {
		if _, _, err := run(t, c.version, map[string]string{"x.conf": c.conf}, c.script); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.script, err, c.want)
		}
	}
}

func FuzzDescription(f *testing.F) {
	f.Add("name: z-a-z-b\nversion: 1\nid: x\nexposed-modules: A from b:C\ndescription:\n  a\n\n b\n")
	f.Fuzz(func(t *testing.T, text string) {
		_, _, _ = run(t, "9.6.6-4", map[string]string{"x.conf": text}, "ghc-pkg recache --global")
	})
}
