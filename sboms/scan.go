package sboms

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"unicode/utf8"

	"golang.org/x/sync/errgroup"

	"github.com/hardpan/hardpan/internal/language"
	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/oci/layer"
	"github.com/hardpan/hardpan/internal/store"
	"github.com/hardpan/hardpan/internal/tree"
)

// Files of dpkg and of the system that describe the image.
const (
	statusFile    = "var/lib/dpkg/status"   // dpkg(1)
	statusDir     = "var/lib/dpkg/status.d" // an image without dpkg; distroless introduced it
	infoDir       = "var/lib/dpkg/info"     // dpkg(1); NAME.list or NAME:ARCH.list
	osReleaseFile = "usr/lib/os-release"    // os-release(5)
)

// maxRead bounds what is kept of the files that describe an image, in bytes. Those of
// an installation with 2000 packages have some 80 MB.
const maxRead = 256 << 20

// maxPaths bounds the paths of all layers of an image.
const maxPaths = 1_000_000

// An entry is a path of an image as its layer has it.
type entry struct {
	File
	Content []byte `json:",omitempty"` // of a file that describes the image
	layer   int    // index of that which it is in, once layers are stacked
	// Says is which packages of programming languages it stands for.
	Says    *language.File `json:",omitempty"`
	Special string         `json:",omitempty"` // "device" or the like, which hides what is below and is no path of interest
}

