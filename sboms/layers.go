package sboms

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/store"
)

// Layers remembers what the layers of a build hold from when they are written to when
// the images are described. The zero value is ready to use, by several goroutines.
type Layers struct {
	mu     sync.Mutex
	layers map[store.Digest][]*entry // by diff ID
	weight int64
}

// maxRemembered bounds what a build remembers, in bytes; the store has the rest.
const maxRemembered = 16 << 20

// entryWeight is what an entry takes without its content, in bytes.
const entryWeight = 400

// NewGatherer returns a gatherer for one layer.
func (l *Layers) NewGatherer() *Gatherer {
	g := &Gatherer{left: &atomic.Int64{}, layers: l}
	g.left.Store(maxRead)
	return g
}

// Read is [Read] for an image that was built or opened from st, which remembers what each
// layer holds, so that a layer is read once however many images have it.
func (l *Layers) Read(ctx context.Context, src *oci.Image, st *store.Store) (*Image, error) {
	return read(ctx, src, &scanner{store: st, layers: l})
}

func (l *Layers) add(diffID store.Digest, entries []*entry, content int64) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	weight := content + int64(len(entries))*entryWeight
	if l.weight+weight > maxRemembered || l.layers[diffID] != nil {
		return
	}
	if l.layers == nil {
		l.layers = map[store.Digest][]*entry{}
	}
	l.layers[diffID] = entries
	l.weight += weight
}

// get returns what a layer holds, a copy of its own, since whoever stacks layers writes
// into the entries; nil where it is not remembered.
func (l *Layers) get(diffID store.Digest) []*entry {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	known := l.layers[diffID]
	if known == nil {
		return nil
	}
	entries := make([]*entry, len(known))
	for i, e := range known {
		own := *e
		entries[i] = &own
	}
	return entries
}
