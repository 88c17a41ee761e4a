package archive

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hardpan/hardpan/internal/store"
)

// Options configure a [Client]. Only Store is required.
type Options struct {
	// Store is the cache that downloads go to.
	Store *store.Store
	// Mirrors are used for repositories without a URI; the zero value takes
	// Debian's primary mirror. [FindMirrors] chooses them.
	Mirrors Mirrors
	// Keyring verifies repositories without a keyring of their own; nil means
	// [DebianKeyring].
	Keyring *Keyring
	// Credentials are used where they fit a URI; nil means none.
	Credentials *Credentials
	// Now is the clock that Valid-Until and keys are checked against; nil means
	// time.Now.
	Now func() time.Time
	// Snapshot accepts a Release that has expired or is older than one seen before,
	// and judges keys at the time of the signature. It is for rebuilding from an
	// archive of the past; what it fetches does not count as seen.
	Snapshot bool
	// Parallel is the number of downloads at once; 0 means 6.
	Parallel int
	// Attempts is how often a request is made before a temporary failure is final;
	// 0 means 5.
	Attempts int
	// Backoff is the pause before the second attempt, doubled before each further
	// one up to 30 s, less a random part; 0 means 500 ms.
	Backoff time.Duration
	// Stall is how long a server may send nothing; 0 means 30 s.
	Stall time.Duration
}

// Client fetches from archives. Its methods may be called from several goroutines.
type Client struct {
	o         Options
	transport http.RoundTripper
}

// New returns a client.
func New(o Options) (*Client, error) {
	if o.Store == nil {
		return nil, errors.New("archive client without a cache")
	}
	if o.Keyring == nil {
		o.Keyring = DebianKeyring()
	}
	if o.Mirrors.Debian.URI == "" {
		o.Mirrors.Debian = Mirror{PrimaryMirror, "debian's primary mirror"}
	}
	if o.Mirrors.Security.URI == "" {
		o.Mirrors.Security = Mirror{PrimarySecurityMirror, "debian's primary mirror"}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Parallel = orDefault(o.Parallel, 6)
	o.Attempts = orDefault(o.Attempts, 5)
	o.Backoff = orDefault(o.Backoff, 500*time.Millisecond)
	o.Stall = orDefault(o.Stall, 30*time.Second)
	return &Client{o: o, transport: newTransport(o)}, nil
}

func orDefault[T int | time.Duration](v, def T) T {
	if v <= 0 {
		return def
	}
	return v
}

func newTransport(o Options) http.RoundTripper {
	return &http.Transport{
		Proxy:                 proxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: o.Stall, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout:   o.Stall,
		ResponseHeaderTimeout: o.Stall,
		IdleConnTimeout:       90 * time.Second,
		MaxIdleConnsPerHost:   o.Parallel,
		ForceAttemptHTTP2:     true,
		DisableCompression:    true, // sizes and digests are of the file, not of what it unpacks to
	}
}

// proxyFromEnvironment is http.ProxyFromEnvironment with an error that does not
// repeat the variable, which may hold a password.
func proxyFromEnvironment(req *http.Request) (*url.URL, error) {
	u, err := http.ProxyFromEnvironment(req)
	if err != nil {
		return nil, errors.New("malformed proxy in HTTP_PROXY or HTTPS_PROXY")
	}
	return u, nil
}

// Mirrors returns the mirrors in use, with the reasons.
func (c *Client) Mirrors() Mirrors { return c.o.Mirrors }

// place is where a repository is fetched from and as whom.
type place struct {
	base        *url.URL // without userinfo
	credentials *Credentials
}

// locate returns the place of a repository, which it checks.
func (c *Client) locate(r Repository) (place, error) {
	if err := r.check(); err != nil {
		return place{}, err
	}
	uri := r.URI
	switch {
	case uri != "":
	case strings.HasSuffix(r.Suite, "-security"):
		uri = c.o.Mirrors.Security.URI
	default:
		uri = c.o.Mirrors.Debian.URI
	}
	base, err := parseBase(uri)
	if err != nil {
		return place{}, fmt.Errorf("repository %s: %w", r.ID, err)
	}
	return c.placeAt(base), nil
}

// placeAt returns the place of what is below base.
func (c *Client) placeAt(base *url.URL) place {
	credentials, base := c.o.Credentials.withUserinfo(base)
	return place{base, credentials}
}
