package dockerfile

import (
	"path"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"mvdan.cc/sh/v3/syntax"
)

// Script is what an instruction runs.
type Script struct {
	Exec       []string // the words of the exec form, nil for a script
	Text       string   // of the shell form
	Shell      []string // that reads it
	Statements []*Statement
	Commands   []*Command // all that it calls, those within others too, in their order
	Unread     string     // why the commands are not known, "" where they are
}

// Statement is one of the commands that follow each other in a script, joined by && or
// on lines of their own.
type Statement struct {
	Text     string
	Line     int
	Commands []*Command
	Plain    bool // it is one simple command, not in the background and without redirections
}

// Command is a call of a program.
type Command struct {
	Name      string // of the program, without its directory
	Args      []Word // after the name
	Line      int
	Dir       string   // that it runs in, "" where that is not known
	Assigns   []Assign // before it
	Through   []string // commands that call it: sudo, env, xargs, sh
	Into      *Command // that reads its output
	Sometimes bool     // only in some runs: within if, for, case, or after ||
	Writes    []Word   // files that its output goes to
	Input     string   // of a heredoc
	HasInput  bool
	program   Word
}

// Assign is a variable that a command sets.
type Assign struct {
	Name  string
	Value Word
}

// Word is one word of a command.
type Word struct {
	Text  string // with what is not known as it is written
	Known bool   // nothing of it is unknown
	Runs  []*Command
}

// Texts returns the words of the command after its name.
func (c *Command) Texts() []string {
	list := make([]string, len(c.Args))
	for i, w := range c.Args {
		list[i] = w.Text
	}
	return list
}

// String returns the command as one line.
func (c *Command) String() string {
	return strings.Join(append([]string{c.program.Text}, c.Texts()...), " ")
}

// Program returns the program as it is written, with its directory.
func (c *Command) Program() Word { return c.program }

// The bounds of scripts.
const (
	maxScript   = 128 << 10 // bytes
	maxNesting  = 200       // open brackets
	maxInner    = 4         // scripts within scripts: sh -c "..."
	maxCommands = 20_000
)

