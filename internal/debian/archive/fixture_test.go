package archive

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hardpan/hardpan/internal/debian/archivetest"
	"github.com/hardpan/hardpan/internal/store"
)

// now is the clock of the tests, a day after the fixtures' releases.
var now = archivetest.Epoch.AddDate(0, 0, 1)

var (
	hello = archivetest.Package{Name: "hello", Architecture: "amd64", Files: []archivetest.File{{Path: "/usr/bin/hello", Content: strings.Repeat("hello\n", 50_000)}}, DataCompression: "none"}
	docs  = archivetest.Package{Name: "hello-doc"}
)

var trixie = Repository{ID: "debian/trixie", Suite: "trixie", Origin: "Debian"}

// fixture is an archive, a cache and a client of both.
type fixture struct {
	*archivetest.Server
	t      *testing.T
	cache  *store.Store
	client *Client
}

// newFixture serves a and returns a client of it. change, where not nil, changes the
// client's options.
func newFixture(t *testing.T, a archivetest.Archive, change func(*Options)) *fixture {
	t.Helper()
	server, err := archivetest.New(a)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	cache, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{Server: server, t: t, cache: cache}
	f.client = f.newClient(change)
	return f
}

func (f *fixture) newClient(change func(*Options)) *Client {
	f.t.Helper()
	o := Options{
		Store: f.cache, Keyring: keyringOf(f.t, f.Key), Now: func() time.Time { return now },
		Mirrors: Mirrors{Debian: Mirror{URI: f.URL}, Security: Mirror{URI: f.URL}},
		Backoff: time.Millisecond, Stall: 5 * time.Second,
	}
	if change != nil {
		change(&o)
	}
	c, err := New(o)
	if err != nil {
		f.t.Fatal(err)
	}
	return c
}

func keyringOf(t *testing.T, keys ...*archivetest.Key) *Keyring {
	t.Helper()
	var all []byte
	for _, key := range keys {
		b, err := key.Public()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b...)
	}
	k, err := ReadKeyring("fixture.gpg", strings.NewReader(string(all)))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func newKey(t *testing.T, o archivetest.KeyOptions) *archivetest.Key {
	t.Helper()
	k, err := archivetest.NewKey(o)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// one returns an archive of one suite "trixie" as change makes it.
func one(change func(*archivetest.Suite)) archivetest.Archive {
	s := archivetest.Suite{Name: "trixie", Suite: "stable", Packages: []archivetest.Package{hello, docs}}
	if change != nil {
		change(&s)
	}
	return archivetest.Archive{Suites: []archivetest.Suite{s}}
}

// text returns the Packages text of a repository for amd64.
func (f *fixture) text(c *Client, repo Repository) (string, error) {
	r, err := c.Release(context.Background(), repo)
	if err != nil {
		return "", err
	}
	indexes, err := r.Indexes("amd64")
	if err != nil {
		return "", err
	}
	var all strings.Builder
	for _, ix := range indexes {
		text, err := c.Index(context.Background(), r, ix, nil)
		if err != nil {
			return "", err
		}
		_, err = io.Copy(&all, text)
		text.Close()
		if err != nil {
			return "", err
		}
	}
	return all.String(), nil
}

// item returns the item of a package.
func (f *fixture) item(p archivetest.Package) Item {
	deb := f.Get(p.Filename())
	return Item{Repository: trixie, Path: p.Filename(), Size: int64(len(deb)), Digest: store.DigestOf(deb)}
}

// paths returns the requests' paths, with their status, one a line.
func (f *fixture) paths() string {
	var b strings.Builder
	for _, r := range f.Requests() {
		b.WriteString(r.Path + " " + statusWord(r.Status) + "\n")
	}
	return b.String()
}

func statusWord(status int) string {
	switch status {
	case 0:
		return "reset"
	case 200:
		return "ok"
	case 206:
		return "part"
	case 304:
		return "unchanged"
	case 404:
		return "missing"
	}
	return "failed"
}

// litter returns the files in the cache that are not finished.
func (f *fixture) litter() []string {
	var all []string
	for _, sub := range []string{"tmp", "partial"} {
		entries, err := os.ReadDir(filepath.Join(f.cache.Dir(), sub))
		if err != nil {
			f.t.Fatal(err)
		}
		for _, e := range entries {
			all = append(all, sub+"/"+e.Name())
		}
	}
	return all
}

// wantError checks kind, one-lineness and the words of an error.
func wantError(t *testing.T, err, kind error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %v", kind)
	}
	if kind != nil && !errors.Is(err, kind) {
		t.Errorf("error %q is not %q", err, kind)
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("error of several lines: %q", err)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("error lacks %q: %s", word, err)
		}
	}
}

// grepDir fails the test where a file below dir has the secret in it.
func grepDir(t *testing.T, dir, secret string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if strings.Contains(string(b), secret) || strings.Contains(path, secret) {
			t.Errorf("%s has the secret in it", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
