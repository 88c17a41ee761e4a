package layer

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/hardpan/hardpan/internal/store"
	"github.com/hardpan/hardpan/internal/tree"
)

func open(t *testing.T) *store.Store {
	t.Helper()
	s, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// part returns entries of every type, below a directory of that name.
func part(name string) []*tree.Node {
	text := strings.Repeat(name+" ", 50_000)
	return []*tree.Node{
		{Path: name, Type: tree.Dir, Mode: 0o1777, ModTime: 1},
		{Path: name + "/file", Type: tree.File, Mode: 0o4755, UID: 4_000_000_000, GID: 7, ModTime: 1754697600, Size: int64(len(text)), Content: tree.Bytes(text)},
		{Path: name + "/empty", Type: tree.File, Content: tree.Bytes(nil)},
		{Path: name + "/link", Type: tree.Symlink, Mode: 0o777, Link: "../" + strings.Repeat("x", 200)},
		{Path: name + "/hard", Type: tree.Hardlink, Mode: 0o4755, Link: name + "/file"},
		{Path: name + "/" + strings.Repeat("long/", 60) + "ümlaut", Type: tree.File, Mode: 0o644, Size: 1, Content: tree.Bytes("1")},
	}
}

// write writes the parts as one layer, contents in pieces as chunk has them.
func write(t *testing.T, s *store.Store, c Compression, chunk func(io.Reader) io.Reader, parts ...string) Info {
	t.Helper()
	w, err := NewWriter(s, c)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for _, name := range parts {
		for _, n := range part(name) {
			var r io.Reader
			if n.Type == tree.File {
				rc, err := n.Content.Open()
				if err != nil {
					t.Fatal(err)
				}
				r = chunk(rc)
			}
			if err := w.Add(n, r); err != nil {
				t.Fatal(err)
			}
		}
	}
	info, err := w.Finish()
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func whole(r io.Reader) io.Reader { return r }

func TestChunkingDoesNotMatter(t *testing.T) {
	for _, c := range []Compression{Gzip, Zstd} {
		s := open(t)
		want := write(t, s, c, whole, "a", "b")
		for name, chunk := range map[string]func(io.Reader) io.Reader{
			"halves": iotest.HalfReader, "bytes": iotest.OneByteReader, "error with the data": iotest.DataErrReader,
		} {
			if got := write(t, s, c, chunk, "a", "b"); got != want {
				t.Errorf("%s in %s: have %+v, want %+v", c, name, got, want)
			}
		}
	}
}

// Digests are part of every image: a library that compresses otherwise than before
// changes all of them, and asks for another [Format].
func TestBytesAreStable(t *testing.T) {
	s := open(t)
	const diffID = "sha256:6f6d388d3adeda65adf310b270a9361d2a97cee3e1358433022f21e4b51e5449"
	for c, want := range map[Compression]store.Digest{
		Gzip: "sha256:53e6631561fdf2090835a20132da41d8fcfce2f9a5c72bcfbee529cf4da89b2c",
		Zstd: "sha256:33822a071d9fd6ad3d70ac0fe8f2ff4dd793f9baf140ee6c48a2c793690aaf74",
	} {
		if got := write(t, s, c, whole, "a"); got.Digest != want || got.DiffID != diffID {
			t.Errorf("%s: have %s of the tar %s, want %s of %s", c, got.Digest, got.DiffID, want, diffID)
		}
	}
}

// Joining layers is writing their entries into one.
func TestJoin(t *testing.T) {
	for _, c := range []Compression{Gzip, Zstd} {
		s := open(t)
		parts := []Info{write(t, s, c, whole, "a"), write(t, s, c, whole, "b"), write(t, s, c, whole, "c")}
		joined, err := Join(t.Context(), s, parts)
		if err != nil {
			t.Fatal(err)
		}
		at := write(t, s, c, whole, "a", "b", "c")
		if joined.DiffID != at.DiffID {
			t.Errorf("%s: joined layers have the diff ID %s, their entries in one %s", c, joined.DiffID, at.DiffID)
		}
		if a, b := listing(t, s, joined), listing(t, s, at); a != b {
			t.Errorf("%s: joined layers are read as\n%s\nwant\n%s", c, a, b)
		}
		if size, ok := s.Stat(joined.Digest); !ok || size != joined.Size || joined.Body >= joined.Size {
			t.Errorf("%s: %+v, in the store are %d bytes", c, joined, size)
		}
		again, err := Join(t.Context(), s, []Info{joined, parts[0]})
		if err != nil {
			t.Fatal(err)
		}
		if want := write(t, s, c, whole, "a", "b", "c", "a"); again.DiffID != want.DiffID {
			t.Errorf("%s: a joined layer joined again has the diff ID %s, want %s", c, again.DiffID, want.DiffID)
		}
	}
}

// listing reads a layer to its end, as a runtime does.
func listing(t *testing.T, s *store.Store, info Info) string {
	t.Helper()
	blob, err := s.Open(info.Digest)
	if err != nil {
		t.Fatal(err)
	}
	defer blob.Close()
	plain, err := info.Compression.reader(blob)
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	var out strings.Builder
	for r := tar.NewReader(plain); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&out, "%s %c %o %d:%d %d %q %s\n", h.Name, h.Typeflag, h.Mode, h.Uid, h.Gid, h.ModTime.Unix(), h.Linkname, store.DigestOf(b))
	}
	if rest, err := io.ReadAll(plain); err != nil || len(bytes.Trim(rest, "\x00")) > 0 {
		t.Errorf("after the end: %q, %v", rest, err)
	}
	return out.String()
}

