package builder

import (
	"archive/tar"
	"context"
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
	"testing"

	"github.com/hardpan/hardpan/internal/debian/archivetest"
	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/oci/layer"
	"github.com/hardpan/hardpan/internal/record"
	"github.com/hardpan/hardpan/internal/sample"
)

var update = flag.Bool("update", false, "renew the golden files")

// bench is a place to build in: an archive with the sample's packages, a directory
// with a spec, and a cache.
type bench struct {
	*testing.T
	server *archivetest.Server
	dir    string
}

// newBench copies ../testdata/golden to a directory of its own: a spec and its lock.
// With a lock the archive's key, which is another one at every run, plays no part.
func newBench(t *testing.T) *bench {
	t.Helper()
	s, err := archivetest.New(sample.Debian())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	b := &bench{t, s, t.TempDir()}
	if err := os.CopyFS(b.dir, os.DirFS("../testdata/golden")); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bench) options(spec string) Options {
	return Options{
		Spec: filepath.Join(b.dir, spec), CacheDir: filepath.Join(b.dir, "cache"),
		Archive: ArchiveOptions{Mirror: b.server.URL, Keyring: b.server.Keyring},
		Outputs: Outputs{Layout: filepath.Join(b.dir, "out", spec)},
		FailOn:  "never", // most images here run as root; the gate has tests of its own
	}
}

// build builds and must succeed.
func (b *bench) build(o Options) *Result {
	b.Helper()
	res, err := Build(b.Context(), o)
	if err != nil {
		b.Fatal(err)
	}
	return res
}

// write writes a spec: text below a common head.
func (b *bench) write(name, text string) {
	b.Helper()
	head := "apiVersion: hardpan/v1\nname: sample\nversion: \"1\"\ndistro: debian/trixie\n"
	if err := os.WriteFile(filepath.Join(b.dir, name), []byte(head+text), 0o644); err != nil {
		b.Fatal(err)
	}
}

