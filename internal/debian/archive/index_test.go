package archive

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/debian/archivetest"
	"github.com/hardpan/hardpan/internal/store"
)

const xzIndex = "dists/trixie/main/binary-amd64/Packages.xz"

// byHash returns the name of a file's content below by-hash.
func byHash(name string, content []byte) string {
	return filepath.Join(filepath.Dir(name), "by-hash/SHA256", fmt.Sprintf("%x", sha256.Sum256(content)))
}

// TestIndex: which files of which archives are read.
func TestIndex(t *testing.T) {
	for name, tt := range map[string]struct {
		suite func(*suiteOf)
		spoil func(*fixture)
		repo  func(*Repository)
		want  string // packages found
		paths []string
	}{
		"xz by hash": {
			want: "hello hello-doc", paths: []string{"binary-amd64/by-hash/SHA256/"},
		},
		"no by-hash in the archive": {
			suite: func(s *suiteOf) { s.NoByHash = true },
			want:  "hello hello-doc", paths: []string{"binary-amd64/Packages.xz ok"},
		},
		"by-hash name missing": {
			spoil: func(f *fixture) { f.Delete(byHash(xzIndex, f.Get(xzIndex))) },
			want:  "hello hello-doc", paths: []string{"by-hash/SHA256/", " missing", "Packages.xz ok"},
		},
		"gz only": {
			suite: func(s *suiteOf) { s.Compressions, s.NoByHash = []string{"gz"}, true },
			want:  "hello hello-doc", paths: []string{"Packages.gz ok"},
		},
		"uncompressed only": {
			suite: func(s *suiteOf) { s.Compressions, s.NoByHash = []string{"none"}, true },
			want:  "hello hello-doc", paths: []string{"Packages ok"},
		},
		"packages of all apart": {
			suite: func(s *suiteOf) { s.AllApart, s.NoByHash = true, true },
			want:  "hello hello-doc", paths: []string{"binary-amd64/Packages.xz ok", "binary-all/Packages.xz ok"},
		},
		"index of all, but not to be used": {
			suite: func(s *suiteOf) {
				s.AllApart, s.NoByHash = true, true
				s.Fields = map[string]string{"No-Support-for-Architecture-all": "Packages"}
			},
			want: "hello", paths: []string{"binary-amd64/Packages.xz ok"},
		},
		"index of all, but not an architecture of the archive": {
			suite: func(s *suiteOf) {
				s.AllApart, s.NoByHash = true, true
				s.Fields = map[string]string{"Architectures": "amd64 arm64"}
			},
			want: "hello", paths: []string{"binary-amd64/Packages.xz ok"},
		},
		"two components": {
			suite: func(s *suiteOf) {
				s.Packages = append(s.Packages, archivetest.Package{Name: "blob", Component: "non-free"})
			},
			repo: func(r *Repository) { r.Components = []string{"main", "non-free"} },
			want: "hello hello-doc blob",
		},
		"empty suite": {
			suite: func(s *suiteOf) { s.Packages = nil },
			want:  "",
		},
		"empty suite, uncompressed": {
			suite: func(s *suiteOf) { s.Packages, s.Compressions = nil, []string{"none"} },
			want:  "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, one(tt.suite), nil)
			if tt.spoil != nil {
				tt.spoil(f)
			}
			repo := trixie
			if tt.repo != nil {
				tt.repo(&repo)
			}
			text, err := f.text(f.client, repo)
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for line := range strings.Lines(text) {
				if name, ok := strings.CutPrefix(line, "Package: "); ok {
					names = append(names, strings.TrimSpace(name))
				}
			}
			if have := strings.Join(names, " "); have != tt.want {
				t.Errorf("packages: have %q, want %q", have, tt.want)
			}
			paths := f.paths()
			for _, want := range tt.paths {
				if !strings.Contains(paths, want) {
					t.Errorf("requests lack %q:\n%s", want, paths)
				}
			}
		})
	}
}

