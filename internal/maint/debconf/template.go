package debconf

import (
	"fmt"
	"regexp"
	"strings"
)

// template is the type of a question: the fields of its stanza in lower case; what
// follows the first line of a field is in "extended_" and its name.
type template map[string]string

var fieldLine = regexp.MustCompile(`^([-_@.A-Za-z0-9]*):\s?(.*)`)

// parseTemplates reads a templates file (debconf-devel(7), "THE TEMPLATES FILE")
// as debconf's Debconf::Template does. The result is in the file's order.
func parseTemplates(text string) (names []string, all map[string]template, err error) {
	all = map[string]template{}
	number := 0
	for stanza := range strings.SplitSeq(strings.ReplaceAll(text, "\r", ""), "\n\n") {
		stanza = strings.Trim(stanza, "\n")
		if stanza == "" {
			continue
		}
		number++
		t, err := parseStanza(stanza)
		if err != nil {
			return nil, nil, fmt.Errorf("template #%d: %w", number, err)
		}
		name := t["template"]
		if name == "" {
			return nil, nil, fmt.Errorf("template #%d has no Template line", number)
		}
		if t["type"] == "" {
			return nil, nil, fmt.Errorf("template %s has no type", name)
		}
		delete(t, "template")
		if all[name] == nil {
			names = append(names, name)
		}
		all[name] = t
	}
	return names, all, nil
}

func parseStanza(stanza string) (template, error) {
	t := template{}
	field, value := "", ""
	var extended strings.Builder
	save := func() error {
		if field == "" {
			return nil
		}
		if _, ok := t[field]; ok {
			return fmt.Errorf("duplicate field %q", field)
		}
		t[field] = value
		if e := strings.TrimRight(extended.String(), "\n"); e != "" {
			t["extended_"+field] = e
		}
		return nil
	}
	for line := range strings.SplitSeq(stanza, "\n") {
		ends := func(with string) bool {
			e := extended.String()
			return e == "" || strings.ContainsAny(e[len(e)-1:], with)
		}
		if m := fieldLine.FindStringSubmatch(line); m != nil {
			if err := save(); err != nil {
				return nil, err
			}
			field, value = strings.ToLower(m[1]), strings.TrimRight(m[2], " \t")
			extended.Reset()
			continue
		}
		if line == "" || line[0] != ' ' && line[0] != '\t' {
			return nil, fmt.Errorf("cannot read %q", line)
		}
		bit := strings.TrimRight(line[1:], " \t")
		switch {
		case bit == ".":
			extended.WriteString("\n\n")
		case bit != "" && (bit[0] == ' ' || bit[0] == '\t'):
			if !ends("\n ") {
				extended.WriteByte('\n')
			}
			extended.WriteString(bit + "\n")
		default:
			if !ends("\n ") {
				extended.WriteByte(' ')
			}
			extended.WriteString(bit)
		}
	}
	return t, save()
}

// get returns a field; a translated one that is not there is the field itself.
func (t template) get(field string) string {
	if v, ok := t[field]; ok {
		return v
	}
	plain, _, _ := strings.Cut(field, "-")
	return t[plain]
}
