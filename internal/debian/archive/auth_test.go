package archive

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/debian/archivetest"
)

// TestCredentialsFit: which name and password go to which URI.
func TestCredentialsFit(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	netrc := write("netrc", "machine netrc.example\n  login nick\n  password net\nmachine env.example login other password word\n")
	write("auth.conf", "machine apt.example login ann password apt\nmachine http://plain.example/debian login paul password plain\n")
	write("auth.conf.d/10.conf", "machine path.example:8443/private login pat password path\n")
	write("auth.conf.d/ignored.bak", "machine bak.example login x password y\n")
	write(".netrc", "default login dora password def\n")
	c := FindCredentials(CredentialOptions{
		AptDir:  dir,
		Environ: []string{"HARDPAN_AUTH_ENV_EXAMPLE=eve:se:cret", "HARDPAN_AUTH_PORT_EXAMPLE_8080=pia:port", "NETRC=" + netrc, "HOME=" + dir},
	})
	for uri, want := range map[string]string{
		"https://env.example/debian":                "eve:se:cret", // the environment before netrc
		"http://env.example/debian":                 "eve:se:cret",
		"http://port.example:8080/":                 "pia:port",
		"http://port.example/":                      "",
		"https://netrc.example/":                    "nick:net",
		"https://NETRC.example:443/":                "nick:net",
		"https://apt.example/debian":                "ann:apt",
		"http://apt.example/debian":                 "", // apt's own only over https
		"http://plain.example/debian/dists":         "paul:plain",
		"https://plain.example/debian":              "",
		"http://plain.example/debian-security":      "",
		"https://path.example:8443/private/dists":   "pat:path",
		"https://path.example:8443/privateer":       "",
		"https://path.example/private":              "",
		"https://bak.example/":                      "",
		"https://elsewhere.example/":                "",
		"https://netrc.example.evil.example/debian": "",
	} {
		u, err := url.Parse(uri)
		if err != nil {
			t.Fatal(err)
		}
		req := &http.Request{Header: http.Header{"Authorization": {"stale"}}}
		c.authorize(req, u)
		user, password, ok := req.BasicAuth()
		have := ""
		if ok {
			have = user + ":" + password
		} else if h := req.Header.Get("Authorization"); h != "" {
			have = h
		}
		if have != want {
			t.Errorf("%s: have %q, want %q", uri, have, want)
		}
	}
	withDefault := FindCredentials(CredentialOptions{AptDir: "/nonexistent", Environ: []string{"HOME=" + dir}})
	req := &http.Request{Header: http.Header{}}
	withDefault.authorize(req, &url.URL{Scheme: "https", Host: "any.example"})
	if user, _, _ := req.BasicAuth(); user != "dora" {
		t.Errorf("default entry of ~/.netrc: have user %q", user)
	}
}

const secret = "s3kr1t-pa55"

// TestCredentialsDoNotLeak fetches with a password in the URI and in the environment,
// with success and with every kind of failure, and looks for it in every error and
// every byte that was written.
func TestCredentialsDoNotLeak(t *testing.T) {
	f := newFixture(t, one(nil), nil)
	f.RequireAuth("user", secret)
	host := strings.TrimPrefix(f.URL, "http://")
	inURI, inEnv := trixie, trixie
	inURI.URI, inEnv.URI = "http://user:"+secret+"@"+host, f.URL
	inEnv.ID = "env"
	withEnv := f.newClient(func(o *Options) {
		o.Credentials = FindCredentials(CredentialOptions{AptDir: "/nonexistent", Environ: []string{envName(host) + "=user:" + secret}})
	})
	item := f.item(hello)
	bad := archivetest.Fault{Status: 500}
	var errs []string
	collect := func(err error) {
		if err == nil {
			t.Error("no error where one was made")
			return
		}
		errs = append(errs, err.Error())
		if h, ok := err.(interface{ Hint() string }); ok {
			errs = append(errs, h.Hint())
		}
	}
	for _, tt := range []struct {
		client *Client
		repo   Repository
	}{{f.client, inURI}, {withEnv, inEnv}} {
		if _, err := f.text(tt.client, tt.repo); err != nil {
			t.Fatal(err)
		}
		item.Repository = tt.repo
		for _, fault := range []archivetest.Fault{{Status: 404}, {Status: 403}, {Status: 418}, {Redirect: "ftp://user:" + secret + "@x.example/"}} {
			f.Inject(item.Path, fault)
			collect(tt.client.Fetch(context.Background(), []Item{item}, nil))
		}
		f.Inject(item.Path, bad, bad, bad, bad, bad)
		collect(tt.client.Fetch(context.Background(), []Item{item}, nil))
	}
	closed := inURI
	closed.URI = "http://user:" + secret + "@127.0.0.1:1/debian"
	_, err := f.client.Release(context.Background(), closed)
	collect(err)
	for _, uri := range []string{"ftp://user:" + secret + "@h/", "http://user:" + secret + "@h:port:x/%zz", "http://user:" + secret + "@h/?q"} {
		closed.URI = uri
		_, err = f.client.Release(context.Background(), closed)
		collect(err)
	}
	_, err = f.client.Release(context.Background(), trixie) // no credentials
	collect(err)
	if all := strings.Join(errs, "\n"); strings.Contains(all, secret) || strings.Contains(all, "user:") {
		t.Errorf("an error has the secret in it:\n%s", all)
	}
	grepDir(t, f.cache.Dir(), secret)
	grepDir(t, f.cache.Dir(), base64.StdEncoding.EncodeToString([]byte("user:"+secret)))
}

