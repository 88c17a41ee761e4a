package archive

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strconv"
	"testing"
	"time"

	"github.com/hardpan/hardpan/internal/debian"
	"github.com/hardpan/hardpan/internal/store"
)

// TestRealArchive fetches the three suites of trixie from the mirror of this
// machine, twice with one cache, and the smallest package of trixie-updates.
func TestRealArchive(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: needs the network")
	}
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
			if raceDetector && repo.Suite == "trixie" {
				t.Log("debian/trixie is left out under the race detector: it takes a minute there")
				continue
			}
			text := fetchSuite(t, c, pass, repo)
			if repo.Suite == "trixie-updates" {
				fetchSmallest(t, c, repo, text)
			}
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

// fetchSuite returns the text of the suite's indexes.
func fetchSuite(t *testing.T, c *Client, pass string, repo Repository) []byte {
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
	var all []byte
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
			bytes.Count(b, []byte("\nFilename: ")), len(b), day(r.Date), r.SignedBy)
		all = append(all, b...)
	}
	return all
}

// fetchSmallest fetches the smallest package of an index.
func fetchSmallest(t *testing.T, c *Client, repo Repository, text []byte) {
	t.Helper()
	var smallest Item
	control := debian.NewControlReader(bytes.NewReader(text))
	for {
		p, err := control.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		size, err := strconv.ParseInt(p.Get("Size"), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		if smallest.Path == "" || size < smallest.Size {
			smallest = Item{Repository: repo, Path: p.Get("Filename"), Size: size, Digest: store.Digest("sha256:" + p.Get("SHA256"))}
		}
	}
	if smallest.Path == "" {
		t.Logf("%s is empty", repo.ID)
		return
	}
	start := time.Now()
	if err := c.Fetch(context.Background(), []Item{smallest}, nil); err != nil {
		t.Fatal(err)
	}
	t.Logf("%s, %d bytes: %v", smallest.Path, smallest.Size, time.Since(start).Round(time.Millisecond))
}
