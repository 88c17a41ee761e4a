package builder

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"math"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hardpan/hardpan/internal/harden/tool"
	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/oci/layer"
	"github.com/hardpan/hardpan/internal/store"
	"github.com/hardpan/hardpan/internal/tree"
)

// baseLayer is what a layer of an existing image holds. It depends on nothing but the
// layer, and is remembered by its diff ID.
type baseLayer struct {
	Pack    store.Digest `json:"pack"` // the content of files that the build may read
	Entries []baseEntry  `json:"entries"`
	layer   oci.Layer
	store   *store.Store
}

// baseEntry is a member of the layer, whose path is as the archive has it.
type baseEntry struct {
	entry
	Special string      `json:"z,omitempty"`
	Tools   []tool.Tool `json:"o,omitempty"`
	Packed  bool        `json:"q,omitempty"` // its content is in the pack
	Offset  int64       `json:"f,omitempty"` // there
}

// baseLayerFormat names what readBaseLayer makes of a layer. It changes when that does.
const baseLayerFormat = "baselayer1"

// The bounds of what is read of a layer that anybody may have made.
const (
	maxBaseEntries = 1 << 20   // members of a layer
	maxBaseName    = 4096      // bytes of a path or a link's target, as Linux has it
	maxBaseBytes   = 256 << 30 // of a layer's archive
	maxPacked      = 16 << 20  // bytes of a file that is kept to be read
	maxPack        = 256 << 20 // bytes of all of a layer
)

// readBaseLayer returns what the layer holds.
func (b *build) readBaseLayer(ctx context.Context, l oci.Layer) (*baseLayer, error) {
	key := strings.Join([]string{baseLayerFormat, unpackFormat, string(l.DiffID)}, "\x00")
	bl := &baseLayer{layer: l, store: b.store}
	if b.store.Get("base-layer", key, bl) {
		if _, ok := b.store.Stat(bl.Pack); ok {
			return bl, nil
		}
	}
	bl.Entries = nil
	if err := bl.read(ctx); err != nil {
		return nil, fmt.Errorf("layer %s: %w", l.Digest, err)
	}
	return bl, b.store.Set("base-layer", key, bl)
}

func (bl *baseLayer) read(ctx context.Context) error {
	content, err := bl.layer.Uncompressed()
	if err != nil {
		return err
	}
	defer content.Close()
	pack, err := bl.store.Create()
	if err != nil {
		return err
	}
	defer pack.Close()
	limited := &io.LimitedReader{R: &contextReader{ctx, content}, N: maxBaseBytes}
	r := &layerReading{baseLayer: bl, pack: pack}
	for members := tar.NewReader(limited); ; {
		h, err := members.Next()
		if errors.Is(err, io.EOF) && limited.N > 0 {
			break
		}
		if err == nil && len(bl.Entries) == maxBaseEntries {
			err = fmt.Errorf("it has more than %d members", maxBaseEntries)
		}
		if err == nil {
			err = r.member(h, members)
		}
		if limited.N <= 0 {
			err = fmt.Errorf("it has more than %d bytes", int64(maxBaseBytes))
		}
		if err != nil {
			return err
		}
	}
	if _, err := io.Copy(io.Discard, limited); err != nil { // to where the digest is compared
		return err
	}
	bl.Pack, err = pack.Commit("")
	return err
}

// layerReading is a layer that is being read.
type layerReading struct {
	*baseLayer
	pack    *store.Writer
	sniffer tool.Sniffer
}

func (r *layerReading) member(h *tar.Header, content io.Reader) error {
	for _, name := range []string{h.Name, h.Linkname} {
		if len(name) > maxBaseName || !utf8.ValidString(name) || strings.ContainsRune(name, 0) {
			return fmt.Errorf("the name %.80q: expected UTF-8 of at most %d bytes", name, maxBaseName)
		}
	}
	if h.Typeflag == tar.TypeXGlobalHeader {
		return nil
	}
	if h.Uid < 0 || h.Uid > math.MaxUint32 || h.Gid < 0 || h.Gid > math.MaxUint32 {
		return fmt.Errorf("%.200q belongs to %d:%d, which are no ids", h.Name, h.Uid, h.Gid)
	}
	e := baseEntry{entry: entry{
		Path: h.Name, Mode: uint32(h.Mode) & 0o7777, UID: uint32(h.Uid), GID: uint32(h.Gid),
		Time: max(0, h.ModTime.Unix()), Link: h.Linkname, Capability: layer.Capability(h),
	}}
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeGNUSparse:
		e.Link = ""
		if err := r.file(&e, h, content); err != nil {
			return err
		}
	case tar.TypeDir:
		e.Type, e.Link = tree.Dir, ""
	case tar.TypeSymlink:
		e.Type, e.Mode = tree.Symlink, 0o777
	case tar.TypeLink:
		e.Type = tree.Hardlink
	case tar.TypeChar, tar.TypeBlock:
		e.Special = "device"
	case tar.TypeFifo:
		e.Special = "named pipe"
	default:
		return fmt.Errorf("%.200q has the type %q, which no runtime extracts", h.Name, h.Typeflag)
	}
	r.Entries = append(r.Entries, e)
	return nil
}

