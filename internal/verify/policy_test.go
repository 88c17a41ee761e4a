package verify

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hardpan/hardpan/internal/lock"
	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/provenance"
	"github.com/hardpan/hardpan/internal/record"
	"github.com/hardpan/hardpan/internal/sign"
	"github.com/hardpan/hardpan/internal/store"
	"github.com/hardpan/hardpan/specs"
)

// public returns a public key of that number.
func public(t testing.TB, n int) []byte {
	t.Helper()
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{byte(n)}, ed25519.SeedSize)).Public()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// keys writes two public keys to files of these names, and returns the first.
func keys(t testing.TB, dir string) *sign.Verifier {
	t.Helper()
	for i, name := range []string{"ours", "theirs"} {
		if err := os.WriteFile(filepath.Join(dir, name), public(t, i), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	v, err := sign.LoadVerifier(public(t, 0))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func policy(t testing.TB, dir, text string) (*Policy, error) {
	t.Helper()
	p, err := specs.ParsePolicy(filepath.Join(dir, "policy.yaml"), []byte("apiVersion: hardpan/policy-v1\n"+text))
	if err != nil {
		t.Fatal(err)
	}
	return NewPolicy(p, nil)
}

// policed is an image for one platform that stands on another one, with its lock and
// the provenance that a runner of GitHub gave it.
func policed(t testing.TB) *examined {
	t.Helper()
	now := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	archives := []lock.Archive{
		{ID: "debian/trixie", Suite: "trixie", Date: now.AddDate(0, -1, 0), InRelease: "sha256:" + digits("1")},
		{ID: "https://example.com/debian stable", URI: "https://example.com/debian", Suite: "stable", Date: now, ValidUntil: now.AddDate(0, 0, 7), InRelease: "sha256:" + digits("2")},
	}
	l := &lock.Lock{LockVersion: lock.Version, Request: lock.Request{Distro: "debian/trixie", Platforms: []string{"linux/amd64"}}, Archives: archives}
	locked, err := l.Encode()
	if err != nil {
		t.Fatal(err)
	}
	rec := &record.Record{Format: record.Format, Name: "a", Version: "1", Platform: "linux/amd64", Created: now, Archives: archives,
		Packages: []lock.Package{
			{Name: "libssl3t64", Source: "openssl", Version: "3.5.1-1+b1", SourceVersion: "3.5.1-1", Architecture: "amd64", SHA256: digits("a")},
			{Name: "hello", Source: "hello", Version: "2.10-3", SourceVersion: "2.10-3", Architecture: "amd64", SHA256: digits("b")},
		},
		Base:   &record.Base{Reference: "registry.example.com/base/trixie:1", Digest: store.Digest("sha256:" + digits("c")), Packages: []lock.Package{{Name: "bash", Version: "5.2-1", Source: "bash", SourceVersion: "5.2-1"}}},
		Waived: []record.Waived{{Rule: "shell-present", Reason: "why not"}},
	}
	said, err := provenance.Predicate([]*record.Record{rec}, string(store.DigestOf(locked)), provenance.Builder{
		ID: "https://github.com/example/images/.github/workflows/build.yaml@refs/heads/main", Repository: "git+https://github.com/example/images@refs/heads/main", Commit: "12",
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	p := oci.Platform{OS: "linux", Architecture: "amd64"}
	img := &oci.Image{Platform: p, Digest: store.Digest("sha256:" + digits("d")), Config: oci.Config{Created: now}}
	return &examined{
		Source:   &oci.Source{Digest: img.Digest, Images: []*oci.Image{img}},
		subjects: []sign.Subject{{Name: p.String(), Digest: img.Digest, Platform: p}},
		attested: []attested{{provenance.Type: {said}, provenance.LockType: {locked}, "https://spdx.dev/Document": {[]byte("{}")}}},
		contents: make([]content, 1),
		unsigned: make([]bool, 1),
		records:  map[*oci.Image]*record.Record{img: rec},
	}
}

// answered is what was asked before: content and inputs are right.
func answered(x *examined) []sign.Question {
	return []sign.Question{{Subject: x.subjects[0], Kind: askSBOM, OK: true}, {Subject: x.subjects[0], Kind: askProvenance, OK: true}}
}

// TestDemands has single demands, and the answers for [policed].
func TestDemands(t *testing.T) {
	dir := t.TempDir()
	ours := keys(t, dir)
	by := "signers: {keys: [{name: ours, file: ours}, {name: theirs, file: theirs}]}\n"
	for _, test := range []struct{ policy, want string }{
		{"attestations: [spdx, provenance, lock]", "yes attestations: spdx, provenance, lock"},
		{"attestations: [spdx, cyclonedx, hardening]", "no attestations: not attested: cyclonedx, hardening"},
		{"builders: [{id: \"https://github.com/example/images/*\"}]", "yes builder: https://github.com/example/images/.github/workflows/build.yaml@refs/heads/main"},
		{"builders: [{id: \"https://github.com/other/*\"}]", `no builder: "https://github.com/example/images/.github/workflows/build.yaml@refs/heads/main" is no builder of the policy`},
		{"slsa-level: 1", "yes slsa-level: level 1, 1 is demanded"},
		{by + "builders: [{id: \"https://github.com/*\", level: 3, signed-by: [ours]}]\nslsa-level: 2", "yes slsa-level: level 3, 2 is demanded"},
		{by + "builders: [{id: \"https://github.com/*\", level: 3, signed-by: [theirs]}]\nslsa-level: 2", "no slsa-level: level 1, at least 2 is demanded"},
		{by + "builders: [{id: \"https://gitlab.com/*\", level: 3, signed-by: [ours]}]\nslsa-level: 2", "no slsa-level: level 1, at least 2 is demanded"},
		{"sources: [\"git+https://github.com/example/images@*\"]", "yes sources: git+https://github.com/example/images@refs/heads/main"},
		{"sources: [\"git+https://github.com/example/other@*\"]", `no sources: "git+https://github.com/example/images@refs/heads/main" is no source of the policy`},
		{"age: {image: 2d, archive: 2d, unexpired: true}", "yes age of the image: 2 days, 2 are allowed; yes age of the archive: 2 days, 2 are allowed; yes unexpired archives: 2 archives"},
		{"age: {image: 1d, archive: 1d}", "no age of the image: 2 days, at most 1 are allowed; no age of the archive: 2 days, at most 1 are allowed"},
		{"archives: [debian/*, \"https://example.com/debian stable\"]", "yes archives: debian/trixie, https://example.com/debian stable"},
		{"archives: [debian/*]", "no archives: no archive of the policy: https://example.com/debian stable"},
		{"bases: [registry.example.com/base/*]", "yes bases: registry.example.com/base/trixie:1"},
		{"bases: [scratch]", "no bases: no base of the policy: registry.example.com/base/trixie:1"},
		{"packages: {denied: [telnet], minimum: {openssl: 3.5.1-1, libssl3t64: 3.5.1-1, nowhere: \"1\"}}", "yes packages: 3 packages"},
		{"packages: {denied: [ba*]}", "no packages: bash is denied"},
		{"packages: {minimum: {openssl: 3.5.2-1, hello: \"2.11\"}}", "no packages: hello is 2.10-3, at least 2.11 is demanded; openssl is 3.5.1-1, at least 3.5.2-1 is demanded"},
		{"hardening: {waivers: [shell-present]}", "yes hardening: no waiver that the policy does not allow"},
		{"hardening: {waivers: [root-user]}", "no hardening: shell-present is waived by its spec"},
		{"platforms: [linux/amd64]", "yes platforms: linux/amd64"},
		{"platforms: [linux/amd64, linux/arm64]", "no platforms: there is no image for linux/arm64"},
		{"rebuild: true", "no rebuild: cannot be answered: nobody builds it again"},
		{by, "no signers: 0 of at least 1 have signed; not: ours, theirs"},
		{"signers: {keys: [{name: theirs, fingerprint: \"" + ours.ID() + "\"}]}", "no signers: 0 of at least 1 have signed; not: theirs"},
		{"signers: {keys: [{name: theirs, file: theirs}]}", "no signers: " + ours.ID() + " is no signer of the policy"},
		{"name: nothing", ""},
	} {
		p, err := policy(t, dir, test.policy)
		if err != nil {
			t.Fatalf("%s: %v", test.policy, err)
		}
		x := policed(t)
		o := &Options{Now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC), Policy: p}
		list, err := x.judge(t.Context(), o, ours, answered(x))
		if err != nil {
			t.Fatal(err)
		}
		if got := told(list); !strings.Contains("; "+got+";", "; "+test.want+";") {
			t.Errorf("%s: %q, want %q", test.policy, got, test.want)
		}
	}
}

// told is a report on one line.
func told(list []sign.Question) string {
	var lines []string
	for _, q := range list {
		answer := strings.TrimPrefix(q.Answer, ErrPolicy.Error()+": ")
		lines = append(lines, map[bool]string{true: "yes ", false: "no "}[q.OK]+q.Type+": "+answer)
	}
	return strings.Join(lines, "; ")
}

// everything is a policy with all demands.
const everything = `signers: {keys: [{name: ours, file: ours}]}
attestations: [spdx]
builders: [{id: "*", level: 2, signed-by: [ours]}]
slsa-level: 1
sources: ["*"]
age: {image: 1d, archive: 1d, unexpired: true}
archives: ["*"]
bases: ["*"]
packages: {denied: [x]}
hardening: {rules: [root-user]}
platforms: [linux/amd64]
rebuild: true
`

// TestUnknown holds an image that says nothing of itself against all demands: each is
// refused, but for what can be seen without.
func TestUnknown(t *testing.T) {
	dir := t.TempDir()
	ours := keys(t, dir)
	p, err := policy(t, dir, everything)
	if err != nil {
		t.Fatal(err)
	}
	x := policed(t)
	x.attested[0], x.Images[0].Config, x.records = nil, oci.Config{}, nil
	list, err := x.judge(t.Context(), &Options{Now: time.Now(), Policy: p}, ours, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != len(p.demands()) {
		t.Errorf("%d answers to %d demands", len(list), len(p.demands()))
	}
	for _, q := range list {
		if q.OK != (q.Type == "platforms") || !q.OK && !errors.Is(q.Err, ErrPolicy) {
			t.Errorf("%s: %v %s", q.Type, q.OK, q.Answer)
		}
	}
}

// TestBadKeys has policies whose keys are none.
func TestBadKeys(t *testing.T) {
	dir := t.TempDir()
	keys(t, dir)
	if err := os.WriteFile(filepath.Join(dir, "none"), []byte("no key"), 0o600); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"signers: {keys: [{name: a, file: none}]}":                                                                          "policy.yaml:2:34: signers.keys[0]: public key: ",
		"signers: {keys: [{name: a, file: ours}, {name: b, file: ours}]}":                                                   "policy.yaml:2:41: signers.keys[1]: SHA256:",
		"hardening: {rules: [root-user], waivers: [root-user, root-usre]}":                                                  `policy.yaml:2:54: hardening.waivers: `,
		"signers: {identities: [{name: a, identity: i, issuer: 'https://o'}, {name: b, identity: i, issuer: 'https://o'}]}": "signers.identities[1]: i is the identity of a, too",
	} {
		if _, err := policy(t, dir, text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error is %v, want %q", text, err, want)
		}
	}
}

// FuzzDemands feeds what a policy reads of attested documents.
func FuzzDemands(f *testing.F) {
	dir := f.TempDir()
	ours := keys(f, dir)
	// Hardening is judged by layers alone.
	p, err := policy(f, dir, strings.Replace(everything, "hardening", "# ", 1))
	if err != nil {
		f.Fatal(err)
	}
	x := policed(f)
	f.Add(x.attested[0][provenance.Type][0], x.attested[0][provenance.LockType][0])
	f.Fuzz(func(t *testing.T, said, locked []byte) {
		x := policed(t)
		x.attested[0] = attested{provenance.Type: {said}, provenance.LockType: {locked}}
		list, err := x.judge(context.Background(), &Options{Now: time.Unix(0, 0), Policy: p}, ours, answered(x))
		if err != nil || len(list) != len(p.demands())-1 {
			t.Errorf("%d answers, %v", len(list), err)
		}
	})
}
