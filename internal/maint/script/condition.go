package script

import (
	"io/fs"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/hardpan/hardpan/internal/tree"
	"mvdan.cc/sh/v3/syntax"
)

// info shows a node to the expansion of globs.
type info struct{ n *tree.Node }

func (i info) Name() string       { return path.Base(i.n.Path) }
func (i info) Size() int64        { return i.n.Size }
func (i info) Mode() fs.FileMode  { return i.n.FileMode() }
func (i info) ModTime() time.Time { return time.Unix(i.n.ModTime, 0) }
func (i info) IsDir() bool        { return i.n.Type == tree.Dir }
func (i info) Sys() any           { return nil }

// call reads a simple command.
func (r *reader) call(c *syntax.CallExpr) (flow, error) {
	if len(c.Args) == 0 {
		return next, r.assigns(c.Assigns)
	}
	for _, a := range c.Assigns { // of the command's environment; read for its calls
		if _, _, err := r.literal(a.Value); err != nil {
			return next, err
		}
	}
	args, known, err := r.fields(c.Args)
	if err != nil || len(args) == 0 {
		return next, err
	}
	r.status = unknown
	if f, ok := r.funcs[args[0]]; ok {
		return r.function(f, args[1:], known)
	}
	if f, done := r.builtin(args, known); done {
		return f, nil
	}
	r.note(args, known, c.Pos().Line())
	r.status = r.constantStatus(args, known)
	return next, nil
}

// builtin handles the commands that change only the shell's state or ask for
// something that the tree answers.
func (r *reader) builtin(args []string, known bool) (flow, bool) {
	switch args[0] {
	case "exit":
		return exit, true
	case "return", "break", "continue":
		return leave, true
	case ":", "true":
		r.status = yes
	case "false":
		r.status = no
	case "[", "test":
		operands := args[1:]
		if n := len(operands); args[0] == "[" && n > 0 {
			operands = operands[:n-1]
		}
		if known {
			t := test{r: r, args: operands}
			r.status = t.eval()
		}
	case "command", "which", "type":
		if len(args) > 2 && args[0] == "command" && args[1] != "-v" && args[1] != "-V" {
			return next, false // runs the command
		}
		if known && len(args) > 1 && r.ctx.Tree != nil {
			r.status = truthOf(r.findCommand(args[len(args)-1]) != "")
		}
	case "read":
		r.assigned(args[1:])
	case "shift":
		n := 1
		if len(args) > 1 {
			n, _ = strconv.Atoi(args[1])
		}
		r.scope.params = r.scope.params[min(max(n, 0), len(r.scope.params)):]
	case "set":
		if i := indexOf(args, "--"); i > 0 {
			r.scope.params, r.scope.paramsKnown = args[i+1:], known
		} else if len(args) > 1 && !strings.HasPrefix(args[1], "-") && !strings.HasPrefix(args[1], "+") {
			r.scope.params, r.scope.paramsKnown = args[1:], known
		}
		r.status = yes
	case "unset":
		for _, name := range args[1:] {
			r.scope.vars[name] = value{known: true}
		}
		r.status = yes
	case "cd", "umask", "trap", "wait", "echo", "printf", "pwd", "times", "ulimit", "hash":
	case ".", "source":
		if len(args) > 1 && args[1] == "/usr/share/debconf/confmodule" {
			return next, true // its only variable is RET, which is unknown already
		}
		r.scope.foreign = true
		return next, false
	default:
		return next, false
	}
	return next, true
}

func indexOf(list []string, s string) int {
	for i, v := range list {
		if v == s {
			return i
		}
	}
	return -1
}

// constantStatus is the status of a command that has always the same one in a
// fresh installation.
func (r *reader) constantStatus(args []string, known bool) truth {
	if !known {
		return unknown
	}
	switch {
	case args[0] == "dpkg" && len(args) == 5 && args[1] == "--compare-versions" && args[2] == "":
		// An empty version is earlier than any, or later for the operators
		// with -nl (dpkg(1)).
		switch args[3] {
		case "lt", "le", "ne", "gt-nl", "ge-nl", "<", "<=", "<<":
			return truthOf(args[4] != "" || args[3] == "le")
		case "lt-nl", "le-nl", "gt", "ge", "eq", ">", ">=", ">>":
			return truthOf(args[4] == "" && (args[3] == "eq" || args[3] == "ge"))
		}
	case args[0] == "mountpoint":
		return yes // /proc is mounted where maintainer scripts run
	case args[0] == "dpkg-statoverride" && len(args) > 1 && args[1] == "--list":
		return no // an image has no administrator who would have made one
	case args[0] == "ischroot":
		return yes
	}
	return unknown
}

