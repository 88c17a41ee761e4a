package facts

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

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
	r, err := NewReading(src)
	if err != nil {
		return nil, err
	}
	group, within := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	r.Sums = true
	for i, l := range src.Layers {
		r.Layer(i)
		group.Go(func() error { return r.layer(within, l, r.layers[i]) })
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return r.Image()
}

// A Reading is an image whose layers pass by, read by whomever, each once.
type Reading struct {
	// Sums asks for the sums of files that the image's record vouches for, too.
	Sums bool

	src    *oci.Image
	record *record.Record
	layers []*Gatherer
	bounds bounds
}

// NewReading begins to read an image.
func NewReading(src *oci.Image) (*Reading, error) {
	r := &Reading{src: src, layers: make([]*Gatherer, len(src.Layers))}
	var err error
	if len(src.Config.Record) > 0 {
		if r.record, err = record.Decode(src.Config.Record); err != nil {
			err = fmt.Errorf("%w: %w", oci.ErrInvalid, err)
		}
	}
	return r, err
}

// Layer returns what looks at the entries of the layer of that index.
func (r *Reading) Layer(index int) *Gatherer {
	r.layers[index] = newGatherer(&r.bounds, func(h *tar.Header) bool { return vouches(r.src, r.record, tree.Clean(h.Name), index, h.Size) })
	r.layers[index].sums = r.Sums
	return r.layers[index]
}

// Image returns the image when all its layers have passed.
func (r *Reading) Image() (*Image, error) {
	contents := make([]*Content, len(r.layers))
	for i, g := range r.layers {
		var err error
		if contents[i], err = g.Finish(); err != nil {
			return nil, err
		}
	}
	return New(r.src, r.record, contents), nil
}

// ReadLayer reads a layer of an image for its content alone. Nobody vouches for its files.
func ReadLayer(ctx context.Context, l oci.Layer) (*Content, error) {
	r := &Reading{}
	g := newGatherer(&r.bounds, func(*tar.Header) bool { return false })
	if err := r.layer(ctx, l, g); err != nil {
		return nil, err
	}
	return g.Finish()
}

func (r *Reading) layer(ctx context.Context, l oci.Layer, g *Gatherer) error {
	in, err := l.Uncompressed()
	if err != nil {
		return err
	}
	defer in.Close()
	in = &dense{in, l.Size, 0}
	buffer := make([]byte, 64<<10)
	for members := tar.NewReader(in); ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		h, err := members.Next()
		if errors.Is(err, io.EOF) {
			_, err = io.Copy(io.Discard, &bounded{ctx, in, &r.bounds.unpacked}) // to where the digest is compared
			return err
		}
		var to io.Writer
		if err == nil {
			to, err = g.Entry(h)
		}
		if err == nil && to != nil {
			_, err = io.CopyBuffer(to, struct{ io.Reader }{&contextReader{ctx, members}}, buffer)
		}
		if err != nil {
			return fmt.Errorf("cannot read layer %s: %w", l.Digest, err)
		}
	}
}

// New returns the image of these layers, the lowest first, which it takes over: each is
// of this image alone. rec is its record, nil where it has none.
func New(src *oci.Image, rec *record.Record, contents []*Content) *Image {
	img := &Image{Image: src, Record: rec, History: history(src.RawConfig), files: map[string]*File{}, texts: map[string][]byte{}}
	room := maxTexts
	for i, c := range contents {
		for _, text := range c.Texts {
			room -= len(text)
		}
		img.overlay(i, c)
		img.Layers = append(img.Layers, Layer{Digest: string(src.Layers[i].Digest), CreatedBy: src.Layers[i].CreatedBy, Size: src.Layers[i].Size, Unpacked: c.Unpacked})
		img.Unpacked += c.Unpacked
		img.Incomplete = img.Incomplete || c.Left > 0 || room < 0
	}
	img.settle()
	return img
}

// Unvouched returns the layers with a file that was taken for a package's and that the
// record of the image says is not, such as one whose mode the spec sets.
func Unvouched(src *oci.Image, rec *record.Record, contents []*Content) []int {
	var list []int
	for i, c := range contents {
		if slices.ContainsFunc(c.Files, func(f File) bool { return f.Vouched && !vouches(src, rec, f.Path, i, f.Size) }) {
			list = append(list, i)
		}
	}
	return list
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
func (i *Image) overlay(index int, c *Content) {
	files := make([]*File, len(c.Files))
	for n := range c.Files {
		files[n] = &c.Files[n]
		files[n].Layer, files[n].Vouched = index, vouches(i.Image, i.Record, files[n].Path, index, files[n].Size)
	}

	gone := map[string]bool{} // true: with all that is below it, but not itself
	for _, w := range c.Whiteouts {
		if dir, all := strings.CutSuffix(w, "/"); all {
			gone[dir] = true
			i.Whiteouts = append(i.Whiteouts, Whiteout{dir + "/", index})
		} else if w != "" {
			gone[w] = false
			i.Whiteouts = append(i.Whiteouts, Whiteout{w, index})
		}
	}
	for _, f := range files {
		if old := i.files[f.Path]; old != nil && old.Type == Directory && f.Type != Directory {
			gone[f.Path] = true
		}
	}
	if len(gone) > 0 {
		i.remove(index, gone)
	}
	for n, f := range files {
		if old := i.files[f.Path]; old != nil && old.Layer != index {
			i.hide(old, index, false)
		}
		i.files[f.Path] = f
		delete(i.texts, f.Path)
		if text, ok := c.Texts[n]; ok {
			i.texts[f.Path] = text
		}
	}
	for _, h := range c.Secrets {
		if f := files[h.File]; !f.Vouched { // whether or not it was searched
			i.Secrets = append(i.Secrets, Secret{File: f, Finding: h.Finding})
		}
	}
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
