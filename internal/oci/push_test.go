package oci_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/store"
)

func hintOf(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}

// A registry that fails for good at the n-th request, for every n there is: the tag
// never moves, and the push after that needs only what is missing.
func TestFailedPushNeverMovesTag(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	old, x := otherIndex(t, st), buildIndex(t, st, linuxAMD64, linuxARM64)
	const repo = "example/python"
	for n := 1; ; n++ {
		srv := serve(t)
		ref := srv.host + "/" + repo + ":3.13"
		o := oci.PushOptions{RetryDelay: time.Microsecond}
		_, err := oci.Push(t.Context(), ref, old, o)
		check(t, err)
		srv.misbehave(func(i int, _ *http.Request) int {
			if i >= n {
				return http.StatusInternalServerError
			}
			return 0
		})
		_, err = oci.Push(t.Context(), ref, x, o)
		if err == nil {
			if n < 20 {
				t.Errorf("a push took %d requests only: is the test counting?", n-1)
			}
			break
		}
		wantError(t, err, "cannot push "+ref)
		if hint := hintOf(err); !strings.HasPrefix(hint, "push again: no tag was moved") {
			t.Errorf("request %d: hint %q", n, hint)
		}
		if got := srv.tag(repo, "3.13"); got != string(old.Digest) {
			t.Fatalf("request %d failed and the tag is at %s, want %s", n, got, old.Digest)
		}
		srv.misbehave(nil)
		pinned, err := oci.Push(t.Context(), ref, x, o)
		check(t, err)
		if got := srv.tag(repo, "3.13"); got != string(x.Digest) {
			t.Fatalf("after the repeated push the tag is at %s, want %s", got, x.Digest)
		}
		check(t, readEverything(t, pinned, oci.OpenOptions{}))
	}
}

// A request that fails once is repeated.
func TestPushRetries(t *testing.T) {
	t.Parallel()
	x := buildIndex(t, openStore(t), linuxAMD64)
	for n := 1; n <= 12; n++ {
		for _, status := range []int{500, 502, 503, 504, 429, 408} {
			srv := serve(t)
			srv.misbehave(func(i int, _ *http.Request) int {
				if i == n {
					return status
				}
				return 0
			})
			pinned, err := oci.Push(t.Context(), srv.host+"/a:1", x, oci.PushOptions{RetryDelay: time.Microsecond, Jobs: 1})
			if err != nil {
				t.Errorf("status %d of request %d: %v", status, n, err)
				continue
			}
			check(t, readEverything(t, pinned, oci.OpenOptions{}))
		}
	}
}

// Blobs come first, then the platforms' manifests, the index and the tags.
func TestPushOrder(t *testing.T) {
	t.Parallel()
	srv := serve(t)
	x := buildIndex(t, openStore(t), linuxAMD64, linuxARM64)
	pinned, err := oci.Push(t.Context(), srv.host+"/example/python:3.13", x, oci.PushOptions{Tags: []string{"3", "3.13", "latest"}})
	check(t, err)
	if want := srv.host + "/example/python@" + string(x.Digest); pinned != want {
		t.Errorf("pinned %s, want %s", pinned, want)
	}
	var puts []string
	lastBlob, firstManifest := -1, -1
	for i, r := range srv.requests {
		switch {
		case strings.HasPrefix(r, "PUT /v2/example/python/blobs/"):
			lastBlob = i
		case strings.HasPrefix(r, "PUT /v2/example/python/manifests/"):
			puts = append(puts, r[strings.LastIndexByte(r, '/')+1:])
			if firstManifest < 0 {
				firstManifest = i
			}
		}
	}
	want := []string{string(x.Images[0].Digest), string(x.Images[1].Digest), string(x.Digest), "3.13", "3", "latest"}
	if !slices.Equal(puts, want) {
		t.Errorf("manifests were put as %q, want %q", puts, want)
	}
	if lastBlob > firstManifest {
		t.Error("a blob came after a manifest")
	}
}

