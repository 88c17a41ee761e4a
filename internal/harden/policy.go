package harden

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/tree"
)

// Profile is a choice of rules by name.
type Profile string

// The profiles of a spec (DESIGN.md, The spec).
const (
	Strict   Profile = "strict"   // what a running program does not read, and privilege bits
	Standard Profile = "standard" // documentation
	None     Profile = "none"     // nothing is left out
)

// Rule says what is left out of an image.
type Rule struct {
	ID       string
	Why      string
	Profiles []Profile
	Drop     []string // patterns of paths; see Match
	But      []string // patterns of paths that stay all the same
	Bits     uint32   // mode bits that files lose, but not directories
	// Capabilities says that files lose their capabilities(7).
	Capabilities bool
	Packages     bool // packages that only maintainer scripts need are left out; see internal/debian/prune
}

// Rules is the table of all rules, in the order in which they are asked.
var Rules = []Rule{
	{
		ID: "documentation", Profiles: []Profile{Strict, Standard},
		Why:  "nobody reads manuals in a container; copyright files stay, since licences demand them",
		Drop: []string{"usr/share/doc/**", "usr/share/doc-base/**", "usr/share/man/**", "usr/**/man/man[1-9]/**", "usr/share/info/**", "usr/share/gtk-doc/**", "usr/share/help/**"},
		But:  []string{"usr/share/doc/*/copyright"},
	},
	{
		ID: "packaging-metadata", Profiles: []Profile{Strict, Standard},
		Why:  "only Debian's own tools read it",
		Drop: []string{"usr/share/lintian/**", "usr/share/linda/**", "usr/share/bug/**", "usr/share/menu/**"},
	},
	{
		ID: "translations", Profiles: []Profile{Strict},
		Why:  "images speak C.UTF-8",
		Drop: []string{"usr/share/locale/**"},
		But:  []string{"usr/share/locale/locale.alias"},
	},
	{
		ID: "shell-completion", Profiles: []Profile{Strict},
		Why:  "nobody types in a container",
		Drop: []string{"usr/share/bash-completion/**", "usr/share/zsh/vendor-completions/**", "usr/share/fish/vendor_completions.d/**"},
	},
	{
		ID: "development-files", Profiles: []Profile{Strict},
		Why:  "only compilers read them",
		Drop: []string{"usr/include/**", "usr/lib/**/*.a", "usr/lib/**/*.la", "usr/lib/**/pkgconfig/**", "usr/share/pkgconfig/**", "usr/share/aclocal/**"},
	},
	{
		ID: "desktop-files", Profiles: []Profile{Strict},
		Why:  "a container has no desktop",
		Drop: []string{"usr/share/applications/**", "usr/share/pixmaps/**", "usr/share/icons/**"},
	},
	{
		ID: "privilege-bits", Profiles: []Profile{Strict},
		Why:  "a program with a set-user-id or set-group-id bit or with capabilities gives its caller rights that the image's user must not gain",
		Bits: tree.SetUID | tree.SetGID, Capabilities: true,
	},
	{
		ID: "maintainer-script-tools", Profiles: []Profile{Strict},
		Why:      "hardpan interprets maintainer scripts, so what only they call has nothing to do in an image",
		Packages: true,
	},
}

// Policy is the rules that hold for one image.
type Policy struct {
	rules    []Rule // about paths
	packages []Rule // about packages
	keep     []string
}

// UnknownRuleError says that a waiver names a rule that does not exist.
type UnknownRuleError struct{ ID string }

func (e *UnknownRuleError) Error() string {
	return fmt.Sprintf("hardening rule %q is not known, expected one of %s", e.ID, strings.Join(RuleIDs(), ", "))
}

// RuleIDs returns the names of all rules.
func RuleIDs() []string {
	ids := make([]string, len(Rules))
	for i, r := range Rules {
		ids[i] = r.ID
	}
	return ids
}

// NewPolicy returns the policy of a profile less the waived rules. What a pattern
// of keep matches, or what lies below a path of it, is never left out.
func NewPolicy(profile Profile, keep, waived []string) (*Policy, error) {
	for _, id := range waived {
		if !slices.Contains(RuleIDs(), id) {
			return nil, &UnknownRuleError{ID: id}
		}
	}
	p := &Policy{}
	for _, k := range keep {
		p.keep = append(p.keep, tree.Clean(k))
	}
	slices.Sort(p.keep)
	for _, r := range Rules {
		switch {
		case !slices.Contains(r.Profiles, profile) || slices.Contains(waived, r.ID):
		case r.Packages:
			p.packages = append(p.packages, r)
		default:
			p.rules = append(p.rules, r)
		}
	}
	return p, nil
}

// Drop returns the rule that leaves the path out, or nil where it stays.
func (p *Policy) Drop(name string) *Rule {
	for i := range p.rules {
		r := &p.rules[i]
		if matchAny(r.Drop, name) && !matchAny(r.But, name) && !p.keeps(name) {
			return r
		}
	}
	return nil
}

// Mode returns the mode that a file of the given mode has in the image, and the
// rule that changed it, nil where none did.
func (p *Policy) Mode(name string, mode uint32) (uint32, *Rule) {
	for i := range p.rules {
		if r := &p.rules[i]; mode&r.Bits != 0 && !p.keeps(name) {
			return mode &^ r.Bits, r
		}
	}
	return mode, nil
}

// Capability returns the rule that takes the capability of a file, nil where it keeps
// it.
func (p *Policy) Capability(name string) *Rule {
	for i := range p.rules {
		if r := &p.rules[i]; r.Capabilities && !p.keeps(name) {
			return r
		}
	}
	return nil
}

func (p *Policy) keeps(name string) bool {
	for _, k := range p.keep {
		if Match(k, name) || strings.HasPrefix(name, k+"/") {
			return true
		}
	}
	return false
}

// PackageRules returns the names of the rules that leave whole packages out, which
// a lock answers for.
func (p *Policy) PackageRules() []string {
	var ids []string
	for _, r := range p.packages {
		ids = append(ids, r.ID)
	}
	return ids
}

// Key returns a text that two policies share when they leave out the same of a package.
func (p *Policy) Key() string {
	b, err := json.Marshal(struct {
		Rules []Rule
		Keep  []string
	}{p.rules, p.keep})
	if err != nil {
		panic(err) // rules are plain data
	}
	return string(b)
}

func matchAny(patterns []string, name string) bool {
	for _, p := range patterns {
		if Match(p, name) {
			return true
		}
	}
	return false
}

// Match reports whether the path matches pattern, in which * stands for any part
// of one name and the name ** for any number of names, none included, except at
// the end, where it stands for at least one.
func Match(pattern, name string) bool {
	for {
		head, rest, more := strings.Cut(pattern, "/")
		if head == "**" {
			if !more {
				return name != ""
			}
			return matchDeep(rest, name)
		}
		first, below, deeper := strings.Cut(name, "/")
		if head != first {
			if ok, err := path.Match(head, first); !ok || err != nil {
				return false
			}
		}
		if !more || !deeper {
			return !more && !deeper
		}
		pattern, name = rest, below
	}
}

// matchDeep matches what follows a ** at every depth of name.
func matchDeep(pattern, name string) bool {
	for {
		if Match(pattern, name) {
			return true
		}
		_, below, ok := strings.Cut(name, "/")
		if !ok {
			return false
		}
		name = below
	}
}
