package shell

import (
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// hereDocument returns the text of a here-document.
func (r *run) hereDocument(rd *syntax.Redirect) (string, error) {
	if rd.Hdoc == nil {
		return "", nil
	}
	doc := rd.Hdoc
	if rd.Op == syntax.DashHdoc {
		doc = untabbed(doc)
	}
	if quotedWord(rd.Word) {
		s := ""
		for _, p := range doc.Parts {
			if l, ok := p.(*syntax.Lit); ok {
				s += l.Value
			}
		}
		return s, nil
	}
	return r.document(doc)
}

// quotedWord reports whether any part of the word after "<<" is quoted, so that
// nothing in the document is expanded.
func quotedWord(w *syntax.Word) bool {
	for _, p := range w.Parts {
		if l, ok := p.(*syntax.Lit); !ok || strings.Contains(l.Value, `\`) {
			return true
		}
	}
	return false
}

// untabbed returns the body of a here-document without the tabs that begin its
// lines ("<<-").
func untabbed(w *syntax.Word) *syntax.Word {
	c := &syntax.Word{Parts: slices.Clone(w.Parts)}
	begins := true
	for i, p := range c.Parts {
		l, ok := p.(*syntax.Lit)
		if !ok {
			begins = false
			continue
		}
		text := *l
		var b strings.Builder
		for line := range strings.Lines(l.Value) {
			if begins {
				line = strings.TrimLeft(line, "\t")
			}
			b.WriteString(line)
			begins = strings.HasSuffix(line, "\n")
		}
		text.Value = b.String()
		c.Parts[i] = &text
	}
	return c
}
