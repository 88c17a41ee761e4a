package pam_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/maint/pam"
	"github.com/hardpan/hardpan/internal/maint/rootfs"
	"github.com/hardpan/hardpan/internal/maint/shell"
	"github.com/hardpan/hardpan/internal/tree"
)

const unix = `Name: Unix authentication
Default: yes
Priority: 256
Auth-Type: Primary
Auth:
	[success=end default=ignore]	pam_unix.so nullok try_first_pass
Auth-Initial:
	[success=end default=ignore]	pam_unix.so nullok
Account-Type: Primary
Account:
	[success=end new_authtok_reqd=done default=ignore]	pam_unix.so
Session-Type: Additional
Session:
	required	pam_unix.so
Password-Type: Primary
Password:
	[success=end default=ignore]	pam_unix.so obscure use_authtok try_first_pass yescrypt
Password-Initial:
	[success=end default=ignore]	pam_unix.so obscure yescrypt
`

const other = `Name: Other
Default: yes
Priority: 512
Conflicts: third
Auth-Type: Primary
Auth:
	[success=end default=ignore]	pam_other.so one two
	required	pam_end.so
Session-Interactive-Only: yes
Session-Type: Additional
Session:
	optional			pam_other.so
`

const third = `Name: Third
Default: yes
Priority: 300
Session-Type: Additional
Session:
	optional			pam_third.so  x  y
`

const template = `#
# PAM of TYPE
#
# here are the per-package modules (the "Primary" block)
old	lines
# here's the fallback if no module succeeds
TYPE	requisite			pam_deny.so
# and here are more per-package modules (the "Additional" block)
# end of pam-auth-update config
# the end
`

// steps are calls, each after files were changed.
var steps = []struct {
	args  string
	files map[string]string // name to content; "-" removes it
	edit  [3]string         // file, old and new text
}{
	{args: "--package --force", files: map[string]string{"usr/share/pam-configs/unix": unix}},
	{args: "--package", files: map[string]string{"usr/share/pam-configs/other": other}},
	{args: "--package", edit: [3]string{"etc/pam.d/common-auth", "pam_unix.so nullok try_first_pass", "pam_unix.so debug nullok audit"}, files: map[string]string{"usr/share/pam-configs/third": third}},
	{args: "--package --remove other", files: map[string]string{"usr/share/pam-configs/other": "-"}},
	{args: "--disable third"},
	{args: "--enable third"},
	{args: "--package", edit: [3]string{"etc/pam.d/common-session", "pam_unix.so", "pam_foreign.so"}},
	{args: "--package --force"},
}

// As the real pam-auth-update does, step after step.
func TestRealPamAuthUpdate(t *testing.T) {
	if _, err := exec.LookPath("pam-auth-update"); err != nil || os.Getuid() != 0 {
		t.Skip("SKIPPED: no pam-auth-update on this host, or not root: nothing to compare with")
	}
	root := t.TempDir()
	rc := filepath.Join(t.TempDir(), "debconf.conf")
	db := "Config: config\nTemplates: templates\n\nName: config\nDriver: File\nFilename: " + rc + ".config\n\nName: templates\nDriver: File\nFilename: " + rc + ".templates\n"
	if err := os.WriteFile(rc, []byte(db), 0o644); err != nil {
		t.Fatal(err)
	}
	tr := tree.New(&tree.Origin{Kind: tree.FromBuilder}, 0)
	put := func(name, text string) {
		at := filepath.Join(root, name)
		if text == "-" {
			tr.Remove(name)
			if err := os.Remove(at); err != nil {
				t.Fatal(err)
			}
			return
		}
		if err := tr.WriteFile(name, []byte(text), 0o644, nil); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, kind := range []string{"auth", "account", "password", "session", "session-noninteractive"} {
		put("etc/pam.d/common-"+kind, strings.ReplaceAll(template, "TYPE", strings.TrimSuffix(kind, "-noninteractive")))
	}
	put("var/lib/pam/.keep", "")
	for i, step := range steps {
		for _, name := range slices.Sorted(maps.Keys(step.files)) {
			put(name, step.files[name])
		}
		if step.edit[0] != "" {
			b, err := tr.ReadFile(step.edit[0])
			if err != nil || !strings.Contains(string(b), step.edit[1]) {
				t.Fatalf("step %d: nothing to edit in\n%s", i, b)
			}
			put(step.edit[0], strings.ReplaceAll(string(b), step.edit[1], step.edit[2]))
		}
		cmd := exec.Command("pam-auth-update", append([]string{"--root", root}, strings.Fields(step.args)...)...)
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "DEBCONF_SYSTEMRC=" + rc, "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C"}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		sh := &shell.Shell{FS: rootfs.New(tr, 0), Commands: pam.Commands()}
		if out, err := sh.Run(t.Context(), shell.Script{Name: "script", Text: "pam-auth-update --root '' " + step.args}); err != nil {
			t.Fatalf("step %d: %v\n%s", i, err, out)
		}
		for _, dir := range []string{"etc/pam.d", "var/lib/pam"} {
			entries, err := os.ReadDir(filepath.Join(root, dir))
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, e := range entries {
				names = append(names, e.Name())
				want, err := os.ReadFile(filepath.Join(root, dir, e.Name()))
				if err != nil {
					t.Fatal(err)
				}
				if got, err := tr.ReadFile(dir + "/" + e.Name()); err != nil || string(got) != string(want) {
					t.Errorf("step %d, %s: %s/%s (%v)\n%s\nthe real one\n%s", i, step.args, dir, e.Name(), err, got, want)
				}
			}
			if ours := tr.ReadDir(dir); !slices.Equal(ours, names) {
				t.Errorf("step %d: %s has %v, the real one %v", i, dir, ours, names)
			}
		}
	}
}
