package sign_test

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/sign"
	"github.com/hardpan/hardpan/internal/store"
)

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

const password = "a password, and a long one"

// A pair is a key with the files that it is kept in. Opening one takes scrypt's time.
type pair struct {
	private, public []byte
	signer          *sign.Signer
}

func newPair() pair {
	private, public, err := sign.GenerateKey([]byte(password))
	if err != nil {
		panic(err)
	}
	signer, err := sign.LoadSigner(private, []byte(password))
	if err != nil {
		panic(err)
	}
	return pair{private, public, signer}
}

// own is the same in every run, so that a corpus fits it.
var own = sync.OnceValue(func() pair {
	private, err := os.ReadFile("testdata/ed25519.key")
	if err != nil {
		panic(err)
	}
	public, err := os.ReadFile("testdata/ed25519.pub")
	if err != nil {
		panic(err)
	}
	signer, err := sign.LoadSigner(private, []byte(password))
	if err != nil {
		panic(err)
	}
	return pair{private, public, signer}
})

var stranger = sync.OnceValue(newPair)

var platforms = []oci.Platform{{OS: "linux", Architecture: "amd64"}, {OS: "linux", Architecture: "arm64"}}

// image makes an index of one image per platform, of which one layer says text.
func image(t testing.TB, text string) *oci.Index {
	t.Helper()
	st, err := store.Open(t.TempDir())
	check(t, err)
	var images []*oci.Image
	for _, p := range platforms {
		var layers []oci.Layer
		for _, content := range []string{"shared", text + p.String()} {
			blob := tarOf(t, content)
			d, err := st.Put(blob)
			check(t, err)
			layers = append(layers, oci.Layer{
				Digest: d, DiffID: d, Size: int64(len(blob)), MediaType: oci.MediaLayer,
				Open: func() (io.ReadCloser, error) { return st.Open(d) },
			})
		}
		img, err := oci.NewImage(st, oci.Config{Platform: p}, layers, oci.Annotations{Title: text})
		check(t, err)
		images = append(images, img)
	}
	x, err := oci.NewIndex(st, images, oci.Annotations{Title: text})
	check(t, err)
	return x
}

func tarOf(t testing.TB, content string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	check(t, w.WriteHeader(&tar.Header{Name: "file", Mode: 0o644, Size: int64(len(content))}))
	_, err := io.WriteString(w, content)
	check(t, err)
	check(t, w.Close())
	return b.Bytes()
}

// layout writes the image that says text into a new directory.
func layout(t testing.TB, text string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "layout")
	check(t, oci.WriteLayout(t.Context(), dir, image(t, text), oci.LayoutOptions{RefName: "1"}))
	return dir
}

// serve runs a registry that has no list of referrers, and so has it under a tag.
func serve(t testing.TB) (host string) { return serveWith(t, false) }

// serveWith runs a registry that has a list of referrers, or has not.
func serveWith(t testing.TB, referrers bool) (host string) {
	t.Helper()
	srv := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithReferrersSupport(referrers)))
	t.Cleanup(srv.Close)
	return strings.TrimPrefix(srv.URL, "http://")
}

const (
	spdx      = "https://spdx.dev/Document"
	cyclonedx = "https://cyclonedx.org/bom"
	slsa      = "https://slsa.dev/provenance/v1"
)

var predicates = map[string]string{
	spdx:      `{"spdxVersion": "SPDX-2.3", "name": "a<b> & c", "n": 12345678901234567890}`,
	cyclonedx: `{"bomFormat": "CycloneDX", "specVersion": "1.6"}`,
	slsa:      `{"buildDefinition": {"buildType": "b"}, "runDetails": {"builder": {"id": "i"}}}`,
}

// signImage signs what ref names with k, and attests predicates of these types
// about each subject.
func signImage(t testing.TB, ref string, k pair, types ...string) {
	t.Helper()
	signAs(t, ref, k.signer, false, types...)
}

// signBundles is signImage with bundles.
func signBundles(t testing.TB, ref string, k pair, types ...string) {
	t.Helper()
	signAs(t, ref, k.signer, true, types...)
}

func signAs(t testing.TB, ref string, signer *sign.Signer, bundles bool, types ...string) {
	t.Helper()
	src, err := oci.Open(t.Context(), ref, oci.OpenOptions{})
	check(t, err)
	defer src.Close()
	set := sign.NewSet(src, signer, src.Repository)
	if bundles {
		set.AsBundles()
	}
	for _, kind := range types {
		check(t, set.Attest("", kind, []byte(predicates[kind])))
	}
	artifacts, err := set.Artifacts(t.Context())
	check(t, err)
	check(t, src.Attach(t.Context(), artifacts))
}

func verify(t testing.TB, ref string, v *sign.Verifier) *sign.Report {
	t.Helper()
	src, err := oci.Open(t.Context(), ref, oci.OpenOptions{MissingLayers: true})
	check(t, err)
	defer src.Close()
	r, err := sign.Verify(t.Context(), src, v)
	check(t, err)
	return r
}

