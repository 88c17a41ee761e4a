package sign_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/sign"
)

// push pushes the image that says text and returns its reference.
func push(t testing.TB, host, text string) string {
	t.Helper()
	ref := host + "/example/" + text + ":1"
	_, err := oci.Push(t.Context(), ref, image(t, text), oci.PushOptions{})
	check(t, err)
	return ref
}

// Bundles verify in registries of both kinds and in layouts, and a copy of them does.
func TestBundles(t *testing.T) {
	t.Parallel()
	far := serve(t)
	for _, k := range []pair{own(), cosignPair(t)} {
		for i, at := range []string{push(t, serveWith(t, true), "app"), push(t, serve(t), "app"), layout(t, "app")} {
			signBundles(t, at, k, spdx, cyclonedx)
			archive := filepath.Join(t.TempDir(), "image.tar")
			dir := filepath.Join(t.TempDir(), "copy")
			copies := []string{at}
			for _, to := range []string{archive, "oci:" + dir, far + "/copies/" + string(rune('a'+i)) + ":1"} {
				src, err := oci.Open(t.Context(), copies[len(copies)-1], oci.OpenOptions{})
				check(t, err)
				_, err = oci.Copy(t.Context(), src, to, oci.CopyOptions{RefName: "1"})
				check(t, err)
				src.Close()
				copies = append(copies, to)
			}
			for _, at := range copies {
				if r := verify(t, at, k.signer.Verifier()); rows(r) != allYes || len(r.Refused()) > 0 {
					t.Errorf("%s\n%s", at, rows(r))
				}
				for _, q := range verify(t, at, stranger().signer.Verifier()).Questions {
					if q.OK && q.Kind != "content" {
						t.Errorf("%s: another key: %s of %s: %s", at, q.Kind, q.Subject.Name, q.Answer)
					}
				}
			}
		}
	}
}

// With an Ed25519 key the layout with bundles is the same bytes from run to run, and
// what one form of signature says stands beside the other.
func TestBundlesDeterministic(t *testing.T) {
	t.Parallel()
	one, two := layout(t, "app"), layout(t, "app")
	signBundles(t, one, own(), spdx, cyclonedx)
	signBundles(t, one, own(), cyclonedx, spdx)
	signBundles(t, two, own(), cyclonedx, spdx)
	if sumOf(t, one) != sumOf(t, two) {
		t.Errorf("differs\n%s\n%s", readFile(t, one+"/index.json"), readFile(t, two+"/index.json"))
	}
	signImage(t, one, own(), spdx, slsa)
	if r := verify(t, one, own().signer.Verifier()); len(r.Refused()) > 0 {
		t.Errorf("in both forms:\n%s", rows(r))
	}
}

// bundleFiles returns the files of the bundles about subject in a layout, by predicate
// type, and takes the others' entries out of index.json with keep.
func bundleFiles(t testing.TB, dir string) map[string][]string {
	t.Helper()
	files := map[string][]string{}
	var index struct {
		Manifests []struct{ Digest, ArtifactType string }
	}
	check(t, json.Unmarshal(readFile(t, filepath.Join(dir, "index.json")), &index))
	for _, d := range index.Manifests {
		if d.ArtifactType == "" {
			continue
		}
		var m struct {
			Annotations map[string]string
			Subject     struct{ Digest string }
		}
		check(t, json.Unmarshal(readFile(t, blobFile(dir, d.Digest)), &m))
		key := m.Subject.Digest + " " + m.Annotations["dev.sigstore.bundle.predicateType"]
		files[key] = append(files[key], d.Digest)
	}
	return files
}

// drop removes entries from a layout's index.json.
func drop(t testing.TB, dir string, digests ...string) {
	t.Helper()
	index := readDoc(t, filepath.Join(dir, "index.json"))
	var kept []any
	for _, d := range index["manifests"].([]any) {
		if !strings.Contains(strings.Join(digests, " "), d.(doc)["digest"].(string)) {
			kept = append(kept, d)
		}
	}
	index["manifests"] = kept
	check(t, os.WriteFile(filepath.Join(dir, "index.json"), mustJSON(t, index), 0o644))
}

