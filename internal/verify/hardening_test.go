package verify

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/hardpan/hardpan/internal/check"
	"github.com/hardpan/hardpan/internal/check/facts"
	"github.com/hardpan/hardpan/internal/harden"
	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/provenance"
	"github.com/hardpan/hardpan/internal/record"
	"github.com/hardpan/hardpan/internal/sign"
	"github.com/hardpan/hardpan/internal/store"
	"github.com/hardpan/hardpan/sboms"
)

// judged returns an image of one file, which is set-user-id where it breaks a rule.
func judged(user string, mode uint32, waived ...record.Waived) *facts.Image {
	rec := &record.Record{Name: "hello", Spec: "sha256:" + digits("5"), Profile: "strict", Waived: waived}
	img := &oci.Image{Layers: []oci.Layer{{Digest: "sha256:11", DiffID: "sha256:12"}}, Config: oci.Config{User: user, Created: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)}}
	return facts.New(img, rec, []*facts.Content{{Files: []facts.File{{Path: "usr/bin/hello", Mode: mode}}}})
}

// TestHardening has what is attested of an image, and what is said of it then.
func TestHardening(t *testing.T) {
	strict, never := harden.GateOf(harden.Strict), harden.Gate{}
	sound := func() *facts.Image { return judged("1000:1000", 0o755) }
	for _, test := range []struct {
		name   string
		is     *facts.Image
		said   *facts.Image // that the attestation is of; nil for none
		gate   harden.Gate
		change func(map[string]any)
		want   string
	}{
		{name: "as attested", is: sound(), said: sound(), gate: strict, want: "rules are kept as attested"},
		{name: "nothing attested", is: sound(), want: "the image does not keep the hardening rules as attested: nothing is attested of them"},
		{name: "worse than attested", is: judged("1000:1000", 0o4755), said: sound(), gate: strict, want: "broken with severity high or above: privilege-bits"},
		{name: "worse, where all is let through", is: judged("1000:1000", 0o4755), said: sound(), gate: never, want: `privilege-bits is let through although broken: {"rule":"privilege-bits","severity":"high",`},
		{name: "attested as it is, and refused by its own gate", is: judged("0", 0o755), said: judged("0", 0o755), gate: strict, want: "broken with severity high or above: root-user"},
		{name: "attested as it is, and let through", is: judged("0", 0o755), said: judged("0", 0o755), gate: never, want: "rules are kept as attested, "},
		{name: "waived", is: judged("1", 0o4755, record.Waived{Rule: "privilege-bits", Reason: "it must"}), said: judged("1", 0o4755, record.Waived{Rule: "privilege-bits", Reason: "it must"}), gate: strict, want: ", 1 waived"},
		{name: "waived for another reason", is: judged("1", 0o4755, record.Waived{Rule: "privilege-bits", Reason: "it must"}), said: judged("1", 0o4755, record.Waived{Rule: "privilege-bits", Reason: "no"}), gate: strict, want: "privilege-bits is kept but waived: "},
		{name: "another result", is: sound(), said: sound(), gate: strict, change: func(d map[string]any) { d["result"] = "FAILED" }, want: "the result is PASSED by strict on 2026-11-01, attested is FAILED by strict on 2026-11-01"},
		{name: "a rule less", is: sound(), said: sound(), gate: strict, change: func(d map[string]any) { d["passedTests"] = d["passedTests"].([]any)[1:] }, want: "is kept, attested is not there"},
		{name: "another gate", is: judged("0", 0o755), said: judged("0", 0o755), gate: never, change: func(d map[string]any) { d["failOn"] = "high" }, want: "broken with severity high or above: root-user"},
		{name: "another day", is: sound(), said: sound(), gate: strict, change: func(d map[string]any) { d["judged"] = "2020-01-01" }, want: "the result is "},
		{name: "rules of another program", is: sound(), said: sound(), gate: strict, change: func(d map[string]any) { d["rules"] = "0-1" }, want: `cannot be answered: it is attested by rules "0-1"`},
		{name: "rules of another program, and worse", is: judged("0", 0o755), said: sound(), gate: strict, change: func(d map[string]any) { d["rules"] = "0-1" }, want: "broken with severity high or above: root-user"},
		{name: "no gate", is: sound(), said: sound(), gate: strict, change: func(d map[string]any) { delete(d, "failOn") }, want: `damaged document: hardening: failOn: severity is ""`},
		{name: "an unknown field", is: sound(), said: sound(), gate: strict, change: func(d map[string]any) { d["more"] = 1 }, want: `damaged document: hardening: json: unknown field "more"`},
	} {
		var document []byte
		if test.said != nil {
			a, err := check.Attest(test.said, test.gate)
			if err != nil {
				t.Fatal(err)
			}
			if document, err = a.Encode(); err != nil {
				t.Fatal(err)
			}
		}
		if test.change != nil {
			var d map[string]any
			if err := json.Unmarshal(document, &d); err != nil {
				t.Fatal(err)
			}
			test.change(d)
			document, _ = json.Marshal(d)
		}
		q := hardening(test.is, document)
		if !strings.Contains(q.Answer, test.want) {
			t.Errorf("%s: %q, want %q", test.name, q.Answer, test.want)
		}
		if yes := strings.Contains(test.want, "kept as attested") || strings.HasPrefix(test.want, ", ") || strings.HasPrefix(test.want, "cannot"); q.OK != yes {
			t.Errorf("%s: ok is %t", test.name, q.OK)
		}
	}
}

