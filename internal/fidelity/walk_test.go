//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// installedTree lays out what dpkg leaves of two packages and a script.
func installedTree(t *testing.T) string {
	root := t.TempDir()
	put(t, filepath.Join(root, "var/lib/dpkg/info/tool:amd64.list"), "/.\n/usr\n/usr/bin\n/usr/bin/tool\n/usr/bin/removed\n/etc/tool.conf\n")
	put(t, filepath.Join(root, "var/lib/dpkg/info/twin.list"), "/usr\n/usr/bin\n")
	put(t, filepath.Join(root, "var/lib/dpkg/status"), strings.Join([]string{
		"Package: twin\nStatus: install ok half-configured\nVersion: 2:1\nArchitecture: all\nDescription: a\n Version: 9\n",
		"Package: tool\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.0\n"}, "\n"))
	put(t, filepath.Join(root, "usr/bin/tool"), "program")
	put(t, filepath.Join(root, "etc/tool.conf"), "shipped and changed")
	put(t, filepath.Join(root, "srv/made"), "by a script")
	put(t, filepath.Join(root, "srv/binary"), "\x00")
	for name, err := range map[string]error{
		"chmod":    os.Chmod(filepath.Join(root, "usr/bin/tool"), 0o755|os.ModeSetuid),
		"symlink":  os.Symlink("tool", filepath.Join(root, "usr/bin/alias")),
		"hardlink": os.Link(filepath.Join(root, "srv/made"), filepath.Join(root, "srv/also")),
	} {
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	return root
}

func TestWalk(t *testing.T) {
	m, changed, err := walk(installedTree(t))
	if err != nil {
		t.Fatal(err)
	}
	owner := fmt.Sprintf("%d:%d", os.Getuid(), os.Getgid())
	for p, want := range map[string]string{
		"usr/bin":       "dir 0755 OWNER",
		"usr/bin/tool":  "file 4755 OWNER 7 bytes 1310ca2c8932",
		"usr/bin/alias": "link OWNER -> tool",
		"srv/made":      "file 0644 OWNER 11 bytes 0ddf96136a33 linked with srv/also",
	} {
		if got := strings.Replace(m.Paths[p].String(), owner, "OWNER", 1); got != want {
			t.Errorf("%s: got %q, want %q", p, got, want)
		}
		if changed[p].IsZero() {
			t.Errorf("%s: no time of change", p)
		}
	}
	for p, want := range map[string]string{"srv/made": "by a script", "srv/binary": "", "usr/bin/tool": "", "etc/tool.conf": "shipped and changed"} {
		if got := m.Paths[p].Text; got != want {
			t.Errorf("%s: kept the text %q, want %q", p, got, want)
		}
	}
	if got, want := fmt.Sprint(m.Paths["usr/bin"].Owners, m.Gone, m.Packages), "[tool twin] map[usr/bin/removed:[tool]] [tool 1.0 amd64 twin 2:1 all (install ok half-configured)]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestAttribute(t *testing.T) {
	at := func(ms int) time.Time { return time.UnixMilli(1_700_000_000_000 + int64(ms)) }
	runs := []scriptRun{{"a preinst", at(10)}, {"a postinst", at(20)}, {"b postinst", at(30)}}
	tests := map[string]struct {
		changed int
		want    string
	}{
		"in the base":              {5, "[base postinst]"},
		"before any script":        {8, "[]"},
		"while a script ran":       {15, "[a preinst]"},
		"in the tick of the next":  {20, "[a preinst a postinst]"},
		"after the last had begun": {99, "[b postinst]"},
	}
	base := filepath.Join(t.TempDir(), "base.json.zst")
	if err := writeJSON(base, &manifest{Paths: map[string]entry{"path": {By: []string{"base postinst"}}}}); err != nil {
		t.Fatal(err)
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m, changed := &manifest{Paths: map[string]entry{"path": {Type: file}}}, map[string]time.Time{"path": at(tt.changed)}
			m.attribute(runs, changed, at(7))
			if err := m.inherit(base, changed, at(7)); err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(m.Paths["path"].By); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestScriptName(t *testing.T) {
	root := t.TempDir()
	put(t, filepath.Join(root, "var/lib/dpkg/tmp.ci/control"), "Package: tool\nVersion: 1\n")
	for name, want := range map[string]string{
		"var/lib/dpkg/info/libc6:amd64.postinst": "libc6 postinst",
		"var/lib/dpkg/info/python3.13.postinst":  "python3.13 postinst",
		"var/lib/dpkg/tmp.ci/preinst":            "tool preinst",
		"usr/bin/dpkg":                           "",
	} {
		if got := scriptName(filepath.Join(root, name)); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}
