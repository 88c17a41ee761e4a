package glib

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MarkupHandler is told of what is in a document. An error ends the reading.
type MarkupHandler interface {
	Start(element, container string, attrs []Attribute) error
	End(element string) error
	Text(element, s string) error
}

// Attribute is one of an element's attributes.
type Attribute struct{ Name, Value string }

// Markup says how a document is read.
type Markup struct {
	// IgnoreQualified leaves out what has a ":" in its name.
	IgnoreQualified bool
}

// Read reads a document as GMarkup does, which is XML without document types and
// their entities. CDATA sections are text.
func (how Markup) Read(document string, h MarkupHandler) error {
	m := &markup{rest: document, h: h, how: how}
	err := m.read()
	if err != nil {
		line := 1 + strings.Count(document[:len(document)-len(m.rest)], "\n")
		return fmt.Errorf("line %d: %w", line, err)
	}
	return nil
}

type markup struct {
	rest    string
	h       MarkupHandler
	how     Markup
	stack   []string // open elements
	ignored int      // how many of them are in one that is left out, it included
}

func (m *markup) read() error {
	if m.rest == "" {
		return errors.New("Document was empty or contained only whitespace")
	}
	for {
		if len(m.stack) == 0 {
			if m.rest = strings.TrimLeft(m.rest, " \t\n\r"); m.rest == "" {
				return nil
			}
			if m.rest[0] != '<' {
				return errors.New("Document must begin with an element (e.g. <book>)")
			}
		} else if err := m.characters(); err != nil {
			return err
		}
		m.rest = m.rest[1:]
		if m.rest == "" {
			return errors.New("Document ended unexpectedly just after an open angle bracket \u201c<\u201d")
		}
		var err error
		switch m.rest[0] {
		case '?', '!':
			err = m.passthrough()
		case '/':
			err = m.closeTag()
		default:
			err = m.openTag()
		}
		if err != nil {
			return err
		}
	}
}

func (m *markup) tell(s string) error {
	if m.ignored > 0 || len(m.stack) == 0 {
		return nil
	}
	return m.h.Text(m.stack[len(m.stack)-1], s)
}

// characters reads text up to the next "<".
func (m *markup) characters() error {
	i := strings.IndexByte(m.rest, '<')
	if i < 0 {
		return fmt.Errorf("Document ended unexpectedly with elements still open \u2014 \u201c%s\u201d was the last element opened", m.stack[len(m.stack)-1])
	}
	s, err := unescape(m.rest[:i], false)
	if err != nil {
		return err
	}
	if err := m.tell(s); err != nil {
		return err
	}
	m.rest = m.rest[i:]
	return nil
}

// passthrough reads a comment, a processing instruction, a document type or a CDATA
// section, the last of which is text.
func (m *markup) passthrough() error {
	closing := map[string]string{"!--": "--", "![CDATA[": "]]"}
	balance := 1
	for i := range len(m.rest) {
		switch m.rest[i] {
		case '<':
			balance++
			continue
		case '>':
			balance--
		default:
			continue
		}
		s := m.rest[:i]
		done := balance == 0
		for begin, end := range closing {
			if strings.HasPrefix(s, begin) {
				done = strings.HasSuffix(s, end) && (begin != "!--" || len(s) >= 5)
			}
		}
		if strings.HasPrefix(s, "?") {
			done = strings.HasSuffix(s, "?")
		}
		if !done {
			continue
		}
		m.rest = m.rest[i+1:]
		if text, ok := strings.CutPrefix(s, "![CDATA["); ok {
			if !utf8.ValidString(text) {
				return errInvalidText
			}
			return m.tell(strings.TrimSuffix(text, "]]"))
		}
		return nil
	}
	return errors.New("Document ended unexpectedly inside a comment or processing instruction")
}

// name reads a name.
func (m *markup) name() (string, error) {
	i := strings.IndexAny(m.rest, "=/> \t\n\r")
	if i < 0 {
		return "", errors.New("Document ended unexpectedly inside an element name")
	}
	name := m.rest[:i]
	ok := name != "" && utf8.ValidString(name)
	for j, r := range name {
		ok = ok && (r == '_' || r == ':' || unicode.IsLetter(r) || j > 0 && (r == '-' || r == '.' || unicode.In(r, unicode.Nd, unicode.Mn, unicode.Mc, unicode.Lm)))
	}
	if !ok {
		return "", fmt.Errorf("\u201c%s\u201d is not a valid name", name)
	}
	m.rest = m.rest[i:]
	return name, nil
}

func (m *markup) closeTag() error {
	m.rest = m.rest[1:]
	name, err := m.name()
	if err != nil {
		return err
	}
	m.rest = strings.TrimLeft(m.rest, " \t\n\r")
	switch {
	case !strings.HasPrefix(m.rest, ">"):
		return fmt.Errorf("not a valid character following the close element name \u201c%s\u201d; the allowed character is \u201c>\u201d", name)
	case len(m.stack) == 0:
		return fmt.Errorf("Element \u201c%s\u201d was closed, no element is currently open", name)
	case name != m.stack[len(m.stack)-1]:
		return fmt.Errorf("Element \u201c%s\u201d was closed, but the currently open element is \u201c%s\u201d", name, m.stack[len(m.stack)-1])
	}
	m.rest = m.rest[1:]
	return m.leave()
}