// What the registry has is not uploaded again.
func TestPushSkips(t *testing.T) {
	t.Parallel()
	srv := serve(t)
	x := buildIndex(t, openStore(t), linuxAMD64)
	for i := range 2 {
		var reports []string
		_, err := oci.Push(t.Context(), srv.host+"/example/python", x, oci.PushOptions{
			Progress: func(done, total int64) { reports = append(reports, fmt.Sprintf("%d/%d", done, total)) },
		})
		check(t, err)
		var total int64
		for _, l := range x.Images[0].Layers {
			total += l.Size
		}
		total += int64(len(x.Images[0].RawConfig))
		if last := reports[len(reports)-1]; last != fmt.Sprintf("%d/%d", total, total) {
			t.Errorf("progress ends at %s of %d", last, total)
		}
		uploads := slices.ContainsFunc(srv.requests, func(r string) bool { return !strings.HasPrefix(r, "GET ") && !strings.HasPrefix(r, "HEAD ") })
		if uploads != (i == 0) {
			t.Errorf("push %d: requests %q", i, srv.requests)
		}
		srv.requests = nil
	}
	if srv.tag("example/python", "latest") != string(x.Digest) {
		t.Error("without a tag the image is not tagged latest")
	}
}

// A blob that another repository has is mounted from there.
func TestPushMounts(t *testing.T) {
	t.Parallel()
	srv := serve(t)
	x := buildIndex(t, openStore(t), linuxAMD64)
	_, err := oci.Push(t.Context(), srv.host+"/base:1", x, oci.PushOptions{})
	check(t, err)
	srv.misbehave(func(_ int, r *http.Request) int { // or the server finds any repository's blob in this one
		if strings.HasPrefix(r.URL.Path, "/v2/derived/blobs/") && r.Method == http.MethodHead {
			return http.StatusNotFound
		}
		return 0
	})
	d := x.Images[0].Layers[0].Digest
	_, err = oci.Push(t.Context(), srv.host+"/derived:1", x, oci.PushOptions{MountFrom: map[store.Digest]string{
		d: srv.host + "/base", x.Images[0].Layers[1].Digest: "other.example.com/base",
	}})
	check(t, err)
	if !slices.ContainsFunc(srv.queries, func(q string) bool {
		return strings.Contains(q, "from=base") && strings.Contains(q, "mount=sha256%3A"+d.Hex())
	}) || slices.ContainsFunc(srv.queries, func(q string) bool { return strings.Contains(q, "other.example.com") }) {
		t.Errorf("queries %q, want a mount of %s from base alone", srv.queries, d)
	}
}

func TestPushRefuses(t *testing.T) {
	t.Parallel()
	srv := serve(t)
	x := buildIndex(t, openStore(t), linuxAMD64)
	for _, e := range []struct {
		ref  string
		o    oci.PushOptions
		want string
	}{
		{"A B", oci.PushOptions{}, `"A B" is not an image reference`},
		{srv.host + "/a@" + string(x.Digest), oci.PushOptions{}, "expected a repository or a tag, found the digest"},
		{srv.host + "/a", oci.PushOptions{Tags: []string{"a/b"}}, `tag "a/b"`},
		{srv.host + "/a", oci.PushOptions{Tags: []string{""}}, `tag ""`},
		{srv.host + "/a", oci.PushOptions{MountFrom: map[store.Digest]string{x.Digest: "A B"}}, `mount from "A B"`},
	} {
		_, err := oci.Push(t.Context(), e.ref, x, e.o)
		wantError(t, err, "cannot push "+e.ref, e.want)
	}
	if len(srv.requests) != 0 {
		t.Errorf("requests %q", srv.requests)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := oci.Push(ctx, srv.host+"/a:1", x, oci.PushOptions{})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v is not context.Canceled", err)
	}
}

