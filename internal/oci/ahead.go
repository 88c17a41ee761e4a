package oci

import (
	"errors"
	"os"
	"path/filepath"
	"sync"

	"github.com/hardpan/hardpan/internal/store"
)

// Ahead writes layers for a layout while the rest of its image is being made, so that
// the wait for the disk does not come last. What it wrote is beside the layout, under
// a name of its own, until [WriteLayout] takes it; what is not taken is removed by
// Close. Where it fails the layout writes the layer as any other.
type Ahead struct {
	layout string
	dir    *os.File     // with the lock that says that it is in use
	w      layoutWriter // of files in dir
	made   []string     // directories above the layout that were not there, the lowest first

	wait   sync.WaitGroup
	slots  chan struct{}
	mu     sync.Mutex
	layers map[store.Digest]*aheadLayer
	closed bool
}

type aheadLayer struct {
	done chan struct{}
	err  error // valid after done
}

// aheadJobs is how many layers are written at a time: mostly each waits for the disk.
const aheadJobs = 4

var errClosed = errors.New("closed")

// NewAhead returns an Ahead for the layout of that name. The caller must Close it
// after the layout is written.
func NewAhead(layout string) (*Ahead, error) {
	a := &Ahead{layout: filepath.Clean(layout), layers: map[store.Digest]*aheadLayer{}, slots: make(chan struct{}, aheadJobs)}
	parent := filepath.Dir(a.layout)
	for p := parent; p != filepath.Dir(p); p = filepath.Dir(p) {
		if _, err := os.Lstat(p); err == nil {
			break
		}
		a.made = append(a.made, p)
	}
	err := os.MkdirAll(parent, 0o777)
	if err == nil {
		a.dir, err = createPartial(a.layout, true)
	}
	if err == nil {
		a.w.root, err = os.OpenRoot(a.dir.Name())
	}
	if err != nil {
		a.Close()
		return nil, err
	}
	return a, nil
}

// Put begins to write a layer, unless the layout has one of its name and size. It
// does not wait for it.
func (a *Ahead) Put(l Layer) {
	if info, err := os.Stat(filepath.Join(a.layout, layoutBlobs, l.Digest.Hex())); err == nil && info.Size() == l.Size {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed || a.layers[l.Digest] != nil {
		return
	}
	began := &aheadLayer{done: make(chan struct{})}
	a.layers[l.Digest] = began
	a.wait.Go(func() {
		defer close(began.done)
		a.slots <- struct{}{}
		defer func() { <-a.slots }()
		began.err = a.write(l)
	})
}

func (a *Ahead) write(l Layer) error {
	a.mu.Lock()
	closed := a.closed
	a.mu.Unlock()
	if closed {
		return errClosed
	}
	r, err := l.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	return a.w.put(l.Digest.Hex(), sized(r, blob{digest: l.Digest, size: l.Size}))
}

// take gives a blob the name to, and reports whether it did.
func (a *Ahead) take(d store.Digest, to string) bool {
	if a == nil {
		return false
	}
	a.mu.Lock()
	began := a.layers[d]
	a.mu.Unlock()
	if began == nil {
		return false
	}
	<-began.done
	return began.err == nil && os.Rename(filepath.Join(a.dir.Name(), d.Hex()), to) == nil
}

// Close removes what no layout took, the directories for it included.
func (a *Ahead) Close() {
	if a == nil {
		return
	}
	a.mu.Lock()
	a.closed = true
	a.mu.Unlock()
	a.wait.Wait()
	if a.w.root != nil {
		a.w.root.Close()
	}
	if a.dir != nil {
		os.RemoveAll(a.dir.Name())
		a.dir.Close()
	}
	for _, p := range a.made {
		os.Remove(p) // which fails where it is not empty
	}
}
