package oci_test

import (
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/oci"
)

// A layer that is missing is found when the image is opened, or where one asks for that,
// when the layer is; in a registry always then. Either way the error says what it is.
func TestMissingLayer(t *testing.T) {
	t.Parallel()
	x := buildIndex(t, openStore(t), linuxAMD64)
	lost := x.Images[0].Layers[0].Digest
	isLost := func(at string, err error) {
		t.Helper()
		if !errors.Is(err, oci.ErrMissing) || !errors.Is(err, fs.ErrNotExist) || !strings.HasSuffix(err.Error(), "blob "+string(lost)+" is missing") {
			t.Errorf("%s: %v", at, err)
		}
	}
	dir := filepath.Join(t.TempDir(), "layout")
	check(t, oci.WriteLayout(t.Context(), dir, x, oci.LayoutOptions{}))
	check(t, os.Remove(filepath.Join(dir, "blobs/sha256", lost.Hex())))
	_, err := oci.Open(t.Context(), dir, oci.OpenOptions{})
	isLost("layout", err)

	s := serve(t)
	ref := s.host + "/a/b:1"
	_, err = oci.Push(t.Context(), ref, x, oci.PushOptions{})
	check(t, err)
	src, err := oci.Open(t.Context(), ref, oci.OpenOptions{})
	check(t, err)
	s.misbehave(func(int, *http.Request) int { return http.StatusForbidden })
	if _, err = src.Images[0].Layers[0].Open(); !strings.HasPrefix(hintOf(err), "log in to "+s.host) || errors.Is(err, oci.ErrMissing) {
		t.Errorf("a layer that one may not read: %v, hint %q", err, hintOf(err))
	}
	s.misbehave(func(_ int, r *http.Request) int {
		if strings.HasSuffix(r.URL.Path, string(lost)) {
			return http.StatusNotFound
		}
		return 0
	})
	for _, at := range []string{dir, ref} {
		src, err := oci.Open(t.Context(), at, oci.OpenOptions{MissingLayers: true})
		check(t, err)
		_, err = src.Images[0].Layers[0].Open()
		isLost(at, err)
		check(t, src.Close())
	}
}
