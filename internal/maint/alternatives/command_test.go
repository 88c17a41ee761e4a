package alternatives_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/maint/alternatives"
	"github.com/hardpan/hardpan/internal/maint/rootfs"
	"github.com/hardpan/hardpan/internal/maint/shell"
	"github.com/hardpan/hardpan/internal/tree"
)

// calls are scripts over a tree in which /b/1 to /b/3 and /m/1 to /m/3 are files
// and /r is one that is no link. ua is update-alternatives.
var scripts = []string{
	`ua --install /u/x x /b/1 10`,
	`ua --install /u/x x /b/1 10 --slave /u/x.1 x.1 /m/1 --slave /u/x.2 x.2 /m/none; ua --display x; ua --query x; ua --list x; ua --get-selections`,
	`ua --install /u/x x /b/1 10; ua --install /u/x x /b/2 20 --slave /u/x.1 x.1 /m/2; ua --install /u/x x /b/3 5; ua --query x`,
	`ua --install /u/x x /b/3 10; ua --install /u/x x /b/1 10; ua --install /u/x x /b/2 10; ua --query x`,
	`ua --install /u/x x /b/2 10 --slave /u/x.1 x.1 /m/2; ua --remove x /b/2; ua --remove x /b/2; echo $?`,
	`ua --install /u/x x /b/1 1; ua --install /u/x x /b/2 2; ua --set x /b/1; ua --install /u/x x /b/3 3; ua --display x; ua --remove x /b/1; ua --query x`,
	`ua --install /u/x x /b/1 1; ua --install /u/x x /b/2 2; ua --set x /b/1; ua --set x /b/none; echo $?; ua --auto x; ua --get-selections`,
	`ua --install /u/x x /b/1 1; ua --install /u/y x /b/2 2 --slave /u/s s /m/2; ua --install /u/y x /b/2 2 --slave /u/t s /m/2; ua --query x`,
	`ua --install /u/x x /b/2 2 --slave /u/s s /m/2; ua --install /u/x x /b/1 1 --slave /u/t s /m/1; ua --query x`,
	`ua --install /r x /b/1 1; echo $?; ua --query x; ua --remove x /b/1`,
	`ua --install /u/x x /b/1 1 --slave /r s /m/1; ua --query x; ua --remove-all x`,
	`ua --force --install /r x /b/1 1; ua --query x`,
	`ua --install /u/x x /b/none 1; echo $?; ua --install u/x x /b/1 1; echo $?; ua --install /u/x a/b /b/1 1; echo $?; ua --install /u/x x /b/1 high; echo $?; ua --install /u/x x /b/1; echo $?`,
	`ua --install /u/x x /u/x 1; echo $?; ua --install /u/x x /b/1 1 --slave /u/x s /m/1; echo $?; ua --install /u/x x /b/1 1 --slave /u/s x /m/1; echo $?; ua --slave /u/s x /m/1; echo $?`,
	`ua --install /u/x x /b/1 1 --slave /u/s s /m/1; ua --install /u/s y /b/1 1; echo $?; ua --install /u/z s /b/1 1; echo $?; ua --install /u/z z /b/1 1 --slave /u/q x /m/1; echo $?; ua --install /u/z z /b/1 1 --slave /u/q s /m/1; echo $?`,
	`ua --query nope; echo $?; ua --remove nope /b/1; echo $?; ua --set nope /b/1; echo $?; ua --nope; echo $?; ua; echo $?; ua --list nope; echo $?; ua --auto nope; echo $?`,
	`ua --install /u/x x /b/1 1; ua --install /u/x x /b/2 2; rm $R/b/2; ua --query x; ua --install /u/x x /b/3 1; ua --query x`,
	`ua --install /u/x x /b/1 1; ln -sf /b/2 $R/etc/alternatives/x; ua --install /u/x x /b/3 5; ua --query x`,
	`ua --install /u/x x /b/1 1; ln -sf /b/none $R/etc/alternatives/x; ua --install /u/x x /b/3 5; ua --query x`,
	`ua --install /u/x x /b/1 1 --slave /u/s s /m/1; rm $R/u/x; ua --auto x; rm $R/u/s; ua --install /u/x x /b/1 1 --slave /u/s s /m/1; rm $R/etc/alternatives/s; ua --auto x`,
	`ua --install /u/x x /b/1 1 --slave /u/s s /m/1; ua --install /u/x x /b/1 1 --slave /u/t t /m/1; ua --query x`,
	`ua --install /u/x x /b/1 5 --slave /u/s s /m/1; ua --install /u/x x /b/2 7 --slave /u/t t /m/2; ua --remove x /b/2; ua --query x`,
	`ua --quiet --install /u/x x /b/1 -5; ua --install /u/x x /b/2 -7; ua --list x; ua --quiet --set x /b/2; ua --get-selections`,
	`ua --install /u/x x /b/1 1; ua --install /u/x x /b/1 1 --slave /u/s s /m/none; ua --query x; ua --verbose --install /u/x x /b/2 0`,
	`ua --install /u/x x /b/1 1; ua --install /u/x x /b/2 2; printf 'x manual /b/1\nnope auto /b/3\n' | ua --set-selections; printf 'x auto /b/1\n' | ua --set-selections; printf 'x\n' | ua --set-selections; echo $?`,
	`ua --install /u/x x /b/1 1 --slave /u/s s /m/1; rm $R/m/1; ua --install /u/x x /b/1 1 --slave /u/s s /m/1; ua --query x`,
	`ua --install /nodir/x x /b/1 1; echo $?; ua --install /u/x x /b/1 1 --slave /nodir/s s /m/1; echo $?; ua --install /u/y y /b/1 1 --slave /nodir/s2 s2 /m/none; echo $?`,
	`ua --install /u/x x /b/1 1; ua --set x /b/1; ua --display x; ua --install /u/x x /b/2 9; ua --remove x /b/2; ua --auto x`,
	`ln -s /b/3 $R/u/x; ua --install /u/x x /b/1 1; ua --remove-all x; ua --remove-all x; echo $?`,
}

