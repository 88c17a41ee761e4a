package specs

import (
	"encoding"
	"fmt"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
)

// decoder fills a Spec from a merged and substituted tree whose shape is right.
type decoder struct {
	*problems
	dir       string // of the spec, which sources become relative to
	options   LoadOptions
	positions map[string]Position // of each value, by its path
	sources   map[string]sourceFile
	unsound   map[string]bool // top-level keys of which something was refused
}

func (p *problems) checkFormat(f *format, s string, pos Position, path string) bool {
	if err := f.verify(s); err != nil {
		p.addError(pos, label(path)+": ", err)
		return false
	}
	return true
}

// text returns the text of a scalar, and refuses a number, which YAML may have
// changed: version 3.10 is 3.1.
func (p *problems) text(n *node, path string) (string, bool) {
	if n.tag != "!!str" && n.tag != "!!timestamp" && !n.substituted {
		hint := "quote it: " + strconv.Quote(n.text)
		if n.tag == "!!null" {
			hint = "remove the key, or give it a value"
		}
		p.add(n.pos, hint, "%s: found %s, expected text", label(path), n.describe())
		return "", false
	}
	return n.text, true
}

// value decodes n into v, which f describes.
func (d *decoder) value(n *node, v reflect.Value, f *field, path string) {
	if n.kind == scalar && n.damaged {
		return
	}
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	if v.CanAddr() && v.Addr().Type().Implements(textUnmarshaler) {
		d.textValue(n, v, path)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.structValue(n, v, path)
	case reflect.Map:
		d.mapValue(n, v, f, path)
	case reflect.Slice:
		d.listValue(n, v, f, path)
	case reflect.String:
		d.stringValue(n, v, f, path)
	case reflect.Bool:
		if b, err := strconv.ParseBool(n.text); err == nil && (n.tag == "!!bool" || n.substituted) {
			v.SetBool(b)
		} else {
			d.add(n.pos, "", "%s: found %s, expected true or false", path, n.describe())
		}
	default:
		d.intValue(n, v, f, path)
	}
}

func (d *decoder) textValue(n *node, v reflect.Value, path string) {
	text, ok := n.text, true
	isNumber := n.tag == "!!int" && !n.substituted
	switch v.Interface().(type) {
	case Port:
		if !isNumber {
			text, ok = d.text(n, path)
		}
	case Mode:
		// YAML 1.1 and 1.2 disagree about whether 0750 is octal.
		if isNumber {
			d.add(n.pos, fmt.Sprintf("quote it: %q", strings.Repeat("0", max(0, 4-len(text)))+text),
				"%s: found the number %s, expected a quoted octal mode", path, text)
			return
		}
		text, ok = d.text(n, path)
	case Duration:
		if isNumber {
			d.add(n.pos, "give it a unit: "+text+"s", "%s: found the number %s, expected a duration such as 30s or 1m30s", path, text)
			return
		}
		text, ok = d.text(n, path)
	default:
		text, ok = d.text(n, path)
	}
	if !ok {
		return
	}
	if err := v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(text)); err != nil {
		d.addError(n.pos, path+": ", err)
	}
}

func (d *decoder) structValue(n *node, v reflect.Value, path string) {
	for _, f := range fieldsOf(v.Type()) {
		inner := join(path, f.name)
		value := n.get(f.name)
		if value == nil {
			if f.required && !n.damaged {
				d.add(n.pos, "", "%s: %s is missing", label(path), f.name)
			}
			continue
		}
		d.positions[inner] = value.pos
		before := len(d.list)
		d.value(value, v.FieldByIndex(f.index), &f, inner)
		if f.required && !value.damaged && value.kind != mapping && value.text == "" && len(value.items) == 0 {
			d.add(value.pos, "", "%s: found an empty value, expected one", inner)
		}
		if path == "" && (len(d.list) > before || value.anyDamage()) {
			d.unsound[f.name] = true
		}
	}
	// A mapping is where its key is: that is what a reader looks for.
	for _, e := range n.entries {
		if e.value.kind != scalar {
			d.positions[join(path, e.key)] = e.pos
		}
	}
}

func (d *decoder) mapValue(n *node, v reflect.Value, f *field, path string) {
	if len(n.entries) == 0 {
		return // an empty mapping says the same as none
	}
	v.Set(reflect.MakeMapWithSize(v.Type(), len(n.entries)))
	for _, e := range n.entries {
		inner := join(path, e.key)
		d.positions[inner] = e.value.pos
		if !d.checkFormat(f.keys, e.key, e.pos, path) {
			continue
		}
		if text, ok := d.text(e.value, inner); ok && d.checkFormat(f.format, text, e.value.pos, inner) {
			v.SetMapIndex(reflect.ValueOf(e.key), reflect.ValueOf(text))
		}
	}
}

