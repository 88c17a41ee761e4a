package diff_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/hardpan/hardpan/internal/check"
	"github.com/hardpan/hardpan/internal/diff"
	"github.com/hardpan/hardpan/internal/inventory"
	"github.com/hardpan/hardpan/internal/inventory/inventorytest"
	"github.com/hardpan/hardpan/internal/oci"
)

type file = inventorytest.File

// image has the paths in one layer on top of one with a file.
func image(files ...file) inventorytest.Image {
	return inventorytest.Image{Layers: [][]file{{{Path: "/same", Content: "same"}}, files}, CreatedBy: []string{"ADD same", "RUN all"}}
}

// text is a difference as text. Layers are left out unless they are asked for.
func text(t testing.TB, old, new inventorytest.Image, layers bool) string {
	d := diff.Images(inventory.Of(old.Read(t)), inventory.Of(new.Read(t)))
	var b strings.Builder
	for _, p := range d.Packages {
		fmt.Fprintf(&b, "package %s %s %s: %q -> %q, %+d bytes\n", p.Change, p.Name, p.Architecture, p.Old, p.New, p.Size)
	}
	for _, s := range d.Config {
		fmt.Fprintf(&b, "config %s %s: %q -> %q\n", s.Change, s.Name, s.Old, s.New)
	}
	for i := range d.Paths {
		p := &d.Paths[i]
		fmt.Fprintf(&b, "path %s %s: %s%s\n", p.Change, p.Path, strings.Join(p.What, " "), strings.Join(append([]string{""}, p.Says()...), "; "))
	}
	for _, l := range d.Layers {
		if layers {
			fmt.Fprintf(&b, "layer %s %d: %s\n", l.Change, l.Index, l.Holds)
		}
	}
	if d.Empty() != (b.Len() == 0 && len(d.Layers) == 0) {
		t.Errorf("empty is %t, and there is\n%s", d.Empty(), b.String())
	}
	return b.String()
}

func TestImages(t *testing.T) {
	t.Parallel()
	status := func(lines string) file {
		return file{Path: "/var/lib/dpkg/status", Content: strings.ReplaceAll(strings.ReplaceAll(lines, ";", "\nStatus: install ok installed\n\n"), ", ", "\n")}
	}
	config := func(c v1.Config) inventorytest.Image {
		i := image()
		i.Config = c
		return i
	}
	for name, test := range map[string]struct {
		old, new inventorytest.Image
		want     string
	}{
		"nothing":           {image(file{Path: "/a", Content: "x"}), image(file{Path: "/a", Content: "x"}), ""},
		"added and removed": {image(file{Path: "/a", Content: "x"}), image(file{Path: "/b/"}), "path removed /a: \npath added /b: \n"},
		"content":           {image(file{Path: "/a", Content: "x"}), image(file{Path: "/a", Content: "xyz"}), "path changed /a: content; content 1 -> 3 bytes\n"},
		"content of the same size": {
			image(file{Path: "/a", Content: "x"}), image(file{Path: "/a", Content: "y"}), "path changed /a: content; content, of the same size\n"},
		"mode and owner": {image(file{Path: "/a"}), image(file{Path: "/a", Mode: 0o4755, UID: 7}), "path changed /a: mode owner; mode 0644 -> 4755; owner 0:0 -> 7:0\n"},
		"type":           {image(file{Path: "/a"}), image(file{Path: "/a", Symlink: "b"}), "path changed /a: type; type file -> symbolic link\n"},
		"target":         {image(file{Path: "/a", Symlink: "b"}), image(file{Path: "/a", Symlink: "c", Mode: 0o777}), "path changed /a: target; target b -> c\n"},
		"which name is the hard link": {
			image(file{Path: "/a", Content: "x"}, file{Path: "/b", Hardlink: "/a"}), image(file{Path: "/b", Content: "x"}, file{Path: "/a", Hardlink: "/b"}), ""},
		"a hard link's content": {
			image(file{Path: "/a", Content: "x"}, file{Path: "/b", Hardlink: "/a"}), image(file{Path: "/a", Content: "yy"}, file{Path: "/b", Hardlink: "/a"}),
			"path changed /a: content; content 1 -> 2 bytes\npath changed /b: content; content 1 -> 2 bytes\n"},
		"packages": {
			image(status("Package: a, Version: 1, Architecture: amd64;Package: b, Version: 1;Package: lib, Version: 1, Architecture: amd64;Package: lib, Version: 1, Architecture: i386;")),
			image(status("Package: a, Version: 2, Architecture: amd64;Package: c, Version: 1;Package: lib, Version: 1, Architecture: amd64;Package: lib, Version: 2, Architecture: i386;")),
			"package changed a amd64: \"1\" -> \"2\", +0 bytes\npackage removed b : \"1\" -> \"\", +0 bytes\npackage added c : \"\" -> \"1\", +0 bytes\npackage changed lib i386: \"1\" -> \"2\", +0 bytes\n" +
				"path changed /var/lib/dpkg/status: content; content, of the same size\n"},
		"config": {
			config(v1.Config{User: "0", Env: []string{"A=1", "B=2"}, Entrypoint: []string{"/a"}, Labels: map[string]string{"x": "1"}, ExposedPorts: map[string]struct{}{"80/tcp": {}}}),
			config(v1.Config{User: "7", Env: []string{"A=1", "C=3"}, Entrypoint: []string{"/a", "b c"}, Labels: map[string]string{"x": "2"}, Healthcheck: &v1.HealthConfig{Test: []string{"NONE"}}}),
			`config changed entrypoint: "[\"/a\"]" -> "[\"/a\", \"b c\"]"
config removed environment B: "2" -> ""
config added environment C: "" -> "3"
config added health check: "" -> "[\"NONE\"] interval 0s timeout 0s start period 0s retries 0"
config changed label x: "1" -> "2"
config removed ports: "80/tcp" -> ""
config changed user: "0" -> "7"
`},
		"secrets": {
			config(v1.Config{Env: []string{"DB_PASSWORD=correcthorse"}}), config(v1.Config{Env: []string{"DB_PASSWORD=batterystaple"}, Cmd: []string{"--password=xx", "TOKEN=batterystaple"}}),
			`config added command: "" -> "[\"--password=... (2 characters)\", \"TOKEN=bat... (13 characters)\"]"
config changed environment DB_PASSWORD: "cor... (12 characters)" -> "bat... (13 characters)"
`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := text(t, test.old, test.new, false); got != test.want {
				t.Errorf("got\n%s\nexpected\n%s", got, test.want)
			}
		})
	}
}

