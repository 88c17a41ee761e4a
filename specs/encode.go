package specs

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// YAML returns the spec as one file: parents and the variant merged in, vars
// substituted, defaults written out, keys in one order. Loaded from the directory of
// the spec, it gives an equal spec, without the variants. A file that a parent in
// another directory names begins with "../" here, which [Load] refuses.
func (s *Spec) YAML() ([]byte, error) {
	e := encoder{spec: s}
	n, err := e.value(reflect.ValueOf(*s), nil)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	dumper, err := yaml.NewDumper(&out, yaml.WithIndent(2), yaml.WithCompactSeqIndent(false), yaml.WithLineWidth(-1))
	if err != nil {
		return nil, fmt.Errorf("cannot write spec: %w", err)
	}
	if err := dumper.Dump(n.yaml()); err != nil {
		return nil, fmt.Errorf("cannot write spec: %w", err)
	}
	if err := dumper.Close(); err != nil {
		return nil, fmt.Errorf("cannot write spec: %w", err)
	}
	return out.Bytes(), nil
}

// Canonical returns the spec in the one form that a cache key is made of: JSON
// with sorted keys, in which nothing depends on where the spec is, how it is
// written, or what its parents and variables are called. Files that the spec names
// are in it by their digest, and so are read.
func (s *Spec) Canonical() ([]byte, error) {
	e := encoder{spec: s, canonical: true}
	n, err := e.value(reflect.ValueOf(*s), nil)
	if err != nil {
		return nil, err
	}
	return json.Marshal(n.json())
}

// encoder turns a spec into a tree of nodes, the decoder's way back.
type encoder struct {
	spec      *Spec
	canonical bool
}

func (e *encoder) value(v reflect.Value, f *field) (*node, error) {
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	if m, ok := v.Interface().(encoding.TextMarshaler); ok {
		text, err := m.MarshalText()
		return &node{tag: "!!str", text: string(text)}, err
	}
	switch v.Kind() {
	case reflect.Struct:
		return e.structValue(v)
	case reflect.Map:
		n := &node{kind: mapping}
		values := v.Interface().(map[string]string)
		for _, key := range slices.Sorted(maps.Keys(values)) {
			n.entries = append(n.entries, entry{key: key, value: &node{tag: "!!str", text: values[key]}})
		}
		return n, nil
	case reflect.Slice:
		n := &node{kind: sequence}
		for i := range v.Len() {
			item, err := e.value(v.Index(i), f)
			if err != nil {
				return nil, err
			}
			n.items = append(n.items, item)
		}
		return n, nil
	case reflect.String:
		return e.text(v.String(), f)
	case reflect.Bool:
		return &node{tag: "!!bool", text: strconv.FormatBool(v.Bool())}, nil
	}
	return &node{tag: "!!int", text: fmt.Sprint(v.Interface())}, nil
}

func (e *encoder) structValue(v reflect.Value) (*node, error) {
	n := &node{kind: mapping}
	for _, f := range fieldsOf(v.Type()) {
		inner := v.FieldByIndex(f.index)
		if !f.required && !f.show && isEmpty(inner) {
			continue
		}
		value, err := e.value(inner, &f)
		if err == nil && e.canonical && f.format == formats["sources"] {
			value, err = e.sources(v.Interface().(StageFile))
		}
		if err != nil {
			return nil, err
		}
		if value.kind == mapping && len(value.entries) == 0 {
			continue
		}
		n.entries = append(n.entries, entry{key: f.name, value: value})
	}
	return n, nil
}

func isEmpty(v reflect.Value) bool {
	if v.Kind() == reflect.Slice || v.Kind() == reflect.Map {
		return v.Len() == 0
	}
	return v.IsZero()
}

// text encodes a string; a file's name becomes its digest in the canonical form.
func (e *encoder) text(s string, f *field) (*node, error) {
	if e.canonical && s != "" && (f.format == formats["source"] || f.format == formats["key-file"]) {
		digest, err := e.spec.from().sources[s].digest()
		if err != nil {
			return nil, fmt.Errorf("cannot read %q, which %s names: %w", s, e.spec.from().file, err)
		}
		s = "sha256:" + digest
	}
	return &node{tag: "!!str", text: s}, nil
}

// sources encodes the source of f as the digest of all that it stands for.
func (e *encoder) sources(f StageFile) (*node, error) {
	digest, err := e.spec.from().sources[f.Source].treeDigest(f.Exclude)
	if err != nil {
		return nil, fmt.Errorf("cannot read %q, which %s names: %w", f.Source, e.spec.from().file, err)
	}
	return &node{tag: "!!str", text: "sha256:" + digest}, nil
}

// yaml returns the tree for the YAML library, its text such that substitution
// gives it back.
func (n *node) yaml() *yaml.Node {
	switch n.kind {
	case mapping:
		out := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		for _, e := range n.entries {
			out.Content = append(out.Content, yamlText(e.key), e.value.yaml())
		}
		return out
	case sequence:
		out := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		for _, item := range n.items {
			out.Content = append(out.Content, item.yaml())
		}
		return out
	}
	if n.tag == "!!str" {
		return yamlText(escape(n.text))
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: n.tag, Value: n.text}
}

// patternPlain matches text that needs no quotes: words that begin with a letter
// or are a path, durations and ports.
const patternPlain = `^[a-zA-Z/]([a-zA-Z0-9/._+()=,;-]|[ :][a-zA-Z0-9/._+()=,;-])*$|^[0-9]+(ms|s|m|h)$|^[0-9-]+/(tcp|udp|sctp)$`

// yamlText returns text as a scalar: plain where no reader of YAML, old or new,
// can take it for anything else, a block where that reads best, and else quoted.
func yamlText(s string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s, Style: yaml.DoubleQuotedStyle}
	switch lines := strings.Split(s, "\n"); {
	case matches(patternPlain, s) && !matches(`^(?i:y|n|yes|no|on|off|true|false|null)$`, s):
		n.Style = 0
	case len(lines) > 2 && lines[len(lines)-1] == "" && matches(`^[!-~]`, s) && matches(`^[ -~\n]*[!-~]\n$`, s):
		n.Style = yaml.LiteralStyle
	}
	return n
}

// json returns the tree as encoding/json takes it, which sorts the keys.
func (n *node) json() any {
	switch n.kind {
	case mapping:
		out := make(map[string]any, len(n.entries))
		for _, e := range n.entries {
			out[e.key] = e.value.json()
		}
		return out
	case sequence:
		out := make([]any, len(n.items))
		for i, item := range n.items {
			out[i] = item.json()
		}
		return out
	}
	switch n.tag {
	case "!!int":
		return json.Number(n.text)
	case "!!bool":
		return n.text == "true"
	}
	return n.text
}