// readCommandLine reads what RUN, CMD, ENTRYPOINT or HEALTHCHECK call.
func readCommandLine(c instructions.ShellDependantCmdLine, s *Stage, env lookup, at joined) *Script {
	if !c.PrependShell {
		return readExec(c.CmdLine, at.line(len(at.text)), at, s)
	}
	text := ""
	if len(c.CmdLine) > 0 {
		text = c.CmdLine[0]
	}
	sc := &Script{Text: text, Shell: s.Shell}
	if len(sc.Shell) == 0 {
		sc.Shell = []string{"/bin/sh", "-c"}
	}
	offset := max(0, strings.LastIndex(at.text, text))
	line := func(o int) int { return at.line(offset + o) }
	if len(c.Files) > 0 {
		text, line = withHeredocs(c, text, at, line)
		sc.Text = text
		if strings.HasPrefix(text, "#!") && !shebangIsShell(text) {
			sc.Unread = "a program in another language: " + firstLine(text)
			return sc
		}
	}
	switch name := path.Base(strings.ReplaceAll(sc.Shell[0], `\`, "/")); {
	case s.Windows && len(s.Shell) == 0:
		sc.Unread = "a command of Windows"
	case !isShell(strings.TrimSuffix(strings.ToLower(name), ".exe")):
		sc.Unread = "a command for " + name
	default:
		newScriptReader(sc, env, s.Dir, line).read(text, 0)
	}
	return sc
}

// withHeredocs puts the heredocs back to where a shell reads them, as BuildKit does, and
// returns the line that each offset lies in.
func withHeredocs(c instructions.ShellDependantCmdLine, text string, at joined, outer func(int) int) (string, func(int) int) {
	first := at.next
	if parser.MustParseHeredoc(text) != nil {
		data := c.Files[0].Data
		if c.Files[0].Chomp {
			data = parser.ChompHeredocContent(data)
		}
		return data, func(o int) int { return first + strings.Count(data[:min(max(0, o), len(data))], "\n") }
	}
	length := len(text)
	for _, f := range c.Files {
		text += "\n" + f.Data + f.Name
	}
	return text, func(o int) int {
		if o <= length {
			return outer(o)
		}
		return first - 1 + strings.Count(text[:min(o, len(text))], "\n")
	}
}

func shebangIsShell(text string) bool {
	line := strings.TrimPrefix(firstLine(text), "#!")
	return slices.ContainsFunc(strings.Fields(line), func(w string) bool { return isShell(path.Base(w)) })
}

// isShell reports whether a program reads scripts of the Bourne shell's kind.
func isShell(name string) bool {
	return slices.Contains([]string{"sh", "bash", "dash", "ash", "ksh", "mksh", "zsh", "busybox"}, name)
}

// readExec reads the exec form: a program and its words, which no shell reads.
func readExec(words []string, last int, at joined, s *Stage) *Script {
	sc := &Script{Exec: words}
	if words == nil {
		sc.Exec = []string{}
	}
	if len(words) == 0 {
		return sc
	}
	line := at.line(0)
	r := newScriptReader(sc, nil, s.Dir, func(int) int { return line })
	all := make([]Word, len(words))
	for i, w := range words {
		all[i] = Word{Text: w, Known: true}
	}
	c := r.command(all, line, 0)
	sc.Statements = []*Statement{{Text: strings.Join(words, " "), Line: line, Commands: slices.Clone(sc.Commands), Plain: c != nil}}
	return sc
}

// scriptReader collects the commands of a script.
type scriptReader struct {
	script    *Script
	env       lookup
	vars      map[string]Word // that the script sets
	dir       string
	line      func(offset int) int
	sometimes int
	words     int
}

func newScriptReader(sc *Script, env lookup, dir string, line func(int) int) *scriptReader {
	return &scriptReader{script: sc, env: env, vars: map[string]Word{}, dir: dir, line: line}
}

// read reads a script; depth counts the scripts around it.
func (r *scriptReader) read(text string, depth int) {
	if why := tooMuch(text, depth); why != "" {
		r.script.Unread = why
		return
	}
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(text), "")
	if err != nil {
		r.script.Unread = "the shell cannot read it: " + firstLine(err.Error())
		return
	}
	for _, st := range file.Stmts {
		r.statements(st, text, depth)
	}
}

func tooMuch(text string, depth int) string {
	if len(text) > maxScript || depth > maxInner {
		return "the script is too long"
	}
	open := 0
	for _, c := range []byte(text) {
		switch c {
		case '(', '{', '`':
			open++
		case ')', '}':
			open = max(0, open-1)
		}
		if open > maxNesting {
			return "the script is nested too deeply"
		}
	}
	return ""
}

// statements takes a list joined by && apart.
func (r *scriptReader) statements(st *syntax.Stmt, text string, depth int) {
	for {
		b, ok := st.Cmd.(*syntax.BinaryCmd)
		if !ok || b.Op != syntax.AndStmt || st.Negated || st.Background || len(st.Redirs) > 0 {
			break
		}
		if inner, ok := b.X.Cmd.(*syntax.BinaryCmd); ok && inner.Op == syntax.AndStmt {
			r.statements(b.X, text, depth)
		} else {
			r.statement(b.X, text, depth)
		}
		st = b.Y
	}
	r.statement(st, text, depth)
}

func (r *scriptReader) statement(st *syntax.Stmt, text string, depth int) {
	before := len(r.script.Commands)
	r.stmt(st, depth)
	if depth > 0 {
		return
	}
	s := &Statement{Text: textOf(st, text), Line: r.line(int(st.Pos().Offset())), Commands: slices.Clone(r.script.Commands[before:])}
	call, ok := st.Cmd.(*syntax.CallExpr)
	s.Plain = ok && len(call.Args) > 0 && !st.Negated && !st.Background && len(st.Redirs) == 0 && len(s.Commands) == 1
	r.script.Statements = append(r.script.Statements, s)
}

func textOf(st *syntax.Stmt, text string) string {
	from, to := int(st.Pos().Offset()), int(st.End().Offset())
	heredoc := false
	syntax.Walk(st, func(n syntax.Node) bool {
		if rd, ok := n.(*syntax.Redirect); ok && rd.Hdoc != nil {
			heredoc = true
		}
		return !heredoc
	})
	if heredoc || from > to || to > len(text) {
		var b strings.Builder
		if syntax.NewPrinter().Print(&b, st) == nil {
			return strings.TrimSpace(b.String())
		}
	}
	return strings.TrimSuffix(strings.TrimSpace(text[min(from, len(text)):min(to, len(text))]), ";")
}
