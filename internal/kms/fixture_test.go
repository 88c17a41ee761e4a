package kms_test

import (
	"testing"

	"github.com/hardpan/hardpan/internal/oci"
	hardpansign "github.com/hardpan/hardpan/internal/sign"
)

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
