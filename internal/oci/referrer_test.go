package oci_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/store"
)

// foreign attaches a document to a manifest as other programs do, and returns the
// digest of what refers to it.
func foreign(t testing.TB, subject name.Digest, kind, text string) name.Digest {
	t.Helper()
	about, err := remote.Head(subject)
	check(t, err)
	img, err := mutate.AppendLayers(mutate.MediaType(empty.Image, types.OCIManifestSchema1), static.NewLayer([]byte(text), types.MediaType(kind)))
	check(t, err)
	img = mutate.ConfigMediaType(img, types.MediaType(kind))
	img = mutate.Subject(img, *about).(v1.Image)
	digest, err := img.Digest()
	check(t, err)
	d := subject.Context().Digest(digest.String())
	check(t, remote.Write(d, img))
	return d
}

// foreignIndex is foreign with an index that lists an image.
func foreignIndex(t testing.TB, subject name.Digest) {
	t.Helper()
	about, err := remote.Head(subject)
	check(t, err)
	img, err := mutate.AppendLayers(empty.Image, static.NewLayer([]byte("in an index"), "text/plain"))
	check(t, err)
	x := mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex), mutate.IndexAddendum{Add: img})
	x = mutate.Subject(x, *about).(v1.ImageIndex)
	digest, err := x.Digest()
	check(t, err)
	check(t, remote.WriteIndex(subject.Context().Digest(digest.String()), x))
}

// referrers returns what refers to subject, and to that, as text.
func referrers(t testing.TB, ref string, subject store.Digest) string {
	t.Helper()
	s, err := oci.Open(t.Context(), ref, oci.OpenOptions{})
	check(t, err)
	defer s.Close()
	var b strings.Builder
	var walk func(store.Digest, string)
	walk = func(subject store.Digest, indent string) {
		list, err := s.Referrers(t.Context(), subject)
		check(t, err)
		for _, a := range list {
			check(t, a.Read())
			fmt.Fprintf(&b, "%s%s %s", indent, a.Digest(), a.ArtifactType)
			for _, d := range a.Documents {
				fmt.Fprintf(&b, " %s", d.Content)
			}
			b.WriteString("\n")
			walk(a.Digest(), indent+"  ")
		}
	}
	walk(subject, "")
	return b.String()
}

// A copy has all that refers to the image: what others attached to it, what was attached
// to that, and indexes; in registries with a list of referrers and without, in layouts
// and archives.
func TestCopyReferrers(t *testing.T) {
	t.Parallel()
	x := buildIndex(t, openStore(t), linuxAMD64, linuxARM64)
	var hosts []string
	for _, lists := range []bool{true, false} {
		server := httptest.NewServer(registry.New(registry.WithReferrersSupport(lists)))
		t.Cleanup(server.Close)
		hosts = append(hosts, strings.TrimPrefix(server.URL, "http://"))
	}
	from := hosts[0] + "/a/b:1"
	_, err := oci.Push(t.Context(), from, x, oci.PushOptions{})
	check(t, err)
	repo, err := name.NewRepository(hosts[0] + "/a/b")
	check(t, err)
	of := func(d store.Digest) name.Digest { return repo.Digest(string(d)) }
	sbom := foreign(t, of(x.Digest), "application/spdx+json", "an SBOM")
	foreign(t, sbom, "text/x-signature", "of the SBOM")
	foreign(t, of(x.Images[1].Digest), "text/plain", "of a platform")
	foreignIndex(t, of(x.Digest))
	want := []string{referrers(t, from, x.Digest), referrers(t, from, x.Images[1].Digest)}
	if n := strings.Count(want[0], "\n"); n != 3 || !strings.Contains(want[0], "application/spdx+json an SBOM") || !strings.Contains(want[1], "of a platform") {
		t.Fatalf("attached\n%s\n%s", want[0], want[1])
	}
	dir := t.TempDir()
	for _, to := range []string{dir + "/a.tar", hosts[1] + "/c:1", "oci:" + dir + "/b", hosts[0] + "/d:1", "oci:" + dir + "/c"} {
		src, err := oci.Open(t.Context(), from, oci.OpenOptions{})
		check(t, err)
		from, err = oci.Copy(t.Context(), src, to, oci.CopyOptions{RefName: "1"})
		check(t, err)
		check(t, src.Close())
		for i, subject := range []store.Digest{x.Digest, x.Images[1].Digest} {
			if got := referrers(t, from, subject); got != want[i] {
				t.Errorf("%s has\n%swant\n%s", to, got, want[i])
			}
		}
	}
	if one, two := names(t, dir+"/b"), names(t, dir+"/c"); one != two {
		t.Errorf("the layouts differ:\n%s\n%s", one, two)
	}
}

