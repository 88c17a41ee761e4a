package keyless_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/keyless"
	"github.com/hardpan/hardpan/internal/keyless/keylesstest"
	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/sign"
	"github.com/hardpan/hardpan/internal/sign/signtest"
)

// mustCosign runs the cosign program.
func mustCosign(t *testing.T, args ...string) {
	t.Helper()
	if out, err := cosign(t, args...); err != nil {
		t.Fatalf("cosign %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func file(t *testing.T, content []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	check(t, os.WriteFile(name, content, 0o600))
	return name
}

// What cosign signs and attests for an identity under its tags, which is what it does
// where no bundles are asked for, is verified in the registry, in a copy and in a layout
// that cosign saved: of an index and of each platform's image, with a log, with
// timestamps and with both.
func TestCosignTags(t *testing.T) {
	t.Parallel()
	a := authority(t)
	root, token := file(t, a.Root), file(t, []byte(keylesstest.Token(email, issuer)))
	predicate := file(t, []byte(`{"spdxVersion":"SPDX-2.3"}`))
	for _, c := range []struct {
		name  string
		flags []string
		roots [][]byte
		not   []byte // a root that this is too little for
	}{
		{"log", nil, [][]byte{a.Root}, a.TimestampRoot},
		{"timestamp", []string{"--tlog-upload=false", "--timestamp-server-url", a.Timestamp}, [][]byte{a.TimestampRoot}, a.Root},
		{"both", []string{"--timestamp-server-url", a.Timestamp}, [][]byte{a.Root, a.TimestampRoot}, nil},
	} {
		ref := signtest.Push(t, c.name)
		common := append([]string{"--yes", "--allow-insecure-registry", "--fulcio-url", a.Fulcio, "--rekor-url", a.Rekor, "--trusted-root", root, "--identity-token", token}, c.flags...)
		mustCosign(t, slices.Concat([]string{"sign", "--recursive"}, common, []string{ref})...)
		attest := slices.Concat([]string{"attest", "--predicate", predicate}, common)
		mustCosign(t, slices.Concat(attest, []string{"--type", "spdxjson", ref})...)
		mustCosign(t, slices.Concat(attest, []string{"--type", "cyclonedx", "--rekor-entry-type", "intoto", ref})...)
		places, saved := []string{ref}, filepath.Join(t.TempDir(), "saved")
		if c.not == nil { // the other places of one are enough
			mustCosign(t, "save", "--allow-insecure-registry", "--dir", saved, ref)
			src, err := oci.Open(t.Context(), ref, oci.OpenOptions{})
			check(t, err)
			copied, err := oci.Copy(t.Context(), src, filepath.Join(t.TempDir(), "copy.tar"), oci.CopyOptions{})
			check(t, err)
			check(t, src.Close())
			places = append(places, saved, copied)
		}
		requests := a.Requests()
		for _, at := range places {
			for _, r := range c.roots {
				counts := map[string]int{}
				for _, q := range verified(t, at, ci, r).Questions {
					if !q.OK || q.Kind == "signature" && !strings.HasPrefix(q.Answer, "signed by ci@example.com of https://issuer.example.com at 2") &&
						(at != saved || q.Subject.Name == sign.IndexName) { // cosign saves the signatures of the index
						t.Errorf("%s: %s: %s of %s: %s", c.name, at, q.Kind, q.Subject.Name, q.Answer)
					}
					counts[q.Kind]++
				}
				if counts["signature"] != 3 || counts["attestation"] != 2 {
					t.Errorf("%s: %s: answers %v", c.name, at, counts)
				}
			}
		}
		for _, refusal := range []struct {
			who  keyless.Identity
			root []byte
		}{{keyless.Identity{Name: "other@example.com", Issuer: issuer}, c.roots[0]}, {keyless.Identity{Name: email, Issuer: "https://other.example.com"}, c.roots[0]}, {ci, c.not}} {
			if refusal.root == nil {
				continue
			}
			for _, q := range verified(t, ref, refusal.who, refusal.root).Questions {
				if q.OK && q.Kind != "content" && !strings.HasPrefix(q.Answer, "none of its own") {
					t.Errorf("%s: %s of %s is believed: %s", c.name, q.Kind, q.Subject.Name, q.Answer)
				}
			}
		}
		if n := a.Requests() - requests; n != 0 {
			t.Errorf("%s: verification made %d requests", c.name, n)
		}
	}
}

// What cosign signs with a key and records in a log is verified with the key, and is
// nobody's who has none.
func TestCosignKeyWithLog(t *testing.T) {
	t.Parallel()
	a := authority(t)
	ref := signtest.Push(t, "keyed")
	predicate := file(t, []byte(`{}`))
	common := []string{"--yes", "--allow-insecure-registry", "--rekor-url", a.Rekor, "--key", "../sign/testdata/cosign.key"}
	mustCosign(t, slices.Concat([]string{"sign"}, common, []string{ref})...)
	mustCosign(t, slices.Concat([]string{"attest", "--type", "spdxjson", "--predicate", predicate}, common, []string{ref})...)
	public, err := os.ReadFile("../sign/testdata/cosign.pub")
	check(t, err)
	key, err := sign.LoadVerifier(public)
	check(t, err)
	src, err := oci.Open(t.Context(), ref, oci.OpenOptions{})
	check(t, err)
	defer src.Close()
	signatures, err := src.Artifacts(t.Context(), src.Digest, oci.Signatures)
	check(t, err)
	if signatures[0].Documents[0].Annotations[noteEntry] == "" {
		t.Error("cosign has not recorded it in the log")
	}
	r, err := sign.Verify(t.Context(), src, key)
	check(t, err)
	for _, q := range r.Questions {
		if !q.OK {
			t.Errorf("%s of %s: %s", q.Kind, q.Subject.Name, q.Answer)
		}
	}
	refused := verified(t, ref, ci, a.Root).Refused()
	if len(refused) != 4 || !strings.HasSuffix(refused[0].Answer, "it is signed with a key, and no certificate says whose that is") {
		t.Errorf("without the key: %v", refused)
	}
}
