package files_test

import (
	"context"
	"io"
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
var caseFiles = []string{"attributes", "copy"}

// newShell returns a shell over a tree with users, groups, cat and head.
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
	commands["cat"], commands["head"] = cat, head
	return &shell.Shell{FS: f, Commands: commands}
}

func cat(_ context.Context, p *shell.Proc) (int, error) {
	for _, name := range append(p.Args[1:], "-")[:max(1, len(p.Args)-1)] {
		r, err := p.Open(name)
		if err != nil {
			return p.Fail(err)
		}
		if _, err := io.Copy(p.Stdout, r); err != nil {
			return 1, err
		}
	}
	return 0, nil
}

// head is "head -1".
func head(_ context.Context, p *shell.Proc) (int, error) {
	text, err := io.ReadAll(p.Stdin)
	if err != nil {
		return 1, err
	}
	first, _, _ := strings.Cut(string(text), "\n")
	_, err = io.WriteString(p.Stdout, first+"\n")
	return 0, err
}

func TestCommands(t *testing.T) {
	for _, name := range caseFiles {
		t.Run(name, func(t *testing.T) { shelltest.Check(t, "testdata/"+name+".txt", newShell) })
	}
}

// The expectations are those of the real programs.
func TestRealCommands(t *testing.T) {
	if release, _ := os.ReadFile("/etc/os-release"); *shelltest.Root == "" && !strings.Contains(string(release), "VERSION_CODENAME=trixie") {
		t.Skip("SKIPPED: needs a Debian trixie, or the directory of one as -debian-root: the expectations were not compared with its programs")
	}
	for _, name := range caseFiles {
		t.Run(name, func(t *testing.T) { shelltest.CheckReal(t, "testdata/"+name+".txt", shelltest.Real) })
	}
}
