package sign_test

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/sign"
)

const allYes = `index signature: yes
index attestation bom: yes
index attestation Document: yes
linux/amd64 signature: yes
linux/amd64 attestation bom: yes
linux/amd64 attestation Document: yes
linux/arm64 signature: yes
linux/arm64 attestation bom: yes
linux/arm64 attestation Document: yes
linux/amd64 content: yes
linux/arm64 content: yes
`

// What a key signed, it verifies: in a layout and in a registry.
func TestSigned(t *testing.T) {
	t.Parallel()
	host := serve(t)
	ref := host + "/example/app:1"
	_, err := oci.Push(t.Context(), ref, image(t, "app"), oci.PushOptions{})
	check(t, err)
	for _, k := range []pair{own(), cosignPair(t)} {
		for _, at := range []string{layout(t, "app"), ref} {
			signImage(t, at, k, spdx, cyclonedx)
			r := verify(t, at, k.signer.Verifier())
			if got := rows(r); got != allYes || len(r.Refused()) > 0 {
				t.Errorf("%s\n%s", at, got)
			}
			for _, q := range r.Questions {
				if q.Type != "" && !sameJSON(t, q.Predicate, predicates[q.Type]) {
					t.Errorf("predicate %s, want %s", q.Predicate, predicates[q.Type])
				}
			}
		}
	}
}

// A signed layout in one file is verified without unpacking it.
func TestSignedArchive(t *testing.T) {
	t.Parallel()
	dir := layout(t, "app")
	signImage(t, dir, own(), spdx, cyclonedx)
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	check(t, w.AddFS(os.DirFS(dir)))
	check(t, w.Close())
	file := filepath.Join(t.TempDir(), "image.tar")
	check(t, os.WriteFile(file, b.Bytes(), 0o644))
	if got := rows(verify(t, file, own().signer.Verifier())); got != allYes {
		t.Error(got)
	}
}

// In a registry, too, each refusal has its message, and a registry that fails is an
// error and no answer.
func TestRefusedInRegistry(t *testing.T) {
	t.Parallel()
	host := serve(t)
	x, other := image(t, "app"), image(t, "other")
	ref := host + "/example/app:"
	for tag, x := range map[string]*oci.Index{"1": x, "2": other} {
		_, err := oci.Push(t.Context(), ref+tag, x, oci.PushOptions{})
		check(t, err)
		signImage(t, ref+tag, own(), spdx, cyclonedx)
	}
	tagOf := func(x *oci.Index, kind string) name.Tag {
		tag, err := name.NewTag(ref + strings.Replace(string(x.Digest), ":", "-", 1) + "." + kind)
		check(t, err)
		return tag
	}
	for _, c := range []struct {
		kind string
		err  error
	}{{"att", sign.ErrSubject}, {"sig", sign.ErrReplayed}} {
		got, err := remote.Get(tagOf(other, c.kind))
		check(t, err)
		check(t, remote.Tag(tagOf(x, c.kind), got))
		refused := verify(t, ref+"1", own().signer.Verifier()).Refused()
		if len(refused) == 0 || !errors.Is(refused[0].Err, c.err) {
			t.Errorf("with the .%s of another image: %v, want %v", c.kind, refused, c.err)
		}
	}
	// Signed again, what the key said of the other is no longer there.
	signImage(t, ref+"1", own(), spdx, cyclonedx)
	if refused := verify(t, ref+"1", own().signer.Verifier()).Refused(); len(refused) > 0 {
		t.Errorf("signed again: %v", refused)
	}
	check(t, remote.Delete(tagOf(x, "sig")))
	refused := verify(t, ref+"1", own().signer.Verifier()).Refused()
	if len(refused) == 0 || !errors.Is(refused[0].Err, sign.ErrNoSignature) {
		t.Errorf("without signature: %v", refused)
	}
	src, err := oci.Open(t.Context(), ref+"2", oci.OpenOptions{})
	check(t, err)
	defer src.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if r, err := sign.Verify(ctx, src, own().signer.Verifier()); err == nil || r != nil {
		t.Errorf("report %v and error %v of a registry that does not answer", r, err)
	}
}