// TestGolden holds the digest of the sample's image and, so that a difference can be
// read, what is in it. go test ./builder -run Golden -update renews both.
func TestGolden(t *testing.T) {
	b := newBench(t)
	o := b.options("sample.yaml")
	o.Lock = RequireLock
	if *update {
		o.Lock = UpdateLock
		b.build(o)
		text, err := os.ReadFile(filepath.Join(b.dir, "sample.lock"))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile("../testdata/golden/sample.lock", text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	res := b.build(o)
	var out strings.Builder
	fmt.Fprintf(&out, "index %s\n", res.Digest)
	for _, img := range res.Index.Images {
		dumpImage(t, &out, img)
	}
	const golden = "../testdata/golden/sample.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if out.String() != string(want) {
		t.Errorf("the image differs from %s (- want, + have):\n%s", golden, difference(string(want), out.String()))
	}
}

// dumpImage writes an image as text: the config, the layers with their entries, and
// the tree that they make with the origin of each path.
func dumpImage(t *testing.T, out *strings.Builder, img *oci.Image) {
	t.Helper()
	var config map[string]any
	if err := json.Unmarshal(img.RawConfig, &config); err != nil {
		t.Fatal(err)
	}
	delete(config, "dev.hardpan.record.v1") // compressed; the origins below are from it
	text, err := json.MarshalIndent(config, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(out, "\nimage %s %s\nconfig %s\n", img.Platform, img.Digest, text)
	rec, err := record.Decode(img.Config.Record)
	if err != nil {
		t.Fatal(err)
	}
	for i, l := range img.Layers {
		fmt.Fprintf(out, "\nlayer %d %s %s: %s\n", i, l.Digest, l.MediaType, l.CreatedBy)
		for _, e := range entries(t, l) {
			row, ok := rec.Lookup(e.name)
			if !ok {
				t.Errorf("layer %d has %s, which the record does not know", i, e.name)
				continue
			}
			fmt.Fprintf(out, "%s | %s\n", e, row.Origin)
		}
	}
}

// layerEntry is one entry of a layer as text would have it.
type layerEntry struct {
	name, kind   string
	mode         int64
	uid, gid     int
	time         int64
	size         int64
	link, sha256 string
	capability   string
}

func (e layerEntry) String() string {
	s := fmt.Sprintf("/%s %s %04o %d:%d %d", e.name, e.kind, e.mode, e.uid, e.gid, e.time)
	if e.link != "" {
		s += " -> " + e.link
	}
	if e.kind == "file" {
		s += fmt.Sprintf(" %d %.8s", e.size, e.sha256)
	}
	if e.capability != "" {
		s += " " + e.capability
	}
	return s
}

func entries(t *testing.T, l oci.Layer) []layerEntry {
	t.Helper()
	r, err := l.Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var list []layerEntry
	for tr := tar.NewReader(r); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			if _, err := io.Copy(io.Discard, r); err != nil { // to where digests are compared
				t.Fatal(err)
			}
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.New()
		if _, err := io.Copy(sum, tr); err != nil {
			t.Fatal(err)
		}
		kind := map[byte]string{tar.TypeReg: "file", tar.TypeDir: "dir", tar.TypeSymlink: "symlink", tar.TypeLink: "hardlink"}[h.Typeflag]
		if kind == "" {
			t.Errorf("entry %q has type %q", h.Name, h.Typeflag)
		}
		list = append(list, layerEntry{
			name: strings.TrimSuffix(h.Name, "/"), kind: kind, mode: h.Mode, uid: h.Uid, gid: h.Gid, time: h.ModTime.Unix(),
			size: h.Size, link: h.Linkname, sha256: fmt.Sprintf("%x", sum.Sum(nil)), capability: layer.Capability(h).String(),
		})
	}
}

// difference lists the lines that only one of two texts has.
func difference(want, have string) string {
	a, b := strings.Split(want, "\n"), strings.Split(have, "\n")
	var out strings.Builder
	for _, line := range a {
		if !slices.Contains(b, line) {
			fmt.Fprintf(&out, "- %s\n", line)
		}
	}
	for _, line := range b {
		if !slices.Contains(a, line) {
			fmt.Fprintf(&out, "+ %s\n", line)
		}
	}
	return out.String()
}

// dumpTree returns the tree that the layers make, without times, as text, and checks
// what must hold of any image: no path in two layers, no whiteout, every path known
// to the record with the same facts.
func dumpTree(t *testing.T, img *oci.Image) string {
	t.Helper()
	rec, err := record.Decode(img.Config.Record)
	if err != nil {
		t.Fatal(err)
	}
	in := map[string]int{}
	var lines []string
	for i, l := range img.Layers {
		for _, e := range entries(t, l) {
			if other, twice := in[e.name]; twice {
				t.Errorf("/%s is in the layers %d and %d", e.name, other, i)
			}
			in[e.name] = i
			if strings.HasPrefix(filepath.Base(e.name), ".wh.") {
				t.Errorf("/%s is a whiteout", e.name)
			}
			row, ok := rec.Lookup(e.name)
			if !ok || row.Layer != i || row.Type != e.kind || row.Mode != fmt.Sprintf("%04o", e.mode) || row.Owner != fmt.Sprintf("%d:%d", e.uid, e.gid) || row.Size != e.size || row.Link != e.link || row.Capability != e.capability {
				t.Errorf("layer %d has %s, the record says %+v", i, e, row)
			}
			e.time = 0
			lines = append(lines, fmt.Sprintf("%s | %s", e, row.Origin))
		}
	}
	if len(in) != len(rec.Paths.Path) {
		t.Errorf("the layers have %d paths, the record %d", len(in), len(rec.Paths.Path))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// openImages returns the images of a layout as a reader finds them.
func openImages(t *testing.T, ref string) []*oci.Image {
	t.Helper()
	src, err := oci.Open(context.Background(), ref, oci.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { src.Close() })
	return src.Images
}
