package debian

import (
	"fmt"
	"iter"
	"slices"
	"strings"
)

// Relations is the value of a relationship field such as Depends: every
// [Alternatives] of it has to be satisfied (Debian Policy 7.1).
type Relations []Alternatives

// Alternatives is one entry of a relationship field, "a | b": any one of its
// relations satisfies it. It has at least one.
type Alternatives []Relation

// A Relation names a package, or what packages provide, and the versions that
// will do.
type Relation struct {
	Name      string
	Qualifier string // architecture qualifier: "any", "native", an architecture, or ""
	Operator  string // "<<", "<=", "=", ">=", ">>", or "" for any version
	Version   string // "" where Operator is
	// Restriction is the architecture list, "amd64 !i386" for [amd64 !i386], or "".
	Restriction string
}

// Admits reports whether version is one of those that the relation asks for.
func (r Relation) Admits(version string) bool {
	if r.Operator == "" {
		return true
	}
	c := CompareVersions(version, r.Version)
	switch r.Operator {
	case "<<":
		return c < 0
	case "<=":
		return c <= 0
	case "=":
		return c == 0
	case ">=":
		return c >= 0
	default:
		return c > 0
	}
}

// AppliesTo reports whether the relation's architecture list includes arch. A
// list of negated names includes all others; "any", "linux-any" and "any-amd64"
// are wildcards (Debian Policy 11.1.1).
func (r Relation) AppliesTo(arch string) bool {
	if r.Restriction == "" {
		return true
	}
	negated := false
	for term := range strings.FieldsSeq(r.Restriction) {
		name, not := strings.CutPrefix(term, "!")
		negated = negated || not
		if matchArchitecture(name, arch) {
			return !not
		}
	}
	return negated
}

func matchArchitecture(pattern, arch string) bool {
	if pattern == arch || pattern == "any" {
		return true
	}
	kernel, cpu := "linux", arch
	if before, after, ok := strings.Cut(arch, "-"); ok {
		kernel, cpu = before, after
	}
	before, after, ok := strings.Cut(pattern, "-")
	return ok && (before == "any" || before == kernel) && (after == "any" || after == cpu)
}

// String returns the relation as a control file has it, "libc6 (>= 2.41)".
func (r Relation) String() string {
	s := r.Name
	if r.Qualifier != "" {
		s += ":" + r.Qualifier
	}
	if r.Operator != "" {
		s += " (" + r.Operator + " " + r.Version + ")"
	}
	if r.Restriction != "" {
		s += " [" + r.Restriction + "]"
	}
	return s
}

// String returns the relations joined by " | ".
func (a Alternatives) String() string {
	texts := make([]string, len(a))
	for i, r := range a {
		texts[i] = r.String()
	}
	return strings.Join(texts, " | ")
}

// String returns the field's value on one line.
func (rs Relations) String() string {
	texts := make([]string, len(rs))
	for i, a := range rs {
		texts[i] = a.String()
	}
	return strings.Join(texts, ", ")
}

// ParseRelations reads the value of a relationship field. The obsolete operators
// "<" and ">" are read as dpkg reads them, as "<=" and ">=". Build profiles,
// which a binary package cannot have, are refused.
func ParseRelations(s string) (Relations, error) {
	var rs Relations
	for r, err := range EachRelation(s) {
		if err != nil {
			return nil, err
		}
		if r.First {
			rs = append(rs, nil)
		}
		last := len(rs) - 1
		rs[last] = append(rs[last], r.Relation)
	}
	return rs, nil
}

// A FieldRelation is a relation in its field; First tells that it begins a new
// [Alternatives].
type FieldRelation struct {
	Relation
	First bool
}

