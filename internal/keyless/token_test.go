package keyless_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/keyless"
)

// A token comes from the file, the environment or GitHub, in this order.
func TestToken(t *testing.T) {
	t.Parallel()
	var asked string
	github := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.RawQuery + " " + r.Header.Get("Authorization")
		switch r.URL.Path {
		case "/refuse":
			http.Error(w, "no", http.StatusForbidden)
		case "/empty":
			w.Write([]byte("{}"))
		default:
			w.Write([]byte(`{"value":"from.git.hub","count":1}`))
		}
	}))
	t.Cleanup(github.Close)
	file := filepath.Join(t.TempDir(), "token")
	check(t, os.WriteFile(file, []byte("from.a.file\n"), 0o600))
	bad := filepath.Join(t.TempDir(), "token")
	check(t, os.WriteFile(bad, []byte("s3cret"), 0o600))
	all := map[string]string{"SIGSTORE_ID_TOKEN": "from.the.environment", "ACTIONS_ID_TOKEN_REQUEST_URL": github.URL + "/?a=b", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "bearer"}
	job := func(path string) map[string]string {
		return map[string]string{"ACTIONS_ID_TOKEN_REQUEST_URL": github.URL + path, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "bearer"}
	}
	for _, c := range []struct {
		file      string
		env       map[string]string
		want, err string
	}{
		{file, all, "from.a.file", ""},
		{"", all, "from.the.environment", ""},
		{"", job("/?a=b"), "from.git.hub", ""},
		{"", nil, "", "no identity token: none is in a file, in SIGSTORE_ID_TOKEN, or to be had from GitHub Actions"},
		{bad, nil, "", "the identity token is not a JWT: expected three parts with dots between"},
		{file + "x", all, "", "cannot read the identity token: open "},
		{"", job("/refuse"), "", "cannot get an identity token from GitHub Actions: it answered with status 403 Forbidden"},
		{"", job("/empty"), "", "cannot get an identity token from GitHub Actions: its answer has no token"},
		{"", map[string]string{"ACTIONS_ID_TOKEN_REQUEST_URL": "http://192.0.2.1/", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "bearer"}, "", "is plain http, expected https"},
	} {
		got, err := keyless.TokenFrom(c.file, func(name string) string { return c.env[name] })(t.Context())
		if c.err == "" {
			check(t, err)
		} else if err == nil || !strings.Contains(err.Error(), c.err) || strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "bearer") {
			t.Errorf("error %v, want %s", err, c.err)
		}
		if got != c.want {
			t.Errorf("token %s, want %s", got, c.want)
		}
		if c.want == "from.git.hub" && asked != "a=b&audience=sigstore Bearer bearer" {
			t.Errorf("GitHub was asked %s", asked)
		}
	}
}
