package ucf_test

import (
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/maint/dpkg"
	"github.com/hardpan/hardpan/internal/maint/rootfs"
	"github.com/hardpan/hardpan/internal/maint/shell"
	"github.com/hardpan/hardpan/internal/maint/ucf"
	"github.com/hardpan/hardpan/internal/tree"
)

// As ucf 3.0052 does in a chroot of trixie: three new files leave one old version of
// the hashfile, and a purge after them moves it on.
func TestOldHashfiles(t *testing.T) {
	tr := tree.New(&tree.Origin{Kind: tree.FromBuilder}, 0)
	for name, text := range map[string]string{"a": "a\n", "var/lib/ucf/hashfile": "", "etc/keep": ""} {
		if err := tr.WriteFile(name, []byte(text), 0o644, nil); err != nil {
			t.Fatal(err)
		}
	}
	commands := ucf.Commands()
	commands["dpkg-divert"] = dpkg.New(dpkg.System{}).Commands()["dpkg-divert"]
	sh := &shell.Shell{FS: rootfs.New(tr, 0), Commands: commands}
	state := func() string {
		names, err := sh.FS.ReadDir("/var/lib/ucf")
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(names, " ")
	}
	for _, step := range []struct{ script, want string }{
		{"ucf /a /etc/a; ucf /a /etc/b; ucf /a /etc/c", "cache hashfile hashfile.0"},
		{"ucf --purge /etc/b", "cache hashfile hashfile.0 hashfile.1"},
	} {
		if out, err := sh.Run(t.Context(), shell.Script{Name: "script", Text: step.script}); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if got := state(); got != step.want {
			t.Errorf("%s: left %q, want %q", step.script, got, step.want)
		}
	}
	b, err := sh.FS.ReadFile("/var/lib/ucf/hashfile.1")
	if err != nil {
		t.Fatal(err)
	}
	if want := "60b725f10c9c85c70d97880dfe8191b3  /etc/a\n60b725f10c9c85c70d97880dfe8191b3  /etc/b\n"; string(b) != want {
		t.Errorf("hashfile.1 is %q, want %q", b, want)
	}
}
