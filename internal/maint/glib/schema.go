package glib

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// schema is a <schema> (glib-compile-schemas.c of GLib, gschema.dtd).
type schema struct {
	id, path, domain    string
	hasPath, hasDomain  bool
	extends             *schema
	extendsName, listOf string
	hasListOf           bool
	keys                HashTable[*schemaKey]
}

// schemaKey is a <key>, an <override> or a <child>.
type schemaKey struct {
	child string // the schema of a child; all else is that of keys

	typ       string
	hasDomain bool
	l10n      byte // 'm' for messages, 't' for time
	context   *string
	unparsed  string
	value     *variant
	desktops  *HashTable[*variant] // values for single desktops

	strings         strinfo
	enum, flags     bool
	minimum, most   *variant
	choices         bool
	aliases         bool
	override        bool
	summary, detail bool
}

// enumeration is an <enum> or <flags>.
type enumeration struct {
	strings strinfo
	flags   bool
}

func (e *enumeration) add(nick, number string) error {
	if len(nick) < 2 {
		return errors.New("nick must be a minimum of 2 characters")
	}
	n, err := strconv.ParseInt(strings.TrimPrefix(number, "+"), 0, 64)
	if err != nil || strings.Contains(number, "_") || e.flags && (n > 1<<32-1 || n < 0) || !e.flags && (n > 1<<31-1 || n < -1<<31) {
		return errors.New("Invalid numeric value")
	}
	if e.strings.contains(nick) {
		return fmt.Errorf("<value nick='%s'/> already specified", nick)
	}
	if e.strings.containsValue(uint32(n)) {
		return fmt.Errorf("value='%s' already specified", number)
	}
	if e.flags && n == 0 {
		return nil // no flag is the empty list
	}
	if e.flags && n&(n-1) != 0 {
		return errors.New("flags values must have at most 1 bit set")
	}
	e.strings = e.strings.add(nick, uint32(n), false)
	return nil
}

// check says whether the default is in the range or among the choices, if both are
// known.
func (k *schemaKey) check() error {
	if k.value == nil {
		return nil
	}
	tag := "default"
	if k.override {
		tag = "override"
	}
	switch {
	case k.fits(k.value):
		return nil
	case k.minimum != nil:
		return fmt.Errorf("<%s> is not contained in the specified range", tag)
	case k.enum:
		return fmt.Errorf("<%s> is not a valid member of the specified enumerated type", tag)
	case k.flags:
		return fmt.Errorf("<%s> contains string not in the specified flags type", tag)
	}
	return fmt.Errorf("<%s> contains a string not in <choices>", tag)
}

// fits says whether a value is in the range or among the choices.
func (k *schemaKey) fits(v *variant) bool {
	if k.minimum != nil {
		return v.compare(k.minimum) >= 0 && v.compare(k.most) <= 0
	}
	return len(k.strings) == 0 || k.isChoice(v)
}

func (k *schemaKey) isChoice(v *variant) bool {
	if v.typ == "s" {
		return k.strings.find(v.text(), false) >= 0
	}
	for _, kid := range v.kids {
		if !k.isChoice(kid) {
			return false
		}
	}
	return true
}

// ranges are the limits of types, where a range leaves one out.
var ranges = map[string][2]string{
	"y": {"0", "255"}, "n": {"-32768", "32767"}, "q": {"0", "65535"}, "i": {"-2147483648", "2147483647"},
	"u": {"0", "4294967295"}, "x": {"-9223372036854775808", "9223372036854775807"},
	"t": {"0", "18446744073709551615"}, "d": {"-inf", "inf"},
}

func (k *schemaKey) setRange(least, most *string) error {
	if k.minimum != nil {
		return errors.New("<range/> already specified for this key")
	}
	limits, ok := ranges[k.typ]
	if !ok {
		return fmt.Errorf("<range> not allowed for keys of type \u201c%s\u201d", k.typ)
	}
	if least != nil {
		limits[0] = *least
	}
	if most != nil {
		limits[1] = *most
	}
	var err error
	if k.minimum, err = parseVariant(k.typ, limits[0]); err != nil {
		return err
	}
	if k.most, err = parseVariant(k.typ, limits[1]); err != nil {
		return err
	}
	if k.minimum.compare(k.most) > 0 {
		return errors.New("<range> specified minimum is greater than maximum")
	}
	return k.check()
}

