package profile

import (
	"bytes"
	"fmt"

	"go.yaml.in/yaml/v4"
)

// object is a YAML mapping in the order in which it is written. A value that is nil, or an
// empty object or list, is left out; see [empty] for one that has to stay.
type object []member

type member struct {
	name  string
	value any
}

type list []any

// empty is an object without members that is written all the same.
type empty struct{}

func node(v any) (*yaml.Node, error) {
	switch v := v.(type) {
	case object:
		n := &yaml.Node{Kind: yaml.MappingNode}
		for _, m := range v {
			if absent(m.value) {
				continue
			}
			value, err := node(m.value)
			if err != nil {
				return nil, err
			}
			n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: m.name}, value)
		}
		return n, nil
	case list:
		n := &yaml.Node{Kind: yaml.SequenceNode}
		for _, e := range v {
			value, err := node(e)
			if err != nil {
				return nil, err
			}
			n.Content = append(n.Content, value)
		}
		return n, nil
	case empty:
		return &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle}, nil
	}
	n := &yaml.Node{}
	if err := n.Encode(v); err != nil {
		return nil, err
	}
	return n, nil
}

func absent(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case object:
		return len(v) == 0
	case list:
		return len(v) == 0
	case string:
		return v == ""
	}
	return false
}

// documents writes comments, and after them YAML documents.
func documents(comments string, docs ...any) ([]byte, error) {
	out := bytes.NewBufferString(comments)
	for i, d := range docs {
		if i > 0 {
			out.WriteString("---\n")
		}
		n, err := node(d)
		if err != nil {
			return nil, err
		}
		dumper, err := yaml.NewDumper(out, yaml.WithIndent(2), yaml.WithLineWidth(-1))
		if err != nil {
			return nil, fmt.Errorf("cannot write YAML: %w", err)
		}
		if err := dumper.Dump(n); err != nil {
			return nil, fmt.Errorf("cannot write YAML: %w", err)
		}
		if err := dumper.Close(); err != nil {
			return nil, fmt.Errorf("cannot write YAML: %w", err)
		}
	}
	return out.Bytes(), nil
}

// strings makes a list of strings.
func stringsOf(values []string) list {
	var l list
	for _, v := range values {
		l = append(l, v)
	}
	return l
}
