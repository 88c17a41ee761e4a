package tree_test

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/tree"
	"github.com/hardpan/hardpan/internal/tree/treetest"
)

var other = &tree.Origin{Kind: tree.FromSpec, Spec: "a.yaml:3"}

func TestAdd(t *testing.T) {
	for _, test := range []struct {
		name, tree string
		node       *tree.Node
		want       string // the tree, or the error
	}{
		{"implied directories", "", &tree.Node{Path: "a/b/c", Mode: 0o644}, `
			/a dir 0755 implied
			/a/b dir 0755 implied
			/a/b/c file 0644`},
		{"directory after its child", "/a/b file \"\"", &tree.Node{Path: "a", Type: tree.Dir, Mode: 0o700}, `
			/a dir 0700
			/a/b file 0644`},
		{"directory twice: the first stays", "/a dir 0700", &tree.Node{Path: "a", Type: tree.Dir, Mode: 0o755}, `
			/a dir 0700`},
		{"file twice", `/a file ""`, &tree.Node{Path: "a"},
			"/a: file of spec a.yaml:3 is also file of package fixture 1"},
		{"directory over file", `/a file ""`, &tree.Node{Path: "a", Type: tree.Dir},
			"/a: dir of spec a.yaml:3 is also file of package fixture 1"},
		{"link over directory", `/a dir`, &tree.Node{Path: "a", Type: tree.Symlink},
			"/a: symlink of spec a.yaml:3 is also dir of package fixture 1"},
		{"below a file", `/a file ""`, &tree.Node{Path: "a/b/c"},
			"/a/b/c of spec a.yaml:3: its parent /a is a file of package fixture 1"},
		{"below a link", "/a symlink b\n/b dir", &tree.Node{Path: "a/c"},
			"/a/c of spec a.yaml:3: its parent /a is a symlink of package fixture 1"},
		{"absolute path", "", &tree.Node{Path: "/a"}, `path "/a" is not clean`},
		{"path out of the root", "", &tree.Node{Path: "../a"}, `path "../a" is not clean`},
		{"empty path", "", &tree.Node{Path: ""}, `path "" is not clean`},
		{"the root as a file", "", &tree.Node{Path: "."}, "/.: file of spec a.yaml:3 is also dir of hardpan, implied"},
	} {
		t.Run(test.name, func(t *testing.T) {
			image := treetest.New(t, test.tree)
			before := treetest.Dump(image)
			test.node.Origin = other
			err := image.Add(test.node)
			if err != nil {
				if err.Error() != test.want {
					t.Errorf("error %q, want %q", err, test.want)
				}
				if after := treetest.Dump(image); after != before {
					t.Errorf("a failed Add left\n%s", after)
				}
				return
			}
			same(t, image, test.want)
		})
	}
}

// same compares the tree with its dump, which may be indented.
func same(t *testing.T, image *tree.Tree, want string) {
	t.Helper()
	want = strings.TrimSpace(strings.ReplaceAll(want, "\t", ""))
	if got := strings.TrimSpace(treetest.Dump(image)); got != want {
		t.Errorf("tree:\n%s\nwant:\n%s", got, want)
	}
}

func TestConflictError(t *testing.T) {
	image := treetest.New(t, `/a file ""`)
	err := image.Add(&tree.Node{Path: "a", Origin: other})
	conflict, ok := errors.AsType[*tree.ConflictError](err)
	if !ok || conflict.Path != "a" || conflict.Old.Origin != treetest.Origin || conflict.New.Origin != other {
		t.Errorf("error %#v", err)
	}
}

func TestSet(t *testing.T) {
	for _, test := range []struct {
		name, tree string
		node       *tree.Node
		want       string
	}{
		{"new", "", &tree.Node{Path: "a/b", Mode: 0o600}, "/a dir 0755 implied\n/a/b file 0600"},
		{"file by link", `/a file ""`, &tree.Node{Path: "a", Type: tree.Symlink, Mode: 0o777, Link: "b"}, "/a symlink 0777 b"},
		{"empty directory by file", `/a dir`, &tree.Node{Path: "a", Mode: 0o600}, "/a file 0600"},
		{"directory's mode", "/a/b file \"\"", &tree.Node{Path: "a", Type: tree.Dir, Mode: 0o711}, "/a dir 0711\n/a/b file 0644"},
		{"full directory by file", "/a/b file \"\"", &tree.Node{Path: "a"}, "/a: file of spec a.yaml:3 is also dir of hardpan, implied"},
		{"below a file", `/a file ""`, &tree.Node{Path: "a/b"}, "/a/b of spec a.yaml:3: its parent /a is a file of package fixture 1"},
		{"the root by a link", "", &tree.Node{Path: ".", Type: tree.Symlink}, "/.: symlink of spec a.yaml:3 is also dir of hardpan, implied"},
	} {
		t.Run(test.name, func(t *testing.T) {
			image := treetest.New(t, test.tree)
			test.node.Origin = other
			if err := image.Set(test.node); err != nil {
				if err.Error() != test.want {
					t.Errorf("error %q, want %q", err, test.want)
				}
				return
			}
			same(t, image, test.want)
			if image.Lookup(test.node.Path) != test.node {
				t.Error("the node is not at its path")
			}
		})
	}
}

