package sboms

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/hardpan/hardpan/builder"
	"github.com/hardpan/hardpan/internal/debian/archive"
	"github.com/hardpan/hardpan/internal/debian/archivetest"
	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/sample"
	"github.com/hardpan/hardpan/internal/store"
)

var update = flag.Bool("update", false, "renew the golden files")

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// sampleImage is the first image of [sampleIndex].
func sampleImage(t *testing.T) *oci.Image { return sampleIndex(t).Images[0] }

// sampleIndex builds the image of the builder's golden test.
func sampleIndex(t *testing.T) *oci.Index { return indexOf(t, "") }

// probeImage is one that hardpan added a program of its own to.
func probeImage(t *testing.T) *oci.Image {
	return indexOf(t, "apiVersion: hardpan/v1\nextends: sample.yaml\nhealthcheck: {tcp: \"127.0.0.1:8000\"}\n").Images[0]
}

// indexOf builds the sample, or a child of it.
func indexOf(t *testing.T, child string) *oci.Index {
	t.Helper()
	s, err := archivetest.New(sample.Debian())
	check(t, err)
	t.Cleanup(s.Close)
	dir := t.TempDir()
	check(t, os.CopyFS(dir, os.DirFS("../testdata/golden")))
	layout, spec := filepath.Join(dir, "layout"), filepath.Join(dir, "sample.yaml")
	if child != "" {
		spec = filepath.Join(dir, "child.yaml")
		check(t, os.WriteFile(spec, []byte(child), 0o644))
		check(t, os.Rename(filepath.Join(dir, "sample.lock"), filepath.Join(dir, "child.lock")))
	}
	_, err = builder.Build(t.Context(), builder.Options{
		Spec: spec, CacheDir: filepath.Join(dir, "cache"), Lock: builder.RequireLock,
		Archive: builder.ArchiveOptions{Mirror: s.URL, Keyring: s.Keyring}, Outputs: builder.Outputs{Layout: layout},
	})
	check(t, err)
	src, err := oci.Open(t.Context(), layout, oci.OpenOptions{})
	check(t, err)
	t.Cleanup(func() { src.Close() })
	return src.Index
}

func describe(t *testing.T, src *oci.Image) *Image {
	t.Helper()
	img, err := Read(t.Context(), src)
	check(t, err)
	img.ToolVersion = "0.0-test"
	return img
}

// member is an entry of a layer: a file, a directory where name ends in "/", or a link.
type member struct{ name, content, link string }

// foreign makes an image that hardpan did not build, as a Dockerfile might have: a
// status file, a copyright file behind a link, a file that a later layer removes.
func foreign(t *testing.T) *oci.Image {
	t.Helper()
	return imageOf(t, oci.Config{Platform: oci.Platform{OS: "linux", Architecture: "amd64"}}, []member{
		{name: "usr/lib/os-release", content: "NAME=\"Debian GNU/Linux\"\nID=debian\nVERSION_ID=\"12\"\n"},
		{name: "etc/os-release", link: "../usr/lib/os-release"},
		{name: "var/lib/dpkg/status", content: "Package: old\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n"},
		{name: "usr/share/doc/libone1/copyright", content: format + "\nFiles: *\nCopyright: 1998 A\nLicense: Expat or Odd\n\nLicense: Odd\n Do what you like.\n"},
		{name: "usr/share/doc/one", link: "libone1"},
		{name: "usr/bin/one", content: "one\n"},
		{name: "usr/bin/again", content: "removed\n"},
		{name: "srv/data/file", content: "removed with its directory\n"},
	}, []member{
		{name: "var/lib/dpkg/status", content: `Package: one
Status: install ok installed
Version: 1:2.0+b-1
Architecture: amd64
Source: uno (1:2.0-1)
Maintainer: A Person <a@example.org>
Depends: libone1 (>= 2), missing

Package: libone1
Status: install ok installed
Version: 2
Section: libs
Architecture: amd64
Source: uno (1:2.0-1)
Maintainer: The Example Team <team@example.org>
Homepage: https://example.org/one
`},
		{name: "var/lib/dpkg/info/one.list", content: "/.\n/bin/one\n/usr/share/doc/one\n"},
		{name: "usr/bin/.wh.again"},
		{name: "srv/data/.wh..wh..opq"},
		{name: "usr/bin/local", content: "local\n"},
	})
}

