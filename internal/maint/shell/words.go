package shell

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/pattern"
	"mvdan.cc/sh/v3/syntax"

	"github.com/hardpan/hardpan/internal/tree"
)

// config is how words are expanded in this shell.
func (r *run) config() *expand.Config {
	c := &expand.Config{
		Env: environment{r}, CmdSubst: r.substitute, NoUnset: r.opts.nounset,
		ProcSubst: func(*syntax.ProcSubst) (string, error) { return "", Unsupported("process substitution") },
	}
	if !r.opts.noglob {
		c.ReadDir2 = r.readDir
	}
	return c
}

// substitute runs a command substitution.
func (r *run) substitute(w io.Writer, cs *syntax.CmdSubst) error {
	r.subst = true
	status := r.status
	defer func() { r.substStatus, r.status = r.status, status }() // $? stays that of the last command
	out := &output{shell: r.shell}
	err := r.inSubshell(func(sub *run) error {
		sub.fds[1] = stream{w: out}
		return sub.stmts(cs.Stmts)
	})
	if err != nil {
		return err
	}
	_, err = w.Write(out.Bytes())
	return err
}

// expansion sorts out the errors of package expand: those of the words end the
// script as dash ends it, with status 2.
func (r *run) expansion(err error) error {
	if err == nil {
		return nil
	}
	if unset, ok := errors.AsType[expand.UnsetParameterError](err); ok {
		r.failed = place{r.line, unset.Error()}
		if err := r.complain(2, "%s", unset.Error()); err != nil {
			return err
		}
		return &jump{kind: jumpExit}
	}
	return err
}

func (r *run) fields(words []*syntax.Word) ([]string, error) {
	list, err := expand.Fields(r.config(), r.plainBraces(words)...)
	return list, r.expansion(err)
}

func (r *run) literal(w *syntax.Word) (string, error) {
	s, err := expand.Literal(r.config(), w)
	return s, r.expansion(err)
}

// plainBraces returns the words with what the expansion of braces would take apart
// quoted: dash has no such expansion.
func (r *run) plainBraces(words []*syntax.Word) []*syntax.Word {
	if r.bash {
		return words
	}
	var out []*syntax.Word
	for i, w := range words {
		if !slices.ContainsFunc(w.Parts, hasBrace) {
			continue
		}
		if out == nil {
			out = slices.Clone(words)
		}
		c := &syntax.Word{Parts: slices.Clone(w.Parts)}
		for j, p := range c.Parts {
			if hasBrace(p) {
				l := *p.(*syntax.Lit)
				l.Value = strings.ReplaceAll(l.Value, "{", `\{`)
				c.Parts[j] = &l
			}
		}
		out[i] = c
	}
	if out == nil {
		return words
	}
	return out
}

func hasBrace(p syntax.WordPart) bool {
	l, ok := p.(*syntax.Lit)
	return ok && strings.Contains(l.Value, "{") && !strings.Contains(l.Value, `\{`)
}

// untabbed returns the body of a here-document without the tabs that begin its
// lines ("<<-").
func untabbed(w *syntax.Word) *syntax.Word {
	c := &syntax.Word{Parts: slices.Clone(w.Parts)}
	begins := true
	for i, p := range c.Parts {
		if l, ok := p.(*syntax.Lit); ok {
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
			continue
		}
		begins = false
	}
	return c
}

// isQuoted reports whether a word has a quote in it: a here-document that such a word
// ends is not expanded (XCU 2.7.4).
func isQuoted(w *syntax.Word) bool {
	return slices.ContainsFunc(w.Parts, func(p syntax.WordPart) bool {
		l, ok := p.(*syntax.Lit)
		return !ok || strings.Contains(l.Value, `\`)
	})
}

// verbatim returns the text of a here-document as the script has it.
func verbatim(w *syntax.Word) string {
	var b strings.Builder
	if w == nil {
		return ""
	}
	for _, p := range w.Parts {
		if l, ok := p.(*syntax.Lit); ok {
			b.WriteString(l.Value)
		}
	}
	return b.String()
}

func (r *run) document(w *syntax.Word) (string, error) {
	s, err := expand.Document(r.config(), w)
	return s, r.expansion(err)
}

// matches reports whether text is what a pattern means (XCU 2.14).
func (r *run) matches(w *syntax.Word, text string) (bool, error) {
	p, err := expand.Pattern(r.config(), w)
	if err != nil {
		return false, r.expansion(err)
	}
	return match(p, text)
}

func match(p, text string) (bool, error) {
	expr, err := pattern.Regexp(p, pattern.EntireString)
	if err != nil {
		return p == text, nil // not a pattern, so a word
	}
	re, err := regexp.Compile(expr)
	if err != nil {
		return false, fmt.Errorf("pattern %q: %w", p, err)
	}
	return re.MatchString(text), nil
}

// readDir lists a directory for patterns of file names.
func (r *run) readDir(name string) ([]fs.DirEntry, error) {
	at := r.path(name)
	names, err := r.shell.FS.ReadDir(at)
	if err != nil {
		return nil, err
	}
	list := make([]fs.DirEntry, 0, len(names))
	for _, n := range names {
		node, err := r.shell.FS.Lstat(at + "/" + n)
		if err != nil {
			continue
		}
		list = append(list, dirEntry{n, node})
	}
	return list, nil
}

type dirEntry struct {
	name string
	node *tree.Node
}

// The methods of [fs.DirEntry]; there is no more to know than name and type.
func (d dirEntry) Name() string               { return d.name }
func (d dirEntry) IsDir() bool                { return d.node.Type == tree.Dir }
func (d dirEntry) Type() fs.FileMode          { return d.node.FileMode().Type() }
func (d dirEntry) Info() (fs.FileInfo, error) { return nil, fs.ErrInvalid }

// path returns the absolute path of a name in the working directory.
func (r *run) path(name string) string {
	if strings.HasPrefix(name, "/") {
		return name
	}
	return strings.TrimSuffix(r.dir, "/") + "/" + name
}

// text returns a command as an origin and an error show it, in one line.
func text(args []string) string {
	words := make([]string, len(args))
	for i, a := range args {
		if i == 0 && strings.HasPrefix(a, "/") {
			a = path.Base(a)
		}
		if len(a) > 200 {
			a = a[:200] + "..."
		}
		words[i] = a
		if a == "" || strings.ContainsAny(a, " \t\n'\"\\$*?;|&<>()") {
			if q, err := syntax.Quote(a, syntax.LangBash); err == nil {
				words[i] = q
			}
		}
	}
	line := strings.Join(words, " ")
	if len(line) > 500 {
		line = line[:500] + "..."
	}
	return strings.ReplaceAll(line, "\n", " ")
}
