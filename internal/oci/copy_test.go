package oci_test

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/hardpan/hardpan/internal/oci"
)

// TestCopy carries an image and what is known about it around all places, and finds
// the same at the end.
func TestCopy(t *testing.T) {
	x := buildIndex(t, openStore(t), linuxAMD64, linuxARM64)
	attestation, err := oci.NewArtifact(x.Images[0].Digest, oci.Attestations, []oci.Document{{MediaType: "application/json", Content: []byte("{}")}})
	check(t, err)
	signature, err := oci.NewArtifact(x.Digest, oci.Signatures, []oci.Document{{MediaType: "text/plain", Content: []byte("signed")}})
	check(t, err)
	dir := t.TempDir()
	check(t, oci.WriteLayout(t.Context(), dir+"/a", x, oci.LayoutOptions{RefName: "1", Artifacts: []*oci.Artifact{attestation, signature}}))
	server := httptest.NewServer(registry.New())
	t.Cleanup(server.Close)
	host := strings.TrimPrefix(server.URL, "http://")
	from := dir + "/a"
	for _, to := range []string{dir + "/b.tar", host + "/x/y:1", "oci-archive:" + dir + "/c", "docker://" + host + "/z", "oci:" + dir + "/d"} {
		src, err := oci.Open(t.Context(), from, oci.OpenOptions{})
		check(t, err)
		written, err := oci.Copy(t.Context(), src, to, oci.CopyOptions{RefName: "1"})
		check(t, err)
		check(t, src.Close())
		copied, err := oci.Open(t.Context(), written, oci.OpenOptions{})
		check(t, err)
		if copied.Digest != x.Digest || len(copied.Images) != len(x.Images) {
			t.Errorf("%s has %s with %d images", to, copied.Digest, len(copied.Images))
		}
		for _, want := range []*oci.Artifact{attestation, signature} {
			list, err := copied.Artifacts(t.Context(), want.Subject, want.Kind)
			check(t, err)
			if len(list) != 1 || string(list[0].Documents[0].Content) != string(want.Documents[0].Content) {
				t.Errorf("%s has %d artifacts %s", to, len(list), want.Kind)
			}
		}
		check(t, copied.Close())
		from = written
	}
	before, err := os.ReadFile(filepath.Join(dir, "a", "index.json"))
	check(t, err)
	after, err := os.ReadFile(filepath.Join(dir, "d", "index.json"))
	check(t, err)
	if string(before) != string(after) {
		t.Errorf("index.json was\n%s\nand is\n%s", before, after)
	}
}

// Who writes a name alone may have meant a directory. The hint says where the image was
// to go, and how a layout is named.
func TestCopyToNameAlone(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a")
	check(t, oci.WriteLayout(t.Context(), dir, buildIndex(t, openStore(t), linuxAMD64), oci.LayoutOptions{}))
	src, err := oci.Open(t.Context(), dir, oci.OpenOptions{})
	check(t, err)
	defer src.Close()
	_, err = oci.Copy(t.Context(), src, "gap", oci.CopyOptions{Push: oci.PushOptions{Transport: refusing{}, RetryDelay: 1}})
	wantError(t, err, "cannot copy to gap: cannot push gap: ")
	if got, want := hintOf(err), "a name alone is a repository of index.docker.io; oci:gap or ./gap is a layout"; got != want {
		t.Errorf("hint %q, want %q", got, want)
	}
}
