package harden

import (
	"encoding/json"
	"path"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/harden/tool"
	"github.com/hardpan/hardpan/internal/tree"
)

// Policy is the rules that hold for one image.
type Policy struct {
	rules    []*Rule // about paths
	packages []*Rule // about packages
	refused  []*Rule // about what files are
	keep     []string
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
	for i := range Rules {
		r := &Rules[i]
		if !slices.Contains(r.Profiles, profile) || slices.Contains(waived, r.ID) {
			continue
		}
		switch {
		case r.Strip == nil:
		case r.Strip.Packages:
			p.packages = append(p.packages, r)
		default:
			p.rules = append(p.rules, r)
		}
		if len(r.Kinds) > 0 {
			p.refused = append(p.refused, r)
		}
	}
	return p, nil
}

// Drop returns the rule that leaves the path out, or nil where it stays.
func (p *Policy) Drop(name string) *Rule {
	for _, r := range p.rules {
		if r.Strip.Leaves(name) && !p.keeps(name) {
			return r
		}
	}
	return nil
}

// Mode returns the mode that a file of the given mode has in the image, and the
// rule that changed it, nil where none did.
func (p *Policy) Mode(name string, mode uint32) (uint32, *Rule) {
	for _, r := range p.rules {
		if mode&r.Strip.Bits != 0 && !p.keeps(name) {
			return mode &^ r.Strip.Bits, r
		}
	}
	return mode, nil
}

// Capability returns the rule that takes the capability of a file, nil where it keeps
// it.
func (p *Policy) Capability(name string) *Rule {
	for _, r := range p.rules {
		if r.Strip.Capabilities && !p.keeps(name) {
			return r
		}
	}
	return nil
}

// Refuse returns the first of a file's tools that may not be in the image, and the rule
// that says so; nil where all may. name is the file's path. Interpreters are not
// refused: whether one is declared is seen in the whole image.
func (p *Policy) Refuse(name string, tools []tool.Tool) (*Rule, tool.Tool) {
	if len(tools) == 0 || p.keeps(name) {
		return nil, tool.Tool{}
	}
	for _, r := range p.refused {
		for _, t := range tools {
			if slices.Contains(r.Kinds, t.Kind) {
				return r, t
			}
		}
	}
	return nil, tool.Tool{}
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
	strips := map[string]*Strip{}
	for _, r := range p.rules {
		strips[r.ID] = r.Strip
	}
	b, err := json.Marshal(struct {
		Rules map[string]*Strip
		Keep  []string
	}{strips, p.keep})
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
	if !mayMatch(pattern, name) {
		return false
	}
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

// mayMatch reports whether the path begins as the pattern does, up to its first special
// character: few paths do, and to find that out takes the least time.
func mayMatch(pattern, name string) bool {
	for i := range len(pattern) {
		switch c := pattern[i]; {
		case c == '*' || c == '?' || c == '[' || c == '\\':
			return true
		case i == len(name) || name[i] != c:
			return false
		}
	}
	return len(pattern) == len(name)
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
