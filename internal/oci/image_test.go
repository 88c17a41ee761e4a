package oci_test

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/store"
)

// aLayer is a layer that exists in name only.
func aLayer() oci.Layer {
	return oci.Layer{
		Digest: store.DigestOf([]byte("blob")), DiffID: store.DigestOf([]byte("tar")), Size: 4, MediaType: oci.MediaLayerGzip,
		CreatedBy: "tzdata=2025b-4", Comment: "one <package> & its files",
		Open: func() (io.ReadCloser, error) { return nil, errors.New("not read here") },
	}
}

// The documents of a tiny image, byte for byte. A change here changes the digest of
// every image that is built.
func TestDocuments(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	c := oci.Config{
		Platform: oci.Platform{OS: "linux", Architecture: "arm", Variant: "v7"},
		Created:  time.Date(2025, 8, 9, 2, 0, 0, 999, time.FixedZone("", 7200)), Author: "Example",
		User: "1000", Env: []string{"PATH=/usr/bin:/bin", "A=1"}, Entrypoint: []string{"/bin/a", "-x"}, Cmd: []string{"--help"},
		WorkingDir: "/app", ExposedPorts: []string{"8000/tcp", "53/udp"}, Volumes: []string{"/data"},
		Labels: map[string]string{"b": "2", "a": "<1>"}, StopSignal: "SIGINT",
		Healthcheck: &oci.Healthcheck{Test: []string{"CMD", "/bin/a"}, Interval: 30 * time.Second, Timeout: time.Second, StartPeriod: 5 * time.Second, Retries: 3},
		Record:      []byte("opaque\x00bytes"),
	}
	img, err := oci.NewImage(st, c, []oci.Layer{aLayer()}, oci.Annotations{
		Created: c.Created, Title: "a", Version: "1", Description: "a < b", Authors: "x", URL: "https://example.com",
		Documentation: "https://example.com/doc", Source: "https://example.com/src", Revision: "abc", Vendor: "Example",
		Licenses: "MIT", RefName: "1", BaseName: "example.com/base:1", BaseDigest: store.DigestOf(nil),
		Other: map[string]string{"com.example.team": "platform", "org.opencontainers.image.vendor": "Other"},
	})
	check(t, err)
	x, err := oci.NewIndex(st, []*oci.Image{img}, oci.Annotations{Created: c.Created, Title: "a"})
	check(t, err)
	for _, e := range []struct{ name, got, want string }{
		{"config", string(img.RawConfig), `{"created":"2025-08-09T00:00:00Z","author":"Example","architecture":"arm","os":"linux","variant":"v7","config":{"User":"1000","ExposedPorts":{"53/udp":{},"8000/tcp":{}},"Env":["PATH=/usr/bin:/bin","A=1"],"Entrypoint":["/bin/a","-x"],"Cmd":["--help"],"Volumes":{"/data":{}},"WorkingDir":"/app","Labels":{"a":"<1>","b":"2"},"StopSignal":"SIGINT","Healthcheck":{"Test":["CMD","/bin/a"],"Interval":30000000000,"Timeout":1000000000,"StartPeriod":5000000000,"Retries":3}},"rootfs":{"type":"layers","diff_ids":["sha256:` + store.DigestOf([]byte("tar")).Hex() + `"]},"history":[{"created":"2025-08-09T00:00:00Z","created_by":"tzdata=2025b-4","comment":"one <package> & its files"}],"dev.hardpan.record.v1":"b3BhcXVlAGJ5dGVz"}`},
		{"manifest", string(img.Manifest), `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"` + string(store.DigestOf(img.RawConfig)) + `","size":738},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"` + string(store.DigestOf([]byte("blob"))) + `","size":4}],"annotations":{"com.example.team":"platform","org.opencontainers.image.authors":"x","org.opencontainers.image.base.digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","org.opencontainers.image.base.name":"example.com/base:1","org.opencontainers.image.created":"2025-08-09T00:00:00Z","org.opencontainers.image.description":"a < b","org.opencontainers.image.documentation":"https://example.com/doc","org.opencontainers.image.licenses":"MIT","org.opencontainers.image.ref.name":"1","org.opencontainers.image.revision":"abc","org.opencontainers.image.source":"https://example.com/src","org.opencontainers.image.title":"a","org.opencontainers.image.url":"https://example.com","org.opencontainers.image.vendor":"Other","org.opencontainers.image.version":"1"}}`},
		{"index", string(x.Manifest), `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"` + string(store.DigestOf(img.Manifest)) + `","size":1182,"platform":{"architecture":"arm","os":"linux","variant":"v7"}}],"annotations":{"org.opencontainers.image.created":"2025-08-09T00:00:00Z","org.opencontainers.image.title":"a"}}`},
	} {
		if e.got != e.want {
			t.Errorf("%s:\n got %s\nwant %s", e.name, e.got, e.want)
		}
	}
	c.Created = time.Date(2025, 8, 9, 0, 0, 0, 0, time.UTC)
	c.ExposedPorts = []string{"53/udp", "8000/tcp"}
	c.History = []oci.History{{Created: c.Created, CreatedBy: "tzdata=2025b-4", Comment: "one <package> & its files"}}
	if !reflect.DeepEqual(img.Config, c) {
		t.Errorf("config\n got %+v\nwant %+v", img.Config, c)
	}
}

