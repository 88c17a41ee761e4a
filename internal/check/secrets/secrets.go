package secrets

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"

	ahocorasick "github.com/BobuSumisu/aho-corasick"
	"github.com/spf13/viper"
	"github.com/zricethezav/gitleaks/v8/config"
)

// Finding is one secret.
type Finding struct {
	Rule  string // of gitleaks: "aws-access-token", "private-key"
	About string // what it would be, in words
	Line  int    // of the text, from 1
	Shown string // the beginning of the secret, enough to find it again and no more
	// Member is what of an archive has it, "" where the file itself does.
	Member string

	secret string // gone before anybody else sees it
	at     int    // offset of the match
}

// A Detector looks for secrets. It may be used by several goroutines.
type Detector struct {
	config  config.Config
	ordered []rule
	words   *ahocorasick.Trie
	byWord  map[string][]int // rules by the keyword that a text must have, in lower case
	always  []int            // rules without one
}

// Default returns the detector of gitleaks' own rules. They are compiled at the first
// call; the error then is the same at each.
var Default = sync.OnceValues(func() (*Detector, error) { return parse(config.DefaultConfig) })

func parse(text string) (*Detector, error) {
	v := viper.New()
	v.SetConfigType("toml")
	if err := v.ReadConfig(strings.NewReader(text)); err != nil {
		return nil, fmt.Errorf("cannot read rules about secrets: %w", err)
	}
	var raw config.ViperConfig
	if err := v.Unmarshal(&raw); err != nil {
		return nil, fmt.Errorf("cannot read rules about secrets: %w", err)
	}
	c, err := raw.Translate()
	if err != nil {
		return nil, fmt.Errorf("cannot read rules about secrets: %w", err)
	}
	d := &Detector{config: c, byWord: map[string][]int{}}
	var words []string
	for i, r := range c.GetOrderedRules() {
		d.ordered = append(d.ordered, newRule(r))
		if len(r.Keywords) == 0 {
			d.always = append(d.always, i)
		}
		for _, w := range r.Keywords {
			w = strings.ToLower(w)
			if d.byWord[w] == nil {
				words = append(words, w)
			}
			d.byWord[w] = append(d.byWord[w], i)
		}
	}
	d.words = ahocorasick.NewTrieBuilder().AddStrings(words).Build()
	return d, nil
}

// Rules is how many rules the detector has.
func (d *Detector) Rules() int { return len(d.ordered) }

// Ignores reports whether no file of that name is looked at: pictures, fonts, lock
// files and modules that somebody else published.
func (d *Detector) Ignores(name string) bool { return pathAllowed(d.config.Allowlists, name) }

// Find returns what looks like a secret in text, which is the content of the file name,
// or of no file where that is "". Each secret of a line is told once. Text that lies
// under base64 is searched too, once: base64 of base64 is not.
func (d *Detector) Find(name string, text []byte) []Finding {
	found := d.find(name, text)
	for at, plain := range encoded(text) {
		for _, f := range d.find(name, plain) {
			f.Line = 1 + bytes.Count(text[:at], []byte{'\n'})
			f.About = "in base64, " + f.About
			found = append(found, f)
		}
	}
	return found
}

func (d *Detector) find(name string, text []byte) []Finding {
	hits := d.candidates(text)
	if hits == nil {
		return nil
	}
	var found []Finding
	whole := string(text)
	for _, i := range d.inOrder(hits) {
		r := &d.ordered[i]
		if r.SkipReport || r.Regex == nil || pathAllowed(r.Allowlists, name) || r.Path != nil && !r.Path.MatchString(name) {
			continue
		}
		for _, w := range r.windows(whole, hits[i]) {
			for _, f := range d.match(&r.Rule, name, whole, w) {
				found = add(found, f, whole)
			}
		}
	}
	for i := range found {
		found[i].Line = 1 + strings.Count(whole[:found[i].at], "\n")
		found[i].secret = ""
	}
	slices.SortStableFunc(found, func(a, b Finding) int { return a.at - b.at })
	return found
}

// add adds a finding unless it is there already, or is the generic rule's word about
// what another rule knows better.
func add(found []Finding, f Finding, text string) []Finding {
	sameLine := func(g Finding) bool {
		return !strings.Contains(text[min(f.at, g.at):max(f.at, g.at)], "\n")
	}
	if slices.ContainsFunc(found, func(g Finding) bool {
		return g.secret == f.secret && g.at == f.at || f.Rule == generic && strings.Contains(g.secret, f.secret) && sameLine(g)
	}) {
		return found
	}
	return append(found, f)
}

// generic is the rule that speaks only where no other does.
const generic = "generic-api-key"

// candidates returns where the words of rules are in the text, by rule.
func (d *Detector) candidates(text []byte) map[int][]hit {
	var hits map[int][]hit
	note := func(i int, h ...hit) {
		if hits == nil {
			hits = map[int][]hit{}
		}
		hits[i] = append(hits[i], h...)
	}
	for _, i := range d.always {
		note(i)
	}
	// A letter that is no ASCII may have another length in lower case: words are ASCII.
	for _, m := range d.words.Match(lower(text)) {
		h := hit{int(m.Pos()), int(m.Pos()) + len(m.Match())}
		for _, i := range d.byWord[string(m.Match())] {
			note(i, h)
		}
	}
	return hits
}

