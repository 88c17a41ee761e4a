package check

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hardpan/hardpan/internal/harden"
	"github.com/hardpan/hardpan/internal/harden/tool"
)

const standard = "org.opencontainers.image."

func labelsMissing(q *question) string {
	var missing []string
	for _, key := range harden.WantedLabels {
		if q.Said(standard+key) == "" {
			missing = append(missing, standard+key)
		}
	}
	if len(missing) > 0 {
		q.found(said("neither labels nor annotations say all of an image", strings.Join(missing, " ")))
	}
	return applies
}

var (
	labelKey    = compiled(`^[A-Za-z0-9]([A-Za-z0-9._/-]*[A-Za-z0-9])?$`)
	placeholder = compiled(`^\$\{?[A-Za-z_][A-Za-z0-9_]*\}?$|^\{\{.*\}\}$|^<[^>]*>$|(?i)^(todo|tbd|fixme|changeme|unknown|n/a)$`)
	digestForm  = compiled(`^[a-z0-9]+:[a-f0-9]{32,}$`)
)

func labelsInvalid(q *question) string {
	all := q.labels()
	if len(all) == 0 {
		return "the image has no labels"
	}
	for _, key := range sortedKeys(all) {
		value := all[key]
		name, isStandard := strings.CutPrefix(key, standard)
		problem := ""
		switch {
		case !labelKey.MatchString(key):
			problem = "has a key that is not of the form of a reversed domain"
		case strings.TrimSpace(value) == "":
			problem = "is empty"
		case placeholder.MatchString(value):
			problem = "was never filled in"
		case !isStandard:
		case name == "created":
			if _, err := time.Parse(time.RFC3339, value); err != nil {
				problem = "is no date by RFC 3339"
			}
		case name == "url" || name == "documentation" || name == "source":
			if u, err := url.Parse(value); err != nil || u.Scheme == "" || u.Host == "" && u.Opaque == "" {
				problem = "is no URL"
			}
		case name == "base.digest" && !digestForm.MatchString(value):
			problem = "is no digest"
		}
		if problem != "" {
			q.found(said(fmt.Sprintf("label %s %s", key, problem), key+"="+value))
		}
	}
	return applies
}

// labels returns labels and annotations.
func (q *question) labels() map[string]string {
	all := maps.Clone(q.Annotations)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, q.Config.Labels)
	return all
}

// A claim is what a label promises about the image.
type claim struct {
	key *pattern
	// holds says whether the image is so. want is what the label says, true for yes.
	holds func(*question) bool
	// negative labels promise that something is not there: "security.shell=false" is
	// the same as "security.no-shell=true".
	positive bool
	what     string
}

// aboutSecurity are keys that speak about security; others may have a key "user" for
// something else.
var aboutSecurity = compiled(`(^|[._-])(security|secure|hardened|hardening|compliance|container|policy)([._-]|$)`)

// claims are asked in this order, the first that fits holds.
var claims = []claim{
	{compiled(`(no|non)-?root|rootless|runs?-?as-?non-?root`), func(q *question) bool { return q.Runner().UID > 0 }, true, "the image does not run as root"},
	{compiled(`(^|-)(runs?-as-|as-)?root$`), func(q *question) bool { return q.Runner().UID == 0 }, true, "the image runs as root"},
	{compiled(`(no|without)-?shell|shell-?(less|free|removed)|distroless`), func(q *question) bool { return !q.has(tool.Shell) }, true, "the image has no shell"},
	{compiled(`(^|-)shell$`), func(q *question) bool { return q.has(tool.Shell) }, true, "the image has a shell"},
	{compiled(`(no|without)-?package-?manager|package-?manager-?(less|free|removed)`), func(q *question) bool { return !q.has(tool.PackageManager) }, true, "the image has no package manager"},
	{compiled(`package-?manager$`), func(q *question) bool { return q.has(tool.PackageManager) }, true, "the image has a package manager"},
	{compiled(`(no|without)-?(set-?uid|suid|set-?id)|(set-?uid|suid|set-?id)-?(less|free|removed)`), func(q *question) bool { return !q.hasSetID() }, true, "the image has no set-id files"},
	{compiled(`(no|without)-?capabilit`), func(q *question) bool { return !q.hasCapability() }, true, "no file of the image has capabilities"},
	{compiled(`(no|without)-?secrets?|secrets?-?(less|free)`), func(q *question) bool { return len(q.openSecrets()) == 0 }, true, "the image has no secrets"},
	{compiled(`health-?check$`), func(q *question) bool { _, _, ok := q.health(); return ok }, true, "the image has a health check"},
	{compiled(`^(is-)?signed$`), func(q *question) bool { return !q.options.Attached.Asked || q.options.Attached.Signed }, true, "the image is signed"},
	{compiled(`^(has-)?sbom$`), func(q *question) bool { return !q.options.Attached.Asked || q.options.Attached.SBOM }, true, "an SBOM is attested"},
}

