package dockerfile

import (
	"strings"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"
)

// The bounds of what words can grow to.
const (
	maxBraces = 200     // words that the braces of one make
	maxWords  = 20_000  // of a script
	maxShown  = 1 << 10 // bytes of a variable's value
)

// expand returns the words that a word stands for: several where it has braces, or is a
// variable whose value has blanks.
func (r *scriptReader) expand(w *syntax.Word, depth int) []Word {
	out := r.grown(w, depth)
	r.words += len(out)
	return out
}

func (r *scriptReader) grown(w *syntax.Word, depth int) []Word {
	if r.words > maxWords {
		return []Word{r.word(w, depth)}
	}
	if braces := countBraces(w); braces > 0 && braces <= maxBraces {
		var out []Word
		copied := &syntax.Word{Parts: append([]syntax.WordPart(nil), w.Parts...)}
		syntax.SplitBraces(copied)
		for one, err := range expand.BracesSeq(&expand.Config{}, copied) {
			if err != nil {
				break
			}
			out = append(out, r.word(one, depth))
		}
		return out
	}
	word := r.word(w, depth)
	if isBareVariable(w) && word.Known {
		var out []Word
		for field := range strings.FieldsSeq(word.Text) {
			out = append(out, Word{Text: field, Known: true})
		}
		return out
	}
	return []Word{word}
}

func isBareVariable(w *syntax.Word) bool {
	if len(w.Parts) != 1 {
		return false
	}
	_, ok := w.Parts[0].(*syntax.ParamExp)
	return ok
}

// countBraces returns how many words the commas of a word's braces make at most, 0 where
// it has none. Ranges are left as they are written.
func countBraces(w *syntax.Word) int {
	n, open := 1, false
	for _, p := range w.Parts {
		lit, ok := p.(*syntax.Lit)
		if !ok {
			continue
		}
		if strings.Contains(lit.Value, "..") {
			return 0
		}
		open = open || strings.Contains(lit.Value, "{")
		for group := range strings.SplitSeq(lit.Value, "{") {
			if n *= 1 + strings.Count(group, ","); n > maxBraces {
				return 0
			}
		}
	}
	if !open || n == 1 {
		return 0
	}
	return n
}

// word returns the text of a word, with the values of variables that are known.
func (r *scriptReader) word(w *syntax.Word, depth int) Word {
	out := Word{Known: true}
	var b strings.Builder
	r.parts(w.Parts, &b, &out, false, depth)
	out.Text = b.String()
	return out
}

func (r *scriptReader) parts(parts []syntax.WordPart, b *strings.Builder, out *Word, quoted bool, depth int) {
	for _, p := range parts {
		if b.Len() > maxValue {
			out.Known = false
			return
		}
		switch p := p.(type) {
		case *syntax.Lit:
			b.WriteString(unescape(p.Value, quoted))
		case *syntax.SglQuoted:
			b.WriteString(p.Value)
		case *syntax.DblQuoted:
			r.parts(p.Parts, b, out, true, depth)
		case *syntax.ParamExp:
			text, known := r.param(p, depth)
			b.WriteString(text)
			out.Known = out.Known && known
		case *syntax.CmdSubst:
			out.Runs = append(out.Runs, r.substituted(p.Stmts, depth)...)
			b.WriteString("$(...)")
			out.Known = false
		case *syntax.ProcSubst:
			out.Runs = append(out.Runs, r.substituted(p.Stmts, depth)...)
			b.WriteString("<(...)")
			out.Known = false
		default:
			b.WriteString("$...")
			out.Known = false
		}
	}
}

func (r *scriptReader) substituted(stmts []*syntax.Stmt, depth int) []*Command {
	from, dir := len(r.script.Commands), r.dir
	r.list(stmts, depth)
	r.dir = dir
	return append([]*Command(nil), r.script.Commands[from:]...)
}

// param returns the value of a variable. What the shell would do with it beyond a default
// is left to it.
func (r *scriptReader) param(p *syntax.ParamExp, depth int) (string, bool) {
	if p.Param == nil {
		return "$...", false
	}
	name := p.Param.Value
	shown := "$" + name
	plain := p.Exp == nil && p.Repl == nil && p.Slice == nil && p.Index == nil && !p.Length && !p.Excl && !p.Width && p.Names == 0
	value, known := r.value(name)
	if len(value) > maxShown {
		known = false
	}
	switch {
	case plain && known:
		return value, true
	case p.Exp != nil && (p.Exp.Op == syntax.DefaultUnsetOrNull || p.Exp.Op == syntax.DefaultUnset) && p.Exp.Word != nil && !p.Length:
		if known && value != "" {
			return value, true
		}
		if !known && !r.declared(name) {
			w := r.word(p.Exp.Word, depth)
			return w.Text, w.Known
		}
	}
	return shown, false
}

func (r *scriptReader) value(name string) (string, bool) {
	if w, ok := r.vars[name]; ok {
		return w.Text, w.Known
	}
	if r.env == nil {
		return "", false
	}
	return r.env.Get(name)
}

func (r *scriptReader) declared(name string) bool {
	if _, ok := r.vars[name]; ok {
		return true
	}
	for _, e := range r.env {
		if _, ok := e.Get(name); ok {
			return true
		}
	}
	return false
}

// unescape removes the backslashes of a literal (XCU 2.2.1, 2.2.3).
func unescape(s string, quoted bool) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		next := s[i+1]
		switch {
		case next == '\n':
			i++
		case quoted && !strings.ContainsRune("$`\"\\", rune(next)):
			b.WriteByte('\\')
		default:
			b.WriteByte(next)
			i++
		}
	}
	return b.String()
}
