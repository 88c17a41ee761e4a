package keyless_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/keyless"
	"github.com/hardpan/hardpan/internal/keyless/keylesstest"
	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/sign"
	"github.com/hardpan/hardpan/internal/sign/signtest"
)

// cosign runs the cosign program, of version 2, and returns what it prints.
func cosign(t *testing.T, args ...string) (string, error) {
	t.Helper()
	program, err := exec.LookPath("cosign")
	if err != nil {
		t.Skip("SKIPPED: needs the cosign program in PATH, which the network has: go install github.com/sigstore/cosign/v2/cmd/cosign@v2.6.5, and have it in PATH")
	}
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Env = append(os.Environ(), "COSIGN_PASSWORD=s3cret", "HOME="+t.TempDir(), "DOCKER_CONFIG="+t.TempDir())
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// verified returns the report on an image for an identity.
func verified(t *testing.T, ref string, who keyless.Identity, root []byte) *sign.Report {
	t.Helper()
	j, err := keyless.NewJudge(who, root)
	check(t, err)
	src, err := oci.Open(t.Context(), ref, oci.OpenOptions{})
	check(t, err)
	defer src.Close()
	r, err := sign.Verify(t.Context(), src, sign.NewIdentityVerifier(j))
	check(t, err)
	return r
}

// cosign verifies what this package signs and this package what cosign signs, and each
// refuses another identity.
func TestCosign(t *testing.T) {
	t.Parallel()
	a := authority(t)
	root, token := filepath.Join(t.TempDir(), "root.json"), filepath.Join(t.TempDir(), "token")
	check(t, os.WriteFile(root, a.Root, 0o600))
	check(t, os.WriteFile(token, []byte(keylesstest.Token(email, issuer)), 0o600))
	predicate := filepath.Join(t.TempDir(), "predicate")
	check(t, os.WriteFile(predicate, []byte(`{"spdxVersion":"SPDX-2.3"}`), 0o600))

	ours := signtest.Push(t, "ours")
	src, err := oci.Open(t.Context(), ours, oci.OpenOptions{})
	check(t, err)
	defer src.Close()
	signer, err := keyless.NewSigner(services(a), keyless.TokenFrom(token, os.Getenv), a.Root)
	check(t, err)
	set := sign.NewSet(src, sign.NewCertifiedSigner(signer), src.Repository)
	check(t, set.Attest("", "https://spdx.dev/Document", []byte(`{"spdxVersion":"SPDX-2.3"}`)))
	artifacts, err := set.Artifacts(t.Context())
	check(t, err)
	check(t, src.Attach(t.Context(), artifacts))

	theirs := signtest.Push(t, "theirs")
	config := filepath.Join(t.TempDir(), "signing.json")
	service := func(url string) string {
		return fmt.Sprintf(`[{"url": %q, "majorApiVersion": 1, "validFor": {"start": "2020-01-01T00:00:00Z"}, "operator": "test"}]`, url)
	}
	check(t, os.WriteFile(config, []byte(`{"mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json", "caUrls": `+service(a.Fulcio)+`, "rekorTlogUrls": `+service(a.Rekor)+
		`, "rekorTlogConfig": {"selector": "ANY"}, "tsaUrls": `+service(a.Timestamp)+`, "tsaConfig": {"selector": "ANY"}}`), 0o600))
	common := []string{"--yes", "--new-bundle-format", "--allow-insecure-registry", "--signing-config", config, "--trusted-root", root, "--identity-token", token}
	for _, args := range [][]string{{"sign"}, {"attest", "--type", "spdxjson", "--predicate", predicate}} {
		if out, err := cosign(t, append(append(args, common...), theirs)...); err != nil {
			t.Fatalf("cosign %s: %v\n%s", args[0], err, out)
		}
	}
	for _, ref := range []string{ours, theirs} {
		for _, q := range verified(t, ref, ci, a.Root).Questions {
			if !q.OK {
				t.Errorf("%s: %s of %s: %s", ref, q.Kind, q.Subject.Name, q.Answer)
			}
		}
		refused := verified(t, ref, keyless.Identity{Name: "other@example.com", Issuer: issuer}, a.Root).Refused()
		if len(refused) == 0 || !strings.Contains(refused[0].Answer, `it is signed by "ci@example.com", expected "other@example.com"`) {
			t.Errorf("%s: another identity: %v", ref, refused)
		}
		for _, verb := range [][]string{{"verify"}, {"verify-attestation", "--type", "spdxjson"}} {
			args := append(verb, "--new-bundle-format", "--allow-insecure-registry", "--trusted-root", root, "--certificate-oidc-issuer", issuer, "--certificate-identity")
			if out, err := cosign(t, append(args, email, ref)...); err != nil {
				t.Errorf("cosign %s %s: %v\n%s", verb, ref, err, out)
			}
			if out, err := cosign(t, append(args, "other@example.com", ref)...); err == nil {
				t.Errorf("cosign %s %s believes another identity\n%s", verb, ref, out)
			}
		}
	}
}
