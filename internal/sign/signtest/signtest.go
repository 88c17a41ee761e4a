// Package signtest has what the tests of ways to sign share: an image to sign, and
// programs that a test is itself.
package signtest

import (
	"archive/tar"
	"bytes"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/store"
)

// Main runs the tests with their own binary in PATH as program, and where it was started
// under that name, serve. It returns the exit code.
func Main(m *testing.M, program string, serve func()) (code int) {
	if filepath.Base(os.Args[0]) == program {
		serve()
		return 0
	}
	dir, err := os.MkdirTemp("", "hardpan-test-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	self, err := os.Executable()
	if err == nil {
		err = os.Symlink(self, filepath.Join(dir, program))
	}
	if err != nil {
		panic(err)
	}
	os.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	return m.Run()
}

// Push pushes the index of images for two platforms, of one file that says text, to a
// registry of its own and returns its reference.
func Push(t testing.TB, text string) string {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	check(t, w.WriteHeader(&tar.Header{Name: "file", Mode: 0o644, Size: int64(len(text))}))
	_, err := io.WriteString(w, text)
	check(t, err)
	check(t, w.Close())
	st, err := store.Open(t.TempDir())
	check(t, err)
	d, err := st.Put(b.Bytes())
	check(t, err)
	layer := oci.Layer{Digest: d, DiffID: d, Size: int64(b.Len()), MediaType: oci.MediaLayer, Open: func() (io.ReadCloser, error) { return st.Open(d) }}
	var images []*oci.Image
	for _, architecture := range []string{"amd64", "arm64"} {
		img, err := oci.NewImage(st, oci.Config{Platform: oci.Platform{OS: "linux", Architecture: architecture}}, []oci.Layer{layer}, oci.Annotations{})
		check(t, err)
		images = append(images, img)
	}
	x, err := oci.NewIndex(st, images, oci.Annotations{})
	check(t, err)
	ref := strings.TrimPrefix(server.URL, "http://") + "/example/app:1"
	_, err = oci.Push(t.Context(), ref, x, oci.PushOptions{})
	check(t, err)
	return ref
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
