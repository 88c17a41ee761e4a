package convert

import (
	"path"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/audit/dockerfile"
)

// The releases of Debian whose archives a spec can name, the newest last, by the suffix of
// their updates' versions.
var releases = []struct{ number, codename string }{{"12", "bookworm"}, {"13", "trixie"}}

const newest = "trixie"

var updateOf = compiled(`deb(\d+)u\d`)

// language is one of Docker's official images as packages of Debian.
type language struct {
	runtime  []string          // in the image
	build    []string          // in a stage that stands on it
	versions map[string]string // version that a release has
	python   bool
}

// basics are what Debian's own images have that programs look for.
var basics = []string{"base-files", "ca-certificates", "libc-bin", "netbase", "tzdata"}

var languages = map[string]language{
	"debian":         {},
	"buildpack-deps": {build: []string{"build-essential", "ca-certificates", "curl", "git"}},
	"python": {
		runtime: []string{"python3"}, build: []string{"python-is-python3", "python3", "python3-dev", "python3-pip", "python3-setuptools", "python3-venv", "python3-wheel"},
		versions: map[string]string{"bookworm": "3.11", "trixie": "3.13"}, python: true,
	},
	"node":       {runtime: []string{"nodejs"}, build: []string{"nodejs", "npm"}, versions: map[string]string{"bookworm": "18", "trixie": "20"}},
	"golang":     {build: []string{"golang-go", "git", "ca-certificates"}, versions: map[string]string{"bookworm": "1.19", "trixie": "1.24"}},
	"rust":       {build: []string{"rustc", "cargo", "ca-certificates"}, versions: map[string]string{"bookworm": "1.63", "trixie": "1.85"}},
	"gcc":        {build: []string{"build-essential"}, versions: map[string]string{"bookworm": "12", "trixie": "14"}},
	"ruby":       {runtime: []string{"ruby"}, build: []string{"ruby", "ruby-dev", "bundler"}, versions: map[string]string{"bookworm": "3.1", "trixie": "3.3"}},
	"perl":       {runtime: []string{"perl"}, build: []string{"perl"}, versions: map[string]string{"bookworm": "5.36", "trixie": "5.40"}},
	"php":        {runtime: []string{"php-cli"}, build: []string{"php-cli", "composer"}, versions: map[string]string{"bookworm": "8.2", "trixie": "8.4"}},
	"openjdk":    {runtime: []string{"default-jre-headless"}, build: []string{"default-jdk-headless"}, versions: map[string]string{"bookworm": "17", "trixie": "21"}},
	"maven":      {build: []string{"maven", "default-jdk-headless"}, versions: map[string]string{"bookworm": "3.8", "trixie": "3.9"}},
	"nginx":      {runtime: []string{"nginx-light"}, versions: map[string]string{"bookworm": "1.22", "trixie": "1.26"}},
	"httpd":      {runtime: []string{"apache2"}, versions: map[string]string{"bookworm": "2.4", "trixie": "2.4"}},
	"postgres":   {runtime: []string{"postgresql"}, versions: map[string]string{"bookworm": "15", "trixie": "17"}},
	"redis":      {runtime: []string{"redis-server"}, versions: map[string]string{"bookworm": "7.0", "trixie": "8.0"}},
	"scratch":    {},
	"distroless": {},
}

// reference is an image's name taken apart.
type reference struct{ name, tag, digest string }

func parseReference(s string) reference {
	var r reference
	s, r.digest, _ = strings.Cut(s, "@")
	if at := strings.LastIndex(s, ":"); at > strings.LastIndex(s, "/") {
		s, r.tag = s[:at], s[at+1:]
	}
	for _, prefix := range []string{"docker.io/", "index.docker.io/", "library/", "public.ecr.aws/docker/library/", "mirror.gcr.io/library/"} {
		s = strings.TrimPrefix(s, prefix)
	}
	r.name = s
	return r
}

// languageOf returns what a base is as packages, and whether it is known. Alpine's
// variants are: their programs are Debian's, too, though their C library is another.
func languageOf(image string) (language, reference, bool) {
	r := parseReference(image)
	name := r.name
	if strings.Contains(name, "distroless/") {
		name = path.Base(name)
		switch {
		case strings.HasPrefix(name, "python"):
			name = "python"
		case strings.HasPrefix(name, "nodejs"):
			name = "node"
		case strings.HasPrefix(name, "java"):
			name = "openjdk"
		default:
			name = "distroless"
		}
	}
	l, ok := languages[name]
	return l, r, ok && !strings.Contains(image, "$")
}

// distribution decides which release of Debian the packages come from: what pinned
// versions say, then the tags of the bases, then the release that has the language's
// version, then the newest.
func (c *converter) distribution() string {
	for _, s := range slices.Backward(c.file.Stages) {
		for _, step := range s.Steps {
			for _, cmd := range step.Commands() {
				p, ok := cmd.Packaging()
				if !ok || p.Manager != "apt" {
					continue
				}
				for _, pkg := range p.Packages {
					if m := updateOf().FindStringSubmatch(pkg.Version); m != nil {
						if name := codename(m[1]); name != "" {
							return name
						}
					}
				}
			}
		}
	}
	for _, s := range slices.Backward(c.file.Stages) {
		r := parseReference(s.Image)
		for _, release := range releases {
			if strings.Contains(r.tag, release.codename) || r.name == "debian" && (r.tag == release.number || strings.HasPrefix(r.tag, release.number+".") || strings.HasPrefix(r.tag, release.number+"-")) {
				return release.codename
			}
		}
	}
	for _, s := range slices.Backward(c.file.Stages) {
		l, r, ok := languageOf(s.Image)
		if !ok {
			continue
		}
		for release, version := range l.versions {
			if r.tag == version || strings.HasPrefix(r.tag, version+".") || strings.HasPrefix(r.tag, version+"-") {
				return release
			}
		}
	}
	return newest
}

func codename(number string) string {
	for _, r := range releases {
		if r.number == number {
			return r.codename
		}
	}
	return ""
}

// otherVersion notes where the release has another version of a language than the base.
func (c *converter) otherVersion(s *dockerfile.Stage, l language, r reference) {
	version, _, _ := strings.Cut(r.tag, "-")
	has := l.versions[c.distro]
	switch {
	case has == "" || version == "" || version == "latest" || strings.Trim(version, "0123456789.") != "":
	case version == has || strings.HasPrefix(version, has+".") || strings.HasPrefix(has, version+"."):
	default:
		c.note(s.Line, "base image", "%s %s is not in debian/%s, which has %s: test the application with it, or take another distro", r.name, version, c.distro, has)
	}
	if strings.Contains(r.tag, "alpine") || r.name == "alpine" {
		c.note(s.Line, "base image", "%s is of Alpine; the spec is of Debian, whose C library is glibc, not musl", s.Image)
	}
}