// sameJSON compares but for white space: numbers keep their digits.
func sameJSON(t testing.TB, got []byte, want string) bool {
	t.Helper()
	var g, w bytes.Buffer
	check(t, json.Compact(&g, got))
	check(t, json.Compact(&w, []byte(want)))
	return g.String() == w.String()
}

// With an Ed25519 key the signed layout is the same bytes, however often and in
// whatever steps it is signed, and what is not of the image stays.
func TestDeterministic(t *testing.T) {
	t.Parallel()
	one, two := layout(t, "app"), layout(t, "app")
	signImage(t, one, own(), spdx, cyclonedx, slsa)
	want := sumOf(t, one)
	signImage(t, one, own(), spdx, cyclonedx, slsa)
	signImage(t, one, own())
	signImage(t, one, own(), slsa)
	signImage(t, two, own(), slsa)
	signImage(t, two, own(), cyclonedx, spdx)
	for _, dir := range []string{one, two} {
		if got := sumOf(t, dir); got != want {
			t.Errorf("%s differs from the layout that was signed once\n%s", dir, readFile(t, filepath.Join(dir, "index.json")))
		}
	}
}

// Signatures of other keys stay, this key's are replaced.
func TestSeveralKeys(t *testing.T) {
	t.Parallel()
	dir := layout(t, "app")
	for _, k := range []pair{own(), stranger(), cosignPair(t), own(), cosignPair(t)} {
		signImage(t, dir, k, spdx)
	}
	for _, k := range []pair{own(), stranger(), cosignPair(t)} {
		if r := verify(t, dir, k.signer.Verifier()); len(r.Refused()) > 0 {
			t.Errorf("refused:\n%s", rows(r))
		}
	}
	for _, kind := range []string{"sig", "att"} {
		if n := len(documents(t, dir, string(image(t, "app").Digest), kind)); n != 3 {
			t.Errorf("%d documents are .%s, want one of each key", n, kind)
		}
	}
}

