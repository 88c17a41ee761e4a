package archive

import (
	"context"
	"crypto"
	"strings"
	"testing"
	"time"

	"github.com/hardpan/hardpan/internal/debian/archivetest"
)

type suiteOf = archivetest.Suite

func TestRelease(t *testing.T) {
	f := newFixture(t, one(func(s *suiteOf) { s.ValidUntil = now.AddDate(0, 0, 6) }), nil)
	r, err := f.client.Release(context.Background(), trixie)
	if err != nil {
		t.Fatal(err)
	}
	have := strings.Join([]string{r.ID, r.Origin, r.Suite, r.Codename, day(r.Date), day(r.ValidUntil)}, "|")
	want := "debian/trixie|Debian|stable|trixie|Sat, 09 Aug 2025 00:00:00 UTC|Sat, 16 Aug 2025 00:00:00 UTC"
	if have != want {
		t.Errorf("have %s, want %s", have, want)
	}
	if len(r.SignedBy) != 1 || r.SignedBy[0] != f.Key.Fingerprint() {
		t.Errorf("signed by %v, want %s", r.SignedBy, f.Key.Fingerprint())
	}
	if b := f.Get("dists/trixie/InRelease"); !f.has(r, b) {
		t.Errorf("digest %s is not that of InRelease", r.Digest)
	}
}

func (f *fixture) has(r *Release, inRelease []byte) bool {
	b, err := f.cache.ReadFile(r.Digest)
	return err == nil && string(b) == string(inRelease)
}