// Tags that were set before one failed are told apart.
func TestPushSecondTagFails(t *testing.T) {
	t.Parallel()
	srv := serve(t)
	srv.misbehave(func(_ int, r *http.Request) int {
		if strings.HasSuffix(r.URL.Path, "/manifests/3") {
			return http.StatusForbidden
		}
		return 0
	})
	x := buildIndex(t, openStore(t), linuxAMD64)
	_, err := oci.Push(t.Context(), srv.host+"/a:3.13", x, oci.PushOptions{Tags: []string{"3"}})
	wantError(t, err, "tag 3: ", "403")
	srv.misbehave(func(_ int, r *http.Request) int {
		if strings.HasSuffix(r.URL.Path, "/manifests/3") && r.Method == http.MethodPut {
			return http.StatusTeapot
		}
		return 0
	})
	_, err = oci.Push(t.Context(), srv.host+"/a:3.13", x, oci.PushOptions{Tags: []string{"3"}})
	wantError(t, err, "tag 3: ", "418")
	if got, want := hintOf(err), "push again: 1 of 2 tags are set, all else is in the registry"; got != want {
		t.Errorf("hint %q, want %q", got, want)
	}
	srv.misbehave(func(_ int, r *http.Request) int {
		if strings.HasSuffix(r.URL.Path, ".sig") && r.Method == http.MethodPut {
			return http.StatusTeapot
		}
		return 0
	})
	sig, err := oci.NewArtifact(x.Digest, oci.Signatures, []oci.Document{{MediaType: "text/plain", Content: []byte("signed")}})
	check(t, err)
	_, err = oci.Push(t.Context(), srv.host+"/a:3.13", x, oci.PushOptions{Artifacts: []*oci.Artifact{sig}})
	wantError(t, err, ".sig: ", "418")
	if got, want := hintOf(err), "push again: no tag was moved, and what was uploaded is not sent twice"; got != want {
		t.Errorf("hint %q, want %q", got, want)
	}
}

// A registry that lets nobody write is not asked again.
func TestPushReadOnly(t *testing.T) {
	t.Parallel()
	x := buildIndex(t, openStore(t), linuxAMD64)
	srv := serve(t)
	refuse := func(what string) {
		srv.misbehave(func(_ int, r *http.Request) int {
			if r.Method != http.MethodGet && r.Method != http.MethodHead && strings.Contains(r.URL.Path, what) {
				return http.StatusMethodNotAllowed
			}
			return 0
		})
	}
	readOnly := srv.host + " takes nothing: it is a mirror of another, or read-only for now; "
	for what, state := range map[string]string{
		"/blobs/": "no tag was moved, and what was uploaded is not sent twice", "/manifests/1": "no tag was moved, all else is in the registry",
		"/manifests/2": "1 of 2 tags are set, all else is in the registry",
	} {
		refuse(what)
		_, err := oci.Push(t.Context(), srv.host+"/a"+path.Base(what)+":1", x, oci.PushOptions{Tags: []string{"2"}})
		wantError(t, err, "405")
		if got := hintOf(err); got != readOnly+state {
			t.Errorf("%s: hint %q, want %q", what, got, readOnly+state)
		}
	}
	srv.misbehave(nil)
	pinned, err := oci.Push(t.Context(), srv.host+"/a:1", x, oci.PushOptions{})
	check(t, err)
	src, err := oci.Open(t.Context(), pinned, oci.OpenOptions{})
	check(t, err)
	refuse("")
	sig, err := oci.NewArtifact(x.Digest, oci.Signatures, []oci.Document{{MediaType: "text/plain", Content: []byte("signed")}})
	check(t, err)
	if err := src.Attach(t.Context(), []*oci.Artifact{sig}); hintOf(err) != readOnly+"what was uploaded is not sent twice" {
		t.Errorf("hint %q of %v", hintOf(err), err)
	}
}

