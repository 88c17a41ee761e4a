package specs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// maxSpecSize is the largest spec file that is read, in bytes.
const maxSpecSize = 1 << 20

// maxAliased is how many values the aliases of one file may stand for together.
// It bounds what a few lines of aliases of aliases can grow to.
const maxAliased = 10_000

type kind int

const (
	scalar kind = iota
	mapping
	sequence
)

// node is a value of a spec file with the place it was written at. A tree of
// nodes has no aliases, no duplicate keys and no tags.
type node struct {
	kind    kind
	pos     Position
	entries []entry // of a mapping
	items   []*node // of a sequence

	text string // of a scalar
	tag  string // of a scalar: "!!str", "!!int", "!!float", "!!bool", "!!null" or "!!timestamp"

	substituted bool // of a scalar: a variable made it

	// Something of the value was refused, and so reported. What else seems wrong
	// with it may follow from that and is not worth an error of its own.
	damaged bool
}

type entry struct {
	key   string
	pos   Position // of the key
	value *node
}

// get returns the value of the key, or nil.
func (n *node) get(key string) *node {
	for _, e := range n.entries {
		if e.key == key {
			return e.value
		}
	}
	return nil
}

// anyDamage reports whether something was refused of n or below it.
func (n *node) anyDamage() bool {
	return n.damaged || slices.ContainsFunc(n.items, (*node).anyDamage) ||
		slices.ContainsFunc(n.entries, func(e entry) bool { return e.value.anyDamage() })
}

// describe says what a node is, for "found ...".
func (n *node) describe() string {
	switch {
	case n.kind == mapping:
		return "a mapping"
	case n.kind == sequence:
		return "a list"
	case n.tag == "!!null":
		return "nothing"
	case n.tag == "!!int" || n.tag == "!!float":
		return "the number " + n.text
	case n.tag == "!!bool":
		return n.text
	}
	return "the text " + quote(n.text)
}

// readFile reads the bytes of a spec, which must be text. child is the value of
// extends that names it, or nil for the spec that is loaded.
func readFile(path string, child *node, p *problems) []byte {
	at := Position{File: path}
	f, err := os.Open(path)
	var b []byte
	if err == nil {
		defer f.Close()
		b, err = io.ReadAll(io.LimitReader(f, maxSpecSize+1))
	}
	if err != nil {
		message := "cannot read spec"
		if child != nil {
			at, message = child.pos, "extends: cannot read "+quote(child.text)
		}
		p.list = append(p.list, &Error{Position: at, Message: message + ": " + cause(err).Error(), Err: err})
		return nil
	}
	if len(b) > maxSpecSize {
		p.add(at, "", "spec is larger than %d bytes", maxSpecSize)
		return nil
	}
	b = bytes.TrimPrefix(b, []byte("\ufeff"))
	return checkText(b, at, p)
}

// cause returns what went wrong with a file without saying its path once more.
func cause(err error) error {
	if e, ok := errors.AsType[*os.PathError](err); ok {
		return e.Err
	}
	return err
}

