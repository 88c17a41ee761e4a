package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/hardpan/hardpan/internal/store"
)

// Item is a file of an archive whose size and digest are known from a signed index
// or a lock.
type Item struct {
	Repository Repository
	Path       string // below the archive's base, such as pool/main/h/hello/hello_2.10-3_amd64.deb
	Size       int64  // bytes
	Digest     store.Digest
}

// Fetch brings the items into the store, several at a time. An item that is there
// costs no request. The first failure ends the others, and what they had is kept for
// the next call; but where some are gone the rest is fetched, so that the error names all
// that are. Errors: [ErrNotFound], [ErrForbidden], [ErrMismatch], [ErrUnreachable].
// progress may be nil.
func (c *Client) Fetch(ctx context.Context, items []Item, progress Progress) error {
	if progress == nil {
		progress = noProgress{}
	}
	var missing []blob
	for _, item := range items {
		b, err := c.blob(item)
		if err != nil {
			return err
		}
		if !c.present(b) {
			missing = append(missing, b)
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(c.o.Parallel)
	gone := make([]error, len(missing))
	for i, b := range missing {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			err := c.download(ctx, b, progress)
			if errors.Is(err, ErrNotFound) {
				gone[i], err = err, nil
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return allGone(missing, gone)
}

// maxGone bounds how many names an error has.
const maxGone = 20

// allGone returns the first of the errors, with the names of the others' files; nil if
// there are none.
func allGone(blobs []blob, errs []error) error {
	var first error
	var others []string
	for i, err := range errs {
		switch {
		case err == nil:
		case first == nil:
			first = err
		default:
			others = append(others, blobs[i].name)
		}
	}
	if len(others) == 0 {
		return first
	}
	more := ""
	if n := len(others); n > maxGone {
		others, more = others[:maxGone], fmt.Sprintf(" and %d more", n-maxGone)
	}
	return &failure{kind: ErrNotFound, msg: first.Error() + "; so are " + strings.Join(others, ", ") + more, hint: goneHint}
}

// blob is a download with all that is needed to make and check it.
type blob struct {
	place
	name   string // for progress
	url    *url.URL
	size   int64 // -1 where nobody says
	digest store.Digest
	hint   string // where it is not what was expected
}

func (c *Client) blob(item Item) (blob, error) {
	p, err := c.locate(item.Repository)
	if err != nil {
		return blob{}, err
	}
	if !cleanPath(item.Path) {
		return blob{}, fmt.Errorf("%s: path %q: want one below the archive's base", item.Repository.ID, item.Path)
	}
	if !item.Digest.Valid() || item.Size < 0 {
		return blob{}, fmt.Errorf("%s: %s: size %d and digest %q: want those of a signed index", item.Repository.ID, item.Path, item.Size, item.Digest)
	}
	return blob{place: p, name: path.Base(item.Path), url: join(p.base, item.Path), size: item.Size, digest: item.Digest,
		hint: "the mirror may be in the middle of an update: try again later or choose another"}, nil
}

// maxFetch bounds a file whose size is not known beforehand, in bytes.
const maxFetch = 16 << 30

// FetchURL brings the file at an http or https address into the store. Nothing but
// its digest is known of it; the rest is as with [Client.Fetch].
func (c *Client) FetchURL(ctx context.Context, address string, digest store.Digest, progress Progress) error {
	if progress == nil {
		progress = noProgress{}
	}
	if _, ok := c.o.Store.Stat(digest); ok {
		return nil
	}
	u, err := url.Parse(address)
	if err != nil || u.User != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("address %s: want http or https, without credentials", Redact(address))
	}
	root := &url.URL{Scheme: u.Scheme, Host: u.Host, Path: "/"}
	return c.download(ctx, blob{place: c.placeAt(root), name: path.Base(u.Path), url: u, size: -1, digest: digest,
		hint: "the file has changed, or the digest is of another: look at what is there before you write its digest down"}, progress)
}

// present reports whether the store has b. A blob of the wrong size is damaged and
// is removed.
func (c *Client) present(b blob) bool {
	size, ok := c.o.Store.Stat(b.digest)
	if ok && b.size >= 0 && size != b.size {
		c.o.Store.Remove(b.digest)
		return false
	}
	return ok
}

// download brings one blob into the store.
func (c *Client) download(ctx context.Context, b blob, progress Progress) (err error) {
	task := progress.Start(b.name, b.size)
	defer func() { task.Done(err) }()
	p, err := c.o.Store.OpenPartial(ctx, b.digest)
	if err != nil {
		return err
	}
	defer p.Close()
	if c.present(b) { // another process was faster
		task.Add(b.size)
		return nil
	}
	t := &transfer{client: c, blob: b, partial: p, task: task}
	task.Add(p.Size())
	err = t.run(ctx)
	if errors.Is(err, ErrMismatch) {
		// A mirror in the middle of an update, or a resumed file that has changed.
		if err := t.restart(); err != nil {
			return err
		}
		err = t.run(ctx)
	}
	if errors.Is(err, ErrMismatch) || errors.Is(err, errCache) {
		p.Discard() // of no use to anybody
	}
	if err != nil {
		return err
	}
	return p.Commit()
}

// errCache marks a failure to write what was received.
var errCache = errors.New("cache not writable")

// transfer is one download under way.
type transfer struct {
	client  *Client
	blob    blob
	partial *store.Partial
	task    Task
}

func (t *transfer) restart() error {
	t.task.Add(-t.partial.Size())
	return t.partial.Restart()
}

// run fetches what is missing and checks the whole.
func (t *transfer) run(ctx context.Context) error {
	if t.blob.size >= 0 && t.partial.Size() > t.blob.size {
		if err := t.restart(); err != nil {
			return err
		}
	}
	if t.partial.Size() < t.blob.size || t.blob.size <= 0 {
		err := t.client.attempt(ctx, t.blob.url, func() error { return t.receive(ctx) })
		if err != nil {
			return err
		}
	}
	if got := t.partial.Digest(); got != t.blob.digest {
		return t.mismatch(got.Hex(), t.blob.digest.Hex(), "sha256")
	}
	return nil
}

func (t *transfer) mismatch(found, expected any, what string) error {
	return &failure{kind: ErrMismatch, hint: t.blob.hint,
		msg: fmt.Sprintf("cannot use %s: found %s %v, expected %v", t.blob.url, what, found, expected)}
}

// receive makes one request for the bytes that are missing.
func (t *transfer) receive(ctx context.Context) error {
	r, err := t.client.get(ctx, request{place: t.blob.place, url: t.blob.url, offset: t.partial.Size()})
	if errors.Is(err, errRangeRefused) {
		if err := t.restart(); err != nil {
			return err
		}
		return &temporary{err: err}
	}
	if err != nil {
		return err
	}
	defer r.body.Close()
	if t.blob.size < 0 && r.total <= maxFetch {
		t.blob.size = r.total
	}
	if r.total >= 0 && r.total != t.blob.size {
		return t.mismatch(r.total, t.blob.size, "size")
	}
	if r.offset != t.partial.Size() { // the server sends the whole file
		if err := t.restart(); err != nil {
			return err
		}
	}
	return t.copy(r)
}

// most is how many bytes the file may have.
func (t *transfer) most() int64 {
	if t.blob.size < 0 {
		return maxFetch
	}
	return t.blob.size
}

// copy appends the body to the partial, one byte more than expected at most.
func (t *transfer) copy(r *response) error {
	buf := make([]byte, 64<<10)
	for {
		n, err := r.body.Read(buf)
		if most := t.most(); int64(n) > most-t.partial.Size() {
			return t.mismatch(fmt.Sprintf("of more than %d", most), most, "size")
		}
		if _, werr := t.partial.Write(buf[:n]); werr != nil {
			return &failure{kind: errCache, msg: "cannot keep " + t.blob.url.String(), err: werr, hint: "make room on the disk of the cache"}
		}
		t.task.Add(int64(n))
		switch {
		case err == io.EOF && (t.partial.Size() == t.blob.size || t.blob.size < 0):
			return nil
		case err == io.EOF && r.total < 0:
			return t.mismatch(t.partial.Size(), t.blob.size, "size")
		case err == io.EOF:
			return &temporary{err: io.ErrUnexpectedEOF}
		case err != nil:
			return &temporary{err: err}
		}
	}
}
