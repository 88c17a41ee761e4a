//go:build linux

package main

import (
	"os/exec"
	"testing"
)

func TestTextDiffs(t *testing.T) {
	if _, err := exec.LookPath("diff"); err != nil {
		t.Skip("SKIPPED: diff is not installed")
	}
	image, err := openLayout(writeLayout(t, "dir etc 0755 0:0\nfile etc/conf 0644 0:0 colour=red\nfile etc/mode 0600 0:0 text\nfile etc/more 0644 0:0 extra\nfile etc/binary 0644 0:0 \x00"))
	if err != nil {
		t.Fatal(err)
	}
	ours, err := image.manifest("")
	if err != nil {
		t.Fatal(err)
	}
	theirs := merged(t, "dir etc 0755 0:0\nfile etc/conf 0644 0:0 colour=blue\nfile etc/mode 0644 0:0 text\nfile etc/less 0644 0:0 lost\nfile etc/binary 0644 0:0 \x01")
	for p, text := range map[string]string{"etc/conf": "colour=blue", "etc/mode": "text", "etc/less": "lost"} {
		e := theirs.Paths[p]
		e.Text = text
		theirs.Paths[p] = e
	}
	diffs, err := textDiffs(compare(ours, theirs), image, ours, theirs)
	if err != nil {
		t.Fatal(err)
	}
	const end = "\n\\ No newline at end of file\n"
	want := map[string]string{
		"etc/conf": "--- hardpan\n+++ dpkg\n@@ -1 +1 @@\n-colour=red" + end + "+colour=blue" + end,
		"etc/less": "--- hardpan\n+++ dpkg\n@@ -0,0 +1 @@\n+lost" + end,
		"etc/more": "--- hardpan\n+++ dpkg\n@@ -1 +0,0 @@\n-extra" + end,
	}
	for p := range ours.Paths {
		if diffs[p] != want[p] {
			t.Errorf("%s: got %q, want %q", p, diffs[p], want[p])
		}
	}
	if len(diffs) != len(want) || diffs["etc/less"] != want["etc/less"] {
		t.Errorf("got %q", diffs)
	}
}
