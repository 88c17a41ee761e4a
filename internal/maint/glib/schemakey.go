package glib

import (
	"errors"
	"fmt"
	"strings"
)

// checkName says what is wrong with the name of a key.
func checkName(name string, any bool) error {
	const wrong = "Invalid name \u201c%s\u201d: "
	switch {
	case name == "":
		return errors.New("Empty names are not permitted")
	case any:
		return nil
	case !isLower(name[0]):
		return fmt.Errorf(wrong+"names must begin with a lowercase letter", name)
	case strings.Contains(name, "--"):
		return fmt.Errorf(wrong+"two successive hyphens (\u201c--\u201d) are not permitted", name)
	case strings.HasSuffix(name, "-"):
		return fmt.Errorf(wrong+"the last character may not be a hyphen (\u201c-\u201d)", name)
	case len(name) > 1024:
		return fmt.Errorf(wrong+"maximum length is 1024", name)
	}
	for i := range len(name) {
		if c := name[i]; c != '-' && !isLower(c) && !isDigit(c) {
			return fmt.Errorf(wrong+"invalid character \u201c%c\u201d; only lowercase letters, numbers and hyphen (\u201c-\u201d) are permitted", name, c)
		}
	}
	return nil
}

func (s *schema) addChild(anyName bool, name, id string) error {
	if err := checkName(name, anyName); err != nil {
		return err
	}
	if _, ok := s.keys.Get(name + "/"); ok {
		return fmt.Errorf("<child name='%s'> already specified", name)
	}
	s.keys.Set(name+"/", &schemaKey{child: id})
	return nil
}

func (s *schema) addKey(r *schemaReader, name string, typ, enum, flags *string) (*schemaKey, error) {
	if s.hasListOf {
		return nil, errors.New("Cannot add keys to a \u201clist-of\u201d schema")
	}
	if err := checkName(name, r.anyName); err != nil {
		return nil, err
	}
	if _, ok := s.keys.Get(name); ok {
		return nil, fmt.Errorf("<key name='%s'> already specified", name)
	}
	for node := s; node.extends != nil; node = node.extends {
		if shadow, ok := node.extends.keys.Get(name); ok && !shadow.override {
			return nil, fmt.Errorf("<key name='%s'> shadows <key name='%s'> in <schema id='%s'>; use <override> to modify value", name, name, node.extendsName)
		}
	}
	k, err := r.newKey(typ, enum, flags)
	if err != nil {
		return nil, err
	}
	k.hasDomain = s.hasDomain
	s.keys.Set(name, k)
	return k, nil
}

// newKey returns a key of a type, or of one of the enumerations, of which one is given.
func (r *schemaReader) newKey(typ, enum, flags *string) (*schemaKey, error) {
	given := 0
	for _, p := range []*string{typ, enum, flags} {
		if p != nil {
			given++
		}
	}
	if given != 1 {
		return nil, errors.New("Exactly one of \u201ctype\u201d, \u201cenum\u201d or \u201cflags\u201d must be specified as an attribute to <key>")
	}
	switch {
	case typ != nil:
		if !validType(*typ) {
			return nil, fmt.Errorf("Invalid GVariant type string \u201c%s\u201d", *typ)
		}
		return &schemaKey{typ: *typ}, nil
	case enum != nil && r.enums[*enum] != nil:
		return &schemaKey{typ: "s", enum: true, strings: r.enums[*enum].strings}, nil
	case enum != nil:
		return nil, fmt.Errorf("<enum id='%s'> not (yet) defined.", *enum)
	case r.flags[*flags] != nil:
		return &schemaKey{typ: "as", flags: true, strings: r.flags[*flags].strings}, nil
	}
	return nil, fmt.Errorf("<flags id='%s'> not (yet) defined.", *flags)
}

func (s *schema) addOverride(name string) (*schemaKey, error) {
	if s.extends == nil {
		return nil, errors.New("<override> given but schema isn\u2019t extending anything")
	}
	var original *schemaKey
	for parent := s.extends; parent != nil && original == nil; parent = parent.extends {
		original, _ = parent.keys.Get(name)
	}
	switch _, ok := s.keys.Get(name); {
	case original == nil || original.typ == "":
		return nil, fmt.Errorf("No <key name='%s'> to override", name)
	case ok:
		return nil, fmt.Errorf("<override name='%s'> already specified", name)
	}
	k := &schemaKey{
		typ: original.typ, hasDomain: s.hasDomain, strings: original.strings, enum: original.enum, flags: original.flags, override: true,
		minimum: original.minimum, most: original.most,
	}
	s.keys.Set(name, k)
	return k, nil
}
