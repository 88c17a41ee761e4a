package prune

import (
	"errors"
	"slices"
	"testing"

	"github.com/hardpan/hardpan/internal/debian"
	"github.com/hardpan/hardpan/internal/debian/archive"
	"github.com/hardpan/hardpan/internal/store"
)

// TestRealArchiveTable holds the table against trixie: each row is about dependencies
// that exist, each package of From has one, and each of But would have one that the
// row is about.
func TestRealArchiveTable(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: -short: the index of the real archive was not read")
	}
	all := packages(t)
	byName := map[string]debian.Package{}
	for _, p := range all {
		byName[p.Name] = p
	}
	for _, r := range Table {
		from, but := slices.Clone(r.From), slices.Clone(r.But)
		unlisted := r
		unlisted.But, unlisted.From = nil, nil
		hits := 0
		for name, p := range byName {
			for _, f := range []struct{ name, value string }{{"Pre-Depends", p.PreDepends}, {"Depends", p.Depends}} {
				entries, err := debian.ParseRelations(f.value)
				if err != nil {
					t.Fatal(err)
				}
				for _, e := range entries {
					if find([]Row{unlisted}, name, f.name, e) == nil {
						continue
					}
					from = slices.DeleteFunc(from, func(n string) bool { return n == name })
					but = slices.DeleteFunc(but, func(n string) bool { return n == name })
					if find([]Row{r}, name, f.name, e) != nil {
						hits++
					}
				}
			}
		}
		if hits == 0 || len(from) > 0 || len(but) > 0 {
			t.Errorf("row %v: %d dependencies; without one: from %v, but %v", r.Entries, hits, from, but)
		}
		t.Logf("%4d dependencies %v", hits, r.Entries)
	}
}

// packages returns the packages of trixie for amd64.
func packages(t *testing.T) []debian.Package {
	t.Helper()
	s, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	mirrors, err := archive.FindMirrors(archive.MirrorOptions{})
	if err != nil {
		t.Fatal(err)
	}
	client, err := archive.New(archive.Options{Store: s, Mirrors: mirrors, Credentials: archive.FindCredentials(archive.CredentialOptions{})})
	if err != nil {
		t.Fatal(err)
	}
	suites, err := archive.DebianSuites("trixie")
	if err != nil {
		t.Fatal(err)
	}
	release, err := client.Release(t.Context(), suites[0])
	if errors.Is(err, archive.ErrUnreachable) {
		t.Skip("SKIPPED: needs a mirror of Debian: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	indexes, err := release.Indexes("amd64")
	if err != nil {
		t.Fatal(err)
	}
	var all []debian.Package
	for _, ix := range indexes {
		text, err := client.Index(t.Context(), release, ix, nil)
		if err != nil {
			t.Fatal(err)
		}
		for p, err := range debian.ReadPackages(text) {
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, p)
		}
		text.Close()
	}
	return all
}
