package shell_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/maint/rootfs"
	"github.com/hardpan/hardpan/internal/maint/shell"
	"github.com/hardpan/hardpan/internal/maint/shell/shelltest"
	"github.com/hardpan/hardpan/internal/tree"
)

// programs are the few that the scripts here call.
var programs = map[string]shell.Command{
	"cat": func(_ context.Context, p *shell.Proc) (int, error) {
		if len(p.Args) == 1 {
			p.Args = append(p.Args, "-")
		}
		for _, name := range p.Args[1:] {
			r, err := p.Open(name)
			if err != nil {
				return p.Fail(err)
			}
			if _, err := io.Copy(p.Stdout, r); err != nil {
				return 1, err
			}
		}
		return 0, nil
	},
	"mkdir": func(_ context.Context, p *shell.Proc) (int, error) {
		return done(p, p.FS.MkdirAll(p.Path(p.Args[len(p.Args)-1]), 0o777&^p.Umask))
	},
	"ln": func(_ context.Context, p *shell.Proc) (int, error) {
		return done(p, p.FS.Symlink(p.Args[2], p.Path(p.Args[3])))
	},
	"rm": func(_ context.Context, p *shell.Proc) (int, error) {
		return done(p, p.FS.RemoveAll(p.Path(p.Args[len(p.Args)-1])))
	},
	"mv": func(_ context.Context, p *shell.Proc) (int, error) {
		return done(p, p.FS.Rename(p.Path(p.Args[1]), p.Path(p.Args[2])))
	},
	"chmod": func(_ context.Context, p *shell.Proc) (int, error) {
		return done(p, p.FS.Chmod(p.Path(p.Args[2]), 0o755))
	},
	"env": func(_ context.Context, p *shell.Proc) (int, error) {
		_, err := fmt.Fprintf(p.Stdout, "%s\n", strings.Join(p.Environ(), "\n"))
		return 0, err
	},
}

func done(p *shell.Proc, err error) (int, error) {
	if err != nil {
		return p.Fail(err)
	}
	return 0, nil
}

// newShell returns a shell over a tree with a few programs in /usr/bin, of which the
// content does not count, and an empty directory /work.
func newShell(tb testing.TB) *shell.Shell {
	tb.Helper()
	t := tree.New(&tree.Origin{Kind: tree.FromBuilder}, 0)
	f := rootfs.New(t, shelltest.Time)
	err := errors.Join(f.MkdirAll("/usr/bin", 0o755), f.MkdirAll("/work", 0o755), f.Symlink("usr/bin", "/bin"), f.MkdirAll("/etc", 0o755),
		f.WriteFile("/etc/passwd", []byte("root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n"), 0o644))
	for name := range programs {
		err = errors.Join(err, f.WriteFile("/usr/bin/"+name, []byte("\x7fELF"), 0o755))
	}
	if err != nil {
		tb.Fatal(err)
	}
	return &shell.Shell{FS: f, Commands: programs, Origin: func(command string) *tree.Origin {
		return &tree.Origin{Kind: tree.FromScript, Package: "p", Script: "postinst", Command: command}
	}}
}

// environment is what the scripts of the tables get.
var environment = []string{"PATH=/usr/bin:/bin", "HOME=/root", "LC_ALL=C.UTF-8"}

// interpret runs a script in /work and returns what it prints on standard output, its
// status, and what it leaves.
func interpret(tb testing.TB, sh *shell.Shell, header, script string) string {
	tb.Helper()
	out, err := sh.Run(tb.Context(), shell.Script{
		Name: "script", Env: environment,
		Text: header + "\ncd /work; unset OLDPWD; exec 2>/dev/null\n" + script,
	})
	status := 0
	if e, ok := errors.AsType[*shell.Error](err); ok && e.Err == nil {
		status = e.Status
	} else if err != nil {
		return fmt.Sprintf("%s%v\n", out, err)
	}
	return result(out, status, shelltest.Tree(sh.FS, "/work"), "/work")
}

func result(out []byte, status int, left []shelltest.Entry, dir string) string {
	s := shelltest.Printed([]byte(strings.ReplaceAll(string(out), dir, "/work")))
	if status != 0 {
		s += fmt.Sprintf("(status %d)\n", status)
	}
	return s + shelltest.Text(nil, left)
}

// real runs a script with a true shell.
func real(tb testing.TB, program, script string) string {
	tb.Helper()
	dir, err := filepath.EvalSymlinks(tb.TempDir())
	if err != nil {
		tb.Fatal(err)
	}
	cmd := exec.Command(program, "-c", script, "script")
	cmd.Dir, cmd.Env = dir, append(environment[:len(environment):len(environment)], "PWD="+dir)
	var out bytes.Buffer
	cmd.Stdout = &out
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		tb.Fatal(err)
	}
	return result(out.Bytes(), cmd.ProcessState.ExitCode(), shelltest.Disk(tb, dir), dir)
}

// tables are scripts with what a true shell made of them.
var tables = []struct{ file, program, header string }{
	{"testdata/dash.txt", "dash", "#!/bin/sh"},
	{"testdata/bash.txt", "bash", "#!/bin/bash"},
}

func TestScripts(t *testing.T) {
	for _, table := range tables {
		for _, c := range shelltest.Load(t, table.file) {
			t.Run(table.program+"/"+c.Name, func(t *testing.T) {
				if got := interpret(t, newShell(t), table.header, c.Script); got != c.Want {
					t.Errorf("%sgot:\n%swant, as %s:\n%s", c.Script, got, table.program, c.Want)
				}
			})
		}
	}
}

// What the tables expect is what the true shells do. With -record, what they do is
// written into the tables.
func TestRealShells(t *testing.T) {
	for _, table := range tables {
		t.Run(table.program, func(t *testing.T) {
			if _, err := exec.LookPath(table.program); err != nil {
				t.Skipf("SKIPPED: %s is not installed: the expectations were not compared with it", table.program)
			}
			shelltest.CheckReal(t, table.file, func(tb testing.TB, c shelltest.Case) string {
				return real(tb, table.program, c.Script)
			})
		})
	}
}