// leave ends the element that was opened last.
func (m *markup) leave() error {
	name := m.stack[len(m.stack)-1]
	m.stack = m.stack[:len(m.stack)-1]
	if m.ignored > 0 {
		m.ignored--
		return nil
	}
	return m.h.End(name)
}

// maxMarkupDepth bounds how many elements are open at once.
const maxMarkupDepth = 10000

func (m *markup) openTag() error {
	name, err := m.name()
	if err != nil {
		return err
	}
	var attrs []Attribute
	for {
		if m.rest = strings.TrimLeft(m.rest, " \t\n\r"); m.rest == "" {
			return errors.New("Document ended unexpectedly inside an element")
		}
		if m.rest[0] == '>' || m.rest[0] == '/' {
			break
		}
		a, err := m.attribute()
		if err != nil {
			return err
		}
		if !m.how.IgnoreQualified || !strings.Contains(a.Name, ":") {
			attrs = append(attrs, a)
		}
	}
	empty := m.rest[0] == '/'
	m.rest = m.rest[1:]
	if len(m.stack) == maxMarkupDepth {
		return errors.New("elements nested too deeply")
	}
	container := ""
	if len(m.stack) > 0 {
		container = m.stack[len(m.stack)-1]
	}
	m.stack = append(m.stack, name)
	if m.ignored > 0 || m.how.IgnoreQualified && strings.Contains(name, ":") {
		m.ignored++
	} else if err := m.h.Start(name, container, attrs); err != nil {
		return err
	}
	if !empty {
		return nil
	}
	if !strings.HasPrefix(m.rest, ">") {
		return fmt.Errorf("Odd character, expected a \u201c>\u201d character to end the empty-element tag \u201c%s\u201d", name)
	}
	m.rest = m.rest[1:]
	return m.leave()
}

func (m *markup) attribute() (Attribute, error) {
	name, err := m.name()
	if err != nil {
		return Attribute{}, err
	}
	rest, ok := strings.CutPrefix(strings.TrimLeft(m.rest, " \t\n\r"), "=")
	if !ok {
		return Attribute{}, fmt.Errorf("Odd character, expected a \u201c=\u201d after attribute name \u201c%s\u201d", name)
	}
	rest = strings.TrimLeft(rest, " \t\n\r")
	if rest == "" || rest[0] != '"' && rest[0] != '\'' {
		return Attribute{}, fmt.Errorf("Odd character, expected an open quote mark after the equals sign when giving value for attribute \u201c%s\u201d", name)
	}
	end := strings.IndexByte(rest[1:], rest[0])
	if end < 0 {
		return Attribute{}, errors.New("Document ended unexpectedly while inside an attribute value")
	}
	value, err := unescape(rest[1:1+end], true)
	m.rest = rest[end+2:]
	return Attribute{name, value}, err
}

var errInvalidText = errors.New("Invalid UTF-8 encoded text in name")

var entities = map[string]string{"lt": "<", "gt": ">", "amp": "&", "quot": `"`, "apos": "'"}

// unescape replaces entities and, in an attribute, line breaks.
func unescape(s string, inAttribute bool) (string, error) {
	if !utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0 {
		return "", errInvalidText
	}
	if inAttribute {
		s = strings.NewReplacer("\r\n", " ", "\r", " ", "\n", " ", "\t", " ").Replace(s)
	} else {
		s = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(s)
	}
	var out strings.Builder
	for {
		before, after, found := strings.Cut(s, "&")
		out.WriteString(before)
		if !found {
			return out.String(), nil
		}
		name, rest, ok := strings.Cut(after, ";")
		if !ok {
			return "", errors.New("Entity did not end with a semicolon; most likely you used an ampersand character without intending to start an entity \u2014 escape ampersand as &amp;")
		}
		s = rest
		number, ok := strings.CutPrefix(name, "#")
		if !ok {
			text, ok := entities[name]
			if !ok {
				return "", fmt.Errorf("Entity name \u201c%s\u201d is not known", name)
			}
			out.WriteString(text)
			continue
		}
		base := 10
		if hex, ok := strings.CutPrefix(number, "x"); ok {
			number, base = hex, 16
		}
		n, err := strconv.ParseUint(number, base, 32)
		if err != nil || n == 0 || n > unicode.MaxRune || n >= 0xd800 && n < 0xe000 || n == 0xfffe || n == 0xffff {
			return "", fmt.Errorf("Character reference \u201c%s\u201d does not encode a permitted character", number)
		}
		out.WriteRune(rune(n))
	}
}
