package archive

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Credentials are user names and passwords by host. The zero value has none.
type Credentials struct {
	entries []credential
}

type credential struct {
	scheme   string // "" any, or the only one to use it with
	secure   bool   // only where the connection is encrypted
	host     string // host or host:port; "" is netrc's default entry
	path     string // prefix of the path, or ""
	user     string
	password string
}

// CredentialOptions says where to look for credentials. The zero value looks where
// curl and apt do.
type CredentialOptions struct {
	// Environ is the environment, as os.Environ returns it; nil means that of
	// the process.
	Environ []string
	// AptDir is the directory of apt's auth.conf and auth.conf.d; "" means /etc/apt.
	AptDir string
}

// FindCredentials reads credentials from the environment (HARDPAN_AUTH_HOST=user:password,
// where HOST is the host in upper case with '_' for all but letters and digits, such as
// HARDPAN_AUTH_DEB_EXAMPLE_COM), then from the netrc file ($NETRC, else ~/.netrc), then
// from apt's auth.conf (apt_auth.conf(5)). The first that fits a URI is used. Files
// that are missing or cannot be read have none.
func FindCredentials(o CredentialOptions) *Credentials {
	if o.Environ == nil {
		o.Environ = os.Environ()
	}
	if o.AptDir == "" {
		o.AptDir = "/etc/apt"
	}
	c := &Credentials{}
	netrc, home := "", ""
	for _, entry := range o.Environ {
		name, value, _ := strings.Cut(entry, "=")
		switch {
		case name == "NETRC":
			netrc = value
		case name == "HOME":
			home = value
		case strings.HasPrefix(name, envPrefix):
			if user, password, ok := strings.Cut(value, ":"); ok {
				c.entries = append(c.entries, credential{host: name, user: user, password: password})
			}
		}
	}
	if netrc == "" && home != "" {
		netrc = filepath.Join(home, ".netrc")
	}
	c.readNetrc(netrc, false)
	conf := filepath.Join(o.AptDir, "auth.conf")
	c.readNetrc(conf, true)
	parts, _ := filepath.Glob(filepath.Join(conf+".d", "*.conf")) // sorted
	for _, name := range parts {
		c.readNetrc(name, true)
	}
	return c
}

const envPrefix = "HARDPAN_AUTH_"

// envName returns the variable that may hold the credentials of a host.
func envName(host string) string {
	return envPrefix + strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		}
		return '_'
	}, host)
}

func (c *Credentials) readNetrc(name string, apt bool) {
	if name == "" {
		return
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return
	}
	c.parseNetrc(bytes.NewReader(b), apt)
}

// parseNetrc reads entries of the form "machine HOST login USER password WORD". In
// apt's dialect HOST may have a scheme, a port and a path, and without a scheme the
// entry is for encrypted connections only.
func (c *Credentials) parseNetrc(r io.Reader, apt bool) {
	words := bufio.NewScanner(r)
	words.Split(bufio.ScanWords)
	next := func() string {
		words.Scan()
		return words.Text()
	}
	var entries []credential
	for words.Scan() {
		var last *credential
		if len(entries) > 0 {
			last = &entries[len(entries)-1]
		}
		switch word := words.Text(); {
		case word == "machine":
			entries = append(entries, machine(next(), apt))
		case word == "default" && !apt:
			entries = append(entries, credential{})
		case last == nil:
		case word == "login":
			last.user = next()
		case word == "password":
			last.password = next()
		case word == "account":
			next()
		}
	}
	c.entries = append(c.entries, slices.DeleteFunc(entries, func(e credential) bool { return e.user == "" && e.password == "" })...)
}

func machine(name string, apt bool) credential {
	if !apt {
		return credential{host: strings.ToLower(name)}
	}
	e := credential{secure: true}
	if scheme, rest, ok := strings.Cut(name, "://"); ok {
		e.scheme, e.secure, name = scheme, false, rest
	}
	e.host, e.path = name, ""
	if i := strings.IndexByte(name, '/'); i >= 0 {
		e.host, e.path = name[:i], name[i:]
	}
	e.host = strings.ToLower(e.host)
	return e
}

// authorize sets the Authorization header of a request for u, and removes any other.
func (c *Credentials) authorize(req *http.Request, u *url.URL) {
	req.Header.Del("Authorization")
	if c == nil {
		return
	}
	for _, e := range c.entries {
		if e.fits(u) {
			req.SetBasicAuth(e.user, e.password)
			return
		}
	}
}

func (e credential) fits(u *url.URL) bool {
	if e.scheme != "" && e.scheme != u.Scheme || e.secure && u.Scheme != "https" {
		return false
	}
	if strings.HasPrefix(e.host, envPrefix) {
		return e.host == envName(u.Hostname()) || e.host == envName(u.Host)
	}
	host := strings.ToLower(u.Host)
	if e.host != "" && e.host != host && e.host != strings.ToLower(u.Hostname()) {
		return false
	}
	return e.path == "" || u.Path == e.path || strings.HasPrefix(u.Path, strings.TrimRight(e.path, "/")+"/")
}

// withUserinfo returns c with the credentials that a base URI carries in front, and
// the URI without them.
func (c *Credentials) withUserinfo(base *url.URL) (*Credentials, *url.URL) {
	if base.User == nil {
		return c, base
	}
	bare := *base
	bare.User = nil
	password, _ := base.User.Password()
	own := credential{scheme: base.Scheme, host: strings.ToLower(base.Host), user: base.User.Username(), password: password}
	merged := &Credentials{entries: []credential{own}}
	if c != nil {
		merged.entries = append(merged.entries, c.entries...)
	}
	return merged, &bare
}
