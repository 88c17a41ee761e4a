package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/hardpan/hardpan/internal/store"
)

// maxRelease bounds a Release file in bytes; that of sid has 200 kB.
const maxRelease = 16 << 20

// Kinds of the store's entries. "release" remembers, by URI, what to ask a server
// conditionally with; "release-seen" remembers, by repository id, the newest Release,
// whichever mirror it came from.
const (
	kindRelease = "release"
	kindSeen    = "release-seen"
)

// validators are what a server gave to ask "has it changed?" with (RFC 9110, 8.8).
type validators struct {
	ETag         string       `json:"etag,omitempty"`
	LastModified string       `json:"lastModified,omitempty"`
	Digest       store.Digest `json:"digest"` // the content that they are about
}

// seen is the newest Release of a repository.
type seen struct {
	Date   time.Time    `json:"date"`
	Digest store.Digest `json:"digest"`
}

// Release fetches and verifies the Release of a repository: InRelease, or Release
// and Release.gpg where the archive has no InRelease. What has not changed since
// the last call costs one conditional request. Errors: [ErrSignature],
// [ErrExpired], [ErrRollback], [ErrRelease], [ErrNotFound], [ErrForbidden],
// [ErrUnreachable].
func (c *Client) Release(ctx context.Context, repo Repository) (*Release, error) {
	p, err := c.locate(repo)
	if err != nil {
		return nil, err
	}
	at := moment{now: c.o.Now(), snapshot: c.o.Snapshot}
	signed, err := c.signedRelease(ctx, repo, p, at)
	if err != nil {
		return nil, err
	}
	r, err := parseRelease(signed.text)
	if err != nil {
		return nil, &failure{kind: ErrRelease, msg: "cannot use release of " + repo.ID, err: err}
	}
	r.ID, r.repository, r.Digest, r.SignedBy = repo.ID, repo, signed.digest, signed.signers
	if err := r.check(repo, at); err != nil {
		return nil, err
	}
	if err := c.checkRollback(r); err != nil {
		return nil, err
	}
	return r, signed.keep()
}

// checkRollback refuses a Release older than the newest one seen, and otherwise
// remembers this one.
func (c *Client) checkRollback(r *Release) error {
	if c.o.Snapshot {
		return nil
	}
	var last seen
	known := c.o.Store.Get(kindSeen, r.ID, &last)
	if known && r.Date.Before(last.Date) {
		return &failure{kind: ErrRollback, hint: "the mirror lags behind, or somebody replays an old state: choose another mirror or try again later",
			msg: fmt.Sprintf("cannot use release of %s: dated %s, but one of %s was seen before", r.ID, day(r.Date), day(last.Date))}
	}
	if known && r.Digest == last.Digest {
		return nil
	}
	return c.o.Store.Set(kindSeen, r.ID, seen{r.Date, r.Digest})
}

// signedText is a verified text with what is needed to keep it.
type signedText struct {
	text    []byte
	signers []string
	digest  store.Digest
	keep    func() error // makes the next request conditional
}

func (c *Client) signedRelease(ctx context.Context, repo Repository, p place, at moment) (signedText, error) {
	keyring := repo.Keyring
	if keyring == nil {
		keyring = c.o.Keyring
	}
	inline, err := c.document(ctx, p, "dists/"+repo.Suite+"/InRelease")
	if errors.Is(err, ErrNotFound) {
		return c.detachedRelease(ctx, repo, p, keyring, at)
	}
	if err != nil {
		return signedText{}, err
	}
	text, signers, err := keyring.verifyClearSigned(inline.body, at)
	if err != nil {
		return signedText{}, badSignature(inline.uri, err)
	}
	return signedText{text, signers, store.DigestOf(inline.body), inline.keep}, nil
}

func (c *Client) detachedRelease(ctx context.Context, repo Repository, p place, keyring *Keyring, at moment) (signedText, error) {
	text, err := c.document(ctx, p, "dists/"+repo.Suite+"/Release")
	if errors.Is(err, ErrNotFound) {
		return signedText{}, &failure{kind: ErrNotFound, msg: fmt.Sprintf("cannot find suite %q in the archive %s: neither InRelease nor Release", repo.Suite, p.base),
			hint: "check the suite's name and the mirror"}
	}
	if err != nil {
		return signedText{}, err
	}
	signature, err := c.document(ctx, p, "dists/"+repo.Suite+"/Release.gpg")
	if errors.Is(err, ErrNotFound) {
		return signedText{}, badSignature(text.uri, errors.New("no signature: neither InRelease nor Release.gpg"))
	}
	if err != nil {
		return signedText{}, err
	}
	signers, err := keyring.verifyDetached(text.body, signature.body, at)
	if err != nil {
		return signedText{}, badSignature(text.uri, err)
	}
	keep := func() error { return errors.Join(text.keep(), signature.keep()) }
	return signedText{text.body, signers, store.DigestOf(text.body), keep}, nil
}

func badSignature(uri string, err error) error {
	return &failure{kind: ErrSignature, msg: "cannot trust " + uri, err: err,
		hint: "give the archive's keys with --keyring, or signed-by for a further repository"}
}

// document is a small file of which no digest is known beforehand.
type document struct {
	uri        string
	body       []byte
	validators validators
	keep       func() error // stores body and validators, once body is trusted
}

// document fetches a file, or takes it from the store where the server says that
// it has not changed.
func (c *Client) document(ctx context.Context, p place, name string) (document, error) {
	u := join(p.base, name)
	d := document{uri: u.String()}
	var last validators
	var cached []byte
	if c.o.Store.Get(kindRelease, d.uri, &last) {
		var err error
		if cached, err = c.o.Store.ReadFile(last.Digest); err != nil {
			last = validators{}
		}
	}
	header := http.Header{}
	if last.ETag != "" {
		header.Set("If-None-Match", last.ETag)
	}
	if last.LastModified != "" {
		header.Set("If-Modified-Since", last.LastModified)
	}
	err := c.attempt(ctx, u, func() error {
		r, err := c.get(ctx, request{place: p, url: u, header: header})
		if err != nil {
			return err
		}
		defer r.body.Close()
		if r.status == http.StatusNotModified && len(header) > 0 {
			d.body, d.keep = cached, func() error { return nil }
			return nil
		}
		return d.receive(r)
	})
	if err != nil {
		return document{}, err
	}
	if d.keep == nil {
		d.keep = func() error { return c.keepDocument(d) }
	}
	return d, nil
}

func (d *document) receive(r *response) error {
	body, err := io.ReadAll(io.LimitReader(r.body, maxRelease+1))
	if err != nil {
		return &temporary{err: err}
	}
	if len(body) > maxRelease {
		return &failure{kind: ErrRelease, msg: fmt.Sprintf("cannot use %s: found more than %d bytes, expected a release file", d.uri, maxRelease)}
	}
	d.body = body
	d.validators = validators{ETag: r.header.Get("ETag"), LastModified: r.header.Get("Last-Modified")}
	return nil
}

func (c *Client) keepDocument(d document) error {
	digest, err := c.o.Store.Put(d.body)
	if err != nil {
		return err
	}
	d.validators.Digest = digest
	return c.o.Store.Set(kindRelease, d.uri, d.validators)
}