// An image on another has that one's layers and history below its own.
func TestHistory(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	docker := aLayer()
	docker.MediaType = "application/vnd.docker.image.rootfs.diff.tar.gzip"
	first := time.Date(2020, 1, 2, 3, 4, 5, 6, time.UTC)
	made := []oci.History{{Created: first, CreatedBy: "ADD file", Author: "a"}, {CreatedBy: "ENV A=1", Comment: "c", Empty: true}}
	for _, test := range []struct {
		base *oci.Image
		want string
	}{
		{&oci.Image{Layers: []oci.Layer{docker}, Config: oci.Config{History: made}},
			`[{"created":"2020-01-02T03:04:05Z","created_by":"ADD file","author":"a"},{"created_by":"ENV A=1","comment":"c","empty_layer":true},{"created":"2025-01-01T00:00:00Z","created_by":"ours"}]`},
		{&oci.Image{Layers: []oci.Layer{docker, docker}, Config: oci.Config{History: made}},
			`[{"comment":"layer of a base image that says nothing of how it was made"},{"comment":"layer of a base image that says nothing of how it was made"},{"created":"2025-01-01T00:00:00Z","created_by":"ours"}]`},
	} {
		layers, history := oci.BaseLayers(test.base)
		own := aLayer()
		own.CreatedBy, own.Comment = "ours", ""
		img, err := oci.NewImage(st, oci.Config{Platform: linuxAMD64, Created: time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC), History: history}, append(layers, own), oci.Annotations{})
		check(t, err)
		if !strings.Contains(string(img.RawConfig), `"history":`+test.want+"}") || strings.Contains(string(img.Manifest), "docker") {
			t.Errorf("config %s\nwant %s\nmanifest %s", img.RawConfig, test.want, img.Manifest)
		}
		if docker.MediaType == layers[0].MediaType || test.base.Layers[0].MediaType != docker.MediaType {
			t.Error("the base image was changed")
		}
	}
	if _, err := oci.NewImage(st, oci.Config{Platform: linuxAMD64, History: made}, nil, oci.Annotations{}); err == nil || !strings.Contains(err.Error(), "the history is of 1 layers, the image has 0") {
		t.Errorf("a history of more layers: %v", err)
	}
}

// An image that says nothing of itself still is one that runtimes accept.
func TestEmptyImage(t *testing.T) {
	t.Parallel()
	img, err := oci.NewImage(openStore(t), oci.Config{Platform: linuxAMD64}, nil, oci.Annotations{})
	check(t, err)
	if got, want := string(img.RawConfig), `{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":[]}}`; got != want {
		t.Errorf("config\n got %s\nwant %s", got, want)
	}
	if got, want := string(img.Manifest), `"layers":[]}`; !strings.HasSuffix(got, want) {
		t.Errorf("manifest %s, want it to end in %s", got, want)
	}
}