const linked = `
/lib symlink usr/lib
/usr/lib/libc.so.6 file "c"
/usr/lib/abs symlink /lib/libc.so.6
/usr/lib/up symlink ../../../../../etc/passwd
/etc/passwd file "root"
/var/run symlink /run
/var/twice symlink run/further
/loop/a symlink b
/loop/b symlink a
/loop/self symlink self/self
/dangling symlink nowhere/at/all
/tofile symlink etc/passwd
/root symlink /
/empty symlink
/other hardlink /etc/passwd
/tolink symlink other
/deep/link symlink ../usr/lib
/through symlink deep/link/../../etc/passwd
/short symlink usr/lib/../passwd
`

func TestResolve(t *testing.T) {
	for _, test := range []struct{ name, want string }{
		{"lib/libc.so.6", "usr/lib/libc.so.6"},
		{"/lib/libc.so.6", "usr/lib/libc.so.6"},
		{"lib", "usr/lib"},
		{"usr/lib/abs", "usr/lib/libc.so.6"},
		{"usr/lib/up", "etc/passwd"},
		{"../../etc/passwd", "etc/passwd"},
		{"root/root/etc/passwd", "etc/passwd"},
		{"/", "."}, {"root", "."}, {".", "."},
		{"tolink", "other"},
		{"empty", "file does not exist"},
		{"deep/link/../lib", "usr/lib"}, // .. is above where the link leads
		{"through", "etc/passwd"},
		{"short", "file does not exist"},
		{"etc/passwd/..", "not a directory"},
		{"loop/a", "too many levels of symbolic links"},
		{"loop/a/x", "too many levels of symbolic links"},
		{"loop/self", "too many levels of symbolic links"},
		{"loop/self/x", "too many levels of symbolic links"},
		{"dangling", "file does not exist"},
		{"dangling/x", "file does not exist"},
		{"var/run/x", "file does not exist"},
		{"nothing", "file does not exist"},
		{"nothing/at/all", "file does not exist"},
		{"etc/passwd/x", "not a directory"},
		{"tofile/x", "not a directory"},
	} {
		n, err := treetest.New(t, linked).Resolve(test.name)
		got := ""
		if err != nil {
			got = err.Error()
			got = got[strings.LastIndex(got, ": ")+2:]
		} else {
			got = n.Path
		}
		if got != test.want {
			t.Errorf("%s leads to %q (%v), want %q", test.name, got, err, test.want)
		}
	}
}

func TestResolveErrors(t *testing.T) {
	image := treetest.New(t, linked)
	if _, err := image.Resolve("loop/a"); !errors.Is(err, tree.ErrLoop) {
		t.Errorf("loop: %v", err)
	}
	if _, err := image.Resolve("dangling"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("dangling: %v", err)
	}
}

func TestRealPath(t *testing.T) {
	for _, test := range []struct{ name, want string }{
		{"lib/new.so", "usr/lib/new.so"},
		{"lib", "lib"}, // the last element is not followed
		{"var/run/app/pid", "run/app/pid"},
		{"var/twice/pid", "run/further/pid"},
		{"a/b/c", "a/b/c"},
		{"dangling/x", "nowhere/at/all/x"},
		{"usr/lib/up/x", "not a directory"},
		{"loop/b/x", "too many levels of symbolic links"},
		{"loop/self/x", "too many levels of symbolic links"},
		{"/", "."},
	} {
		got, err := treetest.New(t, linked).RealPath(test.name)
		if err != nil {
			got = err.Error()
			got = got[strings.LastIndex(got, ": ")+2:]
		}
		if got != test.want {
			t.Errorf("real path of %s is %q, want %q", test.name, got, test.want)
		}
	}
}

// Links that lead to links by several ways end at the limit, not after all the ways.
func TestResolveManyLinks(t *testing.T) {
	image := treetest.New(t, "/d dir")
	for i := range 60 {
		next := fmt.Sprintf("l%d/../l%d/../l%d", i+1, i+1, i+1)
		if err := image.Symlink(fmt.Sprintf("l%d", i), next, other); err != nil {
			t.Fatal(err)
		}
	}
	if err := image.Symlink("l60", "d", other); err != nil {
		t.Fatal(err)
	}
	if _, err := image.Resolve("l0"); !errors.Is(err, tree.ErrLoop) {
		t.Errorf("error %v, want %v", err, tree.ErrLoop)
	}
	if n, err := image.Resolve("l59"); err != nil || n.Path != "d" {
		t.Errorf("l59 leads to %v (%v), want /d", n, err)
	}
}

