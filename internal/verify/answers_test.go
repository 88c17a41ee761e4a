package verify

import (
	"archive/tar"
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/hardpan/hardpan/internal/lock"
	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/record"
	"github.com/hardpan/hardpan/internal/store"
)

// TestTested has what is attested of tests, and the answer for an image whose spec
// has two.
func TestTested(t *testing.T) {
	rec := &record.Record{Name: "a", Spec: "sha256:" + digits("5"), Tests: []record.Test{{Name: "one"}, {Name: "two"}}}
	spec := `"configuration": [{"name": "spec of a", "digest": {"sha256": "` + digits("5") + `"}}]`
	for _, test := range []struct {
		name, said string
		rec        *record.Record
		want       string
	}{
		{"all passed", `{"result": "PASSED", "passedTests": ["two", "one"], ` + spec + `}`, rec, "yes all 2 of its spec passed"},
		{"nothing attested", "", rec, " -  cannot be answered: no result of tests is attested"},
		{"no tests", "", &record.Record{}, "yes its spec has none"},
		{"a foreign image", "", nil, " -  cannot be answered: no result of tests is attested"},
		{"attested of a foreign image", `{"result": "PASSED"}`, nil, " -  cannot be answered: hardpan did not build the image"},
		{"failed", `{"result": "FAILED", "failedTests": ["one"], ` + spec + `}`, rec, `no the tests are not those of the image: the result is "FAILED", 1 failed`},
		{"passed and failed", `{"result": "PASSED", "passedTests": ["one", "two"], "failedTests": ["one"], ` + spec + `}`, rec, `no the tests are not those of the image: the result is "PASSED", 1 failed`},
		{"one is missing", `{"result": "PASSED", "passedTests": ["one"], ` + spec + `}`, rec, `no the tests are not those of the image: nothing is said of test "two"`},
		{"one too many", `{"result": "PASSED", "passedTests": ["one", "two", "three"], ` + spec + `}`, rec, `no the tests are not those of the image: its spec has no test "three"`},
		{"of another spec", `{"result": "PASSED", "passedTests": ["one", "two"], "configuration": [{"digest": {"sha256": "` + digits("6") + `"}}]}`, rec, "no the tests are not those of the image: they are of another spec"},
		{"of no spec", `{"result": "PASSED", "passedTests": ["one", "two"]}`, rec, "no the tests are not those of the image: they are of another spec"},
		{"no JSON", `{`, rec, "no damaged document: result of tests: unexpected end of JSON input"},
	} {
		var said []byte
		if test.said != "" {
			said = []byte(test.said)
		}
		q := tested(said, test.rec)
		if got := map[bool]string{true: "yes ", false: "no "}[q.OK]; q.Unanswered {
			if " -  "+q.Answer != test.want {
				t.Errorf("%s:  -  %s, want %s", test.name, q.Answer, test.want)
			}
		} else if got+q.Answer != test.want {
			t.Errorf("%s: %s%s, want %s", test.name, got, q.Answer, test.want)
		}
	}
}

// TestFresh has ages of images and of their archives.
func TestFresh(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	day := func(n int) time.Time { return now.Add(time.Duration(n) * 24 * time.Hour) }
	for _, test := range []struct {
		name     string
		made     time.Time
		archives []lock.Archive
		want     string
	}{
		{"nothing known", time.Time{}, nil, "cannot be answered: the image does not say when it was made"},
		{"a foreign image", day(-40), nil, "the image is of 2026-10-13, 40 days ago"},
		{"one to come", day(2), nil, "the image is of 2026-11-24, which is to come"},
		{"archives", day(-1), []lock.Archive{{ID: "debian/trixie", Date: day(-60)}, {ID: "debian/trixie-security", Date: day(-1), ValidUntil: day(6)}},
			"the image is of 2026-11-21, 1 day ago; its newest archive, debian/trixie-security, of 2026-11-21, 1 day ago"},
		{"an expired one", now, []lock.Archive{{ID: "debian/trixie-security", Date: day(-9), ValidUntil: day(-2)}},
			"the image is of 2026-11-22, less than a day ago; its newest archive, debian/trixie-security, of 2026-11-13, 9 days ago; past their Valid-Until: debian/trixie-security on 2026-11-20"},
	} {
		img := &oci.Image{Config: oci.Config{Created: test.made}}
		x := &examined{Source: &oci.Source{Images: []*oci.Image{img}}, records: map[*oci.Image]*record.Record{}}
		if test.archives != nil {
			x.records[img] = &record.Record{Archives: test.archives}
		}
		if q := fresh(x, now); q.Answer != test.want || !q.OK {
			t.Errorf("%s: %q, want %q", test.name, q.Answer, test.want)
		}
	}
}

