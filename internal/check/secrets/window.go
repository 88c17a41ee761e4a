package secrets

import (
	"cmp"
	"math"
	"regexp/syntax"
	"slices"
	"strings"

	"github.com/zricethezav/gitleaks/v8/config"
)

// A rule is one of gitleaks with what is known of its expression: where in a text it can
// match at all. An expression over the whole of each text that has one of the words
// would take minutes for an image.
type rule struct {
	config.Rule
	// around says that a match has one of the rule's keywords in it.
	around bool
	// assignment says that behind the keyword come an operator and a value.
	assignment bool
	most       int // bytes of a match
}

// operators is how gitleaks' rules write "name = value", most of them.
const operators = `(?:=|>|:{1,3}=|\|\||:|=>|\?=|,)`

// maxMatch is how many bytes a match may have whose expression sets no limit.
const maxMatch = 16 << 10

func newRule(r config.Rule) rule {
	n := rule{Rule: r, most: maxMatch}
	if r.Regex == nil {
		return n
	}
	text := strings.ReplaceAll(strings.ToLower(r.Regex.String()), `\.`, ".")
	n.around = len(r.Keywords) > 0 && !slices.Contains(apart, r.RuleID)
	for _, w := range r.Keywords {
		n.around = n.around && (strings.Contains(text, strings.ToLower(w)) || slices.Contains(otherwise, r.RuleID))
	}
	head, _, ok := strings.Cut(r.Regex.String(), operators)
	n.assignment = ok && n.around && strings.Contains(head, `[ \t\w.-]{0,20}`)
	for _, w := range r.Keywords {
		n.assignment = n.assignment && (r.RuleID == generic || strings.Contains(strings.ToLower(head), strings.ToLower(w)))
	}
	if parsed, err := syntax.Parse(r.Regex.String(), syntax.Perl); err == nil {
		n.most = min(longest(parsed), maxMatch)
	}
	return n
}

// otherwise are rules whose expression writes a keyword in another way than plainly,
// "passw(?:or)?d", "xox[os]-", but whose matches have it in them all the same; apart are
// those of which a keyword need only be somewhere in the text.
var (
	otherwise = []string{generic, "github-app-token", "linkedin-client-id", "linkedin-client-secret", "lob-api-key", "lob-pub-api-key", "messagebird-api-token", "messagebird-client-id",
		"privateai-api-token", "slack-config-access-token", "slack-legacy-token", "slack-legacy-workspace-token", "slack-user-token", "stripe-access-token", "facebook-page-access-token",
		"harness-api-key", "intra42-client-secret", "microsoft-teams-webhook", "vault-service-token"}
	apart = []string{"facebook-access-token", "airtable-personnal-access-token", "sourcegraph-access-token"}
)

// longest returns how many bytes a match has at most.
func longest(re *syntax.Regexp) int {
	const unlimited = math.MaxInt32
	switch re.Op {
	case syntax.OpLiteral:
		return 4 * len(re.Rune)
	case syntax.OpCharClass:
		if len(re.Rune) > 0 && re.Rune[len(re.Rune)-1] < 0x80 {
			return 1
		}
		return 4
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return 4
	case syntax.OpStar, syntax.OpPlus:
		return unlimited
	case syntax.OpRepeat:
		if re.Max < 0 {
			return unlimited
		}
		return min(unlimited, re.Max*longest(re.Sub[0]))
	case syntax.OpConcat, syntax.OpCapture, syntax.OpQuest:
		sum := 0
		for _, sub := range re.Sub {
			sum = min(unlimited, sum+longest(sub))
		}
		return sum
	case syntax.OpAlternate:
		most := 0
		for _, sub := range re.Sub {
			most = max(most, longest(sub))
		}
		return most
	}
	return 0
}

// A hit is a keyword in a text, from its first byte to behind its last.
type hit struct{ from, to int }

// margin is how much of a text a window has beside what a match may have, so that what
// an expression asks of the characters around it is asked of the right ones.
const margin = 64

// windows returns the parts of the text in which the rule can match, in their order and
// apart from each other.
func (r *rule) windows(text string, hits []hit) []hit {
	if !r.around {
		return []hit{{0, len(text)}}
	}
	var list []hit
	for _, h := range hits {
		if r.assignment && !assigned(text[h.to:]) {
			continue
		}
		list = append(list, hit{max(0, h.from-r.most-margin), min(len(text), h.to+r.most+margin)})
	}
	slices.SortFunc(list, func(a, b hit) int { return cmp.Compare(a.from, b.from) })
	var apart []hit
	for _, w := range list {
		if n := len(apart); n > 0 && w.from <= apart[n-1].to {
			apart[n-1].to = max(apart[n-1].to, w.to)
			continue
		}
		apart = append(apart, w)
	}
	return apart
}

// How far from a keyword its operator may be, and the shortest value, in bytes. The
// expressions ask for less and for more.
const (
	maxBetween = 32
	minValue   = 8
)

// assigned reports whether what follows a keyword may be the rest of its name, an
// operator and a value.
func assigned(rest string) bool {
	at := 0
	for at < len(rest) && at < maxBetween && !strings.ContainsRune("=>:|?,", rune(rest[at])) {
		if c := rest[at]; !isWord(c) && !strings.ContainsRune(" \t\r\n\f\v.-'\"", rune(c)) {
			return false
		}
		at++
	}
	if at >= len(rest) || at == maxBetween {
		return false
	}
	for skipped := 0; at < len(rest) && skipped < 16 && strings.ContainsRune("=>:|?,' \t\r\n\f\v\"`", rune(rest[at])); skipped++ {
		at++
	}
	value := 0
	for at+value < len(rest) && value < minValue && rest[at+value] > ' ' && rest[at+value] < 0x7f {
		value++
	}
	return value == minValue
}

func isWord(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