func TestIndexRefused(t *testing.T) {
	// spoilIndex puts other bytes where the index is, under both of its names.
	spoilIndex := func(f *fixture, change func([]byte) []byte) {
		b := f.Get(xzIndex)
		other := change(bytes.Clone(b))
		f.Put(xzIndex, other)
		f.Put(byHash(xzIndex, b), other)
	}
	// lie makes a release that is signed but lists the index with another text.
	lie := func(f *fixture, change func(files map[string][]byte)) {
		files := map[string][]byte{
			"main/binary-amd64/Packages":    []byte("Package: hello\n"),
			"main/binary-amd64/Packages.xz": f.Get(xzIndex),
		}
		change(files)
		text := archivetest.Suite{Name: "trixie"}.ReleaseFile(files)
		b, err := archivetest.ClearSign(text, archivetest.Epoch, 0, f.Key)
		if err != nil {
			t.Fatal(err)
		}
		f.Put("dists/trixie/InRelease", b)
		f.Put(xzIndex, files["main/binary-amd64/Packages.xz"])
	}
	for name, tt := range map[string]struct {
		spoil func(*fixture)
		repo  func(*Repository)
		kind  error
		words []string
	}{
		"other bytes": {
			spoil: func(f *fixture) {
				spoilIndex(f, func(b []byte) []byte { b[len(b)/2] ^= 1; return b })
			},
			kind: ErrMismatch, words: []string{"found sha256 ", ", expected "},
		},
		"truncated": {
			spoil: func(f *fixture) {
				spoilIndex(f, func(b []byte) []byte { return b[:100] })
			},
			kind: ErrMismatch, words: []string{"found size 100, expected "},
		},
		"bytes too many": {
			spoil: func(f *fixture) {
				spoilIndex(f, func(b []byte) []byte { return append(b, 0) })
			},
			kind: ErrMismatch, words: []string{"found size ", ", expected "},
		},
		"missing": {
			spoil: func(f *fixture) {
				f.Delete(byHash(xzIndex, f.Get(xzIndex)))
				f.Delete(xzIndex)
			},
			kind: ErrNotFound, words: []string{"Packages.xz: gone from the archive (404 Not Found)"},
		},
		"unpacks to another text": {
			spoil: func(f *fixture) {
				lie(f, func(files map[string][]byte) {
					files["main/binary-amd64/Packages.xz"] = compress(t, []byte("Package: hallo\n"))
				})
			},
			kind: ErrMismatch, words: []string{"text of main/binary-amd64/Packages.xz: found sha256 ", ", expected "},
		},
		"decompression bomb": {
			spoil: func(f *fixture) {
				lie(f, func(files map[string][]byte) {
					files["main/binary-amd64/Packages.xz"] = compress(t, make([]byte, 4<<20))
				})
			},
			kind: ErrMismatch, words: []string{"found more than 15 bytes, expected 15"},
		},
		"unpacks to less": {
			spoil: func(f *fixture) {
				lie(f, func(files map[string][]byte) {
					files["main/binary-amd64/Packages.xz"] = compress(t, []byte("Pack"))
				})
			},
			kind: ErrMismatch, words: []string{"found 4 bytes, expected 15"},
		},
		"not xz at all": {
			spoil: func(f *fixture) {
				lie(f, func(files map[string][]byte) {
					files["main/binary-amd64/Packages.xz"] = []byte("this is not xz, but it is signed")
				})
			},
			words: []string{"cannot unpack main/binary-amd64/Packages.xz of debian/trixie"},
		},
		"unknown component": {
			repo: func(r *Repository) { r.Components = []string{"mian"} },
			kind: ErrRelease, words: []string{`component "mian"`, "components main", "amd64, arm64"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, one(nil), nil)
			if tt.spoil != nil {
				tt.spoil(f)
			}
			repo := trixie
			if tt.repo != nil {
				tt.repo(&repo)
			}
			_, err := f.text(f.client, repo)
			wantError(t, err, tt.kind, tt.words...)
			if litter := f.litter(); len(litter) > 0 {
				t.Errorf("left behind: %v", litter)
			}
		})
	}
}

func compress(t *testing.T, text []byte) []byte {
	t.Helper()
	b, err := archivetest.Compress("xz", text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestIndexHealsDuringUpdate: a mirror that serves the old index once is asked again.
func TestIndexHealsDuringUpdate(t *testing.T) {
	f := newFixture(t, one(func(s *suiteOf) { s.NoByHash = true }), nil)
	f.Inject(xzIndex, archivetest.Fault{Body: bytes.Repeat([]byte{1}, len(f.Get(xzIndex)))})
	if _, err := f.text(f.client, trixie); err != nil {
		t.Fatal(err)
	}
	if have, want := f.paths(), "dists/trixie/InRelease ok\n"+xzIndex+" ok\n"+xzIndex+" ok\n"; have != want {
		t.Errorf("have\n%swant\n%s", have, want)
	}
}

// TestPoisonedText: a text that was changed in the cache is noticed and fetched anew.
func TestPoisonedText(t *testing.T) {
	for name, poison := range map[string]func(t *testing.T, blob string){
		"a byte changed": func(t *testing.T, blob string) {
			b, err := os.ReadFile(blob)
			if err != nil {
				t.Fatal(err)
			}
			b[len(b)/2] ^= 1
			if err := os.WriteFile(blob, b, 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"emptied": func(t *testing.T, blob string) {
			if err := os.Truncate(blob, 0); err != nil {
				t.Fatal(err)
			}
		},
		"removed": func(t *testing.T, blob string) {
			if err := os.Remove(blob); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, one(nil), nil)
			first, err := f.text(f.client, trixie)
			if err != nil {
				t.Fatal(err)
			}
			r, err := f.client.Release(context.Background(), trixie)
			if err != nil {
				t.Fatal(err)
			}
			indexes, err := r.Indexes("amd64")
			if err != nil {
				t.Fatal(err)
			}
			var e textEntry
			if !f.cache.Get(kindText, string(indexes[0].Digest), &e) {
				t.Fatal("the text is not in the cache")
			}
			poison(t, filepath.Join(f.cache.Dir(), "blobs/sha256", e.Blob.Hex()[:2], e.Blob.Hex()))
			second, err := f.text(f.client, trixie)
			if err != nil || second != first {
				t.Errorf("after: %v, same text: %v", err, second == first)
			}
		})
	}
}

// TestForgedText: a text that was replaced together with its entry does not have the
// digest that the Release signs.
func TestForgedText(t *testing.T) {
	f := newFixture(t, one(nil), nil)
	if _, err := f.text(f.client, trixie); err != nil {
		t.Fatal(err)
	}
	r, err := f.client.Release(context.Background(), trixie)
	if err != nil {
		t.Fatal(err)
	}
	indexes, err := r.Indexes("amd64")
	if err != nil {
		t.Fatal(err)
	}
	forged := []byte("Package: evil\n")
	packed, err := archivetest.Compress("zst", forged)
	if err != nil {
		t.Fatal(err)
	}
	blob, err := f.cache.Put(packed)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.cache.Set(kindText, string(indexes[0].Digest), textEntry{blob, int64(len(forged)), store.DigestOf(forged)}); err != nil {
		t.Fatal(err)
	}
	_, err = f.text(f.client, trixie)
	wantError(t, err, ErrMismatch, "found 14 bytes, expected ")
	if _, err := f.text(f.client, trixie); err != nil {
		t.Errorf("the next run: %v", err)
	}
}