// scan reads the layers of an image, each once, and returns its paths, without their
// leading slash, as a process would find them: what a later layer has or removes
// hides what is below (OCI image spec, layer.md).
func (sc *scanner) scan(ctx context.Context, img *oci.Image) (map[string]*entry, error) {
	layers := make([][]*entry, len(img.Layers))
	sc.left.Store(maxRead)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, l := range img.Layers {
		g.Go(func() (err error) {
			layers[i], err = sc.stored(ctx, i, l)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return stacked(layers)
}

// scanFormat is the version of what is remembered of a layer. It changes with what an
// entry has and with what is read.
const scanFormat = "4 "

// A scanner reads the layers of one image.
type scanner struct {
	store  *store.Store                  // remembers what layers hold; may be nil
	layers *Layers                       // does so in memory; may be nil
	watch  func(index int) layer.Watcher // looks at the layers, too; may be nil
	left   atomic.Int64                  // of maxRead
	paths  atomic.Int64
}

func (sc *scanner) stored(ctx context.Context, index int, l oci.Layer) ([]*entry, error) {
	if sc.store == nil {
		var watcher layer.Watcher
		if sc.watch != nil {
			watcher = sc.watch(index)
		}
		return sc.layer(ctx, l, watcher)
	}
	if entries := sc.layers.get(l.DiffID); entries != nil {
		return entries, nil
	}
	var entries []*entry
	if sc.store.Get("contents", scanFormat+string(l.DiffID), &entries) && !slices.Contains(entries, nil) {
		return entries, nil
	}
	entries, err := sc.layer(ctx, l, nil)
	if err != nil {
		return nil, err
	}
	return entries, keep(sc.store, l.DiffID, entries)
}

// keep has the store remember what a layer holds.
func keep(st *store.Store, diffID store.Digest, entries []*entry) error {
	for _, e := range entries {
		if !utf8.ValidString(e.Path) || !utf8.ValidString(e.Link) {
			return nil // JSON would not give it back
		}
	}
	return st.Set("contents", scanFormat+string(diffID), entries)
}

func (sc *scanner) layer(ctx context.Context, l oci.Layer, watcher layer.Watcher) ([]*entry, error) {
	r, err := l.Uncompressed()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	g := &Gatherer{left: &sc.left}
	for members := tar.NewReader(r); ; {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		h, err := members.Next()
		if errors.Is(err, io.EOF) {
			if err := g.end(); err != nil {
				return nil, fmt.Errorf("cannot read layer %s: %w", l.Digest, err)
			}
			_, err = io.Copy(io.Discard, r) // to where the digest is compared
			return g.entries, err
		}
		if errors.Is(err, tar.ErrHeader) || err == io.ErrUnexpectedEOF { // not that of reading, which says more
			err = fmt.Errorf("%w: %w", oci.ErrInvalid, err)
		}
		if err == nil && sc.paths.Add(1) > maxPaths {
			err = fmt.Errorf("%w: more than %d paths", oci.ErrTooLarge, maxPaths)
		}
		if err == nil {
			err = pass(h, members, g, watcher)
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read layer %s: %w", l.Digest, err)
		}
	}
}

// pass shows an entry and its content to those who watch.
func pass(h *tar.Header, content io.Reader, watchers ...layer.Watcher) error {
	var to []io.Writer
	for _, x := range watchers {
		if x == nil {
			continue
		}
		w, err := x.Entry(h)
		if err != nil {
			return fmt.Errorf("%s: %w", h.Name, err)
		}
		if w != nil {
			to = append(to, w)
		}
	}
	_, err := io.Copy(io.MultiWriter(to...), content)
	if err == io.ErrUnexpectedEOF {
		err = fmt.Errorf("%w: %w", oci.ErrInvalid, err)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", h.Name, err)
	}
	return nil
}

// isDescription reports whether the content of the path describes the image.
func isDescription(name string) bool {
	dir, base := path.Split(name)
	switch dir = strings.TrimSuffix(dir, "/"); {
	case name == statusFile, name == osReleaseFile, name == "etc/os-release", dir == statusDir:
		return true
	case dir == infoDir:
		return strings.HasSuffix(base, ".list")
	}
	return base == "copyright" && path.Dir(dir) == "usr/share/doc"
}

// Open implements [tree.Content]. Only what describes the image is there.
func (e *entry) Open() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(e.Content)), nil }

// stacked returns the paths that layers make on top of one another, lowest first.
func stacked(layers [][]*entry) (map[string]*entry, error) {
	o := layer.NewOverlay(tree.New(nil, 0))
	for in, entries := range layers {
		list := make([]layer.Entry, len(entries))
		for i, e := range entries {
			e.layer = in
			list[i] = layer.Entry{Node: tree.Node{Path: e.Path, Type: e.Type, Mode: e.Mode, Link: e.Link, Content: e}, Special: e.Special}
		}
		if err := o.Apply(list); err != nil {
			return nil, fmt.Errorf("%w: %w", oci.ErrInvalid, err)
		}
	}
	paths := map[string]*entry{}
	for n := range o.Tree.All() {
		was, ok := n.Content.(*entry)
		if !ok {
			continue // a directory that no layer has
		}
		e := *was
		e.Path, e.Type, e.Mode, e.Link = n.Path, n.Type, n.Mode, n.Link
		if n.Type == tree.Hardlink {
			e.Link = "/" + n.Link
			if to, ok := o.Tree.Lookup(n.Link).Content.(*entry); ok {
				e.Size, e.SHA256, e.SHA1, e.Content, e.Says = to.Size, to.SHA256, to.SHA1, to.Content, to.Says
			}
		}
		paths[n.Path] = &e
	}
	return paths, nil
}

// find returns the file that a path leads to, through symbolic links, or nil.
func find(paths map[string]*entry, name string) *entry {
	rest := strings.Split(tree.Clean(name), "/")
	at := ""
	for hops := 0; len(rest) > 0; {
		at = path.Join(at, rest[0])
		rest = rest[1:]
		e := paths[at]
		if e == nil || e.Type != tree.Symlink {
			continue
		}
		if hops++; hops > 40 { // as many links as Linux follows
			return nil
		}
		to := e.Link
		if !strings.HasPrefix(to, "/") {
			to = path.Join("/", path.Dir(at), to)
		}
		rest = append(strings.Split(tree.Clean(to), "/"), rest...)
		at = ""
	}
	if e := paths[at]; e != nil && e.SHA256 != "" {
		return e
	}
	return nil
}
