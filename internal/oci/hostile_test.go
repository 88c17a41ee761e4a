package oci_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/store"
)

// hostileLayout is a layout of an image to which a test adds what it likes.
type hostileLayout struct {
	t       testing.TB
	dir     string
	index   *oci.Index
	entries []string // of index.json beside the image's
}

func newHostileLayout(t testing.TB) *hostileLayout {
	x := buildIndex(t, openStore(t), linuxAMD64)
	l := &hostileLayout{t: t, dir: filepath.Join(t.TempDir(), "dist"), index: x}
	writeLayout(t, l.dir, x)
	return l
}

// blob adds a blob and returns its descriptor without the closing brace.
func (l *hostileLayout) blob(media, content string) string {
	l.t.Helper()
	d := store.DigestOf([]byte(content))
	check(l.t, os.WriteFile(filepath.Join(l.dir, "blobs/sha256", d.Hex()), []byte(content), 0o644))
	return fmt.Sprintf(`{"mediaType":%q,"digest":%q,"size":%d`, media, d, len(content))
}

// open writes index.json and opens the image.
func (l *hostileLayout) open() (*oci.Source, error) {
	l.t.Helper()
	image := fmt.Sprintf(`{"mediaType":%q,"digest":%q,"size":%d,"annotations":{"org.opencontainers.image.ref.name":"1"}}`, indexType, l.index.Digest, len(l.index.Manifest))
	text := `{"schemaVersion":2,"manifests":[` + strings.Join(append([]string{image}, l.entries...), ",") + `]}`
	check(l.t, os.WriteFile(filepath.Join(l.dir, "index.json"), []byte(text), 0o644))
	return oci.Open(l.t.Context(), l.dir+":1", oci.OpenOptions{})
}

const (
	indexType    = "application/vnd.oci.image.index.v1+json"
	manifestType = "application/vnd.oci.image.manifest.v1+json"
)

func many(text string, n int) string {
	return strings.TrimSuffix(strings.Repeat(text+",", n), ",")
}

// Few bytes that ask for much work or memory are refused before it is done.
func TestHostileCounts(t *testing.T) {
	t.Parallel()
	read := func(l *hostileLayout) error {
		s, err := l.open()
		if err != nil {
			return err
		}
		defer s.Close()
		list, err := s.Referrers(t.Context(), l.index.Digest)
		for _, a := range list {
			err = errors.Join(err, a.Read())
		}
		if err == nil {
			_, err = s.Artifacts(t.Context(), l.index.Digest, oci.Signatures)
		}
		return err
	}
	subject := func(l *hostileLayout) string {
		return fmt.Sprintf(`"subject":{"mediaType":%q,"digest":%q,"size":%d}`, indexType, l.index.Digest, len(l.index.Manifest))
	}
	for _, c := range []struct {
		name string
		make func(l *hostileLayout)
	}{
		{"indexes within indexes within a referrer", func(l *hostileLayout) {
			inner := l.blob(manifestType, `{"schemaVersion":2,"config":`+l.blob("text/plain", "x")+`}}`) + "}"
			for range 3 {
				inner = l.blob(indexType, `{"schemaVersion":2,"manifests":[`+many(inner, 900)+`]}`) + "}"
			}
			l.entries = append(l.entries, l.blob(indexType, `{"schemaVersion":2,`+subject(l)+`,"manifests":[`+many(inner, 900)+`]}`)+`,"artifactType":"text/x"}`)
		}},
		{"one document a thousand times", func(l *hostileLayout) {
			part := l.blob("text/plain", strings.Repeat("x", 1<<20)) + "}"
			l.entries = append(l.entries, l.blob(manifestType, `{"schemaVersion":2,`+subject(l)+`,"config":`+part+`,"layers":[`+many(part, 999)+`]}`)+`,"artifactType":"text/x"}`)
		}},
		{"one list of referrers many times", func(l *hostileLayout) {
			entry := l.blob(manifestType, `{"schemaVersion":2,`+subject(l)+`,"config":`+l.blob("text/plain", "x")+`}}`) + "}"
			list := l.blob(indexType, `{"schemaVersion":2,"manifests":[`+many(entry, 1000)+`]}`)
			l.entries = append(l.entries, many(list+`,"annotations":{"org.opencontainers.image.ref.name":"sha256-`+l.index.Digest.Hex()+`"}}`, 900))
		}},
		{"a large referrer many times", func(l *hostileLayout) {
			entry := l.blob(manifestType, `{"schemaVersion":2,`+subject(l)+`,"config":`+l.blob("text/plain", "x")+`}}`+strings.Repeat(" ", 3<<20)) + `,"artifactType":"text/x"}`
			l.entries = append(l.entries, many(entry, 900))
		}},
		{"other signatures and again others", func(l *hostileLayout) {
			part := l.blob("text/plain", strings.Repeat("x", 60<<20)) + "}"
			for i := range 3 {
				entry := l.blob(manifestType, `{"schemaVersion":2,"config":`+part+`,"layers":[`+part+`]}`+strings.Repeat(" ", i))
				l.entries = append(l.entries, entry+`,"annotations":{"kind":"dev.cosignproject.cosign/sigs","org.opencontainers.image.ref.name":"sha256-`+l.index.Digest.Hex()+`.sig"}}`)
			}
		}},
		{"one large image many times", func(l *hostileLayout) {
			img := l.index.Images[0]
			entry := l.blob(manifestType, string(img.Manifest)+strings.Repeat(" ", 3<<20)) + "}"
			x := `{"schemaVersion":2,"manifests":[` + many(entry, 500) + `]}`
			l.blob(indexType, x)
			l.index.Digest, l.index.Manifest = store.DigestOf([]byte(x)), []byte(x)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newHostileLayout(t)
			c.make(l)
			if err := read(l); !errors.Is(err, oci.ErrTooLarge) {
				t.Errorf("error %v, want ErrTooLarge", err)
			}
		})
	}
}