// Everything that is wrong is refused with a message of its own, and nothing else is.
func TestRefused(t *testing.T) {
	t.Parallel()
	x := image(t, "app")
	index, amd64 := string(x.Digest), string(x.Images[0].Digest)
	other := layout(t, "other")
	signImage(t, other, own(), spdx, cyclonedx)
	otherIndex := string(image(t, "other").Digest)
	forged := layout(t, "app") // of this image, with another key
	signImage(t, forged, stranger(), spdx, cyclonedx)
	damage := func(b []byte) []byte { b[len(b)/2] ^= 1; return b }
	replace := func(old, new string) func([]byte) []byte {
		return func(b []byte) []byte {
			if !bytes.Contains(b, []byte(old)) {
				t.Errorf("%s has no %s", b, old)
			}
			return bytes.Replace(b, []byte(old), []byte(new), 1)
		}
	}
	for _, c := range []struct {
		name   string
		change func(t *testing.T, dir string)
		errs   []error // one of each refused question
		want   string  // in the first refusal
	}{
		{"nothing", func(*testing.T, string) {}, nil, ""},
		{"no signature of the index", func(t *testing.T, dir string) { removeArtifact(t, dir, index, "sig") },
			[]error{sign.ErrNoSignature}, "no signature: nothing is signed for " + index},
		{"signature of another key", func(t *testing.T, dir string) { takeDocuments(t, dir, index, forged, index, "sig") },
			[]error{sign.ErrOtherKey}, "not signed with this key: it is of the key \"" + stranger().signer.Verifier().ID()},
		{"signature of another image", func(t *testing.T, dir string) { takeDocuments(t, dir, index, other, otherIndex, "sig") },
			[]error{sign.ErrReplayed}, "signature of another image: it is of " + otherIndex},
		{"signature of the index on a platform", func(t *testing.T, dir string) { takeDocuments(t, dir, amd64, dir, index, "sig") },
			[]error{sign.ErrReplayed}, "signature of another image: it is of " + index},
		{"payload says another digest", func(t *testing.T, dir string) {
			changeDocument(t, dir, index, "sig", replace(index, otherIndex))
		}, []error{sign.ErrTampered}, "changed after it was signed"},
		{"payload is not JSON", func(t *testing.T, dir string) { changeDocument(t, dir, index, "sig", replace("{", "[")) },
			[]error{sign.ErrDamaged}, "damaged document: neither JSON"},
		{"payload changed on disk", func(t *testing.T, dir string) {
			damageFile(t, blobFile(dir, documents(t, dir, index, "sig")[0].(doc)["digest"].(string)))
		}, []error{sign.ErrDamaged}, "has digest sha256:"},
		{"payload is gone", func(t *testing.T, dir string) {
			check(t, os.Remove(blobFile(dir, documents(t, dir, index, "sig")[0].(doc)["digest"].(string))))
		}, []error{sign.ErrDamaged}, "is missing"},
		{"signature is not base64", func(t *testing.T, dir string) {
			changeArtifact(t, dir, index, "sig", func(m doc) {
				m["layers"].([]any)[0].(doc)["annotations"] = doc{"dev.cosignproject.cosign/signature": "%"}
			})
		}, []error{sign.ErrDamaged}, "is no signature in base64"},
		{"signature is none", func(t *testing.T, dir string) {
			changeArtifact(t, dir, index, "sig", func(m doc) { delete(m["layers"].([]any)[0].(doc), "annotations") })
		}, []error{sign.ErrDamaged}, "is no signature in base64"},
		{"signature bit", func(t *testing.T, dir string) {
			changeArtifact(t, dir, index, "sig", func(m doc) {
				a := m["layers"].([]any)[0].(doc)["annotations"].(doc)
				raw, err := base64.StdEncoding.DecodeString(a["dev.cosignproject.cosign/signature"].(string))
				check(t, err)
				a["dev.cosignproject.cosign/signature"] = base64.StdEncoding.EncodeToString(damage(raw))
			})
		}, []error{sign.ErrTampered}, "changed after it was signed"},
		{"attestation as signature", func(t *testing.T, dir string) {
			takeDocuments(t, dir, index, dir, index, "att")
			swapKind(t, dir, index)
		},
			[]error{sign.ErrDamaged, sign.ErrDamaged}, "its media type is \"application/vnd.dsse.envelope.v1+json\""},
		{"manifest is no manifest", func(t *testing.T, dir string) {
			changeArtifact(t, dir, index, "sig", func(m doc) { clear(m); m["schemaVersion"] = 2; m["layers"] = "x" })
		}, []error{sign.ErrDamaged}, "damaged document"},

		{"attestation of another key", func(t *testing.T, dir string) { takeDocuments(t, dir, index, forged, index, "att") },
			[]error{sign.ErrOtherKey, sign.ErrOtherKey}, "not signed with this key"},
		{"attestation about another image", func(t *testing.T, dir string) { takeDocuments(t, dir, index, other, otherIndex, "att") },
			[]error{sign.ErrSubject, sign.ErrSubject}, "attestation about another image: it is about " + otherIndex},
		{"attestations swapped between platform and index", func(t *testing.T, dir string) { takeDocuments(t, dir, amd64, dir, index, "att") },
			[]error{sign.ErrSubject, sign.ErrSubject}, "attestation about another image: it is about " + index},
		{"attestations stripped", func(t *testing.T, dir string) { removeArtifact(t, dir, amd64, "att") },
			[]error{sign.ErrStripped, sign.ErrStripped}, "attestation is missing: the signature says that the image has one of type " + cyclonedx},
		{"attestations and signature of a platform stripped", func(t *testing.T, dir string) {
			removeArtifact(t, dir, amd64, "att")
			removeArtifact(t, dir, amd64, "sig")
		}, []error{sign.ErrStripped, sign.ErrStripped}, "attestation is missing"},
		{"one attestation stripped", func(t *testing.T, dir string) {
			changeArtifact(t, dir, index, "att", func(m doc) { m["layers"] = m["layers"].([]any)[:1] })
		}, []error{sign.ErrStripped}, spdx},
		{"statement changed", func(t *testing.T, dir string) {
			changeDocument(t, dir, index, "att", func(b []byte) []byte {
				var e doc
				check(t, json.Unmarshal(b, &e))
				body, err := base64.StdEncoding.DecodeString(e["payload"].(string))
				check(t, err)
				e["payload"] = base64.StdEncoding.EncodeToString(replace("1.6", "1.5")(body))
				return mustJSON(t, e)
			})
		}, []error{sign.ErrTampered}, "changed after it was signed"},
		{"payload type changed", func(t *testing.T, dir string) {
			changeDocument(t, dir, index, "att", replace("application/vnd.in-toto+json", "application/vnd.in-toto+jsox"))
		}, []error{sign.ErrTampered}, "changed after it was signed"},
		{"envelope without signatures", func(t *testing.T, dir string) {
			changeDocument(t, dir, index, "att", func(b []byte) []byte {
				var e doc
				check(t, json.Unmarshal(b, &e))
				e["signatures"] = []any{}
				return mustJSON(t, e)
			})
		}, []error{sign.ErrDamaged}, "the envelope has no signature"},
		{"envelope with many signatures", func(t *testing.T, dir string) {
			changeDocument(t, dir, index, "att", func(b []byte) []byte {
				var e doc
				check(t, json.Unmarshal(b, &e))
				e["signatures"] = slices.Repeat(e["signatures"].([]any), 33)
				return mustJSON(t, e)
			})
		}, []error{sign.ErrDamaged}, "the envelope has 33 signatures, at most 32 are read"},
		{"predicate type annotated wrongly", func(t *testing.T, dir string) {
			changeArtifact(t, dir, index, "att", func(m doc) {
				m["layers"].([]any)[0].(doc)["annotations"].(doc)["predicateType"] = slsa
			})
		}, []error{sign.ErrDamaged, sign.ErrStripped}, "annotation predicateType says"},

		{"layer changed on disk", func(t *testing.T, dir string) { damageFile(t, blobFile(dir, string(x.Images[0].Layers[1].Digest))) },
			[]error{sign.ErrContent}, "damaged image: content does not match its descriptor: blob " + string(x.Images[0].Layers[1].Digest)},
		{"layer of both platforms changed on disk", func(t *testing.T, dir string) { damageFile(t, blobFile(dir, string(x.Images[0].Layers[0].Digest))) },
			[]error{sign.ErrContent, sign.ErrContent}, "damaged image"},
		{"layer missing on disk", func(t *testing.T, dir string) {
			check(t, os.Remove(blobFile(dir, string(x.Images[0].Layers[1].Digest))))
		},
			[]error{sign.ErrContent}, "damaged image: cannot read layer " + string(x.Images[0].Layers[1].Digest) + ": blob " + string(x.Images[0].Layers[1].Digest) + " is missing"},
		{"layer cut on disk", func(t *testing.T, dir string) {
			check(t, os.Truncate(blobFile(dir, string(x.Images[0].Layers[1].Digest)), 7))
		}, []error{sign.ErrContent}, "damaged image: cannot read layer " + string(x.Images[0].Layers[1].Digest) + ": content does not match its descriptor: blob "},
		{"payload missing on disk", func(t *testing.T, dir string) {
			check(t, os.Remove(blobFile(dir, documents(t, dir, index, "sig")[0].(doc)["digest"].(string))))
		}, []error{sign.ErrDamaged}, " is missing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := layout(t, "app")
			signImage(t, dir, own(), spdx, cyclonedx)
			c.change(t, dir)
			refused := verify(t, dir, own().signer.Verifier()).Refused()
			if len(refused) != len(c.errs) {
				t.Fatalf("%d questions are refused, want %d: %v", len(refused), len(c.errs), refused)
			}
			for i, q := range refused {
				if !errors.Is(q.Err, c.errs[i]) {
					t.Errorf("refusal %d: %s; want %v", i, q.Answer, c.errs[i])
				}
				if strings.Contains(q.Answer, "\n") {
					t.Errorf("refusal %q has more than one line", q.Answer)
				}
			}
			if len(refused) > 0 && !strings.Contains(refused[0].Answer, c.want) {
				t.Errorf("refused with %q, want %q", refused[0].Answer, c.want)
			}
		})
	}
}

