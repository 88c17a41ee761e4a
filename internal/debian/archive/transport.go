package archive

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"syscall"
	"time"
)

// Limits of one conversation with a server.
const (
	maxRedirects  = 10
	maxBackoff    = 30 * time.Second
	maxRetryAfter = 2 * time.Minute
)

// request is one GET.
type request struct {
	place
	url    *url.URL
	offset int64       // first byte wanted
	header http.Header // conditional headers, or nil
}

// response is the answer to a request that worked: status 200, 206 or 304.
type response struct {
	status int
	offset int64 // of the first byte of body
	total  int64 // size of the whole file in bytes, or -1 where the server does not tell
	header http.Header
	body   io.ReadCloser
}

// temporary is a failure that another attempt may not meet.
type temporary struct {
	err   error
	after time.Duration // the server's Retry-After, or 0
}

func (t *temporary) Error() string { return t.err.Error() }
func (t *temporary) Unwrap() error { return t.err }

// errRangeRefused: the server does not have the bytes that a request began at.
var errRangeRefused = errors.New("range refused")

// attempt calls try until it works, fails for good, or has failed Attempts times.
func (c *Client) attempt(ctx context.Context, u *url.URL, try func() error) error {
	for n := 1; ; n++ {
		err := try()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("cannot fetch %s: %w", u, context.Cause(ctx))
		}
		t, ok := errors.AsType[*temporary](err)
		if !ok {
			return err
		}
		if n >= c.o.Attempts || t.after > maxRetryAfter {
			return &failure{kind: ErrUnreachable, err: t.err, hint: "try again later or choose another mirror",
				msg: fmt.Sprintf("cannot fetch %s: gave up after %d attempts", u, n)}
		}
		if err := sleep(ctx, max(t.after, c.backoff(n))); err != nil {
			return fmt.Errorf("cannot fetch %s: %w", u, err)
		}
	}
}

// backoff returns the pause after the nth attempt: between half and all of an
// exponentially growing time, so that many clients do not come back at once.
func (c *Client) backoff(n int) time.Duration {
	d := c.o.Backoff << min(n-1, 10)
	if d <= 0 || d > maxBackoff {
		d = maxBackoff
	}
	return d/2 + rand.N(d/2+1)
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}

// get makes a request. Failures are temporary or of a kind of this package.
func (c *Client) get(ctx context.Context, r request) (*response, error) {
	if r.url.Scheme == "file" {
		return getFile(r)
	}
	return c.getHTTP(ctx, r)
}

func getFile(r request) (*response, error) {
	f, err := os.Open(r.url.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, notFound(r.url, "no such file")
	}
	if err != nil {
		return nil, &failure{kind: ErrUnreachable, msg: "cannot fetch " + r.url.String(), err: err}
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("not a regular file")
	}
	if err == nil {
		_, err = f.Seek(r.offset, io.SeekStart)
	}
	if err != nil {
		f.Close()
		return nil, &failure{kind: ErrUnreachable, msg: "cannot fetch " + r.url.String(), err: err}
	}
	if r.offset > info.Size() {
		f.Close()
		return nil, errRangeRefused
	}
	return &response{status: http.StatusOK, offset: r.offset, total: info.Size(), header: http.Header{}, body: f}, nil
}

func (c *Client) getHTTP(ctx context.Context, r request) (*response, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url.String(), nil)
	if err != nil {
		cancel(nil)
		return nil, fmt.Errorf("cannot fetch %s: malformed request", r.url)
	}
	if r.header != nil {
		req.Header = r.header.Clone()
	}
	req.Header.Set("User-Agent", "hardpan")
	if r.offset > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", r.offset))
	}
	r.credentials.authorize(req, req.URL)
	client := &http.Client{Transport: c.transport, CheckRedirect: r.credentials.redirect}
	resp, err := client.Do(req)
	if err != nil {
		cancel(nil)
		return nil, explain(r.url, err)
	}
	watch := &watchedBody{body: resp.Body, cancel: cancel, stall: c.o.Stall}
	watch.timer = time.AfterFunc(c.o.Stall, func() { cancel(errStalled) })
	watch.ctx = ctx
	out, err := accept(r, resp)
	if err != nil {
		watch.Close()
		return nil, err
	}
	out.body = watch
	return out, nil
}