func TestJoinRefuses(t *testing.T) {
	s := open(t)
	a, b := write(t, s, Gzip, whole, "a"), write(t, s, Zstd, whole, "b")
	if _, err := Join(t.Context(), s, []Info{a, b}); err == nil || !strings.Contains(err.Error(), "compression is zstd, expected gzip") {
		t.Errorf("two compressions: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Join(ctx, s, []Info{a}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// All layers that are damaged are found at once, wherever the damage is.
func TestJoinFindsDamage(t *testing.T) {
	for _, c := range []Compression{Gzip, Zstd} {
		for _, at := range []float64{0, 0.5, 0.999} {
			s := open(t)
			parts := []Info{write(t, s, c, whole, "a"), write(t, s, c, whole, "b"), write(t, s, c, whole, "c")}
			for _, p := range parts[1:] {
				name := filepath.Join(s.Dir(), "blobs", "sha256", p.Digest.Hex()[:2], p.Digest.Hex())
				b, err := os.ReadFile(name)
				if err != nil {
					t.Fatal(err)
				}
				b[int(at*float64(len(b)))] ^= 0x10
				if err := os.WriteFile(name, b, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := Join(t.Context(), s, parts); !errors.Is(err, store.ErrCorrupt) {
				t.Errorf("%s at %v: have %v, want %v", c, at, err, store.ErrCorrupt)
			}
			for i, p := range parts {
				if _, ok := s.Stat(p.Digest); ok != (i == 0) {
					t.Errorf("%s at %v: part %d is there: %v", c, at, i, ok)
				}
			}
			if left, _ := os.ReadDir(filepath.Join(s.Dir(), "tmp")); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
		}
	}
}

func TestAddRefuses(t *testing.T) {
	for _, size := range []int64{3, 5} {
		w, err := NewWriter(open(t), Gzip)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		err = w.Add(&tree.Node{Path: "a", Type: tree.File, Size: size}, strings.NewReader("four"))
		if err == nil || !strings.Contains(err.Error(), `layer entry "a"`) {
			t.Errorf("four bytes as %d: %v", size, err)
		}
	}
	if _, err := NewWriter(open(t), "bzip2"); err == nil || err.Error() != `layer compression "bzip2", expected "gzip" or "zstd"` {
		t.Errorf("bzip2: %v", err)
	}
}
