package oci_test

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/store"
)

// What is a path and what a reference. The references lead to a registry that is
// not there, whose name is then in the error.
func TestPathOrReference(t *testing.T) {
	t.Chdir(t.TempDir())
	x := buildIndex(t, openStore(t), linuxAMD64)
	one := x.Images[0]
	writeLayout(t, "dist", x)
	writeLayout(t, "odd:name", x)
	writeLayout(t, "sub/dist", x)
	check(t, oci.WriteArchive(t.Context(), "image.tar", x, oci.LayoutOptions{RefName: "3.13"}))
	check(t, oci.WriteArchive(t.Context(), "image", x, oci.LayoutOptions{RefName: "3.13"}))
	check(t, oci.WriteDockerArchive(t.Context(), "docker.tar", x, oci.DockerArchiveOptions{Tags: []string{"example/python:3.13"}}))
	check(t, os.MkdirAll("python/src", 0o755)) // not a layout
	index, manifest := string(x.Digest), string(one.Digest)
	abs, err := filepath.Abs("dist")
	check(t, err)

	for _, e := range []struct {
		ref    string
		digest string // "" for a docker archive, which has its own
		err    string
	}{
		{"dist", index, ""},
		{"./dist", index, ""},
		{"sub/dist", index, ""},
		{abs, index, ""},
		{"dist:3.13", index, ""},
		{abs + ":3.13", index, ""},
		{"dist@" + index, index, ""},
		{"dist@" + manifest, manifest, ""},
		{"odd:name", index, ""},
		{"odd:name:3.13", index, ""},
		{"image.tar", index, ""},
		{"image", index, ""},
		{"image:3.13", index, ""},
		{"image.tar@" + manifest, manifest, ""},
		{"docker.tar", "", ""},
		{"docker.tar:3.13", "", ""},
		{"docker.tar:example/python:3.13", "", ""},
		{"oci:dist", index, ""},
		{"oci:dist:3.13", index, ""},
		{"oci-archive:image.tar", index, ""},
		{"oci-archive:image:3.13", index, ""},
		{"docker-archive:docker.tar:3.13", "", ""},

		{"dist:3.14", "", `it has no image "3.14", it has 3.13`},
		{"image.tar:3.14", "", `it has no image "3.14", it has 3.13`},
		{"docker.tar:3.14", "", `it has no image "3.14", it has example/python:3.13`},
		{"dist@" + string(store.DigestOf(nil)), "", "is missing"},
		{"dist@sha256:1", "", `digest "sha256:1", expected sha256:`},
		{"docker.tar@" + index, "", "it has no image " + index},
		{"./none", "", "stat ./none: no such file or directory"},
		{"none.tar", "", "stat none.tar: no such file or directory"},
		{"/none", "", "stat /none: no such file or directory"},
		{"./python", "", "not an OCI image layout: it has no file oci-layout"},
		{"oci:python", "", "not an OCI image layout: it has no file oci-layout"},
		{"oci:none", "", "stat none: no such file or directory"},
		{"oci:image.tar", "", "expected an OCI layout directory or an archive file"},
		{"oci-archive:dist", "", "expected an OCI layout directory or an archive file"},
		{"oci-archive:docker.tar", "", "it has no file oci-layout"},
		{"docker-archive:image.tar", "", "the archive has no file \"manifest.json\""},
		{"127.0.0.1:1/python", "", "127.0.0.1:1/v2/"},
		{"docker://127.0.0.1:1/dist", "", "127.0.0.1:1/v2/"},
		{"Upper Case", "", `"Upper Case" is not an image reference`},
		{"", "", "is not an image reference"},
	} {
		s, err := oci.Open(t.Context(), e.ref, oci.OpenOptions{})
		if e.err != "" {
			wantError(t, err, "cannot open image "+e.ref, e.err)
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", e.ref, err)
			continue
		}
		if got := string(s.Digest); e.digest != "" && got != e.digest {
			t.Errorf("%s: %s, want %s", e.ref, got, e.digest)
		}
		compareLayers(t, s.Images[0], one)
		check(t, s.Close())
	}
}