// TestForeign: of an image that hardpan did not build, nothing can be answered.
func TestForeign(t *testing.T) {
	c, err := read(t.Context(), &oci.Image{}, nil)
	if err != nil || !c.hardening.Unanswered || !c.sbom.Unanswered {
		t.Errorf("%+v, %v", c, err)
	}
}

// TestUnexplained: a file that nothing explains is told where no SBOM is attested, too.
func TestUnexplained(t *testing.T) {
	is := image()
	if q, err := described(is, nil, nil); err != nil || !q.Unanswered {
		t.Errorf("%+v, %v", q, err)
	}
	if q, err := described(is, []string{"/usr/bin/hello: its mode is 4755, its record says 0755"}, nil); err != nil || q.OK || !errors.Is(q.Err, ErrRecord) || !strings.HasSuffix(q.Answer, "says 0755") {
		t.Errorf("of an image that is not as its record has it it is said %+v, %v", q, err)
	}
	is.Completeness, is.Gaps = sboms.Incomplete, []string{"nothing says where it comes from: /usr/bin/evil"}
	if q, err := described(is, nil, nil); err != nil || q.OK || !errors.Is(q.Err, ErrUnexplained) || !strings.HasSuffix(q.Answer, "/usr/bin/evil") {
		t.Errorf("%+v, %v", q, err)
	}
}

