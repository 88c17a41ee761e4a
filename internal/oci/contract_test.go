package oci_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/store"
)

// An output is one way to write an image and to read it back.
type output struct {
	// write writes x and returns the reference that [oci.Open] takes.
	write func(t testing.TB, x *oci.Index) (string, error)
	// damage replaces the blob that ref's output has under digest.
	damage func(t testing.TB, ref string, d store.Digest, content []byte)
	// foreign reads the output with go-containerregistry's own readers.
	foreign func(t testing.TB, ref string) (v1.ImageIndex, v1.Image)
	// single is set where the output has one platform.
	single bool
	// left returns what there is under the output's final name.
	left func(t testing.TB, ref string) bool
}

// outputs returns every output by name, each new.
func outputs(t testing.TB) map[string]output {
	dir := t.TempDir()
	exists := func(_ testing.TB, ref string) bool { _, err := os.Lstat(ref); return err == nil }
	srv := serve(t)
	return map[string]output{
		"layout": {
			write: func(t testing.TB, x *oci.Index) (string, error) {
				ref := filepath.Join(dir, "layout")
				return ref, oci.WriteLayout(t.Context(), ref, x, oci.LayoutOptions{RefName: "3.13"})
			},
			damage: func(t testing.TB, ref string, d store.Digest, content []byte) {
				check(t, os.WriteFile(filepath.Join(ref, "blobs/sha256", d.Hex()), content, 0o644))
			},
			foreign: func(t testing.TB, ref string) (v1.ImageIndex, v1.Image) { return onlyIndex(t, ref), nil },
			left:    exists,
		},
		"archive": {
			write: func(t testing.TB, x *oci.Index) (string, error) {
				ref := filepath.Join(dir, "archive.tar")
				return ref, oci.WriteArchive(t.Context(), ref, x, oci.LayoutOptions{RefName: "3.13"})
			},
			damage: func(t testing.TB, ref string, d store.Digest, content []byte) {
				rewriteTar(t, ref, func(name string) bool { return strings.Contains(name, d.Hex()) }, content)
			},
			foreign: func(t testing.TB, ref string) (v1.ImageIndex, v1.Image) {
				return onlyIndex(t, unpackTar(t, ref)), nil
			},
			left: exists,
		},
		"docker archive": {
			write: func(t testing.TB, x *oci.Index) (string, error) {
				ref := filepath.Join(dir, "docker.tar")
				return ref, oci.WriteDockerArchive(t.Context(), ref, x, oci.DockerArchiveOptions{Tags: []string{"example/python:3.13"}, Platform: x.Images[0].Platform})
			},
			damage: func(t testing.TB, ref string, d store.Digest, content []byte) {
				rewriteTar(t, ref, func(name string) bool { return strings.Contains(name, d.Hex()) }, content)
			},
			foreign: func(t testing.TB, ref string) (v1.ImageIndex, v1.Image) {
				tag, err := name.NewTag("example/python:3.13")
				check(t, err)
				img, err := tarball.ImageFromPath(ref, &tag)
				check(t, err)
				return nil, img
			},
			single: true,
			left:   exists,
		},
		"registry": {
			write: func(t testing.TB, x *oci.Index) (string, error) {
				return oci.Push(t.Context(), srv.host+"/example/python:3.13", x, oci.PushOptions{RetryDelay: 1})
			},
			damage: func(t testing.TB, _ string, d store.Digest, content []byte) { srv.damage(d, content) },
			foreign: func(t testing.TB, ref string) (v1.ImageIndex, v1.Image) {
				r, err := name.ParseReference(ref)
				check(t, err)
				x, err := remote.Index(r)
				check(t, err)
				return x, nil
			},
			left: func(t testing.TB, _ string) bool { return srv.tag("example/python", "3.13") != "" },
		},
	}
}

