package kms_test

import (
	"archive/tar"
	"bytes"
	"io"
	"log"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/hardpan/hardpan/internal/oci"
	hardpansign "github.com/hardpan/hardpan/internal/sign"
	"github.com/hardpan/hardpan/internal/store"
)

// push pushes an image of one file to a registry of its own and returns its reference.
func push(t testing.TB, text string) string {
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
	img, err := oci.NewImage(st, oci.Config{Platform: oci.Platform{OS: "linux", Architecture: "amd64"}}, []oci.Layer{{
		Digest: d, DiffID: d, Size: int64(b.Len()), MediaType: oci.MediaLayer, Open: func() (io.ReadCloser, error) { return st.Open(d) },
	}}, oci.Annotations{})
	check(t, err)
	x, err := oci.NewIndex(st, []*oci.Image{img}, oci.Annotations{})
	check(t, err)
	ref := strings.TrimPrefix(server.URL, "http://") + "/example/app:1"
	_, err = oci.Push(t.Context(), ref, x, oci.PushOptions{})
	check(t, err)
	return ref
}

// sign signs an image where it is.
func sign(t testing.TB, ref string, signer *hardpansign.Signer) error {
	t.Helper()
	src, err := oci.Open(t.Context(), ref, oci.OpenOptions{})
	check(t, err)
	defer src.Close()
	artifacts, err := hardpansign.NewSet(src, signer, src.Repository).Artifacts(t.Context())
	if err != nil {
		return err
	}
	return src.Attach(t.Context(), artifacts)
}

func attach(t testing.TB, ref string, signer *hardpansign.Signer) {
	t.Helper()
	check(t, sign(t, ref, signer))
}

// verify returns what a key does not vouch for.
func verify(t testing.TB, ref string, v *hardpansign.Verifier) []hardpansign.Question {
	t.Helper()
	src, err := oci.Open(t.Context(), ref, oci.OpenOptions{})
	check(t, err)
	defer src.Close()
	r, err := hardpansign.Verify(t.Context(), src, v)
	check(t, err)
	return r.Refused()
}
