package services_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/maint/rootfs"
	"github.com/hardpan/hardpan/internal/maint/services"
	"github.com/hardpan/hardpan/internal/maint/shell"
	"github.com/hardpan/hardpan/internal/tree"
)

var files = map[string]string{
	"usr/lib/systemd/system/a.service":          "[Unit]\nDescription=A\n[Install]\nWantedBy=multi-user.target\n",
	"usr/lib/systemd/system/b.service":          "[Install]\nWantedBy=multi-user.target graphical.target\nRequiredBy=x.target\nAlias=bee.service\nAlso=b.socket\n",
	"usr/lib/systemd/system/b.socket":           "[Install]\nWantedBy=sockets.target\nAlso=b.service\n",
	"usr/lib/systemd/system/static.service":     "[Service]\nExecStart=/bin/true\n",
	"usr/lib/systemd/system/t@.service":         "[Install]\nDefaultInstance=one\nWantedBy=getty.target\n",
	"usr/lib/systemd/system/off.service":        "[Install]\nWantedBy=multi-user.target\n",
	"usr/lib/systemd/user/u.socket":             "[Install]\nWantedBy=sockets.target\n",
	"usr/lib/systemd/system-preset/90-x.preset": "# comment\ndisable off.*\nenable *\n",
	"etc/systemd/system/local.service":          "[Install]\nWantedBy = multi-user.target\n",
	"etc/init.d/init":                           "#!/bin/sh\n### BEGIN INIT INFO\n# Provides: init\n# Default-Start:     2 3 4 5\n# Default-Stop:      0 1 6\n### END INIT INFO\n",
	"etc/init.d/boot":                           "#!/bin/sh\n### BEGIN INIT INFO\n# Default-Start: S\n# Default-Stop:\n### END INIT INFO\n",
	"etc/init.d/plain":                          "#!/bin/sh\n",
}

// scripts without systemctl, and with.
var scripts = []string{
	`deb-systemd-helper unmask a.service; deb-systemd-helper --quiet was-enabled a.service; echo $?; deb-systemd-helper enable a.service; echo $?; deb-systemd-helper --quiet was-enabled a.service; echo $?; deb-systemd-helper update-state a.service; deb-systemd-helper debian-installed a.service; echo $?`,
	`deb-systemd-helper enable b.service; echo $?; deb-systemd-helper --quiet is-enabled b.service; echo $?; deb-systemd-helper --quiet is-enabled a.service; echo $?; deb-systemd-helper debian-installed a.service; echo $?`,
	`deb-systemd-helper enable t@.service static.service; echo $?; deb-systemd-helper --user enable u.socket; echo $?; deb-systemd-helper --user update-state u.socket`,
	`deb-systemd-helper update-state off.service; deb-systemd-helper enable off.service; echo $?; deb-systemd-helper enable nope.service; echo $?`,
	`deb-systemd-helper enable b.service; deb-systemd-helper disable b.service; echo $?; deb-systemd-helper enable b.service; deb-systemd-helper purge b.service; echo $?`,
	`deb-systemd-helper mask a.service; echo $?; deb-systemd-helper unmask a.service; deb-systemd-helper unmask a.service; deb-systemd-helper mask local.service; echo $?`,
	`deb-systemd-helper enable a.service; rm $R/etc/systemd/system/multi-user.target.wants/a.service; deb-systemd-helper --quiet was-enabled a.service; echo $?; deb-systemd-helper enable a.service; deb-systemd-helper reenable a.service; echo $?`,
	`deb-systemd-helper enable local.service; unset DPKG_MAINTSCRIPT_PACKAGE; deb-systemd-helper enable a.service; echo $?`,
	`umask 066; deb-systemd-helper enable b.service; deb-systemd-helper update-state b.service; update-rc.d init defaults`,
	`update-rc.d init defaults; echo $?; update-rc.d boot defaults; echo $?; update-rc.d init defaults`,
	`update-rc.d init defaults-disabled; echo $?; update-rc.d plain defaults; echo $?; update-rc.d nope defaults; echo $?; update-rc.d nope enable; echo $?; update-rc.d init; echo $?; update-rc.d -x init defaults; echo $?`,
	`update-rc.d init defaults; update-rc.d -f init remove; echo $?; update-rc.d nope remove; echo $?`,
}

var systemctlScripts = []string{
	`sc enable a.service b; echo $?; sc is-enabled a b.socket static t@.service off local; echo $?; sc is-enabled static; echo $?; sc is-enabled off; echo $?`,
	`sc preset a.service off.service local.service; echo $?; sc enable off.service; sc --preset-mode=enable-only preset off.service; sc preset off.service; echo $?`,
	`sc enable t@two.service; sc enable t@; echo $?; sc is-enabled t@two.service t@.service; sc disable t@two.service; echo $?`,
	`sc mask a.service; echo $?; sc is-enabled a; echo $?; sc enable a; echo $?; sc unmask a; sc enable a; echo $?; sc disable a; echo $?; sc disable nope; echo $?`,
	`sc --global enable u.socket; echo $?; sc --global preset u.socket; echo $?`,
	`sc enable b; sc disable b.service; echo $?`,
}