func imageOf(t *testing.T, c oci.Config, layers ...[]member) *oci.Image {
	t.Helper()
	st, err := store.Open(t.TempDir())
	check(t, err)
	var list []oci.Layer
	for _, members := range layers {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		for _, m := range members {
			h := &tar.Header{Name: m.name, Mode: 0o644, Size: int64(len(m.content)), Typeflag: tar.TypeReg}
			if m.link != "" {
				h.Typeflag, h.Linkname = tar.TypeSymlink, m.link
			}
			check(t, w.WriteHeader(h))
			_, err := io.WriteString(w, m.content)
			check(t, err)
		}
		check(t, w.Close())
		d, err := st.Put(b.Bytes())
		check(t, err)
		list = append(list, oci.Layer{Digest: d, DiffID: d, Size: int64(b.Len()), MediaType: oci.MediaLayer, Open: func() (io.ReadCloser, error) { return st.Open(d) }})
	}
	img, err := oci.NewImage(st, c, list, oci.Annotations{})
	check(t, err)
	return img
}

// TestPathsBounded: an image of more paths than any has is refused, over all its layers.
func TestPathsBounded(t *testing.T) {
	img := imageOf(t, oci.Config{Platform: oci.Platform{OS: "linux", Architecture: "amd64"}}, []member{{name: "a"}, {name: "b"}}, []member{{name: "c"}})
	for before, want := range map[int64]error{maxPaths - 3: nil, maxPaths - 2: oci.ErrTooLarge} {
		sc := &scanner{}
		sc.paths.Store(before)
		if _, err := sc.scan(t.Context(), img); !errors.Is(err, want) {
			t.Errorf("after %d paths: %v, want %v", before, err, want)
		}
	}
}

// images are those that each property below must hold of.
func images(t *testing.T) map[string]*Image {
	t.Helper()
	return map[string]*Image{
		"sample":   describe(t, sampleImage(t)),
		"probe":    describe(t, probeImage(t)),
		"foreign":  describe(t, foreign(t)),
		"polyglot": describe(t, polyglot(t)),
		"empty":    describe(t, imageOf(t, oci.Config{Platform: oci.Platform{OS: "linux", Architecture: "arm64"}})),
	}
}

var formats = map[string]func(*Image) ([]byte, error){"spdx": SPDX, "cyclonedx": CycloneDX}

// TestGolden holds both documents of the builder's sample and of a foreign image.
// go test ./sboms -update renews them.
func TestGolden(t *testing.T) {
	for name, img := range images(t) {
		for format, encode := range formats {
			got, err := encode(img)
			check(t, err)
			golden(t, name+"."+format+".json", got)
		}
	}
}

// golden compares a document with the file of that name, or renews that.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	// Where the world fetches packages is package archive's to say.
	got = bytes.ReplaceAll(got, []byte(archive.PrimaryMirror), []byte("https://primary.example/debian"))
	if *update {
		check(t, os.WriteFile(file, got, 0o644))
		return
	}
	want, err := os.ReadFile(file)
	check(t, err)
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what the program says; go test ./sboms -update renews it: %s", file, firstDifference(string(want), string(got)))
	}
}

func firstDifference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range min(len(w), len(g)) {
		if w[i] != g[i] {
			return fmt.Sprintf("line %d: want %q, got %q", i+1, w[i], g[i])
		}
	}
	return fmt.Sprintf("%d lines, want %d", len(g), len(w))
}

// schemas returns the official JSON Schemas of the formats.
func schemas(t *testing.T) map[string]*jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	for url, file := range map[string]string{
		"http://cyclonedx.org/schema/bom-1.6.schema.json": "bom-1.6.schema.json", "http://cyclonedx.org/schema/spdx.schema.json": "spdx.schema.json",
		"http://cyclonedx.org/schema/jsf-0.82.schema.json": "jsf-0.82.schema.json", "http://spdx.org/rdf/terms/2.3": "spdx-schema-2.3.json",
	} {
		f, err := os.Open(filepath.Join("testdata/schema", file))
		check(t, err)
		doc, err := jsonschema.UnmarshalJSON(f)
		f.Close()
		check(t, err)
		check(t, c.AddResource(url, doc))
	}
	return map[string]*jsonschema.Schema{
		"spdx": c.MustCompile("http://spdx.org/rdf/terms/2.3"), "cyclonedx": c.MustCompile("http://cyclonedx.org/schema/bom-1.6.schema.json"),
	}
}