func TestReadDirAfterChanges(t *testing.T) {
	image := treetest.New(t, "/a/b file \"\"\n/a/d/e file \"\"")
	names := func(dir, want string) {
		t.Helper()
		if got := strings.Join(image.ReadDir(dir), " "); got != want {
			t.Errorf("%s holds %q, want %q", dir, got, want)
		}
	}
	names(".", "a")
	names("a", "b d")
	names("a/b", "")
	if err := image.Add(&tree.Node{Path: "a/c", Origin: other}); err != nil {
		t.Fatal(err)
	}
	names("a", "b c d")
	image.Remove("a/d")
	names("a", "b c")
	names("a/d", "")
	if err := image.Set(&tree.Node{Path: "a/x/y", Origin: other}); err != nil {
		t.Fatal(err)
	}
	names("a", "b c x")
	names("a/x", "y")
	image.Remove("a")
	image.Remove("never")
	image.Remove(".")
	names(".", "")
	if image.Len() != 1 {
		t.Errorf("%d nodes are left, want the root", image.Len())
	}
}

func TestReadFile(t *testing.T) {
	image := treetest.New(t, linked)
	for name, want := range map[string]string{
		"etc/passwd": "root", "/tofile": "root", "other": "root", "tolink": "root", "/lib/abs": "c",
		"lib": "read /usr/lib: is a dir", "dangling": "resolve /nowhere/at/all: file does not exist",
	} {
		b, err := image.ReadFile(name)
		got := string(b)
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s reads %q, want %q", name, got, want)
		}
	}
}

func TestGlobAndAll(t *testing.T) {
	image := treetest.New(t, "/a/b file \"\"\n/a-b file \"\"\n/a/c/d file \"\"")
	if got, want := strings.Join(image.Glob("a/*"), " "), "a/b a/c"; got != want {
		t.Errorf("glob gives %q, want %q", got, want)
	}
	seen := map[string]bool{}
	for n := range image.All() {
		if dir, _, ok := strings.Cut(n.Path, "/"); ok && !seen[dir] {
			t.Errorf("%s comes before its directory", n.Path)
		}
		seen[n.Path] = true
	}
	if len(seen) != image.Len() {
		t.Errorf("%d nodes, want %d", len(seen), image.Len())
	}
}

func TestWriters(t *testing.T) {
	image := treetest.New(t, "/etc/a file \"old\"")
	if err := errors.Join(
		image.WriteFile("etc/a", []byte("new"), 0o640, other),
		image.Symlink("etc/b", "a", other),
		image.Mkdir("etc", 0o700, other),
		image.Mkdir("srv", 0o2750, other),
	); err != nil {
		t.Fatal(err)
	}
	same(t, image, `
		/etc dir 0700
		/etc/a file 0640
		/etc/b symlink 0777 a
		/srv dir 2750`)
	n := image.Lookup("etc/a")
	const sum = "11507a0e2f5e69d5dfa40a62a1bd7b6ee57e6bcd85c67c9b8431b36fff21c437" // printf new | sha256sum
	if n.Size != 3 || n.SHA256 != sum {
		t.Errorf("file of %d bytes with the digest %s, want 3 and %s", n.Size, n.SHA256, sum)
	}
}

func TestClean(t *testing.T) {
	for name, want := range map[string]string{
		"": ".", "/": ".", ".": ".", "..": ".", "/a/": "a", "a//b/./c": "a/b/c", "../../a": "a", "a/../..": ".",
	} {
		if got := tree.Clean(name); got != want {
			t.Errorf("%q is %q, want %q", name, got, want)
		}
	}
}

// Many inputs are counted by directory.
func TestOriginOfManyInputs(t *testing.T) {
	o := tree.Origin{Kind: tree.FromScript, Package: "ca-certificates", Version: "1", Script: "postinst", Command: "update-ca-certificates",
		Inputs: []string{"/etc/ca-certificates.conf", "/usr/share/ca/a", "/usr/share/ca/b", "/usr/share/ca/c", "/usr/share/ca/d", "/usr/local/x", "/usr/local/y"}}
	const want = "package ca-certificates 1, postinst, update-ca-certificates, from /etc/ca-certificates.conf, 4 files of /usr/share/ca, 2 files of /usr/local"
	if got := o.String(); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
