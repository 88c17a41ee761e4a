package sboms

import (
	"net/url"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/language"
)

// forges are hosts that have nothing but repositories, each at the address of its owner
// and its name.
var forges = []string{"github.com", "gitlab.com", "salsa.debian.org", "codeberg.org", "bitbucket.org"}

// repositoryAddress returns the address of a repository of version control, "" of
// anything else. What is not at a forge says by its name, "NAME.git", that it is one:
// an address that merely may be of a repository is not taken for one.
func repositoryAddress(s string) string {
	s = strings.TrimPrefix(strings.TrimPrefix(s, "scm:git:"), "git+") // as pom.xml and package.json write it
	if short, ok := strings.CutPrefix(s, "github:"); ok {
		s = "https://github.com/" + short
	}
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || !slices.Contains([]string{"https", "http", "git"}, u.Scheme) {
		return ""
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	parts := strings.FieldsFunc(u.EscapedPath(), func(r rune) bool { return r == '/' })
	end := slices.IndexFunc(parts, func(part string) bool { return strings.HasSuffix(part, ".git") && part != ".git" }) + 1
	switch atForge := slices.Contains(forges, u.Host) || strings.HasPrefix(u.Host, "gitlab."); {
	case end > 0:
	case !atForge || len(parts) < 2 || slices.Contains([]string{"orgs", "groups", "users"}, parts[0]):
		return ""
	case strings.Contains(u.Host, "gitlab."), u.Host == "salsa.debian.org": // which have groups in groups
		if end = slices.Index(parts, "-"); end < 0 {
			end = len(parts)
		}
	default:
		end = 2
	}
	return u.Scheme + "://" + u.Host + "/" + strings.Join(parts[:end], "/")
}

// repository is where the upstream sources of a Debian package are kept, by its
// copyright file or else its homepage; "" if these name no repository. Where Debian keeps
// its own, only its source packages say.
func (p *Package) repository() string {
	// What follows the first address is of parts that others wrote.
	if said := strings.Fields(p.Licence.Upstream); len(said) > 0 {
		if address := repositoryAddress(strings.Trim(said[0], "<>,;")); address != "" {
			return address
		}
	}
	return repositoryAddress(p.Homepage)
}

// repository is where the sources of a package of a language are kept. The path of a Go
// module is the address of its repository, or leads to it (Go Modules Reference,
// "Finding a repository for a module path").
func (p *LanguagePackage) repository() string {
	if p.Type != language.Golang {
		if address := repositoryAddress(p.Repository); address != "" {
			return address
		}
		return repositoryAddress(p.Homepage)
	}
	if name, ok := strings.CutPrefix(p.Name, "golang.org/x/"); ok {
		name, _, _ = strings.Cut(name, "/")
		return "https://go.googlesource.com/" + name
	}
	if p.Name == "stdlib" {
		return "https://go.googlesource.com/go"
	}
	return repositoryAddress("https://" + p.Name)
}