// What is listed twice is one.
func TestListedTwice(t *testing.T) {
	t.Parallel()
	l := newHostileLayout(t)
	img := l.index.Images[0]
	x := `{"schemaVersion":2,"manifests":[` + many(l.blob(manifestType, string(img.Manifest))+"}", 2) + `]}`
	l.blob(indexType, x)
	l.index.Digest, l.index.Manifest = store.DigestOf([]byte(x)), []byte(x)
	signatures := l.blob(manifestType, `{"schemaVersion":2,"config":`+l.blob("text/plain", "x")+`},"layers":[`+l.blob("text/plain", "x")+`}]}`)
	l.entries = append(l.entries, many(signatures+`,"annotations":{"kind":"dev.cosignproject.cosign/sigs","org.opencontainers.image.ref.name":"sha256-`+l.index.Digest.Hex()+`.sig"}}`, 900))
	s, err := l.open()
	check(t, err)
	defer s.Close()
	list, err := s.Artifacts(t.Context(), l.index.Digest, oci.Signatures)
	if err != nil || len(s.Images) != 1 || len(list) != 1 {
		t.Errorf("%d images, %d artifacts, %v", len(s.Images), len(list), err)
	}
}

// Readers differ in which of two members they believe, and where they differ in case,
// in whether it is two.
func TestHostileMembers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, old, new, want string }{
		{"nothing", "", "", ""},
		{"a layer's digest", `"layers":[{`, `"layers":[{"digest":"sha256:0",`, `member "digest" occurs twice`},
		{"a layer's Digest", `"layers":[{`, `"layers":[{"Digest":"sha256:0",`, `member "digest" occurs twice`},
		{"the config's SIZE", `"config":{`, `"config":{"SIZE":0,`, `member "size" occurs twice`},
		{"another Config", `"config":{`, `"Config":{},"config":{`, `member "config" occurs twice`},
		{"annotations in two cases", `"annotations":{`, `"annotations":{"a.b":"1","A.B":"2",`, ""},
		{"an annotation twice", `"annotations":{`, `"annotations":{"a.b":"1","a.b":"2",`, `member "a.b" occurs twice`},
	} {
		l := newHostileLayout(t)
		manifest := strings.Replace(string(l.index.Images[0].Manifest), c.old, c.new, 1)
		if c.old != "" && !strings.Contains(manifest, c.new) {
			t.Fatalf("%s has no %s", manifest, c.old)
		}
		x := `{"schemaVersion":2,"manifests":[` + l.blob(manifestType, manifest) + `}]}`
		l.blob(indexType, x)
		l.index.Digest, l.index.Manifest = store.DigestOf([]byte(x)), []byte(x)
		s, err := l.open()
		if err == nil {
			s.Close()
		}
		if c.want == "" {
			check(t, err)
		} else {
			wantError(t, err, c.want)
		}
	}
}

// What an index lists and nobody reads is counted.
func TestUnread(t *testing.T) {
	t.Parallel()
	l := newHostileLayout(t)
	img := l.blob(manifestType, string(l.index.Images[0].Manifest))
	hidden := img + `,"artifactType":"text/x","platform":{"os":"linux","architecture":"s390x"}}`
	inner := `{"schemaVersion":2,"manifests":[` + hidden + "," + img + `,"platform":{"os":"unknown","architecture":"unknown"}}]}`
	x := `{"schemaVersion":2,"manifests":[` + img + "}," + hidden + "," + l.blob(indexType, strings.Replace(inner, `]}`, ","+img+"}]}", 1)) + `}]}`
	l.blob(indexType, x)
	l.index.Digest, l.index.Manifest = store.DigestOf([]byte(x)), []byte(x)
	s, err := l.open()
	check(t, err)
	defer s.Close()
	if s.Index.Unread != 3 || len(s.Images) != 1 {
		t.Errorf("%d unread, %d images", s.Index.Unread, len(s.Images))
	}
}
