package shell

import (
	"fmt"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// expander turns words into fields (XCU 2.6): it collects what the parts of a word
// expand to, quoted or not, and splits at what unquoted expansions gave.
type expander struct {
	r     *run
	split bool // into fields; else all becomes one text

	parts  []piece
	exists bool // the field that is collected, though it may be empty
	fields []string
	size   int // bytes of all
	ifs    string
}

// piece is a run of characters of a field.
type piece struct {
	text   string
	quoted bool // no character of it has a meaning in a pattern
}

// quoting is where a part of a word stands.
type quoting int

const (
	unquoted  quoting = iota
	inQuotes          // double quotes
	inHereDoc         // the body of a here-document, or arithmetic
)

// ifs returns what separates fields, " \t\n" where IFS is not set.
func (r *run) ifs() string {
	if v := r.find("IFS"); v != nil && v.set {
		return v.value
	}
	return " \t\n"
}

func (r *run) expander(split bool) *expander { return &expander{r: r, split: split, ifs: r.ifs()} }

// fieldsOf expands words to fields, as those of a command. release says that they are
// not used any more.
func (r *run) fieldsOf(words []*syntax.Word) (list []string, release func(), err error) {
	x := r.expander(true)
	for _, w := range words {
		if err := x.words(w); err != nil {
			x.free()
			return nil, func() {}, err
		}
	}
	return x.fields, x.free, nil
}

func (x *expander) free() {
	_ = x.r.shell.budget.hold(-x.size)
	x.size = 0
}

// words adds the fields of one word of a script, which bash first takes apart at its
// braces.
func (x *expander) words(w *syntax.Word) error {
	if x.r.bash && hasBraces(w) {
		return x.r.braces(w, x.word)
	}
	return x.word(w)
}

// word adds the fields of a word.
func (x *expander) word(w *syntax.Word) error {
	if len(w.Parts) == 1 { // by far the most are a plain text
		if l, ok := w.Parts[0].(*syntax.Lit); ok && !strings.ContainsAny(l.Value, "\\~*?[") {
			if err := x.count(len(l.Value) + perField); err != nil {
				return err
			}
			x.fields = append(x.fields, l.Value)
			return nil
		}
	}
	if len(w.Parts) > 1 && !x.r.bash && afterList(w.Parts) {
		// dash makes other fields of it than anybody expects.
		return Unsupported("an unquoted expansion right after \"$@\"")
	}
	tilde := tildeFirst
	if x.r.bash && isAssignment(w) {
		tilde = tildeValue
	}
	if err := x.expand(w.Parts, unquoted, false, tilde); err != nil {
		return err
	}
	return x.end()
}

// afterList reports whether an unquoted expansion comes after "$@" in a word.
func afterList(parts []syntax.WordPart) bool {
	list := false
	for _, p := range parts {
		switch p := p.(type) {
		case *syntax.DblQuoted:
			list = list || slices.ContainsFunc(p.Parts, func(p syntax.WordPart) bool {
				pe, ok := p.(*syntax.ParamExp)
				return ok && pe.Param != nil && pe.Param.Value == "@"
			})
		case *syntax.ParamExp, *syntax.CmdSubst, *syntax.ArithmExp:
			if list {
				return true
			}
		}
	}
	return false
}

// text expands a word to one text, without splitting and patterns of file names.
func (r *run) text(w *syntax.Word, tilde tildes) (string, error) {
	if w == nil {
		return "", nil
	}
	if s, ok := plainText(w); ok {
		return s, nil
	}
	x := r.expander(false)
	defer x.free()
	err := x.expand(w.Parts, unquoted, false, tilde)
	return x.joined(), err
}

func plainText(w *syntax.Word) (string, bool) {
	if len(w.Parts) != 1 {
		return "", false
	}
	switch p := w.Parts[0].(type) {
	case *syntax.Lit:
		return p.Value, !strings.ContainsAny(p.Value, "\\~")
	case *syntax.SglQuoted:
		return p.Value, !p.Dollar
	}
	return "", false
}

// literal is text for the words of redirections, case and the like.
func (r *run) literal(w *syntax.Word) (string, error) { return r.text(w, tildeFirst) }

// value is text for what is assigned to a variable.
func (r *run) value(w *syntax.Word) (string, error) { return r.text(w, tildeColons) }

// document expands the body of a here-document.
func (r *run) document(w *syntax.Word) (string, error) {
	if w == nil {
		return "", nil
	}
	x := r.expander(false)
	defer x.free()
	err := x.expand(w.Parts, inHereDoc, false, noTilde)
	return x.joined(), err
}

// patternOf expands a word to a pattern, in which what was quoted has no meaning.
func (r *run) patternOf(w *syntax.Word) (*pattern, error) {
	if w == nil {
		return r.pattern(""), nil
	}
	x := r.expander(false)
	defer x.free()
	if err := x.expand(w.Parts, unquoted, false, tildeFirst); err != nil {
		return nil, err
	}
	return r.pattern(patternText(x.parts)), nil
}

func patternText(parts []piece) string {
	var b strings.Builder
	for _, p := range parts {
		if p.quoted {
			b.WriteString(quotePattern(p.text))
		} else {
			b.WriteString(p.text)
		}
	}
	return b.String()
}

// tildes is where in a word a tilde leads home (XCU 2.6.1).
type tildes int

const (
	noTilde     tildes = iota
	tildeFirst         // at its beginning
	tildeColons        // and after each colon, in assignments
	tildeValue         // after "=" and each colon, in what bash finds to be like one
)

// perField is what a field counts for besides its bytes.
const perField = 16

// count counts n bytes of words.
func (x *expander) count(n int) error {
	if x.size += n; x.size > maxValue {
		return &LimitError{fmt.Sprintf("%d MB in the words of a command", maxValue>>20)}
	}
	if err := x.r.work(n/8 + 1); err != nil {
		return err
	}
	return x.r.shell.budget.hold(n)
}

// add adds a text to the field.
func (x *expander) add(s string, quoted bool) error {
	if s == "" && !quoted {
		return nil
	}
	x.parts, x.exists = append(x.parts, piece{s, quoted}), true
	return x.count(len(s))
}

// addSplit adds what an unquoted expansion gave, which is split (XCU 2.6.5).
func (x *expander) addSplit(s string) error {
	if !x.split || x.ifs == "" {
		return x.add(s, false)
	}
	for s != "" {
		end := strings.IndexAny(s, x.ifs)
		if end < 0 {
			return x.add(s, false)
		}
		if err := x.add(s[:end], false); err != nil {
			return err
		}
		rest := s[end:]
		blank := len(rest) - len(strings.TrimLeft(rest, x.blanks()))
		s = rest[blank:]
		hard := s != "" && strings.IndexByte(x.ifs, s[0]) >= 0
		if hard {
			s = strings.TrimLeft(s[1:], x.blanks())
		}
		if x.exists || hard {
			x.exists = true
			if err := x.end(); err != nil {
				return err
			}
		}
	}
	return nil
}

// blanks are the white space in IFS, of which any amount separates.
func (x *expander) blanks() string {
	switch x.ifs {
	case " \t\n":
		return x.ifs
	}
	var b []byte
	for _, c := range []byte(" \t\n") {
		if strings.IndexByte(x.ifs, c) >= 0 {
			b = append(b, c)
		}
	}
	return string(b)
}

// joined returns the text that was collected.
func (x *expander) joined() string {
	if len(x.parts) == 1 {
		return x.parts[0].text
	}
	var b strings.Builder
	for _, p := range x.parts {
		b.WriteString(p.text)
	}
	return b.String()
}

// end ends a field, if there is one, and puts the names of files in the place of a
// pattern that any have.
func (x *expander) end() error {
	if !x.exists {
		return nil
	}
	defer func() { x.parts, x.exists = x.parts[:0], false }()
	if err := x.count(perField); err != nil {
		return err
	}
	if !x.r.opts.noglob && slices.ContainsFunc(x.parts, func(p piece) bool { return !p.quoted && strings.ContainsAny(p.text, "*?[") }) {
		names, err := x.r.glob(patternText(x.parts))
		if err != nil {
			return err
		}
		for _, name := range names {
			if err := x.count(len(name) + perField); err != nil {
				return err
			}
		}
		if x.fields = append(x.fields, names...); len(names) > 0 || x.r.opts.nullglob {
			return nil
		}
	}
	x.fields = append(x.fields, x.joined())
	return nil
}

// expand adds the parts of a word. literals says that unquoted text of the script is
// split too, as that of ${x:-a b} is.
func (x *expander) expand(parts []syntax.WordPart, q quoting, literals bool, tilde tildes) error {
	if err := x.r.enter(); err != nil {
		return err
	}
	defer x.r.leave()
	for i, p := range parts {
		if err := x.part(p, q, literals, tilde, i == 0, i == len(parts)-1); err != nil {
			return err
		}
	}
	return nil
}

func (x *expander) part(p syntax.WordPart, q quoting, literals bool, tilde tildes, first, last bool) error {
	switch p := p.(type) {
	case *syntax.Lit:
		if q != unquoted {
			return x.add(unquote(p.Value, q), true)
		}
		return x.literal(p.Value, literals, tilde, first, last)
	case *syntax.SglQuoted:
		return x.single(p, q)
	case *syntax.DblQuoted:
		if p.Dollar && !x.r.bash {
			if err := x.add("$", true); err != nil {
				return err
			}
		}
		if len(p.Parts) == 0 {
			return x.add("", true)
		}
		return x.expand(p.Parts, inQuotes, false, noTilde)
	case *syntax.ParamExp:
		return x.param(p, q, literals)
	case *syntax.CmdSubst:
		s, err := x.r.substitute(p)
		if err != nil {
			return err
		}
		return x.result(s, q)
	case *syntax.ArithmExp:
		if p.Bracket && !x.r.bash {
			return Unsupported("$[ in a script for sh")
		}
		n, err := x.r.number(p.X)
		if err != nil {
			return err
		}
		return x.result(fmt.Sprint(n), q)
	case *syntax.ProcSubst:
		return Unsupported("process substitution")
	case *syntax.ExtGlob:
		return Unsupported("the pattern %s%s)", p.Op, p.Pattern.Value)
	}
	return Unsupported("this form of word")
}

// result adds what an expansion gave.
func (x *expander) result(s string, q quoting) error {
	if q != unquoted {
		return x.add(s, true)
	}
	return x.addSplit(s)
}

// unquote takes away the backslashes that quote in double quotes and here-documents
// (XCU 2.2.3).
func unquote(s string, q quoting) string {
	i := strings.IndexByte(s, '\\')
	if i < 0 {
		return s
	}
	special := "$`\\\n"
	if q == inQuotes {
		special += `"`
	}
	var b strings.Builder
	for ; i >= 0; i = strings.IndexByte(s, '\\') {
		b.WriteString(s[:i])
		if i+1 == len(s) || strings.IndexByte(special, s[i+1]) < 0 {
			b.WriteByte('\\')
			s = s[i+1:]
			if s != "" && s[0] != '\\' {
				b.WriteByte(s[0])
				s = s[1:]
			}
			continue
		}
		if s[i+1] != '\n' {
			b.WriteByte(s[i+1])
		}
		s = s[i+2:]
	}
	return b.String() + s
}

// literal adds unquoted text of the script.
func (x *expander) literal(s string, split bool, tilde tildes, first, last bool) error {
	if tilde != noTilde && strings.IndexByte(s, '~') >= 0 {
		return x.tilde(s, split, tilde, first, last)
	}
	return x.unescaped(s, split)
}

// unescaped adds text in which backslashes quote.
func (x *expander) unescaped(s string, split bool) error {
	plain := x.add
	if split {
		plain = func(s string, _ bool) error { return x.addSplit(s) }
	}
	for s != "" {
		i := strings.IndexByte(s, '\\')
		if i < 0 {
			return plain(s, false)
		}
		if err := plain(s[:i], false); err != nil {
			return err
		}
		if i+1 == len(s) {
			return x.add(`\`, true)
		}
		if s[i+1] != '\n' {
			if err := x.add(s[i+1:i+2], true); err != nil {
				return err
			}
		}
		s = s[i+2:]
	}
	return nil
}

// tilde is literal for text with tildes.
func (x *expander) tilde(s string, split bool, how tildes, first, last bool) error {
	begins := first && how != tildeValue
	if how == tildeValue && first {
		name, rest, _ := strings.Cut(s, "=")
		if err := x.unescaped(name+"=", split); err != nil {
			return err
		}
		s, begins = rest, true
	}
	for s != "" {
		end := len(s)
		if how != tildeFirst {
			if i := strings.IndexByte(s, ':'); i >= 0 {
				end = i
			}
		}
		part := s[:end]
		if begins && strings.HasPrefix(part, "~") {
			user := part[1:]
			slash := strings.IndexByte(user, '/')
			if slash >= 0 {
				user = user[:slash]
			}
			ends := slash >= 0 || end < len(s) || last
			if home, ok := x.homeOf(user); ok && ends && !strings.Contains(user, `\`) {
				if err := x.add(home, true); err != nil {
					return err
				}
				part = part[1+len(user):]
			}
		}
		if end < len(s) {
			part, end = part+":", end+1
		}
		if err := x.unescaped(part, split); err != nil {
			return err
		}
		s, begins = s[end:], true
	}
	return nil
}

func (x *expander) homeOf(user string) (string, bool) {
	if user != "" {
		return x.r.home(user)
	}
	v := x.r.find("HOME")
	if v == nil || !v.set {
		return "", false
	}
	return v.value, true
}

// single adds what is in single quotes. In double quotes, as in "${x:-'a'}", they are
// ordinary characters, and what the parser took for quoted is not.
func (x *expander) single(p *syntax.SglQuoted, q quoting) error {
	if q != unquoted {
		if p.Dollar {
			return Unsupported("$' in double quotes")
		}
		if strings.ContainsAny(p.Value, "$`\\{}\"") {
			return Unsupported("quotes and expansions in the braces of \"${...'%s'}\"", p.Value)
		}
		return x.add("'"+p.Value+"'", true)
	}
	switch {
	case p.Dollar && x.r.bash:
		return x.add(ansiC(p.Value), true)
	case p.Dollar:
		return x.add("$"+p.Value, true)
	}
	return x.add(p.Value, true)
}