// redirect decides on a redirect (http.Client.CheckRedirect): never from https to
// http, and with the credentials of the new host or none.
func (c *Credentials) redirect(req *http.Request, via []*http.Request) error {
	if len(via) >= maxRedirects {
		return fmt.Errorf("%w more than %d times", errRedirect, maxRedirects)
	}
	last := via[len(via)-1].URL
	if last.Scheme == "https" && req.URL.Scheme != "https" {
		return fmt.Errorf("%w from https to http", errRedirect)
	}
	if req.URL.Scheme != "http" && req.URL.Scheme != "https" {
		return fmt.Errorf("%w to scheme %.20q", errRedirect, req.URL.Scheme)
	}
	req.URL.User = nil
	req.Header.Del("Referer")
	c.authorize(req, req.URL)
	return nil
}

var (
	errRedirect = errors.New("redirected")
	errStalled  = errors.New("server sent nothing for too long")
)

// accept reads the head of a response.
func accept(r request, resp *http.Response) (*response, error) {
	out := &response{status: resp.StatusCode, header: resp.Header, total: resp.ContentLength}
	code := fmt.Sprintf("%d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
	switch resp.StatusCode {
	case http.StatusOK, http.StatusNotModified:
		return out, nil
	case http.StatusPartialContent:
		var last int64
		if _, err := fmt.Sscanf(resp.Header.Get("Content-Range"), "bytes %d-%d/%d", &out.offset, &last, &out.total); err != nil || out.offset != r.offset {
			return nil, errRangeRefused
		}
		return out, nil
	case http.StatusRequestedRangeNotSatisfiable:
		return nil, errRangeRefused
	case http.StatusNotFound, http.StatusGone:
		return nil, notFound(r.url, code)
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusProxyAuthRequired:
		return nil, &failure{kind: ErrForbidden, msg: fmt.Sprintf("cannot fetch %s: refused (%s)", r.url, code),
			hint: "set credentials in " + envName(r.url.Host) + ", netrc or apt's auth.conf"}
	case http.StatusTooManyRequests, http.StatusRequestTimeout:
		return nil, &temporary{errors.New(code), retryAfter(resp.Header)}
	}
	if resp.StatusCode >= 500 {
		return nil, &temporary{errors.New(code), retryAfter(resp.Header)}
	}
	return nil, &failure{kind: ErrUnreachable, msg: fmt.Sprintf("cannot fetch %s: found status %s, expected 200", r.url, code)}
}

func notFound(u *url.URL, found string) error {
	return &failure{kind: ErrNotFound, msg: fmt.Sprintf("cannot fetch %s: gone from the archive (%s)", u, found),
		hint: goneHint}
}

const goneHint = "the archive has moved on: renew the lock with hardpan lock"

// retryAfter reads the header of that name (RFC 9110, 10.2.3), 0 where it is absent.
func retryAfter(h http.Header) time.Duration {
	v := h.Get("Retry-After")
	if seconds, err := strconv.Atoi(v); err == nil && seconds > 0 {
		return time.Duration(min(seconds, 24*3600)) * time.Second
	}
	if at, err := http.ParseTime(v); err == nil {
		return max(0, time.Until(at))
	}
	return 0
}

// explain turns an error of the HTTP client into one of ours. It drops the client's
// own wrapping, which repeats the URL.
func explain(u *url.URL, err error) error {
	if inner, ok := errors.AsType[*url.Error](err); ok {
		err = inner.Err
	}
	hint := "check the network, or choose another mirror"
	if dns, ok := errors.AsType[*net.DNSError](err); ok && !dns.IsTimeout && !dns.IsTemporary {
		return &failure{kind: ErrUnreachable, msg: fmt.Sprintf("cannot fetch %s: host %s not found", u, u.Hostname()), hint: hint}
	}
	if finalError(err) {
		return &failure{kind: ErrUnreachable, msg: "cannot fetch " + u.String(), err: err, hint: hint}
	}
	return &temporary{err: err}
}

// finalError reports whether trying again would meet the same error.
func finalError(err error) bool {
	if errors.Is(err, errRedirect) || errors.Is(err, syscall.ECONNREFUSED) {
		return true
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return true
	}
	return false
}

// watchedBody is a body whose reads end with errStalled after Stall without a byte.
type watchedBody struct {
	ctx    context.Context
	body   io.ReadCloser
	timer  *time.Timer
	stall  time.Duration
	cancel context.CancelCauseFunc
}

func (w *watchedBody) Read(p []byte) (int, error) {
	n, err := w.body.Read(p)
	if n > 0 {
		w.timer.Reset(w.stall)
	}
	if err != nil && err != io.EOF && context.Cause(w.ctx) == errStalled {
		err = errStalled
	}
	return n, err
}

func (w *watchedBody) Close() error {
	w.timer.Stop()
	w.cancel(nil)
	return w.body.Close()
}
