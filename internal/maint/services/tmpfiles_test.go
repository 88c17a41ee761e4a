package services_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/maint/rootfs"
	"github.com/hardpan/hardpan/internal/maint/services"
	"github.com/hardpan/hardpan/internal/maint/shell"
	"github.com/hardpan/hardpan/internal/tree"
)

const conf = `# comment
d /made/deep 0750 root mail -
d /there 0700 - mail 10d
d- /kept :0700 :mail :mail
D /made/big
q /made/q - - -
f /made/file 0600 - - - some\ttext
f /there/f 0640 - mail - other
F /there/forced - - - - forced\n
w /there/w - - - - written
w /made/no - - - - written
L /made/link - - - - ../there/f
L /there/f - - - - x
L+ /there/link - - - - elsewhere
C /made/copy - - - - /there/tree
C /made/nocopy - - - - /nothing
z /there/tr* 0711 - mail
Z /there/tree ~2770 - mail
e /there/f 0777 - -
e /there/e 0701 - -
r! /there/w
x /there
d! /boot-only 0755
h /there - - - - +C
f^ /made/cred - - - - login.motd
d /made/%m 0755
d /made/nouser 0755 nosuchuser -
L= /there/kept - - - - replaced
"d" "/made/with space" 0755
d relative 0755
`

func TestRealTmpfiles(t *testing.T) {
	if _, err := exec.LookPath("systemd-tmpfiles"); err != nil || os.Getuid() != 0 {
		t.Skip("SKIPPED: no systemd-tmpfiles on this host, or not root: nothing to compare with")
	}
	root := t.TempDir()
	tr := tree.New(&tree.Origin{Kind: tree.FromBuilder}, 0)
	for _, f := range []struct {
		name, text string
		mode       os.FileMode
	}{
		{"usr/lib/tmpfiles.d/x.conf", conf, 0o644}, {"etc/passwd", "root:x:0:0::/:/bin/sh\nmail:x:8:8::/:/bin/sh\n", 0o644}, {"etc/group", "root:x:0:\nmail:x:8:\n", 0o644},
		{"there/f", "old", 0o644}, {"there/forced", "old", 0o600}, {"there/w", "old", 0o600}, {"kept/f", "", 0o755},
		{"there/tree/sub/x", "x", 0o640}, {"there/tree/y", "y", 0o755}, {"there/e/f", "", 0o644}, {"there/kept", "", 0o644},
	} {
		if err := tr.WriteFile(f.name, []byte(f.text), uint32(f.mode), nil); err != nil {
			t.Fatal(err)
		}
		at := filepath.Join(root, f.name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(f.text), f.mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("f", root+"/there/link"); err != nil {
		t.Fatal(err)
	}
	if err := tr.Symlink("there/link", "f", nil); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("systemd-tmpfiles", "--root="+root, "--create", "x.conf")
	log, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	sh := &shell.Shell{FS: rootfs.New(tr, 0), Commands: services.Commands()}
	out, err := sh.Run(t.Context(), shell.Script{Name: "script", Text: "systemd-tmpfiles --create x.conf 2>/dev/null || echo $?"})
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("%d\n", cmd.ProcessState.ExitCode()); string(out) != want {
		t.Errorf("status %s, want %s\n%s", out, want, log)
	}
	var ours strings.Builder
	for n := range tr.All() {
		if n.Path == "." || n.Path == "made/%m" {
			continue
		}
		switch n.Type {
		case tree.Symlink:
			fmt.Fprintf(&ours, "%s %d:%d -> %s\n", n.Path, n.UID, n.GID, n.Link)
		case tree.Dir:
			fmt.Fprintf(&ours, "%s %d:%d %#o\n", n.Path, n.UID, n.GID, n.Mode)
		default:
			text, err := tr.ReadFile(n.Path)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&ours, "%s %d:%d %#o %q\n", n.Path, n.UID, n.GID, n.Mode, text)
		}
	}
	list := exec.Command("sh", "-c", `cd "$1" && find . -mindepth 1 \( -type d -printf '%P %U:%G 0%m\n' \) -o \( -type l -printf '%P %U:%G -> %l\n' \) -o -printf '%P %U:%G 0%m\n' | LC_ALL=C sort`, "sh", root)
	theirs, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	for line := range strings.Lines(string(theirs)) {
		name, _, _ := strings.Cut(line, " 0:")
		info, err := os.Lstat(filepath.Join(root, name))
		if err == nil && info.Mode().IsRegular() {
			b, err := os.ReadFile(filepath.Join(root, name))
			if err != nil {
				t.Fatal(err)
			}
			line = fmt.Sprintf("%s %q\n", strings.TrimSuffix(line, "\n"), b)
		}
		want.WriteString(line)
	}
	a, b := strings.Split(ours.String(), "\n"), strings.Split(want.String(), "\n")
	for _, line := range a {
		if !strings.Contains(want.String(), line) {
			t.Errorf("we have    %s", line)
		}
	}
	for _, line := range b {
		if !strings.Contains(ours.String(), line) {
			t.Errorf("systemd has %s", line)
		}
	}
	if t.Failed() {
		t.Logf("%s", log)
	}
}
