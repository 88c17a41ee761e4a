package dockerfile

import (
	"path"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// stmt collects the commands of a statement and returns the last one of it, which writes
// its output.
func (r *scriptReader) stmt(st *syntax.Stmt, depth int) *Command {
	if st == nil || len(r.script.Commands) >= maxCommands {
		return nil
	}
	var last *Command
	switch c := st.Cmd.(type) {
	case *syntax.CallExpr:
		last = r.call(c, depth)
	case *syntax.BinaryCmd:
		last = r.binary(c, depth)
	case *syntax.DeclClause:
		for _, a := range c.Args {
			r.assign(a, depth)
		}
	case *syntax.Subshell:
		dir := r.dir
		last = r.list(c.Stmts, depth)
		r.dir = dir
	case *syntax.Block:
		last = r.list(c.Stmts, depth)
	case *syntax.TimeClause:
		last = r.stmt(c.Stmt, depth)
	case nil:
	default:
		last = r.compound(c, depth)
	}
	if last != nil {
		r.redirects(last, st.Redirs, depth)
	}
	return last
}

func (r *scriptReader) list(stmts []*syntax.Stmt, depth int) (last *Command) {
	for _, st := range stmts {
		last = r.stmt(st, depth)
	}
	return last
}

func (r *scriptReader) binary(c *syntax.BinaryCmd, depth int) *Command {
	left := r.stmt(c.X, depth)
	from := len(r.script.Commands)
	if c.Op == syntax.OrStmt {
		r.sometimes++
		defer func() { r.sometimes-- }()
	}
	right := r.stmt(c.Y, depth)
	if (c.Op == syntax.Pipe || c.Op == syntax.PipeAll) && left != nil && from < len(r.script.Commands) {
		left.Into = r.script.Commands[from]
	}
	return right
}

// compound collects what if, for, while, case and functions may run.
func (r *scriptReader) compound(c syntax.Command, depth int) (last *Command) {
	r.sometimes++
	defer func() { r.sometimes-- }()
	switch c := c.(type) {
	case *syntax.IfClause:
		for at := c; at != nil; at = at.Else {
			r.list(at.Cond, depth)
			last = r.list(at.Then, depth)
		}
	case *syntax.WhileClause:
		r.list(c.Cond, depth)
		last = r.list(c.Do, depth)
	case *syntax.ForClause:
		if words, ok := c.Loop.(*syntax.WordIter); ok {
			delete(r.vars, words.Name.Value)
			r.vars[words.Name.Value] = Word{Text: "$" + words.Name.Value}
		}
		last = r.list(c.Do, depth)
	case *syntax.CaseClause:
		for _, item := range c.Items {
			last = r.list(item.Stmts, depth)
		}
	case *syntax.FuncDecl:
		last = r.stmt(c.Body, depth)
	}
	return last
}

func (r *scriptReader) redirects(c *Command, redirects []*syntax.Redirect, depth int) {
	for _, rd := range redirects {
		switch rd.Op {
		case syntax.RdrOut, syntax.AppOut, syntax.RdrAll, syntax.AppAll, syntax.RdrClob:
			if rd.Word != nil {
				c.Writes = append(c.Writes, r.word(rd.Word, depth))
			}
		case syntax.Hdoc, syntax.DashHdoc:
			if rd.Hdoc != nil {
				c.Input, c.HasInput = r.word(rd.Hdoc, depth).Text, true
			}
		case syntax.WordHdoc:
			if rd.Word != nil {
				c.Input, c.HasInput = r.word(rd.Word, depth).Text, true
			}
		}
	}
	if c.HasInput && isShell(c.Name) && len(c.Args) == 0 {
		r.inner(c.Input, c.Name, c.Line, depth)
	}
}

func (r *scriptReader) assign(a *syntax.Assign, depth int) (Assign, bool) {
	if a.Name == nil || a.Value == nil {
		return Assign{}, false
	}
	w := r.word(a.Value, depth)
	if r.sometimes > 0 {
		w.Known = false
	}
	r.vars[a.Name.Value] = w
	return Assign{a.Name.Value, w}, true
}

func (r *scriptReader) call(c *syntax.CallExpr, depth int) *Command {
	line := r.line(int(c.Pos().Offset()))
	if len(c.Args) == 0 {
		for _, a := range c.Assigns {
			r.assign(a, depth)
		}
		return nil
	}
	var words []Word
	for _, w := range c.Args {
		words = append(words, r.expand(w, depth)...)
	}
	command := r.command(words, line, depth)
	if command != nil {
		for _, a := range c.Assigns {
			if a.Name != nil && a.Value != nil {
				command.Assigns = append(command.Assigns, Assign{a.Name.Value, r.word(a.Value, depth)})
			}
		}
	}
	return command
}

// prefixes are commands that call the one that follows them, with the options that take
// a word of their own.
var prefixes = map[string]string{
	"sudo": "-u -g -h -p -C -r -t -U --user --group", "env": "-u -C -S --unset --chdir", "exec": "-a", "nice": "-n", "ionice": "-c -n", "nohup": "", "time": "-f -o",
	"command": "", "builtin": "", "xargs": "-n -I -P -L -d -a -E -s --max-args", "timeout": "-k -s --signal", "stdbuf": "-i -o -e", "setpriv": "", "eatmydata": "", "chroot": "", "tini": "", "dumb-init": "", "doas": "-u",
}

// command adds the command of these words and returns it. What a prefix such as sudo or
// env calls is the command; the prefixes are kept.
func (r *scriptReader) command(words []Word, line, depth int) *Command {
	c := &Command{Line: line, Dir: r.dir, Sometimes: r.sometimes > 0}
	for len(words) > 0 {
		name := path.Base(words[0].Text)
		options, is := prefixes[name]
		rest := skipOptions(name, words[1:], strings.Fields(options), c)
		if !is || len(rest) == 0 {
			break
		}
		c.Through = append(c.Through, name)
		words = rest
	}
	if len(words) == 0 {
		return nil
	}
	c.program, c.Name, c.Args = words[0], path.Base(words[0].Text), words[1:]
	r.script.Commands = append(r.script.Commands, c)
	switch {
	case c.Name == "cd" && depth == 0:
		r.chdir(c)
	case isShell(c.Name):
		if i := slices.IndexFunc(c.Args, func(w Word) bool { return isShellC(w.Text) }); i >= 0 && i+1 < len(c.Args) && c.Args[i+1].Known {
			r.inner(c.Args[i+1].Text, c.Name, line, depth)
		}
	case c.Name == "eval" && len(c.Args) > 0 && !slices.ContainsFunc(c.Args, func(w Word) bool { return !w.Known }):
		r.inner(strings.Join(c.Texts(), " "), c.Name, line, depth)
	}
	return c
}

// isShellC reports whether an option of a shell says that the next word is a script.
func isShellC(option string) bool {
	return len(option) > 1 && option[0] == '-' && option[1] != '-' && strings.HasSuffix(option, "c")
}

func skipOptions(name string, words []Word, withValue []string, c *Command) []Word {
	for len(words) > 0 {
		w := words[0].Text
		variable, value, isAssign := strings.Cut(w, "=")
		switch {
		case slices.Contains(withValue, w) && len(words) > 1:
			words = words[2:]
		case strings.HasPrefix(w, "-"):
			words = words[1:]
		case (name == "env" || name == "sudo") && isAssign && variable != "":
			c.Assigns = append(c.Assigns, Assign{variable, Word{Text: value, Known: words[0].Known}})
			words = words[1:]
		case (name == "timeout" || name == "chroot") && len(words) > 1:
			return words[1:]
		default:
			return words
		}
	}
	return nil
}

// inner reads a script within the script.
func (r *scriptReader) inner(text, by string, line, depth int) {
	if tooMuch(text, depth+1) != "" {
		return
	}
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(text), "")
	if err != nil {
		return
	}
	from, outer := len(r.script.Commands), r.line
	r.line = func(int) int { return line }
	dir := r.dir
	for _, st := range file.Stmts {
		r.stmt(st, depth+1)
	}
	r.line, r.dir = outer, dir
	for _, c := range r.script.Commands[from:] {
		c.Through = append([]string{by}, c.Through...)
	}
}

func (r *scriptReader) chdir(c *Command) {
	if len(c.Args) == 1 && c.Args[0].Known && r.sometimes == 0 {
		r.dir = join(r.dir, c.Args[0].Text)
		return
	}
	r.dir = ""
}
