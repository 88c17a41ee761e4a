package regex_test

import (
	"fmt"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/maint/regex"
)

// show writes the matches of a text as "[match|group 1|...]".
func show(t testing.TB, re *regex.Regexp, text string) string {
	t.Helper()
	all, err := re.All(text, -1)
	if err != nil {
		t.Fatal(err)
	}
	if matches, err := re.Match(text); err != nil || matches != (len(all) > 0) {
		t.Errorf("Match(%q): %v, %v, but All finds %d", text, matches, err, len(all))
	}
	var b strings.Builder
	from := 0
	for _, loc := range all {
		b.WriteString(text[from:loc[0]] + "[")
		for i := 0; i < len(loc); i += 2 {
			if i > 0 {
				b.WriteByte('|')
			}
			if loc[i] >= 0 {
				b.WriteString(text[loc[i]:loc[i+1]])
			}
		}
		b.WriteByte(']')
		from = loc[1]
	}
	return b.String() + text[from:]
}

func TestMatches(t *testing.T) {
	tests := []struct {
		syntax     regex.Syntax
		expr, text string
		want       string
	}{
		{regex.Basic, `a*`, "baac", "[]b[aa]c[]"},
		{regex.Basic, `a\+b\?`, "aab a", "[aab] [a]"},
		{regex.Basic, `*a^b$c`, "*a^b$c", "[*a^b$c]"},
		{regex.Basic, `\(*a\|b\)`, "*ab", "[*a|*a][b|b]"},
		{regex.Basic, `^*a`, "*a*a", "[*a]*a"},
		{regex.Basic, `^^`, "^a", "[^]a"}, // the second is a character, as for grep and sed
		{regex.Basic, `\(^^\)`, "a^", "a^"},
		{regex.Basic, `\(^a\)b$`, "ab", "[ab|a]"},
		{regex.Basic, `x\{2,3\}`, "xxxxxx x", "[xxx][xxx] x"},
		{regex.Basic, `\(a.\)\1`, "abab aaca", "[abab|ab] aaca"},
		{regex.Basic, `\(.\)\(.\)\2\1`, "xabbax", "x[abba|a|b]x"},
		{regex.Basic, `\<.`, "one two_3 -x", "[o]ne [t]wo_3 -[x]"},
		{regex.Basic, `.\>`, "one two_3 -x", "on[e] two_[3] -[x]"},
		{regex.Basic, `\bone\b`, "one onee", "[one] onee"},
		{regex.Basic, `\Bn`, "one no", "o[n]e no"},
		{regex.Basic, `\w\+\W\s`, "ab- c", "[ab- ]c"},
		{regex.Basic, "\\`a\\|b\\'", "abab", "[a]ba[b]"},
		{regex.Basic, `[]a-c^]`, "]b^x", "[]][b][^]x"},
		{regex.Basic, `[^]a]`, "]ax", "]a[x]"},
		{regex.Basic, `[[:digit:][:upper:]_-]*x`, "A1_-x", "[A1_-x]"},
		{regex.Basic, `[[.-.]-/]`, "./-", "[.][/][-]"},
		{regex.Basic, `[\n]`, `\n`, `[\][n]`},
		{regex.Extended, `(a|ab)(c|bcd)`, "abcd", "[abcd|a|bcd]"},
		{regex.Extended, `(foo|foobar)(.*)`, "foobarx", "[foobarx|foo|barx]"},
		{regex.Extended, `a|ab|abc`, "abcd", "[abc]d"},
		{regex.Extended, `(a*)(b|$)`, "aab", "[aab|aa|b]"},
		{regex.Extended, `(^|x)a`, "axa", "[a|][xa|x]"},
		{regex.Extended, `a{2}|b{,1}c`, "aa bc c", "[aa] [bc] [c]"},
		{regex.Extended, `()`, "x", "[|]x[|]"},
		{regex.Extended, `a||b`, "ab", "[a][b]"},
		{regex.Extended, `x\.y`, "x.y xzy", "[x.y] xzy"},
		{regex.Egrep, `*a+|a{x}`, "*aa a{x}", "*[aa] [a{x}]"},
		{regex.Egrep, `a)`, "a)", "[a)]"},
		{regex.Awk, `[\t\/\]]+\.\101`, "\t/].A", "[\t/].A]"},
		{regex.Awk, `\yfoo\y`, "foo foox", "[foo] foox"},
		{regex.Emacs, `a+b?\(c\|d\)`, "aabc", "[aabc|c]"},
		{regex.Emacs, `a{1}\{`, "a{1}{", "[a{1}{]"},
		{regex.Extended, `.`, "aé\xff", "[a][é][\xff]"},
		{regex.Basic, `a\{1001\}`, strings.Repeat("a", 1001), "[" + strings.Repeat("a", 1001) + "]"},
	}
	for _, tt := range tests {
		re, err := regex.Compile(tt.expr, regex.Options{Syntax: tt.syntax})
		if err != nil {
			t.Errorf("%s: %v", tt.expr, err)
			continue
		}
		if got := show(t, re, tt.text); got != tt.want {
			t.Errorf("%s on %q: %q, want %q", tt.expr, tt.text, got, tt.want)
		}
	}
}