// TestSchemas validates the documents.
func TestSchemas(t *testing.T) {
	schemas := schemas(t)
	for name, img := range images(t) {
		for format, encode := range formats {
			b, err := encode(img)
			check(t, err)
			doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
			check(t, err)
			if err := schemas[format].Validate(doc); err != nil {
				t.Errorf("%s of %s: %v", format, name, err)
			}
		}
	}
	for format, broken := range map[string]string{ // the validator can say no
		"spdx": `{"SPDXID": 1}`, "cyclonedx": `{"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [{"name": "a"}]}`,
	} {
		doc, err := jsonschema.UnmarshalJSON(strings.NewReader(broken))
		check(t, err)
		if schemas[format].Validate(doc) == nil {
			t.Errorf("%s is valid %s", broken, format)
		}
	}
}

type spdxDoc struct {
	CreationInfo struct {
		Created  time.Time
		Creators []string
	}
	Packages []struct {
		SPDXID, Name, VersionInfo, Supplier, DownloadLocation string
		LicenseDeclared                                       string
		ExternalRefs                                          []struct{ ReferenceType, ReferenceLocator string }
	}
	Files []struct {
		SPDXID, FileName, Comment string
		Checksums                 []struct{ Algorithm, ChecksumValue string }
	}
	Relationships []struct{ SPDXElementID, RelationshipType, RelatedSPDXElement string }
}

type cdxDoc struct {
	SerialNumber string
	Metadata     struct {
		Timestamp time.Time
		Tools     struct {
			Components []struct{ Name, Version string }
		}
		Component cdxComponent
	}
	Components   []cdxComponent
	Dependencies []struct {
		Ref       string
		DependsOn []string
	}
	Compositions []struct {
		Aggregate                string
		Assemblies, Dependencies []string
	}
}

type cdxComponent struct {
	Ref                       string `json:"bom-ref"`
	Type, Name, Version, PURL string
	Supplier                  struct{ Name string }
	Hashes                    []struct{ Alg, Content string }
	Properties                []struct{ Name, Value string }
	Components                []cdxComponent
	Evidence                  struct {
		Occurrences []struct{ Location, AdditionalContext string }
	}
}

func decode[T any](t *testing.T, encode func(*Image) ([]byte, error), img *Image) T {
	t.Helper()
	b, err := encode(img)
	check(t, err)
	var doc T
	check(t, json.Unmarshal(b, &doc))
	return doc
}

// The minimum elements of an SBOM (NTIA, "The Minimum Elements For a Software Bill of
// Materials", 2021): supplier, name, version, unique identifier and relationship of
// each component, author and time of the document.
func TestMinimumElements(t *testing.T) {
	img := describe(t, sampleImage(t))
	doc := decode[spdxDoc](t, SPDX, img)
	if !doc.CreationInfo.Created.Equal(img.Created) || len(doc.CreationInfo.Creators) == 0 {
		t.Errorf("SPDX: created %v by %q", doc.CreationInfo.Created, doc.CreationInfo.Creators)
	}
	related, ids := map[string]bool{}, map[string]bool{}
	for _, r := range doc.Relationships {
		related[r.RelatedSPDXElement] = true
	}
	for _, p := range doc.Packages {
		if p.Name == "" || p.VersionInfo == "" || p.Supplier == "NOASSERTION" || !related[p.SPDXID] || ids[p.SPDXID] ||
			len(p.ExternalRefs) != 1 || p.ExternalRefs[0].ReferenceType != "purl" {
			t.Errorf("SPDX: %+v", p)
		}
		ids[p.SPDXID] = true
	}
	bom := decode[cdxDoc](t, CycloneDX, img)
	if !bom.Metadata.Timestamp.Equal(img.Created) || len(bom.Metadata.Tools.Components) == 0 {
		t.Errorf("CycloneDX: %+v", bom.Metadata)
	}
	entries := map[string]int{}
	for _, d := range bom.Dependencies {
		entries[d.Ref]++
	}
	packages := 0
	for _, c := range append(bom.Components, bom.Metadata.Component) {
		if c.Type == "file" {
			continue
		}
		packages++
		if c.Name == "" || c.Version == "" || c.Supplier.Name == "" || c.PURL == "" || entries[c.Ref] != 1 {
			t.Errorf("CycloneDX: %+v", c)
		}
	}
	if packages != len(doc.Packages) || packages != len(img.Packages)+1 {
		t.Errorf("%d packages in CycloneDX, %d in SPDX, %d in the image", packages, len(doc.Packages), len(img.Packages))
	}
}

