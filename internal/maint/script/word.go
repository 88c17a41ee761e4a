package script

import (
	"errors"
	"io"
	"io/fs"
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/hardpan/hardpan/internal/tree"
	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/pattern"
	"mvdan.cc/sh/v3/syntax"
)

// config returns what expands a script's words, and what notes whether the
// expansion could be known. Command substitutions are read for their calls.
func (r *reader) config() (*expand.Config, *environ) {
	env := &environ{r: r}
	return &expand.Config{
		Env: env,
		CmdSubst: func(w io.Writer, cs *syntax.CmdSubst) error {
			out, known, err := r.output(cs.Stmts)
			if err != nil {
				return err
			}
			env.unknown = env.unknown || !known
			_, err = io.WriteString(w, out)
			return err
		},
		ReadDir2: r.readDir,
	}, env
}

// literal expands a word that is not split into fields.
func (r *reader) literal(w *syntax.Word) (string, bool, error) {
	if w == nil {
		return "", true, nil
	}
	cfg, env := r.config()
	s, err := expand.Literal(cfg, w)
	return s, err == nil && !env.unknown, expansionError(err)
}

// fields expands words as arguments of a command.
func (r *reader) fields(words []*syntax.Word) (all []string, known bool, err error) {
	known = true
	for _, w := range words {
		if hasBraces(w) {
			known, all = false, append(all, "")
			continue
		}
		cfg, env := r.config()
		f, err := expand.Fields(cfg, w)
		if err := expansionError(err); err != nil {
			return nil, false, err
		}
		if err != nil || env.unknown {
			known = false
			if len(f) == 0 {
				f = []string{""} // there is a word, of which nothing is known
			}
		}
		all = append(all, f...)
	}
	return all, known, nil
}

// hasBraces reports whether a word has braces that the shell library would expand
// as bash does, {1..1000000} and all: sh does not, and the words could be
// without number.
func hasBraces(w *syntax.Word) bool {
	for _, part := range w.Parts {
		if l, ok := part.(*syntax.Lit); ok && strings.Contains(l.Value, "{") {
			return true
		}
	}
	return false
}

// expansionError passes on only what stops the reading of the script; a word
// that cannot be expanded is one that is not known.
func expansionError(err error) error {
	if errors.Is(err, errTooLong) {
		return err
	}
	return nil
}

// readDir lists a directory of the tree for globs.
func (r *reader) readDir(name string) ([]fs.DirEntry, error) {
	if r.ctx.Tree == nil {
		return nil, fs.ErrNotExist
	}
	dir, err := r.ctx.Tree.Resolve(name)
	if err != nil {
		return nil, err
	}
	var entries []fs.DirEntry
	for _, child := range r.ctx.Tree.ReadDir(dir.Path) {
		if n := r.ctx.Tree.Lookup(path.Join(dir.Path, child)); n != nil {
			entries = append(entries, fs.FileInfoToDirEntry(info{n}))
		}
	}
	return entries, nil
}

// output returns what a command substitution prints, as far as that is
// constant: echo, printf of plain words, cut of such, dpkg's architecture, the
// path of a command. Everything else is read for its calls only.
func (r *reader) output(list []*syntax.Stmt) (string, bool, error) {
	if len(list) == 1 && len(list[0].Redirs) == 0 {
		out, ok, err := r.printed(list[0].Cmd)
		if ok || err != nil {
			return out, ok, err
		}
	}
	saved := r.scope.clone()
	_, err := r.stmts(list)
	r.scope = saved
	return "", false, err
}