// bashTest evaluates the [[ ]] of bash as far as it is made of plain words.
func (r *reader) bashTest(x syntax.TestExpr) (truth, error) {
	switch x := x.(type) {
	case *syntax.ParenTest:
		return r.bashTest(x.X)
	case *syntax.UnaryTest:
		if x.Op == syntax.TsNot {
			t, err := r.bashTest(x.X)
			return t.not(), err
		}
		w, known, err := r.literal(x.X.(*syntax.Word))
		if !known || err != nil {
			return unknown, err
		}
		t := test{r: r, args: []string{x.Op.String(), w}}
		return t.eval(), nil
	case *syntax.BinaryTest:
		if x.Op == syntax.AndTest || x.Op == syntax.OrTest {
			a, err := r.bashTest(x.X)
			if err != nil {
				return unknown, err
			}
			b, err := r.bashTest(x.Y)
			if x.Op == syntax.AndTest {
				return and(a, b), err
			}
			return and(a.not(), b.not()).not(), err
		}
		return unknown, nil
	case *syntax.Word:
		w, known, err := r.literal(x)
		if !known || err != nil {
			return unknown, err
		}
		return truthOf(w != ""), nil
	}
	return unknown, nil
}

func and(a, b truth) truth {
	switch {
	case a == no || b == no:
		return no
	case a == yes && b == yes:
		return yes
	}
	return unknown
}

// test evaluates the arguments of test(1), POSIX with -a and -o.
type test struct {
	r    *reader
	args []string
	pos  int
}

func (t *test) eval() truth {
	if len(t.args) == 0 {
		return no
	}
	v := t.or()
	if t.pos != len(t.args) {
		return unknown
	}
	return v
}

func (t *test) peek(i int) string {
	if t.pos+i < len(t.args) {
		return t.args[t.pos+i]
	}
	return ""
}

func (t *test) left() int { return len(t.args) - t.pos }

func (t *test) or() truth {
	v := t.and()
	for t.left() > 1 && t.peek(0) == "-o" {
		t.pos++
		v = and(v.not(), t.and().not()).not()
	}
	return v
}

func (t *test) and() truth {
	v := t.primary()
	for t.left() > 1 && t.peek(0) == "-a" {
		t.pos++
		v = and(v, t.primary())
	}
	return v
}

func (t *test) primary() truth {
	if t.left() >= 3 {
		if v, ok := compare(t.peek(0), t.peek(1), t.peek(2)); ok {
			t.pos += 3
			return v
		}
	}
	switch op := t.peek(0); {
	case op == "!" && t.left() > 1:
		t.pos++
		return t.primary().not()
	case op == "(" && t.left() > 2:
		t.pos++
		v := t.or()
		if t.peek(0) != ")" {
			return unknown
		}
		t.pos++
		return v
	case len(op) == 2 && op[0] == '-' && t.left() > 1:
		arg := t.peek(1)
		t.pos += 2
		return t.r.unary(op[1], arg)
	case t.left() > 0:
		t.pos++
		return truthOf(op != "")
	}
	return unknown
}

func compare(a, op, b string) (truth, bool) {
	switch op {
	case "=", "==":
		return truthOf(a == b), true
	case "!=":
		return truthOf(a != b), true
	case "-eq", "-ne", "-lt", "-le", "-gt", "-ge":
		x, err1 := strconv.Atoi(a)
		y, err2 := strconv.Atoi(b)
		if err1 != nil || err2 != nil {
			return unknown, true
		}
		return truthOf(map[string]bool{"-eq": x == y, "-ne": x != y, "-lt": x < y, "-le": x <= y, "-gt": x > y, "-ge": x >= y}[op]), true
	}
	return unknown, false
}

// unary answers -n, -z and the tests of files. The script's own earlier
// commands may have made a file, so that an absent one is only known to be
// absent where nothing before could have made it.
func (r *reader) unary(op byte, arg string) truth {
	switch op {
	case 'n':
		return truthOf(arg != "")
	case 'z':
		return truthOf(arg == "")
	case 't':
		return no
	}
	if r.ctx.Tree == nil {
		return unknown
	}
	if op == 'L' || op == 'h' {
		p, err := r.ctx.Tree.RealPath(arg)
		n := r.ctx.Tree.Lookup(p)
		return truthOf(err == nil && n != nil && n.Type == tree.Symlink)
	}
	n, err := r.ctx.Tree.Resolve(arg)
	if arg == "" || err != nil {
		if r.mayHaveMade(arg) {
			return unknown
		}
		return no
	}
	isFile := n.Type == tree.File || n.Type == tree.Hardlink
	switch op {
	case 'e', 'r', 'w':
		return yes
	case 'f':
		return truthOf(isFile)
	case 'd':
		return truthOf(n.Type == tree.Dir)
	case 'x':
		return truthOf(n.Type == tree.Dir || executable(n))
	case 's':
		return truthOf(isFile && n.Size > 0)
	case 'p', 'S', 'b', 'c':
		return no
	case 'u':
		return truthOf(n.Mode&tree.SetUID != 0)
	case 'g':
		return truthOf(n.Mode&tree.SetGID != 0)
	}
	return unknown
}

// mayHaveMade reports whether a call so far names the path or could name it.
func (r *reader) mayHaveMade(arg string) bool {
	for _, c := range r.calls {
		switch c.Name() {
		case ">", "touch", "cp", "mv", "ln", "mkdir", "install", "?", "mktemp", "tee":
			if !c.Known {
				return true
			}
			for _, a := range c.Args[1:] {
				if a == arg {
					return true
				}
			}
		}
	}
	return false
}
