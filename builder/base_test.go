package builder

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/hardpan/hardpan/internal/lock"
	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/store"
	"github.com/hardpan/hardpan/specs"
)

// counted is a registry on loopback that counts what is fetched.
type counted struct {
	host string
	mu   sync.Mutex
	gets []string // paths
}

func newRegistry(t *testing.T) *counted {
	c := &counted{}
	inner := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			c.mu.Lock()
			c.gets = append(c.gets, r.URL.Path)
			c.mu.Unlock()
		}
		inner.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	c.host = strings.TrimPrefix(srv.URL, "http://")
	return c
}

// took returns how many requests there were since it was last asked.
func (c *counted) took() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := len(c.gets)
	c.gets = nil
	return n
}

// opened is a build of a spec before anything of it is built.
func (b *bench) opened(spec string) *build {
	b.Helper()
	base, err := specs.Load(filepath.Join(b.dir, spec))
	if err != nil {
		b.Fatal(err)
	}
	st, err := store.Open(filepath.Join(b.dir, "cache"))
	if err != nil {
		b.Fatal(err)
	}
	return &build{o: b.options(spec), base: base, spec: base, store: st}
}

// TestImagesOfASpec resolves the images that stages stand on, in a registry and on
// disk, and brings them in by what the lock then says.
func TestImagesOfASpec(t *testing.T) {
	b := newBench(t)
	reg := newRegistry(t)
	o := b.options("sample.yaml")
	o.Outputs = Outputs{Push: reg.host + "/team/base:1", Layout: filepath.Join(b.dir, "layout"), Archive: filepath.Join(b.dir, "base.tar")}
	o.CacheDir = filepath.Join(b.dir, "other-cache")
	base := b.build(o)
	o.Platforms, o.Outputs = []string{"linux/arm64"}, Outputs{Push: reg.host + "/team/arm:1"}
	arm := b.build(o)

	tag := reg.host + "/team/base:1"
	digest := reg.host + "/team/base@" + string(base.Digest)
	one := reg.host + "/team/arm@" + string(arm.Index.Images[0].Digest)
	b.write("stages.yaml", fmt.Sprintf(`platforms: [linux/arm64]
stages:
  - {name: a, from: %q}
  - {name: b, from: %q}
  - {name: c, from: "oci:layout"}
  - {name: d, from: "oci-archive:base.tar"}
  - {name: e, from: %q}
  - {name: f, from: a}
`, tag, digest, one))
	reg.took()
	x := b.opened("stages.yaml")
	images, err := x.resolveImages(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{tag: string(base.Digest), digest: string(base.Digest), one: string(arm.Index.Images[0].Digest),
		"oci:layout": string(base.Digest), "oci-archive:base.tar": string(base.Digest)}
	for _, img := range images {
		if img.Digest != want[img.Reference] || len(img.Platforms) != 1 || img.Platforms["linux/arm64"] != string(arm.Index.Images[0].Digest) {
			t.Errorf("%s is %+v", img.Reference, img)
		}
		delete(want, img.Reference)
	}
	if len(want) > 0 {
		t.Errorf("not resolved: %v", want)
	}
	request, err := x.request()
	if err != nil {
		t.Fatal(err)
	}
	x.lock = &lock.Lock{Request: request, Images: images, Platforms: map[string]lock.Platform{"linux/arm64": {}}}
	if err := x.lock.Fits(request); err != nil {
		t.Error(err)
	}

	var tree string
	for i, s := range x.spec.Stages[:5] {
		img, err := x.existing(t.Context(), s.From, x.spec.Platforms[0], "stages", i, "from")
		if err != nil {
			t.Fatal(err)
		}
		got := dumpTree(t, img)
		if tree == "" {
			tree = got
		}
		if got != tree || got == "" {
			t.Errorf("%s has another tree", s.From)
		}
	}
	reg.took()
	if _, err := x.existing(t.Context(), tag, x.spec.Platforms[0], "stages", 0, "from"); err != nil || reg.took() != 0 {
		t.Errorf("what is in the cache was asked for again, error %v", err)
	}
	// A stage of the building machine's platform, which the lock says nothing of.
	amd64 := specs.Platform{OS: "linux", Architecture: "amd64"}
	img, err := x.existing(t.Context(), tag, amd64, "stages", 0, "from")
	if err != nil || img.Digest != base.Index.Images[0].Digest {
		t.Errorf("for amd64: %v", err)
	}
	if _, err := x.existing(t.Context(), one, amd64, "stages", 4, "from"); err == nil || !errors.Is(err, oci.ErrPlatform) || !strings.Contains(err.Error(), "stages.yaml:11:") {
		t.Errorf("an image for arm64 alone: %v", err)
	}
}

// TestTagMoves: what a tag leads to now is of no interest to a build with a lock.
func TestTagMoves(t *testing.T) {
	b := newBench(t)
	reg := newRegistry(t)
	o := b.options("sample.yaml")
	o.Outputs = Outputs{Push: reg.host + "/base:1"}
	first := b.build(o)
	b.write("stages.yaml", fmt.Sprintf("stages: [{name: a, from: %q}]\n", reg.host+"/base:1"))
	x := b.opened("stages.yaml")
	images, err := x.resolveImages(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	x.lock = &lock.Lock{Images: images}
	b.write("other.yaml", "contents: {packages: [tool]}\n")
	o = b.options("other.yaml")
	o.Outputs = Outputs{Push: reg.host + "/base:1"}
	b.build(o)
	if err := os.RemoveAll(filepath.Join(b.dir, "cache")); err != nil {
		t.Fatal(err)
	}
	x = b.opened("stages.yaml")
	x.lock = &lock.Lock{Images: images}
	img, err := x.existing(t.Context(), x.spec.Stages[0].From, x.spec.Platforms[0], "stages", 0, "from")
	if err != nil || img.Digest != first.Index.Images[0].Digest {
		t.Fatalf("the tag was followed, error %v", err)
	}
}

// TestImagesRefused has references that lead nowhere, or anywhere.
func TestImagesRefused(t *testing.T) {
	b := newBench(t)
	reg := newRegistry(t)
	o := b.options("sample.yaml")
	o.Platforms, o.Outputs = []string{"linux/amd64"}, Outputs{Push: reg.host + "/base:1"}
	b.build(o)
	for _, test := range []struct {
		from, want string
		spec       bool // and it is the spec that is wrong
	}{
		{reg.host + "/base:1", "has no linux/arm64", true},
		{reg.host + "/base:2", "MANIFEST_UNKNOWN", false},
		{"oci:nowhere", "no such file or directory", true},
		{"oci:sample.yaml", "expected an OCI layout directory or an archive file", false},
	} {
		b.write("stages.yaml", fmt.Sprintf("stages: [{name: a, from: %q}]\n", test.from))
		x := b.opened("stages.yaml")
		_, err := x.resolveImages(t.Context())
		_, isSpec := errors.AsType[*specs.Error](err)
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "stages.yaml:5:") || isSpec != test.spec {
			t.Errorf("%s: %v", test.from, err)
		}
	}

	b.write("stages.yaml", fmt.Sprintf("stages: [{name: a, from: %q}]\n", reg.host+"/base:1"))
	x := b.opened("stages.yaml")
	_, err := x.readLock(t.Context())
	if !errors.Is(err, ErrNoLock) || !strings.Contains(err.Error(), `base:1" has no digest, and no lock pins it`) {
		t.Errorf("without a lock: %v", err)
	}
	if _, err := os.Stat(filepath.Join(b.dir, "stages.lock")); err == nil {
		t.Error("a lock was written all the same")
	}
}
