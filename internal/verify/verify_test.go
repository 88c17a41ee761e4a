package verify

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hardpan/hardpan/internal/language"
	"github.com/hardpan/hardpan/internal/lock"
	"github.com/hardpan/hardpan/internal/provenance"
	"github.com/hardpan/hardpan/internal/record"
	"github.com/hardpan/hardpan/internal/store"
	"github.com/hardpan/hardpan/internal/tree"
	"github.com/hardpan/hardpan/sboms"
)

func digits(c string) string { return strings.Repeat(c, 64) }

func image() *sboms.Image {
	origin := &tree.Origin{Kind: tree.FromPackage, Package: "hello", Version: "2.10"}
	return &sboms.Image{
		Name: "hello", Version: "1", Platform: "linux/amd64", Digest: store.Digest("sha256:" + digits("f")), Created: time.Unix(0, 0), Namespace: "debian",
		Packages: []sboms.Package{{Package: lock.Package{Name: "hello", Version: "2.10", Architecture: "amd64", SHA256: digits("a")}}},
		Files: []sboms.File{
			{Path: "/usr/bin/hello", SHA256: digits("b"), SHA1: strings.Repeat("1", 40), Origin: origin},
			{Path: "/usr/share/hello", SHA256: digits("c"), SHA1: strings.Repeat("2", 40), Origin: origin},
		},
		Languages: []sboms.LanguagePackage{
			{Type: "pypi", Name: "six", Version: "1.0", Path: "/usr/lib/six.dist-info/METADATA", Package: -1, Parent: -1},
			{Type: "maven", Namespace: "org.example", Name: "a", Version: "1", Path: "/srv/a.jar", Package: -1, Parent: -1, Digests: &language.Digests{SHA256: digits("e")}},
		},
		Completeness: sboms.Complete,
	}
}

// TestCompare has what is said of an image that differs from the one that a document
// describes.
func TestCompare(t *testing.T) {
	for _, f := range formatList {
		document, err := f.make(image())
		if err != nil {
			t.Fatal(err)
		}
		for _, test := range []struct {
			name   string
			change func(*sboms.Image)
			want   string
		}{
			{"the same", func(*sboms.Image) {}, ""},
			{"another tool", func(img *sboms.Image) { img.ToolVersion = "9" }, ""},
			{"an altered file", func(img *sboms.Image) { img.Files[0].SHA256 = digits("d") },
				"file /usr/bin/hello is sha256:dddddddddddd, the document says sha256:bbbbbbbbbbbb"},
			{"a file more", func(img *sboms.Image) {
				img.Files = append(img.Files, sboms.File{Path: "/usr/tmp/x", SHA256: digits("e"), SHA1: strings.Repeat("3", 40), Origin: img.Files[0].Origin})
			}, "file /usr/tmp/x is in the image and not in the document"},
			{"a file less", func(img *sboms.Image) { img.Files = img.Files[:1] }, "file /usr/share/hello is in the document and not in the image"},
			{"a package of a language less", func(img *sboms.Image) { img.Languages = img.Languages[1:] }, "six 1.0 pkg:pypi/six@1.0 is in the document and not in the image"},
			{"another jar", func(img *sboms.Image) { img.Languages[1].Digests = &language.Digests{SHA256: digits("f")} }, "1 pkg:maven/org.example/a@1 is sha256:ffffffffffff, the document says sha256:eeeeeeeeeeee"},
			{"one more", func(img *sboms.Image) {
				img.Languages = append(img.Languages, sboms.LanguagePackage{Type: "npm", Name: "six", Version: "1.0", Path: "/six/package.json", Package: -1, Parent: -1})
			}, "six 1.0 pkg:npm/six@1.0 is in the image and not in the document"},
			{"another package", func(img *sboms.Image) { img.Packages[0].SHA256 = digits("e") }, "2.10 pkg:deb/debian/hello@2.10 amd64 is sha256:eeeeeeeeeeee, the document says sha256:aaaaaaaaaaaa"},
		} {
			is := image()
			test.change(is)
			differences, err := f.compare(document, is)
			if err != nil {
				t.Fatal(err)
			}
			got := strings.Join(differences, "; ")
			if got != test.want && !(test.want != "" && len(differences) == 1 && strings.HasSuffix(got, test.want)) {
				t.Errorf("%s: %s: found %q, want %q", f.name, test.name, got, test.want)
			}
		}
		for _, bad := range []string{"", "[]", "{}", `{"spdxVersion": 2}`, `{"bomFormat": "SPDX"}`} {
			if _, err := f.compare([]byte(bad), image()); err == nil {
				t.Errorf("%s: %q is taken for a document", f.name, bad)
			}
		}
	}
}