// Both documents have each file of the image once, with its digest and origin, and
// relationships lead to what is there.
func TestDocumentsCoverTheImage(t *testing.T) {
	for name, img := range images(t) {
		want := map[string]string{}
		for _, f := range img.Files {
			if f.hasContent() {
				want[f.Path] = f.SHA256
			}
		}
		doc := decode[spdxDoc](t, SPDX, img)
		elements, contained, have := map[string]bool{"SPDXRef-DOCUMENT": true, "NONE": true, "NOASSERTION": true}, map[string]int{}, map[string]string{}
		for _, p := range doc.Packages {
			elements[p.SPDXID] = true
		}
		for _, f := range doc.Files {
			elements[f.SPDXID] = true
			have[strings.TrimPrefix(f.FileName, ".")] = f.Checksums[1].ChecksumValue
		}
		for _, r := range doc.Relationships {
			if !elements[r.SPDXElementID] || !elements[r.RelatedSPDXElement] {
				t.Errorf("%s: SPDX relates %s to %s", name, r.SPDXElementID, r.RelatedSPDXElement)
			}
			if r.RelationshipType == "CONTAINS" {
				contained[r.RelatedSPDXElement]++
			}
		}
		for _, f := range doc.Files {
			if contained[f.SPDXID] != 1 || f.Comment == "" {
				t.Errorf("%s: SPDX has %+v contained in %d packages", name, f, contained[f.SPDXID])
			}
		}
		if fmt.Sprint(have) != fmt.Sprint(want) {
			t.Errorf("%s: SPDX has the files %v, want %v", name, have, want)
		}
		have = map[string]string{}
		var collect func([]cdxComponent)
		collect = func(list []cdxComponent) {
			for _, c := range list {
				for _, o := range c.Evidence.Occurrences {
					digest, origin, _ := strings.Cut(o.AdditionalContext, ", ")
					have[o.Location] = strings.TrimPrefix(digest, "sha256:")
					if !strings.HasPrefix(origin, "from ") && !strings.HasPrefix(origin, "nothing says where it comes from") {
						t.Errorf("%s: CycloneDX says of %s %q", name, o.Location, o.AdditionalContext)
					}
				}
				collect(c.Components)
			}
		}
		bom := decode[cdxDoc](t, CycloneDX, img)
		collect(append(bom.Components, bom.Metadata.Component))
		if fmt.Sprint(have) != fmt.Sprint(want) {
			t.Errorf("%s: CycloneDX has the files %v, want %v", name, have, want)
		}
		if of := bom.Compositions[0]; of.Aggregate != string(img.Completeness) || len(of.Assemblies) != 1 {
			t.Errorf("%s: CycloneDX says %+v, want %s", name, of, img.Completeness)
		}
	}
}

// What Read says of the files and packages of a foreign image.
func TestForeign(t *testing.T) {
	img := describe(t, foreign(t))
	var got strings.Builder
	fmt.Fprintf(&got, "%s %s\n", img.Distro, img.Completeness)
	for i := range img.Packages {
		p := &img.Packages[i]
		fmt.Fprintf(&got, "%s licence %s supplier %s needs %d lacks %q requested %v\n", img.purl(p), strings.ReplaceAll(p.Licence.Expression, "LicenseRef-Odd-"+p.hash(), "<Odd>"), p.Supplier, p.DependsOn, p.Unmet, p.Requested)
	}
	for _, f := range img.Files {
		if strings.HasPrefix(f.Path, "/usr/bin") || strings.HasPrefix(f.Path, "/srv") || f.Link != "" {
			origin := "unknown"
			if f.Origin != nil {
				origin = f.Origin.String()
			}
			fmt.Fprintf(&got, "%s %s %d %.8s %s| %s\n", f.Path, f.Type, f.Size, f.SHA256, f.Link, origin)
		}
	}
	const want = `debian-12 unknown
pkg:deb/debian/libone1@2?arch=amd64&distro=debian-12&upstream=uno%401:2.0-1 licence MIT OR <Odd> supplier Organization: The Example Team (team@example.org) needs [] lacks [] requested false
pkg:deb/debian/one@1:2.0%2Bb-1?arch=amd64&distro=debian-12&upstream=uno%401:2.0-1 licence MIT OR <Odd> supplier Person: A Person (a@example.org) needs [0] lacks ["missing"] requested true
/etc/os-release symlink 0  ../usr/lib/os-release| unknown
/usr/bin/local file 6 efb83f2a | unknown
/usr/bin/one file 4 2c8b08da | package one 1:2.0+b-1
/usr/share/doc/one symlink 0  libone1| package one 1:2.0+b-1
`
	if got.String() != want {
		t.Errorf("got:\n%swant:\n%s", got.String(), want)
	}
}

