package builder

import (
	"archive/tar"
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/store"
	"github.com/hardpan/hardpan/internal/tree"
	"github.com/hardpan/hardpan/specs"
)

func TestPullName(t *testing.T) {
	digest := "@sha256:" + strings.Repeat("0", 64)
	for reference, want := range map[string]string{
		"debian:trixie":                         "docker.io/library/debian:trixie",
		"debian" + digest:                       "docker.io/library/debian" + digest,
		"team/app:1" + digest:                   "docker.io/team/app:1",
		"localhost/app:1":                       "localhost/app:1",
		"localhost:5000/a/b:1":                  "localhost:5000/a/b:1",
		"registry.example.com/base:1" + digest:  "registry.example.com/base:1",
		"oci:dist/base:name":                    "oci:dist/base:name",
		"oci-archive:base.tar" + digest:         "oci-archive:base.tar",
		"Registry.Example.com/Base is no image": "Registry.Example.com/Base is no image",
	} {
		if got := pullName(reference); got != want {
			t.Errorf("%s: %s, want %s", reference, got, want)
		}
	}
}

// TestInherit has what the config of an image on a base says where the spec speaks and
// where it does not.
func TestInherit(t *testing.T) {
	from := oci.Config{
		Env: []string{"A=base", "A=last", "B=base", "BROKEN"}, Entrypoint: []string{"e"}, Cmd: []string{"c"}, WorkingDir: "srv", User: "1", StopSignal: "SIGINT",
		ExposedPorts: []string{"80", "81/udp"}, Volumes: []string{"/a"}, Labels: map[string]string{"l": "base", "org.opencontainers.image.licenses": "MIT"},
		Healthcheck: &oci.Healthcheck{},
	}
	for _, c := range []struct {
		name string
		spec specs.Spec
		want string
	}{
		{"nothing is said", specs.Spec{}, "A=last B=base PATH=" + defaultPath + " [e] [c] /srv 1 SIGINT [80 81/udp] [/a] map[l:base]"},
		{"a command", specs.Spec{Cmd: []string{"x"}}, "A=last B=base PATH=" + defaultPath + " [e] [x] /srv 1 SIGINT [80 81/udp] [/a] map[l:base]"},
		{"an entrypoint clears the command", specs.Spec{Entrypoint: []string{"x"}}, "A=last B=base PATH=" + defaultPath + " [x] [] /srv 1 SIGINT [80 81/udp] [/a] map[l:base]"},
		{"all is said", specs.Spec{
			Entrypoint: []string{"x"}, Cmd: []string{"y"}, WorkDir: "/w", StopSignal: "SIGTERM", Accounts: specs.Accounts{RunAs: "7"},
			Environment: map[string]string{"A": "own", "PATH": "/p"}, Labels: map[string]string{"l": "own"}, Volumes: []string{"/b"},
		}, "A=own B=base PATH=/p [x] [y] /w 7 SIGTERM [80/tcp 81/udp] [/a /b] map[l:own]"},
	} {
		b := &build{spec: &c.spec}
		own := oci.Config{Entrypoint: c.spec.Entrypoint, Cmd: c.spec.Cmd, WorkingDir: c.spec.WorkDir, StopSignal: c.spec.StopSignal, Volumes: c.spec.Volumes,
			User: c.spec.Accounts.RunAs, Labels: map[string]string{}}
		for k, v := range c.spec.Labels {
			own.Labels[k] = v
		}
		if c.spec.WorkDir != "" {
			own.ExposedPorts = []string{"80/tcp"}
		}
		b.inherit(&own, &baseImage{Image: &oci.Image{Config: from}})
		got := fmt.Sprint(strings.Join(own.Env, " "), " ", own.Entrypoint, " ", own.Cmd, " ", own.WorkingDir, " ", own.User, " ", own.StopSignal, " ", own.ExposedPorts, " ", own.Volumes, " ", own.Labels)
		if got != c.want || own.Healthcheck != nil {
			t.Errorf("%s:\nhave %s\nwant %s", c.name, got, c.want)
		}
	}
}

func TestWithout(t *testing.T) {
	status := "Package: a\nVersion: 1\nDescription: x\n Package: b\n\nPackage: b\nVersion: 1\n\nPackage: c\nVersion: 1\n"
	b := &installed{}
	b.Name = "b"
	if got, want := string(without([]byte(status), []*installed{b})), "Package: a\nVersion: 1\nDescription: x\n Package: b\n\nPackage: c\nVersion: 1\n\n"; got != want {
		t.Errorf("have %q, want %q", got, want)
	}
}