func TestOptions(t *testing.T) {
	tests := []struct {
		o          regex.Options
		expr, text string
		want       string
	}{
		{regex.Options{FoldCase: true}, `[a-c]É\(x\)\1`, "BéxX", "[BéxX|x]"},
		{regex.Options{Multiline: true}, `^a$`, "a\nba\na", "[a]\nba\n[a]"},
		{regex.Options{Multiline: true}, "\\`a", "a\na", "[a]\na"},
		{regex.Options{}, `^a$`, "a\na", "a\na"},
		{regex.Options{}, `a.b`, "a\nb", "[a\nb]"},
		{regex.Options{Bytes: true}, `.`, "é", "[\xc3][\xa9]"},
		{regex.Options{Bytes: true}, "[\x80-\xff]\\+\xa9", "aé", "a[é]"},
		{regex.Options{Bytes: true, FoldCase: true}, `é\w`, "é\xc3\xa9x", "é[éx]"},
		{regex.Options{Whole: true}, `a\|ab`, "ab", "[ab]"},
		{regex.Options{Whole: true}, `a\|ab`, "abc", "abc"},
		{regex.Options{Words: true}, `fo*`, "foo_ xfo f", "foo_ xfo [f]"},
		{regex.Options{Words: true}, `a\|a-b`, "a-bc", "[a]-bc"},
		{regex.Options{Prefix: true}, `b*`, "abb", "[]abb"},
		{regex.Options{NoGroups: true}, `\(a\)`, "a", "[a]"},
		{regex.Options{}, `[[:alpha:]]*`, "aé1", "[aé]1[]"},
		{regex.Options{Bytes: true}, `[[:alpha:]]*`, "aé", "[a]\xc3[]\xa9[]"},
		{regex.Options{}, `\<é`, "é ée", "[é] [é]e"},
	}
	for _, tt := range tests {
		re, err := regex.Compile(tt.expr, tt.o)
		if err != nil {
			t.Errorf("%s: %v", tt.expr, err)
			continue
		}
		if got := show(t, re, tt.text); got != tt.want {
			t.Errorf("%+v %s on %q: %q, want %q", tt.o, tt.expr, tt.text, got, tt.want)
		}
		found, err := re.Match(tt.text)
		if err != nil || found != (tt.want != tt.text) {
			t.Errorf("%+v %s on %q: Match is %v, %v", tt.o, tt.expr, tt.text, found, err)
		}
	}
}