// EachRelation reads the value of a relationship field, one relation at a time
// and without allocating. An error, which ends it, says which text was found.
func EachRelation(s string) iter.Seq2[FieldRelation, error] {
	return func(yield func(FieldRelation, error) bool) {
		rest, first := trimSpace(s), true
		for rest != "" {
			if first && rest[0] == ',' { // dpkg's tools tolerate an empty entry
				rest = trimSpace(rest[1:])
				continue
			}
			r, after, err := cutRelation(rest)
			if err != nil {
				yield(FieldRelation{}, fmt.Errorf("relation %.80q: %w", rest, err))
				return
			}
			if !yield(FieldRelation{r, first}, nil) {
				return
			}
			if after == "" {
				return
			}
			first = after[0] == ','
			rest = trimSpace(after[1:])
			if rest == "" && !first {
				yield(FieldRelation{}, fmt.Errorf("relation %.80q: nothing after '|'", s))
				return
			}
		}
	}
}

// cutRelation reads the relation that s begins with and returns what follows it:
// nothing, or text that begins with ',' or '|'.
func cutRelation(s string) (r Relation, rest string, err error) {
	n := 0
	for n < len(s) && !isSpace(s[n]) && strings.IndexByte("(),|[]<>", s[n]) < 0 {
		n++
	}
	name, qualifier, qualified := strings.Cut(s[:n], ":")
	r.Name, r.Qualifier = name, qualifier
	if err := checkName(name); err != nil {
		return r, "", err
	}
	if qualified && CheckArchitecture(qualifier) != nil {
		return r, "", fmt.Errorf("qualifier %.40q is no architecture", qualifier)
	}
	rest = trimSpace(s[n:])
	if rest != "" && rest[0] == '(' {
		if rest, err = r.cutVersion(rest[1:]); err != nil {
			return r, "", err
		}
	}
	if rest != "" && rest[0] == '[' {
		list, after, ok := strings.Cut(rest[1:], "]")
		if !ok || trimSpace(list) == "" {
			return r, "", fmt.Errorf("found %.40q, expected a list of architectures", rest)
		}
		if err := checkRestriction(list); err != nil {
			return r, "", err
		}
		r.Restriction, rest = strings.TrimSpace(list), trimSpace(after)
	}
	switch {
	case rest != "" && rest[0] == '<':
		return r, "", fmt.Errorf("found a build profile, %.40q, in a relation of binary packages", rest)
	case rest != "" && rest[0] != ',' && rest[0] != '|':
		return r, "", fmt.Errorf("found %.40q, expected ',' or '|'", rest)
	}
	return r, rest, nil
}

// cutVersion reads ">= 1.0)" and returns what follows.
func (r *Relation) cutVersion(s string) (rest string, err error) {
	inner, after, ok := strings.Cut(s, ")")
	if !ok {
		return "", fmt.Errorf("found %.40q, expected a closing ')'", s)
	}
	inner = strings.Trim(inner, " \t\n\r")
	n := 0
	for n < len(inner) && n < 2 && strings.IndexByte("<>=", inner[n]) >= 0 {
		n++
	}
	switch op := inner[:n]; op {
	case "<<", "<=", "=", ">=", ">>":
		r.Operator = op
	case "<":
		r.Operator = "<="
	case ">":
		r.Operator = ">="
	default:
		return "", fmt.Errorf("found (%.40s), expected an operator and a version", inner)
	}
	r.Version = trimSpace(inner[n:])
	if err := CheckVersion(r.Version); err != nil {
		return "", err
	}
	return trimSpace(after), nil
}

func checkRestriction(list string) error {
	terms := strings.Fields(list)
	for _, term := range terms {
		name := strings.TrimPrefix(term, "!")
		if CheckArchitecture(name) != nil {
			return fmt.Errorf("found %.40q in a list of architectures", term)
		}
	}
	// Policy 7.1: either all are negated or none is.
	negated := func(term string) bool { return term[0] == '!' }
	if slices.ContainsFunc(terms, negated) != negated(terms[0]) {
		return fmt.Errorf("[%.60s] mixes negated and plain architectures", list)
	}
	return nil
}

func trimSpace(s string) string {
	for s != "" && isSpace(s[0]) {
		s = s[1:]
	}
	return s
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }
