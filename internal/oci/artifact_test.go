package oci_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/store"
)

func signature(text string) oci.Document {
	return oci.Document{MediaType: "text/plain", Annotations: map[string]string{"by": "a<b"}, Content: []byte(text)}
}

func artifact(t testing.TB, subject store.Digest, kind oci.ArtifactKind, texts ...string) *oci.Artifact {
	t.Helper()
	var documents []oci.Document
	for _, text := range texts {
		documents = append(documents, signature(text))
	}
	a, err := oci.NewArtifact(subject, kind, documents)
	check(t, err)
	return a
}

// attach puts artifacts where ref is.
func attach(t testing.TB, ref string, artifacts ...*oci.Artifact) error {
	t.Helper()
	s, err := oci.Open(t.Context(), ref, oci.OpenOptions{})
	check(t, err)
	defer s.Close()
	return s.Attach(t.Context(), artifacts)
}

// attached returns the documents about subject, and their annotations, as text.
func attached(t testing.TB, ref string, subject store.Digest, kind oci.ArtifactKind) string {
	t.Helper()
	s, err := oci.Open(t.Context(), ref, oci.OpenOptions{})
	check(t, err)
	defer s.Close()
	list, err := s.Artifacts(t.Context(), subject, kind)
	check(t, err)
	var b strings.Builder
	for _, a := range list {
		for _, d := range a.Documents {
			fmt.Fprintf(&b, "%s %s %v\n", d.Content, d.MediaType, d.Annotations)
		}
	}
	return b.String()
}

// What is attached is read back where it was, and replaced by what is attached
// after it; the image is what it was.
func TestAttach(t *testing.T) {
	t.Parallel()
	x := buildIndex(t, openStore(t), linuxAMD64, linuxARM64)
	amd64 := x.Images[0].Digest
	dir := filepath.Join(t.TempDir(), "dist")
	writeLayout(t, dir, x)
	ref := serve(t).host + "/example/python:3.13"
	_, err := oci.Push(t.Context(), ref, x, oci.PushOptions{})
	check(t, err)
	for _, at := range []string{dir, ref} {
		if got := attached(t, at, x.Digest, oci.Signatures); got != "" {
			t.Errorf("%s: found %q before there was anything", at, got)
		}
		check(t, attach(t, at, artifact(t, amd64, oci.Attestations, "att of amd64"), artifact(t, x.Digest, oci.Signatures, "old")))
		check(t, attach(t, at, artifact(t, amd64, oci.Signatures, "of amd64"), artifact(t, x.Digest, oci.Signatures, "one", "two", "one")))
		for _, c := range []struct {
			subject store.Digest
			kind    oci.ArtifactKind
			want    []string
		}{
			{x.Digest, oci.Signatures, []string{"one", "two", "one"}}, {x.Digest, oci.Attestations, nil},
			{amd64, oci.Signatures, []string{"of amd64"}}, {amd64, oci.Attestations, []string{"att of amd64"}},
			{x.Images[1].Digest, oci.Signatures, nil},
		} {
			want := ""
			for _, text := range c.want {
				want += text + " text/plain map[by:a<b]\n"
			}
			if got := attached(t, at, c.subject, c.kind); got != want {
				t.Errorf("%s: %s of %s\n got %q\nwant %q", at, c.kind, c.subject, got, want)
			}
		}
		check(t, readEverything(t, at, oci.OpenOptions{}))
	}
}

// A layout that is written with artifacts has the bytes of one to which they were
// attached, in whatever steps: nothing is left of what was replaced.
func TestAttachIsWritingWith(t *testing.T) {
	t.Parallel()
	x := buildIndex(t, openStore(t), linuxAMD64, linuxARM64)
	artifacts := []*oci.Artifact{
		artifact(t, x.Images[0].Digest, oci.Signatures, "of amd64"), artifact(t, x.Digest, oci.Attestations, "att"), artifact(t, x.Digest, oci.Signatures, "of all"),
	}
	one, two := filepath.Join(t.TempDir(), "one"), filepath.Join(t.TempDir(), "two")
	check(t, oci.WriteLayout(t.Context(), one, x, oci.LayoutOptions{RefName: "3.13", Artifacts: artifacts}))
	writeLayout(t, two, x)
	check(t, attach(t, two, artifact(t, x.Digest, oci.Signatures, "old"), artifact(t, x.Digest, oci.Attestations, "old att")))
	for _, a := range slices.Backward(artifacts) {
		check(t, attach(t, two, a))
	}
	if got, want := names(t, two), names(t, one); got != want {
		t.Errorf("files\n%s\nwant\n%s", got, want)
	}
	got, err := os.ReadFile(two + "/index.json")
	check(t, err)
	want, err := os.ReadFile(one + "/index.json")
	check(t, err)
	if string(got) != string(want) {
		t.Errorf("index.json\n got %s\nwant %s", got, want)
	}
	// cosign takes the first entry of a kind, and so it is the index's.
	var index struct {
		Manifests []struct{ Annotations map[string]string }
	}
	check(t, json.Unmarshal(got, &index))
	var entries []string
	for _, m := range index.Manifests {
		entries = append(entries, m.Annotations["kind"]+" "+m.Annotations["org.opencontainers.image.ref.name"])
	}
	name := func(d store.Digest) string { return strings.Replace(string(d), ":", "-", 1) }
	if want := []string{
		"dev.cosignproject.cosign/imageIndex 3.13", "dev.cosignproject.cosign/atts " + name(x.Digest) + ".att",
		"dev.cosignproject.cosign/sigs " + name(x.Digest) + ".sig", "dev.cosignproject.cosign/sigs " + name(x.Images[0].Digest) + ".sig",
	}; !slices.Equal(entries, want) {
		t.Errorf("entries %q, want %q", entries, want)
	}
	writeLayout(t, two, x)
	if got, want := names(t, two), layoutNames(blobsOf(t, x)); got != want {
		t.Errorf("a new build leaves\n%s\nwant\n%s", got, want)
	}
}

// Of what a later artifact replaces nothing is written where all appears at once.
func TestLastOfEach(t *testing.T) {
	t.Parallel()
	x := buildIndex(t, openStore(t), linuxAMD64)
	meanwhile, signatures, after := artifact(t, x.Digest, oci.Attestations, "old", "new"), artifact(t, x.Digest, oci.Signatures, "sig"), artifact(t, x.Digest, oci.Attestations, "new")
	dir := t.TempDir()
	for name, artifacts := range map[string][]*oci.Artifact{"all": {meanwhile, signatures, after}, "last": {signatures, after}} {
		o := oci.LayoutOptions{RefName: "1", Artifacts: artifacts}
		check(t, oci.WriteLayout(t.Context(), filepath.Join(dir, name), x, o))
		check(t, oci.WriteArchive(t.Context(), filepath.Join(dir, name+".tar"), x, o))
		writeLayout(t, filepath.Join(dir, name+" attached"), x)
		check(t, attach(t, filepath.Join(dir, name+" attached"), artifacts...))
	}
	for _, kind := range []string{"", " attached"} {
		if got, want := names(t, filepath.Join(dir, "all"+kind)), names(t, filepath.Join(dir, "last"+kind)); got != want {
			t.Errorf("files%s\n%s\nwant\n%s", kind, got, want)
		}
	}
	all, err := os.ReadFile(filepath.Join(dir, "all.tar"))
	check(t, err)
	last, err := os.ReadFile(filepath.Join(dir, "last.tar"))
	check(t, err)
	if string(all) != string(last) {
		t.Error("the archives differ")
	}
}

// What others have in a layout stays: their entries as they are, with what they
// lead to.
func TestAttachKeepsOthers(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	x, other := buildIndex(t, st, linuxAMD64), otherIndex(t, st)
	dir, otherDir := filepath.Join(t.TempDir(), "dist"), filepath.Join(t.TempDir(), "other")
	writeLayout(t, dir, x)
	writeLayout(t, otherDir, other)
	check(t, os.CopyFS(dir+"/more", os.DirFS(otherDir)))
	for d := range blobsOf(t, other) {
		name := "/blobs/sha256/" + d.Hex()
		check(t, os.Rename(dir+"/more"+name, dir+name))
	}
	entry := fmt.Sprintf(`{"digest":"%s","size":%d,"mediaType":"%s","annotations":{"org.opencontainers.image.ref.name":"other","b":"<"},"x-new":[1.50]}`, other.Digest, len(other.Manifest), other.MediaType)
	index, err := os.ReadFile(dir + "/index.json")
	check(t, err)
	text := strings.Replace(string(index), `}]}`, `},`+entry+`],"annotations":{"a":"b"}}`, 1)
	check(t, os.WriteFile(dir+"/index.json", []byte(text), 0o644))

	check(t, attach(t, dir+":3.13", artifact(t, x.Digest, oci.Signatures, "old")))
	check(t, attach(t, dir+":3.13", artifact(t, x.Digest, oci.Signatures, "new")))
	index, err = os.ReadFile(dir + "/index.json")
	check(t, err)
	if !strings.Contains(string(index), entry) {
		t.Errorf("index.json has no longer %s: %s", entry, index)
	}
	check(t, attach(t, dir+":other", artifact(t, other.Digest, oci.Signatures, "of other")))
	index, err = os.ReadFile(dir + "/index.json")
	check(t, err)
	for _, want := range []string{`"annotations":{"a":"b"}`, `"size":` + fmt.Sprint(len(other.Manifest))} {
		if !strings.Contains(string(index), want) {
			t.Errorf("index.json has no %s: %s", want, index)
		}
	}
	check(t, readEverything(t, dir+":3.13", oci.OpenOptions{}))
	check(t, readEverything(t, dir+":other", oci.OpenOptions{}))
	if got := attached(t, dir+":3.13", x.Digest, oci.Signatures); !strings.HasPrefix(got, "new ") {
		t.Errorf("attached %q", got)
	}
	if got := attached(t, dir+":other", other.Digest, oci.Signatures); !strings.HasPrefix(got, "of other ") {
		t.Errorf("attached %q", got)
	}
	if _, err := os.Stat(dir + "/blobs/sha256/" + store.DigestOf([]byte("old")).Hex()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what was replaced is still there: %v", err)
	}
}

