package audit

import (
	"fmt"
	"path"
	"regexp"
	"strings"
	"sync"

	"github.com/hardpan/hardpan/internal/audit/dockerfile"
	"github.com/hardpan/hardpan/internal/harden"
)

// image is a reference taken apart.
type image struct {
	Name   string // with the registry
	Tag    string
	Digest string
}

// parseImage takes a reference apart: [registry[:port]/]name[:tag][@digest].
func parseImage(s string) image {
	var i image
	s, i.Digest, _ = strings.Cut(s, "@")
	if at := strings.LastIndex(s, ":"); at > strings.LastIndex(s, "/") {
		s, i.Tag = s[:at], s[at+1:]
	}
	i.Name = s
	return i
}

// base is the last part of the name: python of docker.io/library/python.
func (i image) base() string { return path.Base(i.Name) }

// bases judges what FROM names.
func (j *judge) bases() {
	for _, s := range j.file.Stages {
		if s.Parent != nil || strings.EqualFold(s.Image, "scratch") {
			continue
		}
		j.base(s)
	}
	for _, s := range j.file.Stages {
		from := &dockerfile.Step{Stage: s, Line: s.Line, End: s.Line}
		switch {
		case s.Platform == "":
		case strings.Contains(s.Platform, "TARGETPLATFORM"):
			j.found("platform-fixed", from, s.Line, "--platform is the target's own, which it is without", s.Platform)
		case !strings.Contains(s.Platform, "$"):
			j.found("platform-fixed", from, s.Line, "FROM is fixed to "+s.Platform, s.Platform)
		}
	}
}

func (j *judge) base(s *dockerfile.Stage) {
	from := &dockerfile.Step{Stage: s, Line: s.Line, End: s.Line}
	i := parseImage(s.Image)
	if strings.Contains(s.Image, "$") {
		if !strings.Contains(i.Digest, "sha256:") {
			j.found("base-unpinned", from, s.Line, "which base it is depends on a build argument without a value", s.Written)
		}
		return
	}
	if i.Digest == "" {
		switch i.Tag {
		case "":
			j.found("mutable-reference", from, s.Line, "the base has no tag, which means latest", s.Image)
		case "latest", "stable", "edge", "nightly", "rolling", "main", "master":
			j.found("mutable-reference", from, s.Line, "the base's tag "+i.Tag+" is another image tomorrow", s.Image)
		}
		j.found("base-unpinned", from, s.Line, "the base is not pinned by digest", s.Image)
	}
	j.endOfLife(from, i)
}

// lastDays are the last days of security updates of releases that tags of official images
// name: distributions, and languages by their own projects.
var lastDays = []struct {
	images string // names, separated by spaces
	tag    string // expression that the tag matches
	what   string
	day    string // "" where what is a release that [harden.EndOfRelease] knows
}{
	{"debian buildpack-deps python node golang ruby php openjdk gcc rust perl nginx httpd postgres redis", `(^|-)(wheezy|7)(-|$)`, "Debian 7", ""},
	{"debian buildpack-deps python node golang ruby php openjdk gcc rust perl nginx httpd postgres redis", `(^|-)jessie(-|$)`, "Debian 8", ""},
	{"debian buildpack-deps python node golang ruby php openjdk gcc rust perl nginx httpd postgres redis", `(^|-)stretch(-|$)`, "Debian 9", ""},
	{"debian buildpack-deps python node golang ruby php openjdk gcc rust perl nginx httpd postgres redis", `(^|-)buster(-|$)`, "Debian 10", ""},
	{"debian buildpack-deps python node golang ruby php openjdk gcc rust perl nginx httpd postgres redis", `(^|-)bullseye(-|$)`, "Debian 11", ""},
	{"debian", `^8(\.|-|$)`, "Debian 8", ""}, {"debian", `^9(\.|-|$)`, "Debian 9", ""}, {"debian", `^10(\.|-|$)`, "Debian 10", ""},
	{"debian", `^11(\.|-|$)`, "Debian 11", ""}, {"debian", `^12(\.|-|$)|^bookworm`, "Debian 12", ""},
	{"ubuntu", `^(14\.04|trusty)`, "Ubuntu 14.04", ""}, {"ubuntu", `^(16\.04|xenial)`, "Ubuntu 16.04", ""}, {"ubuntu", `^(18\.04|bionic)`, "Ubuntu 18.04", ""},
	{"ubuntu", `^(20\.04|focal)`, "Ubuntu 20.04", ""}, {"ubuntu", `^(22\.10|kinetic|23\.04|lunar|23\.10|mantic|24\.10|oracular)`, "this interim release of Ubuntu", "2025-07-10"},
	{"alpine", `^(2|3\.([0-9]|1[0-7]))(\.|$)`, "this release of Alpine", "2024-11-22"}, {"alpine", `^3\.18(\.|$)`, "Alpine 3.18", ""}, {"alpine", `^3\.19(\.|$)`, "Alpine 3.19", ""}, {"alpine", `^3\.20(\.|$)`, "Alpine 3.20", ""},
	{"centos", `.*`, "CentOS Linux", "2024-06-30"}, {"fedora", `^([12]\d|3\d|40)$`, "this release of Fedora", "2025-05-13"},
	{"python", `^2(\.|-|$)`, "Python 2", "2020-01-01"}, {"python", `^3\.[0-6](\.|-|$)`, "Python 3.6 and older", "2021-12-23"}, {"python", `^3\.7(\.|-|$)`, "Python 3.7", "2023-06-27"},
	{"python", `^3\.8(\.|-|$)`, "Python 3.8", "2024-10-07"}, {"python", `^3\.9(\.|-|$)`, "Python 3.9", "2025-10-31"}, {"python", `^3\.10(\.|-|$)`, "Python 3.10", "2026-10-31"},
	{"node", `^(\d|1[0-3])(\.|-|$)`, "this version of Node.js", "2022-06-01"}, {"node", `^1[4-7](\.|-|$)`, "this version of Node.js", "2023-09-11"}, {"node", `^(18|19)(\.|-|$)`, "Node.js 18", "2025-04-30"}, {"node", `^(20|21)(\.|-|$)`, "Node.js 20", "2026-04-30"},
	{"golang", `^1\.([0-9]|1\d|2[01])(\.|-|$)`, "this version of Go", "2024-08-13"}, {"golang", `^1\.22(\.|-|$)`, "Go 1.22", "2025-02-11"}, {"golang", `^1\.23(\.|-|$)`, "Go 1.23", "2025-08-12"},
	{"openjdk", `.*`, "the image openjdk", "2022-07-31"}, {"php", `^([57]|8\.0)(\.|-|$)`, "this version of PHP", "2023-11-26"}, {"ruby", `^(2|3\.[01])(\.|-|$)`, "this version of Ruby", "2025-03-26"},
}

