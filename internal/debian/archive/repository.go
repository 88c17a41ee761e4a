package archive

import (
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"
)

// Repository names one suite of one archive.
type Repository struct {
	// ID is how lock and errors name the repository, such as "debian/trixie". It
	// names no host. Required, and unique among the repositories of a build: the
	// protection against rollback is kept by it.
	ID string
	// URI is the archive's base, the directory that has dists/ and pool/; http,
	// https or file. Empty takes the mirror: Debian's security archive for a suite
	// whose name ends in -security, the main archive for others.
	URI string
	// Suite is the name under dists/. The Release must bear it as Suite or Codename.
	Suite string
	// Components are the parts of the suite to use; none means main.
	Components []string
	// Origin is what the Release must say in its Origin field; empty accepts any.
	Origin string
	// Keyring holds the keys to trust for this repository; nil means the client's.
	Keyring *Keyring
}

// debianSuites maps each release of Debian that can be built from to its suites.
var debianSuites = map[string][]string{
	"bookworm": {"bookworm", "bookworm-updates", "bookworm-security"},
	"trixie":   {"trixie", "trixie-updates", "trixie-security"},
	"forky":    {"forky", "forky-updates", "forky-security"},
	"sid":      {"sid"},
}

// DebianSuites returns the repositories that make up the Debian release of that
// code name, security and updates included, component main, to be fetched from
// the mirror and verified with the client's keyring.
func DebianSuites(codename string) ([]Repository, error) {
	suites, ok := debianSuites[codename]
	if !ok {
		var known []string
		for name := range debianSuites {
			known = append(known, name)
		}
		slices.Sort(known)
		return nil, fmt.Errorf("debian/%s: not a known release of debian, expected one of %s", codename, strings.Join(known, ", "))
	}
	repos := make([]Repository, len(suites))
	for i, suite := range suites {
		repos[i] = Repository{ID: "debian/" + suite, Suite: suite, Components: []string{"main"}, Origin: "Debian"}
	}
	return repos, nil
}

// components returns r.Components or their default.
func (r Repository) components() []string {
	if len(r.Components) == 0 {
		return []string{"main"}
	}
	return r.Components
}

// check refuses a repository whose words would not make a path of an archive.
func (r Repository) check() error {
	if r.ID == "" {
		return fmt.Errorf("repository %s %s: no id", Redact(r.URI), r.Suite)
	}
	for _, word := range append([]string{r.Suite}, r.components()...) {
		if !cleanPath(word) {
			return fmt.Errorf("repository %s: suite or component %q: want a name as in dists/NAME", r.ID, word)
		}
	}
	return nil
}

// cleanPath reports whether p is a relative path that stays below its base and
// means the same to a server as to us.
func cleanPath(p string) bool {
	if p == "" || p == "." || path.IsAbs(p) || path.Clean(p) != p || p == ".." || strings.HasPrefix(p, "../") {
		return false
	}
	return !strings.ContainsFunc(p, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '\\' })
}

// parseBase checks the base URI of an archive. The errors do not repeat userinfo.
func parseBase(uri string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimRight(uri, "/"))
	if err != nil {
		return nil, fmt.Errorf("archive uri %q: not a uri", Redact(uri))
	}
	switch {
	case u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("archive uri %q: has a query or fragment", Redact(uri))
	case u.Scheme == "file" && strings.HasPrefix(u.Path, "/") && u.Host == "":
	case (u.Scheme == "http" || u.Scheme == "https") && u.Host != "":
	default:
		return nil, fmt.Errorf("archive uri %q: want http://HOST/PATH, https://HOST/PATH or file:///PATH", Redact(uri))
	}
	return u, nil
}

// join returns the URI of a file below the base.
func join(base *url.URL, p string) *url.URL {
	u := *base
	u.Path = strings.TrimRight(u.Path, "/") + "/" + p
	u.RawPath = ""
	return &u
}

// Redact returns the URI without user name and password, for messages.
func Redact(uri string) string {
	scheme, rest, ok := strings.Cut(uri, "://")
	if !ok {
		return uri
	}
	host, tail := rest, ""
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		host, tail = rest[:i], rest[i:]
	}
	if i := strings.LastIndexByte(host, '@'); i >= 0 {
		host = host[i+1:]
	}
	return scheme + "://" + host + tail
}