// FuzzDatabase reads databases of package managers that anybody may have written.
func FuzzDatabase(f *testing.F) {
	f.Add("Package: aa\nVersion: 1\nStatus: install ok installed\nSource: b (2)\n\n", "/.\n/etc/x\n", "Package: bb\nVersion: 1\n")
	f.Add("Package: aa\nVersion: 1\nStatus: deinstall ok config-files\nConffiles:\n /etc/x 00\n", "../../x\n", "")
	f.Fuzz(func(t *testing.T, status, list, other string) {
		root := tree.New(nil, 0)
		for name, text := range map[string]string{statusFile: status, infoDir + "/aa.list": list, databaseDir + "/bb": other, "etc/x": "x"} {
			if err := root.WriteFile(name, []byte(text), 0o644, nil); err != nil {
				t.Fatal(err)
			}
		}
		d, err := readDatabase(root)
		if err != nil {
			return
		}
		for name, p := range d.owners {
			if root.Lookup(name) == nil || d.find(p.Name) != p {
				t.Errorf("%s belongs to %s", name, p.Name)
			}
		}
		for _, p := range d.maint(nil) {
			p.Files()
		}
		d.conffiles()
		again, err := readDatabase(withStatus(t, root, without([]byte(status), d.packages)))
		if err == nil && len(again.packages) > len(d.packages) {
			t.Errorf("%d packages became %d", len(d.packages), len(again.packages))
		}
	})
}

func withStatus(t *testing.T, root *tree.Tree, status []byte) *tree.Tree {
	if err := root.WriteFile(statusFile, status, 0o644, nil); err != nil {
		t.Fatal(err)
	}
	return root
}

// TestBaseInRegistry stands on a tag of a registry, which moves when it is locked.
func TestBaseInRegistry(t *testing.T) {
	b := baseBench(t)
	reg := newRegistry(t)
	b.write("first.yaml", "contents: {packages: [base-files, hello]}\n")
	o := b.options("first.yaml")
	o.Outputs = Outputs{Push: reg.host + "/team/base:1"}
	first := b.build(o)
	b.write("on.yaml", fmt.Sprintf("from: %s/team/base:1\ncontents: {packages: [tool]}\n", reg.host))
	if _, err := Lock(t.Context(), b.options("on.yaml")); err != nil {
		t.Fatal(err)
	}
	b.write("first.yaml", "contents: {packages: [base-files, mailer]}\n")
	o.Lock = UpdateLock
	b.build(o)
	o = b.options("on.yaml")
	o.Lock, o.CacheDir = RequireLock, filepath.Join(b.dir, "empty")
	o.Outputs = Outputs{Push: reg.host + "/team/app:1"}
	res := b.build(o)
	for i, img := range res.Index.Images {
		if got := img.Annotations["org.opencontainers.image.base.name"]; got != reg.host+"/team/base:1" {
			t.Errorf("base is %s", got)
		}
		if got := img.Annotations["org.opencontainers.image.base.digest"]; got != string(first.Index.Images[i].Digest) {
			t.Errorf("%s stands on %s, want %s", img.Platform, got, first.Index.Images[i].Digest)
		}
	}
	for _, img := range openImages(t, reg.host+"/team/app:1") {
		has(t, "pulled", dumpOnBase(t, img), "/usr/bin/hello file 0755 0:0 | base layer 1 of the base, package hello 2.10-3\n/usr/share/tool/file file 0644 0:0 | ours, package tool 1.2-1")
	}
}