// TestReleaseRefused is the bad input that a Release can be.
func TestReleaseRefused(t *testing.T) {
	stranger := newKey(t, archivetest.KeyOptions{})
	sign := func(f *fixture, text string, hash crypto.Hash, keys ...*archivetest.Key) {
		b, err := archivetest.ClearSign([]byte(text), archivetest.Epoch, hash, keys...)
		if err != nil {
			t.Fatal(err)
		}
		f.Put("dists/trixie/InRelease", b)
	}
	signedText := func(f *fixture) string {
		s := string(f.Get("dists/trixie/InRelease"))
		s = s[strings.Index(s, "\n\n")+2:]
		return s[:strings.Index(s, "-----BEGIN PGP SIGNATURE")]
	}
	for name, tt := range map[string]struct {
		suite func(*suiteOf)
		spoil func(*fixture)
		kind  error
		words []string
	}{
		"expired": {
			suite: func(s *suiteOf) { s.ValidUntil = now.Add(-time.Hour) },
			kind:  ErrExpired, words: []string{"valid until Sat, 09 Aug 2025 23:00:00 UTC", "now is Sun, 10 Aug 2025 00:00:00 UTC"},
		},
		"from the future": {
			suite: func(s *suiteOf) { s.Date = now.Add(25 * time.Hour) },
			kind:  ErrSignature, words: []string{"made in the future"}, // the signature bears the same date
		},
		"dated in the future, signed today": {
			spoil: func(f *fixture) {
				sign(f, strings.Replace(signedText(f), "09 Aug 2025", "12 Aug 2025", 1), 0, f.Key)
			},
			kind: ErrRelease, words: []string{"dated Tue, 12 Aug 2025 00:00:00 UTC", "now is Sun, 10 Aug 2025"},
		},
		"another suite": {
			suite: func(s *suiteOf) { s.Suite, s.Codename = "oldstable", "bookworm" },
			kind:  ErrRelease, words: []string{`found suite "oldstable", codename "bookworm", expected "trixie"`},
		},
		"another origin": {
			suite: func(s *suiteOf) { s.Origin = "Evil" },
			kind:  ErrRelease, words: []string{`found origin "Evil", expected "Debian"`},
		},
		"unknown key": {
			suite: func(s *suiteOf) { s.Keys = []*archivetest.Key{stranger} },
			kind:  ErrSignature, words: []string{"signed by " + stranger.ID() + " (not a trusted key)", "trusted keys are "},
		},
		"no signature at all": {
			spoil: func(f *fixture) { f.Put("dists/trixie/InRelease", []byte(signedText(f))) },
			kind:  ErrSignature, words: []string{"-----BEGIN PGP SIGNED MESSAGE-----"},
		},
		"detached signature missing": {
			suite: func(s *suiteOf) { s.Detached = true },
			spoil: func(f *fixture) { f.Delete("dists/trixie/Release.gpg") },
			kind:  ErrSignature, words: []string{"no signature: neither InRelease nor Release.gpg"},
		},
		"detached signature of another text": {
			suite: func(s *suiteOf) { s.Detached = true },
			spoil: func(f *fixture) {
				f.Put("dists/trixie/Release", append(f.Get("dists/trixie/Release"), "Extra: field\n"...))
			},
			kind: ErrSignature, words: []string{"bad signature"},
		},
		"one byte changed": {
			spoil: func(f *fixture) {
				s := string(f.Get("dists/trixie/InRelease"))
				f.Put("dists/trixie/InRelease", []byte(strings.Replace(s, "stable", "stably", 1)))
			},
			kind: ErrSignature, words: []string{"bad signature"},
		},
		"cut short": {
			spoil: func(f *fixture) {
				b := f.Get("dists/trixie/InRelease")
				f.Put("dists/trixie/InRelease", b[:len(b)-40])
			},
			kind: ErrSignature, words: []string{"malformed clear-signed message"},
		},
		"weak hash": {
			spoil: func(f *fixture) { sign(f, signedText(f), crypto.SHA1, f.Key) },
			kind:  ErrSignature, words: []string{"weak hash SHA-1"},
		},
		"text before": {
			spoil: func(f *fixture) {
				f.Put("dists/trixie/InRelease", append([]byte("Suite: trixie\n"), f.Get("dists/trixie/InRelease")...))
			},
			kind: ErrSignature, words: []string{`found "Suite: trixie" in line 1`},
		},
		"text after": {
			spoil: func(f *fixture) {
				f.Put("dists/trixie/InRelease", append(f.Get("dists/trixie/InRelease"), "Suite: trixie\n"...))
			},
			kind: ErrSignature, words: []string{"text after the clear-signed message"},
		},
		"two messages": {
			spoil: func(f *fixture) {
				b := f.Get("dists/trixie/InRelease")
				f.Put("dists/trixie/InRelease", append(b[:len(b):len(b)], b...))
			},
			kind: ErrSignature, words: []string{"expected one message only"},
		},
		"html of a captive portal": {
			spoil: func(f *fixture) { f.Put("dists/trixie/InRelease", []byte("<html>please log in</html>\n")) },
			kind:  ErrSignature, words: []string{`found "<html>please log in</html>"`},
		},
		"no such suite": {
			spoil: func(f *fixture) { f.Delete("dists/trixie/InRelease") },
			kind:  ErrNotFound, words: []string{`suite "trixie"`, "neither InRelease nor Release"},
		},
		"second paragraph": {
			spoil: func(f *fixture) { sign(f, signedText(f)+"\nSuite: trixie\n", 0, f.Key) },
			kind:  ErrRelease, words: []string{"second paragraph"},
		},
		"index outside the suite": {
			spoil: func(f *fixture) {
				sign(f, strings.Replace(signedText(f), " main/binary-amd64/Packages.xz", " ../../etc/passwd", 1), 0, f.Key)
			},
			kind: ErrRelease, words: []string{`"../../etc/passwd" leads out of the suite`},
		},
		"no dates": {
			suite: func(s *suiteOf) { s.Fields = map[string]string{"Date": "yesterday"} },
			kind:  ErrRelease, words: []string{`found "yesterday", expected a date`},
		},
		"no digests": {
			suite: func(s *suiteOf) { s.Fields = map[string]string{"SHA256": ""} },
			kind:  ErrRelease, words: []string{"no SHA256 field"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, one(tt.suite), nil)
			if tt.spoil != nil {
				tt.spoil(f)
			}
			_, err := f.client.Release(context.Background(), trixie)
			wantError(t, err, tt.kind, tt.words...)
			if litter := f.litter(); len(litter) > 0 {
				t.Errorf("left behind: %v", litter)
			}
		})
	}
}