var plainClaim = compiled(`non-?root|rootless|distroless|shell-?less`)

var yesNo = map[string]bool{"true": true, "yes": true, "1": true, "on": true, "enabled": true, "false": false, "no": false, "0": false, "off": false, "disabled": false}

func labelsUntrue(q *question) string {
	all := q.labels()
	if len(all) == 0 {
		return "the image has no labels"
	}
	asked := 0
	for _, key := range sortedKeys(all) {
		problem, is := q.contradiction(strings.ToLower(key), all[key])
		if is {
			asked++
		}
		if problem != "" {
			q.found(said(fmt.Sprintf("label %s is not true: %s", key, problem), key+"="+all[key]))
		}
	}
	if asked == 0 {
		return "no label promises what could be looked at"
	}
	return applies
}

// contradiction says how the image differs from a label, "" where it does not, and
// whether the label says something that can be looked at.
func (q *question) contradiction(key, value string) (problem string, is bool) {
	if name, ok := strings.CutPrefix(key, standard); ok {
		return q.standardLabel(name, value)
	}
	words := strings.ReplaceAll(strings.ReplaceAll(key, "_", "-"), ".", "-")
	last := key[strings.LastIndexAny(key, "./")+1:]
	last = strings.ReplaceAll(last, "_", "-")
	want, isYesNo := yesNo[strings.ToLower(strings.TrimSpace(value))]
	explicit := plainClaim.MatchString(words)
	if !explicit && !aboutSecurity.MatchString(key) {
		return "", false
	}
	switch last {
	case "user", "uid", "run-as", "run-as-user":
		return q.userLabel(value), true
	case "ports", "port", "exposed-ports":
		return q.portsLabel(value), true
	}
	if !isYesNo {
		return "", false
	}
	for _, c := range claims {
		if c.key.MatchString(last) {
			if c.holds(q) != want {
				return fmt.Sprintf("whether %s: %t", c.what, !want), true
			}
			return "", true
		}
	}
	return "", false
}

func (q *question) userLabel(value string) string {
	r := q.Runner()
	user, _, _ := strings.Cut(strings.TrimSpace(value), ":")
	name := ""
	if r.Account != nil {
		name = r.Account.Name
	}
	if user == strconv.FormatInt(r.UID, 10) || user == name || user == r.Named && user != "" {
		return ""
	}
	return fmt.Sprintf("the image runs as %d %s", r.UID, name)
}

func (q *question) portsLabel(value string) string {
	ports := q.ports()
	said := map[int]bool{}
	for _, word := range strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' || r == ';' }) {
		digits, _, _ := strings.Cut(word, "/")
		if n, err := strconv.Atoi(digits); err == nil {
			said[n] = true
		}
	}
	if len(said) == len(ports) && !slices.ContainsFunc(sortedKeys(ports), func(n int) bool { return !said[n] }) {
		return ""
	}
	return fmt.Sprintf("the image exposes %v", sortedKeys(ports))
}

// standardLabel holds a label of the OCI image spec against the image.
func (q *question) standardLabel(name, value string) (problem string, is bool) {
	switch rec := q.Record; name {
	case "created":
		t, err := time.Parse(time.RFC3339, value)
		made := q.Config.Created
		if err != nil || made.IsZero() || made.Unix() <= 0 {
			return "", false
		}
		if d := t.Sub(made); d > 24*time.Hour || d < -24*time.Hour {
			return "the config says " + made.UTC().Format(time.RFC3339), true
		}
		return "", true
	case "title":
		if rec == nil {
			return "", false
		}
		return "", true // a spec may give a title of its own
	case "version":
		if rec == nil || q.Annotations[standard+"version"] == "" || q.Config.Labels[standard+"version"] == "" {
			return "", false
		}
		if other := q.Annotations[standard+"version"]; other != value {
			return "the annotation says " + other, true
		}
		return "", true
	}
	return "", false
}

// has reports whether a file of the image is a tool of that kind.
func (q *question) has(kind tool.Kind) bool {
	for f := range q.All() {
		if slices.ContainsFunc(f.Tools, func(t tool.Tool) bool { return t.Kind == kind }) {
			return true
		}
	}
	return false
}

func (q *question) hasSetID() bool {
	for f := range q.All() {
		if f.Executable() && f.Mode&0o6000 != 0 {
			return true
		}
	}
	return false
}

func (q *question) hasCapability() bool {
	for f := range q.All() {
		if f.Capability != "" {
			return true
		}
	}
	return false
}

func sortedKeys[K interface{ ~int | ~string }, V any](m map[K]V) []K {
	return slices.Sorted(maps.Keys(m))
}