func (r *layerReading) file(e *baseEntry, h *tar.Header, content io.Reader) (err error) {
	sum := sha256.New()
	probe := newELFProbe(sum)
	defer probe.close()
	r.sniffer.Reset()
	to := io.MultiWriter(probe, &r.sniffer)
	if name := tree.Clean(e.Path); h.Size <= maxPacked && readOfBase(name, h.Size) && r.pack.Size()+h.Size <= maxPack {
		e.Packed, e.Offset = true, r.pack.Size()
		to = io.MultiWriter(probe, &r.sniffer, r.pack)
	}
	if e.Size, err = io.Copy(to, content); err != nil {
		return fmt.Errorf("%.200q: %w", h.Name, err)
	}
	e.Tools = tool.Identify(tree.Clean(e.Path), e.Mode, &r.sniffer)
	e.SHA256, e.ELF = hex.EncodeToString(sum.Sum(nil)), probe.facts()
	if e.Mode&0o111 != 0 {
		e.Script = probe.interpreter()
	}
	return nil
}

// readOfBase reports whether a build is likely to read the file of a base image: what
// scripts read, and dpkg's database.
func readOfBase(name string, size int64) bool {
	return strings.HasPrefix(name, "var/lib/dpkg/") || readByScripts(name, size)
}

// entries returns the members for [layer.Overlay], with that origin.
func (bl *baseLayer) entries(origin *tree.Origin) []layer.Entry {
	list := make([]layer.Entry, len(bl.Entries))
	for i := range bl.Entries {
		e := &bl.Entries[i]
		list[i] = layer.Entry{Node: *e.node(origin), Special: e.Special}
		if e.Type == tree.File && e.Special == "" {
			list[i].Content = &baseContent{bl, i}
		}
	}
	return list
}

// baseContent is the content of a file in a layer of an existing image.
type baseContent struct {
	in    *baseLayer
	index int // of its entry
}

func (c *baseContent) entry() *baseEntry { return &c.in.Entries[c.index] }

// Open implements [tree.Content]. A file that is not in the pack is looked for in the
// layer. The reader's last Read fails where the bytes are not those that were read
// before.
func (c *baseContent) Open() (io.ReadCloser, error) {
	e := c.entry()
	if e.Packed {
		return packContent{c.in.store, c.in.Pack, e.Offset, e.Size, e.SHA256}.Open()
	}
	content, err := c.in.layer.Uncompressed()
	if err != nil {
		return nil, err
	}
	members := tar.NewReader(content)
	if err := c.seek(members); err != nil {
		content.Close()
		return nil, fmt.Errorf("layer %s: %w", c.in.layer.Digest, err)
	}
	return &memberReader{Reader: members, Closer: content, of: c, sum: sha256.New()}, nil
}

// seek goes on to the member.
func (c *baseContent) seek(members *tar.Reader) error {
	for i := -1; ; {
		h, err := members.Next()
		if err != nil {
			return err
		}
		if h.Typeflag == tar.TypeXGlobalHeader {
			continue
		}
		if i++; i == c.index {
			if h.Name != c.entry().Path {
				return fmt.Errorf("%q is not where it was: %w", c.entry().Path, fs.ErrNotExist)
			}
			return nil
		}
	}
}

type memberReader struct {
	io.Reader
	io.Closer
	of  *baseContent
	sum hash.Hash
}

func (r *memberReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.sum.Write(p[:n])
	if err == io.EOF {
		if e := r.of.entry(); hex.EncodeToString(r.sum.Sum(nil)) != e.SHA256 {
			return n, r.of.in.store.Blame(r.of.in.layer.Digest, fmt.Errorf("%s of layer %s has sha256 %x, expected %s", e.Path, r.of.in.layer.Digest, r.sum.Sum(nil), e.SHA256))
		}
	}
	return n, err
}

// layered applies the layers to a tree, lowest first.
func layered(t *tree.Tree, layers []*baseLayer) (*layer.Overlay, error) {
	o := layer.NewOverlay(t)
	for _, l := range layers {
		origin := &tree.Origin{Kind: tree.FromBase, Base: string(l.layer.Digest)}
		if err := o.Apply(l.entries(origin)); err != nil {
			return nil, fmt.Errorf("layer %s: %w", l.layer.Digest, err)
		}
	}
	return o, nil
}

// list joins paths for an error, of many the first.
func list(paths []string) string {
	slices.Sort(paths)
	text := "/" + strings.Join(paths[:min(maxRefused, len(paths))], ", /")
	if more := len(paths) - maxRefused; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// above returns the directories above a path, the nearest first.
func above(name string) []string {
	var dirs []string
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		dirs = append(dirs, dir)
	}
	return dirs
}
