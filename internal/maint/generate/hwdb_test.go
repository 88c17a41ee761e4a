package generate_test

import (
	"bytes"
	"os"
	"testing"

	"github.com/hardpan/hardpan/internal/maint/generate"
	"github.com/hardpan/hardpan/internal/maint/rootfs"
	"github.com/hardpan/hardpan/internal/maint/shell"
	"github.com/hardpan/hardpan/internal/tree"
)

// The expected files are those of systemd-hwdb 257.13 of Debian 13, which also says
// that lines of 20-a.hwdb are wrong and goes on.
func TestSystemdHwdb(t *testing.T) {
	for _, tt := range []struct{ script, makes, want string }{
		{"systemd-hwdb --usr update", "usr/lib/udev/hwdb.bin", "usr.bin"},
		{"printf 'usb:v0009*\\n X=y\\n' > /etc/udev/hwdb.d/60-b.hwdb; systemd-hwdb update", "etc/udev/hwdb.bin", "etc.bin"},
	} {
		tr := tree.New(&tree.Origin{Kind: tree.FromBuilder}, 0)
		for _, name := range []string{"20-a.hwdb", "60-b.hwdb"} {
			text, err := os.ReadFile("testdata/hwdb/" + name)
			if err != nil {
				t.Fatal(err)
			}
			if err := tr.WriteFile("usr/lib/udev/hwdb.d/"+name, text, 0o644, nil); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile("testdata/hwdb/" + tt.want)
		if err != nil {
			t.Fatal(err)
		}
		f := rootfs.New(tr, 0)
		if err := f.MkdirAll("/etc/udev/hwdb.d", 0o755); err != nil {
			t.Fatal(err)
		}
		commands := generate.Commands(generate.Config{Systemd: "257.13-1~deb13u1"})

		sh := &shell.Shell{FS: f, Commands: commands}
		if out, err := sh.Run(t.Context(), shell.Script{Name: "script", Text: tt.script, Env: []string{"PATH=/usr/bin:/bin"}}); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		got, err := tr.ReadFile(tt.makes)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: the %d bytes (%v) are not the %d bytes of systemd", tt.script, len(got), err, len(want))
		}
	}
}
