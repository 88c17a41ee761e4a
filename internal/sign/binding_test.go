package sign_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/sign"
	"github.com/hardpan/hardpan/internal/store"
)

// said is what is attested about each subject, by type.
type said map[string]string

var (
	first  = said{spdx: `{"spdxVersion":"SPDX-2.3","n":1}`, slsa: `{"n":1}`}
	second = said{spdx: `{"spdxVersion":"SPDX-2.3","n":2}`, slsa: `{"n":2}`}
)

const scan = "https://cosign.sigstore.dev/attestation/vuln/v1"

// artifactsOf makes what signing ref with these documents would write.
func artifactsOf(t testing.TB, src *oci.Source, k pair, bundles bool, documents said) ([]*oci.Artifact, error) {
	t.Helper()
	set := sign.NewSet(src, k.signer, "")
	if bundles {
		set.AsBundles()
	}
	for kind, text := range documents {
		check(t, set.Attest("", kind, []byte(text)))
	}
	return set.Artifacts(t.Context())
}

func attest(t testing.TB, ref string, k pair, bundles bool, documents said) {
	t.Helper()
	src := open(t, ref)
	artifacts, err := artifactsOf(t, src, k, bundles, documents)
	check(t, err)
	check(t, src.Attach(t.Context(), artifacts))
}

func open(t testing.TB, ref string) *oci.Source {
	t.Helper()
	src, err := oci.Open(t.Context(), ref, oci.OpenOptions{})
	check(t, err)
	t.Cleanup(func() { src.Close() })
	return src
}

// take adds to the layout at to what the one at from has about the image in bundles,
// but for types that are left out.
func take(t testing.TB, to, from string, without ...string) {
	t.Helper()
	there, here := open(t, from), open(t, to)
	var taken []*oci.Artifact
	for _, s := range sign.Subjects(there) {
		list, err := there.Referrers(t.Context(), s.Digest)
		check(t, err)
		for _, a := range list {
			if !slices.Contains(without, a.Annotations["dev.sigstore.bundle.predicateType"]) {
				check(t, a.Read())
				taken = append(taken, a)
			}
		}
	}
	check(t, here.Attach(t.Context(), taken))
}

// dropAll takes the bundles of these types out of a layout.
func dropAll(t testing.TB, dir string, kinds ...string) {
	t.Helper()
	for key, digests := range bundleFiles(t, dir) {
		if _, kind, _ := strings.Cut(key, " "); slices.Contains(kinds, kind) {
			drop(t, dir, digests...)
		}
	}
}

// takeTags replaces the documents of one of cosign's tags of each subject, or adds them.
func takeTags(t testing.TB, to, from, kind string, add bool) {
	t.Helper()
	there, here := open(t, from), open(t, to)
	var taken []*oci.Artifact
	for _, s := range sign.Subjects(there) {
		var documents []oci.Document
		for _, src := range []*oci.Source{there, here} {
			list, err := src.Artifacts(t.Context(), s.Digest, oci.ArtifactKind(kind))
			check(t, err)
			if src == there || add {
				documents = append(documents, list[0].Documents...)
			}
		}
		a, err := oci.NewArtifact(s.Digest, oci.ArtifactKind(kind), documents)
		check(t, err)
		taken = append(taken, a)
	}
	check(t, here.Attach(t.Context(), taken))
}

var (
	states     = map[string]fstest.MapFS{} // layouts, by how they were made
	statesLock sync.Mutex
)

// state returns a layout of the image that was signed with these documents, in turn.
func state(t testing.TB, bundles bool, turns ...said) string {
	t.Helper()
	statesLock.Lock()
	defer statesLock.Unlock()
	key := fmt.Sprint(bundles, turns)
	dir := filepath.Join(t.TempDir(), "layout")
	if kept := states[key]; kept != nil {
		check(t, os.CopyFS(dir, kept))
		return dir
	}
	check(t, oci.WriteLayout(t.Context(), dir, image(t, "app"), oci.LayoutOptions{RefName: "1"}))
	for _, documents := range turns {
		attest(t, dir, own(), bundles, documents)
	}
	states[key] = fstest.MapFS{}
	check(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		check(t, err)
		states[key][filepath.ToSlash(name)] = &fstest.MapFile{Data: readFile(t, path), Mode: 0o644}
		return nil
	}))
	return dir
}