func TestNewImageRefuses(t *testing.T) {
	t.Parallel()
	base := func() oci.Config { return oci.Config{Platform: linuxAMD64} }
	for _, e := range []struct {
		name   string
		config func(*oci.Config)
		layer  func(*oci.Layer)
		want   string
	}{
		{"no platform", func(c *oci.Config) { c.Platform = oci.Platform{} }, nil, "the os is empty"},
		{"odd platform", func(c *oci.Config) { c.Platform.Architecture = "amd/64" }, nil, "the architecture has a character outside"},
		{"env without =", func(c *oci.Config) { c.Env = []string{"PATH"} }, nil, `environment "PATH": expected NAME=value`},
		{"env twice", func(c *oci.Config) { c.Env = []string{"A=1", "A=2"} }, nil, "A is set twice"},
		{"port 0", func(c *oci.Config) { c.ExposedPorts = []string{"0/tcp"} }, nil, `port "0/tcp"`},
		{"port range", func(c *oci.Config) { c.ExposedPorts = []string{"70000"} }, nil, `port "70000"`},
		{"port protocol", func(c *oci.Config) { c.ExposedPorts = []string{"1/icmp"} }, nil, `port "1/icmp"`},
		{"volume", func(c *oci.Config) { c.Volumes = []string{"data"} }, nil, `path "data": expected an absolute path`},
		{"work-dir", func(c *oci.Config) { c.WorkingDir = "app" }, nil, `path "app"`},
		{"healthcheck", func(c *oci.Config) { c.Healthcheck = &oci.Healthcheck{Test: []string{"/bin/a"}} }, nil, "expected CMD, CMD-SHELL or NONE first"},
		{"healthcheck interval", func(c *oci.Config) {
			c.Healthcheck = &oci.Healthcheck{Test: []string{"NONE"}, Interval: -1}
		}, nil, "negative"},
		{"record", func(c *oci.Config) { c.Record = make([]byte, oci.MaxDocument*3/4) }, nil, "at most 4194304 are allowed"},
		{"layer digest", nil, func(l *oci.Layer) { l.Digest = "sha256:1" }, `layer 0: digest "sha256:1"`},
		{"layer diff ID", nil, func(l *oci.Layer) { l.DiffID = "" }, `layer 0: diff ID ""`},
		{"layer media type", nil, func(l *oci.Layer) { l.MediaType = "application/zip" }, `media type "application/zip"`},
		{"layer content", nil, func(l *oci.Layer) { l.Open = nil }, "has no content"},
	} {
		t.Run(e.name, func(t *testing.T) {
			c, l := base(), aLayer()
			if e.config != nil {
				e.config(&c)
			}
			if e.layer != nil {
				e.layer(&l)
			}
			_, err := oci.NewImage(openStore(t), c, []oci.Layer{l}, oci.Annotations{})
			wantError(t, err, "cannot make an image", e.want)
		})
	}
}

// The order in which platforms are given does not matter, and each occurs once.
func TestIndexOrder(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	arm := oci.Platform{OS: "linux", Architecture: "arm", Variant: "v7"}
	a, b := buildIndex(t, st, linuxAMD64, arm, linuxARM64), buildIndex(t, st, linuxARM64, linuxAMD64, arm)
	if a.Digest != b.Digest {
		t.Errorf("another order gave another index: %s and %s", a.Digest, b.Digest)
	}
	img := buildImage(t, st, linuxAMD64)
	_, err := oci.NewIndex(st, []*oci.Image{img, img}, oci.Annotations{})
	wantError(t, err, "linux/amd64 occurs twice")
	_, err = oci.NewIndex(st, nil, oci.Annotations{})
	wantError(t, err, "it has no image")
	_, err = a.Image(oci.Platform{OS: "linux", Architecture: "s390x"})
	wantError(t, err, "the image has no linux/s390x, it has linux/amd64, linux/arm/v7, linux/arm64")
	if !errors.Is(err, oci.ErrPlatform) {
		t.Errorf("error %v is not ErrPlatform", err)
	}
	if img, err := a.Image(oci.Platform{OS: "linux", Architecture: "arm64", Variant: "v8"}); err != nil || img.Platform != linuxARM64 {
		t.Errorf("arm64/v8 is arm64: %v", err)
	}
}