// swapKind makes the attestations of subject its signatures too.
func swapKind(t *testing.T, dir, subject string) {
	t.Helper()
	layers := documents(t, dir, subject, "att")
	changeArtifact(t, dir, subject, "sig", func(m doc) { m["layers"] = layers })
	changeArtifact(t, dir, subject, "att", func(m doc) { layers[0].(doc)["mediaType"] = "text/plain"; m["layers"] = layers })
}

func damageFile(t testing.TB, name string) {
	t.Helper()
	b := readFile(t, name)
	b[len(b)/2] ^= 1
	check(t, os.WriteFile(name, b, 0o644))
}

// A changed or missing config or manifest keeps the image from being opened.
func TestChangedDocuments(t *testing.T) {
	t.Parallel()
	x := image(t, "app")
	for _, digest := range []string{string(x.Digest), string(x.Images[0].Digest), string(x.Images[1].ConfigDigest)} {
		dir := layout(t, "app")
		signImage(t, dir, own())
		damageFile(t, blobFile(dir, digest))
		if src, err := oci.Open(t.Context(), dir, oci.OpenOptions{MissingLayers: true}); !errors.Is(err, oci.ErrMismatch) {
			t.Errorf("%s changed: opened %v with error %v", digest, src, err)
		}
		check(t, os.Remove(blobFile(dir, digest)))
		if src, err := oci.Open(t.Context(), dir, oci.OpenOptions{MissingLayers: true}); !errors.Is(err, oci.ErrMissing) {
			t.Errorf("%s removed: opened %v with error %v", digest, src, err)
		}
	}
}

