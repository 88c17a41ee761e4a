package builder

import (
	"archive/tar"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/debian/archivetest"
	"github.com/hardpan/hardpan/internal/sample"
	"github.com/hardpan/hardpan/internal/store"
)

// A script may give its program privileges. An image has them, in the layer of the
// package whose file it is and under each of its names, unless its profile forbids
// that.
func TestScriptsGivePrivileges(t *testing.T) {
	ping := archivetest.Package{
		Name: "ping", Files: []archivetest.File{
			{Path: "/usr/bin/ping", Mode: 0o755, Content: "ping\n"}, {Path: "/usr/bin/ping4", Mode: 0o755, Target: "./usr/bin/ping", Type: tar.TypeLink},
			{Path: "/usr/bin/agent", Mode: 0o755, Content: "agent\n"}, {Path: "/var/spool/ping/"},
		},
		Control: map[string]string{"postinst": "#!/bin/sh\nset -e\nsetcap cap_net_raw+ep /usr/bin/ping\nchmod 2755 /usr/bin/agent /var/spool/ping\n" +
			"echo own > /usr/bin/made; chmod 4755 /usr/bin/made; setcap cap_kill=p /usr/bin/made\n"},
	}
	setcap := archivetest.Package{Name: "libcap2-bin", Files: []archivetest.File{{Path: "/usr/sbin/setcap", Mode: 0o755, Content: "setcap\n"}}}
	for _, test := range []struct{ name, hardening, want, stripped string }{
		{
			name: "none", hardening: "{profile: none}",
			want: `
/usr/bin/agent file 2755 0:0
/usr/bin/made file 4755 0:0 cap_kill=p
/usr/bin/ping file 0755 0:0 cap_net_raw=ep
/usr/bin/ping4 hardlink 0755 0:0 cap_net_raw=ep
/var/spool/ping dir 2755 0:0
`,
		},
		{
			name: "strict", hardening: "{profile: strict}",
			want: `
/usr/bin/agent file 0755 0:0
/usr/bin/made file 0755 0:0
/usr/bin/ping file 0755 0:0
/usr/bin/ping4 hardlink 0755 0:0
/var/spool/ping dir 2755 0:0
`,
			stripped: "usr/bin/agent usr/bin/made usr/bin/ping usr/bin/ping4",
		},
		{
			name: "waived", hardening: "{profile: strict, keep: [/usr/bin/ping, /usr/bin/ping4]}",
			want: `
/usr/bin/agent file 0755 0:0
/usr/bin/made file 0755 0:0
/usr/bin/ping file 0755 0:0 cap_net_raw=ep
/usr/bin/ping4 hardlink 0755 0:0 cap_net_raw=ep
/var/spool/ping dir 2755 0:0
`,
			stripped: "usr/bin/agent usr/bin/made",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, err := archivetest.New(sample.Debian(ping, setcap))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(s.Close)
			b := &bench{t, s, t.TempDir()}
			b.write("ping.yaml", "contents: {packages: [base-files, ping, libcap2-bin]}\nhardening: "+test.hardening+"\n")
			for range 2 { // the second time from the effects that were kept
				for _, img := range b.build(b.options("ping.yaml")).Index.Images {
					dumpTree(t, img)
				}
				if err := os.RemoveAll(filepath.Join(b.dir, "cache", "keys", "image")); err != nil {
					t.Fatal(err)
				}
			}
			rec := b.record(t, b.options("ping.yaml"), 0)
			got := "\n"
			for _, name := range strings.Fields("usr/bin/agent usr/bin/made usr/bin/ping usr/bin/ping4 var/spool/ping") {
				row, _ := rec.Lookup(name)
				got += strings.TrimSpace(strings.Join([]string{row.Path, row.Type, row.Mode, row.Owner, row.Capability}, " ")) + "\n"
			}
			if got != test.want {
				t.Errorf("the image has:%swant:%s", got, test.want)
			}
			var stripped []string
			for _, s := range rec.Stripped {
				if s.Rule == "privilege-bits" {
					stripped = append(stripped, s.Path)
				}
			}
			if strings.Join(stripped, " ") != test.stripped {
				t.Errorf("the report has %q, want %q", stripped, test.stripped)
			}
		})
	}
}

// What the scripts of a package name is kept beside its layer, so that the package is
// decoded once.
func TestNamedFilesAreKept(t *testing.T) {
	odd := archivetest.Package{
		Name: "odd", Files: []archivetest.File{{Path: "/usr/share/odd/template", Content: "template\n"}, {Path: "/usr/share/odd/other", Content: "other\n"}},
		Control: map[string]string{"postinst": "#!/bin/sh\nset -e\ncp /usr/share/odd/template /etc/odd\n"},
	}
	s, err := archivetest.New(sample.Debian(odd))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	b := &bench{t, s, t.TempDir()}
	b.write("odd.yaml", "contents: {packages: [base-files, odd]}\n")
	o := b.options("odd.yaml")
	b.build(o)
	rec := b.record(t, o, 0)
	st, err := store.Open(o.CacheDir)
	if err != nil {
		t.Fatal(err)
	}
	var small map[string][]byte
	st.Get("small", rec.Package("odd").SHA256, &small)
	if len(small) != 1 || string(small["usr/share/odd/template"]) != "template\n" {
		t.Errorf("kept is %q", small)
	}
}
