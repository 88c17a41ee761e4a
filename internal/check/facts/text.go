package facts

import (
	"bytes"
	"path"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/check/secrets"
)

// texts looks at the content of a file that is text: for secrets, and to keep it where
// it describes the system.
type texts struct {
	*looker
	file    *File
	keep    bool
	kept    []byte
	begun   bool
	foreign bool // no text
	ignored bool // by its name
	line    int  // lines that are behind
}

// pieceSize is how much text is searched for secrets at a time, and overlap how much
// of it again with the next piece, in bytes: no secret but a certificate's key is as
// long, and that begins with its name.
const (
	pieceSize = 512 << 10
	overlap   = 4 << 10
)

func (t *texts) Write(p []byte) (int, error) {
	if !t.begun {
		t.begun = true
		t.text.Reset()
		head := p[:min(len(p), 8<<10)]
		if t.foreign = secrets.Binary(head); t.foreign {
			t.ignored = t.detector.IgnoresBinary(t.file.Path)
			t.blob.Begin(t.detector, t.budget, t.file.Path)
		} else {
			t.ignored = t.detector.Ignores(t.file.Path)
		}
	}
	if t.foreign && !t.ignored {
		t.blob.Write(p)
	}
	if t.keep {
		t.kept = append(t.kept, p...)
	}
	for rest := p; !t.foreign && !t.ignored && len(rest) > 0; {
		n := min(len(rest), pieceSize-t.text.Len())
		t.text.Write(rest[:n])
		rest = rest[n:]
		if t.text.Len() >= pieceSize {
			t.search()
			t.turn()
		}
	}
	return len(p), nil
}

// turn keeps the end of a piece as the beginning of the next one.
func (t *texts) turn() {
	piece := t.text.Bytes()
	cut := len(piece) - overlap
	t.line += bytes.Count(piece[:cut], []byte{'\n'})
	tail := slices.Clone(piece[cut:])
	t.text.Reset()
	t.text.Write(tail)
}

func (t *texts) end() {
	if t.begun && !t.foreign && !t.ignored && t.text.Len() > 0 {
		t.search()
	}
	if t.begun && t.foreign && !t.ignored {
		t.tell(t.blob.End())
	}
	if !t.keep {
		return
	}
	if t.looker.texts.Add(-int64(len(t.kept))) < 0 {
		t.looker.texts.Add(int64(len(t.kept)))
		t.left.Add(1)
		return
	}
	t.layer.texts[t.file] = slices.Clip(t.kept)
}

func (t *texts) search() {
	if t.secrets.Load() >= maxSecrets {
		return
	}
	found := t.detector.Find(t.file.Path, t.text.Bytes())
	for i := range found {
		found[i].Line += t.line
	}
	t.tell(found)
}

func (t *texts) tell(found []secrets.Finding) {
	for _, f := range found {
		if t.secrets.Add(1) > maxSecrets {
			return
		}
		same := func(s Secret) bool {
			return s.File == t.file && s.Line == f.Line && s.Rule == f.Rule && s.Shown == f.Shown && s.Member == f.Member
		}
		if !slices.ContainsFunc(t.layer.secrets, same) {
			t.layer.secrets = append(t.layer.secrets, Secret{File: t.file, Finding: f})
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