// TestLies has documents that list what there is in a way in which others read of
// something else.
func TestLies(t *testing.T) {
	digest := map[string]string{
		"SPDX": `{"algorithm":"SHA256","checksumValue":"%s"}`, "CycloneDX": `{"alg":"SHA-256","content":"%s"}`,
	}
	for _, f := range formatList {
		document, err := f.make(image())
		if err != nil {
			t.Fatal(err)
		}
		var text bytes.Buffer
		if err := json.Compact(&text, document); err != nil {
			t.Fatal(err)
		}
		one, two := fmt.Sprintf(digest[f.name], digits("a")), fmt.Sprintf(digest[f.name], digits("9"))
		for _, lie := range []struct{ name, old, new, want string }{
			{"another package URL, which no scanner knows", "pkg:deb/debian/hello@2.10", "pkg:generic/hello@2.10", "2.10 pkg:generic/hello@2.10 amd64 is in the document and not in the image"},
			{"another digest first", one, two + "," + one, "the document says several things"},
			{"another digest last", one, one + "," + two, "the document says several things"},
		} {
			if !strings.Contains(text.String(), lie.old) {
				t.Fatalf("%s has no %s", text.String(), lie.old)
			}
			differences, err := f.compare([]byte(strings.ReplaceAll(text.String(), lie.old, lie.new)), image())
			if got := strings.Join(differences, "; "); err != nil || !strings.Contains(got, lie.want) {
				t.Errorf("%s: %s: %q, %v, want %q", f.name, lie.name, got, err, lie.want)
			}
		}
	}
}

// TestListed has indexes that differ from the one that a document describes.
func TestListed(t *testing.T) {
	index := func(digests map[string]string) *sboms.Index {
		x := &sboms.Index{Name: "hello", Version: "1", Digest: store.Digest("sha256:" + digits("0")), Created: time.Unix(0, 0), Listed: len(digests)}
		for platform, digit := range digests {
			x.Images = append(x.Images, sboms.Part{Image: &sboms.Image{Name: "hello", Version: "1", Platform: platform, Digest: store.Digest("sha256:" + digits(digit)), Created: time.Unix(0, 0), Completeness: sboms.Complete}})
		}
		return x
	}
	for _, f := range formatList {
		document, err := f.makeIndex(index(map[string]string{"linux/amd64": "a", "linux/arm64": "b"}))
		if err != nil {
			t.Fatal(err)
		}
		for _, test := range []struct {
			name, want string
			is         map[string]string
		}{
			{"the same", "", map[string]string{"linux/arm64": "b", "linux/amd64": "a"}},
			{"another image", "hello 1 arm64 is sha256:cccccccccccc, the document says sha256:bbbbbbbbbbbb", map[string]string{"linux/amd64": "a", "linux/arm64": "c"}},
			{"an image more", "hello 1 s390x is in the image and not in the document", map[string]string{"linux/amd64": "a", "linux/arm64": "b", "linux/s390x": "c"}},
			{"an image less", "hello 1 arm64 is in the document and not in the image", map[string]string{"linux/amd64": "a"}},
		} {
			differences, err := f.compareIndex(document, index(test.is))
			if err != nil {
				t.Fatal(err)
			}
			got := strings.Join(differences, "; ")
			if got != test.want && !(test.want != "" && len(differences) == 1 && strings.HasSuffix(got, test.want)) {
				t.Errorf("%s: %s: found %q, want %q", f.name, test.name, got, test.want)
			}
		}
	}
	twice, err := listCycloneDX([]byte(`{"bomFormat": "CycloneDX", "components": [{"name": "a", "hashes": [{"alg": "SHA-256", "content": "1"}]}, {"name": "a", "hashes": [{"alg": "SHA-256", "content": "2"}]}]}`))
	if err != nil || twice["a"] != "several things" {
		t.Errorf("a name for two digests is %q, %v", twice, err)
	}
}

