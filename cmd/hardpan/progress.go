package main

import (
	"io"
	"os"
	"sync"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"

	"github.com/hardpan/hardpan/internal/debian/archive"
)

// progress draws one bar for all downloads of a call, on a terminal only.
type progress struct {
	mu    sync.Mutex
	pool  *mpb.Progress // nil where nobody looks
	bar   *mpb.Bar
	total int64
	tasks int // under way
}

func newProgress(w io.Writer) *progress {
	f, ok := w.(*os.File)
	if !ok || !isTerminal(f) {
		return &progress{}
	}
	return &progress{pool: mpb.New(mpb.WithOutput(f), mpb.WithWidth(40))}
}

func isTerminal(f *os.File) bool {
	return term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb"
}

// Start implements [archive.Progress].
func (p *progress) Start(name string, size int64) archive.Task {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tasks++
	if p.pool == nil {
		return task{p}
	}
	if p.bar == nil {
		p.bar = p.pool.AddBar(0,
			mpb.BarRemoveOnComplete(),
			mpb.PrependDecorators(decor.Name("fetching ")),
			mpb.AppendDecorators(decor.CountersKiloByte("% .1f / % .1f"), decor.Name("  "), decor.AverageSpeed(decor.SizeB1000(0), "% .1f")))
	}
	p.total += max(size, 0)
	p.bar.SetTotal(p.total, false)
	return task{p}
}

// print writes a line to w, above the bar where one is drawn.
func (p *progress) print(w io.Writer, line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pool != nil {
		w = p.pool
	}
	io.WriteString(w, line)
}

// Wait ends the drawing, and must be called before anything else is printed.
func (p *progress) Wait() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pool == nil {
		return
	}
	p.clear()
	p.pool.Wait()
	p.pool = nil
}

// clear takes the bar away.
func (p *progress) clear() {
	if p.bar != nil {
		p.bar.Abort(true)
		p.bar, p.total = nil, 0
	}
}

type task struct{ p *progress }

// Add implements [archive.Task].
func (t task) Add(n int64) {
	t.p.mu.Lock()
	defer t.p.mu.Unlock()
	if t.p.bar != nil {
		t.p.bar.IncrInt64(n)
	}
}

// Done implements [archive.Task]. After the last download there is nothing to show.
func (t task) Done(error) {
	t.p.mu.Lock()
	defer t.p.mu.Unlock()
	if t.p.tasks--; t.p.tasks == 0 {
		t.p.clear()
	}
}