// An entry is a file of a tar under test.
type entry struct {
	name, content string
	kind          byte // 0 is a regular file
	link          string
}

func tarFile(t testing.TB, entries ...entry) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "image.tar")
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Typeflag: e.kind, Linkname: e.link, Mode: 0o644, Size: int64(len(e.content))}
		if e.kind == 0 {
			h.Typeflag = tar.TypeReg
		}
		check(t, w.WriteHeader(h))
		_, err := io.WriteString(w, e.content)
		check(t, err)
	}
	check(t, w.Close())
	check(t, os.WriteFile(file, b.Bytes(), 0o644))
	return file
}

func mustJSON(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	check(t, err)
	return string(b)
}

type savedImage struct {
	Config           string
	RepoTags, Layers []string
}

// Docker up to 24 wrote directories named by an ID of its own, with layers as
// plain tars, the same layer again as a link; podman writes "HEX.tar". Both read
// back with the tars verified.
func TestOldDockerArchive(t *testing.T) {
	t.Parallel()
	x := buildIndex(t, openStore(t), linuxAMD64)
	img := x.Images[0]
	var layers []string
	for _, l := range img.Layers {
		layers = append(layers, string(readAll(t, l.Uncompressed)))
	}
	config := strings.Replace(string(img.RawConfig), `"diff_ids":[`, `"diff_ids":["`+string(img.Layers[0].DiffID)+`",`, 1)
	digest := store.DigestOf([]byte(config)).Hex()
	id := func(i int) string { return strings.Repeat(fmt.Sprint(i), 64) }
	docker := []entry{
		{name: id(0) + "/", kind: tar.TypeDir}, {name: id(0) + "/VERSION", content: "1.0"}, {name: id(0) + "/json", content: "{}"},
		{name: id(0) + "/layer.tar", kind: tar.TypeSymlink, link: "../" + id(1) + "/layer.tar"},
		{name: id(1) + "/layer.tar", content: layers[0]}, {name: id(2) + "/layer.tar", content: layers[1]}, {name: id(3) + "/layer.tar", content: layers[2]},
		{name: digest + ".json", content: config},
		{name: "manifest.json", content: mustJSON(t, []savedImage{{digest + ".json", []string{"python:3.13"}, []string{id(0) + "/layer.tar", id(1) + "/layer.tar", id(2) + "/layer.tar", id(3) + "/layer.tar"}}})},
		{name: "repositories", content: "{}"},
	}
	hex := func(i int) string { return img.Layers[i].DiffID.Hex() + ".tar" }
	podman := []entry{
		{name: hex(0), content: layers[0]}, {name: hex(1), content: layers[1]}, {name: hex(2), content: layers[2]},
		{name: "./" + digest + ".json", content: config},
		{name: "manifest.json", content: mustJSON(t, []savedImage{{digest + ".json", nil, []string{hex(0), hex(0), hex(1), hex(2)}}})},
	}
	gzipped := compress(t, oci.MediaLayerGzip, []byte(layers[0]))
	other := []entry{ // compressed, and named neither by digest nor by diff ID
		{name: "a", content: string(gzipped)}, {name: "b", content: layers[1]}, {name: "c", content: layers[2]}, {name: "config", content: config},
		{name: "manifest.json", content: mustJSON(t, []savedImage{{"config", nil, []string{"a", "a", "b", "c"}}})},
	}
	for name, entries := range map[string][]entry{"docker": docker, "podman": podman, "other": other} {
		t.Run(name, func(t *testing.T) {
			file := tarFile(t, entries...)
			s, err := oci.Open(t.Context(), file, oci.OpenOptions{})
			check(t, err)
			defer s.Close()
			got, err := s.Image(linuxAMD64)
			check(t, err)
			if string(got.RawConfig) != config || len(got.Layers) != 4 || s.Index != nil {
				t.Fatalf("config %s, %d layers, index %v", got.RawConfig, len(got.Layers), s.Index)
			}
			for i, l := range got.Layers {
				if want := layers[max(0, i-1)]; string(readAll(t, l.Uncompressed)) != want {
					t.Errorf("layer %d has another tar", i)
				}
				if store.DigestOf(readAll(t, l.Open)) != l.Digest {
					t.Errorf("layer %d is not %s", i, l.Digest)
				}
			}
			if s.Digest != store.DigestOf(got.Manifest) {
				t.Errorf("digest %s is not that of the manifest", s.Digest)
			}
			for i := range entries {
				if name := entries[i].name; len(entries[i].content) > 100 && name != "manifest.json" && name != "config" {
					damaged := append([]entry(nil), entries...)
					damaged[i].content = strings.Replace(damaged[i].content, damaged[i].content[20:40], strings.Repeat("x", 20), 1)
					if err := readEverything(t, tarFile(t, damaged...), oci.OpenOptions{}); err == nil {
						t.Errorf("damaged %s was read without an error", name)
					}
				}
			}
		})
	}
}

