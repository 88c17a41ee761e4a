package builder

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/store"
)

// A testKey signs with a function.
type testKey func(image *oci.Source, about []Predicate) ([]*oci.Artifact, error)

func (k testKey) Name() string { return "of the test" }

func (k testKey) Sign(_ context.Context, image *oci.Source, about []Predicate) ([]*oci.Artifact, error) {
	return k(image, about)
}

func signer(id string, k testKey) *Signer {
	return &Signer{ID: id, Open: func() (Key, error) { return k, nil }}
}

// What was signed once is published again as it was, until the key or what is signed is
// another, or the cache no longer has it whole.
func TestSignedOnce(t *testing.T) {
	b := newBench(t)
	spec := "contents: {packages: [base-files]}\nplatforms: [linux/amd64]\n"
	b.write("spec.yaml", spec)
	reg := newRegistry(t)
	signed, described := 0, 0
	key := func(image *oci.Source, about []Predicate) ([]*oci.Artifact, error) {
		signed++
		a, err := oci.NewArtifact(image.Digest, oci.Signatures, []oci.Document{{MediaType: "text/plain", Content: fmt.Appendf(nil, "signature %d", signed)}})
		return []*oci.Artifact{a}, err
	}
	o := b.options("spec.yaml")
	o.Outputs.Layout = b.dir + "/layout"
	o.Outputs.Sign = signer("one", key)
	o.Outputs.Describe = []Describer{{Key: "document", Describe: func(context.Context, *oci.Index, *store.Store) ([]Predicate, error) {
		described++
		return nil, nil
	}}}
	var digest store.Digest
	for _, c := range []struct {
		name   string
		change func()
		signs  int // calls of the key so far
		shows  int // the signature that is published
	}{
		{"at first", func() {}, 1, 1},
		{"again", func() {}, 1, 1},
		{"to another place", func() { o.Outputs.Layout, o.Outputs.Archive = "", b.dir+"/image.tar" }, 1, 1},
		{"by another key", func() { o.Outputs.Sign = signer("two", key) }, 2, 2},
		{"by the first", func() { o.Outputs.Sign = signer("one", key) }, 2, 1},
		{"by keys that keep nothing", func() { o.Outputs.Sign = signer("", key) }, 3, 3},
		{"from a damaged cache", func() {
			o.Outputs.Sign = signer("one", key)
			b.damageBlob(store.DigestOf([]byte("signature 1")))
		}, 4, 4},
		{"another image", func() { b.write("spec.yaml", spec+"labels: {a: b}\n") }, 5, 5},
		{"to a registry", func() { o.Outputs.Push = reg.host + "/a:1" }, 6, 6},
		{"to a registry that has it", func() {}, 7, 7}, // a signature of another, for all that builder knows
	} {
		c.change()
		res := b.build(o)
		if res.SignedBy != "of the test" || signed != c.signs || described != signed {
			t.Errorf("%s: signed by %q, %d times with %d descriptions, want %d", c.name, res.SignedBy, signed, described, c.signs)
		}
		digest = res.Digest
		at := o.Outputs.Layout + o.Outputs.Archive
		if o.Outputs.Push != "" {
			at = o.Outputs.Push
		}
		if got, want := b.signatureOf(at, digest), fmt.Sprint("signature ", c.shows); got != want {
			t.Errorf("%s: published %q, want %q", c.name, got, want)
		}
	}
}

// A key that cannot be opened ends the build before anything is published, however long
// the rest would take.
func TestKeyCannotBeOpened(t *testing.T) {
	b := newBench(t)
	b.write("spec.yaml", "contents: {packages: [base-files]}\nplatforms: [linux/amd64]\n")
	o := b.options("spec.yaml")
	wrong := errors.New("wrong password")
	o.Outputs.Sign = &Signer{ID: "one", Open: func() (Key, error) { return nil, wrong }}
	for range 2 { // the second may find the image in the cache
		if _, err := Build(t.Context(), o); !errors.Is(err, wrong) || strings.Contains(err.Error(), "cancel") {
			t.Errorf("error is %v", err)
		}
	}
}

// A registry that fails while it is asked what signatures the image has, whoever asks, the
// builder or the key, ends the build with what to do; and so does one of which these are
// damaged. An error of the key itself is left alone.
func TestSignaturesUnread(t *testing.T) {
	b := newBench(t)
	b.write("spec.yaml", "contents: {packages: [base-files]}\nplatforms: [linux/amd64]\n")
	var asked, fails atomic.Int32
	damaged := false
	inner := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := path.Base(r.URL.Path)
		switch {
		case !strings.HasSuffix(name, ".sig") && !strings.HasSuffix(name, ".att"):
			inner.ServeHTTP(w, r)
		case damaged:
			io.WriteString(w, "{")
		case asked.Add(1) == fails.Load():
			w.WriteHeader(http.StatusTeapot)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(srv.Close)
	locked := errors.New("the token is locked")
	o := b.options("spec.yaml")
	o.Outputs.Push = strings.TrimPrefix(srv.URL, "http://") + "/a:1"
	o.Outputs.Sign = signer("one", func(image *oci.Source, _ []Predicate) ([]*oci.Artifact, error) {
		if _, err := image.Artifacts(t.Context(), image.Digest, oci.Signatures); err != nil {
			return nil, err
		}
		return nil, locked
	})
	unread := func(what, hint string) {
		t.Helper()
		_, err := Build(t.Context(), o)
		known, ok := errors.AsType[*unreachedError](err)
		if !ok || known.Hint() != "nothing was published and no tag was moved; "+hint || !strings.HasPrefix(err.Error(), "cannot push to "+o.Outputs.Push+": cannot read sha256-") {
			t.Errorf("%s: %v", what, err)
		}
	}
	for n := range int32(5) { // of index and image, and the key's
		asked.Store(0)
		fails.Store(n + 1)
		unread(fmt.Sprint("request ", n+1), "build again when the registry answers: what was made is kept")
	}
	asked.Store(0)
	fails.Store(6)
	if _, err := Build(t.Context(), o); err != locked || asked.Load() != 5 {
		t.Errorf("after %d requests: %v", asked.Load(), err)
	}
	damaged = true
	unread("damaged", "what the registry has there is damaged: remove that tag from it, and build again")
}

// signatureOf returns the documents of the signature that the image at a place has.
func (b *bench) signatureOf(place string, image store.Digest) string {
	b.Helper()
	src, err := oci.Open(b.Context(), place, oci.OpenOptions{})
	if err != nil {
		b.Fatal(err)
	}
	defer src.Close()
	list, err := src.Artifacts(b.Context(), image, oci.Signatures)
	if err != nil || len(list) != 1 || len(list[0].Documents) != 1 {
		b.Fatalf("%s has the signatures %v, %v", place, list, err)
	}
	return string(list[0].Documents[0].Content)
}

// damageBlob changes a byte of a blob in the cache.
func (b *bench) damageBlob(d store.Digest) {
	b.Helper()
	found, err := filepath.Glob(filepath.Join(b.options("").CacheDir, "blobs", "sha256", "*", d.Hex()))
	if err != nil || len(found) != 1 {
		b.Fatalf("blob %s is at %v, %v", d, found, err)
	}
	text, err := os.ReadFile(found[0])
	if err != nil {
		b.Fatal(err)
	}
	text[0] ^= 1
	if err := os.WriteFile(found[0], text, 0o600); err != nil {
		b.Fatal(err)
	}
}
