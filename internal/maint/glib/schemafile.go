package glib

import (
	"errors"
	"fmt"
	"strings"
)

// schemaReader reads the files of schemas, one after another.
type schemaReader struct {
	strict  bool
	anyName bool

	schemas      *HashTable[*schema]
	enums, flags map[string]*enumeration
	ours         [3][]string // ids of what the present file has: schemas, flags, enumerations

	domain    string // of <schemalist>
	hasDomain bool
	schema    *schema // that is open
	key       *schemaKey
	enum      *enumeration
	string    *strings.Builder // of an element that takes text
}

// read reads a file. Where it has a fault nothing of it counts.
func (r *schemaReader) read(text string) error {
	err := Markup{IgnoreQualified: true}.Read(text, r)
	if err != nil {
		for _, id := range r.ours[0] {
			r.schemas.Delete(id)
		}
		for _, id := range r.ours[1] {
			delete(r.flags, id)
		}
		for _, id := range r.ours[2] {
			delete(r.enums, id)
		}
		r.string = nil
	}
	r.ours = [3][]string{}
	return err
}

// collect checks the attributes of an element against names, those that it needs
// marked by "!", and returns their values, nil where one is not given.
func collect(element string, attrs []Attribute, names ...string) ([]*string, error) {
	values := make([]*string, len(names))
next:
	for _, a := range attrs {
		for i, name := range names {
			if strings.TrimPrefix(name, "!") != a.Name {
				continue
			}
			if values[i] != nil {
				return nil, fmt.Errorf("attribute \u201c%s\u201d given multiple times for element \u201c%s\u201d", a.Name, element)
			}
			values[i] = &a.Value
			continue next
		}
		return nil, fmt.Errorf("attribute \u201c%s\u201d invalid for element \u201c%s\u201d", a.Name, element)
	}
	for i, name := range names {
		if values[i] == nil && strings.HasPrefix(name, "!") {
			return nil, fmt.Errorf("element \u201c%s\u201d requires attribute \u201c%s\u201d", element, name[1:])
		}
	}
	return values, nil
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// schemaElements are the elements by what they are in, with their attributes.
var schemaElements = map[string]map[string][]string{
	"":           {"schemalist": {"gettext-domain"}},
	"schemalist": {"schema": {"!id", "path", "gettext-domain", "extends", "list-of"}, "enum": {"!id"}, "flags": {"!id"}},
	"schema":     {"key": {"!name", "type", "enum", "flags"}, "child": {"!name", "!schema"}, "override": {"!name", "l10n", "context"}},
	"key":        {"default": {"l10n", "context"}, "summary": {}, "description": {}, "range": {"min", "max"}, "choices": {}, "aliases": {}},
	"choices":    {"choice": {"!value"}},
	"aliases":    {"alias": {"!value", "!target"}},
	"enum":       {"value": {"!nick", "!value"}},
	"flags":      {"value": {"!nick", "!value"}},
}

// Start begins an element.
func (r *schemaReader) Start(element, container string, attrs []Attribute) error {
	names, ok := schemaElements[container][element]
	if !ok {
		if container == "" {
			return fmt.Errorf("Element <%s> not allowed at the top level", element)
		}
		return fmt.Errorf("Element <%s> not allowed inside <%s>", element, container)
	}
	a, err := collect(element, attrs, names...)
	if err != nil {
		return err
	}
	switch element {
	case "schemalist":
		r.domain, r.hasDomain = deref(a[0]), a[0] != nil
	case "schema":
		return r.startSchema(a)
	case "enum", "flags":
		return r.startEnum(*a[0], element)
	case "key":
		r.key, err = r.schema.addKey(r, *a[0], a[1], a[2], a[3])
	case "child":
		err = r.schema.addChild(r.anyName, *a[0], *a[1])
	case "override":
		if r.key, err = r.schema.addOverride(*a[0]); err == nil {
			err = r.takeDefault(a[1], a[2])
		}
	case "default":
		err = r.takeDefault(a[0], a[1])
	case "summary":
		err = r.takeText(element, &r.key.summary)
	case "description":
		err = r.takeText(element, &r.key.detail)
	case "range":
		err = r.key.setRange(a[0], a[1])
	case "choices":
		err = r.key.startChoices()
	case "aliases":
		err = r.key.startAliases()
	case "choice":
		err = r.key.addChoice(*a[0])
	case "alias":
		err = r.key.addAlias(*a[0], *a[1])
	case "value":
		err = r.enum.add(*a[0], *a[1])
	}
	return err
}

func (r *schemaReader) takeDefault(l10n, context *string) error {
	if err := r.key.startDefault(l10n, context); err != nil {
		return err
	}
	r.string = &strings.Builder{}
	return nil
}

func (r *schemaReader) takeText(element string, seen *bool) error {
	if *seen && r.strict {
		return fmt.Errorf("Only one <%s> element allowed inside <key>", element)
	}
	*seen = true
	r.string = &strings.Builder{}
	return nil
}

// Text takes the text of an element, or refuses it.
func (r *schemaReader) Text(element, s string) error {
	if r.string != nil {
		r.string.WriteString(s)
	} else if strings.Trim(s, " \t\n\r\f") != "" {
		return fmt.Errorf("Text may not appear inside <%s>", element)
	}
	return nil
}

// End ends an element.
func (r *schemaReader) End(element string) error {
	text := ""
	if r.string != nil {
		text = r.string.String()
	}
	r.string = nil
	switch element {
	case "schemalist":
		r.domain, r.hasDomain = "", false
	case "enum", "flags":
		if len(r.enum.strings) == 0 {
			return fmt.Errorf("<%s> must contain at least one <value>", element)
		}
	case "override", "default":
		return r.key.endDefault(text)
	case "key":
		if r.key.value == nil {
			return errors.New("Element <default> is required in <key>")
		}
	case "choices":
		if !r.key.choices {
			return errors.New("<choices> must contain at least one <choice>")
		}
		return r.key.check()
	case "aliases":
		if !r.key.aliases {
			return errors.New("<aliases> must contain at least one <alias>")
		}
	}
	return nil
}

func (r *schemaReader) startEnum(id, element string) error {
	table, ours := r.enums, &r.ours[2]
	if element == "flags" {
		table, ours = r.flags, &r.ours[1]
	}
	if table[id] != nil {
		return fmt.Errorf("<%s id='%s'> already specified", element, id)
	}
	r.enum = &enumeration{flags: element == "flags"}
	table[id] = r.enum
	*ours = append(*ours, id)
	return nil
}

// startSchema begins a <schema> with id, path, gettext-domain, extends and list-of.
func (r *schemaReader) startSchema(a []*string) error {
	s := &schema{id: *a[0], path: deref(a[1]), hasPath: a[1] != nil, domain: r.domain, hasDomain: r.hasDomain, extendsName: deref(a[3])}
	if a[2] != nil {
		s.domain, s.hasDomain = *a[2], true
	}
	if _, ok := r.schemas.Get(s.id); ok {
		return fmt.Errorf("<schema id='%s'> already specified", s.id)
	}
	if a[3] != nil {
		if s.extends, _ = r.schemas.Get(*a[3]); s.extends == nil {
			return fmt.Errorf("<schema id='%s'> extends not yet existing schema \u201c%s\u201d", s.id, *a[3])
		}
	}
	if err := r.list(s, a[4]); err != nil {
		return err
	}
	switch {
	case s.hasPath && (!strings.HasPrefix(s.path, "/") || !strings.HasSuffix(s.path, "/")):
		return errors.New("A path, if given, must begin and end with a slash")
	case s.hasPath && s.hasListOf && !strings.HasSuffix(s.path, ":/"):
		return errors.New("The path of a list must end with \u201c:/\u201d")
	}
	r.schema = s
	r.schemas.Set(s.id, s)
	r.ours[0] = append(r.ours[0], s.id)
	return nil
}

// list settles what a schema is a list of.
func (r *schemaReader) list(s *schema, of *string) error {
	if of != nil {
		member, ok := r.schemas.Get(*of)
		if !ok {
			return fmt.Errorf("<schema id='%s'> is list of not yet existing schema \u201c%s\u201d", s.id, *of)
		}
		if member.hasPath {
			return errors.New("Cannot be a list of a schema with a path")
		}
		s.listOf, s.hasListOf = *of, true
	}
	switch {
	case s.extends == nil:
	case s.extends.hasPath:
		return errors.New("Cannot extend a schema with a path")
	case of == nil:
		s.listOf, s.hasListOf = s.extends.listOf, s.extends.hasListOf
	case !s.extends.hasListOf:
		return fmt.Errorf("<schema id='%s'> is a list, extending <schema id='%s'> which is not a list", s.id, s.extendsName)
	case !r.isSubclass(*of, s.extends.listOf):
		return fmt.Errorf("<schema id='%s' list-of='%s'> extends <schema id='%s' list-of='%s'> but \u201c%s\u201d does not extend \u201c%s\u201d",
			s.id, *of, s.extendsName, s.extends.listOf, *of, s.extends.listOf)
	}
	return nil
}

func (r *schemaReader) isSubclass(name, parent string) bool {
	for name != parent {
		s, ok := r.schemas.Get(name)
		if !ok || s.extends == nil {
			return false
		}
		name = s.extendsName
	}
	return true
}