// What was written reads back equal, here and in go-containerregistry.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	for name, out := range outputs(t) {
		t.Run(name, func(t *testing.T) {
			x := buildIndex(t, openStore(t), linuxAMD64, linuxARM64)
			ref, err := out.write(t, x)
			check(t, err)
			s, err := oci.Open(t.Context(), ref, oci.OpenOptions{})
			check(t, err)
			defer s.Close()
			if out.single {
				compareLayers(t, s.Images[0], x.Images[0])
			} else {
				compareIndexes(t, s.Index, x)
				if s.Digest != x.Digest {
					t.Errorf("digest %s, want %s", s.Digest, x.Digest)
				}
			}
		})
	}
}

// What was written is valid to go-containerregistry, whose validation knows gzip
// layers only.
func TestForeignReaders(t *testing.T) {
	t.Parallel()
	for name, out := range outputs(t) {
		t.Run(name, func(t *testing.T) {
			st := openStore(t)
			var images []*oci.Image
			for _, p := range []oci.Platform{linuxAMD64, linuxARM64} {
				images = append(images, buildImageOf(t, st, p, oci.MediaLayerGzip, oci.MediaLayerGzip, oci.MediaLayerGzip))
			}
			x, err := oci.NewIndex(st, images, annotations())
			check(t, err)
			ref, err := out.write(t, x)
			check(t, err)
			s, err := oci.Open(t.Context(), ref, oci.OpenOptions{})
			check(t, err)
			defer s.Close()
			index, img := out.foreign(t, ref)
			if index != nil {
				check(t, validate.Index(index))
				check(t, validate.Index(s.Index.V1()))
				got, err := index.Digest()
				check(t, err)
				if got.String() != string(x.Digest) {
					t.Errorf("go-containerregistry reads %s, want %s", got, x.Digest)
				}
			} else {
				check(t, validate.Image(img))
				config, err := img.RawConfigFile()
				check(t, err)
				if !bytes.Equal(config, x.Images[0].RawConfig) {
					t.Errorf("go-containerregistry reads config %s", config)
				}
			}
			own, err := s.Images[0].V1()
			check(t, err)
			check(t, validate.Image(own))
		})
	}
}

// One platform is read without the other's blobs being touched.
func TestOpenOnePlatform(t *testing.T) {
	t.Parallel()
	for name, out := range outputs(t) {
		if out.single {
			continue
		}
		t.Run(name, func(t *testing.T) {
			x := buildIndex(t, openStore(t), linuxAMD64, linuxARM64)
			ref, err := out.write(t, x)
			check(t, err)
			out.damage(t, ref, x.Images[0].Digest, []byte("damaged"))
			s, err := oci.Open(t.Context(), ref, oci.OpenOptions{Platform: linuxARM64})
			check(t, err)
			defer s.Close()
			img, err := s.Image(oci.Platform{})
			check(t, err)
			compareLayers(t, img, x.Images[1])
			err = oci.WriteArchive(t.Context(), filepath.Join(t.TempDir(), "a.tar"), s.Index, oci.LayoutOptions{})
			wantError(t, err, "1 of its manifests were not read")
			_, err = oci.Open(t.Context(), ref, oci.OpenOptions{Platform: oci.Platform{OS: "linux", Architecture: "s390x"}})
			if wantError(t, err, "the image has no linux/s390x"); !errors.Is(err, oci.ErrPlatform) {
				t.Errorf("error %v is not ErrPlatform", err)
			}
		})
	}
}