// A warm build opens what the store has, given the digest alone.
func TestOpenStored(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	want := buildIndex(t, st, linuxAMD64, linuxARM64)
	got, err := oci.OpenStored(t.Context(), st, want.Digest)
	check(t, err)
	compareIndexes(t, got, want)

	for d := range blobsOf(t, want) {
		st := openStore(t)
		x := buildIndex(t, st, linuxAMD64, linuxARM64)
		path := filepath.Join(st.Dir(), "blobs", "sha256", d.Hex()[:2], d.Hex())
		content, err := os.ReadFile(path)
		check(t, err)
		check(t, os.Remove(path))
		_, err = oci.OpenStored(t.Context(), st, x.Digest)
		if wantError(t, err, d.Hex()); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("missing %s: error %v is not fs.ErrNotExist", d, err)
		}
		content[len(content)/2] ^= 1
		check(t, os.WriteFile(path, content, 0o600))
		stored, err := oci.OpenStored(t.Context(), st, x.Digest)
		if err == nil { // then it is a layer, and found when it is read
			err = oci.WriteArchive(t.Context(), filepath.Join(t.TempDir(), "a.tar"), stored, oci.LayoutOptions{})
		}
		if wantError(t, err, d.Hex()); !errors.Is(err, store.ErrCorrupt) {
			t.Errorf("corrupt %s: error %v is not store.ErrCorrupt", d, err)
		}
	}
	for _, d := range []store.Digest{"", "sha256:1", want.Images[0].ConfigDigest, want.Images[0].Digest} {
		if _, err := oci.OpenStored(t.Context(), st, d); err == nil {
			t.Errorf("%q was opened as an index", d)
		}
	}
}

// Making the same image again writes nothing.
func TestStoredOnce(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	x := buildIndex(t, st, linuxAMD64)
	path := filepath.Join(st.Dir(), "blobs", "sha256", x.Digest.Hex()[:2], x.Digest.Hex())
	before, err := os.Stat(path)
	check(t, err)
	buildIndex(t, st, linuxAMD64)
	after, err := os.Stat(path)
	check(t, err)
	if !os.SameFile(before, after) {
		t.Error("the index was written again")
	}
}

func TestPlatforms(t *testing.T) {
	t.Parallel()
	for _, e := range []struct{ in, want, err string }{
		{"linux/amd64", "linux/amd64", ""},
		{"linux/arm/v7", "linux/arm/v7", ""},
		{"linux", "", "expected os/architecture"},
		{"linux/arm/v7/x", "", "expected os/architecture"},
		{"/amd64", "", "the os is empty"},
		{"linux/arm/", "", "the variant is empty"},
		{"Linux/amd64", "", "a character outside"},
	} {
		p, err := oci.ParsePlatform(e.in)
		if e.err != "" {
			wantError(t, err, e.err)
		} else if err != nil || p.String() != e.want {
			t.Errorf("%q: %s, %v; want %s", e.in, p, err, e.want)
		}
	}
}

// Any JSON reader that does not know the record still reads the config.
func TestRecordIsIgnorable(t *testing.T) {
	t.Parallel()
	img := buildImage(t, openStore(t), linuxAMD64)
	var doc map[string]json.RawMessage
	check(t, json.Unmarshal(img.RawConfig, &doc))
	var record []byte
	check(t, json.Unmarshal(doc["dev.hardpan.record.v1"], &record))
	if string(record) != "record of linux/amd64" {
		t.Errorf("record %q", record)
	}
}
