package facts

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/hardpan/hardpan/internal/check/secrets"
	"github.com/hardpan/hardpan/internal/harden/tool"
	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/record"
	"github.com/hardpan/hardpan/internal/tree"
)

// Bounds of what is read of an image, of which each is far above what images have. An
// image beyond them is refused, since what is left would be judged as if it were all.
const (
	maxPaths     = 400_000  // of all layers
	maxPathBytes = 96 << 20 // of the names of paths and links
	maxUnpacked  = 64 << 30 // bytes of files that are read
)

// Bounds of what is kept of it.
const (
	maxTexts   = 32 << 20 // bytes of files that describe the system
	maxText    = 16 << 20 // bytes of one of these
	maxSecrets = 1000     // findings
)

// Read reads the image. Errors of content that is not what its digest says wrap
// [oci.ErrMismatch].
func Read(ctx context.Context, src *oci.Image) (*Image, error) {
	img, err := read(ctx, src)
	if err != nil {
		return nil, fmt.Errorf("cannot look at image %s: %w", src.Digest, err)
	}
	return img, nil
}

func read(ctx context.Context, src *oci.Image) (*Image, error) {
	img := &Image{Image: src, History: history(src.RawConfig), files: map[string]*File{}, texts: map[string][]byte{}}
	if len(src.Config.Record) > 0 {
		rec, err := record.Decode(src.Config.Record)
		if err != nil {
			return nil, err
		}
		img.Record = rec
	}
	detector, err := secrets.Default()
	if err != nil {
		return nil, err
	}
	s := &scanner{detector: detector, budget: secrets.NewBudget()}
	s.texts.Store(maxTexts)
	layers := make([]*layer, len(src.Layers))
	group, within := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, l := range src.Layers {
		group.Go(func() (err error) {
			layers[i], err = s.layer(within, i, l)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	for i, l := range layers {
		img.overlay(i, l)
		img.Layers = append(img.Layers, Layer{Digest: string(src.Layers[i].Digest), CreatedBy: src.Layers[i].CreatedBy, Size: src.Layers[i].Size, Unpacked: l.unpacked})
		img.Unpacked += l.unpacked
		layers[i] = nil
	}
	img.Incomplete = s.left.Load() > 0
	img.settle()
	return img, nil
}

// scanner reads the layers of one image.
type scanner struct {
	detector *secrets.Detector
	budget   *secrets.Budget
	paths    atomic.Int64
	names    atomic.Int64 // bytes
	unpacked atomic.Int64
	texts    atomic.Int64 // bytes that may still be kept
	left     atomic.Int64 // files that were not kept for want of room
	secrets  atomic.Int64
}

// layer is what one layer has.
type layer struct {
	files     []*File
	whiteouts []string // paths, and directories with a slash at the end that lose what is in them
	texts     map[*File][]byte
	secrets   []Secret
	unpacked  int64
}

func (s *scanner) layer(ctx context.Context, index int, l oci.Layer) (*layer, error) {
	r, err := l.Uncompressed()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	r = &dense{r, l.Size, 0}
	found := &layer{texts: map[*File][]byte{}}
	look := &looker{scanner: s, layer: found}
	for members := tar.NewReader(r); ; {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		h, err := members.Next()
		if errors.Is(err, io.EOF) {
			_, err = io.Copy(io.Discard, &bounded{ctx, r, &s.unpacked}) // to where the digest is compared
			return found, err
		}
		if err == nil {
			err = look.member(ctx, index, h, members)
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read layer %s: %w", l.Digest, err)
		}
	}
}

const whiteout, opaque = ".wh.", ".wh..wh..opq" // OCI image spec, layer.md

// member takes one entry of a layer's tar.
func (k *looker) member(ctx context.Context, index int, h *tar.Header, r io.Reader) error {
	if h.Typeflag == tar.TypeXGlobalHeader {
		return nil
	}
	f := &File{Path: tree.Clean(h.Name), Layer: index, Mode: uint32(h.Mode & 0o7777), UID: uint32(h.Uid), GID: uint32(h.Gid)}
	if k.paths.Add(1) > maxPaths || k.names.Add(int64(len(f.Path)+len(h.Linkname))) > maxPathBytes {
		return fmt.Errorf("%w: the image has more than %d paths, or names of more than %d bytes", oci.ErrTooLarge, maxPaths, maxPathBytes)
	}
	dir, base := path.Split(f.Path)
	if name, ok := strings.CutPrefix(base, whiteout); ok {
		if base == opaque {
			name = ""
		}
		k.layer.whiteouts = append(k.layer.whiteouts, dir+name)
		return nil
	}
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeGNUSparse, tar.TypeCont:
		f.Size = h.Size
		if h.Size < 0 || k.unpacked.Add(h.Size) > maxUnpacked {
			return fmt.Errorf("%w: the files of the image have more than %d bytes", oci.ErrTooLarge, int64(maxUnpacked))
		}
		f.Capability = tree.Capability(hex.EncodeToString([]byte(h.PAXRecords["SCHILY.xattr.security.capability"])))
		if err := k.content(ctx, f, r); err != nil {
			return fmt.Errorf("%.200q: %w", h.Name, err)
		}
		k.layer.unpacked += h.Size
	case tar.TypeDir:
		f.Type = Directory
	case tar.TypeSymlink:
		f.Type, f.Link = Symlink, h.Linkname
	case tar.TypeLink:
		f.Type, f.Link = Hardlink, tree.Clean(h.Linkname)
	default:
		f.Type, f.Kind = Other, h.Typeflag
	}
	k.layer.files = append(k.layer.files, f)
	return nil
}

// Bounds of a layer that is a bomb: it unpacks to so many bytes, and to so many times
// its own. What people pack is not a third as dense.
const (
	bombSize  = 1 << 30
	bombRatio = 30
)

// dense reads a layer that is no bomb, of so many bytes as it is stored.
type dense struct {
	io.ReadCloser
	stored, read int64
}

func (d *dense) Read(p []byte) (int, error) {
	n, err := d.ReadCloser.Read(p)
	if d.read += int64(n); d.read > bombSize && d.stored > 0 && d.read/bombRatio > d.stored {
		return n, fmt.Errorf("%w: %d bytes unpack to more than %d", oci.ErrTooLarge, d.stored, bombSize)
	}
	return n, err
}

// bounded reads on to the end, no further than anybody may.
type bounded struct {
	ctx  context.Context
	r    io.Reader
	read *atomic.Int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := b.r.Read(p)
	if b.read.Add(int64(n)) > maxUnpacked {
		return n, fmt.Errorf("%w: the layers of the image have more than %d bytes", oci.ErrTooLarge, int64(maxUnpacked))
	}
	return n, err
}

// A looker looks at the content of the files of one layer.
type looker struct {
	*scanner
	layer   *layer
	sniffer tool.Sniffer
	elf     elfWindow
	text    bytes.Buffer
	blob    secrets.Blob
	copy    []byte
}

// content reads a file once.
func (k *looker) content(ctx context.Context, f *File, r io.Reader) error {
	if k.copy == nil {
		k.copy = make([]byte, 64<<10)
	}
	sum := md5.New() // as dpkg and apk have it in their databases
	k.sniffer.Reset()
	k.elf.reset(f.Size)
	w := []io.Writer{sum, &k.sniffer, &k.elf}
	t := &texts{looker: k, file: f, keep: isText(f.Path) && f.Size <= maxText}
	w = append(w, t)
	if _, err := io.CopyBuffer(io.MultiWriter(w...), struct{ io.Reader }{&contextReader{ctx, r}}, k.copy); err != nil {
		return err
	}
	sum.Sum(f.MD5[:0])
	f.Tools = tool.Identify(f.Path, f.Mode, &k.sniffer)
	f.ELF = k.elf.read()
	t.end()
	return nil
}

// contextReader ends with its context.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c *contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// overlay puts a layer over those below: what it has or removes hides what is there.
func (i *Image) overlay(index int, l *layer) {
	gone := map[string]bool{} // true: with all that is below it, but not itself
	for _, w := range l.whiteouts {
		if dir, all := strings.CutSuffix(w, "/"); all {
			gone[dir] = true
			i.Whiteouts = append(i.Whiteouts, Whiteout{dir + "/", index})
		} else if w != "" {
			gone[w] = false
			i.Whiteouts = append(i.Whiteouts, Whiteout{w, index})
		}
	}
	for _, f := range l.files {
		if old := i.files[f.Path]; old != nil && old.Type == Directory && f.Type != Directory {
			gone[f.Path] = true
		}
	}
	if len(gone) > 0 {
		i.remove(index, gone)
	}
	for _, f := range l.files {
		if old := i.files[f.Path]; old != nil && old.Layer != index {
			i.hide(old, index, false)
		}
		i.files[f.Path] = f
		delete(i.texts, f.Path)
		if text, ok := l.texts[f]; ok {
			i.texts[f.Path] = text
		}
	}
	i.Secrets = append(i.Secrets, l.secrets...)
}

// remove takes away what whiteouts name.
func (i *Image) remove(index int, gone map[string]bool) {
	for name, f := range i.files {
		inside, is := gone[name]
		hit := is && !inside
		for dir := path.Dir(name); !hit && dir != "."; dir = path.Dir(dir) {
			_, hit = gone[dir]
		}
		if _, all := gone[""]; hit || all {
			i.hide(f, index, true)
			delete(i.files, name)
			delete(i.texts, name)
		}
	}
}

func (i *Image) hide(f *File, by int, removed bool) {
	if f.Type == Regular && f.Size > 0 {
		i.Hidden = append(i.Hidden, Hidden{f, by, removed})
	}
}

// settle brings what was read into an order.
func (i *Image) settle() {
	for name, f := range i.files {
		i.paths = append(i.paths, name)
		if f.Type != Hardlink {
			continue
		}
		if to := i.files[f.Link]; to != nil && to.Type == Regular {
			f.Size = to.Size
			f.Tools = to.Tools
			if len(to.Tools) == 0 || f.Mode != 0 {
				f.Tools = tool.Applet(name, to.Tools)
			}
		}
	}
	slices.Sort(i.paths)
	for n := range i.Secrets {
		s := &i.Secrets[n]
		s.Visible = i.files[s.Path] == s.File
	}
	slices.SortFunc(i.Hidden, func(a, b Hidden) int { return strings.Compare(a.Path, b.Path) })
	slices.SortStableFunc(i.Secrets, func(a, b Secret) int { return strings.Compare(a.Path, b.Path) })
	slices.SortFunc(i.Whiteouts, func(a, b Whiteout) int { return strings.Compare(a.Path, b.Path) })
	i.accounts, i.release, i.system = i.readAccounts(), i.readRelease(), i.readSystem()
}
