package oci_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/store"
)

// TestImport brings an image in from each kind of place, and again with nothing left
// to fetch.
func TestImport(t *testing.T) {
	t.Parallel()
	from := openStore(t)
	x := buildIndex(t, from, linuxAMD64, linuxARM64)
	for kind, out := range outputs(t) {
		if out.single { // a docker archive has no manifest
			continue
		}
		ref, err := out.write(t, x)
		check(t, err)
		st := openStore(t)
		var fetched []string
		var mu sync.Mutex
		o := oci.ImportOptions{Start: func(name string, size int64) (func(int64), func(error)) {
			return func(n int64) { size -= n }, func(err error) {
				mu.Lock()
				defer mu.Unlock()
				fetched = append(fetched, name)
				if size != 0 || err != nil {
					t.Errorf("%s: %s: %d bytes left, error %v", kind, name, size, err)
				}
			}
		}}
		src, err := oci.Open(t.Context(), ref, oci.OpenOptions{Platform: linuxARM64})
		check(t, err)
		img, err := oci.Import(t.Context(), st, src, linuxARM64, o)
		check(t, err)
		check(t, src.Close())
		compareLayers(t, img, x.Images[1])
		if img.Digest != x.Images[1].Digest || len(fetched) != 3 {
			t.Errorf("%s: have %s with %q", kind, img.Digest, fetched)
		}
		again, err := oci.OpenStoredImage(t.Context(), st, img.Digest)
		check(t, err)
		compareLayers(t, again, img)
		src, err = oci.Open(t.Context(), ref, oci.OpenOptions{Platform: linuxAMD64})
		check(t, err)
		_, err = oci.Import(t.Context(), st, src, oci.Platform{}, o)
		check(t, err)
		check(t, src.Close())
		if len(fetched) != 5 { // the lowest layer is the same
			t.Errorf("%s: fetched %q, want the two layers that differ", kind, fetched)
		}
	}
}