// TestDamaged: layers that cannot be unpacked, because somebody changed them or they
// never could, and records that cannot be read are a no, and no failure of the program.
func TestDamaged(t *testing.T) {
	recorded := func(layers int) []byte {
		rec := &record.Record{Format: record.Format, Name: "a", Version: "1", Platform: "linux/amd64", Layers: make([]record.Layer, layers)}
		text, err := rec.Encode()
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	const noGzip = "\x1f\x8b\x08\x00 no gzip beyond its header"
	noTar := strings.Repeat("no tar ", 100)
	member := func(h tar.Header) string {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	for _, test := range []struct {
		name      string
		record    []byte
		mediaType string
		layer     string
		end       error // of reading the layer
		want      string
	}{
		{"a changed layer", recorded(1), oci.MediaLayerGzip, noGzip, oci.ErrMismatch, "a layer is not what its manifest says"},
		{"a changed layer without compression", recorded(1), oci.MediaLayer, noTar, oci.ErrMismatch, "a layer is not what its manifest says"},
		{"a layer that is no gzip", recorded(1), oci.MediaLayerGzip, noGzip, io.EOF, "not a valid image: flate: corrupt input"},
		{"a layer without a gzip header", recorded(1), oci.MediaLayerGzip, "PK", io.EOF, "not a valid image: "},
		{"a layer that is no zstd", recorded(1), oci.MediaLayerZstd, noTar, io.EOF, "not a valid image: "},
		{"a layer that is no tar", recorded(1), oci.MediaLayer, noTar, io.EOF, "not a valid image: archive/tar: invalid tar header"},
		{"half a tar", recorded(1), oci.MediaLayer, member(tar.Header{Name: "a", Size: 1000}), io.EOF, "not a valid image: unexpected EOF"},
		{"half a header", recorded(1), oci.MediaLayer, member(tar.Header{Name: "a"})[:300], io.EOF, "not a valid image: unexpected EOF"},
		{"a link to nothing", recorded(1), oci.MediaLayer, member(tar.Header{Name: "a", Typeflag: tar.TypeLink, Linkname: "b"}), io.EOF, "not a valid image: \"a\" cannot be extracted: it is a hard link to /b, which is not there"},
		{"a record of other layers", recorded(2), oci.MediaLayer, "", io.EOF, "not a valid image: its record is of 2 layers, it has 1"},
		{"no record", []byte("{"), oci.MediaLayer, "", io.EOF, "not a valid image: "},
	} {
		p := oci.Platform{OS: "linux", Architecture: "amd64"}
		broken := oci.Layer{Digest: "sha256:" + store.Digest(digits("1")), MediaType: test.mediaType, Open: func() (io.ReadCloser, error) {
			return io.NopCloser(io.MultiReader(strings.NewReader(test.layer), iotest.ErrReader(test.end))), nil
		}}
		img := &oci.Image{Platform: p, Digest: "sha256:" + store.Digest(digits("d")), Config: oci.Config{Record: test.record}, Layers: []oci.Layer{broken}}
		if test.mediaType == oci.MediaLayer {
			broken.DiffID = store.DigestOf([]byte(test.layer))
		}
		img.Layers[0] = broken
		src := &oci.Source{Digest: img.Digest, Images: []*oci.Image{img}}
		r, err := sign.Verify(t.Context(), src, keys(t, t.TempDir()))
		if err != nil {
			t.Fatal(err)
		}
		r.Questions[0].OK = true // as if it were signed
		questions, err := examine(src, r).ask(t.Context(), r.Questions, time.Now())
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		got := map[string]error{}
		for _, q := range questions {
			got[q.Kind] = q.Err
		}
		for kind, want := range map[string]error{askSBOM: ErrContent, askHardening: ErrHardening} {
			if !errors.Is(got[kind], want) || !strings.Contains(got[kind].Error(), test.want) {
				t.Errorf("%s: %s: %v, want %v: %s", test.name, kind, got[kind], want, test.want)
			}
		}
		if changed := test.end != io.EOF; errors.Is(got["content"], sign.ErrContent) != changed {
			t.Errorf("%s: content: %v", test.name, got["content"])
		}
	}
}

// TestUnsigned: of an image that is not signed no layer is unpacked and no record read.
func TestUnsigned(t *testing.T) {
	opened := 0
	layer := oci.Layer{Digest: "sha256:" + store.Digest(digits("1")), MediaType: oci.MediaLayer, Open: func() (io.ReadCloser, error) {
		opened++
		return io.NopCloser(strings.NewReader("")), nil
	}}
	p := oci.Platform{OS: "linux", Architecture: "amd64"}
	rec, err := (&record.Record{Format: record.Format, Name: "a", Version: "1", Platform: p.String(), Layers: make([]record.Layer, 1)}).Encode()
	if err != nil {
		t.Fatal(err)
	}
	img := &oci.Image{Platform: p, Digest: "sha256:" + store.Digest(digits("d")), Config: oci.Config{Platform: p, Record: rec}, Layers: []oci.Layer{layer}}
	src := &oci.Source{Digest: img.Digest, Images: []*oci.Image{img}}
	v := keys(t, t.TempDir())
	held, err := policy(t, t.TempDir(), "hardening: {rules: [shell-present]}\nrebuild: true")
	if err != nil {
		t.Fatal(err)
	}
	rebuild := func(context.Context, *provenance.Inputs) (*oci.Index, string, error) {
		t.Error("it is built")
		return nil, "", errors.New("built")
	}
	r, err := Image(t.Context(), src, v, Options{Policy: held, Rebuild: rebuild})
	if err != nil {
		t.Fatal(err)
	}
	if opened != 1 { // to compare its digest
		t.Errorf("a layer is opened %d times", opened)
	}
	answers := map[string]sign.Question{}
	for _, q := range r.Questions {
		answers[q.Kind+" "+q.Type] = q
	}
	for kind, want := range map[string]string{askSBOM: "- cannot be answered: it is not signed", askHardening: "- cannot be answered: it is not signed",
		askPolicy + " hardening": "no the policy demands otherwise: cannot be answered: it is not signed", askRebuild: "no not what its attested spec and lock build: cannot be built again: it is not signed"} {
		q, ok := answers[kind]
		if !ok {
			q, ok = answers[kind+" "]
		}
		got := "no " + q.Answer
		if q.Unanswered {
			got = "- " + q.Answer
		}
		if !ok || q.OK != q.Unanswered || got != want {
			t.Errorf("%s: %v %q, want %q", kind, q.OK, got, want)
		}
	}
	if x := examine(src, r); len(x.records) > 0 {
		t.Error("its record is read")
	}
}