// The signature names what is attested: what a registry can show in its place is refused,
// however well it is signed, or is not taken.
func TestNamed(t *testing.T) {
	t.Parallel()
	additional := said{scan: `{"scanner":1}`}
	for _, c := range []struct {
		name  string
		tags  func(t *testing.T) string // the layout with cosign's tags
		packs func(t *testing.T) string // and with bundles
		err   error                     // of each refusal about an attestation, nil for none
		want  string                    // in an answer about the SBOM
		taken string                    // the SBOM of the index that is taken
	}{
		{"signed once", func(t *testing.T) string { return state(t, false, first) }, func(t *testing.T) string { return state(t, true, first) },
			nil, "about this digest, named by the signature", first[spdx]},
		{"signed again", func(t *testing.T) string { return state(t, false, first, second) }, func(t *testing.T) string { return state(t, true, first, second) },
			nil, "about this digest, named by the signature", second[spdx]},
		{"and as at first", func(t *testing.T) string { return state(t, false, first, second, first) }, func(t *testing.T) string { return state(t, true, first, second, first) },
			nil, "about this digest, named by the signature", first[spdx]},
		{"older documents alone", func(t *testing.T) string {
			dir := state(t, false, first, second)
			takeTags(t, dir, state(t, false, first), "att", false)
			return dir
		}, func(t *testing.T) string {
			dir := state(t, true, second)
			dropAll(t, dir, spdx, slsa)
			take(t, dir, state(t, true, first), sign.SignatureType)
			return dir
		}, sign.ErrUnnamed, "not the attestation that the signature names: the signature names sha256:", ""},
		{"older documents beside", func(t *testing.T) string {
			dir := state(t, false, second)
			takeTags(t, dir, state(t, false, first), "att", true)
			return dir
		}, func(t *testing.T) string {
			dir := state(t, true, second)
			take(t, dir, state(t, true, first), sign.SignatureType)
			return dir
		}, nil, "not taken: 1 more by the same signer, such as sha256:", second[spdx]},
		{"an older signature with newer documents", func(t *testing.T) string {
			dir := state(t, false, second)
			takeTags(t, dir, state(t, false, first), "sig", false)
			return dir
		}, func(t *testing.T) string {
			dir := state(t, true, second)
			dropAll(t, dir, sign.SignatureType)
			take(t, dir, state(t, true, first), spdx, slsa)
			return dir
		}, sign.ErrUnnamed, "not the attestation that the signature names", ""},
		{"an older signature beside, with newer documents", func(t *testing.T) string {
			dir := state(t, false, second)
			takeTags(t, dir, state(t, false, first), "sig", true)
			return dir
		}, func(t *testing.T) string {
			dir := state(t, true, second)
			take(t, dir, state(t, true, first), spdx, slsa)
			return dir
		}, sign.ErrStripped, "attestation is missing", second[spdx]},
		{"removed", func(t *testing.T) string {
			dir := state(t, false, first)
			for _, s := range sign.Subjects(open(t, dir)) {
				removeArtifact(t, dir, string(s.Digest), "att")
			}
			return dir
		}, func(t *testing.T) string {
			dir := state(t, true, first)
			dropAll(t, dir, spdx, slsa)
			return dir
		}, sign.ErrStripped, "attestation is missing: the signature says that the image has one of type " + spdx + ", sha256:", ""},
		{"twice", func(t *testing.T) string {
			dir := state(t, false, first)
			takeTags(t, dir, dir, "att", true)
			return dir
		}, func(t *testing.T) string {
			dir := state(t, true, first)
			attest(t, dir, own(), false, first)
			return dir
		}, nil, "about this digest, named by the signature", first[spdx]},
		{"the newer signature withheld, a whole older set: nobody can tell", func(t *testing.T) string { return state(t, false, first) }, func(t *testing.T) string {
			dir := state(t, true, second)
			take(t, dir, state(t, true, first))
			dropNewer(t, dir, first)
			return dir
		}, nil, "about this digest, named by the signature", first[spdx]},
		{"a scan added later", func(t *testing.T) string {
			dir := state(t, false, first)
			takeTags(t, dir, state(t, false, additional), "att", true)
			return dir
		}, func(t *testing.T) string {
			dir := state(t, true, first)
			take(t, dir, state(t, true, additional), sign.SignatureType)
			return dir
		}, nil, "about this digest; the signature names none of this type", first[spdx]},
		{"a scan signed in", func(t *testing.T) string { return state(t, false, first, additional) }, func(t *testing.T) string { return state(t, true, first, additional) },
			nil, "about this digest, named by the signature", first[spdx]},
		{"a scan signed in is stripped", func(t *testing.T) string {
			dir := state(t, false, first, additional)
			takeTags(t, dir, state(t, false, first), "att", false)
			return dir
		}, func(t *testing.T) string {
			dir := state(t, true, first, additional)
			dropAll(t, dir, scan)
			return dir
		}, sign.ErrStripped, "attestation is missing: the signature says that the image has one of type " + scan, first[spdx]},
		{"an older document by another key", func(t *testing.T) string {
			dir := layout(t, "app")
			attest(t, dir, stranger(), false, first)
			attest(t, dir, own(), false, second)
			return dir
		}, func(t *testing.T) string {
			dir := layout(t, "app")
			attest(t, dir, stranger(), true, first)
			attest(t, dir, own(), true, second)
			return dir
		}, nil, "about this digest, named by the signature", second[spdx]},
		{"a scan by another key", func(t *testing.T) string {
			dir := layout(t, "app")
			attest(t, dir, stranger(), false, additional)
			attest(t, dir, own(), false, first)
			return dir
		}, func(t *testing.T) string {
			dir := layout(t, "app")
			attest(t, dir, stranger(), true, additional)
			attest(t, dir, own(), true, first)
			return dir
		}, nil, "; the signature names none of this type", first[spdx]},
		{"the SBOM by another key alone", func(t *testing.T) string {
			dir, other := state(t, false, first), layout(t, "app")
			attest(t, other, stranger(), false, first)
			takeTags(t, dir, other, "att", false)
			return dir
		}, func(t *testing.T) string {
			dir, other := state(t, true, first), layout(t, "app")
			attest(t, other, stranger(), true, first)
			dropAll(t, dir, spdx, slsa)
			take(t, dir, other, sign.SignatureType)
			return dir
		}, sign.ErrOtherKey, "not signed with this key: it is of the key ", ""},
	} {
		for form, make := range map[string]func(t *testing.T) string{"tags": c.tags, "bundles": c.packs} {
			t.Run(c.name+" as "+form, func(t *testing.T) {
				t.Parallel()
				r := verify(t, make(t), own().signer.Verifier())
				answers, taken, refused := "", "", 0
				for _, q := range r.Questions {
					answers += q.Answer + "\n"
					if q.Subject.Name == "index" && q.Type == spdx && q.Predicate != nil {
						taken += string(q.Predicate)
					}
					if !q.OK {
						refused++
						if c.err == nil || !errors.Is(q.Err, c.err) {
							t.Errorf("%s %s %s: %s", q.Subject.Name, q.Kind, q.Type, q.Answer)
						}
					}
				}
				if (refused > 0) != (c.err != nil) || !strings.Contains(answers, c.want) {
					t.Errorf("%d refused, want %v %q:\n%s", refused, c.err, c.want, answers)
				}
				if taken != c.taken {
					t.Errorf("taken is %s, want %s", taken, c.taken)
				}
			})
		}
	}
}

