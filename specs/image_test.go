package specs

import (
	"path/filepath"
	"strings"
	"testing"
)

const digestOfNothing = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// TestParseImage has each way of naming an image with its parts.
func TestParseImage(t *testing.T) {
	for _, test := range []struct {
		text string
		want ImageReference
	}{
		{"debian:trixie", ImageReference{Repository: "debian", Name: "trixie"}},
		{"debian@" + digestOfNothing, ImageReference{Repository: "debian", Digest: digestOfNothing}},
		{"localhost:5000/a/b_c:1.0@" + digestOfNothing, ImageReference{Repository: "localhost:5000/a/b_c", Name: "1.0", Digest: digestOfNothing}},
		{"Registry.Example.com/base:A-b", ImageReference{Repository: "Registry.Example.com/base", Name: "A-b"}},
		{"127.0.0.1:5000/base@" + digestOfNothing, ImageReference{Repository: "127.0.0.1:5000/base", Digest: digestOfNothing}},
		{"oci:dist/base-1", ImageReference{Transport: "oci", Path: "dist/base-1"}},
		{"oci:../base@" + digestOfNothing, ImageReference{Transport: "oci", Path: "../base", Digest: digestOfNothing}},
		{"oci:/srv/base:docker.io/library/base:1", ImageReference{Transport: "oci", Path: "/srv/base", Name: "docker.io/library/base:1"}},
		{"oci-archive:base.tar", ImageReference{Transport: "oci-archive", Path: "base.tar"}},
		{"docker-archive:base.tar:base:1", ImageReference{Transport: "docker-archive", Path: "base.tar", Name: "base:1"}},
	} {
		got, ok := ParseImage(test.text)
		if !ok || got != test.want {
			t.Errorf("%s: %+v, %v, want %+v", test.text, got, ok, test.want)
		}
		if got.String() != test.text {
			t.Errorf("%s is written as %s", test.text, got)
		}
	}
	for _, bad := range []string{"", "debian", "a/b", "localhost:5000/a", "debian:", "debian@sha256:12", "debian@sha512:" + strings.Repeat("0", 128), "Debian:1", "a//b:1",
		"oci:", "oci::x", "oci:a@b", "oci:a:b@" + digestOfNothing, "docker://debian:1", "debian:1 ", "debian:1@" + digestOfNothing + "0", "-a/b:1", "a/../b:1"} {
		if r, ok := ParseImage(bad); ok {
			t.Errorf("%q is taken for the image %+v", bad, r)
		}
	}
}

// TestImageOfParent: a path is relative to the file that has it, and on the command
// line to the current directory.
func TestImageOfParent(t *testing.T) {
	dir := writeFiles(t,
		"base/parent.yaml", header+"from: oci:layouts/base:1\nstages: [{name: a, from: \"oci-archive:../a.tar\"}]\n",
		"app/app.yaml", "apiVersion: hardpan/v1\nextends: ../base/parent.yaml\nstages: [{name: b, from: \"oci:b\"}, {name: c, from: \"oci:/c\"}, {name: d, from: \"debian:12\"}]\n")
	s, err := Load(filepath.Join(dir, "app/app.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, from := range []string{s.From, s.Stages[0].From, s.Stages[1].From, s.Stages[2].From, s.Stages[3].From} {
		r, ok := ParseImage(from)
		if !ok {
			t.Errorf("%q is no image", from)
		}
		got = append(got, from, strings.ReplaceAll(s.Locate(r), dir, "DIR"))
	}
	want := []string{"oci:../base/layouts/base:1", "oci:DIR/base/layouts/base:1", "oci-archive:../a.tar", "oci-archive:DIR/a.tar",
		"oci:b", "oci:DIR/app/b", "oci:/c", "oci:/c", "debian:12", "docker://debian:12"}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("found\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestWithDigest pins references of either kind.
func TestWithDigest(t *testing.T) {
	for text, want := range map[string]string{
		"debian:12":                     "debian:12@" + digestOfNothing,
		"oci:a:b":                       "oci:a@" + digestOfNothing,
		"oci:a@sha256:" + nines:         "oci:a@" + digestOfNothing,
		"example.com/a@sha256:" + nines: "example.com/a@" + digestOfNothing,
	} {
		r, _ := ParseImage(text)
		if got := r.WithDigest(digestOfNothing).String(); got != want {
			t.Errorf("%s with a digest is %s, want %s", text, got, want)
		}
	}
}

var nines = strings.Repeat("9", 64)
