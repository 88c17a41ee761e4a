package builder

import (
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/hardpan/hardpan/internal/debian/archivetest"
)

const contents = "contents: {packages: [base-files, hello, hello-common, mailer, tool]}\n"

// However packages are divided among layers and compressed, the tree is the same, no
// path is in two layers, and nothing is whited out.
func TestLayering(t *testing.T) {
	b := newBench(t)
	var first string
	for _, c := range []struct {
		layering string
		layers   int
	}{
		{"", 9}, {"layering: {budget: 1}", 1}, {"layering: {budget: 2}", 2}, {"layering: {budget: 3}", 3}, {"layering: {budget: 127}", 9},
		{"layering: {compression: zstd}", 9}, {"layering: {compression: zstd, budget: 1}", 1}, {"layering: {compression: zstd, budget: 3}", 3},
	} {
		b.write("layers.yaml", contents+c.layering+"\n")
		res := b.build(b.options("layers.yaml"))
		for i, img := range res.Index.Images {
			if len(img.Layers) != c.layers {
				t.Errorf("%s %q: %d layers, want %d", img.Platform, c.layering, len(img.Layers), c.layers)
			}
			if media := img.Layers[0].MediaType; strings.HasSuffix(media, "zstd") != strings.Contains(c.layering, "zstd") {
				t.Errorf("%q: media type %s", c.layering, media)
			}
			got := dumpTree(t, img)
			if i > 0 {
				continue
			}
			if first == "" {
				first = got
			}
			if got != first {
				t.Errorf("%q gives another tree (- want, + have):\n%s", c.layering, difference(first, got))
			}
		}
	}
}

// Where base-files does not bring the links of a merged /usr, as before trixie, they are
// there for the first scripts.
func TestMergedUsrBeforeScripts(t *testing.T) {
	s, err := archivetest.New(archivetest.Debian(
		archivetest.Package{Name: "base-files", Files: []archivetest.File{{Path: "/etc/debian_version", Content: "12.0\n"}}},
		archivetest.Package{Name: "first", Fields: map[string]string{"Essential": "yes"},
			Files:   []archivetest.File{{Path: "/bin/first", Content: "first\n"}},
			Control: map[string]string{"postinst": "#!/bin/sh\nset -e\n[ -e /bin/first ]\n[ -L /bin ]\n"}},
	))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	b := &bench{t, s, t.TempDir()}
	b.write("merged.yaml", "platforms: [linux/amd64]\ncontents: {packages: [base-files, first]}\n")
	res := b.build(b.options("merged.yaml"))
	if got := dumpTree(t, res.Index.Images[0]); !strings.Contains(got, "usr/bin/first") {
		t.Errorf("no /usr/bin/first in\n%s", got)
	}
}

// All outputs hold one image, and each is enough to explain its paths.
func TestOutputs(t *testing.T) {
	b := newBench(t)
	reg := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer reg.Close()
	at := func(name string) string { return filepath.Join(b.dir, "out", name) }
	o := b.options("sample.yaml")
	ref := strings.TrimPrefix(reg.URL, "http://") + "/base/sample:1"
	o.Outputs = Outputs{Layout: at("layout"), Archive: at("oci.tar"), Push: ref, Tags: []string{"latest"}}
	if err := os.Mkdir(at(""), 0o755); err != nil {
		t.Fatal(err)
	}
	res := b.build(o)
	o.Platforms = []string{"linux/amd64"}
	o.Outputs = Outputs{DockerArchive: at("docker.tar")}
	one := b.build(o)
	if one.Index.Images[0].Digest != res.Index.Images[0].Digest {
		t.Errorf("one platform alone is %s, among others %s", one.Index.Images[0].Digest, res.Index.Images[0].Digest)
	}
	want := dumpTree(t, res.Index.Images[0])
	for _, ref := range []string{at("layout"), at("oci.tar"), ref, strings.Replace(ref, ":1", ":latest", 1), strings.Replace(ref, ":1", "@"+string(res.Digest), 1), at("docker.tar")} {
		images := openImages(t, ref)
		if got := dumpTree(t, images[0]); got != want {
			t.Errorf("%s has another tree:\n%s", ref, difference(want, got))
		}
		if ref != at("docker.tar") && images[0].Digest != res.Index.Images[0].Digest {
			t.Errorf("%s has %s, want %s", ref, images[0].Digest, res.Index.Images[0].Digest)
		}
		if images[0].ConfigDigest != res.Index.Images[0].ConfigDigest {
			t.Errorf("%s has the config %s, want %s", ref, images[0].ConfigDigest, res.Index.Images[0].ConfigDigest)
		}
		e, err := Explain(t.Context(), ref, "/usr/bin/greet", ExplainOptions{Platform: "linux/amd64"})
		if err != nil {
			t.Errorf("%s: %v", ref, err)
			continue
		}
		if last := e.Steps[len(e.Steps)-1]; last.Path != "/usr/bin/hello" || last.Origin != "package hello 2.10-3" {
			t.Errorf("%s: /usr/bin/greet is %s of %s", ref, last.Path, last.Origin)
		}
	}
}