func run(t *testing.T, script string, withSystemctl bool) (printed, left string) {
	t.Helper()
	tr := tree.New(&tree.Origin{Kind: tree.FromBuilder}, 0)
	add := func(name, text string, mode uint32) {
		if err := tr.WriteFile(name, []byte(text), mode, nil); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range files {
		add(name, text, 0o755)
	}
	if withSystemctl {
		add("usr/bin/systemctl", "", 0o755)
	}
	if err := tr.Symlink("lib", "usr/lib", nil); err != nil {
		t.Fatal(err)
	}
	commands := services.Commands()
	commands["rm"] = func(_ context.Context, p *shell.Proc) (int, error) { return 0, p.FS.Remove(p.Args[1]) }
	sh := &shell.Shell{FS: rootfs.New(tr, 0), Commands: commands}
	out, err := sh.Run(t.Context(), shell.Script{
		Name: "script", Text: "exec 2>/dev/null\nsc() { systemctl --root=$R \"$@\"; }\n" + script, Env: []string{"DPKG_MAINTSCRIPT_PACKAGE=pkg"},
	})
	if e, ok := errors.AsType[*shell.Error](err); err != nil && (!ok || e.Err != nil) {
		t.Fatalf("%s: %v", script, err)
	}
	var b strings.Builder
	for n := range tr.All() {
		if !strings.HasPrefix(n.Path, "etc/") && !strings.HasPrefix(n.Path, "var/") {
			continue
		}
		switch n.Type {
		case tree.Dir:
			fmt.Fprintf(&b, "%s/\n", n.Path)
		case tree.Symlink:
			fmt.Fprintf(&b, "%s -> %s\n", n.Path, n.Link)
		default:
			text, err := tr.ReadFile(n.Path)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&b, "%s %q\n", n.Path, text)
		}
	}
	return string(out), b.String()
}

func real(t *testing.T, script string, withSystemctl bool) (printed, left string) {
	t.Helper()
	root := t.TempDir()
	add := func(name, text string) {
		at := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range files {
		add(name, text)
	}
	if withSystemctl {
		add("usr/bin/systemctl", "")
	}
	if err := os.Symlink("usr/lib", root+"/lib"); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-c", "sc() { systemctl --root=$R \"$@\"; }\n"+script)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "R=" + root, "DPKG_ROOT=" + root, "DPKG_MAINTSCRIPT_PACKAGE=pkg", "LC_ALL=C"}
	out, _ := cmd.Output() // with the status that the script has
	var b strings.Builder
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(root, name)
		if err != nil || !strings.HasPrefix(rel, "etc/") && !strings.HasPrefix(rel, "var/") {
			return err
		}
		switch {
		case d.IsDir():
			fmt.Fprintf(&b, "%s/\n", rel)
		case d.Type()&fs.ModeSymlink != 0:
			to, err := os.Readlink(name)
			fmt.Fprintf(&b, "%s -> %s\n", rel, to)
			return err
		default:
			text, err := os.ReadFile(name)
			fmt.Fprintf(&b, "%s %q\n", rel, text)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(out), b.String()
}

func compare(t *testing.T, script string, withSystemctl bool) {
	t.Helper()
	ours, our := run(t, script, withSystemctl)
	theirs, their := real(t, script, withSystemctl)
	if withSystemctl { // Debian 12 has another order of the directories
		their = strings.ReplaceAll(their, "-> /lib/", "-> /usr/lib/")
	}
	if ours != theirs {
		t.Errorf("%s\nprinted\n%s\nthe programs print\n%s", script, ours, theirs)
	}
	if our != their {
		t.Errorf("%s\nleft\n%s\nthe programs leave\n%s", script, our, their)
	}
}

// As the real programs of init-system-helpers do.
func TestRealHelpers(t *testing.T) {
	if _, err := exec.LookPath("deb-systemd-helper"); err != nil || os.Getuid() != 0 {
		t.Skip("SKIPPED: no init-system-helpers on this host, or not root: nothing to compare with")
	}
	for _, script := range scripts {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			compare(t, script, false)
		})
	}
}

// As the real systemctl does.
func TestRealSystemctl(t *testing.T) {
	if _, err := exec.LookPath("systemctl"); err != nil {
		t.Skip("SKIPPED: no systemctl on this host: nothing to compare with")
	}
	for _, script := range slices.Concat(systemctlScripts, scripts[:4]) {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			compare(t, script, true)
		})
	}
}

func TestDenied(t *testing.T) {
	got, left := run(t, `invoke-rc.d init start; echo $?; invoke-rc.d --disclose-deny init start; echo $?; invoke-rc.d --query init start; echo $?; invoke-rc.d init; echo $?; invoke-rc.d --nope init start; echo $?
service init start; echo $?; service nope start; echo $?
deb-systemd-invoke start a.service; echo $?; deb-systemd-invoke --user daemon-reload; echo $?; deb-systemd-invoke start; echo $?
update-rc.d init defaults; update-rc.d init disable 3 4 5; echo $?; update-rc.d init enable; echo $?; update-rc.d init disable 2; echo $?; systemctl is-enabled nope; echo $?
systemctl daemon-reload; echo $?; systemctl is-active a; echo $?; systemctl is-system-running; echo $?; systemctl show -P LoadState a.service; echo $?`, true)
	if want := "0\n101\n101\n103\n103\n0\n1\n0\n0\n1\n0\n0\n0\nnot-found\n4\n0\n0\noffline\n1\n0\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if strings.Contains(left, "wants") || !strings.Contains(left, "rc2.d/K01init") || !strings.Contains(left, "rc3.d/S01init") {
		t.Errorf("left\n%s", left)
	}
}