// dropNewer takes out of a layout with bundles all but what signing with documents made.
func dropNewer(t *testing.T, dir string, documents said) {
	t.Helper()
	kept := fmt.Sprint(bundleFiles(t, state(t, true, documents)))
	for _, digests := range bundleFiles(t, dir) {
		for _, d := range digests {
			if !strings.Contains(kept, d) {
				drop(t, dir, d)
			}
		}
	}
}

// Whatever is done between two signings, at no moment is the image without a whole set.
func TestNamedMeanwhile(t *testing.T) {
	t.Parallel()
	for _, bundles := range []bool{false, true} {
		ref := push(t, serve(t), "app")
		attest(t, ref, own(), bundles, first)
		for _, documents := range []said{second, {scan: "{}"}} {
			src := open(t, ref)
			artifacts, err := artifactsOf(t, src, own(), bundles, documents)
			check(t, err)
			for i, a := range artifacts {
				check(t, src.Attach(t.Context(), []*oci.Artifact{a}))
				if r := verify(t, ref, own().signer.Verifier()); len(r.Refused()) > 0 {
					t.Errorf("bundles %v, after %d of %d:\n%s", bundles, i+1, len(artifacts), rows(r))
				}
			}
			for _, q := range verify(t, ref, own().signer.Verifier()).Questions {
				if q.Unanswered && !bundles {
					t.Errorf("left from before: %s %s: %s", q.Subject.Name, q.Type, q.Answer)
				}
			}
		}
	}
}