// Credentials come from Docker's configuration, also through a helper program.
func TestPushCredentials(t *testing.T) {
	srv := serve(t)
	srv.misbehave(func(_ int, r *http.Request) int {
		if user, pass, _ := r.BasicAuth(); user != "robot" || pass != "secret" {
			return http.StatusUnauthorized
		}
		return 0
	})
	x := buildIndex(t, openStore(t), linuxAMD64)
	ref := srv.host + "/private/python:3.13"
	home := t.TempDir()
	for _, name := range []string{"HOME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME"} {
		t.Setenv(name, home)
	}
	for _, name := range []string{"DOCKER_CONFIG", "REGISTRY_AUTH_FILE"} {
		t.Setenv(name, "")
	}
	_, err := oci.Push(t.Context(), ref, x, oci.PushOptions{})
	wantError(t, err, "401")
	if got, want := hintOf(err), "log in to "+srv.host; !strings.HasPrefix(got, want) {
		t.Errorf("hint %q, want %q", got, want)
	}
	_, err = oci.Open(t.Context(), ref, oci.OpenOptions{})
	if wantError(t, err, "401"); !strings.HasPrefix(hintOf(err), "log in to ") {
		t.Errorf("hint %q", hintOf(err))
	}

	helper := "#!/bin/sh\nread server\n[ \"$1\" = get ] && printf '{\"ServerURL\":\"%s\",\"Username\":\"robot\",\"Secret\":\"secret\"}' \"$server\"\n"
	check(t, os.WriteFile(filepath.Join(home, "docker-credential-test"), []byte(helper), 0o755))
	t.Setenv("PATH", home+":"+os.Getenv("PATH"))
	for name, config := range map[string]string{
		"auths":       `{"auths":{"` + srv.host + `":{"auth":"cm9ib3Q6c2VjcmV0"}}}`,
		"credHelpers": `{"credHelpers":{"` + srv.host + `":"test"}}`,
	} {
		check(t, os.MkdirAll(filepath.Join(home, ".docker"), 0o700))
		check(t, os.WriteFile(filepath.Join(home, ".docker", "config.json"), []byte(config), 0o600))
		pinned, err := oci.Push(t.Context(), ref, x, oci.PushOptions{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		check(t, readEverything(t, pinned, oci.OpenOptions{}))
	}
	check(t, os.Remove(filepath.Join(home, ".docker", "config.json")))
	given := oneLogin{authn.FromConfig(authn.AuthConfig{Username: "robot", Password: "secret"})}
	_, err = oci.Push(t.Context(), ref, x, oci.PushOptions{Keychain: given})
	check(t, err)
	check(t, readEverything(t, ref, oci.OpenOptions{Keychain: given}))
}

type oneLogin struct{ authn.Authenticator }

func (k oneLogin) Resolve(authn.Resource) (authn.Authenticator, error) { return k.Authenticator, nil }

// Plain HTTP is for loopback, unless it is asked for: a private address is on
// somebody's network.
func TestPlainHTTPRefused(t *testing.T) {
	t.Parallel()
	srv := serve(t)
	toServer := roundTripper(func(r *http.Request) (*http.Response, error) {
		if r.URL.Scheme == "https" {
			return nil, errors.New("no tls here")
		}
		r = r.Clone(r.Context())
		r.URL.Host = srv.host
		return http.DefaultTransport.RoundTrip(r)
	})
	x := buildIndex(t, openStore(t), linuxAMD64)
	for _, host := range []string{"10.1.2.3:5000", "registry.local", "registry.example.com"} {
		ref := host + "/python:3.13"
		_, err := oci.Push(t.Context(), ref, x, oci.PushOptions{Transport: toServer})
		wantError(t, err, "cannot push "+ref)
		if len(srv.requests) != 0 {
			t.Fatalf("%s: requests %q in plain http", host, srv.requests)
		}
		pinned, err := oci.Push(t.Context(), ref, x, oci.PushOptions{Transport: toServer, Insecure: true})
		check(t, err)
		check(t, readEverything(t, pinned, oci.OpenOptions{Transport: toServer, Insecure: true}))
		_, err = oci.Open(t.Context(), ref, oci.OpenOptions{Transport: toServer})
		wantError(t, err, "cannot open image "+ref)
		srv.requests = nil
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// A registry that sends endless manifests or redirects is an error, not a memory
// that fills up.
func TestHostileRegistry(t *testing.T) {
	t.Parallel()
	for _, e := range []struct {
		name    string
		handler http.HandlerFunc
		want    string
	}{
		{"huge manifest", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
			chunk := []byte(strings.Repeat(" ", 1<<16))
			for range 100 {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		}, "a manifest of more than 4194304 bytes"},
		{"not json", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "<html>") }, "not a valid image"},
		{"wrong media type", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/vnd.oci.image.index.v1+json")
			fmt.Fprint(w, `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{},"layers":[]}`)
		}, "its descriptor says"},
		{"missing", http.NotFound, "404"},
		{"page of an error", func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, strings.Repeat("<p>\x1b[2J no\nsuch\tpage</p>", 1000))
		}, "<p> [2J no such page</p><p>"},
	} {
		t.Run(e.name, func(t *testing.T) {
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/v2/" {
					return
				}
				e.handler(w, r)
			}))
			defer srv.Close()
			_, err := oci.Open(t.Context(), strings.TrimPrefix(srv.URL, "http://")+"/a:1", oci.OpenOptions{})
			wantError(t, err, "cannot open image 127.0.0.1:", e.want)
			if len(err.Error()) > 700 {
				t.Errorf("the error has %d bytes", len(err.Error()))
			}
		})
	}
}
