package sign_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/sign"
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

func mustCosign(t *testing.T, args ...string) {
	t.Helper()
	if out, err := cosign(t, args...); err != nil {
		t.Errorf("cosign %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func mustNotCosign(t *testing.T, want string, args ...string) {
	t.Helper()
	if out, err := cosign(t, args...); err == nil || !strings.Contains(out, want) {
		t.Errorf("cosign %s: %v, want %q\n%s", strings.Join(args, " "), err, want, out)
	}
}

func writeFile(t *testing.T, content []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	check(t, os.WriteFile(name, content, 0o600))
	return name
}

// cosign verifies what this package signs, with Ed25519 and with its own keys: in
// a registry, by tag and each platform by digest, and in a layout.
func TestCosignVerifiesOurs(t *testing.T) {
	t.Parallel()
	host := serve(t)
	x := image(t, "app")
	wrong := writeFile(t, stranger().public)
	for name, k := range map[string]pair{"ed25519": own(), "ecdsa": cosignPair(t)} {
		repo := host + "/example/" + name
		_, err := oci.Push(t.Context(), repo+":1", x, oci.PushOptions{})
		check(t, err)
		dir := layout(t, "app")
		signImage(t, repo+":1", k, spdx, cyclonedx, slsa)
		signImage(t, dir, k, spdx, cyclonedx, slsa)
		public := writeFile(t, k.public)
		common := []string{"--insecure-ignore-tlog", "--allow-insecure-registry", "--key"}
		for _, at := range [][]string{
			{repo + ":1"}, {repo + "@" + string(x.Digest)}, {repo + "@" + string(x.Images[0].Digest)}, {repo + "@" + string(x.Images[1].Digest)},
			{"--local-image", dir},
		} {
			mustCosign(t, slices3("verify", append(common, public), at)...)
			for _, kind := range []string{"spdx", "cyclonedx", "slsaprovenance1"} {
				mustCosign(t, slices3("verify-attestation", append(common, public, "--type", kind), at)...)
			}
		}
		for _, at := range [][]string{{repo + ":1"}, {"--local-image", dir}} {
			mustNotCosign(t, "", slices3("verify", append(common, wrong), at)...)
			mustNotCosign(t, "", slices3("verify-attestation", append(common, wrong, "--type", "spdx"), at)...)
		}
	}
}

func slices3(verb string, options, at []string) []string {
	return append(append([]string{verb}, options...), at...)
}

// What cosign signs and attests is verified here, and refused with another key: in
// a registry, and in a layout that cosign saved. What is added to it here both
// programs verify.
func TestOursVerifiesCosign(t *testing.T) {
	t.Parallel()
	ref := serve(t) + "/example/app:1"
	x := image(t, "app")
	pinned, err := oci.Push(t.Context(), ref, x, oci.PushOptions{})
	check(t, err)
	predicate := writeFile(t, []byte(predicates[spdx]))
	mustCosign(t, "sign", "--yes", "--tlog-upload=false", "--allow-insecure-registry", "--key", "testdata/cosign.key", pinned)
	mustCosign(t, "attest", "--yes", "--tlog-upload=false", "--allow-insecure-registry", "--key", "testdata/cosign.key", "--type", "spdx", "--predicate", predicate, pinned)
	dir := filepath.Join(t.TempDir(), "saved")
	mustCosign(t, "save", "--allow-insecure-registry", "--dir", dir, pinned)

	const want = `index signature: yes
index attestation Document: yes
linux/amd64 signature: yes
linux/arm64 signature: yes
linux/amd64 content: yes
linux/arm64 content: yes
`
	k := cosignPair(t)
	for _, at := range []string{ref, dir} {
		if got := rows(verify(t, at, k.signer.Verifier())); got != want {
			t.Errorf("%s\n%s", at, got)
		}
		for _, q := range verify(t, at, own().signer.Verifier()).Questions {
			if q.OK && q.Kind != "content" {
				t.Errorf("another key: %s of %s is answered with yes: %s", q.Kind, q.Subject.Name, q.Answer)
			}
		}
		signImage(t, at, own(), cyclonedx, spdx)
		if r := verify(t, at, own().signer.Verifier()); len(r.Refused()) > 0 {
			t.Errorf("signed twice: %s\n%s", at, rows(r))
		}
		for _, q := range verify(t, at, k.signer.Verifier()).Refused() { // what only the other key attested
			if q.Kind != "attestation" || !errors.Is(q.Err, sign.ErrOtherKey) {
				t.Errorf("signed twice: %s of %s: %s", q.Kind, q.Subject.Name, q.Answer)
			}
		}
	}
	public := writeFile(t, own().public)
	for _, key := range []string{"testdata/cosign.pub", public} {
		mustCosign(t, "verify", "--insecure-ignore-tlog", "--key", key, "--local-image", dir)
		mustCosign(t, "verify", "--insecure-ignore-tlog", "--allow-insecure-registry", "--key", key, ref)
	}
	mustCosign(t, "verify-attestation", "--insecure-ignore-tlog", "--key", public, "--type", "cyclonedx", "--local-image", dir)
}

// cosign signs each platform's image with --recursive.
func TestOursVerifiesCosignRecursive(t *testing.T) {
	t.Parallel()
	ref := serve(t) + "/example/app:1"
	pinned, err := oci.Push(t.Context(), ref, image(t, "app"), oci.PushOptions{})
	check(t, err)
	mustCosign(t, "sign", "--yes", "--recursive", "--tlog-upload=false", "--allow-insecure-registry", "--key", "testdata/cosign.key", pinned)
	r := verify(t, ref, cosignPair(t).signer.Verifier())
	for _, q := range r.Questions {
		if !q.OK || q.Kind == "signature" && !strings.HasPrefix(q.Answer, "signed as ") {
			t.Errorf("%s of %s: %s", q.Kind, q.Subject.Name, q.Answer)
		}
	}
}

// emptyRoot is a trusted root that trusts nobody, which a key does not need.
const emptyRoot = `{"mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1"}`

// cosign verifies the bundles that this package makes, and this package those of
// cosign, in registries of both kinds.
func TestCosignBundles(t *testing.T) {
	t.Parallel()
	root := writeFile(t, []byte(emptyRoot))
	predicate := writeFile(t, []byte(predicates[spdx]))
	verifyOptions := []string{"--new-bundle-format", "--insecure-ignore-tlog", "--allow-insecure-registry", "--trusted-root", root, "--key"}
	for _, host := range []string{serve(t), serveWith(t, true)} {
		for name, k := range map[string]pair{"ed25519": own(), "ecdsa": cosignPair(t)} {
			ref := push(t, host, name)
			signBundles(t, ref, k, spdx, cyclonedx)
			public := writeFile(t, k.public)
			x := image(t, name)
			for _, at := range []string{ref, strings.TrimSuffix(ref, ":1") + "@" + string(x.Images[0].Digest)} {
				mustCosign(t, slices3("verify", append(verifyOptions, public), []string{at})...)
				mustCosign(t, slices3("verify-attestation", append(verifyOptions, public, "--type", "spdx"), []string{at})...)
				mustNotCosign(t, "", slices3("verify", append(verifyOptions, writeFile(t, stranger().public)), []string{at})...)
			}
		}
		ref := push(t, host, "theirs")
		common := []string{"--yes", "--tlog-upload=false", "--new-bundle-format", "--allow-insecure-registry", "--key", "testdata/cosign.key"}
		mustCosign(t, slices3("attest", append(common, "--type", "spdx", "--predicate", predicate), []string{ref})...)
		k := cosignPair(t)
		refused := verify(t, ref, k.signer.Verifier()).Refused()
		if len(refused) == 0 || !errors.Is(refused[0].Err, sign.ErrNoSignature) {
			t.Errorf("an attestation alone: %v", refused)
		}
		mustCosign(t, slices3("sign", common, []string{ref})...)
		const want = "index signature: yes\nindex attestation Document: yes\nlinux/amd64 signature: yes\nlinux/arm64 signature: yes\n"
		if got := rows(verify(t, ref, k.signer.Verifier())); !strings.HasPrefix(got, want) {
			t.Error(got)
		}
		if refused := verify(t, ref, own().signer.Verifier()).Refused(); len(refused) == 0 || !errors.Is(refused[0].Err, sign.ErrOtherKey) {
			t.Errorf("another key: %v", refused)
		}
	}
}

// What cosign attests later with the same key is one more where the signature names none
// of its type, and otherwise not taken; and its signature, which names nothing, takes
// nothing back of what the other names. cosign verifies all of it.
func TestCosignAttestsBeside(t *testing.T) {
	t.Parallel()
	root := writeFile(t, []byte(emptyRoot))
	predicate := writeFile(t, []byte(`{"spdxVersion":"SPDX-2.3","n":0}`))
	k := cosignPair(t)
	for _, bundles := range []bool{false, true} {
		ref := push(t, serve(t), "app")
		attest(t, ref, k, bundles, first)
		signing := []string{"--yes", "--tlog-upload=false", "--allow-insecure-registry", "--key", "testdata/cosign.key"}
		verifying := []string{"--insecure-ignore-tlog", "--allow-insecure-registry", "--key", "testdata/cosign.pub"}
		if bundles {
			signing = append(signing, "--new-bundle-format")
			verifying = append(verifying, "--new-bundle-format", "--trusted-root", root)
		}
		for _, kind := range []string{"spdx", "cyclonedx"} {
			mustCosign(t, slices3("attest", append(signing, "--type", kind, "--predicate", predicate), []string{ref})...)
		}
		mustCosign(t, slices3("sign", signing, []string{ref})...)
		r := verify(t, ref, k.signer.Verifier())
		if len(r.Refused()) > 0 {
			t.Errorf("bundles %v:\n%s", bundles, rows(r))
		}
		var answers []string
		for _, q := range r.Questions {
			if q.Subject.Name == "index" && q.Kind == "attestation" {
				answers = append(answers, q.Answer)
			}
		}
		if got := strings.Join(answers, "\n"); strings.Count(got, "about this digest, named by the signature") != 2 ||
			strings.Count(got, "about this digest; the signature names none of this type") != 1 || strings.Count(got, "not taken: 1 more by the same signer") != 1 {
			t.Errorf("bundles %v:\n%s", bundles, got)
		}
		mustCosign(t, slices3("verify", verifying, []string{ref})...)
		for _, kind := range []string{"spdx", "slsaprovenance1", "cyclonedx"} {
			mustCosign(t, slices3("verify-attestation", append(verifying, "--type", kind), []string{ref})...)
		}
		attest(t, ref, k, bundles, second)
		if r := verify(t, ref, k.signer.Verifier()); len(r.Refused()) > 0 {
			t.Errorf("bundles %v, signed again:\n%s", bundles, rows(r))
		}
	}
}
