package facts

import (
	"bytes"
	"path"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/check/secrets"
)

// texts looks for secrets in the content of a file that is text.
type texts struct {
	in       *fileGatherer
	detector *secrets.Detector
	piece    bytes.Buffer
	line     int // lines that are behind
}

// pieceSize is how much text is searched for secrets at a time, and overlap how much
// of it again with the next piece, in bytes: no secret but a certificate's key is as
// long, and that begins with its name.
const (
	pieceSize = 512 << 10
	overlap   = 4 << 10
)

// begin begins a file. One that is never looked at is no text any more.
func (t *texts) begin(in *fileGatherer) (err error) {
	if t.detector == nil {
		if t.detector, err = secrets.Default(); err != nil {
			return err
		}
	}
	t.in, t.line = in, 0
	t.piece.Reset()
	in.isText = !t.detector.Ignores(in.path)
	return nil
}

func (t *texts) add(p []byte) {
	for len(p) > 0 {
		n := min(len(p), pieceSize-t.piece.Len())
		t.piece.Write(p[:n])
		p = p[n:]
		if t.piece.Len() >= pieceSize {
			t.search()
			t.turn()
		}
	}
}

// turn keeps the end of a piece as the beginning of the next one.
func (t *texts) turn() {
	piece := t.piece.Bytes()
	cut := len(piece) - overlap
	t.line += bytes.Count(piece[:cut], []byte{'\n'})
	tail := slices.Clone(piece[cut:])
	t.piece.Reset()
	t.piece.Write(tail)
}

func (t *texts) end() {
	if t.piece.Len() > 0 {
		t.search()
	}
}

func (t *texts) search() {
	g := t.in.g
	if g.secrets.Load() >= maxSecrets {
		return
	}
	file := len(g.content.Files) - 1
	for _, f := range t.detector.Find(t.in.path, t.piece.Bytes()) {
		f.Line += t.line
		if g.secrets.Add(1) > maxSecrets {
			return
		}
		same := func(h Hit) bool {
			return h.File == file && h.Line == f.Line && h.Rule == f.Rule && h.Shown == f.Shown
		}
		if !slices.ContainsFunc(g.content.Secrets, same) {
			g.content.Secrets = append(g.content.Secrets, Hit{file, f})
		}
	}
}

// keptTexts are the files whose content rules ask for.
var keptTexts = []string{
	"etc/passwd", "etc/group", "etc/shadow", "etc/gshadow", "etc/os-release", "usr/lib/os-release", "etc/alpine-release",
	"etc/login.defs", "etc/profile", "etc/bash.bashrc", "etc/pam.d/common-session",
	"etc/ssl/openssl.cnf", "usr/lib/ssl/openssl.cnf", "etc/pki/tls/openssl.cnf", "usr/local/ssl/openssl.cnf", "etc/gnutls/config", "etc/crypto-policies/config",
	"etc/apt/sources.list", "etc/pip.conf", "etc/npmrc", "root/.npmrc", "root/.curlrc", "root/.wgetrc", "etc/wgetrc",
	"var/lib/dpkg/status", "lib/apk/db/installed", "usr/lib/apk/db/installed",
}

// isText reports whether the content of the path is kept.
func isText(name string) bool {
	if slices.Contains(keptTexts, name) {
		return true
	}
	dir, base := path.Split(name)
	switch dir = strings.TrimSuffix(dir, "/"); dir {
	case "var/lib/dpkg/info":
		return strings.HasSuffix(base, ".list") || strings.HasSuffix(base, ".md5sums")
	case "var/lib/dpkg/status.d", "etc/apt/sources.list.d", "etc/apt/apt.conf.d", "etc/profile.d":
		return true
	}
	switch base {
	case "java.security", "nginx.conf", "pip.conf", ".npmrc", ".curlrc", ".wgetrc", ".netrc", ".pypirc", "config.json":
		return base != "config.json" || path.Base(dir) == ".docker"
	}
	return strings.HasSuffix(dir, "nginx/conf.d") || strings.HasSuffix(dir, "nginx/sites-enabled") || strings.HasSuffix(dir, "nginx/sites-available")
}
