package archive

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hardpan/hardpan/internal/debian/archivetest"
	"github.com/hardpan/hardpan/internal/store"
)

// ledger is a Progress that sums what it is told.
type ledger struct {
	bytes, started, done, failed atomic.Int64
}

func (l *ledger) Start(string, int64) Task { l.started.Add(1); return l }
func (l *ledger) Add(n int64)              { l.bytes.Add(n) }
func (l *ledger) Done(err error) {
	l.done.Add(1)
	if err != nil {
		l.failed.Add(1)
	}
}

// TestFetchFaults: what a download survives, with which requests, and what not.
func TestFetchFaults(t *testing.T) {
	name := hello.Filename()
	type faults = []archivetest.Fault
	for title, tt := range map[string]struct {
		faults  faults
		prepare func(*fixture)
		stall   time.Duration
		want    string // the answers in order, or "" where they do not matter
		kind    error  // nil where it works in the end
		words   []string
	}{
		"nothing wrong": {want: "ok"},
		"server errors": {
			faults: faults{{Status: 500}, {Status: 503}, {Status: 502}}, want: "failed failed failed ok",
		},
		"too many requests": {
			faults: faults{{Status: 429, RetryAfter: "0"}}, want: "failed ok",
		},
		"reset": {faults: faults{{Reset: true}, {Reset: true}}, want: "reset reset ok"},
		"cut, then resumed": {
			faults: faults{{Cut: 100_000}, {Cut: 100_000}}, want: "ok part part",
		},
		"cut, server without ranges": {
			faults:  faults{{Cut: 100_000}},
			prepare: func(f *fixture) { f.NoRange() }, want: "ok ok",
		},
		"wrong bytes once": {
			faults: faults{{Body: []byte("x")}}, want: "ok ok",
		},
		"stalled": {faults: faults{{Stall: true}}, stall: time.Second},
		"fails every time": {
			faults: faults{{Status: 500}, {Status: 500}, {Status: 500}, {Status: 500}, {Status: 503}},
			want:   "failed failed failed failed failed",
			kind:   ErrUnreachable, words: []string{name, "gave up after 5 attempts: 503 Service Unavailable"},
		},
		"asked to come back tomorrow": {
			faults: faults{{Status: 503, RetryAfter: "86400"}}, want: "failed",
			kind: ErrUnreachable, words: []string{"gave up after 1 attempts: 503"},
		},
		"gone": {
			prepare: func(f *fixture) { f.Delete(name) }, want: "missing",
			kind: ErrNotFound, words: []string{"gone from the archive (404 Not Found)"},
		},
		"forbidden": {
			faults: faults{{Status: 403}}, want: "failed",
			kind: ErrForbidden, words: []string{"refused (403 Forbidden)"},
		},
		"teapot": {
			faults: faults{{Status: 418}}, want: "failed",
			kind: ErrUnreachable, words: []string{"found status 418 I'm a teapot, expected 200"},
		},
		"other bytes of that size, always": {
			prepare: func(f *fixture) {
				f.Put(name, []byte(strings.Repeat("x", len(f.Get(name)))))
			},
			want: "ok ok",
			kind: ErrMismatch, words: []string{"found sha256 ", ", expected "},
		},
		"truncated on the mirror": {
			prepare: func(f *fixture) { f.Put(name, f.Get(name)[:1000]) }, want: "ok ok",
			kind: ErrMismatch, words: []string{"found size 1000, expected "},
		},
		"longer on the mirror": {
			prepare: func(f *fixture) { f.Put(name, append(f.Get(name), 'x')) }, want: "ok ok",
			kind: ErrMismatch, words: []string{"found size ", ", expected "},
		},
		"redirected in a circle": {
			faults: func() (all faults) {
				for range 20 {
					all = append(all, archivetest.Fault{Redirect: "/" + name})
				}
				return all
			}(),
			kind: ErrUnreachable, words: []string{"redirected more than 10 times"},
		},
	} {
		t.Run(title, func(t *testing.T) {
			f := newFixture(t, one(nil), func(o *Options) { o.Stall = orDefault(tt.stall, 30*time.Second) })
			item := f.item(hello)
			if tt.prepare != nil {
				tt.prepare(f)
			}
			f.Inject(name, tt.faults...)
			var l ledger
			err := f.client.Fetch(context.Background(), []Item{item}, &l)
			var answers []string
			for _, r := range f.Requests() {
				answers = append(answers, statusWord(r.Status))
			}
			if have := strings.Join(answers, " "); tt.want != "" && have != tt.want {
				t.Errorf("answers: have %s, want %s", have, tt.want)
			}
			if l.started.Load() != 1 || l.done.Load() != 1 {
				t.Errorf("progress: %d started, %d done", l.started.Load(), l.done.Load())
			}
			if tt.kind != nil {
				wantError(t, err, tt.kind, tt.words...)
				if litter := f.litter(); len(litter) > 0 {
					t.Errorf("left behind: %v", litter)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if l.bytes.Load() != item.Size {
				t.Errorf("progress: have %d bytes, want %d", l.bytes.Load(), item.Size)
			}
			if _, err := f.cache.ReadFile(item.Digest); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestFetchHints(t *testing.T) {
	f := newFixture(t, one(nil), nil)
	item := f.item(hello)
	f.Delete(item.Path)
	err := f.client.Fetch(context.Background(), []Item{item}, nil)
	hinted, ok := errors.AsType[interface {
		error
		Hint() string
	}](err)
	if !ok || hinted.Hint() != "the archive has moved on: renew the lock with hardpan lock" {
		t.Errorf("error %v has no such hint", err)
	}
}

// TestFetchTwice: what is in the cache costs no request, and what is damaged there
// is noticed by its size.
func TestFetchTwice(t *testing.T) {
	f := newFixture(t, one(nil), nil)
	items := []Item{f.item(hello), f.item(docs), f.item(hello)}
	for range 2 {
		if err := f.client.Fetch(context.Background(), items, nil); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(f.Requests()); n != 2 {
		t.Errorf("%d requests, want 2", n)
	}
	d := items[0].Digest.Hex()
	if err := os.Truncate(filepath.Join(f.cache.Dir(), "blobs/sha256", d[:2], d), 10); err != nil {
		t.Fatal(err)
	}
	if err := f.client.Fetch(context.Background(), items, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := f.cache.ReadFile(items[0].Digest); err != nil {
		t.Error(err)
	}
}

// TestFetchBadItems: an item that no signed index could have.
func TestFetchBadItems(t *testing.T) {
	f := newFixture(t, one(nil), nil)
	for word, change := range map[string]func(*Item){
		`path "../etc/passwd"`:  func(i *Item) { i.Path = "../etc/passwd" },
		`path "/etc/passwd"`:    func(i *Item) { i.Path = "/etc/passwd" },
		`path "pool/../../x"`:   func(i *Item) { i.Path = "pool/../../x" },
		`path "pool/x\r\nHost"`: func(i *Item) { i.Path = "pool/x\r\nHost" },
		`digest "sha256:12"`:    func(i *Item) { i.Digest = "sha256:12" },
		`size -1`:               func(i *Item) { i.Size = -1 },
		`want http://HOST/PATH`: func(i *Item) { i.Repository.URI = "ftp://example.org/debian" },
		`has a query`:           func(i *Item) { i.Repository.URI = "https://example.org/debian?x=y" },
	} {
		item := f.item(hello)
		change(&item)
		wantError(t, f.client.Fetch(context.Background(), []Item{item}, nil), nil, word)
	}
	if requests := f.Requests(); len(requests) > 0 {
		t.Errorf("requests were made: %v", requests)
	}
}

// TestFetchGone: an archive that has moved on. The error names all that is gone, and the
// rest is there for the next attempt.
func TestFetchGone(t *testing.T) {
	f := newFixture(t, one(nil), nil)
	all := []Item{f.item(hello), f.item(docs)}
	gone := all[0]
	gone.Path, gone.Digest = "pool/main/g/gone/gone_1_all.deb", store.DigestOf([]byte("gone"))
	lost := gone
	lost.Path, lost.Digest = "pool/main/l/lost/lost_2_all.deb", store.DigestOf([]byte("lost"))
	err := f.client.Fetch(context.Background(), []Item{gone, all[0], lost, all[1]}, nil)
	wantError(t, err, ErrNotFound, "gone_1_all.deb: gone from the archive (404 Not Found); so are lost_2_all.deb")
	for _, item := range all {
		if _, ok := f.cache.Stat(item.Digest); !ok {
			t.Errorf("%s was not fetched", item.Path)
		}
	}
	if errs := make([]error, 30); true {
		blobs := make([]blob, len(errs))
		for i := range errs {
			errs[i], blobs[i].name = notFound(&url.URL{Path: "x"}, "y"), fmt.Sprint(i)
		}
		wantError(t, allGone(blobs, errs), ErrNotFound, "so are 1, 2, ", "20 and 9 more")
	}
}

// TestFetchPathIsEscaped: a name's own letters reach the server as they are.
func TestFetchPathIsEscaped(t *testing.T) {
	f := newFixture(t, one(nil), nil)
	const name = "pool/main/g/g++/g++_1%2e0~rc1+b1?_amd64.deb"
	f.Put(name, []byte("deb"))
	item := Item{Repository: trixie, Path: name, Size: 3, Digest: store.DigestOf([]byte("deb"))}
	if err := f.client.Fetch(context.Background(), []Item{item}, nil); err != nil {
		t.Fatal(err)
	}
}

func TestFileRepository(t *testing.T) {
	f := newFixture(t, one(nil), nil)
	dir := t.TempDir()
	files, err := one(nil).Build(f.Key)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	local := Repository{ID: "local", URI: "file://" + dir, Suite: "trixie"}
	text, err := f.text(f.client, local)
	if err != nil || !strings.Contains(text, "Package: hello\n") {
		t.Errorf("have %q, %v", text, err)
	}
	item := f.item(hello)
	item.Repository = local
	if err := f.client.Fetch(context.Background(), []Item{item}, nil); err != nil {
		t.Error(err)
	}
	item = f.item(docs)
	item.Repository, item.Path = local, "pool/none.deb"
	wantError(t, f.client.Fetch(context.Background(), []Item{item}, nil), ErrNotFound, "file://", "none.deb")
	if requests := f.Requests(); len(requests) > 0 {
		t.Errorf("requests were made: %v", requests)
	}
}

// TestUnreachable: nobody listens; and a host that does not exist.
func TestUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	f := newFixture(t, one(nil), nil)
	repo := trixie
	repo.URI = "http://" + address + "/debian"
	_, err = f.client.Release(context.Background(), repo)
	wantError(t, err, ErrUnreachable, "cannot fetch "+repo.URI+"/dists/trixie/InRelease: ", "connection refused")
}

// TestFetchCancelled: a cancelled download leaves what it has and nothing else, and
// the next one goes on there.
func TestFetchCancelled(t *testing.T) {
	f := newFixture(t, one(nil), nil)
	item := f.item(hello)
	f.Inject(item.Path, archivetest.Fault{Cut: 100_000}, archivetest.Fault{Stall: true})
	ctx, cancel := context.WithCancel(context.Background())
	watch := &cancelAt{bytes: 100_000, cancel: cancel}
	err := f.client.Fetch(ctx, []Item{item}, watch)
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("have %v, want %v", err, context.Canceled)
	}
	if have, want := strings.Join(f.litter(), " "), "partial/"+item.Digest.Hex(); have != want {
		t.Errorf("left behind: have %s, want %s", have, want)
	}
	f.Requests()
	f.Heal() // the stall was not taken where the cancelling was faster
	if err := f.newClient(nil).Fetch(context.Background(), []Item{item}, nil); err != nil {
		t.Fatal(err)
	}
	requests := f.Requests()
	if last := requests[len(requests)-1]; last.Range != "bytes=100000-" || last.Status != 206 {
		t.Errorf("have %+v, want the rest", last)
	}
}

// cancelAt cancels once so many bytes have come.
type cancelAt struct {
	ledger
	bytes  int64
	cancel func()
}

func (c *cancelAt) Start(string, int64) Task { return c }
func (c *cancelAt) Add(n int64) {
	c.ledger.Add(n)
	if c.ledger.bytes.Load() >= c.bytes {
		c.cancel()
	}
}

// TestStalePartial: bytes of another file under the partial's name cost a second
// request and nothing else.
func TestStalePartial(t *testing.T) {
	for name, left := range map[string]int{"short": 1000, "of the whole size": -1, "too long": 1 << 20} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, one(nil), nil)
			item := f.item(hello)
			if left < 0 {
				left = int(item.Size)
			}
			garbage := []byte(strings.Repeat("g", left))
			if err := os.WriteFile(filepath.Join(f.cache.Dir(), "partial", item.Digest.Hex()), garbage, 0o600); err != nil {
				t.Fatal(err)
			}
			var l ledger
			if err := f.client.Fetch(context.Background(), []Item{item}, &l); err != nil {
				t.Fatal(err)
			}
			if l.bytes.Load() != item.Size {
				t.Errorf("progress: have %d bytes, want %d", l.bytes.Load(), item.Size)
			}
		})
	}
}

// TestFetchAtOnce: several clients of one cache fetch the same files and make one
// request for each.
func TestFetchAtOnce(t *testing.T) {
	f := newFixture(t, one(nil), nil)
	items := []Item{f.item(hello), f.item(docs)}
	var wg sync.WaitGroup
	for range 4 {
		c := f.newClient(nil)
		wg.Go(func() {
			if err := c.Fetch(context.Background(), items, nil); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := len(f.Requests()); n != 2 {
		t.Errorf("%d requests, want 2", n)
	}
}

// TestFetchKilled kills a process in the middle of a download; the next run has the
// bytes that it had.
func TestFetchKilled(t *testing.T) {
	if dir := os.Getenv("ARCHIVE_TEST_CACHE"); dir != "" {
		fetchForever(t, dir)
		return
	}
	f := newFixture(t, one(nil), nil)
	item := f.item(hello)
	arrived, release := make(chan struct{}), make(chan struct{})
	defer close(release)
	f.Inject(item.Path, archivetest.Fault{Cut: 100_000}, archivetest.Fault{Hook: func() { close(arrived); <-release }})
	cmd := exec.Command(os.Args[0], "-test.run=^TestFetchKilled$")
	cmd.Env = append(os.Environ(), "ARCHIVE_TEST_CACHE="+f.cache.Dir(), "ARCHIVE_TEST_URI="+f.URL, "ARCHIVE_TEST_DIGEST="+string(item.Digest))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-arrived: // it has written the first part and asks for the rest
	case <-time.After(20 * time.Second):
		t.Error("the process made no second request")
	}
	cmd.Process.Kill()
	cmd.Wait()
	f.Requests()
	if err := f.client.Fetch(context.Background(), []Item{item}, nil); err != nil {
		t.Fatal(err)
	}
	requests := f.Requests()
	if last := requests[len(requests)-1]; last.Range != "bytes=100000-" {
		t.Errorf("have %+v, want the rest", last)
	}
	if litter := f.litter(); len(litter) > 0 {
		t.Errorf("left behind: %v", litter)
	}
}

// fetchForever is the process that TestFetchKilled kills.
func fetchForever(t *testing.T, dir string) {
	cache, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	c, err := New(Options{Store: cache, Backoff: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	deb, err := hello.Deb()
	if err != nil {
		t.Fatal(err)
	}
	repo := Repository{ID: "fixture", URI: os.Getenv("ARCHIVE_TEST_URI"), Suite: "trixie"}
	c.Fetch(context.Background(), []Item{{Repository: repo, Path: hello.Filename(), Size: int64(len(deb)), Digest: store.Digest(os.Getenv("ARCHIVE_TEST_DIGEST"))}}, nil)
}

// TestDiskFull: a cache on a full disk is one clear error, and holds no half of a file.
func TestDiskFull(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"); err != nil {
		t.Skipf("cannot mount a small tmpfs: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, 0) })
	cache, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	f := newFixture(t, one(nil), func(o *Options) { o.Store = cache })
	f.cache = cache
	item := f.item(hello) // 300 kB
	err = f.client.Fetch(context.Background(), []Item{item}, nil)
	wantError(t, err, syscall.ENOSPC, "cannot keep ", "no space left on device")
	if litter := f.litter(); len(litter) > 0 {
		t.Errorf("left behind: %v", litter)
	}
	if n := len(f.Requests()); n != 1 {
		t.Errorf("%d requests, want 1: a full disk is not the archive's fault", n)
	}
}
