package sboms

import (
	"archive/tar"
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"sync/atomic"

	"github.com/hardpan/hardpan/internal/language"
	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/store"
	"github.com/hardpan/hardpan/internal/tree"
)

// A Gatherer learns what a layer holds while somebody writes or reads it: it is a
// [github.com/hardpan/hardpan/internal/oci/layer.Watcher].
type Gatherer struct {
	left    *atomic.Int64 // of maxRead
	entries []*entry
	file    *fileGatherer // whose content is still coming, or nil
	sum     hash.Hash     // that somebody else makes of the next file, or nil
	layers  *Layers       // that remembers what it has; nil for none
}

// Hashed says that the content of files goes through sum, a SHA-256, before the entry
// after each; nil ends that.
func (g *Gatherer) Hashed(sum hash.Hash) { g.sum = sum }

// Keep ends the layer, which has that diff ID, and has the store remember what it holds,
// so that [Layers.Read] need not read it.
func (g *Gatherer) Keep(diffID store.Digest, st *store.Store) error {
	if err := g.end(); err != nil {
		return err
	}
	g.layers.add(diffID, g.entries, maxRead-g.left.Load())
	return keep(st, diffID, g.entries)
}

// Entry takes one entry of a layer's tar and returns where its content goes, nil for what
// has none.
func (g *Gatherer) Entry(h *tar.Header) (io.Writer, error) {
	if err := g.end(); err != nil {
		return nil, err
	}
	e := &entry{File: File{Path: tree.Clean(h.Name), Mode: uint32(h.Mode & 0o7777)}}
	switch h.Typeflag {
	case tar.TypeDir:
		e.Type = tree.Dir
	case tar.TypeSymlink:
		e.Type, e.Link = tree.Symlink, h.Linkname
	case tar.TypeLink:
		e.Type, e.Link = tree.Hardlink, "/"+tree.Clean(h.Linkname)
	case tar.TypeReg:
		g.file = newFileGatherer(e, h.Size, g.left, g.sum)
	case tar.TypeChar, tar.TypeBlock, tar.TypeFifo:
		e.Special = "device"
	default:
		return nil, nil // no member of the image
	}
	g.entries = append(g.entries, e)
	if g.file == nil {
		return nil, nil
	}
	return g.file, nil
}

func (g *Gatherer) end() error {
	if g.file == nil {
		return nil
	}
	f := g.file
	g.file = nil
	return f.end()
}

// A fileGatherer looks at the content of one file.
type fileGatherer struct {
	entry       *entry
	left        *atomic.Int64
	long, short hash.Hash
	hashed      bool             // somebody else writes to long
	kept        *bytes.Buffer    // of a file that describes the image
	says        *language.Reader // of one that stands for packages of a language, or nil
}

func newFileGatherer(e *entry, size int64, left *atomic.Int64, sum hash.Hash) *fileGatherer {
	f := &fileGatherer{entry: e, left: left, long: sum, short: sha1.New(), hashed: sum != nil, says: language.NewReader(e.Path, size)}
	if !f.hashed {
		f.long = sha256.New()
	}
	if isDescription(e.Path) {
		f.kept = &bytes.Buffer{}
	}
	return f
}

func (f *fileGatherer) Write(p []byte) (int, error) {
	f.entry.Size += int64(len(p))
	if !f.hashed {
		f.long.Write(p)
	}
	f.short.Write(p)
	if f.kept != nil {
		if f.kept.Write(p); int64(f.kept.Len()) > f.left.Load() {
			return 0, errTooMuch
		}
	}
	if f.says != nil {
		return f.says.Write(p)
	}
	return len(p), nil
}

func (f *fileGatherer) end() error {
	e, weight := f.entry, int64(0)
	if f.kept != nil {
		e.Content = f.kept.Bytes()
		weight = int64(len(e.Content))
	}
	if f.says != nil {
		var err error
		if e.Says, err = f.says.Close(); err != nil {
			return err
		}
		if e.Says != nil {
			weight += e.Says.Weight()
		}
	}
	if f.left.Add(-weight) < 0 {
		return errTooMuch
	}
	e.SHA256, e.SHA1 = hex.EncodeToString(f.long.Sum(nil)), hex.EncodeToString(f.short.Sum(nil))
	return nil
}

var errTooMuch = fmt.Errorf("%w: the files that describe the image have more than %d bytes", oci.ErrTooLarge, maxRead)
