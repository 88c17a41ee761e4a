package text_test

import (
	"context"
	"errors"
	"os/exec"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/maint/rootfs"
	"github.com/hardpan/hardpan/internal/maint/shell"
	"github.com/hardpan/hardpan/internal/maint/text"
	"github.com/hardpan/hardpan/internal/tree"
)

// newShell returns a shell with the commands of this package, over a tree with the
// directory /w, in which scripts run.
func newShell(t testing.TB) *shell.Shell {
	image := tree.New(&tree.Origin{Kind: tree.FromBuilder}, 0)
	for _, dir := range []string{"w", "tmp", "dev", "etc", "usr", "usr/bin"} {
		if err := image.Mkdir(dir, 0o755, nil); err != nil {
			t.Fatal(err)
		}
	}
	commands := text.Commands()
	commands["mkdir"] = mkdir
	return &shell.Shell{FS: rootfs.New(image, 1735689600), Commands: commands}
}

// mkdir makes directories; that of the images is in another package.
func mkdir(_ context.Context, p *shell.Proc) (int, error) {
	for _, name := range p.Args[1:] {
		if name == "-p" {
			continue
		}
		if err := p.FS.MkdirAll(p.Path(name), 0o755); err != nil {
			return p.Fail(err)
		}
	}
	return 0, nil
}

// run runs a script in /w and returns what it prints.
func run(t testing.TB, script string) (string, error) {
	return runIn(t, newShell(t), script)
}

func runIn(t testing.TB, sh *shell.Shell, script string) (string, error) {
	env := []string{"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", "TZ=UTC0"}
	out, err := sh.Run(t.Context(), shell.Script{Name: "script", Text: "cd /w; " + script, Env: env})
	if e, ok := errors.AsType[*shell.Error](err); ok && e.Err == nil {
		err = nil // an exit status is not a failure
	}
	return string(out), err
}

// table is a list of scripts with what they print.
type table []struct{ script, want string }

// check runs the scripts here.
func (scripts table) check(t *testing.T) {
	t.Helper()
	for _, tt := range scripts {
		out, err := run(t, "exec 2>/dev/null; "+tt.script)
		if err != nil {
			t.Errorf("%s\n%v", tt.script, err)
		} else if out != tt.want {
			t.Errorf("%s\nprinted %q\nwant    %q", tt.script, out, tt.want)
		}
	}
}

// checkReal runs the scripts with the programs of this machine, all of which must be
// there, so that the expectations are theirs.
func (scripts table) checkReal(t *testing.T, programs ...string) {
	t.Helper()
	for _, name := range append(programs, "dash") {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("SKIPPED: %s is not installed: the expectations were not compared with it", name)
		}
	}
	for _, tt := range scripts {
		cmd := exec.Command("dash", "-c", tt.script)
		cmd.Dir = t.TempDir()
		cmd.Env = []string{"PATH=/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL=C.UTF-8", "TZ=UTC0"}
		var out strings.Builder
		cmd.Stdout = &out
		_ = cmd.Run() // with the status that the script has
		if out.String() != tt.want {
			t.Errorf("%s\nthe program prints %q\nthe table says     %q", tt.script, out.String(), tt.want)
		}
	}
}
