package glib

import (
	"fmt"
	"strings"
	"unicode"
)

// KeyFile is a GKeyFile without translations: groups of keys with their values, in
// order (the Desktop Entry Specification).
type KeyFile struct{ Groups []*KeyGroup }

// KeyGroup is one group of a [KeyFile].
type KeyGroup struct {
	Name   string
	Keys   []string          // as they come, one that is given twice twice
	Values map[string]string // the last one of each, raw
}

// ParseKeyFile reads a key file, as g_key_file_load_from_data does without flags, in
// the locale "C".
func ParseKeyFile(text string) (*KeyFile, error) {
	f := &KeyFile{}
	var group *KeyGroup
	text = strings.TrimPrefix(text, "\ufeff")
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.TrimSuffix(line, "\r")
		line, _, _ = strings.Cut(line, "\x00")
		trimmed := strings.TrimLeft(line, " \t\f\r")
		switch {
		case trimmed == "" || trimmed[0] == '#':
		case isGroupLine(trimmed):
			name := trimmed[1:strings.LastIndexByte(trimmed, ']')]
			if name == "" || strings.ContainsFunc(name, func(r rune) bool { return r == '[' || r < ' ' || r == 0x7f }) {
				return nil, fmt.Errorf("Invalid group name: %s", name)
			}
			group = f.add(name)
		case strings.IndexByte(trimmed, '=') > 0:
			if group == nil {
				return nil, fmt.Errorf("Key file does not start with a group")
			}
			if err := group.parse(trimmed, group == f.Groups[0]); err != nil {
				return nil, err
			}
		default:
			return nil, fmt.Errorf("Key file contains line \u201c%s\u201d which is not a key-value pair, group, or comment", line)
		}
	}
	return f, nil
}

// Group returns the group of that name, nil where there is none.
func (f *KeyFile) Group(name string) *KeyGroup {
	for _, g := range f.Groups {
		if g.Name == name {
			return g
		}
	}
	return nil
}

func (f *KeyFile) add(name string) *KeyGroup {
	if g := f.Group(name); g != nil {
		return g
	}
	f.Groups = append(f.Groups, &KeyGroup{Name: name, Values: map[string]string{}})
	return f.Groups[len(f.Groups)-1]
}

func isGroupLine(s string) bool {
	i := strings.IndexByte(s, ']')
	return s[0] == '[' && i > 0 && strings.Trim(s[i+1:], " \t") == ""
}

// parse reads a line with a key. Translations are left out.
func (g *KeyGroup) parse(line string, first bool) error {
	key, value, _ := strings.Cut(line, "=")
	key, value = strings.TrimRight(key, " \t\f\r"), strings.TrimLeft(value, " \t\f\r")
	if !isKey(key) {
		return fmt.Errorf("Invalid key name: %s", key)
	}
	if first && key == "Encoding" && !strings.EqualFold(value, "UTF-8") {
		return fmt.Errorf("Key file contains unsupported encoding \u201c%s\u201d", value)
	}
	if i := strings.LastIndexByte(key, '['); i >= 0 && len(key)-i > 2 {
		return nil
	}
	g.Keys = append(g.Keys, key)
	g.Values[key] = value
	return nil
}

func isKey(key string) bool {
	base, locale, has := strings.Cut(key, "[")
	if base == "" || strings.Contains(base, "]") || base[0] == ' ' || base[len(base)-1] == ' ' {
		return false
	}
	locale, closed := strings.CutSuffix(locale, "]")
	return !has || closed && !strings.ContainsFunc(locale, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsNumber(r) && !strings.ContainsRune("-_.@", r)
	})
}

// List returns the values of a list, whose items end with ";", and false where the
// key is missing or has an escape that is not known.
func (g *KeyGroup) List(key string) (list []string, ok bool) {
	value, ok := g.Values[key]
	if !ok {
		return nil, false
	}
	var item []byte
	for i := 0; i < len(value); i++ {
		c := value[i]
		if c == ';' {
			list = append(list, string(item))
			item = item[:0]
			continue
		}
		if c == '\\' {
			if i++; i == len(value) {
				return nil, false
			}
			at := strings.IndexByte("sntr\\;", value[i])
			if at < 0 {
				return nil, false
			}
			c = " \n\t\r\\;"[at]
		}
		item = append(item, c)
	}
	if len(item) > 0 {
		list = append(list, string(item))
	}
	return list, true
}
