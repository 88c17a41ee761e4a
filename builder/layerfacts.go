package builder

import (
	"archive/tar"
	"context"
	"hash"
	"sync"

	"github.com/hardpan/hardpan/internal/check/facts"
	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/oci/layer"
	"github.com/hardpan/hardpan/internal/store"
)

// A press writes layers into the store, and knows of each what the gate asks: it is
// gathered as the layer is written, since reading it again would cost more than all
// rules. The store keeps it by diff ID.
type press struct {
	*store.Store
	compression layer.Compression
	describe    []Describer // who want to see the layers, too
	mu          sync.Mutex
	contents    map[store.Digest]*facts.Content // of this build's layers, by diff ID
}

func newPress(s *store.Store, c layer.Compression, describe []Describer) *press {
	return &press{Store: s, compression: c, describe: describe, contents: map[store.Digest]*facts.Content{}}
}

// A sheet is one layer that is being written.
type sheet struct {
	*layer.Writer
	press    *press
	gatherer *facts.Gatherer // nil for layers of build stages, which nobody judges
	watchers []Watcher
}

// layer begins a layer. The caller must Close it. Of a package's all files are vouched
// for: they were unpacked from a file that the signed index has, and all the world has it.
func (p *press) layer(packaged bool) (*sheet, error) {
	w, err := layer.NewWriter(p.Store, p.compression)
	if err != nil || p.compression == layer.Quick {
		return &sheet{Writer: w, press: p}, err
	}
	sh := &sheet{Writer: w, press: p, gatherer: facts.NewGatherer(func(*tar.Header) bool { return packaged })}
	w.Watch(sh.gatherer)
	for _, d := range p.describe {
		if d.Watch != nil {
			x := d.Watch()
			w.Watch(x)
			sh.watchers = append(sh.watchers, x)
		}
	}
	return sh, nil
}

// hashed tells the watchers of a hash that is made of the next file, see [Watcher].
func (s *sheet) hashed(sum hash.Hash) {
	for _, x := range s.watchers {
		x.Hashed(sum)
	}
}

// Finish ends the layer and puts it, and what it has, into the store.
func (s *sheet) Finish() (layer.Info, error) {
	info, err := s.Writer.Finish()
	if err != nil || s.gatherer == nil {
		return info, err
	}
	for _, x := range s.watchers {
		if err := x.Keep(info.DiffID, s.press.Store); err != nil {
			return info, err
		}
	}
	content, err := s.gatherer.Finish()
	if err != nil {
		return info, err
	}
	return info, s.press.keep(info.DiffID, content)
}

func factsKey(diffID store.Digest) string { return facts.Format + "\x00" + string(diffID) }

func (p *press) keep(diffID store.Digest, c *facts.Content) error {
	p.mu.Lock()
	p.contents[diffID] = c
	p.mu.Unlock()
	if !c.Portable() {
		return nil
	}
	return p.Set("facts", factsKey(diffID), c)
}

// kept returns what is known of a layer, nil where nothing is.
func (p *press) kept(diffID store.Digest) *facts.Content {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c := p.contents[diffID]; c != nil {
		return c
	}
	c := &facts.Content{}
	if !p.Get("facts", factsKey(diffID), c) {
		return nil
	}
	p.contents[diffID] = c
	return c
}

// joined keeps what the layer has that the parts were joined to.
func (p *press) joined(info layer.Info, parts []layer.Info) error {
	var contents []*facts.Content
	for _, part := range parts {
		c := p.kept(part.DiffID)
		if c == nil {
			return nil // the layer is read where it is judged
		}
		contents = append(contents, c)
	}
	return p.keep(info.DiffID, facts.Join(contents...))
}

// content returns what a layer has, and reads it where nobody knows. It is the caller's:
// who asks again gets it from the store.
func (p *press) content(ctx context.Context, l oci.Layer) (*facts.Content, error) {
	c := p.kept(l.DiffID)
	if c == nil {
		return p.read(ctx, l)
	}
	p.mu.Lock()
	delete(p.contents, l.DiffID)
	p.mu.Unlock()
	return c, nil
}

// read reads a layer, for whose files nobody vouches.
func (p *press) read(ctx context.Context, l oci.Layer) (*facts.Content, error) {
	c, err := facts.ReadLayer(ctx, l)
	if err != nil || !c.Portable() {
		return c, err
	}
	return c, p.Set("facts", factsKey(l.DiffID), c)
}