// Docker since 25 writes a layout with a manifest.json beside it, and leaves out
// the platforms that were never pulled.
func TestNewDockerArchive(t *testing.T) {
	t.Parallel()
	x := buildIndex(t, openStore(t), linuxAMD64, linuxARM64)
	missing := x.Images[1]
	index := fmt.Sprintf(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":%q,"digest":%q,"size":%d,"annotations":{"io.containerd.image.name":"docker.io/library/python:3.13","org.opencontainers.image.ref.name":"3.13"}}]}`, x.MediaType, x.Digest, len(x.Manifest))
	entries := []entry{
		{name: "blobs/", kind: tar.TypeDir}, {name: "blobs/sha256/", kind: tar.TypeDir},
		{name: "index.json", content: index}, {name: "oci-layout", content: `{"imageLayoutVersion":"1.0.0"}`},
	}
	for d, b := range blobsOf(t, x) {
		if d != missing.Digest && d != missing.ConfigDigest {
			entries = append(entries, entry{name: "blobs/sha256/" + d.Hex(), content: string(b)})
		}
	}
	_, err := oci.Open(t.Context(), tarFile(t, entries...), oci.OpenOptions{})
	wantError(t, err, "blob "+string(missing.Digest)+" is missing")

	file := tarFile(t, append(entries, entry{name: "manifest.json", content: "[]"})...)
	for _, ref := range []string{file, file + ":3.13", file + ":docker.io/library/python:3.13", file + ":python:3.13"} {
		s, err := oci.Open(t.Context(), ref, oci.OpenOptions{})
		check(t, err)
		if len(s.Images) != 1 {
			t.Fatalf("%d images", len(s.Images))
		}
		compareLayers(t, s.Images[0], x.Images[0])
		wantError(t, oci.WriteArchive(t.Context(), file+".copy", s.Index, oci.LayoutOptions{}), "1 of its manifests were not read")
		s.Close()
	}
}

// Tools disagree on what index.json lists; what is clear is read, what is not is
// asked about.
func TestLayoutEntries(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	x, other := buildIndex(t, st, linuxAMD64, linuxARM64), otherIndex(t, st)
	platforms := strings.TrimSuffix(string(x.Manifest), "}") // the two manifests by platform, as ko has them
	const entry = `"mediaType":"application/vnd.oci.image.manifest.v1+json"`
	d := func(x *oci.Index, name string) string {
		return fmt.Sprintf(`{"mediaType":%q,"digest":%q,"size":%d,"annotations":{"org.opencontainers.image.ref.name":%q}}`, x.MediaType, x.Digest, len(x.Manifest), name)
	}
	attestation := fmt.Sprintf(`{"schemaVersion":2,"manifests":[{"mediaType":%q,"digest":%q,"size":%d},{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":%q,"size":1,"platform":{"os":"unknown","architecture":"unknown"}}]}`,
		x.Images[0].MediaType, x.Images[0].Digest, len(x.Images[0].Manifest), store.DigestOf(nil))
	list := func(entries ...string) string {
		return `{"schemaVersion":2,"manifests":[` + strings.Join(entries, ",") + `]}`
	}
	for _, e := range []struct{ name, index, choice, want, err string }{
		{"two names of one image", list(d(x, "1"), d(x, "2")), "", "linux/amd64 linux/arm64", ""},
		{"one of two", list(d(x, "1"), d(other, "2")), ":2", "linux/amd64", ""},
		{"one of two, by digest", list(d(x, "1"), d(other, "2")), "@" + string(other.Digest), "linux/amd64", ""},
		{"two, none chosen", list(d(x, "1"), d(other, "2")), "", "", "it has 2 images, 1, 2"},
		{"one name for two", list(d(x, "1"), d(other, "1")), ":1", "", "it has 2 images, 1, 1"},
		{"platforms", platforms + "}", "", "linux/amd64 linux/arm64", ""},
		{"platforms, with an artifact type", strings.ReplaceAll(platforms, entry, entry+`,"artifactType":"application/vnd.oci.image.config.v1+json"`) + "}", "", "linux/amd64 linux/arm64", ""},
		{"one of them an artifact", strings.Replace(platforms, entry, entry+`,"artifactType":"text/x"`, 1) + "}", "", "linux/arm64", ""},
		{"attestation", attestation, "@" + string(x.Images[0].Digest), "linux/amd64", ""},
		{"none", list(), "", "", "index.json lists no image"},
		{"a manifest", string(x.Images[0].Manifest), "", "", "expected an image index"},
		{"wrong size", strings.Replace(list(d(x, "1")), fmt.Sprintf(`"size":%d`, len(x.Manifest)), `"size":7`, 1), "", "", "stated are 7"},
		{"huge size", strings.Replace(list(d(x, "1")), fmt.Sprintf(`"size":%d`, len(x.Manifest)), `"size":70000000`, 1), "", "", "at most 4194304 are read"},
		{"negative size", strings.Replace(list(d(x, "1")), fmt.Sprintf(`"size":%d`, len(x.Manifest)), `"size":-7`, 1), "", "", "has the size -7"},
		{"path as digest", strings.Replace(list(d(x, "1")), string(x.Digest), "sha256:../../../../etc/passwd", 1), "", "", "expected sha256: and 64 hex digits"},
		{"wrong media type", strings.Replace(list(d(x, "1")), x.MediaType, x.Images[0].MediaType, 1), "", "", "its descriptor says"},
		{"not json", "{", "", "", "index.json: not a valid image"},
		{"schema 1", `{"schemaVersion":1}`, "", "", "schemaVersion is 1, expected 2"},
		{"both kinds", `{"schemaVersion":2,"manifests":[],"layers":[]}`, "", "", "both a manifest and an index"},
		{"twice", `{"schemaVersion":2,"manifests":[],"manifests":[]}`, "", "", `member "manifests" occurs twice`},
		{"twice but for case", `{"schemaVersion":2,"manifests":[],"Manifests":[]}`, "", "", `member "manifests" occurs twice`},
	} {
		t.Run(e.name, func(t *testing.T) {
			dir := t.TempDir()
			check(t, os.MkdirAll(dir+"/blobs/sha256", 0o755))
			check(t, os.WriteFile(dir+"/oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`), 0o644))
			check(t, os.WriteFile(dir+"/index.json", []byte(e.index), 0o644))
			for _, x := range []*oci.Index{x, other} {
				for d, b := range blobsOf(t, x) {
					check(t, os.WriteFile(dir+"/blobs/sha256/"+d.Hex(), b, 0o644))
				}
			}
			s, err := oci.Open(t.Context(), dir+e.choice, oci.OpenOptions{})
			if e.err != "" {
				wantError(t, err, e.err)
				return
			}
			check(t, err)
			defer s.Close()
			var got []string
			for _, img := range s.Images {
				got = append(got, img.Platform.String())
			}
			if strings.Join(got, " ") != e.want {
				t.Errorf("images %q, want %q", got, e.want)
			}
		})
	}
}

// Links and pipes in a layout lead nowhere.
func TestHostileLayout(t *testing.T) {
	t.Parallel()
	x := buildIndex(t, openStore(t), linuxAMD64)
	for _, e := range []struct {
		name  string
		spoil func(path string) error
		want  string
	}{
		{"link out", func(path string) error {
			outside := filepath.Join(t.TempDir(), "outside")
			return errors.Join(os.Rename(path, outside), os.Symlink(outside, path))
		}, "path escapes"},
		{"pipe", func(path string) error { return errors.Join(os.Remove(path), syscall.Mkfifo(path, 0o644)) }, "is not a regular file"},
		{"directory", func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o755)) }, "is not a regular file"},
		{"missing", os.Remove, "is missing"},
	} {
		for d := range blobsOf(t, x) {
			dir := filepath.Join(t.TempDir(), "dist")
			writeLayout(t, dir, x)
			check(t, e.spoil(filepath.Join(dir, "blobs/sha256", d.Hex())))
			err := readEverything(t, dir, oci.OpenOptions{})
			wantError(t, err, e.want, d.Hex())
			if e.name == "missing" && !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("error %v is not fs.ErrNotExist", err)
			}
		}
	}
}

