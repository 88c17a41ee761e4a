package oci

import (
	"net/url"
	"strings"
	"testing"
)

// FuzzNextPage reads any header Link: never a crash, never an address elsewhere, and an
// error of one line.
func FuzzNextPage(f *testing.F) {
	for _, seed := range []string{`</v2/a/referrers/sha256:1?last=2>; rel="next"`, `<x>; title="a, \"b\"; rel=next", <y>; rel="prev next"`, `>;rel=next`, `<//b/x>; REL=Next`, `<http://u@a/>;rel=next`} {
		f.Add(seed)
	}
	at, err := url.Parse("https://a/v2/b/referrers/sha256:0")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, header string) {
		next, err := nextPage([]string{header}, at)
		switch {
		case err != nil && (next != nil || strings.Contains(err.Error(), "\n")):
			t.Errorf("%v with the error %q", next, err)
		case next != nil && (next.Host != "a" || next.Scheme != "https" || next.User != nil):
			t.Errorf("%s is elsewhere", next)
		}
	})
}