// What a signature names and was taken away is not signed away.
func TestNamedCarried(t *testing.T) {
	t.Parallel()
	for _, bundles := range []bool{false, true} {
		dir := state(t, bundles, first, said{scan: "{}"})
		older := state(t, bundles, first)
		if bundles {
			dropAll(t, dir, scan)
		} else {
			takeTags(t, dir, older, "att", false)
		}
		src := open(t, dir)
		_, err := artifactsOf(t, src, own(), bundles, second)
		hint, ok := errors.AsType[interface {
			error
			Hint() string
		}](err)
		if !errors.Is(err, sign.ErrStripped) || !strings.Contains(err.Error(), scan) || !ok || !strings.Contains(hint.Hint(), "attest it again") {
			t.Errorf("bundles %v: %v", bundles, err)
		}
		attest(t, dir, own(), bundles, said{scan: `{"again":true}`})
		if r := verify(t, dir, own().signer.Verifier()); len(r.Refused()) > 0 {
			t.Errorf("bundles %v: attested again:\n%s", bundles, rows(r))
		}
	}
}

// A platform's image has its own set, and what is signed anew of it alone the index
// does not name.
func TestNamedOfPlatform(t *testing.T) {
	t.Parallel()
	x := image(t, "app")
	for _, bundles := range []bool{false, true} {
		dir := state(t, bundles, first)
		alone := dir + "@" + string(x.Images[0].Digest)
		attest(t, alone, own(), bundles, said{scan: "{}"})
		for _, at := range []string{dir, alone} {
			if r := verify(t, at, own().signer.Verifier()); len(r.Refused()) > 0 {
				t.Errorf("bundles %v: %s: a scan of a platform:\n%s", bundles, at, rows(r))
			}
		}
		attest(t, alone, own(), bundles, second)
		if r := verify(t, alone, own().signer.Verifier()); len(r.Refused()) > 0 {
			t.Errorf("bundles %v: the platform alone:\n%s", bundles, rows(r))
		}
		if r := verify(t, dir, own().signer.Verifier()); (len(r.Refused()) > 0) == bundles {
			t.Errorf("bundles %v: the index, which names others:\n%s", bundles, rows(r))
		}
		attest(t, dir, own(), bundles, second)
		if r := verify(t, dir, own().signer.Verifier()); len(r.Refused()) > 0 {
			t.Errorf("bundles %v: all signed anew:\n%s", bundles, rows(r))
		}
	}
}

