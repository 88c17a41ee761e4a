//go:build linux

package imagetest

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	hardentool "github.com/hardpan/hardpan/internal/harden/tool"
	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/store"
)

// entry is a path of an image as a layer has it.
type entry struct {
	*tar.Header
	layer   int
	content []byte            // of a file that is smaller than keptContent
	machine elf.Machine       // of an ELF file, else EM_NONE
	tools   []hardentool.Tool // what a file is, of what hardened images should not have
}

// keptContent bounds the files whose content is kept, in bytes.
const keptContent = 1 << 19

// unpack applies the layers of an image in their order and returns every path of
// it. Unless dir is "", it also writes them there, as owner. It is stricter than
// runtimes: a whiteout, a path that two layers have, a kind of file that no
// hardened image has, or a parent that is not a directory of the image is an error.
func unpack(img *oci.Image, dir string, owner account) (map[string]*entry, error) {
	u := &unpacker{entries: map[string]*entry{}, owner: owner}
	if dir != "" {
		root, err := os.OpenRoot(dir)
		if err != nil {
			return nil, err
		}
		defer root.Close()
		u.root = root
	}
	for i, l := range img.Layers {
		if err := u.layer(i, l); err != nil {
			return nil, fmt.Errorf("layer %d (%s): %w", i+1, l.CreatedBy, err)
		}
	}
	return u.entries, u.finish()
}

type unpacker struct {
	entries map[string]*entry
	root    *os.Root // nil if nothing is written
	owner   account
	sniffer hardentool.Sniffer
}

func (u *unpacker) layer(i int, l oci.Layer) error {
	r, err := l.Uncompressed()
	if err != nil {
		return err
	}
	defer r.Close()
	in := tar.NewReader(r)
	for {
		h, err := in.Next()
		if err == io.EOF {
			_, err = io.Copy(io.Discard, r) // to the end, where the digest is checked
			return err
		}
		if err != nil {
			return err
		}
		if err := u.entry(i, h, in); err != nil {
			return fmt.Errorf("%s: %w", h.Name, err)
		}
	}
}

func (u *unpacker) entry(i int, h *tar.Header, r io.Reader) error {
	name := path.Clean(h.Name)
	old := u.entries[name]
	switch {
	case !filepath.IsLocal(name) || name == ".":
		return errors.New("not a path below the root")
	case strings.HasPrefix(path.Base(name), ".wh."):
		return errors.New("a whiteout")
	case old != nil:
		return fmt.Errorf("layer %d has it, too", old.layer+1)
	}
	e := &entry{Header: h, layer: i}
	u.entries[name] = e
	if h.Typeflag == tar.TypeReg {
		return u.file(name, e, r)
	}
	return u.other(name, e)
}

// file reads a regular file, and writes it.
func (u *unpacker) file(name string, e *entry, r io.Reader) error {
	var kept bytes.Buffer
	var out io.Writer = io.Discard
	if u.root != nil {
		f, err := u.create(name)
		if err != nil {
			return err
		}
		defer f.Close()
		out = f
	}
	u.sniffer.Reset()
	if _, err := io.Copy(out, io.TeeReader(r, io.MultiWriter(&bounded{&kept, keptContent}, &u.sniffer))); err != nil {
		return err
	}
	e.tools = hardentool.Identify(name, uint32(e.Mode), &u.sniffer)
	if kept.Len() < keptContent {
		e.content = kept.Bytes()
	}
	e.machine = machine(kept.Bytes())
	if u.root == nil {
		return nil
	}
	return errors.Join(u.own(name), u.root.Chmod(name, fs.FileMode(e.Mode).Perm()))
}

// machine reads e_machine of an ELF header (elf(5)); Debian's architectures that
// images are built for are little-endian.
func machine(head []byte) elf.Machine {
	if len(head) < 20 || !bytes.HasPrefix(head, []byte(elf.ELFMAG)) {
		return elf.EM_NONE
	}
	return elf.Machine(uint16(head[18]) | uint16(head[19])<<8)
}

func (u *unpacker) create(name string) (*os.File, error) {
	if err := u.parents(name); err != nil {
		return nil, err
	}
	return u.root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
}

// parents makes the directories above name, whose metadata a later layer may have.
func (u *unpacker) parents(name string) error {
	return u.root.MkdirAll(path.Dir(name), 0o700)
}

