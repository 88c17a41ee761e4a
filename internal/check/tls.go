package check

import (
	"path"
	"strings"

	"github.com/hardpan/hardpan/internal/check/facts"
)

var (
	opensslLine  = compiled(`(?i)^\s*(MinProtocol|TLS\.MinProtocol|CipherString|Options|Protocol)\s*=\s*(.*?)\s*$`)
	oldProtocol  = compiled(`(?i)^(none|ssl.*|tlsv1|tlsv1\.[01]|dtlsv1)$`)
	weakCiphers  = compiled(`(?i)@SECLEVEL=0|\b[^!-]?(aNULL|eNULL|NULL|EXPORT|LOW)\b|(^|[:+])(RC4|DES|MD5)\b`)
	unsafeOption = compiled(`(?i)UnsafeLegacyRenegotiation|UnsafeLegacyServerConnect`)
	nginxLine    = compiled(`(?m)^\s*ssl_protocols\s+([^;]*);`)
	javaLine     = compiled(`(?m)^jdk\.tls\.disabledAlgorithms\s*=\s*((?:.*\\\r?\n)*.*)$`)
)

func tlsPolicy(q *question) string {
	asked := false
	for f, text := range q.Texts(func(name string) bool {
		return path.Base(name) == "openssl.cnf" || path.Base(name) == "java.security" || strings.Contains(name, "nginx/")
	}) {
		switch {
		case path.Base(f.Path) == "openssl.cnf":
			asked = true
			q.openssl(f, text)
		case path.Base(f.Path) == "java.security":
			asked = true
			q.java(f, text)
		default:
			for _, m := range nginxLine.get().FindAllSubmatch(text, 64) {
				asked = true
				for protocol := range strings.FieldsSeq(string(m[1])) {
					if oldProtocol.MatchString(protocol) {
						q.found(at(f, "an old protocol is spoken", protocol))
					}
				}
			}
		}
	}
	if !asked {
		return "the image has no configuration of TLS that is read"
	}
	return applies
}

// openssl reads config(5) of OpenSSL, the lines of SSL_CONF_cmd(3).
func (q *question) openssl(f *facts.File, text []byte) {
	n := 0
	for line := range strings.SplitSeq(string(text), "\n") {
		n++
		line, _, _ = strings.Cut(line, "#")
		m := opensslLine.get().FindStringSubmatch(line)
		if m == nil {
			continue
		}
		problem := ""
		switch strings.ToLower(m[1]) {
		case "minprotocol", "tls.minprotocol":
			if oldProtocol.MatchString(m[2]) {
				problem = "old protocols are spoken"
			}
		case "cipherstring":
			if weakCiphers.MatchString(strings.NewReplacer("!aNULL", "", "!eNULL", "", "!NULL", "", "!EXPORT", "", "!LOW", "", "!RC4", "", "!DES", "", "!MD5", "", "!3DES", "").Replace(m[2])) {
				problem = "weak ciphers are taken"
			}
		case "options":
			if unsafeOption.MatchString(m[2]) {
				problem = "unsafe renegotiation is taken"
			}
		}
		if problem != "" {
			finding := at(f, problem, strings.TrimSpace(line))
			finding.Line = n
			q.found(finding)
		}
	}
}

// java reads the security properties of a Java runtime.
func (q *question) java(f *facts.File, text []byte) {
	m := javaLine.get().FindSubmatch(text)
	if m == nil {
		return
	}
	disabled := map[string]bool{}
	for name := range strings.SplitSeq(strings.NewReplacer("\\", "", "\r", "", "\n", "").Replace(string(m[1])), ",") {
		disabled[strings.TrimSpace(name)] = true
	}
	for _, protocol := range []string{"SSLv3", "TLSv1", "TLSv1.1"} {
		if !disabled[protocol] {
			q.found(at(f, "an old protocol is spoken", protocol))
		}
	}
}