// TestHostileLayers has layers that no tool writes, each refused with what is wrong.
func TestHostileLayers(t *testing.T) {
	b := baseBench(t)
	for i, c := range []struct {
		header tar.Header
		want   string // "" for one that is taken
	}{
		{tar.Header{Name: "../../etc/passwd", Typeflag: tar.TypeReg}, ""},
		{tar.Header{Name: "/abs", Typeflag: tar.TypeReg}, ""},
		{tar.Header{Name: "a\xff", Typeflag: tar.TypeReg, Format: tar.FormatGNU}, "expected UTF-8"},
		{tar.Header{Name: strings.Repeat("x/", 3000), Typeflag: tar.TypeDir}, "at most 4096 bytes"},
		{tar.Header{Name: "l", Typeflag: tar.TypeSymlink, Linkname: strings.Repeat("x", 5000)}, "at most 4096 bytes"},
		{tar.Header{Name: "a", Typeflag: tar.TypeCont}, "which no runtime extracts"},
		{tar.Header{Name: "a", Typeflag: tar.TypeReg, Uid: 1 << 33, Format: tar.FormatGNU}, "which are no ids"},
		{tar.Header{Name: "b/", Typeflag: tar.TypeLink, Linkname: "."}, "hard link to the directory /."},
		{tar.Header{Name: ".wh...", Typeflag: tar.TypeReg}, "it hides no name"},
		{tar.Header{Name: "l/x", Typeflag: tar.TypeSymlink, Linkname: "/l/x"}, ""},
		{tar.Header{Name: ".", Typeflag: tar.TypeReg}, "the root is a file"},
	} {
		var raw bytes.Buffer
		w := tar.NewWriter(&raw)
		if err := w.WriteHeader(&c.header); err != nil {
			t.Fatalf("%d: %v", i, err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		name := fmt.Sprintf("hostile%d", i)
		b.foreignOf(name, v1.Config{}, raw.Bytes())
		b.write("hostile.yaml", "platforms: [linux/amd64]\nfrom: oci:"+name+"\nhardening: {profile: none}\n")
		res, err := Build(t.Context(), b.renewed("hostile.yaml"))
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%q: %v", c.header.Name, err)
		case c.want == "":
			dumpOnBase(t, res.Index.Images[0])
		case err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "hostile.yaml:6:"):
			t.Errorf("%.40q: found %v, want %s", c.header.Name, err, c.want)
		}
	}
	b.foreignOf("cut", v1.Config{}, []byte("no archive, and of no length that one has"))
	b.write("hostile.yaml", "platforms: [linux/amd64]\nfrom: oci:cut\n")
	if _, err := Build(t.Context(), b.renewed("hostile.yaml")); err == nil || !strings.Contains(err.Error(), "cannot read base image oci:cut: layer sha256:") {
		t.Errorf("no archive: %v", err)
	}
}

// TestLyingRecord stands on an image whose record claims packages that it does not have
// and paths that are otherwise: only what the content bears out is taken over.
func TestLyingRecord(t *testing.T) {
	b := baseBench(t)
	b.write("first.yaml", "platforms: [linux/amd64]\ncontents: {packages: [base-files, hello]}\n")
	true1 := b.build(b.options("first.yaml")).Index.Images[0]
	rec := recordOf(t, true1)
	ghost := rec.Packages[0]
	ghost.Name = "ghost"
	rec.Packages = append(rec.Packages, ghost)
	for i, name := range rec.Paths.Path {
		if name == "usr/bin/hello" {
			rec.Paths.Size[i]++
		}
	}
	st, err := store.Open(filepath.Join(b.dir, "cache"))
	if err != nil {
		t.Fatal(err)
	}
	config := true1.Config
	if config.Record, err = rec.Encode(); err != nil {
		t.Fatal(err)
	}
	lie, err := oci.NewImage(st, config, true1.Layers, oci.Annotations{})
	if err != nil {
		t.Fatal(err)
	}
	index, err := oci.NewIndex(st, []*oci.Image{lie}, oci.Annotations{})
	if err != nil {
		t.Fatal(err)
	}
	if err := oci.WriteLayout(t.Context(), filepath.Join(b.dir, "lie"), index, oci.LayoutOptions{}); err != nil {
		t.Fatal(err)
	}
	b.write("on.yaml", "platforms: [linux/amd64]\nfrom: oci:lie\n")
	img := b.build(b.renewed("on.yaml")).Index.Images[0]
	has(t, "tree", dumpOnBase(t, img), `
		/usr/bin/hello file 0755 0:0 | base layer 1 of the base
		/usr/bin/hi symlink 0777 0:0 -> hello | base layer 1 of the base, package hello 2.10-3
		- /usr/bin/hello file 0755 0:0 | base layer 1 of the base, package hello 2.10-3, sha256`)
	if got := recordOf(t, img); got.Package("ghost") != nil || got.Package("hello") == nil {
		t.Errorf("packages are %+v", got.Base.Packages)
	}
}