// A registry that does not allow to ask for the list has none, or has it under its tag;
// one that fails is an error.
func TestReferrersNotAllowed(t *testing.T) {
	t.Parallel()
	x := buildIndex(t, openStore(t), linuxAMD64)
	var status int
	behind := registry.New()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if status != 0 && strings.Contains(r.URL.Path, "/referrers/") {
			w.WriteHeader(status)
			return
		}
		behind.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	ref := strings.TrimPrefix(server.URL, "http://") + "/a/b:1"
	_, err := oci.Push(t.Context(), ref, x, oci.PushOptions{})
	check(t, err)
	status = http.StatusMethodNotAllowed
	if got := referrers(t, ref, x.Digest); got != "" {
		t.Errorf("found %s", got)
	}
	status = 0
	subject, err := name.NewDigest(strings.TrimSuffix(ref, ":1") + "@" + string(x.Digest))
	check(t, err)
	foreign(t, subject, "text/plain", "hello")
	status = http.StatusNotImplemented
	if got := referrers(t, ref, x.Digest); !strings.HasSuffix(got, "text/plain hello\n") {
		t.Errorf("found %s", got)
	}
	status = http.StatusForbidden
	s, err := oci.Open(t.Context(), ref, oci.OpenOptions{})
	check(t, err)
	if list, err := s.Referrers(t.Context(), x.Digest); err == nil || list != nil {
		t.Errorf("found %v and no error", list)
	}
}

// The image of one platform is copied by itself, with what is known about it.
func TestCopyManifest(t *testing.T) {
	t.Parallel()
	img := buildIndex(t, openStore(t), linuxAMD64, linuxARM64)
	dir := t.TempDir()
	writeLayout(t, dir+"/all", img)
	one := img.Images[0].Digest
	check(t, attach(t, dir+"/all", artifact(t, one, oci.Signatures, "signed")))
	server := httptest.NewServer(registry.New())
	t.Cleanup(server.Close)
	host := strings.TrimPrefix(server.URL, "http://")
	from := dir + "/all@" + string(one)
	for _, to := range []string{host + "/a/b:1", dir + "/one.tar", "oci:" + dir + "/one", host + "/a/c:1"} {
		src, err := oci.Open(t.Context(), from, oci.OpenOptions{})
		check(t, err)
		from, err = oci.Copy(t.Context(), src, to, oci.CopyOptions{RefName: "1"})
		check(t, err)
		check(t, src.Close())
		copied, err := oci.Open(t.Context(), from, oci.OpenOptions{})
		check(t, err)
		if copied.Digest != one || copied.Index != nil || len(copied.Images) != 1 {
			t.Errorf("%s has %s", to, copied.Digest)
		}
		check(t, copied.Close())
		check(t, readEverything(t, from, oci.OpenOptions{}))
		if got := attached(t, from, one, oci.Signatures); !strings.HasPrefix(got, "signed ") {
			t.Errorf("%s: signatures are %q", to, got)
		}
	}
}

