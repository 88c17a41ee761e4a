package profile

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/sync/errgroup"

	"github.com/hardpan/hardpan/internal/harden/closure"
	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/oci/layer"
	"github.com/hardpan/hardpan/internal/store"
	"github.com/hardpan/hardpan/internal/syscalls"
	"github.com/hardpan/hardpan/internal/tree"
)

// Bounds of one file that is read as a whole. An ELF file above is not analyzed, and
// reported.
const (
	maxELF  = 1 << 30 // bytes
	maxText = 1 << 20 // bytes of a file of accounts
)

// entry is a path of a layer.
type entry struct {
	Path, Link  string `json:",omitempty"`
	Type        tree.Type
	Mode        uint32
	Special     string `json:",omitempty"` // what it is that a tree has no type for
	SHA256      string `json:",omitempty"` // of an ELF file
	Interpreter string `json:",omitempty"` // of a script
	Text        []byte `json:",omitempty"` // of a file of accounts
}

// content is the image as a process sees it.
type content struct {
	tree  *tree.Tree
	files map[string]*syscalls.File // by SHA-256
}

// Versions of what is remembered; they change with what is read and how.
const (
	layerFormat = "1 "
	fileFormat  = "1 "
)

type reader struct {
	store *store.Store // may be nil
}

// read reads the layers of an image, two of them at a time, and analyzes its ELF files.
// What the store, which may be nil, knows of a layer or of a file is not read again.
func read(ctx context.Context, img *oci.Image, st *store.Store) (*content, error) {
	r := &reader{store: st}
	layers := make([][]entry, len(img.Layers))
	files := make([]map[string]*syscalls.File, len(img.Layers))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, l := range img.Layers {
		g.Go(func() (err error) {
			layers[i], files[i], err = r.layer(ctx, l)
			if err != nil {
				err = fmt.Errorf("cannot read layer %s: %w", l.Digest, err)
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return stack(layers, files)
}

// stack puts the layers on top of one another.
func stack(layers [][]entry, files []map[string]*syscalls.File) (*content, error) {
	c := &content{files: map[string]*syscalls.File{}}
	overlay := layer.NewOverlay(tree.New(nil, 0))
	for i, entries := range layers {
		list := make([]layer.Entry, len(entries))
		for j, e := range entries {
			n := tree.Node{Path: e.Path, Type: e.Type, Mode: e.Mode, Link: e.Link, SHA256: e.SHA256, Interpreter: e.Interpreter}
			if e.Text != nil {
				n.Content = tree.Bytes(e.Text)
			}
			list[j] = layer.Entry{Node: n, Special: e.Special}
		}
		if err := overlay.Apply(list); err != nil {
			return nil, err
		}
		for sum, f := range files[i] {
			c.files[sum] = f
		}
	}
	c.tree = overlay.Tree
	return c, nil
}

// layer returns the paths of a layer and what its ELF files are.
func (r *reader) layer(ctx context.Context, l oci.Layer) ([]entry, map[string]*syscalls.File, error) {
	if entries, files, ok := r.known(l); ok {
		return entries, files, nil
	}
	in, err := l.Uncompressed()
	if err != nil {
		return nil, nil, err
	}
	defer in.Close()
	files := map[string]*syscalls.File{}
	var entries []entry
	for members := tar.NewReader(in); ; {
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		h, err := members.Next()
		if errors.Is(err, io.EOF) {
			if _, err := io.Copy(io.Discard, in); err != nil { // to where the digest is compared
				return nil, nil, err
			}
			return entries, files, r.remember(l, entries)
		}
		if err != nil {
			return nil, nil, err
		}
		e, err := r.entry(h, members, files)
		if err != nil {
			return nil, nil, fmt.Errorf("%.200q: %w", h.Name, err)
		}
		entries = append(entries, e)
	}
}

// known returns what the store has of a layer and all of its ELF files.
func (r *reader) known(l oci.Layer) ([]entry, map[string]*syscalls.File, bool) {
	var entries []entry
	if r.store == nil || !r.store.Get("profile-layer", layerFormat+string(l.DiffID), &entries) {
		return nil, nil, false
	}
	files := map[string]*syscalls.File{}
	for _, e := range entries {
		if e.SHA256 == "" || files[e.SHA256] != nil {
			continue
		}
		f := r.remembered(e.SHA256)
		if f == nil {
			return nil, nil, false
		}
		files[e.SHA256] = f
	}
	return entries, files, true
}

func (r *reader) remember(l oci.Layer, entries []entry) error {
	if r.store == nil {
		return nil
	}
	for _, e := range entries {
		if !utf8.ValidString(e.Path) || !utf8.ValidString(e.Link) {
			return nil // JSON would not give it back
		}
	}
	return r.store.Set("profile-layer", layerFormat+string(l.DiffID), entries)
}

// remembered returns what the store has of an ELF file, nil if nothing.
func (r *reader) remembered(sum string) *syscalls.File {
	var f syscalls.File
	if r.store == nil || !r.store.Get("syscalls", fileFormat+sum, &f) {
		return nil
	}
	return &f
}

// specials are the members of an archive that a tree has no type for.
var specials = map[byte]string{tar.TypeChar: "device", tar.TypeBlock: "device", tar.TypeFifo: "named pipe"}

func (r *reader) entry(h *tar.Header, in io.Reader, files map[string]*syscalls.File) (entry, error) {
	e := entry{Path: h.Name, Mode: uint32(h.Mode & 0o7777)}
	switch h.Typeflag {
	case tar.TypeDir:
		e.Type = tree.Dir
	case tar.TypeSymlink:
		e.Type, e.Link = tree.Symlink, h.Linkname
	case tar.TypeLink:
		e.Type, e.Link = tree.Hardlink, h.Linkname
	case tar.TypeReg:
		return e, r.file(&e, in, h.Size, files)
	default:
		e.Special = specials[h.Typeflag]
		if e.Special == "" {
			e.Special = "unknown"
		}
	}
	return e, nil
}

// file reads what matters of a regular file.
func (r *reader) file(e *entry, in io.Reader, size int64, files map[string]*syscalls.File) error {
	if name := tree.Clean(e.Path); name == "etc/passwd" || name == "etc/group" {
		b, err := io.ReadAll(io.LimitReader(in, maxText))
		e.Text = b
		return err
	}
	head := make([]byte, closure.ScriptHead)
	n, err := io.ReadFull(in, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && err != io.EOF {
		return err
	}
	head = head[:n]
	if !tree.IsELF(head) {
		if e.Mode&0o111 != 0 {
			e.Interpreter = strings.ToValidUTF8(closure.Interpreter(head), "")
		}
		return nil
	}
	if size > maxELF {
		return r.large(e, io.MultiReader(bytes.NewReader(head), in), files)
	}
	b := bytes.NewBuffer(slices.Grow(head, int(min(size, 64<<20)))) // more only as it comes
	if _, err := b.ReadFrom(in); err != nil {
		return err
	}
	sum := sha256.Sum256(b.Bytes())
	e.SHA256 = hex.EncodeToString(sum[:])
	if files[e.SHA256] != nil {
		return nil
	}
	files[e.SHA256], err = r.analyze(e.SHA256, b.Bytes())
	return err
}

// large passes over an ELF file that is too large to be held in memory.
func (r *reader) large(e *entry, in io.Reader, files map[string]*syscalls.File) error {
	sum := sha256.New()
	n, err := io.Copy(sum, in)
	e.SHA256 = hex.EncodeToString(sum.Sum(nil))
	files[e.SHA256] = &syscalls.File{Problem: fmt.Sprintf("it has %d bytes, at most %d are read", n, int64(maxELF))}
	return err
}

// analyze returns what an ELF file is; one that is no program for a known machine is an
// empty file.
func (r *reader) analyze(sum string, data []byte) (*syscalls.File, error) {
	if f := r.remembered(sum); f != nil {
		return f, nil
	}
	f, err := syscalls.Analyze(data)
	if err != nil {
		f = &syscalls.File{Problem: err.Error()}
	}
	if r.store == nil {
		return f, nil
	}
	return f, r.store.Set("syscalls", fileFormat+sum, f)
}

// account returns the numbers of a user who is named or numbered.
func (c *content) account(name string) (uid, gid uint32, ok bool) {
	number, err := strconv.ParseUint(name, 10, 31)
	for f := range c.fields("etc/passwd", 4) {
		if f[0] != name && (err != nil || f[2] != name) {
			continue
		}
		u, err1 := strconv.ParseUint(f[2], 10, 31)
		g, err2 := strconv.ParseUint(f[3], 10, 31)
		if err1 == nil && err2 == nil {
			return uint32(u), uint32(g), true
		}
	}
	return uint32(number), 0, err == nil
}

// group returns the number of a group that is named or numbered.
func (c *content) group(name string) (uint32, bool) {
	if n, err := strconv.ParseUint(name, 10, 31); err == nil {
		return uint32(n), true
	}
	for f := range c.fields("etc/group", 3) {
		if n, err := strconv.ParseUint(f[2], 10, 31); err == nil && f[0] == name {
			return uint32(n), true
		}
	}
	return 0, false
}

// fields yields the lines of a file of accounts (passwd(5), group(5)) that have at least so many fields.
func (c *content) fields(name string, least int) func(yield func([]string) bool) {
	return func(yield func([]string) bool) {
		n := c.file(name)
		if n == nil {
			return
		}
		b, _ := n.Content.(tree.Bytes)
		for line := range strings.Lines(string(b)) {
			if f := strings.Split(strings.TrimSuffix(line, "\n"), ":"); len(f) >= least && !yield(f) {
				return
			}
		}
	}
}

// file returns the regular file that a path leads to, through links; nil if none.
func (c *content) file(name string) *tree.Node {
	n, err := c.tree.Resolve(name)
	if err == nil && n.Type == tree.Hardlink {
		n = c.tree.Lookup(tree.Clean(n.Link))
	}
	if err != nil || n == nil || n.Type != tree.File {
		return nil
	}
	return n
}
