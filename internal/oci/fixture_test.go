package oci_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/store"
)

var (
	linuxAMD64 = oci.Platform{OS: "linux", Architecture: "amd64"}
	linuxARM64 = oci.Platform{OS: "linux", Architecture: "arm64"}
	release    = time.Date(2025, 8, 9, 12, 30, 0, 0, time.UTC)
)

func openStore(t testing.TB) *store.Store {
	t.Helper()
	st, err := store.Open(t.TempDir())
	check(t, err)
	return st
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// tarOf returns a tar of files, given as "name=content".
func tarOf(t testing.TB, files ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		name, content, _ := strings.Cut(f, "=")
		check(t, w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content)), ModTime: release}))
		_, err := io.WriteString(w, content)
		check(t, err)
	}
	check(t, w.Close())
	return b.Bytes()
}

// compress returns content as a blob of that media type. A gzip one has two
// members, as a layer that was written in parallel has.
func compress(t testing.TB, media string, content []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	switch media {
	case oci.MediaLayerGzip:
		for _, part := range [][]byte{content[:len(content)/2], content[len(content)/2:]} {
			w := gzip.NewWriter(&b)
			_, err := w.Write(part)
			check(t, err)
			check(t, w.Close())
		}
	case oci.MediaLayerZstd:
		w, err := zstd.NewWriter(&b)
		check(t, err)
		_, err = w.Write(content)
		check(t, err)
		check(t, w.Close())
	default:
		b.Write(content)
	}
	return b.Bytes()
}

// addLayer puts a layer of files into the store.
func addLayer(t testing.TB, st *store.Store, media, by string, files ...string) oci.Layer {
	t.Helper()
	content := tarOf(t, files...)
	blob := compress(t, media, content)
	d, err := st.Put(blob)
	check(t, err)
	return oci.Layer{
		Digest: d, DiffID: store.DigestOf(content), Size: int64(len(blob)), MediaType: media,
		CreatedBy: by, Comment: "of " + by,
		Open: func() (io.ReadCloser, error) { return st.Open(d) },
	}
}

func annotations() oci.Annotations {
	return oci.Annotations{Created: release, Title: "python", Version: "3.13", Vendor: "Example & Sons"}
}

// buildImage makes an image of three layers, one of each compression, of which the
// first is the same on every platform.
func buildImage(t testing.TB, st *store.Store, p oci.Platform) *oci.Image {
	t.Helper()
	return buildImageOf(t, st, p, oci.MediaLayerGzip, oci.MediaLayerZstd, oci.MediaLayer)
}

func buildImageOf(t testing.TB, st *store.Store, p oci.Platform, media ...string) *oci.Image {
	t.Helper()
	layers := []oci.Layer{
		addLayer(t, st, media[0], "ca-certificates=20250419", "etc/ssl/certs/a=certificate", "etc/ssl/certs/b=certificate"),
		addLayer(t, st, media[1], "python3-minimal="+p.Architecture, "usr/bin/python3=\x7fELF "+p.String()),
		addLayer(t, st, media[2], "spec", "etc/passwd=root:x:0:0::/:/sbin/nologin\n", "etc/os-release="+p.String()),
	}
	c := oci.Config{
		Platform: p, Created: release, User: "1000:1000", Env: []string{"PATH=/usr/bin", "LANG=C.UTF-8"},
		Entrypoint: []string{"/usr/bin/python3"}, Record: []byte("record of " + p.String()),
	}
	img, err := oci.NewImage(st, c, layers, annotations())
	check(t, err)
	return img
}

func buildIndex(t testing.TB, st *store.Store, platforms ...oci.Platform) *oci.Index {
	t.Helper()
	var images []*oci.Image
	for _, p := range platforms {
		images = append(images, buildImage(t, st, p))
	}
	x, err := oci.NewIndex(st, images, annotations())
	check(t, err)
	return x
}