// rows returns a report as text, with "yes" or the reason.
func rows(r *sign.Report) string {
	var b strings.Builder
	for _, q := range r.Questions {
		answer := "yes"
		if !q.OK {
			answer = q.Answer
		}
		fmt.Fprintf(&b, "%s %s", q.Subject.Name, q.Kind)
		if q.Type != "" {
			fmt.Fprintf(&b, " %s", filepath.Base(q.Type))
		}
		fmt.Fprintf(&b, ": %s\n", answer)
	}
	return b.String()
}

// sumOf returns a digest of all files of a directory with their names.
func sumOf(t testing.TB, dir string) string {
	t.Helper()
	h := sha256.New()
	check(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		fmt.Fprintf(h, "%s %d\n%s", strings.TrimPrefix(path, dir), len(b), b)
		return err
	}))
	return fmt.Sprintf("%x", h.Sum(nil))
}

// A doc is a JSON document as a test changes it.
type doc = map[string]any

func readDoc(t testing.TB, name string) doc {
	t.Helper()
	b, err := os.ReadFile(name)
	check(t, err)
	var d doc
	check(t, json.Unmarshal(b, &d))
	return d
}

func writeBlob(t testing.TB, dir string, b []byte) (digest string, size int) {
	t.Helper()
	d := store.DigestOf(b)
	check(t, os.WriteFile(filepath.Join(dir, "blobs/sha256", d.Hex()), b, 0o644))
	return string(d), len(b)
}

func mustJSON(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	check(t, err)
	return b
}

func blobFile(dir, digest string) string {
	return filepath.Join(dir, "blobs/sha256", strings.TrimPrefix(digest, "sha256:"))
}

// entryOf returns the entry of index.json that has that reference name.
func entryOf(t testing.TB, index doc, refName string) doc {
	t.Helper()
	for _, e := range index["manifests"].([]any) {
		if a, _ := e.(doc)["annotations"].(doc); a["org.opencontainers.image.ref.name"] == refName {
			return e.(doc)
		}
	}
	t.Fatalf("index.json has no entry %s", refName)
	return nil
}

// changeArtifact rewrites the artifact of subject in the layout so that all digests
// are right: change gets its manifest and returns it.
func changeArtifact(t testing.TB, dir, subject, kind string, change func(manifest doc)) {
	t.Helper()
	index := readDoc(t, filepath.Join(dir, "index.json"))
	entry := entryOf(t, index, strings.Replace(subject, ":", "-", 1)+"."+kind)
	manifest := readDoc(t, blobFile(dir, entry["digest"].(string)))
	change(manifest)
	entry["digest"], entry["size"] = writeBlob(t, dir, mustJSON(t, manifest))
	check(t, os.WriteFile(filepath.Join(dir, "index.json"), mustJSON(t, index), 0o644))
}

// changeDocument is changeArtifact of the content of the first document.
func changeDocument(t testing.TB, dir, subject, kind string, change func(content []byte) []byte) {
	t.Helper()
	changeArtifact(t, dir, subject, kind, func(manifest doc) {
		layer := manifest["layers"].([]any)[0].(doc)
		b, err := os.ReadFile(blobFile(dir, layer["digest"].(string)))
		check(t, err)
		layer["digest"], layer["size"] = writeBlob(t, dir, change(b))
	})
}

// removeArtifact takes the artifact of subject out of index.json.
func removeArtifact(t testing.TB, dir, subject, kind string) {
	t.Helper()
	index := readDoc(t, filepath.Join(dir, "index.json"))
	entry := entryOf(t, index, strings.Replace(subject, ":", "-", 1)+"."+kind)
	var kept []any
	for _, e := range index["manifests"].([]any) {
		if e.(doc)["digest"] != entry["digest"] {
			kept = append(kept, e)
		}
	}
	index["manifests"] = kept
	check(t, os.WriteFile(filepath.Join(dir, "index.json"), mustJSON(t, index), 0o644))
}

// documents returns the layers of the artifact of subject.
func documents(t testing.TB, dir, subject, kind string) []any {
	t.Helper()
	index := readDoc(t, filepath.Join(dir, "index.json"))
	entry := entryOf(t, index, strings.Replace(subject, ":", "-", 1)+"."+kind)
	return readDoc(t, blobFile(dir, entry["digest"].(string)))["layers"].([]any)
}

// takeDocuments makes the artifact of subject in dir have the documents that the
// artifact of another subject in another layout has.
func takeDocuments(t testing.TB, dir, subject, from, other, kind string) {
	t.Helper()
	layers := documents(t, from, other, kind)
	for _, l := range layers {
		b, err := os.ReadFile(blobFile(from, l.(doc)["digest"].(string)))
		check(t, err)
		writeBlob(t, dir, b)
	}
	changeArtifact(t, dir, subject, kind, func(manifest doc) { manifest["layers"] = layers })
}