func (d *decoder) listValue(n *node, v reflect.Value, f *field, path string) {
	if len(n.items) == 0 {
		return // an empty list says the same as none
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.items), len(n.items)))
	first := map[string]Position{}
	for i, item := range n.items {
		inner := fmt.Sprintf("%s[%d]", path, i)
		d.positions[inner] = item.pos
		before := len(d.list)
		d.value(item, v.Index(i), f, inner)
		if len(d.list) == before {
			d.unique(item, v.Index(i), f, path, first)
		}
	}
}

// unique refuses a second item of the same name in a list.
func (d *decoder) unique(n *node, v reflect.Value, f *field, path string, first map[string]Position) {
	var name, what string
	pos := n.pos
	switch request, isPackage := v.Interface().(PackageRequest); {
	case isPackage:
		name, what = PackageRequest{Name: request.Name, Arch: request.Arch}.String(), "package"
		if request.Exclude {
			if at, ok := first[name]; ok {
				d.add(pos, "", "%s: %s is excluded here and requested at %s", path, request.Name, at)
				return
			}
			what = "exclusion of"
			name = request.String()
		} else if at, ok := first["!"+request.Name]; ok {
			d.add(pos, "", "%s: %s is requested here and excluded at %s", path, request.Name, at)
			return
		}
	case f.set:
		name, what = fmt.Sprint(v.Interface()), "item"
	case len(f.key) > 0:
		for i, key := range f.key {
			if i > 0 {
				name += " "
			}
			value := n.get(key)
			if value == nil {
				return // it was refused, together with what it holds
			}
			name += value.text
		}
		if what, pos = "entry", n.get(f.key[0]).pos; len(f.key) == 1 {
			what = f.key[0]
		}
	default:
		return
	}
	if at, ok := first[name]; ok {
		d.add(pos, "", "%s: duplicate %s %s; the first is at %s", path, what, quote(name), at)
		return
	}
	first[name] = pos
}

func (d *decoder) stringValue(n *node, v reflect.Value, f *field, path string) {
	text, ok := d.text(n, path)
	if !ok || f.required && text == "" {
		return
	}
	if f.enum != nil {
		for _, e := range f.enum {
			if e == text {
				v.SetString(text)
				return
			}
		}
		suggestion := ""
		if len(f.enum) > 1 {
			suggestion = didYouMean(text, f.enum)
		}
		d.add(n.pos, "", "%s: found %s, expected %s%s", path, quote(text), alternatives(f.enum), suggestion)
		return
	}
	if !d.checkFormat(f.format, text, n.pos, path) {
		return
	}
	switch f.format {
	case formats["source"], formats["key-file"]:
		text = d.source(n, text, path, false)
	case formats["sources"]:
		text = d.source(n, text, path, true)
	}
	if f.format == formats["image"] || f.format == formats["stage-base"] {
		text = d.image(n, text)
	}
	v.SetString(text)
}

// source checks that a file named by a spec is there, or all that stages read under
// the name, and returns its name relative to the directory of the spec that is loaded.
func (d *decoder) source(n *node, name, path string, stages bool) string {
	file := newSourceFile(filepath.Dir(n.pos.File), name)
	relative := file.relativeTo(d.dir)
	file = d.options.find(file, d.dir, stages)
	check := file.check
	if stages {
		check = file.checkTree
	}
	if err := check(); err != nil && !d.options.Incomplete {
		d.list = append(d.list, &Error{Position: n.pos, Message: path + ": cannot read " + quote(name) + ": " + err.Error(), Err: err})
		return name
	}
	d.sources[relative] = file
	return relative
}

// image returns the reference of an image with its path relative to the directory
// of the spec that is loaded. Whether it is there, only a build needs to know.
func (d *decoder) image(n *node, text string) string {
	r, ok := ParseImage(text)
	if !ok || r.Transport == "" || filepath.IsAbs(r.Path) {
		return text
	}
	r.Path = sourceFile{filepath.Dir(n.pos.File), r.Path}.relativeTo(d.dir)
	return r.String()
}

func (d *decoder) intValue(n *node, v reflect.Value, f *field, path string) {
	low, high := int64(0), int64(maxID)
	if f.min != nil {
		low = *f.min
	}
	if f.max != nil {
		high = *f.max
	}
	i, err := strconv.ParseInt(n.text, 10, 64)
	isNumber := err == nil && i >= low && i <= high && strconv.FormatInt(i, 10) == n.text
	if !isNumber || n.tag != "!!int" && !n.substituted {
		hint := ""
		if isNumber {
			hint = "remove the quotes"
		}
		d.add(n.pos, hint, "%s: found %s, expected a whole number from %d to %d", path, n.describe(), low, high)
		return
	}
	if v.CanUint() {
		v.SetUint(uint64(i))
	} else {
		v.SetInt(i)
	}
}

// alternatives lists words for "expected ...".
func alternatives(words []string) string {
	out := words[0]
	for i, w := range words[1:] {
		if i == len(words)-2 {
			out += " or " + w
		} else {
			out += ", " + w
		}
	}
	return out
}