// A layout may have its list of referrers as registries without a list of their own
// have it, and neither that nor a referrer counts as an image.
func TestLayoutFallbackList(t *testing.T) {
	t.Parallel()
	x := buildIndex(t, openStore(t), linuxAMD64)
	dir := filepath.Join(t.TempDir(), "dist")
	writeLayout(t, dir, x)
	s, err := oci.Open(t.Context(), dir, oci.OpenOptions{})
	check(t, err)
	a, err := s.NewReferrer(x.Digest, "text/x", map[string]string{"a": "b"}, oci.Document{MediaType: "text/plain", Content: []byte("hello")})
	check(t, err)
	check(t, s.Attach(t.Context(), []*oci.Artifact{a}))
	check(t, s.Close())
	want := referrers(t, dir, x.Digest)

	index := map[string]any{}
	raw, err := os.ReadFile(dir + "/index.json")
	check(t, err)
	check(t, json.Unmarshal(raw, &index))
	entries := index["manifests"].([]any)
	list := mustJSON(t, map[string]any{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": entries[1:]})
	digest := store.DigestOf([]byte(list))
	check(t, os.WriteFile(dir+"/blobs/sha256/"+digest.Hex(), []byte(list), 0o644))
	index["manifests"] = []any{entries[0], map[string]any{
		"mediaType": "application/vnd.oci.image.index.v1+json", "digest": digest, "size": len(list),
		"annotations": map[string]string{"org.opencontainers.image.ref.name": "sha256-" + x.Digest.Hex()},
	}}
	check(t, os.WriteFile(dir+"/index.json", []byte(mustJSON(t, index)), 0o644))
	if got := referrers(t, dir, x.Digest); got != want || !strings.Contains(got, "text/x hello") {
		t.Errorf("found %s, want %s", got, want)
	}
	if s, err = oci.Open(t.Context(), dir, oci.OpenOptions{}); err != nil || s.Digest != x.Digest {
		t.Fatalf("opened %v: %v", s, err)
	}
	defer s.Close()
	if _, err := s.NewReferrer(store.DigestOf(nil), "text/x", nil, oci.Document{}); err == nil {
		t.Error("a referrer of another image is made")
	}
}

// An image whose entry has the type of its config as artifact type, as
// go-containerregistry writes it, is an image, also beside a referrer.
func TestImageWithArtifactType(t *testing.T) {
	t.Parallel()
	x := buildIndex(t, openStore(t), linuxAMD64)
	dir := filepath.Join(t.TempDir(), "dist")
	writeLayout(t, dir, x)
	s, err := oci.Open(t.Context(), dir+"@"+string(x.Images[0].Digest), oci.OpenOptions{})
	check(t, err)
	one := filepath.Join(t.TempDir(), "one")
	_, err = oci.Copy(t.Context(), s, "oci:"+one, oci.CopyOptions{})
	check(t, err)
	check(t, s.Close())
	index, err := os.ReadFile(one + "/index.json")
	check(t, err)
	index = []byte(strings.Replace(string(index), `"mediaType":"application/vnd.oci.image.manifest.v1+json"`,
		`"mediaType":"application/vnd.oci.image.manifest.v1+json","artifactType":"application/vnd.oci.image.config.v1+json"`, 1))
	check(t, os.WriteFile(one+"/index.json", index, 0o644))
	for range 2 { // without a referrer and with one
		s, err := oci.Open(t.Context(), one, oci.OpenOptions{})
		check(t, err)
		if s.Digest != x.Images[0].Digest || !strings.Contains(string(index), "artifactType") {
			t.Errorf("opened %s of %s", s.Digest, index)
		}
		a, err := s.NewReferrer(s.Digest, "text/x", nil, oci.Document{MediaType: "text/plain", Content: []byte("hello")})
		check(t, err)
		check(t, s.Attach(t.Context(), []*oci.Artifact{a}))
		check(t, s.Close())
	}
	if got := referrers(t, one, x.Images[0].Digest); !strings.HasSuffix(got, "text/x hello\n") {
		t.Errorf("referrers are %q", got)
	}
}

// FuzzReferrers reads the referrers of a layout whose index.json, manifest and document
// are any text, each described rightly by the one before where that can be: never a
// crash, and never a document that is not what its descriptor says.
func FuzzReferrers(f *testing.F) {
	x := buildIndex(f, openStore(f), linuxAMD64)
	dir := filepath.Join(f.TempDir(), "dist")
	writeLayout(f, dir, x)
	s, err := oci.Open(f.Context(), dir, oci.OpenOptions{})
	check(f, err)
	document := "a document"
	a, err := s.NewReferrer(x.Digest, "text/x", nil, oci.Document{MediaType: "text/plain", Content: []byte(document)})
	check(f, err)
	check(f, s.Attach(f.Context(), []*oci.Artifact{a}))
	check(f, s.Close())
	blob := func(d store.Digest) string { return dir + "/blobs/sha256/" + d.Hex() }
	manifest, err := os.ReadFile(blob(a.Digest()))
	check(f, err)
	index, err := os.ReadFile(dir + "/index.json")
	check(f, err)
	f.Add(index, manifest, []byte(document))
	f.Add(index, []byte(`{"schemaVersion":2,"manifests":[],"subject":{"digest":"`+string(x.Digest)+`"}}`), []byte("x"))
	f.Add([]byte(`{"schemaVersion":2,"manifests":[{}]}`), []byte(`{}`), []byte(""))
	f.Fuzz(func(t *testing.T, index, manifest, document []byte) {
		described := func(in []byte, was, is store.Digest) []byte {
			return []byte(strings.ReplaceAll(string(in), string(was), string(is)))
		}
		manifest = described(manifest, store.DigestOf([]byte("a document")), store.DigestOf(document))
		index = described(index, a.Digest(), store.DigestOf(manifest))
		for name, content := range map[string][]byte{dir + "/index.json": index, blob(store.DigestOf(manifest)): manifest, blob(store.DigestOf(document)): document} {
			check(t, os.WriteFile(name, content, 0o644))
			if store.Digest("sha256:"+filepath.Base(name)) != a.Digest() && filepath.Base(name) != "index.json" {
				defer os.Remove(name)
			}
		}
		s, err := oci.Open(t.Context(), dir, oci.OpenOptions{})
		if err != nil {
			return
		}
		defer s.Close()
		list, err := s.Referrers(t.Context(), x.Digest)
		if err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("error %q has more than one line", err)
		}
		for _, a := range list {
			err := a.Read()
			known := errors.Is(err, oci.ErrMismatch) || errors.Is(err, oci.ErrTooLarge) || errors.Is(err, oci.ErrInvalid) || errors.Is(err, fs.ErrNotExist)
			if err != nil && !known {
				t.Errorf("%v", err)
			}
		}
	})
}
