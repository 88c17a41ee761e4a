package check

import (
	"fmt"
	"strings"
	"time"

	"github.com/hardpan/hardpan/internal/harden"
)

const notAsked = "nothing can lie beside this kind of archive, or nobody looked"

func signatureMissing(q *question) string {
	a := q.options.Attached
	switch {
	case !a.Asked:
		return notAsked
	case a.Refused != "":
		q.foundAs(harden.Critical, said("the signature does not verify", a.Refused))
	case !a.Signed:
		q.found(said("there is no signature", ""))
	}
	return applies
}

func sbomMissing(q *question) string {
	if !q.options.Attached.Asked {
		return notAsked
	}
	if !q.options.Attached.SBOM {
		q.found(said("no SBOM is attested", ""))
	}
	return applies
}

func provenanceMissing(q *question) string {
	if !q.options.Attached.Asked {
		return notAsked
	}
	if !q.options.Attached.Provenance {
		q.found(said("no provenance is attested", ""))
	}
	return applies
}

func mutableReference(q *question) string {
	ref := q.options.Reference
	if ref == "" {
		return "the image was given as a path"
	}
	last := ref[strings.LastIndexByte(ref, '/')+1:]
	name, tag, tagged := strings.Cut(last, ":")
	switch {
	case strings.Contains(last, "@"):
	case !tagged:
		q.found(said(fmt.Sprintf("%s has no tag, which is latest", name), ref))
	case tag == "latest" || tag == "edge" || tag == "nightly" || tag == "stable" || tag == "main" || tag == "master":
		q.found(said(fmt.Sprintf("the tag %s moves", tag), ref))
	}
	return applies
}

func baseUnpinned(q *question) string {
	name, digest := q.Said(standard+"base.name"), q.Said(standard+"base.digest")
	if name == "" {
		return "the image does not say what it stands on"
	}
	if name != "scratch" && digest == "" && !strings.Contains(name, "@sha256:") {
		q.found(said("the base is named without a digest", name))
	}
	return applies
}

func imageAge(q *question) string {
	made := q.Created()
	if made.IsZero() {
		return "the image does not say when it was made"
	}
	if age := q.options.Now.Sub(made); age > q.options.Profile.Limits.Age {
		q.found(said(fmt.Sprintf("the image is %d days old, more than %d", days(age), days(q.options.Profile.Limits.Age)), made.UTC().Format(time.DateOnly)))
	}
	return applies
}

func days(d time.Duration) int { return int(d / (24 * time.Hour)) }

// endOfRelease returns the last day of the image's distribution, and its name.
func (q *question) endOfRelease() (release, day string) {
	id, version := q.Release("ID"), q.Release("VERSION_ID")
	if id == "" {
		return "", ""
	}
	if end := q.Release("SUPPORT_END"); end != "" { // os-release(5)
		return id + " " + version, end
	}
	return harden.EndOfRelease(id, version)
}

func endOfLife(q *question) string {
	asked := false
	check := func(what, day string) {
		end, err := time.Parse(time.DateOnly, day[:min(len(day), len(time.DateOnly))])
		if err != nil {
			return
		}
		asked = true
		switch left := end.Sub(q.options.Now); {
		case left < 0:
			q.found(said(what+" has reached its end of life", day))
		case left < 90*24*time.Hour:
			q.foundAs(harden.Info, said(fmt.Sprintf("%s reaches its end of life in %d days", what, days(left)), day))
		}
	}
	release, day := q.endOfRelease()
	if day != "" {
		check(release, day)
	}
	labels := q.labels()
	for _, key := range sortedKeys(labels) {
		switch last := strings.ToLower(key[strings.LastIndexByte(key, '.')+1:]); last {
		case "end-of-life", "eol", "endoflife", "end_of_life", "support-end":
			check("the image", labels[key])
		}
	}
	if !asked {
		return "neither a label nor a known distribution says how long the image is maintained"
	}
	return applies
}

func sizeBudget(q *question) string {
	if q.Unpacked > q.options.Profile.Limits.Size {
		q.found(said(fmt.Sprintf("the layers have %d MB of files, more than %d", q.Unpacked/1e6, q.options.Profile.Limits.Size/1e6), fmt.Sprint(q.Unpacked)))
	}
	return applies
}

func packageBudget(q *question) string {
	n := len(q.System().Packages)
	if q.Record != nil {
		n = len(q.Record.Packages)
	}
	if n == 0 {
		return "there is no package database that is read"
	}
	if limit := q.options.Profile.Limits.Packages; n > limit {
		q.found(said(fmt.Sprintf("there are %d packages, more than %d", n, limit), fmt.Sprint(n)))
	}
	return applies
}