// Each way in which bundles are wrong is refused with a message of its own.
func TestBundlesRefused(t *testing.T) {
	t.Parallel()
	x := image(t, "app")
	index := string(x.Digest)
	change := func(kind string, old, new string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			src, err := oci.Open(t.Context(), dir, oci.OpenOptions{})
			check(t, err)
			defer src.Close()
			list, err := src.Referrers(t.Context(), x.Digest)
			check(t, err)
			for _, a := range list {
				if a.Annotations["dev.sigstore.bundle.predicateType"] != kind {
					continue
				}
				check(t, a.Read())
				d := a.Documents[0]
				var b doc
				check(t, json.Unmarshal(d.Content, &b))
				if e, ok := b["dsseEnvelope"].(doc); ok && old != "" {
					body, err := base64.StdEncoding.DecodeString(e["payload"].(string))
					check(t, err)
					if !bytes.Contains(body, []byte(old)) {
						t.Fatalf("%s has no %s", body, old)
					}
					e["payload"] = base64.StdEncoding.EncodeToString(bytes.ReplaceAll(body, []byte(old), []byte(new)))
				}
				if old == "" {
					b = doc{"mediaType": new}
				}
				d.Content = mustJSON(t, b)
				changed, err := src.NewReferrer(x.Digest, a.ArtifactType, a.Annotations, d)
				check(t, err)
				drop(t, dir, string(a.Digest()))
				check(t, src.Attach(t.Context(), []*oci.Artifact{changed}))
			}
		}
	}
	for _, c := range []struct {
		name   string
		change func(t *testing.T, dir string)
		err    error
		want   string
	}{
		{"an attestation alone is no signature", func(t *testing.T, dir string) {
			drop(t, dir, bundleFiles(t, dir)[index+" "+sign.SignatureType]...)
		}, sign.ErrNoSignature, "no signature: nothing is signed for " + index},
		{"signature of another image", func(t *testing.T, dir string) {
			drop(t, dir, bundleFiles(t, dir)[index+" "+sign.SignatureType]...)
			takeBundle(t, dir, layoutWithBundles(t, "other"), sign.SignatureType)
		}, sign.ErrReplayed, "signature of another image: it is of sha256:"},
		{"attestation of another image", func(t *testing.T, dir string) {
			drop(t, dir, bundleFiles(t, dir)[index+" "+spdx]...)
			takeBundle(t, dir, layoutWithBundles(t, "other"), spdx)
		}, sign.ErrSubject, "attestation about another image: it is about sha256:"},
		{"attestation stripped", func(t *testing.T, dir string) { drop(t, dir, bundleFiles(t, dir)[index+" "+spdx]...) },
			sign.ErrStripped, "attestation is missing: the signature says that the image has one of type " + spdx},
		{"statement changed", change(spdx, "SPDX-2.3", "SPDX-2.2"), sign.ErrTampered, "changed after it was signed"},
		{"signature's statement changed", change(sign.SignatureType, index, string(image(t, "other").Digest)), sign.ErrTampered, "changed after it was signed"},
		{"an attestation said to be the signature", change(spdx, spdx, sign.SignatureType), sign.ErrStripped, "attestation is missing"},
		{"no envelope", change(spdx, "", "application/vnd.dev.sigstore.bundle.v0.3+json"), sign.ErrDamaged, "the bundle has no DSSE envelope"},
		{"another document", change(spdx, "", "text/plain"), sign.ErrDamaged, `the bundle's media type is "text/plain"`},
		{"blob changed on disk", func(t *testing.T, dir string) {
			manifest := readDoc(t, blobFile(dir, bundleFiles(t, dir)[index+" "+spdx][0]))
			damageFile(t, blobFile(dir, manifest["layers"].([]any)[0].(doc)["digest"].(string)))
		}, sign.ErrDamaged, "content does not match its descriptor"},
		{"manifest is gone", func(t *testing.T, dir string) {
			check(t, os.Remove(blobFile(dir, bundleFiles(t, dir)[index+" "+spdx][0])))
		}, sign.ErrDamaged, "is missing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := layoutWithBundles(t, "app")
			c.change(t, dir)
			refused := verify(t, dir, own().signer.Verifier()).Refused()
			for _, q := range refused {
				if errors.Is(q.Err, c.err) && strings.Contains(q.Answer, c.want) && !strings.Contains(q.Answer, "\n") {
					return
				}
			}
			t.Errorf("refused %v, want %q", refused, c.want)
		})
	}
}

func layoutWithBundles(t testing.TB, text string) string {
	t.Helper()
	dir := layout(t, text)
	signBundles(t, dir, own(), spdx, cyclonedx)
	return dir
}

// takeBundle makes the bundle about the index of the layout from refer to that of dir.
func takeBundle(t testing.TB, dir, from, kind string) {
	t.Helper()
	there, err := oci.Open(t.Context(), from, oci.OpenOptions{})
	check(t, err)
	defer there.Close()
	here, err := oci.Open(t.Context(), dir, oci.OpenOptions{})
	check(t, err)
	defer here.Close()
	list, err := there.Referrers(t.Context(), there.Digest)
	check(t, err)
	for _, a := range list {
		if a.Annotations["dev.sigstore.bundle.predicateType"] != kind {
			continue
		}
		check(t, a.Read())
		moved, err := here.NewReferrer(here.Digest, a.ArtifactType, a.Annotations, a.Documents[0])
		check(t, err)
		check(t, here.Attach(t.Context(), []*oci.Artifact{moved}))
	}
}

// FuzzBundle gives any text as a bundle: never a yes to what the key did not sign.
func FuzzBundle(f *testing.F) {
	dir := layoutWithBundles(f, "app")
	src, err := oci.Open(f.Context(), dir, oci.OpenOptions{})
	check(f, err)
	defer src.Close()
	list, err := src.Referrers(f.Context(), src.Digest)
	check(f, err)
	signed := map[string]bool{}
	for _, a := range list {
		check(f, a.Read())
		f.Add(a.Documents[0].Content)
		predicate, err := sign.CheckBundle(own().signer.Verifier(), a.Documents[0].Content, src.Digest)
		check(f, err)
		signed[string(predicate)] = true
	}
	f.Add([]byte(`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","dsseEnvelope":{"payload":"e30=","signatures":[{}]}}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		predicate, err := sign.CheckBundle(own().signer.Verifier(), content, src.Digest)
		if err == nil && !signed[string(predicate)] {
			t.Errorf("a statement that the key did not sign is accepted: %s", content)
		}
		if err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("error %q has more than one line", err)
		}
	})
}
