package oci_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/store"
)

// paged is a registry whose lists of referrers have pages of size entries.
type paged struct {
	behind http.Handler
	size   int
	link   func(r *http.Request, next int) string // the header
	answer func(w http.ResponseWriter, page int) bool
	pages  int // that were asked for
}

func (p *paged) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet || !strings.Contains(r.URL.Path, "/referrers/") {
		p.behind.ServeHTTP(w, r)
		return
	}
	p.pages++
	recorded := httptest.NewRecorder()
	p.behind.ServeHTTP(recorded, r)
	var list struct {
		SchemaVersion int               `json:"schemaVersion"`
		MediaType     string            `json:"mediaType"`
		Manifests     []json.RawMessage `json:"manifests"`
	}
	if err := json.Unmarshal(recorded.Body.Bytes(), &list); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	slices.SortFunc(list.Manifests, func(a, b json.RawMessage) int { return bytes.Compare(a, b) })
	last, _ := strconv.Atoi(r.URL.Query().Get("last"))
	if p.answer != nil && p.answer(w, last/p.size) {
		return
	}
	all := len(list.Manifests)
	list.Manifests = list.Manifests[min(last, all):min(last+p.size, all)]
	if last+p.size < all || p.link(r, 0) == "endless" {
		w.Header().Add("Link", `</v2/elsewhere>; rel="first"`)
		w.Header().Add("Link", strings.TrimPrefix(p.link(r, last+p.size), "endless"))
	}
	w.Header().Set("Content-Type", "application/vnd.oci.image.index.v1+json; charset=utf-8")
	json.NewEncoder(w).Encode(list)
}

func relative(r *http.Request, next int) string {
	return fmt.Sprintf(`<%s?n=2,000&last=%d>; title="a, b"; rel="next"`, r.URL.Path, next)
}

// A list of referrers is read to the end of its pages, and what cannot be read to its end
// is an error: on a page that is not read there might be the one that counts.
func TestReferrerPages(t *testing.T) {
	t.Parallel()
	status := func(page, status int, media string) func(http.ResponseWriter, int) bool {
		return func(w http.ResponseWriter, at int) bool {
			if at == page {
				w.Header().Set("Content-Type", media)
				w.WriteHeader(status)
			}
			return at == page
		}
	}
	const n = 5
	for _, c := range []struct {
		name   string
		size   int
		link   func(*http.Request, int) string
		answer func(http.ResponseWriter, int) bool
		want   string // an error; "" is all of them
		pages  int
		damage error // that is wrapped
	}{
		{"one page", n, relative, nil, "", 1, nil},
		{"pages of two", 2, relative, nil, "", 3, nil},
		{"absolute", 2, func(r *http.Request, next int) string {
			return fmt.Sprintf(`<http://%s%s?last=%d>;rel=next, <x>; rel=last`, r.Host, r.URL.Path, next)
		}, nil, "", 3, nil},
		{"several relations, after another link", 2, func(r *http.Request, next int) string {
			return fmt.Sprintf(`<x>; rel="prev", <?last=%d>; REL="x NEXT"`, next)
		}, nil, "", 3, nil},
		{"overlapping", 2, func(r *http.Request, next int) string { return relative(r, next-1) }, nil, "", 4, nil},
		{"another host", 2, func(*http.Request, int) string { return `<http://127.0.0.1:1/x>; rel="next"` }, nil, `the next page of the list of referrers is at "http://127.0.0.1:1/x", expected it at 127.0.0.1:`, 1, oci.ErrInvalid},
		{"another scheme", 2, func(r *http.Request, _ int) string { return `<https://` + r.Host + `/x>; rel="next"` }, nil, `the next page of the list of referrers is at "https://`, 1, oci.ErrInvalid},
		{"no address", 2, func(*http.Request, int) string { return `<http://%zz>; rel="next"` }, nil, "the address of the next page of the list of referrers is ", 1, oci.ErrInvalid},
		{"no link", 2, func(*http.Request, int) string { return `/v2/x; rel="next"` }, nil, "the header Link of the list of referrers is \"/v2/x; rel", 1, oci.ErrInvalid},
		{"pages without end", 2, func(r *http.Request, next int) string {
			if next == 0 {
				return "endless"
			}
			return relative(r, next)
		}, nil, "the list of referrers has more than 100 pages", 100, oci.ErrTooLarge},
		{"a page fails", 2, relative, status(1, http.StatusForbidden, "text/plain"), "403 Forbidden", 2, nil},
		{"a page is gone", 2, relative, status(1, http.StatusNotFound, "text/plain"), "404 Not Found", 2, nil},
		{"a page is no list", 2, relative, status(1, http.StatusOK, "text/html"), "the answer is no list of referrers", 2, nil},
		{"a page is damaged", 2, relative, status(2, http.StatusOK, "application/vnd.oci.image.index.v1+json"), "list of referrers: not a valid image", 3, oci.ErrInvalid},
	} {
		p := &paged{behind: registry.New(registry.WithReferrersSupport(true), registry.Logger(log.New(io.Discard, "", 0))), size: c.size, link: c.link, answer: c.answer}
		server := httptest.NewServer(p)
		t.Cleanup(server.Close)
		host := strings.TrimPrefix(server.URL, "http://")
		x := buildIndex(t, openStore(t), linuxAMD64)
		ref := host + "/a/b:1"
		_, err := oci.Push(t.Context(), ref, x, oci.PushOptions{})
		check(t, err)
		subject, err := name.NewDigest(host + "/a/b@" + string(x.Digest))
		check(t, err)
		for i := range n {
			foreign(t, subject, "text/plain", fmt.Sprint("number ", i))
		}
		s, err := oci.Open(t.Context(), ref, oci.OpenOptions{})
		check(t, err)
		p.pages = 0
		list, err := s.Referrers(t.Context(), x.Digest)
		switch {
		case c.want == "" && (err != nil || len(list) != n):
			t.Errorf("%s: %d referrers, %v", c.name, len(list), err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || list != nil || strings.Contains(err.Error(), "\n")):
			t.Errorf("%s: %d referrers, %v, want %s", c.name, len(list), err, c.want)
		case c.damage != nil && !errors.Is(err, c.damage):
			t.Errorf("%s: %v is not %v", c.name, err, c.damage)
		}
		if p.pages != c.pages {
			t.Errorf("%s: %d pages are asked for, want %d", c.name, p.pages, c.pages)
		}
		if c.want == "" {
			dir := t.TempDir()
			copied, err := oci.Copy(t.Context(), s, "oci:"+dir, oci.CopyOptions{RefName: "1"})
			check(t, err)
			if got := strings.Count(referrers(t, copied, store.Digest(x.Digest)), "\n"); got != n {
				t.Errorf("%s: %d referrers are copied", c.name, got)
			}
		}
		check(t, s.Close())
	}
}