// tagged are the expressions of lastDays, compiled when they are first asked.
var tagged = sync.OnceValue(func() []*regexp.Regexp {
	list := make([]*regexp.Regexp, len(lastDays))
	for i, l := range lastDays {
		list[i] = regexp.MustCompile(l.tag)
	}
	return list
})

func (j *judge) endOfLife(from *dockerfile.Step, i image) {
	if !official(i.Name) {
		return
	}
	for n, l := range lastDays {
		if !strings.Contains(" "+l.images+" ", " "+i.base()+" ") || i.Tag == "" || !tagged()[n].MatchString(i.Tag) {
			continue
		}
		day := l.day
		if id, version, _ := strings.Cut(strings.ToLower(l.what), " "); day == "" {
			_, day = harden.EndOfRelease(id, version)
		}
		if !harden.Ended(day, j.now) {
			continue
		}
		what := fmt.Sprintf("%s gets no security updates since %s", l.what, day)
		if j.file.Reaches(from.Stage) {
			j.found("end-of-life", from, from.Line, what, from.Stage.Image)
		} else {
			j.foundAs(harden.Medium, "end-of-life", from, from.Line, what+"; the stage is thrown away", from.Stage.Image)
		}
		return
	}
}

// official reports whether a name is one of Docker's official images, which tags are known
// of.
func official(name string) bool {
	for _, prefix := range []string{"docker.io/library/", "index.docker.io/library/", "library/", "docker.io/", "public.ecr.aws/docker/library/", "mirror.gcr.io/library/"} {
		name = strings.TrimPrefix(name, prefix)
	}
	return !strings.Contains(name, "/")
}

// stages judges names of stages, and copies out of them.
func (j *judge) stages() {
	for _, s := range j.file.Stages {
		from := &dockerfile.Step{Stage: s, Line: s.Line, End: s.Line}
		if s.Duplicate() {
			j.found("stage-ambiguous", from, s.Line, "an earlier stage is called "+s.Name+", too", "AS "+s.Name)
		}
		if n := strings.ToLower(s.Name); n == "scratch" || n == "context" {
			j.found("stage-ambiguous", from, s.Line, s.Name+" is a reserved word", "AS "+s.Name)
		}
	}
	for step := range j.steps(false) {
		if from := copyFrom(step); from != "" {
			j.copiesFrom(step, from)
		}
	}
}

func (j *judge) copiesFrom(step *dockerfile.Step, from string) {
	if strings.EqualFold(from, step.Stage.Name) && step.Stage.Name != "" {
		j.found("stage-unknown", step, step.Line, "the step copies from its own stage", "--from="+from)
		return
	}
	if j.file.Copied(from, step.Stage) != nil || strings.Contains(from, "$") {
		return
	}
	i := parseImage(from)
	switch {
	case i.Digest != "":
	case strings.ContainsAny(from, "/:"):
		j.found("stage-unknown", step, step.Line, "files are copied out of an image that is not pinned by digest", "--from="+from)
	default:
		j.found("stage-unknown", step, step.Line, "no earlier stage is called "+from+"; the builder takes it for an image", "--from="+from)
	}
}