func (k *schemaKey) startDefault(l10n, context *string) error {
	if l10n == nil {
		if context != nil {
			return errors.New("translation context given for value without l10n enabled")
		}
		return nil
	}
	switch *l10n {
	case "messages":
		k.l10n = 'm'
	case "time":
		k.l10n = 't'
	default:
		return fmt.Errorf("unsupported l10n category: %s", *l10n)
	}
	if !k.hasDomain {
		return errors.New("l10n requested, but no gettext domain given")
	}
	k.context = context
	return nil
}

func (k *schemaKey) endDefault(text string) error {
	k.unparsed = text
	v, err := parseVariant(k.typ, text)
	if err != nil {
		return fmt.Errorf("Failed to parse <default> value of type \u201c%s\u201d: %w", k.typ, err)
	}
	k.value = v
	return k.check()
}

func (k *schemaKey) startChoices() error {
	switch {
	case k.enum:
		return errors.New("<choices> cannot be specified for keys tagged as having an enumerated type")
	case k.choices:
		return errors.New("<choices> already specified for this key")
	case strings.TrimLeft(k.typ, "am") != "s":
		return fmt.Errorf("<choices> not allowed for keys of type \u201c%s\u201d", k.typ)
	}
	return nil
}

func (k *schemaKey) addChoice(s string) error {
	if k.strings.contains(s) {
		return fmt.Errorf("<choice value='%s'/> already given", s)
	}
	k.strings = k.strings.add(s, 0, false)
	k.choices = true
	return nil
}

func (k *schemaKey) startAliases() error {
	switch {
	case k.aliases:
		return errors.New("<aliases> already specified for this key")
	case !k.flags && !k.enum && !k.choices:
		return errors.New("<aliases> can only be specified for keys with enumerated or flags types or after <choices>")
	}
	return nil
}

func (k *schemaKey) addAlias(s, target string) error {
	if k.strings.contains(s) {
		return fmt.Errorf("<alias value='%s'/> already specified", s)
	}
	i := k.strings.find(target, false)
	if i < 0 {
		return fmt.Errorf("alias target \u201c%s\u201d is not in <choices>", target)
	}
	k.strings = k.strings.add(s, uint32(i), true)
	k.aliases = true
	return nil
}

// serialise returns the value that the database has for the key.
func (k *schemaKey) serialise() *variant {
	if k.typ == "" {
		return newString("s", k.child)
	}
	parts := []*variant{k.value}
	add := func(kind byte, v *variant) {
		parts = append(parts, newTuple(&variant{typ: "y", bytes: []byte{kind}}, v))
	}
	if k.l10n != 0 {
		text := strings.Trim(k.unparsed, " \t\n\r\f")
		if k.context != nil {
			text = *k.context + "\x04" + text
		}
		add('l', newTuple(&variant{typ: "y", bytes: []byte{k.l10n}}, newString("s", text)))
	}
	if len(k.strings) > 0 {
		kind := byte('c')
		if k.flags {
			kind = 'f'
		} else if k.enum {
			kind = 'e'
		}
		add(kind, &variant{typ: "au", bytes: k.strings})
	}
	if k.minimum != nil {
		add('r', newTuple(k.minimum, k.most))
	}
	if k.desktops != nil {
		all := newVariant("a{sv}")
		for name, v := range k.desktops.All() {
			all.kids = append(all.kids, newVariant("{sv}", newString("s", name), newVariant("v", v)))
		}
		add('d', all)
	}
	return newTuple(parts...)
}

// database returns the file for schemas.
func database(schemas *HashTable[*schema], warn func(string)) []byte {
	newTable := func() (*gvdbTable, *gvdbItem) {
		t := &gvdbTable{}
		return t, t.add("")
	}
	all, root := newTable()
	for id, s := range schemas.All() {
		t, top := newTable()
		item := all.add(id)
		item.setParent(root)
		item.table = t
		translated := false
		for name, k := range s.keys.All() {
			item := t.add(name)
			item.setParent(top)
			item.value = k.serialise()
			translated = translated || k.l10n != 0
			if _, ok := schemas.Get(k.child); k.typ == "" && !ok {
				warn(fmt.Sprintf("Warning: undefined reference to <schema id='%s'/>", k.child))
			}
		}
		for _, extra := range []struct {
			name, value string
			has         bool
		}{{".path", s.path, s.hasPath}, {".extends", s.extendsName, s.extends != nil}, {".list-of", s.listOf, s.hasListOf}, {".gettext-domain", s.domain, translated}} {
			if extra.has {
				t.addString(extra.name, extra.value)
			}
		}
	}
	return all.file()
}
