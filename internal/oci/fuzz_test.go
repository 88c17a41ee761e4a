package oci_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/store"
)

// FuzzOpenArchive opens any file as an archive and reads what it finds: never a
// crash, and never a layer that is not what its descriptor says.
func FuzzOpenArchive(f *testing.F) {
	st := openStore(f)
	x := buildIndex(f, st, linuxAMD64)
	dir := f.TempDir()
	check(f, oci.WriteArchive(f.Context(), dir+"/oci", x, oci.LayoutOptions{RefName: "3.13"}))
	check(f, oci.WriteDockerArchive(f.Context(), dir+"/docker", x, oci.DockerArchiveOptions{Tags: []string{"python:3.13"}}))
	for _, name := range []string{"oci", "docker"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		check(f, err)
		f.Add(b)
	}
	// Names that claim no digest let changed configs and layers through to the end.
	layer := string(tarOf(f, "a=1"))
	b, err := os.ReadFile(tarFile(f,
		entry{name: "manifest.json", content: mustJSON(f, []savedImage{{"c", []string{"a:1"}, []string{"l", "g"}}})},
		entry{name: "c", content: `{"os":"linux","architecture":"amd64","rootfs":{"diff_ids":["` + string(store.DigestOf([]byte(layer))) + `","` + string(store.DigestOf([]byte("x"))) + `"]}}`},
		entry{name: "l", content: layer}, entry{name: "g", content: string(compress(f, oci.MediaLayerGzip, []byte("x")))}))
	check(f, err)
	f.Add(b)
	f.Fuzz(func(t *testing.T, content []byte) {
		file := filepath.Join(t.TempDir(), "a.tar")
		check(t, os.WriteFile(file, content, 0o644))
		s, err := oci.Open(t.Context(), file, oci.OpenOptions{})
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q has more than one line", err)
			}
			return
		}
		defer s.Close()
		checkImages(t, s.Images)
	})
}

// FuzzDocuments opens a layout whose index.json, manifest and config are any text,
// each described rightly by the one before where that can be.
func FuzzDocuments(f *testing.F) {
	x := buildIndex(f, openStore(f), linuxAMD64)
	f.Add(x.Manifest, x.Images[0].Manifest, x.Images[0].RawConfig)
	f.Add([]byte(`{"schemaVersion":2,"manifests":[{"digest":"sha256:1"}]}`), []byte(`{"schemaVersion":2,"layers":null,"config":{}}`), []byte(`{"rootfs":{"diff_ids":[""]}}`))
	f.Fuzz(func(t *testing.T, index, manifest, config []byte) {
		// The seeds' digests stand for those of the mutated documents.
		img := x.Images[0]
		manifest = []byte(strings.ReplaceAll(string(manifest), string(img.ConfigDigest), string(store.DigestOf(config))))
		index = []byte(strings.ReplaceAll(string(index), string(img.Digest), string(store.DigestOf(manifest))))
		dir := t.TempDir()
		check(t, os.MkdirAll(dir+"/blobs/sha256", 0o755))
		check(t, os.WriteFile(dir+"/oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`), 0o644))
		check(t, os.WriteFile(dir+"/index.json", index, 0o644))
		for _, b := range [][]byte{index, manifest, config} {
			check(t, os.WriteFile(dir+"/blobs/sha256/"+store.DigestOf(b).Hex(), b, 0o644))
		}
		for _, l := range img.Layers {
			check(t, os.WriteFile(dir+"/blobs/sha256/"+l.Digest.Hex(), readAll(t, l.Open), 0o644))
		}
		s, err := oci.Open(t.Context(), dir, oci.OpenOptions{})
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q has more than one line", err)
			}
			return
		}
		defer s.Close()
		checkImages(t, s.Images)
	})
}

// checkImages reads all layers: what is read to its end is what is stated.
func checkImages(t *testing.T, images []*oci.Image) {
	for _, img := range images {
		if store.DigestOf(img.Manifest) != img.Digest || store.DigestOf(img.RawConfig) != img.ConfigDigest {
			t.Error("a document is not what its digest says")
		}
		for _, l := range img.Layers {
			if b, err := readSome(l.Open); err == nil && (store.DigestOf(b) != l.Digest || int64(len(b)) != l.Size) {
				t.Errorf("layer %s was read as %s", l.Digest, store.DigestOf(b))
			}
			if b, err := readSome(l.Uncompressed); err == nil && store.DigestOf(b) != l.DiffID {
				t.Errorf("tar %s was read as %s", l.DiffID, store.DigestOf(b))
			}
		}
	}
}

func readSome(open func() (io.ReadCloser, error)) ([]byte, error) {
	r, err := open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(r, 1<<20))
	if err == nil && len(b) == 1<<20 {
		err = io.ErrShortBuffer
	}
	return b, err
}