func TestHostileArchive(t *testing.T) {
	t.Parallel()
	mark := entry{name: "oci-layout", content: `{"imageLayoutVersion":"1.0.0"}`}
	saved := func(s ...savedImage) entry { return entry{name: "manifest.json", content: mustJSON(t, s)} }
	config := entry{name: "c.json", content: `{"architecture":"amd64","os":"linux","rootfs":{"diff_ids":["` + string(store.DigestOf([]byte("x"))) + `"]}}`}
	for _, e := range []struct {
		name    string
		entries []entry
		want    string
	}{
		{"empty", nil, "neither oci-layout nor manifest.json"},
		{"no index", []entry{mark}, "cannot read index.json"},
		{"name above", []entry{mark, {name: "../index.json"}}, `"../index.json" has a name that is not a clean relative path`},
		{"name within", []entry{mark, {name: "blobs/../../x"}}, "not a clean relative path"},
		{"absolute name", []entry{mark, {name: "/etc/passwd"}}, "not a clean relative path"},
		{"twice", []entry{mark, mark}, `"oci-layout" occurs twice`},
		{"twice but for ./", []entry{mark, {name: "./oci-layout"}}, `"./oci-layout" occurs twice`},
		{"link above", []entry{{name: "a", kind: tar.TypeSymlink, link: "../b"}}, `"a" links out of the archive`},
		{"absolute link", []entry{{name: "a", kind: tar.TypeSymlink, link: "/etc/passwd"}}, "links out of the archive"},
		{"hard link above", []entry{{name: "a/b", kind: tar.TypeLink, link: "../b"}}, "links out of the archive"},
		{"device", []entry{{name: "a", kind: tar.TypeBlock}}, "neither file nor directory nor link"},
		{"pipe", []entry{{name: "a", kind: tar.TypeFifo}}, "neither file nor directory nor link"},
		{"circle", []entry{{name: "manifest.json", kind: tar.TypeSymlink, link: "b"}, {name: "b", kind: tar.TypeSymlink, link: "manifest.json"}}, "links in a circle"},
		{"link to nowhere", []entry{{name: "manifest.json", kind: tar.TypeSymlink, link: "b"}}, `no file "b"`},
		{"huge document", []entry{{name: "manifest.json", content: strings.Repeat(" ", oci.MaxDocument+1)}}, "at most 4194304 are read"},
		{"bad list", []entry{{name: "manifest.json", content: "{}"}}, "manifest.json: not a valid image"},
		{"empty list", []entry{{name: "manifest.json", content: "[]"}}, "it lists no image"},
		{"two images", []entry{saved(savedImage{RepoTags: []string{"a:1"}}, savedImage{RepoTags: []string{"b:1"}})}, "it has 2 images, a:1, b:1"},
		{"no config", []entry{saved(savedImage{Config: "c.json"})}, `config: the archive has no file "c.json"`},
		{"config above", []entry{saved(savedImage{Config: "../../etc/passwd"})}, `no file "../../etc/passwd"`},
		{"config of another digest", []entry{saved(savedImage{Config: strings.Repeat("0", 64) + ".json"}), {name: strings.Repeat("0", 64) + ".json", content: "{}"}}, "it has digest sha256:44136fa"},
		{"no layers", []entry{saved(savedImage{Config: "c.json"}), config}, "manifest.json has 0 layers, the config 1 diff IDs"},
		{"missing layer", []entry{saved(savedImage{Config: "c.json", Layers: []string{"l"}}), config}, `layer "l": the archive has no file`},
		{"xz layer", []entry{saved(savedImage{Config: "c.json", Layers: []string{"l"}}), config, {name: "l", content: "\xfd7zXZ\x00"}}, "compressed with xz"},
		{"layer of another diff ID", []entry{saved(savedImage{Config: "c.json", Layers: []string{"l"}}), config, {name: "l", content: "y"}}, "has digest sha256:a1fce4363854ff888cff4b8e7875d600c2682390412a8cf79b37d0b11148b0fa"},
		{"bad diff ID", []entry{saved(savedImage{Config: "c.json", Layers: []string{"l"}}), {name: "c.json", content: `{"rootfs":{"diff_ids":["x"]}}`}}, `diff ID "x"`},
	} {
		t.Run(e.name, func(t *testing.T) {
			wantError(t, readEverything(t, tarFile(t, e.entries...), oci.OpenOptions{}), e.want)
		})
	}
	whole, err := os.ReadFile(tarFile(t, mark, entry{name: "blobs/sha256/x", content: strings.Repeat("x", 2000)}))
	check(t, err)
	for name, content := range map[string]string{
		"truncated":  string(whole[:2000]),
		"not a tar":  strings.Repeat("x", 1024),
		"compressed": "\x1f\x8b\x08",
	} {
		file := filepath.Join(t.TempDir(), "a.tar")
		check(t, os.WriteFile(file, []byte(content), 0o644))
		err := readEverything(t, file, oci.OpenOptions{})
		if wantError(t, err, "not a valid image"); name == "compressed" && hintOf(err) != "unpack it first with gzip -d" {
			t.Errorf("hint %q", hintOf(err))
		}
	}
}

