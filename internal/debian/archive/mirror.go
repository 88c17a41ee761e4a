package archive

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// Debian's primary mirror, which serves both archives everywhere.
const (
	PrimaryMirror         = "https://deb.debian.org/debian"
	PrimarySecurityMirror = "https://deb.debian.org/debian-security"
)

// Mirror is the base URI of an archive and the reason why it was chosen, in words
// for a person, such as "apt sources: /etc/apt/sources.list:3".
type Mirror struct {
	URI string
	Why string
}

// Mirrors are the two archives of Debian.
type Mirrors struct {
	Debian   Mirror // dists/trixie, dists/trixie-updates
	Security Mirror // dists/trixie-security
}

// MirrorOptions says where to look for mirrors. The zero value looks at the apt
// sources of this machine.
type MirrorOptions struct {
	// Mirror, where not empty, is the mirror to take. It stands for both archives:
	// where its path has the element "debian", security updates come from
	// "debian-security" in its place, otherwise from the same URI.
	Mirror string
	// SecurityMirror, where not empty, is the mirror of the security archive.
	SecurityMirror string
	// AptDir is the directory of the apt sources; "" means /etc/apt.
	AptDir string
}

// FindMirrors chooses the mirrors: those given, else those of the apt sources of
// this machine, else Debian's primary mirror. A machine's mirror serves every
// release of Debian, so one that lists bookworm is a mirror for trixie too.
func FindMirrors(o MirrorOptions) (Mirrors, error) {
	if o.AptDir == "" {
		o.AptDir = "/etc/apt"
	}
	// A malformed entry is apt's to complain about: the others still tell the mirror.
	sources, _ := ReadSources(o.AptDir)
	m := Mirrors{Debian: aptMirror(sources, false), Security: aptMirror(sources, true)}
	switch {
	case m.Debian.URI != "" && m.Security.URI == "":
		m.Security = Mirror{PrimarySecurityMirror, "debian's primary mirror: no apt source for security updates"}
	case m.Debian.URI == "" && m.Security.URI != "":
		m.Debian = Mirror{PrimaryMirror, "debian's primary mirror: apt sources only for security updates"}
	case m.Debian.URI == "":
		const why = "debian's primary mirror: no apt sources for debian on this machine"
		m = Mirrors{Debian: Mirror{PrimaryMirror, why}, Security: Mirror{PrimarySecurityMirror, why}}
	}
	if o.Mirror != "" {
		m.Debian = Mirror{o.Mirror, "given"}
		m.Security = Mirror{securitySibling(o.Mirror), "beside the mirror given"}
	}
	if o.SecurityMirror != "" {
		m.Security = Mirror{o.SecurityMirror, "given"}
	}
	for _, mirror := range []Mirror{m.Debian, m.Security} {
		if _, err := parseBase(mirror.URI); err != nil {
			return Mirrors{}, fmt.Errorf("cannot use mirror: %w", err)
		}
	}
	return m, nil
}

// securitySibling puts debian-security where a URI's path has debian, as in
// https://host/debian and https://host/archive/debian/20250809T000000Z.
func securitySibling(uri string) string {
	scheme, rest, _ := strings.Cut(uri, "://")
	elements := strings.Split(rest, "/")
	for i := len(elements) - 1; i > 0; i-- {
		if elements[i] == "debian" {
			elements[i] = "debian-security"
			break
		}
	}
	return scheme + "://" + strings.Join(elements, "/")
}

// aptMirror returns the source that looks most like a mirror of Debian's main
// archive, or of its security archive; the first of equals, or the zero Mirror.
func aptMirror(sources []Source, security bool) Mirror {
	var best Mirror
	bestRank := 0
	for _, s := range sources {
		for _, uri := range s.URIs {
			base, err := parseBase(uri)
			if err != nil {
				continue // cdrom:, mirror+file: and the like
			}
			if rank := debianRank(s, base.Path, security); rank > bestRank {
				best = Mirror{strings.TrimRight(uri, "/"), fmt.Sprintf("apt sources: %s:%d", s.File, s.Line)}
				bestRank = rank
			}
		}
	}
	return best
}

// debianRank tells how much an apt source looks like a mirror of Debian; 0 is not
// at all. Other projects have paths that end in /debian and suites named bookworm
// too, but sign with a key of their own and rarely call their component main.
func debianRank(s Source, basePath string, security bool) int {
	if !slices.Contains(s.Types, "deb") || !slices.Contains(s.Components, "main") || !slices.ContainsFunc(s.Suites, isDebianSuite) {
		return 0
	}
	last := path.Base(basePath)
	serves := slices.ContainsFunc(s.Suites, func(suite string) bool {
		ofSecurity := strings.HasSuffix(suite, "-security") || last == "debian-security"
		return ofSecurity == security
	})
	switch {
	case !serves:
		return 0
	case strings.Contains(s.SignedBy, "/debian-archive-"):
		return 3
	case s.SignedBy != "":
		return 0
	case last == "debian" || last == "debian-security":
		return 2
	}
	return 1
}

func isDebianSuite(suite string) bool {
	for _, tail := range []string{"-updates", "-security", "-backports", "-proposed-updates", "/updates"} {
		suite = strings.TrimSuffix(suite, tail)
	}
	switch suite {
	case "buster", "bullseye", "bookworm", "trixie", "forky", "duke", "sid",
		"oldoldstable", "oldstable", "stable", "testing", "unstable":
		return true
	}
	return false
}