// A file has one mode and one owner under all of its names: who extracts a layer
// gives it those of the entry that comes last.
func TestHardlinksShareModes(t *testing.T) {
	for _, paths := range []string{
		"",
		"paths: [{path: /usr/bin/hello, type: permissions, mode: \"0511\", gid: 7}]\n",
		"paths: [{path: /usr/bin/hello-again, type: permissions, mode: \"0511\", gid: 7}]\n",
		"paths: [{path: /usr/bin, type: permissions, mode: \"0700\", recursive: true}]\n",
	} {
		b := newBench(t)
		b.write("links.yaml", contents+paths)
		for _, img := range b.build(b.options("links.yaml")).Index.Images {
			dumpTree(t, img)
			modes := map[string]string{}
			for _, l := range img.Layers {
				for _, e := range entries(t, l) {
					if e.name == "usr/bin/hello" || e.name == "usr/bin/hello-again" {
						modes[e.name] = strings.Fields(e.String())[2] + " " + strings.Fields(e.String())[3]
					}
				}
			}
			if len(modes) != 2 || modes["usr/bin/hello"] != modes["usr/bin/hello-again"] {
				t.Errorf("%q: modes are %v", paths, modes)
			}
			if want := map[bool]string{true: "0511 0:7"}[strings.Contains(paths, "0511")]; want != "" && modes["usr/bin/hello"] != want {
				t.Errorf("%q: modes are %v, want %s", paths, modes, want)
			}
		}
	}
}

// SOURCE_DATE_EPOCH takes the place of the lock's date: nothing is younger, and
// nothing else changes.
func TestEpoch(t *testing.T) {
	b := newBench(t)
	o := b.options("sample.yaml")
	usual := b.build(o)
	if want := archivetest.Epoch; !usual.Created.Equal(want) {
		t.Errorf("created %s, want the archive's %s", usual.Created, want)
	}
	for _, epoch := range []time.Time{time.Unix(0, 0), time.Unix(1_000_000_000, 5), time.Unix(1_900_000_000, 0)} {
		o.Epoch = &epoch
		res := b.build(o)
		for i, img := range res.Index.Images {
			if img.Config.Created.Unix() != epoch.Unix() {
				t.Errorf("config created %s, want %s", img.Config.Created, epoch)
			}
			for _, l := range img.Layers {
				for _, e := range entries(t, l) {
					if e.time > epoch.Unix() {
						t.Errorf("%s is younger than %d", e, epoch.Unix())
					}
				}
			}
			// /etc/shadow holds the day of the passwords' last change.
			noShadow := func(s string) string {
				return strings.Join(slices.DeleteFunc(strings.Split(s, "\n"), func(l string) bool { return strings.HasPrefix(l, "/etc/shadow ") }), "\n")
			}
			if a, b := noShadow(dumpTree(t, usual.Index.Images[i])), noShadow(dumpTree(t, img)); a != b {
				t.Errorf("the tree differs:\n%s", difference(a, b))
			}
		}
	}
}

// A variant is built from the same lock; an extended spec is the whole of both files.
func TestVariantsAndExtends(t *testing.T) {
	b := newBench(t)
	b.write("parent.yaml", "contents: {packages: [base-files, hello]}\nenvironment: {A: parent, B: parent}\n")
	child := "extends: parent.yaml\nname: child\ncontents: {packages: [tool, \"!hello-data\"]}\nenvironment: {B: child}\n" +
		"variants: {debug: {contents: {packages: [mailer]}, hardening: {profile: none}}}\n"
	if err := os.WriteFile(filepath.Join(b.dir, "child.yaml"), []byte(child), 0o644); err != nil {
		t.Fatal(err)
	}
	o := b.options("child.yaml")
	plain := b.build(o)
	if plain.Name != "child" || plain.Tag != "1" || !plain.Locked {
		t.Errorf("built %s:%s, locked %v", plain.Name, plain.Tag, plain.Locked)
	}
	if got := plain.Images[0]; got.Packages != 4 || !slices.Equal(got.Dropped, []string{"hello-data"}) {
		t.Errorf("%d packages without %v, want base-files, hello, libc6 and tool without hello-data", got.Packages, got.Dropped)
	}
	if env := plain.Index.Images[0].Config.Env; !slices.Contains(env, "A=parent") || !slices.Contains(env, "B=child") {
		t.Errorf("environment %v", env)
	}
	o.Variant, o.Lock = "debug", RequireLock
	debug := b.build(o)
	if debug.Tag != "1-debug" || debug.Images[0].Packages != 6 || len(debug.Images[0].Stripped) > 0 {
		t.Errorf("the variant is %s with %d packages and %v stripped", debug.Tag, debug.Images[0].Packages, debug.Images[0].Stripped)
	}
	tree := dumpTree(t, debug.Index.Images[0])
	for _, want := range []string{"/usr/share/mailer/file", "/usr/share/man/man1/hello.1.gz", "/usr/bin/hello-su file 4755"} {
		if !strings.Contains(tree, "\n"+want) {
			t.Errorf("the variant lacks %s", want)
		}
	}
}
