package regex

import (
	"errors"
	"unicode"
	"unicode/utf8"
)

// Syntax is a dialect of regular expressions.
type Syntax int

// The dialects.
const (
	Basic    Syntax = iota // POSIX basic: sed, expr
	Extended               // POSIX extended: sed -E
	Grep                   // Basic, but operators without an operand are no error
	Egrep                  // Extended, in the same way: grep -E
	Awk                    // Extended with escapes, in brackets too, and without back-references
	Emacs                  // of GNU find by default: Basic with + and ? as operators, without intervals
)

// Options say how an expression is read. The zero value is a basic one in the
// locale C.UTF-8.
type Options struct {
	Syntax    Syntax
	FoldCase  bool // upper and lower case are the same
	Multiline bool // ^ and $ match at each line
	Bytes     bool // the locale is C: characters are bytes
	Whole     bool // the whole text must match
	Prefix    bool // the match must start where the text does
	Words     bool // no letter, digit or underscore may be before or after the match (grep -w)
	NoGroups  bool // what groups match is not asked for, which saves time

	// Steps bounds how many positions are tried to find a match that package regexp
	// cannot find; 0 is a million.
	Steps int
}

// Errors are worded as those of regerror(3).
var (
	ErrBackReference = errors.New("Invalid back reference")
	ErrBracket       = errors.New("Unmatched [, [^, [:, [., or [=")
	ErrParenthesis   = errors.New("Unmatched ( or \\(")
	ErrUnopened      = errors.New("Unmatched ) or \\)")
	ErrBrace         = errors.New("Unmatched \\{")
	ErrInterval      = errors.New("Invalid content of \\{\\}")
	ErrRange         = errors.New("Invalid range end")
	ErrClass         = errors.New("Invalid character class name")
	ErrCollation     = errors.New("Invalid collation character")
	ErrBackslash     = errors.New("Trailing backslash")
	ErrRepeat        = errors.New("Invalid preceding regular expression")
	ErrSize          = errors.New("Regular expression too big")
	ErrClassSyntax   = errors.New("character class syntax is [[:space:]], not [:space:]")
	// ErrSteps says that finding a match takes too many steps.
	ErrSteps = errors.New("regular expression takes too many steps")
)

type kind int

const (
	kSet    kind = iota // one character of a set
	kSeq                // subs, one after the other
	kAlt                // one of subs
	kRepeat             // subs[0], lo to hi times; hi < 0 is without end
	kGroup              // subs[0], which is group number
	kBack               // what group number matched
	kAssert             // a place
)

// node is a part of an expression.
type node struct {
	kind   kind
	subs   []*node
	lo, hi int
	number int
	set    *set
	place  place
}

// place is what must be around a position.
type place int

const (
	lineStart place = iota
	lineEnd
	textStart
	textEnd
	wordEdge
	notWordEdge
	wordStart
	wordEnd
	notAfterWord
	notBeforeWord
)

// set is a set of characters: ranges, and beyond ASCII whole classes.
type set struct {
	not    bool
	ranges []rune // pairs of first and last
	tables []*unicode.RangeTable
	props  string // the tables in the language of package regexp
	fold   bool
}

func (s *set) add(lo, hi rune) { s.ranges = append(s.ranges, lo, hi) }

func (s *set) has(r rune) bool {
	in := s.hasExactly(r)
	if !in && s.fold {
		for f := unicode.SimpleFold(r); f != r && !in; f = unicode.SimpleFold(f) {
			in = s.hasExactly(f)
		}
	}
	return in != s.not
}

func (s *set) hasExactly(r rune) bool {
	for i := 0; i < len(s.ranges); i += 2 {
		if s.ranges[i] <= r && r <= s.ranges[i+1] {
			return true
		}
	}
	return r > unicode.MaxASCII && unicode.In(r, s.tables...)
}

// onlyWords reports whether all characters of the set are those of words.
func (s *set) onlyWords() bool {
	if s.not || len(s.tables) > 0 {
		return false
	}
	for i := 0; i < len(s.ranges); i += 2 {
		if s.ranges[i+1]-s.ranges[i] > 127 {
			return false
		}
		for r := s.ranges[i]; r <= s.ranges[i+1]; r++ {
			if r > unicode.MaxASCII || !isWord(r) {
				return false
			}
		}
	}
	return true
}

func isWord(r rune) bool {
	return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r)
}

// class is a class of characters: its part in ASCII, and what it has beyond.
type class struct {
	ascii  []rune
	tables []*unicode.RangeTable
	props  string
}

var (
	letters = []*unicode.RangeTable{unicode.L}
	printed = []*unicode.RangeTable{unicode.L, unicode.M, unicode.N, unicode.P, unicode.S}
)

var classes = map[string]class{
	"alpha":  {[]rune("AZaz"), letters, `\p{L}`},
	"digit":  {[]rune("09"), nil, ""},
	"alnum":  {[]rune("09AZaz"), []*unicode.RangeTable{unicode.L, unicode.Nd}, `\p{L}\p{Nd}`},
	"upper":  {[]rune("AZ"), []*unicode.RangeTable{unicode.Lu}, `\p{Lu}`},
	"lower":  {[]rune("az"), []*unicode.RangeTable{unicode.Ll}, `\p{Ll}`},
	"space":  {[]rune("\t\r  "), []*unicode.RangeTable{unicode.Zs, unicode.Zl, unicode.Zp}, `\p{Zs}\p{Zl}\p{Zp}`},
	"blank":  {[]rune("\t\t  "), []*unicode.RangeTable{unicode.Zs}, `\p{Zs}`},
	"punct":  {[]rune("!/:@[`{~"), []*unicode.RangeTable{unicode.P, unicode.S}, `\p{P}\p{S}`},
	"print":  {[]rune(" ~"), append(printed, unicode.Zs), `\p{L}\p{M}\p{N}\p{P}\p{S}\p{Zs}`},
	"graph":  {[]rune("!~"), printed, `\p{L}\p{M}\p{N}\p{P}\p{S}`},
	"cntrl":  {[]rune{0, 31, 127, 127}, []*unicode.RangeTable{unicode.Cc}, `\p{Cc}`},
	"xdigit": {[]rune("09AFaf"), nil, ""},
	"word":   {[]rune("09AZ__az"), []*unicode.RangeTable{unicode.L, unicode.Nd}, `\p{L}\p{Nd}`}, // no name in brackets: \w
}

func (s *set) addClass(name string, bytes bool) {
	c := classes[name]
	s.ranges = append(s.ranges, c.ascii...)
	if !bytes {
		s.tables = append(s.tables, c.tables...)
		s.props += c.props
	}
}

// byteBase is added to a byte beyond ASCII where characters are bytes, so that it
// is a character of its own, without a case.
const byteBase = 0xE000

// widen returns a text in which each byte beyond ASCII is one character.
func widen(s string) string {
	if isASCII(s) {
		return s
	}
	b := make([]byte, 0, 2*len(s))
	for i := range len(s) {
		if s[i] < utf8.RuneSelf {
			b = append(b, s[i])
		} else {
			b = utf8.AppendRune(b, byteBase+rune(s[i]))
		}
	}
	return string(b)
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