// As the real update-alternatives does: what is printed and what the tree is
// afterwards.
func TestRealUpdateAlternatives(t *testing.T) {
	real, err := exec.LookPath("update-alternatives")
	if err != nil {
		t.Skip("SKIPPED: no update-alternatives on this host: nothing to compare with")
	}
	for _, script := range scripts {
		root := t.TempDir()
		for _, dir := range []string{"b", "m", "u", "etc/alternatives", "var/lib/dpkg/alternatives"} {
			if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		tr := tree.New(&tree.Origin{Kind: tree.FromBuilder}, 0)
		for _, dir := range []string{"u", "tmp"} {
			if err := tr.Mkdir(dir, 0o755, nil); err != nil {
				t.Fatal(err)
			}
		}
		for _, name := range []string{"b/1", "b/2", "b/3", "m/1", "m/2", "m/3", "r"} {
			if err := tr.WriteFile(name, []byte(name), 0o755, nil); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(root, name), []byte(name), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		cmd := exec.Command("sh", "-c", "ua() { "+real+" --root "+root+" --log /dev/null \"$@\"; }\n"+script)
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "R=" + root, "LC_ALL=C"}
		theirs, _ := cmd.Output() // with the status that the script has
		theirs = []byte(strings.ReplaceAll(string(theirs), root, ""))
		theirs = []byte(strings.ReplaceAll(string(theirs), real+" ", "update-alternatives "))

		commands := alternatives.Commands()
		commands["ua"] = commands["update-alternatives"]
		commands["rm"], commands["ln"] = remove, link
		sh := &shell.Shell{FS: rootfs.New(tr, 0), Commands: commands}
		ours, err := sh.Run(t.Context(), shell.Script{Name: "script", Text: "exec 2>/dev/null\n" + script})
		if e, ok := errors.AsType[*shell.Error](err); err != nil && (!ok || e.Err != nil) {
			t.Fatal(err)
		}
		if string(ours) != string(theirs) {
			t.Errorf("%s\nprinted\n%s\nupdate-alternatives prints\n%s", script, ours, theirs)
		}
		if got, want := ourTree(t, tr), hostTree(t, root); got != want {
			t.Errorf("%s\nleft\n%s\nupdate-alternatives leaves\n%s", script, got, want)
		}
	}
}

func ourTree(t *testing.T, tr *tree.Tree) string {
	var b strings.Builder
	for n := range tr.All() {
		switch {
		case n.Type == tree.Symlink:
			fmt.Fprintf(&b, "%s -> %s\n", n.Path, n.Link)
		case n.Type == tree.File:
			text, err := tr.ReadFile(n.Path)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&b, "%s %#o %q\n", n.Path, n.Mode, text)
		}
	}
	return b.String()
}

func hostTree(t *testing.T, root string) string {
	var b strings.Builder
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, _ := filepath.Rel(root, name)
		if rel == "dev/null" { // the log
			return nil
		}
		if d.Type()&fs.ModeSymlink != 0 {
			to, err := os.Readlink(name)
			fmt.Fprintf(&b, "%s -> %s\n", rel, strings.TrimPrefix(to, root))
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		text, err := os.ReadFile(name)
		fmt.Fprintf(&b, "%s %#o %q\n", rel, info.Mode().Perm(), text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// remove and link are as much of rm and ln as the scripts above need.
func remove(_ context.Context, p *shell.Proc) (int, error) {
	if err := p.FS.Remove(p.Args[1]); err != nil {
		return p.Fail(err)
	}
	return 0, nil
}

func link(_ context.Context, p *shell.Proc) (int, error) {
	_ = p.FS.RemoveAll(p.Args[3])
	if err := p.FS.Symlink(p.Args[2], p.Args[3]); err != nil {
		return p.Fail(err)
	}
	return 0, nil
}