// TestRedirects: credentials stay with their host, and nothing goes from https to http.
func TestRedirects(t *testing.T) {
	f := newFixture(t, one(nil), nil)
	item := f.item(hello)
	f.Requests()
	var front *httptest.Server
	target, seen := "", ""
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = r.Header.Get("Authorization")
		http.Redirect(w, r, target+r.URL.Path, http.StatusFound)
	})
	front = httptest.NewServer(handler)
	defer front.Close()
	target = f.URL
	item.Repository.URI = strings.Replace(front.URL, "http://", "http://user:"+secret+"@", 1)
	if err := f.client.Fetch(context.Background(), []Item{item}, nil); err != nil {
		t.Fatal(err)
	}
	if seen == "" {
		t.Error("the host of the credentials did not get them")
	}
	for _, r := range f.Requests() {
		if r.Authorization != "" {
			t.Errorf("another host got %q", r.Authorization)
		}
	}

	// Where the other host has credentials of its own, it gets those.
	docsItem := f.item(docs)
	docsItem.Repository.URI = item.Repository.URI
	withOwn := f.newClient(func(o *Options) {
		o.Credentials = FindCredentials(CredentialOptions{AptDir: "/nonexistent", Environ: []string{envName(strings.TrimPrefix(f.URL, "http://")) + "=own:word"}})
	})
	if err := withOwn.Fetch(context.Background(), []Item{docsItem}, nil); err != nil {
		t.Fatal(err)
	}
	if r := f.Requests(); len(r) != 1 || r[0].Authorization != "Basic "+base64.StdEncoding.EncodeToString([]byte("own:word")) {
		t.Errorf("have %+v, want the host's own credentials", r)
	}

	secure := httptest.NewTLSServer(handler)
	defer secure.Close()
	downgraded := newFixture(t, one(nil), nil)
	downgraded.client.transport = secure.Client().Transport
	item.Repository.URI = secure.URL
	err := downgraded.client.Fetch(context.Background(), []Item{item}, nil)
	wantError(t, err, ErrUnreachable, "redirected from https to http")

	// A certificate that nobody trusts is final, and says so.
	err = newFixture(t, one(nil), nil).client.Fetch(context.Background(), []Item{item}, nil)
	wantError(t, err, ErrUnreachable, "certificate")
}

func TestRedact(t *testing.T) {
	for uri, want := range map[string]string{
		"https://example.org/debian":           "https://example.org/debian",
		"https://user:pass@example.org/debian": "https://example.org/debian",
		"https://us@er:p@ss@example.org/x@y":   "https://example.org/x@y",
		"http://user:pa/ss@example.org/":       "http://user:pa/ss@example.org/",
		"file:///srv/debian":                   "file:///srv/debian",
		"cdrom:[Debian]/":                      "cdrom:[Debian]/",
		"https://user@example.org?x=y@z#f@g":   "https://example.org?x=y@z#f@g",
	} {
		if have := Redact(uri); have != want {
			t.Errorf("%s: have %s, want %s", uri, have, want)
		}
	}
}
