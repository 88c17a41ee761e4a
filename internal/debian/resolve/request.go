package resolve

import (
	"fmt"
	"strings"

	"github.com/hardpan/hardpan/internal/debian"
)

// A Request asks for a package or, with Exclude, keeps one out.
type Request struct {
	Name         string
	Architecture string // "" or the universe's; "all", "any" and "native" mean the same
	Pin          string // version or glob of versions; "" for the newest
	Exclude      bool
}

// ParseRequest reads a request as a spec has it: "name", "name:amd64",
// "name=1.2-3", "name=1.2*" or "!name".
func ParseRequest(s string) (Request, error) {
	name, exclude := strings.CutPrefix(s, "!")
	name, pin, pinned := strings.Cut(name, "=")
	name, arch, qualified := strings.Cut(name, ":")
	r := Request{Name: name, Architecture: arch, Pin: pin, Exclude: exclude}
	rs, err := debian.ParseRelations(name)
	switch {
	case err != nil || len(rs) != 1 || rs[0].String() != name:
		return r, fmt.Errorf("package request %.80q: expected name, name=version or !name", s)
	case exclude && (pinned || qualified):
		return r, fmt.Errorf("package request %.80q: an exclusion is for all versions, expected !name", s)
	case qualified && debian.CheckArchitecture(arch) != nil:
		return r, fmt.Errorf("package request %.80q: expected an architecture after ':'", s)
	case pinned && pin == "":
		return r, fmt.Errorf("package request %.80q: expected a version after '='", s)
	}
	for i := range len(pin) {
		if pin[i] <= ' ' || pin[i] > '~' {
			return r, fmt.Errorf("package request %.80q: found %q in the version", s, rune(pin[i]))
		}
	}
	return r, nil
}

// String returns the request as [ParseRequest] reads it.
func (r Request) String() string {
	s := r.Name
	if r.Architecture != "" {
		s += ":" + r.Architecture
	}
	if r.Pin != "" {
		s += "=" + r.Pin
	}
	if r.Exclude {
		s = "!" + s
	}
	return s
}

// selectVersion returns the version that the request asks for: the newest that
// its pin admits or, for a virtual package with one provider, the provider's.
func (u *Universe) selectVersion(r Request) (versionID, error) {
	n, ok := u.byName[r.Name]
	if !ok || !u.isNative(r.Architecture) {
		return none, u.unknown(r)
	}
	newest := u.nodes[n].newest
	if newest == none {
		return u.selectProvider(n, r)
	}
	if r.Pin == "" {
		return newest, nil
	}
	for v := newest; v != none; v = u.versions[v].older {
		if matchPin(r.Pin, u.versions[v].number) {
			return v, nil
		}
	}
	if v, ok := u.installed[n]; ok {
		return none, &InstalledError{Name: r.Name, Version: u.versions[v].number, Request: r.String()}
	}
	err := &NoVersionError{Name: r.Name, Pin: r.Pin, Where: u.String()}
	for v := newest; v != none; v = u.versions[v].older {
		err.Available = append(err.Available, u.versions[v].number)
	}
	return none, err
}

func (u *Universe) isNative(arch string) bool {
	switch arch {
	case "", "all", "any", "native", u.arch:
		return true
	}
	return false
}

// selectProvider returns the version that provides a name which is no package's,
// where only one package does.
func (u *Universe) selectProvider(n nodeID, r Request) (versionID, error) {
	var found []versionID
	var names []string
	for i := u.nodes[n].provided; i != none; i = u.provides[i].next {
		p := &u.provides[i]
		owner := &u.nodes[u.versions[p.version].node]
		if r.Pin == "" && owner.newest == p.version || r.Pin != "" && r.Pin == p.number {
			found = append(found, p.version)
		}
		if owner.newest == p.version {
			text := owner.name + " " + u.versions[p.version].number
			if p.number != "" {
				text += " (= " + p.number + ")"
			}
			names = append(names, text)
		}
	}
	switch {
	case len(names) == 0:
		return none, u.unknown(r)
	case len(found) == 0 && r.Pin != "":
		return none, &NoVersionError{Name: r.Name, Pin: r.Pin, Where: u.String(), Available: names}
	}
	for _, v := range found {
		if u.versions[v].node != u.versions[found[0]].node {
			return none, &VirtualPackageError{Name: r.Name, Providers: names}
		}
	}
	return found[0], nil
}

// excludedName returns the name that an exclusion keeps out.
func (u *Universe) excludedName(r Request) (nodeID, error) {
	n, ok := u.byName[r.Name]
	if v, has := u.installed[n]; ok && has {
		return none, &InstalledError{Name: r.Name, Version: u.versions[v].number, Request: r.String()}
	}
	switch {
	case ok && u.nodes[n].newest != none:
		return n, nil
	case !ok || u.nodes[n].provided == none:
		return none, u.unknown(r)
	}
	_, err := u.selectProvider(n, r)
	if virtual, ok := err.(*VirtualPackageError); ok {
		virtual.Excluded = true
		return none, virtual
	}
	provider := u.provides[u.nodes[n].provided].version
	return none, &VirtualPackageError{Name: r.Name, Excluded: true,
		Providers: []string{u.nodes[u.versions[provider].node].name + " " + u.versions[provider].number}}
}

// matchPin reports whether a version matches a pin: it is the pin, begins with it
// where the pin ends in '*', or matches it as a glob. As in apt, case does not matter.
func matchPin(pin, version string) bool {
	pin, version = strings.ToLower(pin), strings.ToLower(version)
	if prefix, ok := strings.CutSuffix(pin, "*"); ok {
		return strings.HasPrefix(version, prefix) || matchGlob(prefix+"*", version)
	}
	return pin == version || matchGlob(pin, version)
}

// matchGlob is fnmatch(3) without flags: '*' and '?' match any characters, [a-z]
// and [!a-z] one of a set, and a backslash takes the next character literally.
func matchGlob(pattern, s string) bool {
	for pattern != "" {
		switch pattern[0] {
		case '*':
			pattern = strings.TrimLeft(pattern, "*")
			for i := range len(s) + 1 {
				if matchGlob(pattern, s[i:]) {
					return true
				}
			}
			return false
		case '[':
			if s == "" {
				return false
			}
			if matched, rest, ok := matchSet(pattern, s[0]); ok {
				if !matched {
					return false
				}
				pattern, s = rest, s[1:]
				continue
			}
		case '\\':
			if len(pattern) > 1 {
				pattern = pattern[1:]
			}
		case '?':
			if s == "" {
				return false
			}
			pattern, s = pattern[1:], s[1:]
			continue
		}
		if s == "" || s[0] != pattern[0] {
			return false
		}
		pattern, s = pattern[1:], s[1:]
	}
	return s == ""
}

// matchSet matches c against the set that the pattern begins with; ok is false
// where no ']' ends one.
func matchSet(pattern string, c byte) (matched bool, rest string, ok bool) {
	set := pattern[1:]
	negated := set != "" && (set[0] == '!' || set[0] == '^')
	if negated {
		set = set[1:]
	}
	end := strings.IndexByte(set, ']')
	if end == 0 { // a ']' in front is a member
		end = strings.IndexByte(set[1:], ']') + 1
	}
	if end <= 0 {
		return false, "", false
	}
	for i := 0; i < end; i++ {
		low, high := set[i], set[i]
		if i+2 < end && set[i+1] == '-' {
			high = set[i+2]
			i += 2
		}
		matched = matched || low <= c && c <= high
	}
	return matched != negated, set[end+1:], true
}
