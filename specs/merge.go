package specs

import (
	"reflect"
	"slices"
	"strings"
)

// merge returns child over parent, both of type t: maps merge, lists append,
// scalars win. parent is nil at the top of the chain; merging over it applies the
// removals within child itself. Neither tree is changed.
//
// It works on the text as written, before vars are substituted, so that a child's
// vars reach into its parent.
func (p *problems) merge(parent, child *node, t reflect.Type, f *field, path string) *node {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == commandType || child.kind == scalar:
		return child
	case child.kind == sequence:
		return p.mergeLists(parent, child, t, f, path)
	}
	out := &node{kind: mapping, pos: child.pos, damaged: child.damaged}
	if parent != nil {
		out.entries = slices.Clone(parent.entries)
		out.damaged = out.damaged || parent.damaged
	}
	if t.Kind() == reflect.Struct {
		out.entries = slices.DeleteFunc(out.entries, func(inherited entry) bool { return replaced(inherited.key, child, t) })
	}
	for _, e := range child.entries {
		var inner reflect.Type
		innerField := f
		if t.Kind() == reflect.Struct {
			innerField = fieldNamed(fieldsOf(t), e.key)
			inner = innerField.typ
		} else {
			inner = t.Elem()
		}
		i := slices.IndexFunc(out.entries, func(o entry) bool { return o.key == e.key })
		var under *node
		if i >= 0 {
			under = out.entries[i].value
		}
		merged := entry{e.key, e.pos, p.merge(under, e.value, inner, innerField, join(path, e.key))}
		if i >= 0 {
			out.entries[i] = merged
		} else {
			out.entries = append(out.entries, merged)
		}
	}
	return out
}

// replaced reports whether child has a key that stands instead of an inherited one.
func replaced(key string, child *node, t reflect.Type) bool {
	return slices.ContainsFunc(child.entries, func(e entry) bool {
		return slices.Contains(fieldNamed(fieldsOf(t), e.key).instead, key)
	})
}

// mergeLists appends child's items to parent's. An item that names the same as an
// inherited one takes its place; two of the same name in one file both stay, for
// the decoder to refuse.
func (p *problems) mergeLists(parent, child *node, t reflect.Type, f *field, path string) *node {
	var inherited []*node
	if parent != nil {
		inherited = slices.Clone(parent.items)
	}
	packages := t.Elem() == packageType
	var added []*node
	for _, item := range child.items {
		removed := strings.TrimPrefix(item.text, "!")
		removes := f.set && removed != item.text
		switch {
		case packages && removes:
			inherited = slices.DeleteFunc(inherited, func(o *node) bool { return packageName(o.text) == packageName(item.text) })
		case packages:
			inherited = slices.DeleteFunc(inherited, func(o *node) bool { return o.text == "!"+packageName(item.text) })
		case removes:
			before := len(inherited)
			inherited = slices.DeleteFunc(inherited, func(o *node) bool { return o.text == removed })
			if len(inherited) == before {
				var names []string
				for _, o := range inherited {
					names = append(names, o.text)
				}
				p.add(item.pos, "", "%s: %s removes nothing that the spec inherits%s", path, quote(item.text), didYouMean(removed, names))
			}
			continue
		}
		key := itemKey(item, t.Elem(), f)
		i := slices.IndexFunc(inherited, func(o *node) bool { return key != "" && itemKey(o, t.Elem(), f) == key })
		if i >= 0 {
			inherited[i] = item
		} else {
			added = append(added, item)
		}
	}
	return &node{kind: sequence, pos: child.pos, damaged: child.damaged, items: append(inherited, added...)}
}

var packageType = reflect.TypeFor[PackageRequest]()

// itemKey returns what an item of a list is known by, or "" where nothing tells
// it from others.
func itemKey(n *node, t reflect.Type, f *field) string {
	switch {
	case t == packageType:
		request, _, _ := strings.Cut(n.text, "=")
		return request
	case f.set:
		return n.text
	}
	var parts []string
	for _, name := range f.key {
		v := n.get(name)
		if v == nil {
			return ""
		}
		parts = append(parts, v.text)
	}
	return strings.Join(parts, "\x00")
}

// packageName returns the name in the text of a package request.
func packageName(request string) string {
	request = strings.TrimPrefix(request, "!")
	if i := strings.IndexAny(request, ":="); i >= 0 {
		request = request[:i]
	}
	return request
}