func (r *reader) printed(cmd syntax.Command) (string, bool, error) {
	switch c := cmd.(type) {
	case *syntax.BinaryCmd:
		if c.Op != syntax.Pipe || len(c.Y.Redirs) > 0 {
			return "", false, nil
		}
		in, ok, err := r.printed(c.X.Cmd)
		if !ok || err != nil {
			return "", false, err
		}
		args, ok, err := r.plainArgs(c.Y.Cmd)
		if !ok || err != nil || len(args) == 0 || args[0] != "cut" {
			return "", false, err
		}
		out, ok := cut(in, args[1:])
		return out, ok, nil
	case *syntax.CallExpr:
		args, ok, err := r.plainArgs(c)
		if !ok || err != nil || len(args) == 0 {
			return "", false, err
		}
		switch {
		case args[0] == "echo" && (len(args) < 2 || !strings.HasPrefix(args[1], "-")):
			return strings.Join(args[1:], " ") + "\n", true, nil
		case args[0] == "dpkg" && len(args) == 2 && args[1] == "--print-architecture":
			return r.ctx.Arch + "\n", r.ctx.Arch != "", nil
		case args[0] == "command" && len(args) == 3 && args[1] == "-v", args[0] == "which" && len(args) == 2:
			p := r.findCommand(args[len(args)-1])
			if p == "" {
				return "", true, nil
			}
			return p + "\n", true, nil
		}
	}
	return "", false, nil
}

func (r *reader) plainArgs(cmd syntax.Command) ([]string, bool, error) {
	c, ok := cmd.(*syntax.CallExpr)
	if !ok || len(c.Assigns) > 0 {
		return nil, false, nil
	}
	for _, w := range c.Args { // a nested substitution would be read twice
		nested := false
		syntax.Walk(w, func(n syntax.Node) bool {
			_, sub := n.(*syntax.CmdSubst)
			nested = nested || sub
			return true
		})
		if nested {
			return nil, false, nil
		}
	}
	return r.fields(c.Args)
}

// cut does what cut(1) does with one delimiter and one field.
func cut(in string, args []string) (string, bool) {
	var delim, field string
	for i := 0; i < len(args); i++ {
		opt, val := args[i], ""
		if len(opt) < 2 || opt[0] != '-' {
			return "", false
		}
		if val = opt[2:]; val == "" && i+1 < len(args) {
			i++
			val = args[i]
		}
		switch opt[1] {
		case 'd':
			delim = val
		case 'f':
			field = val
		default:
			return "", false
		}
	}
	n, err := strconv.Atoi(field)
	if err != nil || n < 1 || len(delim) != 1 {
		return "", false
	}
	var out strings.Builder
	for line := range strings.Lines(in) {
		line = strings.TrimSuffix(line, "\n")
		parts := strings.Split(line, delim)
		switch {
		case len(parts) == 1:
			out.WriteString(line)
		case n <= len(parts):
			out.WriteString(parts[n-1])
		}
		out.WriteByte('\n')
	}
	return out.String(), true
}

// matches compares a word with the pattern of a case.
func (r *reader) matches(p *syntax.Word, word string) (truth, error) {
	cfg, env := r.config()
	pat, err := expand.Pattern(cfg, p)
	if err := expansionError(err); err != nil {
		return unknown, err
	}
	if err != nil || env.unknown {
		return unknown, nil
	}
	expr, err := pattern.Regexp(pat, pattern.EntireString)
	if err != nil {
		return unknown, nil
	}
	re, err := regexp.Compile(expr)
	if err != nil {
		return unknown, nil
	}
	return truthOf(re.MatchString(word)), nil
}

// findCommand returns the absolute path of a command of the image, "" where it
// has none.
func (r *reader) findCommand(name string) string {
	if r.ctx.Tree == nil {
		return ""
	}
	dirs := strings.Split(r.scope.vars["PATH"].s, ":")
	if strings.Contains(name, "/") {
		dirs = []string{""}
	}
	for _, dir := range dirs {
		p := path.Join(dir, name)
		if n, err := r.ctx.Tree.Resolve(p); err == nil && executable(n) {
			return p
		}
	}
	return ""
}

func executable(n *tree.Node) bool {
	return n.Type == tree.Hardlink || n.Type == tree.File && n.Mode&0o111 != 0
}
