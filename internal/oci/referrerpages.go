package oci

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/hardpan/hardpan/internal/store"
)

// maxReferrerPages bounds the answers that one list is read from.
const maxReferrerPages = 100

// listReferrers returns the registry's list of what refers to subject, or where it has no
// list of its own, that under the tag "sha256-HEX". Registries that have never heard of
// such lists should say that they do not find it; some say that they do not allow to ask.
func (p registryPlace) listReferrers(ctx context.Context, puller *remote.Puller, subject store.Digest) ([]descriptor, error) {
	list, ok, err := p.referrerPages(ctx, subject)
	if err != nil {
		return nil, explainRemote(err, p.repo.RegistryStr(), "")
	}
	if ok {
		return list, nil
	}
	got, err := puller.Get(ctx, p.repo.Tag("sha256-"+subject.Hex()))
	switch {
	case isMissing(err):
		return nil, nil
	case err != nil:
		return nil, explainRemote(err, p.repo.RegistryStr(), "")
	}
	return referrerList(got.Manifest)
}

// referrerPages reads the registry's own list, to the end of its pages (OCI distribution
// spec, Listing Referrers): a page that is not read is one whose referrers are not seen,
// and so every page counts. It reports whether there is such a list.
func (p registryPlace) referrerPages(ctx context.Context, subject store.Digest) (list []descriptor, ok bool, err error) {
	client, err := p.client(ctx)
	if err != nil {
		return nil, false, err
	}
	at := &url.URL{Scheme: p.repo.Scheme(), Host: p.repo.RegistryStr(), Path: "/v2/" + p.repo.RepositoryStr() + "/referrers/" + string(subject)}
	for page := 1; at != nil; page++ {
		if page > maxReferrerPages {
			return nil, false, fmt.Errorf("%w: the list of referrers has more than %d pages", ErrTooLarge, maxReferrerPages)
		}
		raw, next, err := referrerPage(ctx, client, at)
		if page == 1 && (isMissing(err) || isUnsupported(err)) {
			return nil, false, nil
		}
		if err != nil {
			return nil, false, err
		}
		entries, err := referrerList(raw)
		if err != nil {
			return nil, false, err
		}
		for _, d := range entries { // one may move to the next page while the list grows
			if !slices.ContainsFunc(list, func(e descriptor) bool { return e.Digest == d.Digest }) {
				list = append(list, d)
			}
		}
		if len(list) > maxReferrers {
			return nil, false, fmt.Errorf("%w: more than %d referrers, at most so many are read", ErrTooLarge, maxReferrers)
		}
		at = next
	}
	return list, true, nil
}

// client returns one that is logged in to read from the repository, and that goes to no
// other host.
func (p registryPlace) client(ctx context.Context) (*http.Client, error) {
	keychain, guarded := reach(p.options.Keychain, p.options.Transport, p.options.Insecure)
	auth, err := authn.Resolve(ctx, keychain, p.repo)
	if err != nil {
		return nil, err
	}
	patient := transport.NewUserAgent(transport.NewRetry(guarded), userAgent)
	authorized, err := transport.NewWithContext(ctx, p.repo.Registry, auth, patient, []string{p.repo.Scope(transport.PullScope)})
	if err != nil {
		return nil, err
	}
	return &http.Client{Transport: authorized, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		if len(via) > 10 || r.URL.Host != via[0].URL.Host {
			return fmt.Errorf("%w: it is redirected to %s", ErrInvalid, r.URL.Host)
		}
		return nil
	}}, nil
}

// isUnsupported reports whether a registry answers that it has no lists of referrers.
func isUnsupported(err error) bool {
	answer, ok := errors.AsType[*transport.Error](err)
	return ok && slices.Contains([]int{http.StatusBadRequest, http.StatusMethodNotAllowed, http.StatusNotAcceptable, http.StatusNotImplemented}, answer.StatusCode) ||
		errors.Is(err, errNoList)
}

// errNoList is an answer that is no list, such as a page for browsers.
var errNoList = errors.New("the answer is no list of referrers")

// referrerPage reads one page, and returns the address of the next, nil after the last.
func referrerPage(ctx context.Context, client *http.Client, at *url.URL) (raw []byte, next *url.URL, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return nil, nil, err
	}
	request.Header.Set("Accept", mediaIndex)
	answer, err := client.Do(request)
	if err != nil {
		return nil, nil, err
	}
	defer answer.Body.Close()
	if err := transport.CheckError(answer, http.StatusOK); err != nil {
		return nil, nil, err
	}
	if media, _, err := mime.ParseMediaType(answer.Header.Get("Content-Type")); err != nil || media != mediaIndex {
		return nil, nil, errNoList
	}
	if raw, err = io.ReadAll(answer.Body); err != nil { // which guard limits
		return nil, nil, err
	}
	next, err = nextPage(answer.Header.Values("Link"), at)
	return raw, next, err
}

// nextPage returns the address that the headers Link have of the next page (RFC 8288,
// section 3), nil where they have none. It has to be of the same registry.
func nextPage(headers []string, at *url.URL) (*url.URL, error) {
	target, err := nextLink(headers)
	if target == "" || err != nil {
		return nil, err
	}
	next, err := at.Parse(target)
	if err != nil {
		return nil, fmt.Errorf("%w: the address of the next page of the list of referrers is %.200q", ErrInvalid, target)
	}
	if next.Scheme != at.Scheme || next.Host != at.Host || next.User != nil {
		return nil, fmt.Errorf("%w: the next page of the list of referrers is at %.200q, expected it at %s", ErrInvalid, target, at.Host)
	}
	return next, nil
}

// nextLink returns the target of the first link with the relation "next", or "".
func nextLink(headers []string) (string, error) {
	for _, h := range headers {
		for rest := strings.TrimLeft(h, " \t,"); rest != ""; rest = strings.TrimLeft(rest, " \t,") {
			target, after, ok := strings.Cut(rest, ">")
			if !ok || !strings.HasPrefix(target, "<") {
				return "", fmt.Errorf("%w: the header Link of the list of referrers is %.200q", ErrInvalid, h)
			}
			parameters := after
			if end := indexUnquoted(after, ','); end >= 0 {
				parameters = after[:end]
			}
			rest = after[len(parameters):]
			if isNext(parameters) {
				return target[1:], nil
			}
		}
	}
	return "", nil
}

// isNext reports whether the parameters of a link have the relation type "next".
func isNext(parameters string) bool {
	for parameters != "" {
		p, rest := parameters, ""
		if end := indexUnquoted(parameters, ';'); end >= 0 {
			p, rest = parameters[:end], parameters[end+1:]
		}
		parameters = rest
		name, value, _ := strings.Cut(p, "=")
		if strings.EqualFold(strings.TrimSpace(name), "rel") {
			types := strings.Fields(strings.Trim(strings.TrimSpace(value), `"`))
			return slices.ContainsFunc(types, func(t string) bool { return strings.EqualFold(t, "next") })
		}
	}
	return false
}

// indexUnquoted returns the index of the first c outside of quotes, or -1.
func indexUnquoted(s string, c byte) int {
	quoted := false
	for i := range len(s) {
		switch {
		case s[i] == '"' && (!quoted || s[i-1] != '\\'):
			quoted = !quoted
		case s[i] == c && !quoted:
			return i
		}
	}
	return -1
}
