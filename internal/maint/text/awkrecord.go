package text

import (
	"strings"
	"unicode/utf8"

	"github.com/hardpan/hardpan/internal/maint/regex"
)

// special returns a special variable as a string.
func (a *awk) special(i int) string {
	v := a.globals[i].value
	if v.kind == kindNumber {
		return v.str("%.6g")
	}
	return v.s
}

func (a *awk) convfmt() string { return a.globals[specialCONVFMT].value.s }

// setSpecial assigns to a special variable, some of which change the record.
func (a *awk) setSpecial(i int, v awkValue) {
	if i == specialFS || i == specialNF {
		a.splitRecord() // with the separator that was valid when it was read
	}
	a.globals[i].value = v
	if i != specialNF {
		return
	}
	n := int(v.num())
	if n < 0 || n > 1e6 {
		a.fail("NF is set to a negative value, or too large")
	}
	for len(a.fields) < n {
		a.fields = append(a.fields, awkFromIn(""))
	}
	a.fields = a.fields[:n]
	a.stale = true
}

// setRecord sets $0.
func (a *awk) setRecord(v awkValue) {
	a.record = v.str(a.convfmt())
	a.split, a.stale = false, false
}

// field returns $n.
func (a *awk) field(n int) awkValue {
	if n == 0 {
		if a.stale {
			a.join()
		}
		return awkFromIn(a.record)
	}
	a.splitRecord()
	if n > len(a.fields) {
		return awkValue{}
	}
	return a.fields[n-1]
}

// setField assigns to $n.
func (a *awk) setField(n int, v awkValue) {
	if n == 0 {
		a.setRecord(v)
		return
	}
	a.splitRecord()
	if v.kind == kindNone {
		v = awkFromIn("")
	}
	if n > len(a.fields) {
		a.setSpecial(specialNF, awkInt(n))
	}
	a.fields[n-1] = v
	a.stale = true
}

// join makes $0 of the fields.
func (a *awk) join() {
	parts := make([]string, len(a.fields))
	for i, f := range a.fields {
		parts[i] = f.str(a.convfmt())
	}
	a.record = strings.Join(parts, a.special(specialOFS))
	a.stale = false
}

// splitRecord makes the fields of $0, which is done when one is needed.
func (a *awk) splitRecord() {
	if a.split {
		return
	}
	a.split = true
	a.fields = a.fields[:0]
	for _, text := range a.divide(a.record, a.special(specialFS), a.special(specialRS) == "") {
		a.fields = append(a.fields, awkFromIn(text))
	}
	a.globals[specialNF].value = awkInt(len(a.fields))
}

// divide divides a text by a field separator (XCU awk, "regular expressions").
// Where records are paragraphs, newlines separate too.
func (a *awk) divide(text, separator string, paragraphs bool) []string {
	switch {
	case text == "":
		return nil
	case separator == " ":
		return strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == '\t' || r == '\n' })
	case separator == "":
		return a.characters(text)
	case len(separator) == 1 && !paragraphs && separator != `\`:
		return strings.Split(text, separator)
	}
	pattern := separator
	if len(separator) == 1 {
		pattern = "[" + separator + "]"
		if separator == `\` || separator == "^" {
			pattern = `\` + separator
		}
	}
	if paragraphs {
		pattern = "(" + pattern + ")|\n"
	}
	var parts []string
	from := 0
	for _, loc := range a.findAll(text, pattern) {
		if loc[0] == loc[1] {
			continue
		}
		parts = append(parts, text[from:loc[0]])
		from = loc[1]
	}
	return append(parts, text[from:])
}

// characters returns the characters of a text, which are bytes for mawk.
func (a *awk) characters(text string) []string {
	var parts []string
	for len(text) > 0 {
		size := 1
		if a.chars {
			_, size = utf8.DecodeRuneInString(text)
		}
		parts, text = append(parts, text[:size]), text[size:]
	}
	return parts
}

// size returns the number of characters of a text.
func (a *awk) size(text string) int {
	if a.chars {
		return utf8.RuneCountInString(text)
	}
	return len(text)
}

// expression returns a compiled regular expression.
func (a *awk) expression(pattern string) *regex.Regexp {
	if re := a.regexes[pattern]; re != nil {
		return re
	}
	re, err := regex.Compile(pattern, regex.Options{Syntax: regex.Awk, Bytes: !a.chars, NoGroups: true})
	if err != nil {
		a.fail("regular expression compile failed (" + err.Error() + ")\n" + pattern)
	}
	if len(a.regexes) > 100 {
		clear(a.regexes)
	}
	a.regexes[pattern] = re
	return re
}

func (a *awk) matches(text, pattern string) bool {
	ok, err := a.expression(pattern).Match(text)
	a.check(err)
	return ok
}

func (a *awk) find(text, pattern string) []int {
	loc, err := a.expression(pattern).Find(text)
	a.check(err)
	return loc
}

func (a *awk) findAll(text, pattern string) [][]int {
	all, err := a.expression(pattern).All(text, -1)
	a.check(err)
	return all
}
