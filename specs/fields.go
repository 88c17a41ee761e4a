package specs

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// document is a spec file as it is written: a [Spec] and the keys that are gone
// once it is loaded.
type document struct {
	// Parent of this spec, relative to this file: maps merge, lists append, "!x" removes x from a list of words, and scalars win.
	Extends string `yaml:"extends" spec:"root"`
	// Values that ${NAME} stands for in all text of the spec; $$ is a dollar.
	Vars map[string]string `yaml:"vars" spec:"keys=variable"`
	Spec
	// Specs that are merged over this one, as a child over its parent, each published under its own tag.
	Variants map[string]overlay `yaml:"variants" spec:"root,keys=variant"`
}

// overlay is a variant: all keys but those that the variants of an image share.
type overlay struct {
	document
}

// field is a key of a mapping: a struct's field with its options.
type field struct {
	name     string
	index    []int
	typ      reflect.Type
	doc      string // "Type.Field", under which the schema finds the comment
	required bool
	root     bool
	show     bool
	set      bool
	key      []string
	instead  []string
	format   *format
	keys     *format
	enum     []string
	min, max *int64
}

var (
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
	commandType     = reflect.TypeFor[Command]()
	overlayType     = reflect.TypeFor[overlay]()
	documentType    = reflect.TypeFor[document]()
	fieldCache      sync.Map // of reflect.Type to []field
)

// fieldsOf returns the keys of a struct type in the order of its fields.
func fieldsOf(t reflect.Type) []field {
	if f, ok := fieldCache.Load(t); ok {
		return f.([]field)
	}
	var fields []field
	for f := range t.Fields() {
		if f.Anonymous {
			if f.Type.Kind() != reflect.Struct {
				continue
			}
			for _, inner := range fieldsOf(f.Type) {
				inner.index = slices.Concat(f.Index, inner.index)
				fields = append(fields, inner)
			}
		} else if f.IsExported() {
			fields = append(fields, newField(t, f))
		}
	}
	if t == overlayType {
		fields = slices.DeleteFunc(fields, func(f field) bool { return f.root })
	}
	fieldCache.Store(t, fields)
	return fields
}

func newField(t reflect.Type, f reflect.StructField) field {
	out := field{name: f.Tag.Get("yaml"), index: f.Index, typ: f.Type, doc: t.Name() + "." + f.Name, format: formats[""]}
	if f.Type == commandType {
		out.format = formats["text"]
	}
	for option := range strings.SplitSeq(f.Tag.Get("spec"), ",") {
		name, value, _ := strings.Cut(option, "=")
		switch name {
		case "required":
			out.required = true
		case "root":
			out.root = true
		case "show":
			out.show = true
		case "set":
			out.set = true
		case "key":
			out.key = strings.Split(value, "+")
		case "instead":
			out.instead = strings.Split(value, "+")
		case "format":
			out.format = formats[value]
		case "keys":
			out.keys = formats[value]
		case "enum":
			out.enum = strings.Split(value, "|")
		case "min":
			out.min = number(value)
		case "max":
			out.max = number(value)
		}
	}
	return out
}

func number(s string) *int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		panic(fmt.Sprintf("specs: struct tag: %v", err))
	}
	return &n
}

// fieldNamed returns the field of that name, or nil.
func fieldNamed(fields []field, name string) *field {
	for i := range fields {
		if fields[i].name == name {
			return &fields[i]
		}
	}
	return nil
}

func fieldNames(fields []field) []string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.name
	}
	return names
}

// kindOf returns the kind of node that a value of type t is written as.
func kindOf(t reflect.Type) kind {
	switch {
	case reflect.PointerTo(t).Implements(textUnmarshaler):
		return scalar
	case t.Kind() == reflect.Pointer:
		return kindOf(t.Elem())
	case t.Kind() == reflect.Struct || t.Kind() == reflect.Map:
		return mapping
	case t.Kind() == reflect.Slice:
		return sequence
	}
	return scalar
}