func TestErrors(t *testing.T) {
	tests := []struct {
		syntax regex.Syntax
		expr   string
		want   error
	}{
		{regex.Basic, `\(a`, regex.ErrParenthesis},
		{regex.Basic, `a\)`, regex.ErrUnopened},
		{regex.Extended, `a)`, regex.ErrUnopened},
		{regex.Extended, `(a`, regex.ErrParenthesis},
		{regex.Extended, `*a`, regex.ErrRepeat},
		{regex.Extended, `^*a`, regex.ErrRepeat},
		{regex.Basic, `\{1\}`, regex.ErrRepeat},
		{regex.Basic, `a**`, regex.ErrRepeat},
		{regex.Basic, `a\{1`, regex.ErrBrace},
		{regex.Extended, `a{1`, regex.ErrBrace},
		{regex.Extended, `a{x}`, regex.ErrInterval},
		{regex.Egrep, `a{2,1}`, regex.ErrInterval},
		{regex.Extended, `a{32768}`, regex.ErrSize},
		{regex.Basic, `[a`, regex.ErrBracket},
		{regex.Basic, `[[:alpha:`, regex.ErrBracket},
		{regex.Basic, `[[:foo:]]`, regex.ErrClass},
		{regex.Basic, `[:space:]`, regex.ErrClassSyntax},
		{regex.Basic, `[b-a]`, regex.ErrRange},
		{regex.Basic, `[[.foo.]]`, regex.ErrCollation},
		{regex.Basic, `\1`, regex.ErrBackReference},
		{regex.Extended, `(a\1)`, regex.ErrBackReference},
		{regex.Basic, `a\`, regex.ErrBackslash},
		{regex.Extended, strings.Repeat("(", 1000), regex.ErrSize},
		{regex.Extended, strings.Repeat("a", 100_000), regex.ErrSize},
	}
	for _, tt := range tests {
		if _, err := regex.Compile(tt.expr, regex.Options{Syntax: tt.syntax}); err != tt.want {
			t.Errorf("%.20s: %v, want %v", tt.expr, err, tt.want)
		}
	}
}

// No expression takes longer than its steps.
func TestSteps(t *testing.T) {
	text := strings.Repeat("ab", 5_000)
	for _, expr := range []string{`\(.*\).*\1.*\1x`, `\(\(ab\)*\)*\2x`, `.*\<.*\<.*x`} {
		re, err := regex.Compile(expr, regex.Options{Steps: 10_000})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := re.Match(text); err != regex.ErrSteps {
			t.Errorf("%s: %v, want %v", expr, err, regex.ErrSteps)
		}
	}
	// Without those parts there is no limit.
	re, err := regex.Compile(`\(a*\)*\(b*\)*x`, regex.Options{Steps: 1})
	if err != nil {
		t.Fatal(err)
	}
	if found, err := re.Match(text); found || err != nil {
		t.Errorf("%v, %v", found, err)
	}
}

// randomExpr writes an extended expression of parts that may be ambiguous.
func randomExpr(r *rand.Rand, depth int) string {
	switch n := r.IntN(12); {
	case n < 4 || depth == 0:
		return string("abc"[r.IntN(3)])
	case n == 4:
		return "."
	case n == 5:
		return []string{"[ab]", "[^a]", "[b-c]", `\<`, `\>`, `\b`, "^", "$"}[r.IntN(8)]
	case n < 8:
		return randomExpr(r, depth-1) + randomExpr(r, depth-1)
	case n == 8:
		return "(" + randomExpr(r, depth-1) + "|" + randomExpr(r, depth-1) + ")"
	case n == 9:
		return "(" + randomExpr(r, depth-1) + ")"
	}
	return "(" + randomExpr(r, depth-1) + ")" + []string{"*", "+", "?", "{2}", "{1,2}"}[r.IntN(5)]
}

// What matches, and what the groups are, is what sed finds; the expressions are the
// same in each run.
func TestRealSed(t *testing.T) {
	sed, err := exec.LookPath("sed")
	if err != nil {
		t.Skip("SKIPPED: sed is not installed: expressions were not compared with it")
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		expr := randomExpr(r, 4)
		if strings.Count(expr, "(") > 9 {
			continue
		}
		var texts []string
		for range 12 {
			var b strings.Builder
			for range r.IntN(8) {
				b.WriteByte("abc -"[r.IntN(5)])
			}
			texts = append(texts, b.String())
		}
		compareWithSed(t, sed, expr, texts)
	}
}

func compareWithSed(t *testing.T, sed, expr string, texts []string) {
	t.Helper()
	replacement := "[&"
	for i := range strings.Count(expr, "(") {
		replacement += fmt.Sprintf(`|\%d`, i+1)
	}
	cmd := exec.Command(sed, "-E", "s/"+expr+"/"+replacement+"]/g")
	cmd.Env = []string{"LC_ALL=C.UTF-8"}
	cmd.Stdin = strings.NewReader(strings.Join(texts, "\n") + "\n")
	out, fault := cmd.Output()
	re, err := regex.Compile(expr, regex.Options{Syntax: regex.Extended})
	if (err != nil) != (fault != nil) {
		t.Errorf("%s: %v, but sed says %v", expr, err, fault)
	}
	if err != nil || fault != nil {
		return
	}
	for i, want := range strings.Split(strings.TrimSuffix(string(out), "\n"), "\n") {
		if got := show(t, re, texts[i]); got != want {
			t.Errorf("s/%s/%s]/g on %q: %q, sed has %q", expr, replacement, texts[i], got, want)
		}
	}
}

// FuzzCompile looks for expressions that cannot be read, or do not end.
func FuzzCompile(f *testing.F) {
	for _, expr := range []string{`\(a*\)\1[[:alpha:]x-z]*\{2,3\}`, `(a|b)+?{1,2}^$`, `[]^-]\<\>\b`, `\t\101[\]]`} {
		f.Add(expr, "aab", byte(0))
		f.Add(expr, "aab\n", byte(0xff))
	}
	f.Fuzz(func(t *testing.T, expr, text string, bits byte) {
		o := regex.Options{
			Syntax: regex.Syntax(bits % 6), FoldCase: bits&8 != 0, Multiline: bits&16 != 0, Bytes: bits&32 != 0,
			Words: bits&64 != 0, Prefix: bits&128 != 0,
		}
		re, err := regex.Compile(expr, o)
		if err != nil {
			return
		}
		all, err := re.All(text, -1)
		if err != nil {
			return
		}
		last := 0
		for _, loc := range all {
			if loc[0] < last || loc[1] < loc[0] || loc[1] > len(text) || len(loc) != 2*re.Groups()+2 {
				t.Fatalf("%q on %q: %v", expr, text, all)
			}
			last = loc[1]
		}
		if found, err := re.Match(text); err == nil && found != (len(all) > 0) {
			t.Fatalf("%q on %q: Match is %v, All is %v", expr, text, found, all)
		}
	})
}