// Whatever blob is damaged, and however, reading says which.
func TestDamagedBlobs(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	x := buildIndex(t, st, linuxAMD64, linuxARM64)
	damages := map[string]func([]byte) []byte{
		"flipped": func(b []byte) []byte { b = bytes.Clone(b); b[len(b)/2] ^= 1; return b },
		"short":   func(b []byte) []byte { return b[:len(b)-1] },
		"long":    func(b []byte) []byte { return append(bytes.Clone(b), 0) },
		"empty":   func(b []byte) []byte { return nil },
	}
	for name := range outputs(t) {
		t.Run(name, func(t *testing.T) {
			for d, content := range blobsOf(t, x) {
				out := outputs(t)[name]
				first := x.Images[0]
				if out.single && d != first.ConfigDigest && !slices.ContainsFunc(first.Layers, func(l oci.Layer) bool { return l.Digest == d }) {
					continue
				}
				ref, err := out.write(t, x)
				check(t, err)
				check(t, readEverything(t, ref, oci.OpenOptions{}))
				for how, damage := range damages {
					out.damage(t, ref, d, damage(content))
					if err := readEverything(t, ref, oci.OpenOptions{}); err == nil {
						t.Errorf("%s %s was read without an error", how, d)
					} else {
						wantError(t, err, d.Hex())
						if name == "registry" && !errors.Is(err, oci.ErrMismatch) {
							t.Errorf("%s %s: %v, which is not ErrMismatch", how, d, err)
						}
					}
				}
			}
		})
	}
}

// A blob that is damaged in the cache is named, and nothing appears under the
// output's name.
func TestDamagedCache(t *testing.T) {
	t.Parallel()
	for name := range outputs(t) {
		t.Run(name, func(t *testing.T) {
			for i := range 3 {
				out := outputs(t)[name]
				st := openStore(t)
				x := buildIndex(t, st, linuxAMD64)
				d := x.Images[0].Layers[i].Digest
				path := filepath.Join(st.Dir(), "blobs", "sha256", d.Hex()[:2], d.Hex())
				content, err := os.ReadFile(path)
				check(t, err)
				content[0] ^= 1
				check(t, os.WriteFile(path, content, 0o600))
				ref, err := out.write(t, x)
				wantError(t, err, d.Hex())
				if !errors.Is(err, store.ErrCorrupt) && name != "registry" {
					t.Errorf("error %v is not store.ErrCorrupt", err)
				}
				if out.left(t, ref) {
					t.Errorf("%s is there", ref)
				}
				if left := names(t, filepath.Dir(ref)); name != "registry" && left != "" {
					t.Errorf("left behind: %s", left)
				}
			}
		})
	}
}

// The bytes of an output do not depend on where or when it is written.
func TestReproducible(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"archive", "docker archive"} {
		var digests []store.Digest
		for range 2 {
			ref, err := outputs(t)[name].write(t, buildIndex(t, openStore(t), linuxARM64, linuxAMD64))
			check(t, err)
			b, err := os.ReadFile(ref)
			check(t, err)
			digests = append(digests, store.DigestOf(b))
		}
		if digests[0] != digests[1] {
			t.Errorf("%s: two writes gave %s and %s", name, digests[0], digests[1])
		}
	}
}

func compareIndexes(t testing.TB, got, want *oci.Index) {
	t.Helper()
	if got == nil {
		t.Error("no index was read")
		return
	}
	if got.Digest != want.Digest || !bytes.Equal(got.Manifest, want.Manifest) || got.MediaType != want.MediaType {
		t.Errorf("index\n got %s %s\nwant %s %s", got.Digest, got.Manifest, want.Digest, want.Manifest)
	}
	if len(got.Images) != len(want.Images) {
		t.Fatalf("%d images, want %d", len(got.Images), len(want.Images))
	}
	for i := range got.Images {
		if got, want := describe(t, got.Images[i]), describe(t, want.Images[i]); got != want {
			t.Errorf("image %d\n got %s\nwant %s", i, got, want)
		}
	}
}

// compareLayers compares what an output has that keeps no manifest.
func compareLayers(t testing.TB, got, want *oci.Image) {
	t.Helper()
	if !bytes.Equal(got.RawConfig, want.RawConfig) || got.Platform != want.Platform || len(got.Layers) != len(want.Layers) {
		t.Fatalf("%s with %d layers and config %s, want %s", got.Platform, len(got.Layers), got.RawConfig, want.RawConfig)
	}
	for i, l := range got.Layers {
		w := want.Layers[i]
		if l.Digest != w.Digest || l.DiffID != w.DiffID || l.Size != w.Size || l.MediaType != w.MediaType || l.CreatedBy != w.CreatedBy {
			t.Errorf("layer %d: %+v, want %+v", i, l, w)
		}
		if !bytes.Equal(readAll(t, l.Uncompressed), readAll(t, w.Uncompressed)) {
			t.Errorf("layer %d has another tar", i)
		}
	}
}

// onlyIndex reads the one index of a layout with go-containerregistry.
func onlyIndex(t testing.TB, dir string) v1.ImageIndex {
	t.Helper()
	top, err := layout.ImageIndexFromPath(dir)
	check(t, err)
	m, err := top.IndexManifest()
	check(t, err)
	if len(m.Manifests) != 1 || m.Manifests[0].Annotations["org.opencontainers.image.ref.name"] != "3.13" {
		t.Fatalf("index.json lists %+v, want one with the tag 3.13", m.Manifests)
	}
	x, err := top.ImageIndex(m.Manifests[0].Digest)
	check(t, err)
	return x
}

// rewriteTar replaces the content of the entries that match.
func rewriteTar(t testing.TB, file string, match func(string) bool, content []byte) {
	t.Helper()
	b, err := os.ReadFile(file)
	check(t, err)
	var out bytes.Buffer
	r, w := tar.NewReader(bytes.NewReader(b)), tar.NewWriter(&out)
	for {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		check(t, err)
		old, err := io.ReadAll(r)
		check(t, err)
		if match(h.Name) {
			old = content
			h.Size = int64(len(content))
		}
		check(t, w.WriteHeader(h))
		_, err = w.Write(old)
		check(t, err)
	}
	check(t, w.Close())
	check(t, os.WriteFile(file, out.Bytes(), 0o644))
}

func unpackTar(t testing.TB, file string) string {
	t.Helper()
	dir := t.TempDir()
	f, err := os.Open(file)
	check(t, err)
	defer f.Close()
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		if err == io.EOF {
			return dir
		}
		check(t, err)
		if h.Typeflag == tar.TypeDir {
			check(t, os.MkdirAll(filepath.Join(dir, h.Name), 0o755))
			continue
		}
		b, err := io.ReadAll(r)
		check(t, err)
		check(t, os.WriteFile(filepath.Join(dir, h.Name), b, 0o644))
	}
}

// A server is a registry on loopback that can be made to misbehave.
type server struct {
	host  string
	inner http.Handler

	mu       sync.Mutex
	damaged  map[store.Digest][]byte
	requests []string // "METHOD path"
	queries  []string
	fail     func(n int, r *http.Request) int // status to answer request n with, or 0
}

func serve(t testing.TB) *server {
	s := &server{damaged: map[store.Digest][]byte{}}
	s.inner = registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.requests = append(s.requests, r.Method+" "+r.URL.Path)
		s.queries = append(s.queries, r.URL.RawQuery)
		var status int
		if s.fail != nil {
			status = s.fail(len(s.requests), r)
		}
		content, damaged := s.damaged[store.Digest(r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:])]
		s.mu.Unlock()
		switch {
		case status != 0:
			if status == http.StatusUnauthorized {
				w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			}
			w.WriteHeader(status)
		case damaged && r.Method == http.MethodGet:
			if strings.Contains(r.URL.Path, "/manifests/") {
				w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
			}
			w.Write(content)
		default:
			s.inner.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(srv.Close)
	s.host = strings.TrimPrefix(srv.URL, "http://")
	return s
}

func (s *server) damage(d store.Digest, content []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.damaged[d] = content
}

// misbehave makes the server answer some requests, counted from 1 on, with an error.
func (s *server) misbehave(fail func(n int, r *http.Request) int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail, s.requests = fail, nil
}

// tag returns the digest that a tag has, or "", past all misbehaviour.
func (s *server) tag(repo, tag string) string {
	w := httptest.NewRecorder()
	s.inner.ServeHTTP(w, httptest.NewRequest(http.MethodHead, "/v2/"+repo+"/manifests/"+tag, nil))
	return w.Header().Get("Docker-Content-Digest")
}