// An image without dpkg has a file for each package and one with its checksums beside
// it, and perhaps packages of a derivative.
func TestForeignWithoutDpkg(t *testing.T) {
	img := describe(t, imageOf(t, oci.Config{Platform: oci.Platform{OS: "linux", Architecture: "amd64"}}, []member{
		{name: "usr/lib/os-release", content: "ID=ubuntu\nVERSION_ID='24.04'\n"},
		{name: "var/lib/dpkg/status.d/tzdata", content: "Package: tzdata\nVersion: 2025b-0+deb12u1\nArchitecture: all\nOrigin: Ubuntu\nMaintainer: A <a@example.org>\n"},
		{name: "var/lib/dpkg/status.d/tzdata.md5sums", content: "00000000000000000000000000000000  usr/share/zoneinfo/UTC\n"},
		{name: "usr/share/zoneinfo/UTC", content: "TZif"},
		{name: "usr/share/zoneinfo/Zulu", content: "TZif"},
	}))
	p := &img.Packages[0]
	if got := fmt.Sprint(len(img.Packages), " ", img.purl(p), " ", p.Supplier, " ", p.Licence.Source); got != "1 pkg:deb/ubuntu/tzdata@2025b-0%2Bdeb12u1?arch=all&distro=ubuntu-24.04&upstream=tzdata%402025b-0%2Bdeb12u1 Organization: Ubuntu the image has no /usr/share/doc/tzdata/copyright" {
		t.Error(got)
	}
	if got := len(img.contents()[part{ofPackage, 0}]); got != 1 {
		t.Errorf("the package has %d files, want 1", got)
	}
}

// hash returns the last part of the identifier of the package's only own licence.
func (p *Package) hash() string {
	if len(p.Licence.Custom) != 1 {
		return "?"
	}
	id := p.Licence.Custom[0].ID
	return id[strings.LastIndex(id, "-")+1:]
}

// An image whose content is not that of its record says so, and one whose layers are
// not what their digests say is refused.
func TestReadDoubts(t *testing.T) {
	built := sampleImage(t)
	img := describe(t, built)
	if img.Completeness != Complete || len(img.Gaps) > 0 {
		t.Errorf("the sample is %s: %q", img.Completeness, img.Gaps)
	}
	// The same record over a layer that has other files.
	other := imageOf(t, oci.Config{Platform: built.Platform}, []member{{name: "usr/bin/intruder", content: "x"}})
	swapped := *built
	swapped.Layers = slices.Clone(built.Layers)
	swapped.Layers[0] = other.Layers[0]
	described := describe(t, &swapped)
	gaps := strings.Join(described.Gaps, "\n")
	if described.Completeness != Incomplete || !strings.Contains(gaps, "nothing says where it comes from: /usr/bin/intruder") || !strings.Contains(gaps, "the record has it and the image does not: /") {
		t.Errorf("%s: %s", described.Completeness, gaps)
	}

	fewer := *built
	fewer.Layers = built.Layers[1:]
	if _, err := Read(t.Context(), &fewer); err == nil || !strings.Contains(err.Error(), "its record is of") {
		t.Errorf("a layer less: %v", err)
	}
}