func TestLayers(t *testing.T) {
	t.Parallel()
	got := text(t, image(file{Path: "/a", Content: "x"}), image(file{Path: "/a", Content: "y"}), true)
	if want := "path changed /a: content; content, of the same size\nlayer removed 1: RUN all\nlayer added 1: RUN all\n"; got != want {
		t.Errorf("got\n%s\nexpected\n%s", got, want)
	}
}

// Rules that fail now come first, then those that are fixed, then what changed otherwise.
func TestRules(t *testing.T) {
	t.Parallel()
	judge := func(c v1.Config, files ...file) *check.Report {
		i := image(files...)
		i.Config = c
		return check.Judge(i.Read(t), check.Options{Now: time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)})
	}
	old := judge(v1.Config{User: "0", Healthcheck: &v1.HealthConfig{Test: []string{"CMD", "/same"}}})
	new := judge(v1.Config{User: "1000:1000", Healthcheck: &v1.HealthConfig{Test: []string{"CMD", "/same"}}}, file{Path: "/open", Mode: 0o666, Content: "x"})
	var got []string
	for _, r := range diff.Rules(old, new) {
		got = append(got, fmt.Sprintf("%s %s -> %s fails %t fixed %t", r.Rule, r.Old, r.New, r.Fails, r.Fixed))
	}
	want := []string{"world-writable-file passed -> failed fails true fixed false", "root-user failed -> passed fails false fixed true"}
	for i, w := range want {
		if i >= len(got) || got[i] != w {
			t.Fatalf("got\n%s\nexpected first\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

func TestPair(t *testing.T) {
	t.Parallel()
	images := func(archs ...string) (list []*oci.Image) {
		for _, a := range archs {
			list = append(list, &oci.Image{Platform: oci.Platform{OS: "linux", Architecture: a}})
		}
		return list
	}
	for _, test := range []struct {
		old, new []*oci.Image
		want     string
	}{
		{images("amd64"), images("arm64"), "amd64-arm64"},
		{images("amd64", "arm64"), images("arm64", "amd64"), "arm64-arm64 amd64-amd64"},
		{images("amd64", "s390x"), images("arm64", "amd64"), "amd64-amd64; linux/arm64 is only in the new image; linux/s390x is only in the old image"},
	} {
		pairs, alone := diff.Pair(test.old, test.new)
		var words []string
		for _, p := range pairs {
			words = append(words, p[0].Platform.Architecture+"-"+p[1].Platform.Architecture)
		}
		if got := strings.Join(append([]string{strings.Join(words, " ")}, alone...), "; "); got != test.want {
			t.Errorf("got %s, expected %s", got, test.want)
		}
	}
}
