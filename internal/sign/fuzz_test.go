package sign_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/sign"
	"github.com/hardpan/hardpan/internal/store"
)

// FuzzVerify verifies a layout in which index.json, the manifests with signatures
// and attestations, and what they hold are any text, each described rightly by the
// one before where that can be: never a crash, and never a yes to what the key did
// not sign.
func FuzzVerify(f *testing.F) {
	dir := layout(f, "app")
	signImage(f, dir, own(), spdx)
	index := readFile(f, filepath.Join(dir, "index.json"))
	subject := string(image(f, "app").Digest)
	var manifests, contents [][]byte
	var digests []string // of manifests and contents, in turns
	for _, kind := range []string{"sig", "att"} {
		entry := entryOf(f, readDoc(f, filepath.Join(dir, "index.json")), strings.Replace(subject, ":", "-", 1)+"."+kind)
		layer := documents(f, dir, subject, kind)[0].(doc)["digest"].(string)
		digests = append(digests, entry["digest"].(string), layer)
		manifests = append(manifests, readFile(f, blobFile(dir, entry["digest"].(string))))
		contents = append(contents, readFile(f, blobFile(dir, layer)))
		check(f, os.Remove(blobFile(dir, entry["digest"].(string))))
		check(f, os.Remove(blobFile(dir, layer)))
	}
	var originals []string // blobs
	for d := range strings.FieldsSeq(names(f, dir)) {
		originals = append(originals, "sha256:"+d)
	}
	verifier := own().signer.Verifier()
	f.Add(index, manifests[0], contents[0], manifests[1], contents[1])
	f.Add(index, manifests[0], bytes.Replace(contents[0], []byte(subject), []byte("sha256:0"), 1), manifests[1], []byte(`{"payload":"e30=","payloadType":"","signatures":[{}]}`))
	f.Add(index, manifests[1], contents[1], manifests[0], contents[0])
	f.Add([]byte(`{"schemaVersion":2,"manifests":[]}`), []byte(`{"schemaVersion":2,"layers":[{}]}`), []byte(`null`), []byte(`{}`), []byte(``))
	f.Fuzz(func(t *testing.T, index, sigManifest, payload, attManifest, envelope []byte) {
		// The seeds' digests stand for those of the mutated documents; the sizes must fit
		// by themselves, so that seeds of the same length go deepest.
		describe := func(in []byte, was string, is []byte) []byte {
			return bytes.ReplaceAll(in, []byte(was), []byte(store.DigestOf(is)))
		}
		sigManifest = describe(sigManifest, digests[1], payload)
		attManifest = describe(attManifest, digests[3], envelope)
		index = describe(describe(index, digests[0], sigManifest), digests[2], attManifest)
		check(t, os.WriteFile(filepath.Join(dir, "index.json"), index, 0o644))
		for _, b := range [][]byte{sigManifest, payload, attManifest, envelope} {
			d, _ := writeBlob(t, dir, b)
			if !slices.Contains(originals, d) {
				defer os.Remove(blobFile(dir, d))
			}
		}
		src, err := oci.Open(t.Context(), dir, oci.OpenOptions{})
		if err != nil {
			return
		}
		defer src.Close()
		r, err := sign.Verify(t.Context(), src, verifier)
		if err != nil {
			t.Fatalf("a layout could not be read: %v", err)
		}
		for _, q := range r.Questions {
			if !q.OK && (q.Err == nil || q.Answer == "" || strings.Contains(q.Answer, "\n")) {
				t.Errorf("refused without a line of reason: %+v", q)
			}
			if !q.OK || q.Subject.Name != "index" {
				continue
			}
			if q.Kind == "signature" && !slices.ContainsFunc([][]byte{payload, envelope}, func(b []byte) bool { return bytes.Equal(b, contents[0]) }) {
				t.Errorf("a payload that the key did not sign is accepted: %s", payload)
			}
			if q.Kind == "attestation" && !bytes.Contains(statementOf(contents[1]), q.Predicate) {
				t.Errorf("a statement that the key did not sign is accepted: %s", envelope)
			}
		}
	})
}

// names returns the names of the blobs of a layout.
func names(t testing.TB, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(dir, "blobs/sha256"))
	check(t, err)
	var b strings.Builder
	for _, e := range entries {
		b.WriteString(e.Name() + "\n")
	}
	return b.String()
}

// statementOf returns the statement in an envelope of this package.
func statementOf(envelope []byte) []byte {
	_, rest, _ := bytes.Cut(envelope, []byte(`"payload":"`))
	text, _, _ := bytes.Cut(rest, []byte(`"`))
	b, _ := base64.StdEncoding.DecodeString(string(text))
	return b
}

// FuzzDocument gives the documents of signatures and attestations with their
// annotations to the checks alone, which is much faster than through a layout.
func FuzzDocument(f *testing.F) {
	dir := layout(f, "app")
	signImage(f, dir, own(), spdx)
	subject := image(f, "app").Digest
	verifier := own().signer.Verifier()
	signed := map[string]bool{}
	for _, kind := range []string{"sig", "att"} {
		layer := documents(f, dir, string(subject), kind)[0].(doc)
		content := readFile(f, blobFile(dir, layer["digest"].(string)))
		a := layer["annotations"].(doc)
		signature, _ := a["dev.cosignproject.cosign/signature"].(string)
		predicate, _ := a["predicateType"].(string)
		f.Add(layer["mediaType"].(string), signature, predicate, content)
		signed[string(content)] = true
		if kind == "att" {
			signed[string(statementOf(content))] = true
		}
	}
	f.Fuzz(func(t *testing.T, mediaType, signature, predicate string, content []byte) {
		d := oci.Document{MediaType: mediaType, Content: content, Annotations: map[string]string{
			"dev.cosignproject.cosign/signature": signature, "predicateType": predicate,
		}}
		if err := sign.CheckSignature(verifier, d, subject); err == nil && !signed[string(content)] {
			t.Errorf("a payload that the key did not sign is accepted: %s", content)
		} else if err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("error %q has more than one line", err)
		}
		if body, err := sign.CheckAttestation(verifier, d, subject); err == nil && !slices.ContainsFunc(slices.Collect(maps.Keys(signed)), func(s string) bool { return strings.Contains(s, string(body)) }) {
			t.Errorf("a statement that the key did not sign is accepted: %s", content)
		} else if err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("error %q has more than one line", err)
		}
	})
}

// FuzzBeside reads any text as what stands beside in a signature: what has the member that
// names attestations is refused or names some, and never says nothing of them.
func FuzzBeside(f *testing.F) {
	f.Add(`{"dev.hardpan.attestations":{"sha256:` + strings.Repeat("0", 64) + `":{"a:b":["sha256:` + strings.Repeat("1", 64) + `"]}},"dev.hardpan.keyid":"k"}`)
	f.Add(`{"dev.hardpan.attestations":{},"dev.hardpan.supersedes":["sha256:` + strings.Repeat("0", 64) + `"]}`)
	f.Add(`{"DEV.hardpan.attestations":null,"a":[{"b":1,"B":2}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		subjects, err := sign.ReadBeside(text)
		if err != nil && strings.ContainsRune(err.Error(), '\n') {
			t.Errorf("error %q has more than one line", err)
		}
		var members map[string]any
		if err != nil || json.Unmarshal([]byte(text), &members) != nil {
			return
		}
		for name, value := range members {
			if strings.EqualFold(name, "dev.hardpan.attestations") && (subjects < 0 || len(value.(map[string]any)) != subjects) {
				t.Errorf("%s names attestations of %d subjects", text, subjects)
			}
		}
	})
}
