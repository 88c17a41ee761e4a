package oci

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path"
	"strings"
	"unicode"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

const userAgent = "hardpan"

// parseReference reads a reference as Docker does: without a registry it is on
// Docker Hub, without a tag or digest it has the tag "latest".
func parseReference(s string, insecure bool) (name.Reference, error) {
	var options []name.Option
	if insecure {
		options = append(options, name.Insecure)
	}
	ref, err := name.ParseReference(s, options...)
	if err != nil {
		return nil, fmt.Errorf("%q is not an image reference: %w", s, err)
	}
	return ref, nil
}

// remoteOptions are what reading and writing have in common.
func remoteOptions(keychain authn.Keychain, inner http.RoundTripper, insecure bool) []remote.Option {
	keychain, guarded := reach(keychain, inner, insecure)
	return []remote.Option{remote.WithAuthFromKeychain(keychain), remote.WithTransport(guarded), remote.WithUserAgent(userAgent)}
}

// reach returns how registries are reached, nil being the default.
func reach(keychain authn.Keychain, inner http.RoundTripper, insecure bool) (authn.Keychain, *guard) {
	if keychain == nil {
		keychain = authn.DefaultKeychain
	}
	if inner == nil {
		inner = remote.DefaultTransport
	}
	return keychain, &guard{inner: inner, insecure: insecure}
}

// A guard keeps requests to what this package promises. The library falls back to
// plain HTTP for private addresses by itself, with the credentials in the clear;
// here only loopback may, unless the caller says so. And it reads manifests of any
// size into memory; here they, and lists of referrers, end above MaxDocument.
type guard struct {
	inner    http.RoundTripper
	insecure bool
}

func (g *guard) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme == "http" && !g.insecure && !isLoopback(req.URL.Hostname()) {
		return nil, withHint(fmt.Errorf("plain http to %s is refused", req.URL.Host),
			"allow plain http for this registry if its network is trusted")
	}
	resp, err := g.inner.RoundTrip(req)
	if kind := path.Base(path.Dir(req.URL.Path)); err != nil || req.Method != http.MethodGet || kind != "manifests" && kind != "referrers" {
		return resp, err
	}
	resp.Body = &limitedBody{ReadCloser: resp.Body, left: MaxDocument}
	return resp, nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || ip != nil && ip.IsLoopback()
}

type limitedBody struct {
	io.ReadCloser
	left int64
}

func (b *limitedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return n, fmt.Errorf("%w: a manifest of more than %d bytes", ErrTooLarge, MaxDocument)
	}
	return n, err
}

// A remoteError is an error whose text a registry had a part in: one line of it,
// without control characters and not without end.
type remoteError struct{ error }

const maxRemoteError = 500

func (e remoteError) Unwrap() error { return e.error }

func (e remoteError) Error() string {
	s := strings.Join(strings.FieldsFunc(e.error.Error(), func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }), " ")
	if len(s) > maxRemoteError {
		s = strings.ToValidUTF8(s[:maxRemoteError], "") + "..."
	}
	return s
}

// explainRemote makes one line of an error of a registry, and adds what to do.
func explainRemote(err error, registry, otherwise string) error {
	err = remoteError{err}
	var known interface{ Hint() string }
	if errors.As(err, &known) {
		return err
	}
	var answer *transport.Error
	if errors.As(err, &answer) && (answer.StatusCode == http.StatusUnauthorized || answer.StatusCode == http.StatusForbidden) {
		return withHint(err, fmt.Sprintf("log in to %s, as with docker login, with an account that may do this", registry))
	}
	if otherwise == "" {
		return err
	}
	return withHint(err, otherwise)
}

// retryHint says to do what again, and what is there already; or where a registry does not
// allow any client to write, that it does not.
func retryHint(err error, registry, again, state string) string {
	if answer, ok := errors.AsType[*transport.Error](err); ok && answer.StatusCode == http.StatusMethodNotAllowed {
		return fmt.Sprintf("%s takes nothing: it is a mirror of another, or read-only for now; %s", registry, state)
	}
	return again + ": " + state
}

// remoteBackend reads blobs from one repository.
type remoteBackend struct {
	puller *remote.Puller
	repo   name.Repository
}

func (b remoteBackend) manifest(ctx context.Context, d descriptor) (io.ReadCloser, error) {
	got, err := b.puller.Get(ctx, b.repo.Digest(string(d.Digest)))
	if err != nil {
		return nil, b.blobError(d, mismatch(err))
	}
	return documentReader(got.Manifest), nil
}

func (b remoteBackend) blob(ctx context.Context, d descriptor) (io.ReadCloser, error) {
	l, err := b.puller.Layer(ctx, b.repo.Digest(string(d.Digest)))
	if err != nil {
		return nil, b.blobError(d, err)
	}
	r, err := l.Compressed()
	if err != nil {
		return nil, b.blobError(d, err)
	}
	return servedBlob{r}, nil
}

// blobError tells a registry that does not have a blob from one that fails.
func (b remoteBackend) blobError(d descriptor, err error) error {
	if isMissing(err) {
		return missingBlob(d.Digest)
	}
	return explainRemote(err, b.repo.RegistryStr(), "")
}

// A servedBlob is what a registry sends as a blob, to the end of which the library reads
// along, and then is the first to see that it is another.
type servedBlob struct{ io.ReadCloser }

func (r servedBlob) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	return n, mismatch(err)
}

// mismatch wraps [ErrMismatch] where err is the library's about a registry that serves
// something else under a digest. It exports no error for that, and so its words tell. A
// registry that has the same words in an error of its own is refused in either case.
func mismatch(err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	if text := err.Error(); strings.HasPrefix(text, "error verifying ") || strings.Contains(text, "does not match requested digest") {
		return fmt.Errorf("%w: %w", ErrMismatch, remoteError{err})
	}
	return err
}

// stat does not ask: one request per layer would cost more than it tells.
func (b remoteBackend) stat(descriptor) error { return nil }
