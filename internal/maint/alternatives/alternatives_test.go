package alternatives_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/maint/alternatives"
	"github.com/hardpan/hardpan/internal/tree"
)

func calls() [][]string {
	var all [][]string
	for _, c := range []string{
		"--install /usr/bin/pager pager /bin/more 50 --slave /usr/share/man/man1/pager.1.gz pager.1.gz /usr/share/man/man1/more.1.gz",
		"--install /usr/bin/pager pager /usr/bin/less 77 --slave /usr/share/man/man1/pager.1.gz pager.1.gz /usr/share/man/man1/less.1.gz --slave /usr/bin/opener opener /usr/bin/lessopen",
		"--install /usr/bin/awk awk /usr/bin/mawk 5 --slave /usr/bin/nawk nawk /usr/bin/mawk",
		"--install /usr/bin/tie tie /usr/bin/z 10",
		"--install /usr/bin/tie tie /usr/bin/a 10",
	} {
		all = append(all, strings.Fields(c))
	}
	return all
}

var files = []string{"bin/more", "usr/bin/less", "usr/bin/mawk", "usr/bin/a", "usr/bin/z", "usr/share/man/man1/less.1.gz", "usr/share/man/man1/more.1.gz"}

// The oracle is this machine's update-alternatives, in a directory of its own.
func TestAgainstDpkg(t *testing.T) {
	if _, err := exec.LookPath("update-alternatives"); err != nil {
		t.Skip("SKIPPED: update-alternatives is not installed")
	}
	root := t.TempDir()
	tr := tree.New(&tree.Origin{}, 0)
	for _, f := range files {
		if err := tr.WriteFile(f, nil, 0o755, &tree.Origin{}); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(root, f)), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, f), nil, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	for _, dir := range []string{alternatives.LinkDir, alternatives.AdminDir} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	var set alternatives.Set
	for _, args := range calls() {
		in, err := alternatives.Parse(args)
		if err != nil {
			t.Fatal(err)
		}
		in.Origin = &tree.Origin{}
		set.Add(in)
		cmd := exec.Command("update-alternatives", append([]string{"--root", root, "--log", root + "/log", "--quiet"}, args...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", cmd, err, out)
		}
	}
	if err := set.Apply(tr, tr.Set); err != nil {
		t.Fatal(err)
	}
	compared := 0
	for n := range tr.All() {
		at := filepath.Join(root, n.Path)
		switch {
		case n.Type == tree.Symlink:
			if to, err := os.Readlink(at); err != nil || to != n.Link {
				t.Errorf("/%s: got a link to %q, dpkg has %q (%v)", n.Path, n.Link, to, err)
			}
			compared++
		case strings.HasPrefix(n.Path, alternatives.AdminDir+"/"):
			ours, _ := tr.ReadFile(n.Path)
			if theirs, err := os.ReadFile(at); err != nil || string(ours) != string(theirs) {
				t.Errorf("/%s: got\n%s\ndpkg has\n%s(%v)", n.Path, ours, theirs, err)
			}
			compared++
		}
	}
	if compared != 13 {
		t.Errorf("%d links and files compared, expected 13", compared)
	}
}

func TestParseRefuses(t *testing.T) {
	for args, want := range map[string]string{
		"--install /usr/bin/x x /y":              "malformed update-alternatives call: --install has 3 arguments, expected <link> <name> <path> <priority>",
		"--install /usr/bin/x x /y high":         `malformed update-alternatives call: priority "high" is no number`,
		"--install usr/bin/x x /y 5":             `malformed update-alternatives call: path "usr/bin/x" is not absolute`,
		"--install /usr/bin/x a/b /y 5":          `malformed update-alternatives call: name "a/b"`,
		"--install /usr/bin/x x /y 5 --slave /a": "malformed update-alternatives call: --slave without --install or with 1 arguments, expected <link> <name> <path>",
	} {
		if _, err := alternatives.Parse(strings.Fields(args)); fmt.Sprint(err) != want {
			t.Errorf("%s: got error %v, want %s", args, err, want)
		}
	}
	if in, err := alternatives.Parse([]string{"--remove", "x", "/y"}); in != nil || err != nil {
		t.Errorf("--remove: got %v, %v, expected nothing to install", in, err)
	}
}
