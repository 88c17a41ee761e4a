package facts

import (
	"bytes"
	"path"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/check/secrets"
)

// Prepare compiles the rules about secrets, which takes a moment. Who is going to write
// a layer that no package brings calls it beside other work.
func Prepare() { _, _ = secrets.Default() } // an error is told to who asks for them

// texts looks for secrets in the content of a file.
type texts struct {
	in       *fileGatherer
	detector *secrets.Detector
	binary   bool // the file is no text
	blob     secrets.Blob
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

// begin begins a file whose first bytes are head, and reports whether it is searched.
func (t *texts) begin(in *fileGatherer, head []byte) (searched bool, err error) {
	if t.detector == nil {
		if t.detector, err = secrets.Default(); err != nil {
			return false, err
		}
	}
	t.in, t.line = in, 0
	t.piece.Reset()
	if t.binary = secrets.Binary(head); t.binary {
		t.blob.Begin(t.detector, in.g.archives, in.path)
		return !t.detector.IgnoresBinary(in.path), nil
	}
	return !t.detector.Ignores(in.path), nil
}

func (t *texts) add(p []byte) {
	if t.binary {
		t.blob.Write(p) // which never fails
		return
	}
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
	if t.binary {
		t.tell(t.blob.End())
		return
	}
	if t.piece.Len() > 0 {
		t.search()
	}
}

func (t *texts) search() {
	if t.in.g.secrets.Load() >= maxSecrets {
		return
	}
	found := t.detector.Find(t.in.path, t.piece.Bytes())
	for i := range found {
		found[i].Line += t.line
	}
	t.tell(found)
}

func (t *texts) tell(found []secrets.Finding) {
	g := t.in.g
	file := len(g.content.Files) - 1
	for _, f := range found {
		if g.secrets.Add(1) > maxSecrets {
			return
		}
		same := func(h Hit) bool {
			return h.File == file && h.Line == f.Line && h.Rule == f.Rule && h.Shown == f.Shown && h.Member == f.Member
		}
		if !slices.ContainsFunc(g.content.Secrets, same) {
			g.content.Secrets = append(g.content.Secrets, Hit{file, f})
		}
	}
}

// keptTexts are the files whose content rules ask for.
var keptTexts = []string{
	"etc/passwd", "etc/group", "etc/shadow", "etc/master.passwd", "etc/gshadow", "etc/os-release", "usr/lib/os-release", "etc/alpine-release",
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
