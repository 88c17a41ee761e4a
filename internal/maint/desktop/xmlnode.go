package desktop

import (
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/glib"
)

// node is an element of an XML document with namespaces, text where it has no name, or
// a comment, which is named isComment.
type node struct {
	prefix, name, space string // space is the URI of the namespace
	attrs               []xmlAttr
	declared            []xmlAttr // namespaces, by prefix
	kids                []*node
	text                string
}

const isComment = "!--"

type xmlAttr struct{ prefix, name, space, value string }

const xmlSpace = "http://www.w3.org/XML/1998/namespace"

// get returns the value of an attribute without a namespace.
func (n *node) get(name string) (string, bool) {
	for _, a := range n.attrs {
		if a.name == name && a.space == "" {
			return a.value, true
		}
	}
	return "", false
}

// language is the value of xml:lang, "" where there is none.
func (n *node) language() string {
	for _, a := range n.attrs {
		if a.name == "lang" && a.space == xmlSpace {
			return a.value
		}
	}
	return ""
}

// elements returns the elements in n.
func (n *node) elements() []*node {
	return slices.DeleteFunc(slices.Clone(n.kids), func(k *node) bool { return k.name == "" })
}

// parseXML returns the root of a document.
func parseXML(document string) (*node, error) {
	t := &xmlTree{root: &node{}}
	t.open = []*node{t.root}
	if err := (glib.Markup{}).Read(strings.TrimPrefix(document, "\ufeff"), t); err != nil {
		return nil, err
	}
	if elements := t.root.elements(); len(elements) > 0 {
		return elements[0], nil
	}
	return &node{}, nil
}

// xmlTree builds the nodes of a document.
type xmlTree struct {
	root *node
	open []*node
}

// Start begins an element.
func (t *xmlTree) Start(element, _ string, attrs []glib.Attribute) error {
	n := &node{}
	for _, a := range attrs {
		if prefix, ok := strings.CutPrefix(a.Name, "xmlns"); ok && (prefix == "" || prefix[0] == ':') {
			n.declared = append(n.declared, xmlAttr{prefix: strings.TrimPrefix(prefix, ":"), space: a.Value})
		}
	}
	t.open = append(t.open, n)
	n.prefix, n.name = qualified(element)
	n.space = t.space(n.prefix)
	for _, a := range attrs {
		if a.Name == "xmlns" || strings.HasPrefix(a.Name, "xmlns:") {
			continue
		}
		x := xmlAttr{value: a.Value}
		if x.prefix, x.name = qualified(a.Name); x.prefix != "" {
			x.space = t.space(x.prefix)
		}
		n.attrs = append(n.attrs, x)
	}
	parent := t.open[len(t.open)-2]
	parent.kids = append(parent.kids, n)
	return nil
}

func qualified(name string) (prefix, local string) {
	if prefix, local, ok := strings.Cut(name, ":"); ok {
		return prefix, local
	}
	return "", name
}

// space returns the namespace that a prefix stands for in the element that is open.
func (t *xmlTree) space(prefix string) string {
	if prefix == "xml" {
		return xmlSpace
	}
	for _, n := range slices.Backward(t.open) {
		for _, d := range n.declared {
			if d.prefix == prefix {
				return d.space
			}
		}
	}
	return ""
}

// End ends an element.
func (t *xmlTree) End(string) error {
	t.open = t.open[:len(t.open)-1]
	return nil
}

// Text adds to the element that is open.
func (t *xmlTree) Text(_, s string) error {
	n := t.open[len(t.open)-1]
	if k := len(n.kids) - 1; k >= 0 && n.kids[k].name == "" {
		n.kids[k].text += s
	} else if s != "" {
		n.kids = append(n.kids, &node{text: s})
	}
	return nil
}

// standalone returns a copy of n that declares the namespaces that it uses, as
// libxml2's xmlDocCopyNode does.
func (n *node) standalone() *node {
	c := *n
	c.declared = slices.Clone(n.declared)
	known := func(scopes []*node, prefix string) bool {
		return prefix == "xml" || slices.ContainsFunc(scopes, func(s *node) bool {
			return slices.ContainsFunc(s.declared, func(d xmlAttr) bool { return d.prefix == prefix })
		})
	}
	var walk func(scopes []*node, k *node)
	walk = func(scopes []*node, k *node) {
		scopes = append(slices.Clip(scopes), k)
		need := func(prefix, space string) {
			if space != "" && !known(append(slices.Clip(scopes), &c), prefix) {
				c.declared = append(c.declared, xmlAttr{prefix: prefix, space: space})
			}
		}
		need(k.prefix, k.space)
		for _, a := range k.attrs {
			need(a.prefix, a.space)
		}
		for _, kid := range k.elements() {
			walk(scopes, kid)
		}
	}
	walk(nil, &c)
	return &c
}

var (
	textEscapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "\r", "&#13;")
	attrEscapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "\n", "&#10;", "\r", "&#13;", "\t", "&#9;")
)

// write writes an element as libxml2 does, with its elements on lines of their own
// where it has no text.
func (n *node) write(b *strings.Builder, level int, lines bool) {
	switch n.name {
	case "":
		b.WriteString(textEscapes.Replace(n.text))
		return
	case isComment:
		b.WriteString("<!--" + n.text + "-->")
		return
	}
	join := func(prefix, name string) string {
		if prefix != "" {
			return prefix + ":" + name
		}
		return name
	}
	tag := join(n.prefix, n.name)
	b.WriteString("<" + tag)
	for _, d := range n.declared {
		name := "xmlns"
		if d.prefix != "" {
			name += ":" + d.prefix
		}
		b.WriteString(" " + name + `="` + attrEscapes.Replace(d.space) + `"`)
	}
	for _, a := range n.attrs {
		b.WriteString(" " + join(a.prefix, a.name) + `="` + attrEscapes.Replace(a.value) + `"`)
	}
	if len(n.kids) == 0 {
		b.WriteString("/>")
		return
	}
	b.WriteString(">")
	lines = lines && !slices.ContainsFunc(n.kids, func(k *node) bool { return k.name == "" })
	for _, k := range n.kids {
		if lines {
			b.WriteString("\n" + strings.Repeat("  ", level+1))
		}
		k.write(b, level+1, lines)
	}
	if lines {
		b.WriteString("\n" + strings.Repeat("  ", level))
	}
	b.WriteString("</" + tag + ">")
}