// Manifests that lie about their images.
func TestHostileManifest(t *testing.T) {
	t.Parallel()
	type descriptor struct {
		MediaType string        `json:"mediaType"`
		Digest    string        `json:"digest"`
		Size      int           `json:"size"`
		Platform  *oci.Platform `json:"platform,omitempty"`
	}
	const configType, manifestType = "application/vnd.oci.image.config.v1+json", "application/vnd.oci.image.manifest.v1+json"
	gzipped := string(compress(t, oci.MediaLayerGzip, []byte("tar")))
	for _, e := range []struct {
		name, config, configType, layerType, layer, platform string
		want                                                 string
	}{
		{"right", "", "", "", "", "", ""},
		{"not an image", "", "application/vnd.oci.empty.v1+json", "", "", "", "expected that of a container image"},
		{"bad config", "[]", "", "", "", "", "not a valid image"},
		{"bad date", `{"created":"yesterday"}`, "", "", "", "", "not a valid image"},
		{"platform of several lines", `{"os":"linux","architecture":"amd64\nno"}`, "", "", "", "", `not a valid image: platform "linux/amd64\nno"`},
		{"platform of another form", `{"os":"linux","architecture":"arm/v7"}`, "", "", "", "", `not a valid image: platform "linux/arm/v7"`},
		{"no diff ID", `{"os":"linux","architecture":"amd64"}`, "", "", "", "", "the manifest has 1 layers, the config 0 diff IDs"},
		{"record not base64", `{"dev.hardpan.record.v1":"!"}`, "", "", "", "", "not a valid image"},
		{"another platform", "", "", "", "", "arm64", "for linux/arm64, its config says linux/amd64"},
		{"unknown compression", "", "", "application/vnd.oci.image.layer.v1.tar+lzma", "", "", "media type"},
		{"not gzip", "", "", "", "neither gzip nor tar", "", "gzip: invalid header"},
		{"not zstd", "", "", oci.MediaLayerZstd, "tarry tar", "", "invalid input"},
		{"another tar", "", "", "", string(compress(t, oci.MediaLayerGzip, []byte("tat"))), "", "the config's diff ID is"},
		{"rest after the tar", "", "", "", gzipped + "and more that is not gzip", "", "gzip: invalid header"},
		{"truncated gzip", "", "", "", gzipped[:len(gzipped)-5], "", "unexpected EOF"},
	} {
		t.Run(e.name, func(t *testing.T) {
			or := func(s, otherwise string) string {
				if s == "" {
					return otherwise
				}
				return s
			}
			blobs := map[store.Digest]string{}
			point := func(media, content string, p *oci.Platform) descriptor {
				d := store.DigestOf([]byte(content))
				blobs[d] = content
				return descriptor{media, string(d), len(content), p}
			}
			manifest := mustJSON(t, map[string]any{"schemaVersion": 2, "mediaType": manifestType,
				"config": point(or(e.configType, configType), or(e.config, `{"os":"linux","architecture":"amd64","rootfs":{"diff_ids":["`+string(store.DigestOf([]byte("tar")))+`"]}}`), nil),
				"layers": []descriptor{point(or(e.layerType, oci.MediaLayerGzip), or(e.layer, gzipped), nil)}})
			index := mustJSON(t, map[string]any{"schemaVersion": 2, "manifests": []descriptor{
				point(manifestType, manifest, &oci.Platform{OS: "linux", Architecture: or(e.platform, "amd64")})}})
			top := mustJSON(t, map[string]any{"schemaVersion": 2, "manifests": []descriptor{point("application/vnd.oci.image.index.v1+json", index, nil)}})
			entries := []entry{{name: "oci-layout", content: `{"imageLayoutVersion":"1.0.0"}`}, {name: "index.json", content: top}}
			for d, b := range blobs {
				entries = append(entries, entry{name: "blobs/sha256/" + d.Hex(), content: b})
			}
			err := readEverything(t, tarFile(t, entries...), oci.OpenOptions{})
			if e.want == "" {
				check(t, err)
			} else {
				wantError(t, err, e.want)
			}
		})
	}
}

// A name that is neither a path nor names a registry is Docker Hub's: whoever mistyped a
// path is told so.
func TestOpenNamesWhomItAsked(t *testing.T) {
	t.Parallel()
	for ref, want := range map[string]string{
		"dist/pyton":                       "no file and no OCI layout is called dist/pyton, and so index.docker.io was asked",
		"registry.example.com/dist/python": "",
	} {
		_, err := oci.Open(t.Context(), ref, oci.OpenOptions{Transport: refusing{}})
		if err == nil || hintOf(err) != want {
			t.Errorf("%s: %v, hint %q", ref, err, hintOf(err))
		}
	}
}

// refusing is a network that has nobody.
type refusing struct{}

func (refusing) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("nobody is there")
}