// TestOrigin has provenance and locks that do not fit together.
func TestOrigin(t *testing.T) {
	archives := []lock.Archive{{ID: "debian/trixie", Suite: "trixie", InRelease: "sha256:" + digits("1"), Date: time.Unix(1, 0).UTC(), SignedBy: []string{"A"}}}
	pkg := func(name, sum string) lock.Package {
		return lock.Package{Name: name, Version: "1", Architecture: "amd64", Source: name, SourceVersion: "1", Archive: "debian/trixie", Path: "pool/" + name + ".deb", Size: 1, SHA256: digits(sum), Why: "requested"}
	}
	locked := func(packages ...lock.Package) []byte {
		l := &lock.Lock{LockVersion: lock.Version, Request: lock.Request{Distro: "debian/trixie", Platforms: []string{"linux/amd64"}, Packages: map[string][]string{"": {"aa"}}},
			Archives: archives, Platforms: map[string]lock.Platform{"linux/amd64": {Packages: packages}}}
		text, err := l.Encode()
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	made := func(lockText []byte, packages ...lock.Package) []byte {
		rec := &record.Record{Name: "a", Version: "1", Platform: "linux/amd64", Archives: archives, Packages: packages}
		text, err := provenance.Predicate([]*record.Record{rec}, string(store.DigestOf(lockText)), provenance.Builder{Repository: "git+https://example.com", Commit: "1"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	a, b := pkg("aa", "a"), pkg("bb", "b")
	ab := locked(a, b)
	var compact any
	if err := json.Unmarshal(ab, &compact); err != nil {
		t.Fatal(err)
	}
	short, _ := json.Marshal(compact) // as a statement has it
	for _, test := range []struct {
		name             string
		provenance, lock []byte
		want             string
	}{
		{"they fit", made(ab, a, b), ab, "made from the attested lock, sha256:"},
		{"they fit, written otherwise", made(ab, a, b), short, "made from the attested lock, sha256:"},
		{"another lock", made(ab, a, b), locked(a), "the provenance does not fit the lock: the lock is sha256:"},
		{"a package less", made(ab, a), ab, "the provenance does not fit the lock: bb 1 amd64 is in the lock only"},
		{"a package more", made(ab, a, b, pkg("cc", "c")), ab, "the provenance does not fit the lock: cc 1 amd64 is not in the lock"},
		{"no lock", made(ab, a, b), nil, "cannot be answered: no lock is attested"},
		{"nothing", nil, ab, "cannot be answered: no provenance is attested"},
		{"another builder", []byte(`{"buildDefinition": {"buildType": "https://example.com"}}`), ab, `cannot be answered: the build type is "https://example.com"`},
		{"no JSON", []byte("{"), ab, "damaged document: provenance: "},
		{"no lock's JSON", made(ab, a, b), []byte("{}"), "damaged document: lock: "},
	} {
		q := origin(test.provenance, test.lock)
		if !strings.HasPrefix(q.Answer, test.want) {
			t.Errorf("%s: %q, want %q", test.name, q.Answer, test.want)
		}
		if yes := !strings.Contains(test.want, "does not fit") && !strings.HasPrefix(test.want, "damaged"); q.OK != yes {
			t.Errorf("%s: ok %v", test.name, q.OK)
		}
	}
}

// TestBase: the image that one stands on is the one that the lock pins.
func TestBase(t *testing.T) {
	locked := func(digit string) []byte {
		l := &lock.Lock{LockVersion: lock.Version, Request: lock.Request{Distro: "debian/trixie", Platforms: []string{"linux/amd64"}, Packages: map[string][]string{"": {}}, Images: []string{"example.com/base:1"}},
			Images:    []lock.Image{{Reference: "example.com/base:1", Digest: "sha256:" + digits("9"), Platforms: map[string]string{"linux/amd64": "sha256:" + digits(digit)}}},
			Platforms: map[string]lock.Platform{"linux/amd64": {}}}
		text, err := l.Encode()
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	made := func(lockText []byte, base *record.Base) []byte {
		text, err := provenance.Predicate([]*record.Record{{Name: "a", Version: "1", Platform: "linux/amd64", Base: base}}, string(store.DigestOf(lockText)), provenance.Builder{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	base := &record.Base{Reference: "example.com/base:1", Digest: store.Digest("sha256:" + digits("a")), Layers: 1}
	for _, test := range []struct {
		name string
		base *record.Base
		lock []byte
		want string
	}{
		{"it is", base, locked("a"), "made from the attested lock, sha256:"},
		{"another one", base, locked("b"), "the provenance does not fit the lock: example.com/base:1 is not in the lock; example.com/base:1 is in the lock only"},
		{"none in the lock", &record.Base{Reference: "example.com/other:1", Digest: base.Digest}, locked("a"), "the provenance does not fit the lock: example.com/other:1 is not in the lock"},
	} {
		if q := origin(made(test.lock, test.base), test.lock); !strings.HasPrefix(q.Answer, test.want) {
			t.Errorf("%s: %q, want %q", test.name, q.Answer, test.want)
		}
	}
}

// FuzzDocuments feeds the readers of attested documents.
func FuzzDocuments(f *testing.F) {
	for _, seed := range []string{`{"spdxVersion": "SPDX-2.3", "files": [{"fileName": "./a", "checksums": [{"algorithm": "SHA256", "checksumValue": "1"}]}]}`,
		`{"bomFormat": "CycloneDX", "components": [{"type": "file", "name": "/a", "components": [{"name": "b"}]}]}`} {
		f.Add([]byte(seed), []byte("{}"))
	}
	f.Fuzz(func(t *testing.T, document, locked []byte) {
		for _, x := range formatList {
			_, _ = x.compare(document, image())
		}
		origin(document, locked)
		tested(document, &record.Record{})
		_, _ = provenance.ReadInputs(document, locked, document)
		_, _ = provenance.ReadInputs(document, locked, locked)
		documentsDiffer("config", document, locked)
	})
}
