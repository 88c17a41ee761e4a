package files_test

import (
	"maps"
	"os"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/maint/files"
	"github.com/hardpan/hardpan/internal/maint/rootfs"
	"github.com/hardpan/hardpan/internal/maint/shell"
	"github.com/hardpan/hardpan/internal/maint/shell/shelltest"
	"github.com/hardpan/hardpan/internal/tree"
)

// The cases were recorded with trixie's programs, in a directory that
// "mmdebstrap --variant=apt trixie DIR" made:
//
//	go test ./internal/maint/files -run TestReal -args -debian-root DIR -record
var caseFiles = []string{"attributes", "copy", "find", "list", "archive", "machine"}

// newShell returns a shell over a tree with users, groups and the tools that the cases
// look at results with.
func newShell(tb testing.TB) *shell.Shell {
	t := tree.New(&tree.Origin{Kind: tree.FromBuilder}, shelltest.Time)
	f := rootfs.New(t, shelltest.Time)
	for name, text := range map[string]string{
		"/etc/passwd": "root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\nwww-data:x:33:33:www-data:/var/www:/usr/sbin/nologin\nman:x:6:12:man:/var/cache/man:/usr/sbin/nologin\n",
		"/etc/group":  "root:x:0:\ndaemon:x:1:\nadm:x:4:\nmail:x:8:\nman:x:12:\nwww-data:x:33:\nshadow:x:42:\nstaff:x:50:\n",
	} {
		if err := f.MkdirAll("/etc", 0o755); err != nil {
			tb.Fatal(err)
		}
		if err := f.WriteFile(name, []byte(text), 0o644); err != nil {
			tb.Fatal(err)
		}
	}
	if err := f.Mkdir("/tmp", 0o1777); err != nil {
		tb.Fatal(err)
	}
	commands := files.Commands()
	maps.Copy(commands, textTools)
	return &shell.Shell{FS: f, Commands: commands}
}

func TestCommands(t *testing.T) {
	for _, name := range caseFiles {
		t.Run(name, func(t *testing.T) { shelltest.Check(t, "testdata/"+name+".txt", newShell) })
	}
}

// The expectations are those of the real programs: of trixie's, and where a case does
// not say "(trixie)" of those of the releases before too.
func TestRealCommands(t *testing.T) {
	release, _ := os.ReadFile("/etc/os-release")
	trixie := *shelltest.Root != "" || strings.Contains(string(release), "VERSION_CODENAME=trixie")
	if !trixie && !strings.Contains(string(release), "ID=debian") {
		t.Skip("SKIPPED: needs a Debian system, or the directory of one as -debian-root: the expectations were not compared with its programs")
	}
	for _, name := range caseFiles {
		t.Run(name, func(t *testing.T) {
			shelltest.CheckReal(t, "testdata/"+name+".txt", func(tb testing.TB, c shelltest.Case) string {
				if !trixie && strings.Contains(c.Name, "(trixie)") {
					tb.Logf("SKIPPED: needs a Debian trixie: %s", c.Name)
					return c.Want
				}
				return shelltest.Real(tb, c)
			})
		})
	}
}
