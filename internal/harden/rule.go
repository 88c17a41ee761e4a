package harden

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/harden/tool"
)

// Profile is a choice of rules by name.
type Profile string

// The profiles of a spec (DESIGN.md, The spec).
const (
	Strict   Profile = "strict"   // what a running program does not read, and privilege bits
	Standard Profile = "standard" // documentation
	None     Profile = "none"     // nothing is left out
)

// Severity says how much an image that breaks a rule is worse for it.
type Severity uint8

// The severities, the least first.
const (
	Info     Severity = iota // to know; no image is worse for it alone
	Low                      // more to attack than there need be
	Medium                   // a step that an intruder can use
	High                     // a way in, or up
	Critical                 // nothing more is needed
)

var severityNames = []string{"info", "low", "medium", "high", "critical"}

func (s Severity) String() string { return severityNames[s] }

// MarshalText returns the name of s.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the name of a severity.
func (s *Severity) UnmarshalText(b []byte) error {
	i := slices.Index(severityNames, string(b))
	if i < 0 {
		return fmt.Errorf("severity is %q, expected one of %s", b, strings.Join(severityNames, ", "))
	}
	*s = Severity(i)
	return nil
}

// A Gate says how bad a broken rule has to be for an image not to be published. The zero
// value lets everything through.
type Gate struct {
	Shut  bool
	Least Severity // that does not pass
}

// Never is the name of the gate that lets everything through.
const Never = "never"

// ParseGate reads the name of a severity, or "never".
func ParseGate(name string) (Gate, error) {
	if name == Never {
		return Gate{}, nil
	}
	g := Gate{Shut: true}
	if err := g.Least.UnmarshalText([]byte(name)); err != nil {
		return Gate{}, fmt.Errorf("%w, or %s", err, Never)
	}
	return g, nil
}

// String returns what [ParseGate] reads.
func (g Gate) String() string {
	if !g.Shut {
		return Never
	}
	return g.Least.String()
}

// Refuses reports whether something of that severity does not pass.
func (g Gate) Refuses(s Severity) bool { return g.Shut && s >= g.Least }

// GateOf returns the gate of a profile: strict stops at a way in, standard, which keeps
// shells and set-id bits on purpose, where nothing more is needed, and none at nothing.
func GateOf(p Profile) Gate {
	switch p {
	case Strict:
		return Gate{true, High}
	case Standard:
		return Gate{true, Critical}
	}
	return Gate{}
}

// Rule is a line of the table: what an image should be, why, and what becomes of
// what breaks it. The builder leaves out what Strip says, refuses files of Kinds, and
// every image is judged by what the rule looks at.
type Rule struct {
	ID       string
	Title    string // what holds of an image that keeps the rule
	Severity Severity
	Why      string
	Looks    string // what is looked at
	Fix      string // what to do about an image that breaks it
	Controls Controls

	Profiles []Profile   // in which the builder applies the rule
	Strip    *Strip      // what is left out where a package becomes a layer
	Kinds    []tool.Kind // of files that break the rule
}

// Strip says what is left out of an image.
type Strip struct {
	Drop []string // patterns of paths; see Match
	But  []string // patterns of paths that stay all the same
	Bits uint32   // mode bits that files lose, but not directories
	// Capabilities says that files lose their capabilities(7).
	Capabilities bool
	Packages     bool // packages that only maintainer scripts need are left out; see internal/debian/prune
}

// Leaves reports whether the path is left out.
func (s *Strip) Leaves(name string) bool { return matchAny(s.Drop, name) && !matchAny(s.But, name) }

// Controls are the controls of others that a rule answers, each a list of numbers
// separated by spaces.
type Controls struct {
	CIS      string // CIS Docker Benchmark v1.6.0
	NIST     string // NIST SP 800-190, section
	CCI      string // DISA Control Correlation Identifiers, which lead to NIST SP 800-53
	Dockle   string // checkpoints of Dockle
	Hadolint string // rules of hadolint, where a Dockerfile shows the same
}

// Control is one control of one list.
type Control struct{ Of, Number string }

// List returns the controls one by one, the name of their list with each.
func (c *Controls) List() []Control {
	var list []Control
	for _, l := range []struct{ of, numbers string }{
		{"CIS Docker", c.CIS}, {"NIST SP 800-190", c.NIST}, {"DISA", c.CCI}, {"Dockle", c.Dockle}, {"hadolint", c.Hadolint},
	} {
		for number := range strings.FieldsSeq(l.numbers) {
			list = append(list, Control{l.of, number})
		}
	}
	return list
}

// RuleOf returns the rule of that name, nil where there is none.
func RuleOf(id string) *Rule {
	for i := range Rules {
		if Rules[i].ID == id {
			return &Rules[i]
		}
	}
	return nil
}

// RuleAbout returns the rule that files of a kind break.
func RuleAbout(kind tool.Kind) *Rule {
	for i := range Rules {
		if slices.Contains(Rules[i].Kinds, kind) {
			return &Rules[i]
		}
	}
	return nil
}

// RuleIDs returns the names of all rules.
func RuleIDs() []string {
	ids := make([]string, len(Rules))
	for i, r := range Rules {
		ids[i] = r.ID
	}
	return ids
}

// UnknownRuleError says that a waiver or a profile names a rule that does not exist.
type UnknownRuleError struct{ ID string }

func (e *UnknownRuleError) Error() string {
	message := fmt.Sprintf("hardening rule %q is not known", e.ID)
	if near := nearest(e.ID, RuleIDs()); near != "" {
		message += fmt.Sprintf("; did you mean %q?", near)
	}
	return message
}

// Hint says where the rules are listed.
func (e *UnknownRuleError) Hint() string { return "hardpan check --list-rules prints all rules" }

// nearest returns the candidate that takes the fewest insertions, deletions and changes
// to write (Levenshtein's distance), "" where that is more than a third of name.
func nearest(name string, candidates []string) string {
	best, least := "", max(1, len(name)/3)+1
	for _, c := range candidates {
		last := make([]int, len(c)+1)
		for j := range last {
			last[j] = j
		}
		for i := range len(name) {
			row := []int{i + 1}
			for j := range len(c) {
				change := last[j]
				if name[i] != c[j] {
					change++
				}
				row = append(row, min(change, last[j+1]+1, row[j]+1))
			}
			last = row
		}
		if last[len(c)] < least {
			best, least = c, last[len(c)]
		}
	}
	return best
}