// other takes what is no regular file.
func (u *unpacker) other(name string, e *entry) error {
	switch e.Typeflag {
	case tar.TypeDir:
		if u.root == nil {
			return nil
		}
		return u.root.MkdirAll(name, 0o700)
	case tar.TypeSymlink:
		if u.root == nil {
			return nil
		}
		return errors.Join(u.parents(name), u.root.Symlink(e.Linkname, name), u.own(name))
	case tar.TypeLink:
		target := path.Clean(e.Linkname)
		t := u.entries[target]
		if t == nil || t.Typeflag != tar.TypeReg || t.layer != e.layer {
			return fmt.Errorf("a hard link to %s, which is no earlier file of its layer", target)
		}
		if u.root == nil {
			return nil
		}
		return errors.Join(u.parents(name), u.root.Link(target, name))
	}
	return fmt.Errorf("type %q, expected a file, directory or link", e.Typeflag)
}

func (u *unpacker) own(name string) error {
	if u.owner == (account{}) {
		return nil
	}
	return u.root.Lchown(name, u.owner.uid, u.owner.gid)
}

// finish gives directories their modes and refuses a path without a parent.
func (u *unpacker) finish() error {
	var errs []error
	for name, e := range u.entries {
		parent := path.Dir(name)
		if p := u.entries[parent]; parent != "." && (p == nil || p.Typeflag != tar.TypeDir) {
			errs = append(errs, fmt.Errorf("%s: no layer has %s as a directory", name, parent))
		}
		if u.root != nil && e.Typeflag == tar.TypeDir {
			errs = append(errs, u.own(name), u.root.Chmod(name, fs.FileMode(e.Mode).Perm()))
		}
	}
	return errors.Join(errs...)
}

// bounded keeps the first bytes that are written to it.
type bounded struct {
	*bytes.Buffer
	max int
}

func (b *bounded) Write(p []byte) (int, error) {
	b.Buffer.Write(p[:min(len(p), b.max-b.Len())])
	return len(p), nil
}

// The unpacker's own rules: what it refuses is what no image may have.
func TestUnpackRefuses(t *testing.T) {
	file := func(name string) tar.Header { return tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644} }
	dir := func(name string) tar.Header { return tar.Header{Name: name, Typeflag: tar.TypeDir, Mode: 0o755} }
	link := func(name, to string) tar.Header { return tar.Header{Name: name, Typeflag: tar.TypeLink, Linkname: to} }
	soft := func(name, to string) tar.Header {
		return tar.Header{Name: name, Typeflag: tar.TypeSymlink, Linkname: to}
	}
	for _, c := range []struct {
		name   string
		layers [][]tar.Header
		want   string // part of the error, "" for none
	}{
		{"directories may come last", [][]tar.Header{{file("a/b")}, {dir("a")}}, ""},
		{"a hard link in one layer", [][]tar.Header{{dir("a"), file("a/b"), link("c", "a/b")}}, ""},
		{"whiteout", [][]tar.Header{{dir("a"), file("a/.wh.b")}}, "a/.wh.b: a whiteout"},
		{"opaque whiteout", [][]tar.Header{{dir("a"), file("a/.wh..wh..opq")}}, "a whiteout"},
		{"two layers", [][]tar.Header{{file("a")}, {file("a")}}, "a: layer 1 has it, too"},
		{"a directory twice", [][]tar.Header{{dir("a")}, {dir("a/")}}, "a/: layer 1 has it, too"},
		{"no parent", [][]tar.Header{{file("a/b")}}, "no layer has a as a directory"},
		{"parent is a file", [][]tar.Header{{file("a")}, {file("a/b")}}, "no layer has a as a directory"},
		{"parent is a link", [][]tar.Header{{soft("a", "b"), dir("b")}, {file("a/c")}}, "no layer has a as a directory"},
		{"outside", [][]tar.Header{{file("../a")}}, "../a: not a path below the root"},
		{"absolute", [][]tar.Header{{file("/a")}}, "/a: not a path below the root"},
		{"link into another layer", [][]tar.Header{{file("a")}, {link("b", "a")}}, "no earlier file of its layer"},
		{"device", [][]tar.Header{{{Name: "null", Typeflag: tar.TypeChar}}}, `null: type '3'`},
	} {
		_, err := unpack(imageOf(t, c.layers), "", account{})
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}

// imageOf returns an image of these layers; its files are empty.
func imageOf(t *testing.T, layers [][]tar.Header) *oci.Image {
	img := &oci.Image{}
	for _, headers := range layers {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		for _, h := range headers {
			if err := w.WriteHeader(&h); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		img.Layers = append(img.Layers, oci.Layer{
			MediaType: oci.MediaLayer, DiffID: store.DigestOf(b.Bytes()), Digest: store.DigestOf(b.Bytes()), Size: int64(b.Len()),
			Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Bytes())), nil },
		})
	}
	return img
}
