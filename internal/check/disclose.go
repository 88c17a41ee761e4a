package check

import (
	"strings"

	"github.com/hardpan/hardpan/internal/harden"
)

// withheld stands where a text is not shown.
const withheld = "(not shown: a secret by the rules of check)"

// ShownVariable returns the value of a variable or label as a report may have it: of
// what the rules take for a secret, only how it begins.
func ShownVariable(name, value string) string {
	if s, _ := variable(strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(name)), value); s == harden.High {
		return shown(value)
	}
	if len(find(name+"="+value)) > 0 {
		return withheld
	}
	return value
}

// ShownText returns a command or a step of the history as a report may have it, without
// what the rules take for a secret.
func ShownText(text string) string {
	for word := range strings.FieldsSeq(text) {
		name, quoted, ok := strings.Cut(word, "=")
		value := strings.Trim(quoted, `"'[],;`) // as a list of words or a shell has it
		if s, _ := variable(strings.TrimLeft(name, `"'[-`), value); ok && s == harden.High {
			text = strings.ReplaceAll(text, word, name+"="+strings.Replace(quoted, value, shown(value), 1))
		}
	}
	if len(find(text)) > 0 {
		return withheld
	}
	return text
}