// lower returns text with ASCII letters in lower case.
func lower(text []byte) []byte {
	out := make([]byte, len(text))
	for i, c := range text {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		out[i] = c
	}
	return out
}

// inOrder returns the rules, the generic one last.
func (d *Detector) inOrder(hits map[int][]hit) []int {
	return slices.SortedFunc(maps.Keys(hits), func(a, b int) int {
		if x, y := d.ordered[a].RuleID == generic, d.ordered[b].RuleID == generic; x != y {
			if x {
				return 1
			}
			return -1
		}
		return a - b
	})
}

// match returns what a rule finds in a part of the text, as gitleaks'
// detect.detectRule does in all of it.
func (d *Detector) match(r *config.Rule, name, text string, in hit) []Finding {
	var found []Finding
	for _, at := range r.Regex.FindAllStringIndex(text[in.from:in.to], -1) {
		from, to := at[0]+in.from, at[1]+in.from
		match := strings.Trim(text[from:to], "\n")
		secret, ok := secretOf(r, match)
		if !ok || r.Entropy != 0 && entropy(secret) <= r.Entropy {
			continue
		}
		around := lineAround(text, from, from+len(match))
		if strings.Contains(around, "gitleaks:allow") || allowed(d.config.Allowlists, name, match, secret, around) || allowed(r.Allowlists, name, match, secret, around) {
			continue
		}
		if len(r.RequiredRules) > 0 && !d.required(r, text) {
			continue
		}
		start := to - len(strings.TrimLeft(text[from:to], "\n"))
		found = append(found, Finding{Rule: r.RuleID, About: r.Description, Shown: redact(secret), secret: secret, at: start})
	}
	return found
}

// required reports whether the other parts of a secret that has several are there.
func (d *Detector) required(r *config.Rule, text string) bool {
	for _, other := range r.RequiredRules {
		o, ok := d.config.Rules[other.RuleID]
		if !ok || o.Regex == nil || !o.Regex.MatchString(text) {
			return false
		}
	}
	return true
}

// secretOf returns the part of a match that is the secret: the group that the rule
// names, or else the first that is not empty, or all of it.
func secretOf(r *config.Rule, match string) (string, bool) {
	groups := r.Regex.FindStringSubmatch(match)
	if r.SecretGroup > 0 && len(groups) > 1 {
		if len(groups) <= r.SecretGroup {
			return "", false
		}
		return groups[r.SecretGroup], true
	}
	for i, g := range groups {
		if i > 0 && g != "" {
			return g, true
		}
	}
	return match, true
}

// maxLine bounds what is taken for the line of a match, in bytes to each side.
const maxLine = 4 << 10

func lineAround(text string, from, to int) string {
	begin := strings.LastIndexByte(text[max(0, from-maxLine):from], '\n') + 1 + max(0, from-maxLine)
	rest := text[to:min(len(text), to+maxLine)]
	if end := strings.IndexByte(rest, '\n'); end >= 0 {
		rest = rest[:end]
	}
	return text[begin:to] + rest
}

// allowed reports whether one of the lists says that the match is no secret. A list
// speaks for what its target names, and with the condition AND only if all parts that
// it has do.
func allowed(lists []*config.Allowlist, name, match, secret, line string) bool {
	return slices.ContainsFunc(lists, func(a *config.Allowlist) bool {
		target := secret
		switch a.RegexTarget {
		case "match":
			target = match
		case "line":
			target = line
		}
		regex := a.RegexAllowed(target)
		word, _ := a.ContainsStopWord(secret)
		if a.MatchCondition != config.AllowlistMatchAnd {
			return regex || word
		}
		parts := 0
		for _, p := range []struct{ has, holds bool }{
			{len(a.Paths) > 0, a.PathAllowed(name)}, {len(a.Regexes) > 0, regex}, {len(a.StopWords) > 0, word}, {len(a.Commits) > 0, false},
		} {
			if p.has && !p.holds {
				return false
			}
			if p.has {
				parts++
			}
		}
		return parts > 0
	})
}

func pathAllowed(lists []*config.Allowlist, name string) bool {
	return name != "" && slices.ContainsFunc(lists, func(a *config.Allowlist) bool {
		if a.MatchCondition == config.AllowlistMatchAnd && len(a.Regexes)+len(a.StopWords)+len(a.Commits) > 0 {
			return false
		}
		return a.PathAllowed(name)
	})
}

// entropy is Shannon's, in bits for a byte, as the rules' limits were chosen for.
func entropy(s string) float64 {
	counts := map[rune]int{}
	for _, r := range s {
		counts[r]++
	}
	var bits float64
	for _, n := range counts {
		p := float64(n) / float64(len(s))
		bits -= p * math.Log2(p)
	}
	return bits
}

// redact keeps the beginning of a secret: a quarter of it, at most eight characters.
func redact(secret string) string {
	secret, _, _ = strings.Cut(secret, "\n")
	n := min(8, len(secret)/4)
	return strings.ToValidUTF8(secret[:n], "") + fmt.Sprintf("... (%d characters)", len(secret))
}