// TestImportSideBySide: of imports that run side by side one fetches a layer, and the
// others wait for it.
func TestImportSideBySide(t *testing.T) {
	t.Parallel()
	x := buildIndex(t, openStore(t), linuxAMD64)
	s := serve(t)
	ref := s.host + "/base:1"
	_, err := oci.Push(t.Context(), ref, x, oci.PushOptions{})
	check(t, err)
	s.misbehave(nil)
	st := openStore(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			src, err := oci.Open(t.Context(), ref, oci.OpenOptions{})
			if err == nil {
				_, err = oci.Import(t.Context(), st, src, linuxAMD64, oci.ImportOptions{})
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	asked := map[string]int{}
	for _, r := range s.requests {
		asked[r]++
	}
	for _, l := range x.Images[0].Layers {
		if n := asked["GET /v2/base/blobs/"+string(l.Digest)]; n != 1 {
			t.Errorf("layer %s was fetched %d times", l.Digest, n)
		}
	}
}

// dockerImage is an image as Docker pushes it, schema 2, in a registry.
func dockerImage(t testing.TB, ref string, layers map[types.MediaType][]byte) v1.Hash {
	t.Helper()
	img := mutate.MediaType(mutate.ConfigMediaType(empty.Image, types.DockerConfigJSON), types.DockerManifestSchema2)
	file, err := img.ConfigFile()
	check(t, err)
	file = file.DeepCopy()
	file.OS, file.Architecture = "linux", "amd64"
	img, err = mutate.ConfigFile(img, file)
	check(t, err)
	for _, media := range slices.Sorted(mapKeys(layers)) {
		img, err = mutate.AppendLayers(img, foreignLayer{static.NewLayer(layers[media], media), layers[media]})
		check(t, err)
	}
	tag, err := name.NewTag(ref)
	check(t, err)
	check(t, remote.Write(tag, img))
	digest, err := img.Digest()
	check(t, err)
	return digest
}

func mapKeys(m map[types.MediaType][]byte) func(func(types.MediaType) bool) {
	return func(yield func(types.MediaType) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// foreignLayer is a static layer with the diff ID of its tar.
type foreignLayer struct {
	v1.Layer
	blob []byte
}

func (l foreignLayer) DiffID() (v1.Hash, error) {
	media, err := l.MediaType()
	if err != nil {
		return v1.Hash{}, err
	}
	of := map[types.MediaType]string{types.DockerLayer: oci.MediaLayerGzip, dockerZstd: oci.MediaLayerZstd}[media]
	if of == "" {
		of = oci.MediaLayer
	}
	blob := l.blob
	plain := oci.Layer{Digest: store.DigestOf(blob), MediaType: of, Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(blob)), nil }}
	r, err := plain.Uncompressed()
	if err != nil {
		return v1.Hash{}, err
	}
	content, _ := io.ReadAll(r) // which ends with the error about the diff ID
	return v1.NewHash(string(store.DigestOf(content)))
}

const dockerZstd = types.MediaType("application/vnd.docker.image.rootfs.diff.tar.zstd")

// TestImportDocker has the media types of Docker.
func TestImportDocker(t *testing.T) {
	t.Parallel()
	s := serve(t)
	ref := s.host + "/docker:1"
	digest := dockerImage(t, ref, map[types.MediaType][]byte{
		types.DockerLayer:             compress(t, oci.MediaLayerGzip, tarOf(t, "gzip=1")),
		types.DockerUncompressedLayer: tarOf(t, "plain=1"),
		dockerZstd:                    compress(t, oci.MediaLayerZstd, tarOf(t, "zstd=1")),
	})
	src, err := oci.Open(t.Context(), ref+"@"+digest.String(), oci.OpenOptions{})
	check(t, err)
	st := openStore(t)
	img, err := oci.Import(t.Context(), st, src, linuxAMD64, oci.ImportOptions{})
	check(t, err)
	var names []string
	for _, l := range img.Layers {
		r, err := l.Uncompressed()
		check(t, err)
		content, err := io.ReadAll(r)
		check(t, err)
		check(t, r.Close())
		names = append(names, strings.TrimRight(string(content[:5]), "\x00"))
	}
	slices.Sort(names)
	if got := strings.Join(names, " "); got != "gzip plain zstd" {
		t.Errorf("layers hold %q", got)
	}
	if string(img.Digest) != digest.String() {
		t.Errorf("digest is %s, want %s", img.Digest, digest)
	}
	_, err = oci.OpenStoredImage(t.Context(), st, img.Digest)
	check(t, err)
}

// TestImportRefuses has what must not get into the cache.
func TestImportRefuses(t *testing.T) {
	t.Parallel()
	x := buildIndex(t, openStore(t), linuxAMD64)
	img := x.Images[0]
	s := serve(t)
	ref := s.host + "/base:1"
	_, err := oci.Push(t.Context(), ref, x, oci.PushOptions{})
	check(t, err)
	try := func(st *store.Store, ref string, p oci.Platform) error {
		src, err := oci.Open(t.Context(), ref, oci.OpenOptions{})
		check(t, err)
		_, err = oci.Import(t.Context(), st, src, p, oci.ImportOptions{})
		return err
	}
	st := openStore(t)
	if err := try(st, ref, linuxARM64); !errors.Is(err, oci.ErrPlatform) {
		t.Errorf("another platform: %v", err)
	}
	layer := img.Layers[1].Digest
	blob := readAll(t, img.Layers[1].Open)
	for what, content := range map[string][]byte{"altered": append([]byte{blob[0] ^ 1}, blob[1:]...), "cut": blob[:len(blob)-1], "longer": append(slices.Clone(blob), 0)} {
		s.damage(layer, content)
		if err := try(st, ref, linuxAMD64); err == nil || !strings.Contains(err.Error(), string(layer)) {
			t.Errorf("%s layer: %v", what, err)
		}
		if _, ok := st.Stat(layer); ok {
			t.Errorf("an %s layer is in the cache", what)
		}
		if _, err := oci.OpenStoredImage(t.Context(), st, img.Digest); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s layer: the image is taken for complete: %v", what, err)
		}
	}
	s.damage(layer, blob)
	s.misbehave(func(n int, r *http.Request) int {
		if strings.HasSuffix(r.URL.Path, layer.Hex()) {
			return http.StatusForbidden
		}
		return 0
	})
	if err := try(st, ref, linuxAMD64); err == nil || !strings.Contains(err.Error(), string(layer)) {
		t.Errorf("forbidden: %v", err)
	}
	s.misbehave(nil)
	check(t, try(st, ref, linuxAMD64))

	encrypted := s.host + "/encrypted:1"
	dockerImage(t, encrypted, map[types.MediaType][]byte{"application/vnd.oci.image.layer.v1.tar+gzip+encrypted": []byte("secret")})
	if err := try(openStore(t), encrypted, linuxAMD64); !errors.Is(err, oci.ErrInvalid) || !strings.Contains(err.Error(), "+encrypted") {
		t.Errorf("encrypted: %v", err)
	}
	if _, err := oci.OpenStoredImage(t.Context(), st, img.ConfigDigest); err == nil {
		t.Error("a config was opened as an image")
	}
	if _, err := oci.OpenStoredImage(t.Context(), st, "sha256:1"); err == nil {
		t.Error("half a digest was opened as an image")
	}
	leftovers, err := os.ReadDir(filepath.Join(st.Dir(), "partial"))
	check(t, err)
	if len(leftovers) > 1 { // that of the layer which failed may stay
		t.Errorf("left behind: %v", leftovers)
	}
}
