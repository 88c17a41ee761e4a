package specs

import (
	"fmt"
	"reflect"
	"strings"
)

// shape refuses keys of n that type t does not have and values of the wrong
// kind, and takes them out of the tree, so that what follows can rely on its
// shape. It works on one file, before anything is merged. path names n in errors.
func (p *problems) shape(n *node, t reflect.Type, path string) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch want := kindOf(t); {
	case want == scalar:
	case t.Kind() == reflect.Struct:
		p.shapeStruct(n, t, path)
	case want == mapping:
		n.entries = filter(n, n.entries, func(e entry) bool { return p.fits(e.value, t.Elem(), join(path, e.key)) })
	case want == sequence:
		i := -1
		n.items = filter(n, n.items, func(item *node) bool {
			i++
			return p.fits(item, t.Elem(), fmt.Sprintf("%s[%d]", path, i))
		})
	}
}

func (p *problems) shapeStruct(n *node, t reflect.Type, path string) {
	fields := fieldsOf(t)
	n.entries = filter(n, n.entries, func(e entry) bool {
		f := fieldNamed(fields, e.key)
		if f == nil {
			p.unknownKey(e, t, path)
			return false
		}
		return p.fits(e.value, f.typ, join(path, e.key))
	})
}

// filter returns the elements to keep, and marks n where one goes.
func filter[E any](n *node, list []E, keep func(E) bool) []E {
	out := list[:0:0]
	for _, e := range list {
		if keep(e) {
			out = append(out, e)
		} else {
			n.damaged = true
		}
	}
	return out
}

// fits reports whether n is of the kind that t is written as, and goes on below it.
func (p *problems) fits(n *node, t reflect.Type, path string) bool {
	if want := kindOf(t); n.kind != want {
		p.wrongKind(n, want, path)
		return false
	}
	p.shape(n, t, path)
	return true
}

func (p *problems) wrongKind(n *node, want kind, path string) {
	expected := map[kind]string{mapping: "a mapping", sequence: "a list", scalar: "a single value"}[want]
	hint := ""
	switch {
	case n.kind == scalar && n.tag == "!!null":
		hint = "remove the key, or give it a value"
	case n.kind == scalar && want == sequence:
		hint = "write [" + n.text + "]"
	}
	p.add(n.pos, hint, "%s: found %s, expected %s", label(path), n.describe(), expected)
}

func (p *problems) unknownKey(e entry, t reflect.Type, path string) {
	fields := fieldsOf(t)
	where := ""
	if path != "" {
		where = " in " + path
	}
	if t == overlayType && fieldNamed(fieldsOf(documentType), e.key) != nil {
		p.add(e.pos, "set it in the spec itself", "key %q%s, which all variants share", e.key, where)
		return
	}
	suggestion, hint := didYouMean(e.key, fieldNames(fields)), ""
	if suggestion == "" {
		if home := homeOf(e.key); home != "" && p.root == nil {
			hint = fmt.Sprintf("%q is a key of %s", e.key, home)
		} else if len(fields) > 20 {
			hint = "hardpan schema prints all keys"
		} else {
			hint = "the keys are " + strings.Join(fieldNames(fields), ", ")
		}
	}
	p.add(e.pos, hint, "unknown key %s%s%s", quote(e.key), where, suggestion)
}

// homeOf returns the key of a spec below which name is a key, or "".
func homeOf(name string) string {
	for _, f := range fieldsOf(documentType) {
		t := f.typ
		for t.Kind() == reflect.Slice || t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		if kindOf(t) == mapping && t.Kind() == reflect.Struct && fieldNamed(fieldsOf(t), name) != nil {
			return f.name
		}
	}
	if fieldNamed(fieldsOf(documentType), name) != nil {
		return "the spec itself"
	}
	return ""
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// label names a place in an error; the top of a spec has no name of its own.
func label(path string) string {
	if path == "" {
		return "spec"
	}
	return path
}