// otherIndex is a different image that shares a layer with buildIndex's.
func otherIndex(t testing.TB, st *store.Store) *oci.Index {
	t.Helper()
	layers := []oci.Layer{
		addLayer(t, st, oci.MediaLayerGzip, "ca-certificates=20250419", "etc/ssl/certs/a=certificate", "etc/ssl/certs/b=certificate"),
		addLayer(t, st, oci.MediaLayerGzip, "nginx", "usr/sbin/nginx=\x7fELF"),
	}
	img, err := oci.NewImage(st, oci.Config{Platform: linuxAMD64}, layers, oci.Annotations{})
	check(t, err)
	x, err := oci.NewIndex(st, []*oci.Image{img}, oci.Annotations{})
	check(t, err)
	return x
}

// bareIndex is an image without layers, which shares no blob with another.
func bareIndex(t testing.TB, st *store.Store) *oci.Index {
	t.Helper()
	img, err := oci.NewImage(st, oci.Config{Platform: linuxAMD64}, nil, oci.Annotations{})
	check(t, err)
	x, err := oci.NewIndex(st, []*oci.Image{img}, oci.Annotations{})
	check(t, err)
	return x
}

// blobsOf returns every blob that x leads to, by digest, itself included.
func blobsOf(t testing.TB, x *oci.Index) map[store.Digest][]byte {
	t.Helper()
	m := map[store.Digest][]byte{x.Digest: x.Manifest}
	for _, img := range x.Images {
		m[img.Digest] = img.Manifest
		m[img.ConfigDigest] = img.RawConfig
		for _, l := range img.Layers {
			m[l.Digest] = readAll(t, l.Open)
		}
	}
	return m
}

func readAll(t testing.TB, open func() (io.ReadCloser, error)) []byte {
	t.Helper()
	r, err := open()
	check(t, err)
	defer r.Close()
	b, err := io.ReadAll(r)
	check(t, err)
	return b
}

// describe returns an image as text: what a reader must get back.
func describe(t testing.TB, img *oci.Image) string {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "%s manifest %s config %s\n%s\n%s\n%v\n", img.Platform, img.Digest, img.ConfigDigest, img.Manifest, img.RawConfig, img.Config)
	for _, l := range img.Layers {
		fmt.Fprintf(&b, "%s %s %d %s %q %q\n", l.Digest, l.DiffID, l.Size, l.MediaType, l.CreatedBy, l.Comment)
		fmt.Fprintf(&b, "blob %s tar %s\n", store.DigestOf(readAll(t, l.Open)), store.DigestOf(readAll(t, l.Uncompressed)))
	}
	return b.String()
}

// readEverything opens the image and reads all layers, and returns the first error.
func readEverything(t testing.TB, ref string, o oci.OpenOptions) error {
	t.Helper()
	s, err := oci.Open(t.Context(), ref, o)
	if err != nil {
		return err
	}
	defer s.Close()
	for _, img := range s.Images {
		for _, l := range img.Layers {
			for _, open := range []func() (io.ReadCloser, error){l.Uncompressed, l.Open} {
				r, err := open()
				if err != nil {
					return err
				}
				_, err = io.Copy(io.Discard, r)
				r.Close()
				if err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// names returns the names in a directory, below it too, one a line.
func names(t testing.TB, dir string) string {
	t.Helper()
	var list []string
	var walk func(string)
	walk = func(at string) {
		entries, err := os.ReadDir(dir + "/" + at)
		check(t, err)
		for _, e := range entries {
			if e.IsDir() {
				walk(at + e.Name() + "/")
				continue
			}
			list = append(list, at+e.Name())
		}
	}
	walk("")
	slices.Sort(list)
	return strings.Join(list, "\n")
}

func layoutNames(x map[store.Digest][]byte) string {
	var list []string
	for d := range maps.Keys(x) {
		list = append(list, "blobs/sha256/"+d.Hex())
	}
	slices.Sort(list)
	return strings.Join(append(list, "index.json", "oci-layout"), "\n")
}

func wantError(t testing.TB, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", parts)
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("error %q does not say %q", err, p)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("error %q has more than one line", err)
	}
}