// Where nothing can be attached the error says so, and nothing changes.
func TestAttachRefused(t *testing.T) {
	t.Parallel()
	x := buildIndex(t, openStore(t), linuxAMD64, linuxARM64)
	archive := filepath.Join(t.TempDir(), "a.tar")
	check(t, oci.WriteArchive(t.Context(), archive, x, oci.LayoutOptions{RefName: "3.13"}))
	docker := filepath.Join(t.TempDir(), "d.tar")
	check(t, oci.WriteDockerArchive(t.Context(), docker, buildIndex(t, openStore(t), linuxAMD64), oci.DockerArchiveOptions{Tags: []string{"a:1"}}))
	platforms := filepath.Join(t.TempDir(), "platforms")
	writeLayout(t, platforms, x)
	check(t, os.WriteFile(platforms+"/index.json", x.Manifest, 0o644))
	for at, want := range map[string]string{archive: "the image is in an archive", docker: "the image is in an archive", platforms: "the image's own index"} {
		err := attach(t, at, artifact(t, x.Digest, oci.Signatures, "a"))
		wantError(t, err, "cannot attach artifacts: ", want)
		if hintOf(err) == "" {
			t.Errorf("%v: no hint", err)
		}
	}
	if got, err := os.ReadFile(platforms + "/index.json"); err != nil || string(got) != string(x.Manifest) {
		t.Errorf("index.json was changed: %s, %v", got, err)
	}
}

// Artifacts that no writer makes are refused before they are read into memory.
func TestArtifactTooLarge(t *testing.T) {
	t.Parallel()
	x := buildIndex(t, openStore(t), linuxAMD64)
	layer := `{"mediaType":"a","digest":"` + string(store.DigestOf(nil)) + `","size":%d}`
	for _, layers := range []string{
		strings.TrimSuffix(strings.Repeat(fmt.Sprintf(layer, 0)+",", 1001), ","), fmt.Sprintf(layer, 1<<40),
		fmt.Sprintf(layer, 100<<20) + "," + fmt.Sprintf(layer, 100<<20),
	} {
		dir := filepath.Join(t.TempDir(), "dist")
		writeLayout(t, dir, x)
		manifest := `{"schemaVersion":2,"config":{},"layers":[` + layers + `]}`
		d := store.DigestOf([]byte(manifest))
		check(t, os.WriteFile(dir+"/blobs/sha256/"+d.Hex(), []byte(manifest), 0o644))
		index, err := os.ReadFile(dir + "/index.json")
		check(t, err)
		entry := fmt.Sprintf(`},{"digest":"%s","size":%d,"annotations":{"kind":"dev.cosignproject.cosign/sigs"}}]}`, d, len(manifest))
		check(t, os.WriteFile(dir+"/index.json", []byte(strings.Replace(string(index), `}]}`, entry, 1)), 0o644))
		s, err := oci.Open(t.Context(), dir, oci.OpenOptions{})
		check(t, err)
		defer s.Close()
		_, err = s.Artifacts(t.Context(), x.Digest, oci.Signatures)
		if !errors.Is(err, oci.ErrTooLarge) {
			t.Errorf("error %v, want ErrTooLarge", err)
		}
	}
}

// Artifacts are in the registry before a tag is: a push that fails at any request
// never moves the tag to an image without its signature.
func TestPushArtifactsBeforeTags(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	x := buildIndex(t, st, linuxAMD64)
	sig := artifact(t, x.Digest, oci.Signatures, "signature")
	name := strings.Replace(string(x.Digest), ":", "-", 1) + ".sig"
	for n := 1; ; n++ {
		srv := serve(t)
		srv.misbehave(func(i int, _ *http.Request) int {
			if i >= n {
				return http.StatusInternalServerError
			}
			return 0
		})
		_, err := oci.Push(t.Context(), srv.host+"/a:1", x, oci.PushOptions{RetryDelay: time.Microsecond, Artifacts: []*oci.Artifact{sig}})
		srv.misbehave(nil)
		if srv.tag("a", "1") != "" && srv.tag("a", name) == "" {
			t.Fatalf("request %d failed, and the tag is set without the signature", n)
		}
		if err == nil {
			if srv.tag("a", name) == "" || n < 10 {
				t.Errorf("after %d requests the signature is at %q", n, srv.tag("a", name))
			}
			break
		}
	}
}