// What a good signature says of attestations in another form than its own is refused, and
// never taken for saying nothing.
func TestNamesRefused(t *testing.T) {
	t.Parallel()
	const zero = `"sha256:0000000000000000000000000000000000000000000000000000000000000000"`
	const one = `"sha256:1111111111111111111111111111111111111111111111111111111111111111"`
	names := func(list string) string {
		return `{"dev.hardpan.attestations":{` + zero + `:{"` + spdx + `":` + list + `}}}`
	}
	const good = ""
	for beside, want := range map[string]string{
		`null`: good, `{}`: good, `{"creator":"cosign","timestamp":1}`: good, names("[" + zero + "]"): good, names("[" + zero + "," + one + "]"): good,
		`{"dev.hardpan.supersedes":[` + zero + `]}`:                              good,
		`{"dev.hardpan.attestations":{` + zero + `:["` + spdx + `"]}}`:           `"dev.hardpan.attestations": json: cannot unmarshal array`, // as it was before names had digests
		`{"dev.hardpan.attestations":null}`:                                      `"dev.hardpan.attestations": expected an object`,
		`{"dev.hardpan.attestations":"none"}`:                                    `"dev.hardpan.attestations": json: cannot unmarshal string`,
		`{"dev.hardpan.attestations":{"sha256:1":{"a:b":[` + zero + `]}}}`:       `"sha256:1" names 1 types`,
		`{"dev.hardpan.attestations":{` + zero + `:{}}}`:                         `names 0 types`,
		`{"dev.hardpan.attestations":{` + zero + `:{"":[` + one + `]}}}`:         `type "", expected a URI`,
		`{"Dev.Hardpan.Attestations":{}}`:                                        `"Dev.Hardpan.Attestations": this version does not know it`,
		`{"dev.hardpan.referrers":{}}`:                                           `"dev.hardpan.referrers": this version does not know it`,
		`{"dev.hardpan.supersedes":[]}`:                                          `"dev.hardpan.supersedes": expected digests, found none`,
		`{"dev.hardpan.attestations":{},"dev.hardpan.attestations":{}}`:          `member "dev.hardpan.attestations" occurs twice`,
		`{"dev.hardpan.keyid":1}`:                                                `"dev.hardpan.keyid": json: cannot unmarshal number`,
		`[]`:                                                                     `expected an object`,
		names(`[]`):                                                              `expected digests, found none`,
		names(`null`):                                                            `expected digests, found none`,
		names(`[` + one + `,` + zero + `]`):                                      `is not after`,
		names(`[` + zero + `,` + zero + `]`):                                     `is not after`,
		names(`[` + strings.ToUpper(one) + `]`):                                  `digest "SHA256:1111`,
		names(`["sha256:` + strings.Repeat("A", 64) + `"]`):                      `digest "sha256:AAAA`,
		names(`["sha256:` + strings.Repeat("1", 63) + `"]`):                      `digest "sha256:1111`,
		names(`["sha512:` + strings.Repeat("1", 128) + `"]`):                     `digest "sha512:1111`,
		names(`["` + strings.Repeat("1", 64) + `"]`):                             `digest "1111`,
		names(`[` + zero + `],"` + spdx + `":[` + one + `]`):                     `member "` + spdx + `" occurs twice`,
		names(`[` + zero + `],"` + strings.ToUpper(spdx) + `":[` + one + `]`):    good, // another type
		`{"commit":"1","Commit":"2"}`:                                            good, // as cosign sign -a has it
		names(`[` + zero + `],"` + strings.Repeat("x", 201) + `":[` + one + `]`): `expected a URI of at most 200 bytes`,
		names(`[1]`): `json: cannot unmarshal number`,
	} {
		_, err := sign.ReadBeside(beside)
		if (err == nil) != (want == good) || err != nil && (!strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n")) {
			t.Errorf("%s: %v, want %q", beside, err, want)
		}
	}
	for _, beside := range []string{names(`[]`), names(`[` + zero + `],"` + spdx + `":[` + one + `]`), `{"dev.hardpan.attestations":null}`} {
		for form, signed := range map[string]func(*sign.Signer, store.Digest, string) (oci.Document, error){"tag": sign.SignPayload, "bundle": sign.SignBundle} {
			dir := state(t, form == "tag", first) // in the other form it is signed well
			src := open(t, dir)
			d, err := signed(own().signer, src.Digest, beside)
			check(t, err)
			var a *oci.Artifact
			if form == "tag" {
				a, err = oci.NewArtifact(src.Digest, oci.Signatures, []oci.Document{d})
			} else {
				a, err = src.NewReferrer(src.Digest, d.MediaType, map[string]string{"dev.sigstore.bundle.content": "dsse-envelope"}, d)
			}
			check(t, err)
			check(t, src.Attach(t.Context(), []*oci.Artifact{a}))
			q := verify(t, dir, own().signer.Verifier()).Questions[0]
			if q.Kind != "signature" || !errors.Is(q.Err, sign.ErrDamaged) || !strings.Contains(q.Answer, "the signature is good, but not what it says of attestations") {
				t.Errorf("%s in a %s: %v %q", beside, form, q.OK, q.Answer)
			}
			attest(t, dir, own(), form == "bundle", first) // and signing again mends it
			if r := verify(t, dir, own().signer.Verifier()); len(r.Refused()) > 0 {
				t.Errorf("%s in a %s, signed again:\n%s", beside, form, rows(r))
			}
		}
	}
}