// TestReleaseKeys is what a key must be like at what time.
func TestReleaseKeys(t *testing.T) {
	const days = 24 * time.Hour
	expiring := newKey(t, archivetest.KeyOptions{Lifetime: 3 * days}) // until Aug 11
	revoked := newKey(t, archivetest.KeyOptions{})
	if err := revoked.Revoke(archivetest.Epoch.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	late := newKey(t, archivetest.KeyOptions{Created: archivetest.Epoch.Add(time.Hour)})
	stranger := newKey(t, archivetest.KeyOptions{})
	good := newKey(t, archivetest.KeyOptions{})
	for name, tt := range map[string]struct {
		signers  []*archivetest.Key
		now      time.Time
		snapshot bool
		want     string // part of the error, or "" where it is accepted
	}{
		"before it expires":             {signers: []*archivetest.Key{expiring}, now: now},
		"after it expired":              {signers: []*archivetest.Key{expiring}, now: now.Add(5 * days), want: "has expired"},
		"after it expired, snapshot":    {signers: []*archivetest.Key{expiring}, now: now.Add(5 * days), snapshot: true},
		"revoked":                       {signers: []*archivetest.Key{revoked}, now: now, want: "is revoked"},
		"revoked, snapshot":             {signers: []*archivetest.Key{revoked}, now: now, snapshot: true, want: "is revoked"},
		"signature older than key":      {signers: []*archivetest.Key{late}, now: now, want: "signature older than its key"},
		"a stranger beside":             {signers: []*archivetest.Key{stranger, good}, now: now},
		"a revoked key beside":          {signers: []*archivetest.Key{revoked, good}, now: now},
		"a stranger and a revoked":      {signers: []*archivetest.Key{stranger, revoked}, now: now, want: stranger.ID() + " (not a trusted key), " + revoked.ID()},
		"two that are good":             {signers: []*archivetest.Key{expiring, good}, now: now},
		"signature after the key's end": {signers: []*archivetest.Key{newKey(t, archivetest.KeyOptions{Created: archivetest.Epoch.Add(-5 * days), Lifetime: days})}, now: now, snapshot: true, want: "not a trusted key"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, one(func(s *suiteOf) { s.Keys = tt.signers }), func(o *Options) {
				o.Keyring = keyringOf(t, expiring, revoked, late, good)
				o.Now = func() time.Time { return tt.now }
				o.Snapshot = tt.snapshot
			})
			_, err := f.client.Release(context.Background(), trixie)
			if tt.want == "" && err != nil {
				t.Fatal(err)
			}
			if tt.want != "" {
				wantError(t, err, ErrSignature, tt.want)
			}
		})
	}
}

// TestSnapshotKeyExpiredWhenSigning: even for the past a key must have been good then.
func TestSnapshotKeyExpiredWhenSigning(t *testing.T) {
	stale := newKey(t, archivetest.KeyOptions{Created: archivetest.Epoch.AddDate(0, 0, -5), Lifetime: 24 * time.Hour})
	f := newFixture(t, one(func(s *suiteOf) { s.Keys = []*archivetest.Key{stale} }), func(o *Options) {
		o.Keyring, o.Snapshot = keyringOf(t, stale), true
	})
	_, err := f.client.Release(context.Background(), trixie)
	wantError(t, err, ErrSignature, "key had expired when it signed")
}

func TestReleaseDetached(t *testing.T) {
	f := newFixture(t, one(func(s *suiteOf) { s.Detached = true }), nil)
	if _, err := f.text(f.client, trixie); err != nil {
		t.Fatal(err)
	}
	f.Requests()
	if _, err := f.text(f.client, trixie); err != nil {
		t.Fatal(err)
	}
	if have, want := f.paths(), "dists/trixie/InRelease missing\ndists/trixie/Release unchanged\ndists/trixie/Release.gpg unchanged\n"; have != want {
		t.Errorf("second time: have\n%swant\n%s", have, want)
	}
}

