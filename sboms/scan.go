package sboms

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"unicode/utf8"

	"golang.org/x/sync/errgroup"

	"github.com/hardpan/hardpan/internal/oci"
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

// An entry is a path of an image as its layer has it.
type entry struct {
	File
	Content []byte `json:",omitempty"` // of a file that describes the image
}

// scan reads the layers of an image, each once, and returns its paths, without their
// leading slash, as a process would find them: what a later layer has or removes
// hides what is below (OCI image spec, layer.md). What a layer of st holds is
// remembered there; st may be nil.
func scan(ctx context.Context, img *oci.Image, st *store.Store) (map[string]*entry, error) {
	layers := make([][]*entry, len(img.Layers))
	sc := &scanner{store: st}
	sc.left.Store(maxRead)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, l := range img.Layers {
		g.Go(func() (err error) {
			layers[i], err = sc.stored(ctx, l)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	paths := map[string]*entry{}
	for _, entries := range layers {
		overlay(paths, entries)
	}
	for _, e := range paths {
		if e.Type != tree.Hardlink {
			continue
		}
		if to := paths[tree.Clean(e.Link)]; to != nil && to.Type == tree.File {
			e.Size, e.SHA256, e.SHA1, e.Content = to.Size, to.SHA256, to.SHA1, to.Content
		}
	}
	return paths, nil
}

// scanFormat is the version of what is remembered of a layer. It changes with what an
// entry has and with what is read.
const scanFormat = "1 "

// A scanner reads the layers of one image.
type scanner struct {
	store *store.Store // may be nil
	left  atomic.Int64 // of maxRead
}

func (sc *scanner) stored(ctx context.Context, l oci.Layer) ([]*entry, error) {
	if sc.store == nil {
		return sc.layer(ctx, l)
	}
	var entries []*entry
	key := scanFormat + string(l.DiffID)
	if sc.store.Get("contents", key, &entries) && !slices.Contains(entries, nil) {
		return entries, nil
	}
	entries, err := sc.layer(ctx, l)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if !utf8.ValidString(e.Path) || !utf8.ValidString(e.Link) {
			return entries, nil // JSON would not give it back
		}
	}
	return entries, sc.store.Set("contents", key, entries)
}

func (sc *scanner) layer(ctx context.Context, l oci.Layer) ([]*entry, error) {
	r, err := l.Uncompressed()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var entries []*entry
	for members := tar.NewReader(r); ; {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		h, err := members.Next()
		if errors.Is(err, io.EOF) {
			_, err = io.Copy(io.Discard, r) // to where the digest is compared
			return entries, err
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read layer %s: %w", l.Digest, err)
		}
		e, err := sc.entry(h, members)
		if err != nil {
			return nil, fmt.Errorf("cannot read layer %s: %s: %w", l.Digest, h.Name, err)
		}
		if e != nil {
			entries = append(entries, e)
		}
	}
}

// entry returns nil for what is no path of interest: device nodes and pipes have no
// content.
func (sc *scanner) entry(h *tar.Header, r io.Reader) (*entry, error) {
	e := &entry{File: File{Path: tree.Clean(h.Name), Mode: uint32(h.Mode & 0o7777)}}
	switch h.Typeflag {
	case tar.TypeDir:
		e.Type = tree.Dir
	case tar.TypeSymlink:
		e.Type, e.Link = tree.Symlink, h.Linkname
	case tar.TypeLink:
		e.Type, e.Link = tree.Hardlink, "/"+tree.Clean(h.Linkname)
	case tar.TypeReg:
		return e, sc.content(e, r)
	default:
		return nil, nil
	}
	return e, nil
}

func (sc *scanner) content(e *entry, r io.Reader) error {
	long, short := sha256.New(), sha1.New()
	w := io.MultiWriter(long, short)
	var kept bytes.Buffer
	if isDescription(e.Path) {
		w = io.MultiWriter(long, short, &kept)
		r = io.LimitReader(r, sc.left.Load()+1)
	}
	n, err := io.Copy(w, r)
	if err != nil {
		return err
	}
	if sc.left.Add(-int64(kept.Len())) < 0 {
		return fmt.Errorf("%w: the files that describe the image have more than %d bytes", oci.ErrTooLarge, maxRead)
	}
	e.Size, e.Content = n, kept.Bytes()
	e.SHA256, e.SHA1 = hex.EncodeToString(long.Sum(nil)), hex.EncodeToString(short.Sum(nil))
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

// overlay puts the entries of a layer over the paths of those below.
func overlay(paths map[string]*entry, entries []*entry) {
	const whiteout, opaque = ".wh.", ".wh..wh..opq"
	emptied := map[string]bool{} // directories that lose what is below them
	for _, e := range entries {
		switch dir, base := path.Split(e.Path); {
		case base == opaque:
			emptied[path.Clean(dir)] = true
		case strings.HasPrefix(base, whiteout):
			name := dir + strings.TrimPrefix(base, whiteout)
			emptied[name] = true
			delete(paths, name)
		case e.Type != tree.Dir && paths[e.Path] != nil && paths[e.Path].Type == tree.Dir:
			emptied[e.Path] = true
		}
	}
	if len(emptied) > 0 {
		maps.DeleteFunc(paths, func(name string, _ *entry) bool {
			for dir := path.Dir(name); ; dir = path.Dir(dir) {
				if emptied[dir] || dir == "." {
					return emptied[dir]
				}
			}
		})
	}
	for _, e := range entries {
		if !strings.HasPrefix(path.Base(e.Path), whiteout) {
			paths[e.Path] = e
		}
	}
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