// Predicates that nobody could verify are refused when they are given.
func TestAttestRefused(t *testing.T) {
	t.Parallel()
	src, err := oci.Open(t.Context(), layout(t, "app"), oci.OpenOptions{})
	check(t, err)
	defer src.Close()
	set := sign.NewSet(src, own().signer, "")
	for _, c := range []struct{ subject, predicate, want string }{
		{"linux/s390x", "{}", "cannot attest " + spdx + ": the image has no linux/s390x"},
		{"index", "{", "cannot attest " + spdx + ": the predicate is not JSON"},
	} {
		if err := set.Attest(c.subject, spdx, []byte(c.predicate)); err == nil || err.Error() != c.want {
			t.Errorf("error %v, want %s", err, c.want)
		}
	}
	for _, kind := range []string{"", "spdxx", "a b", "https://"} {
		if uri, err := sign.PredicateType(kind); err == nil {
			t.Errorf("%q is the predicate type %s", kind, uri)
		}
	}
	for kind, want := range map[string]string{"spdx": spdx, "cyclonedx": cyclonedx, "slsaprovenance1": slsa, "https://example.com/a/v1": "https://example.com/a/v1", "urn:a:b": "urn:a:b"} {
		if uri, err := sign.PredicateType(kind); err != nil || uri != want {
			t.Errorf("%q is the predicate type %s, %v", kind, uri, err)
		}
	}
}
