package archive

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/hardpan/hardpan/internal/store"
)

// TestRealArchive fetches the three suites of trixie from the mirror of this
// machine, twice with one cache, and a package of them.
func TestRealArchive(t *testing.T) {
	mirrors, err := FindMirrors(MirrorOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("mirrors: %s; %s", mirrors.Debian.Why, mirrors.Security.Why)
	cache, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	c, err := New(Options{Store: cache, Mirrors: mirrors, Credentials: FindCredentials(CredentialOptions{})})
	if err != nil {
		t.Fatal(err)
	}
	for _, pass := range []string{"cold", "warm"} {
		start := time.Now()
		for _, repo := range suites(t, "trixie") {
			fetchSuite(t, c, pass, repo)
		}
		t.Logf("%s: %v in all", pass, time.Since(start).Round(time.Millisecond))
	}
}

func suites(t *testing.T, codename string) []Repository {
	t.Helper()
	repos, err := DebianSuites(codename)
	if err != nil {
		t.Fatal(err)
	}
	return repos
}

func fetchSuite(t *testing.T, c *Client, pass string, repo Repository) {
	t.Helper()
	start := time.Now()
	r, err := c.Release(context.Background(), repo)
	if errors.Is(err, ErrUnreachable) {
		t.Skipf("THE MIRROR CANNOT BE REACHED, the real archive is not tested: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	released := time.Since(start)
	indexes, err := r.Indexes("amd64")
	if err != nil {
		t.Fatal(err)
	}
	for _, ix := range indexes {
		text, err := c.Index(context.Background(), r, ix, nil)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(text)
		text.Close()
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s %s %s: release %v, index %v; %d packages, %d bytes; dated %s, signed by %v", pass, r.ID, ix.Name,
			released.Round(time.Millisecond), (time.Since(start) - released).Round(time.Millisecond),
			bytes.Count(b, []byte("\nPackage: "))+1, len(b), day(r.Date), r.SignedBy)
	}
}
