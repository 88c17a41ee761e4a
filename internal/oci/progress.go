package oci

import (
	"io"
	"sync"
)

// progress adds up the bytes of the blobs of a push.
type progress struct {
	mu     sync.Mutex
	report func(done, total int64)
	sizes  []int64
	sent   []int64 // by blob; the latest attempt's
	done   int64
	total  int64
}

func newProgress(blobs []blob, report func(done, total int64)) *progress {
	p := &progress{report: report, sent: make([]int64, len(blobs))}
	for _, b := range blobs {
		p.sizes = append(p.sizes, b.size)
		p.total += b.size
	}
	return p
}

// set says that n bytes of blob i have been sent.
func (p *progress) set(i int, n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done += n - p.sent[i]
	p.sent[i] = n
	if p.report != nil {
		p.report(p.done, p.total)
	}
}

// finish says that blob i is in the registry, sent or not.
func (p *progress) finish(i int) { p.set(i, p.sizes[i]) }

// count makes the reads of blob i count. Opening it anew begins at nothing.
func (p *progress) count(i int, open func() (io.ReadCloser, error)) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) {
		r, err := open()
		if err != nil {
			return nil, err
		}
		return &countedReader{ReadCloser: r, progress: p, blob: i}, nil
	}
}

type countedReader struct {
	io.ReadCloser
	progress *progress
	blob     int
	n        int64
}

func (r *countedReader) Read(b []byte) (int, error) {
	n, err := r.ReadCloser.Read(b)
	if r.n += int64(n); n > 0 {
		r.progress.set(r.blob, min(r.n, r.progress.sizes[r.blob]))
	}
	return n, err
}