// layerOf makes a layer of entries such as "a 0644 content".
func layerOf(t *testing.T, entries ...string) oci.Layer {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		f := strings.SplitN(e, " ", 3)
		h := &tar.Header{Name: f[0], Mode: 0o644, Size: int64(len(f[2])), Typeflag: tar.TypeReg, Format: tar.FormatPAX}
		switch {
		case f[1] == "link":
			h.Typeflag, h.Linkname, h.Size, f[2] = tar.TypeSymlink, f[2], 0, ""
		case f[1] == "0755":
			h.Mode = 0o755
		case f[1] == "later":
			h.ModTime = time.Unix(60, 0)
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, f[2]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	text := b.Bytes()
	d := store.DigestOf(text)
	return oci.Layer{Digest: d, DiffID: d, Size: int64(len(text)), MediaType: "application/vnd.oci.image.layer.v1.tar",
		Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(text)), nil }}
}

// TestDifference has pairs of images, and where they first differ.
func TestDifference(t *testing.T) {
	image := func(config, manifest string, layers ...oci.Layer) *oci.Image {
		return &oci.Image{Digest: store.DigestOf([]byte(config + manifest)), RawConfig: []byte(config), Manifest: []byte(manifest), Layers: layers}
	}
	of := func(layers ...oci.Layer) *oci.Image {
		x := "{"
		for _, l := range layers {
			x += string(l.Digest)
		}
		return image(x, "{}", layers...)
	}
	one := func(entries ...string) *oci.Image { return of(layerOf(t, entries...)) }
	with := func(rec *record.Record) *oci.Image {
		text, err := rec.Encode()
		if err != nil {
			t.Fatal(err)
		}
		img := image("{}", rec.Name+rec.Spec)
		img.Config.Record = text
		return img
	}
	for _, test := range []struct {
		name    string
		was, is *oci.Image
		want    string
	}{
		{"the same", one("a 0644 x"), one("a 0644 x"), ""},
		{"a byte", one("a 0644 hello", "b 0644 same"), one("a 0644 help!", "b 0644 same"), "layer 1 of 1, /a: byte 3 is 0x6c, built again it is 0x70"},
		{"a shorter file", one("a 0644 hello"), one("a 0644 hell"), "layer 1 of 1, /a: built again it ends at byte 4"},
		{"a longer file", one("a 0644 hell"), one("a 0644 hello"), "layer 1 of 1, /a: it ends at byte 4, built again it is longer"},
		{"the second of three layers", of(layerOf(t, "a 0644 x"), layerOf(t, "b 0644 x"), layerOf(t, "c 0644 x")), of(layerOf(t, "a 0644 x"), layerOf(t, "b 0644 y"), layerOf(t, "c 0644 y")),
			"layer 2 of 3 (the first of 2 that differ), /b: byte 0 is 0x78, built again it is 0x79"},
		{"a path more", one("a 0644 x", "b 0644 x"), one("a 0644 x"), "layer 1 of 1, /b is in the image only"},
		{"a path less", one("a 0644 x"), one("a 0644 x", "b 0644 x"), "layer 1 of 1, /b is only in what was built again"},
		{"a mode", one("a 0755 x"), one("a 0644 x"), "layer 1 of 1, /a: mode is 0755, built again it is 0644"},
		{"a time", one("a later x"), one("a 0644 x"), "layer 1 of 1, /a: time is 1970-01-01T00:01:00Z, built again it is 1970-01-01T00:00:00Z"},
		{"a link", one("a link x"), one("a link y"), "layer 1 of 1, /a: link is x, built again it is y"},
		{"a type", one("a link x"), one("a 0644 y"), "layer 1 of 1, /a: type is symlink, built again it is file"},
		{"an order", one("a 0644 x", "b 0644 x"), one("b 0644 x", "a 0644 x"), "layer 1 of 1, which has the same files, in another order or with other headers: byte 0 is 0x61, built again it is 0x62"},
		{"a layer more", of(layerOf(t, "a 0644 x"), layerOf(t, "b 0644 x")), of(layerOf(t, "a 0644 x")), "layer 2 of 2 is in the image only, with /b; built again it has 1 layers"},
		{"a layer less", of(layerOf(t, "a 0644 x")), of(layerOf(t, "a 0644 x"), layerOf(t, "b 0644 x")), "it has 1 layers, built again 2, the next with /b"},
		{"a config", image(`{"config": {"Env": ["A=1", "B=2"], "User": "1"}}`, "{}"), image(`{"config": {"Env": ["A=1", "B=3"], "User": "2"}}`, "{}"),
			`config.config.Env[1] is "B=2", built again it is "B=3"`},
		{"a config with more", image(`{"config": {"User": "1"}}`, "{}"), image(`{"config": {}}`, "{}"), `config.config.User is "1", built again it is nothing`},
		{"a list with less", image(`{"a": [1]}`, "{}"), image(`{"a": [1, [2]]}`, "{}"), `config.a[1] is nothing, built again it is [2]`},
		{"a manifest", image("{}", `{"annotations": {"a": "b"}}`), image("{}", `{"annotations": {"a": "c"}}`), `manifest.annotations.a is "b", built again it is "c"`},
		{"white space", image("{}", `{"a": 1}`), image("{}", `{"a":1}`), "manifest is written otherwise"},
		{"no JSON", image("{", `{}`), image("{}", `{}`), "config is not JSON"},
		{"another spec, and with it a name", with(&record.Record{Format: record.Format, Spec: "sha256:1", Name: "a"}), with(&record.Record{Format: record.Format, Spec: "sha256:2", Name: "b"}), `record.name is "a", built again it is "b"`},
		{"another spec", with(&record.Record{Format: record.Format, Spec: "sha256:1"}), with(&record.Record{Format: record.Format, Spec: "sha256:2"}), `record.spec is "sha256:1", built again it is "sha256:2"`},
		{"a record", with(&record.Record{Format: record.Format, Name: "a"}), with(&record.Record{Format: record.Format, Name: "b"}), `record.name is "a", built again it is "b"`},
	} {
		got, err := difference(t.Context(), test.was, test.is)
		if err != nil || got != test.want {
			t.Errorf("%s: %q, %v, want %q", test.name, got, err, test.want)
		}
	}
}

// TestStarred has patterns and what they match.
func TestStarred(t *testing.T) {
	for _, test := range []struct {
		pattern, text string
		want          bool
	}{
		{"a", "a", true}, {"a", "ab", false}, {"", "", true}, {"", "a", false}, {"*", "", true}, {"*", "abc", true},
		{"a*", "abc", true}, {"a*", "ba", false}, {"*c", "abc", true}, {"*c", "cb", false}, {"a*c", "ac", true}, {"a*c", "abbc", true}, {"a*c", "a", false},
		{"a*a", "a", false}, {"a*b*c", "aXbYc", true}, {"a*b*c", "acb", false}, {"*b*", "abc", true}, {"*b*", "ac", false}, {"a**c", "abc", true},
		{"https://github.com/example/*@refs/heads/main", "https://github.com/example/images/x.yaml@refs/heads/main", true},
		{"https://github.com/example/*@refs/heads/main", "https://github.com/example/images/x.yaml@refs/heads/mainly", false},
	} {
		if got := starred(test.pattern, test.text); got != test.want {
			t.Errorf("%q matches %q: %v", test.pattern, test.text, got)
		}
	}
}