func TestReleaseRollback(t *testing.T) {
	newer := archivetest.Epoch.Add(6 * time.Hour)
	f := newFixture(t, one(func(s *suiteOf) { s.Date = newer }), nil)
	if _, err := f.client.Release(context.Background(), trixie); err != nil {
		t.Fatal(err)
	}
	if err := f.Publish(one(nil)); err != nil {
		t.Fatal(err)
	}
	_, err := f.client.Release(context.Background(), trixie)
	wantError(t, err, ErrRollback, "dated Sat, 09 Aug 2025 00:00:00 UTC", "one of Sat, 09 Aug 2025 06:00:00 UTC was seen before")

	// Another mirror does not get round it, another repository is not concerned.
	other := trixie
	other.URI = f.URL + "/."
	if _, err := f.client.Release(context.Background(), other); err == nil {
		t.Error("an older release was accepted from another uri")
	}
	other = trixie
	other.ID = "example"
	if _, err := f.client.Release(context.Background(), other); err != nil {
		t.Error(err)
	}

	// A snapshot may be old, and does not become the newest one seen.
	snapshot := f.newClient(func(o *Options) { o.Snapshot = true })
	if _, err := snapshot.Release(context.Background(), trixie); err != nil {
		t.Error(err)
	}
	if _, err := f.client.Release(context.Background(), trixie); err == nil {
		t.Error("an older release was accepted after a snapshot")
	}
}

func TestSnapshotAcceptsExpired(t *testing.T) {
	f := newFixture(t, one(func(s *suiteOf) { s.ValidUntil = now.Add(-time.Hour) }), func(o *Options) { o.Snapshot = true })
	if _, err := f.text(f.client, trixie); err != nil {
		t.Fatal(err)
	}
}

// TestUnchanged: an archive that has not changed costs one conditional request.
func TestUnchanged(t *testing.T) {
	f := newFixture(t, one(nil), nil)
	first, err := f.text(f.client, trixie)
	if err != nil {
		t.Fatal(err)
	}
	f.Requests()
	second, err := f.text(f.newClient(nil), trixie)
	if err != nil || second != first {
		t.Fatalf("second time: %v, same text: %v", err, second == first)
	}
	requests := f.Requests()
	if len(requests) != 1 || requests[0].Status != 304 || requests[0].IfNoneMatch == "" || requests[0].IfModifiedSince == "" {
		t.Errorf("have %+v, want one conditional request", requests)
	}
}

// TestUnchangedWithoutValidators: a server that cannot say "not modified" costs the
// InRelease, but no index.
func TestUnchangedWithoutValidators(t *testing.T) {
	f := newFixture(t, one(nil), nil)
	f.NoValidators()
	for range 2 {
		f.Requests()
		if _, err := f.text(f.client, trixie); err != nil {
			t.Fatal(err)
		}
	}
	if have, want := f.paths(), "dists/trixie/InRelease ok\n"; have != want {
		t.Errorf("second time: have\n%swant\n%s", have, want)
	}
}

// TestCachedReleaseIsVerifiedAgain: what "not modified" stands for must still be good.
func TestCachedReleaseIsVerifiedAgain(t *testing.T) {
	f := newFixture(t, one(func(s *suiteOf) { s.ValidUntil = now.AddDate(0, 0, 1) }), nil)
	if _, err := f.client.Release(context.Background(), trixie); err != nil {
		t.Fatal(err)
	}
	later := f.newClient(func(o *Options) { o.Now = func() time.Time { return now.AddDate(0, 0, 2) } })
	_, err := later.Release(context.Background(), trixie)
	wantError(t, err, ErrExpired)
	stranger := f.newClient(func(o *Options) { o.Keyring = keyringOf(t, newKey(t, archivetest.KeyOptions{})) })
	_, err = stranger.Release(context.Background(), trixie)
	wantError(t, err, ErrSignature)
}

func TestParseDate(t *testing.T) {
	for v, want := range map[string]string{
		"Sat, 09 Aug 2025 09:00:00 UTC":   "Sat, 09 Aug 2025 09:00:00 UTC",
		"Sat,  9 Aug 2025 09:00:00 GMT":   "Sat, 09 Aug 2025 09:00:00 UTC",
		"Sat, 09 Aug 2025 09:00:00 +0000": "Sat, 09 Aug 2025 09:00:00 UTC",
		"Sat, 09 Aug 2025 09:00:00 CEST":  "",
		"Sat, 09 Aug 2025 09:00:00 +0200": "",
		"2025-08-09T09:00:00Z":            "",
		"":                                "",
	} {
		have := ""
		if d, err := parseDate(v); err == nil {
			have = day(d)
		}
		if have != want {
			t.Errorf("%q: have %q, want %q", v, have, want)
		}
	}
}