// purl-spec's rules for what is encoded, on the names that Debian has.
func TestPURL(t *testing.T) {
	img := &Image{Name: "Python", Version: "3.13", Platform: "linux/amd64", Digest: "sha256:ab", Distro: "debian-13", Namespace: "debian"}
	p := &Package{}
	p.Name, p.Version, p.Architecture, p.Source, p.SourceVersion = "libstdc++6", "1:14.2.0-19~deb13+1", "amd64", "gcc-14", "14.2.0-19"
	const want = "pkg:deb/debian/libstdc%2B%2B6@1:14.2.0-19~deb13%2B1?arch=amd64&distro=debian-13&upstream=gcc-14%4014.2.0-19"
	if got := img.purl(p); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := img.imagePURL(); got != "pkg:oci/python@sha256:ab?arch=amd64&tag=3.13" {
		t.Error(got)
	}
}

// A layer that a store has is read once, and remembering it changes nothing.
func TestReadStored(t *testing.T) {
	st, err := store.Open(t.TempDir())
	check(t, err)
	for name, src := range map[string]*oci.Image{
		"sample": sampleImage(t), "foreign": foreign(t),
		"no UTF-8": imageOf(t, oci.Config{Platform: oci.Platform{OS: "linux", Architecture: "amd64"}}, []member{{name: "srv/\xff", content: "a"}, {name: "srv/\xfe", content: "b"}}),
	} {
		counted, opened := *src, map[int]int{}
		counted.Layers = slices.Clone(src.Layers)
		var mu sync.Mutex
		for i := range counted.Layers {
			counted.Layers[i].Open = func() (io.ReadCloser, error) {
				mu.Lock()
				defer mu.Unlock()
				opened[i]++
				return src.Layers[i].Open()
			}
		}
		want, err := SPDX(describe(t, src))
		check(t, err)
		for range 2 {
			img, err := new(Layers).Read(t.Context(), &counted, st)
			check(t, err)
			img.ToolVersion = "0.0-test"
			got, err := SPDX(img)
			check(t, err)
			if !bytes.Equal(got, want) {
				t.Errorf("%s: %s", name, firstDifference(string(want), string(got)))
			}
		}
		for i, n := range opened {
			if n != 1 && name != "no UTF-8" {
				t.Errorf("%s: layer %d was read %d times", name, i, n)
			}
		}
	}
}

// What was learned while layers were written is what reading them says, with hashes that
// the writer makes and with hashes of the gatherer's own.
func TestWatched(t *testing.T) {
	st, err := store.Open(t.TempDir())
	check(t, err)
	src := sampleImage(t)
	want, err := SPDX(describe(t, src))
	check(t, err)
	layers, unread := new(Layers), *src
	unread.Layers = slices.Clone(src.Layers)
	for i, l := range src.Layers {
		watchLayer(t, layers, l, st)
		unread.Layers[i].Open = func() (io.ReadCloser, error) { return nil, errors.New("the layer is read") }
	}
	for range 2 {
		img, err := layers.Read(t.Context(), &unread, st)
		check(t, err)
		img.ToolVersion = "0.0-test"
		got, err := SPDX(img)
		check(t, err)
		if !bytes.Equal(got, want) {
			t.Error(firstDifference(string(want), string(got)))
		}
	}
}

// watchLayer shows a layer to a gatherer; it hashes every second file itself.
func watchLayer(t *testing.T, layers *Layers, l oci.Layer, st *store.Store) {
	t.Helper()
	r, err := l.Uncompressed()
	check(t, err)
	defer r.Close()
	g := layers.NewGatherer()
	members := tar.NewReader(r)
	for n := 0; ; n++ {
		h, err := members.Next()
		if err == io.EOF {
			break
		}
		check(t, err)
		sum := sha256.New()
		if n%2 == 0 {
			g.Hashed(sum)
		}
		check(t, pass(h, io.TeeReader(members, sum), g))
		g.Hashed(nil)
	}
	check(t, g.Keep(l.DiffID, st))
}

// What is kept of an image's description has a bound.
func TestReadTooMuch(t *testing.T) {
	g := new(Layers).NewGatherer()
	g.left.Store(10)
	for _, c := range []struct {
		name string
		ok   bool
	}{{"srv/large", true}, {"usr/share/doc/a/copyright", true}, {"usr/share/doc/b/copyright", false}} {
		err := pass(&tar.Header{Name: c.name, Typeflag: tar.TypeReg, Size: 8}, strings.NewReader("eight by"), g)
		if err == nil {
			err = g.end()
		}
		if c.ok && err != nil || !c.ok && !errors.Is(err, oci.ErrTooLarge) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
