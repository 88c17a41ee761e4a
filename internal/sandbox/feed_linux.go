package sandbox

import (
	"fmt"
	"io"
	"runtime"
	"sync"
)

// Layers are read ahead, since most of the time goes into decompressing them: so
// many at once, and so much of each.
const (
	maxFeeds   = 4
	feedChunk  = 256 << 10
	feedChunks = 24 // of each layer, at most
)

var feedBuffers = sync.Pool{New: func() any { return new([feedChunk]byte) }}

// A feed is a layer that is read ahead.
type feed struct {
	chunks chan chunk
	err    error // once chunks is closed
}

type chunk struct {
	buf *[feedChunk]byte
	n   int
}

// feedLayers writes layers as parts of a stream, in order.
func feedLayers(w io.Writer, layers []Layer) error {
	stop := make(chan struct{})
	var reading sync.WaitGroup
	defer reading.Wait()
	defer close(stop)
	ahead := min(maxFeeds, runtime.GOMAXPROCS(0), len(layers))
	feeds := make([]*feed, len(layers))
	begin := func(i int) {
		if i < len(layers) {
			feeds[i] = &feed{chunks: make(chan chunk, feedChunks)}
			reading.Go(func() { feeds[i].read(layers[i], stop) })
		}
	}
	for i := range ahead {
		begin(i)
	}
	for i := range layers {
		if err := feeds[i].write(w); err != nil {
			return fmt.Errorf("cannot read layer %d: %w", i+1, err)
		}
		feeds[i] = nil
		begin(i + ahead)
	}
	return nil
}

// read reads a layer to its end, or until stop is closed.
func (f *feed) read(l Layer, stop <-chan struct{}) {
	defer close(f.chunks)
	r, err := l.Open()
	if err != nil {
		f.err = err
		return
	}
	defer r.Close()
	for {
		c := chunk{buf: feedBuffers.Get().(*[feedChunk]byte)}
		for c.n < feedChunk && err == nil { // io.ReadFull would hide an io.ErrUnexpectedEOF
			var n int
			n, err = r.Read(c.buf[c.n:])
			c.n += n
		}
		select {
		case f.chunks <- c:
		case <-stop:
			return
		}
		if err == io.EOF {
			return
		}
		if err != nil {
			f.err = err
			return
		}
	}
}

func (f *feed) write(w io.Writer) error {
	p := partWriter{w}
	for c := range f.chunks {
		_, err := p.Write(c.buf[:c.n])
		feedBuffers.Put(c.buf)
		if err != nil {
			return err
		}
	}
	if f.err != nil {
		return f.err
	}
	return p.end()
}