// checkText refuses what is not UTF-8 text: YAML allows other encodings and some
// control characters (YAML 1.2.2, section 5.1), which only serve to deceive.
func checkText(b []byte, at Position, p *problems) []byte {
	at.Line, at.Column = 1, 1
	for i := 0; i < len(b); {
		r, size := utf8.DecodeRune(b[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			p.add(at, "save the file as UTF-8", "found byte 0x%02x, expected UTF-8 text", b[i])
			return nil
		case r == '\n' || r == '\t' || r == '\r' && i+1 < len(b) && b[i+1] == '\n':
		case controls(r) || r == '\ufeff':
			p.add(at, "remove it", "found control character %U, expected text", r)
			return nil
		}
		i += size
		at.Column++
		if r == '\n' {
			at.Line, at.Column = at.Line+1, 1
		}
	}
	return b
}

// parse returns the tree of the one document of a spec file, or nil where it
// cannot be read; errors are added to p.
func parse(file string, b []byte, p *problems) *node {
	loader, err := yaml.NewLoader(bytes.NewReader(b))
	if err != nil {
		p.add(Position{File: file}, "", "cannot read YAML: %v", err)
		return nil
	}
	var doc yaml.Node
	if err := loader.Load(&doc); err == io.EOF || err == nil && (len(doc.Content) == 0 || isNull(doc.Content[0])) {
		p.add(Position{File: file, Line: 1, Column: 1}, `begin with "apiVersion: `+APIVersion+`"`, "spec is empty")
		return nil
	} else if err != nil {
		addSyntaxError(file, err, p)
		return nil
	}
	var next yaml.Node
	if err := loader.Load(&next); err == nil {
		p.add(Position{file, next.Line, next.Column}, "write one file per spec, or use variants", "found a second document, expected one")
		return nil
	} else if err != io.EOF {
		addSyntaxError(file, err, p)
		return nil
	}
	c := converter{file: file, p: p, within: map[*yaml.Node]bool{}}
	return c.convert(doc.Content[0], false)
}

func isNull(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.Tag == "!!null" && n.Value == ""
}

// addSyntaxError reports an error of the YAML library.
func addSyntaxError(file string, err error, p *problems) {
	at, message := Position{File: file}, err.Error()
	if e, ok := errors.AsType[*yaml.LoadError](err); ok {
		message = e.Message
		if e.Mark.Line > 0 {
			at.Line, at.Column = e.Mark.Line, max(1, e.Mark.Column)
		}
	}
	message = strings.TrimPrefix(message, "yaml: ")
	hint := ""
	switch {
	case strings.Contains(message, "cannot start any token"):
		hint = "quote the text, and indent with spaces, not tabs"
	case strings.Contains(message, "did not find expected ','"):
		hint = `close the bracket, and quote text that contains one of { } [ ] or a comma, such as "${NAME}"`
	case strings.Contains(message, "mapping values are not allowed"):
		hint = `quote text that contains ": ", and align the keys of one mapping`
	}
	p.add(at, hint, "cannot read YAML: %s", strings.ReplaceAll(message, "\n", " "))
}

// converter turns the YAML library's nodes into ours.
type converter struct {
	file    string
	p       *problems
	within  map[*yaml.Node]bool // values with an anchor that are being converted
	aliased int                 // values that came out of aliases
}

func (c *converter) pos(n *yaml.Node) Position { return Position{c.file, n.Line, n.Column} }

// convert returns n as a node, or nil where it was refused. aliased says that n
// is the value of an alias.
func (c *converter) convert(n *yaml.Node, aliased bool) *node {
	if aliased {
		if c.aliased++; c.aliased > maxAliased {
			if c.aliased == maxAliased+1 {
				c.p.add(c.pos(n), "", "aliases stand for more than %d values", maxAliased)
			}
			return nil
		}
	}
	if n.Style&yaml.TaggedStyle != 0 && n.Kind != yaml.AliasNode {
		hint := ""
		if !strings.HasPrefix(n.Tag, "!!") {
			hint = fmt.Sprintf("text that begins with ! needs quotes: %q", n.Tag+n.Value)
		}
		c.p.add(c.pos(n), hint, "found the YAML tag %s, expected a value without", n.Tag)
		return nil
	}
	if n.Anchor != "" {
		c.within[n] = true
		defer delete(c.within, n)
	}
	out := &node{pos: c.pos(n)}
	switch n.Kind {
	case yaml.ScalarNode:
		out.text, out.tag = n.Value, n.Tag
	case yaml.SequenceNode:
		out.kind = sequence
		for _, item := range n.Content {
			if item := c.convert(item, aliased); item != nil {
				out.items = append(out.items, item)
			}
		}
	case yaml.MappingNode:
		out.kind = mapping
		c.convertEntries(n, out, aliased)
	case yaml.AliasNode:
		if c.within[n.Alias] {
			c.p.add(c.pos(n), "", "alias *%s stands for a value that contains it", n.Value)
			return nil
		}
		return c.convert(n.Alias, true)
	}
	return out
}

func (c *converter) convertEntries(n *yaml.Node, out *node, aliased bool) {
	seen := map[string]Position{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		at := c.pos(k)
		switch first, duplicate := seen[k.Value]; {
		case k.Tag == "!!merge":
			c.p.add(at, "use extends, or write the keys out", "found the YAML merge key <<, expected a key")
		case k.Kind != yaml.ScalarNode:
			c.p.add(at, "", "found a value that is not text as a key")
		case k.Tag != "!!str" && k.Tag != "!!timestamp":
			c.p.add(at, fmt.Sprintf("quote it: %q", k.Value), "found %q as a key, expected text", k.Value)
		case duplicate:
			c.p.add(at, "", "duplicate key %s; the first is at line %d", quote(k.Value), first.Line)
		default:
			seen[k.Value] = at
			if v := c.convert(v, aliased); v != nil {
				out.entries = append(out.entries, entry{k.Value, at, v})
				continue
			}
		}
		out.damaged = true
	}
}
