package closure

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/tree"
)

// maxInterpreters is how many interpreters Linux follows one after the other
// (execve(2): four recursions, and the binary).
const maxInterpreters = 5

// ScriptHead is how much of a script Linux reads to find its interpreter, in bytes
// (execve(2)).
const ScriptHead = 256

// Interpreter returns the program that runs a script which begins with head: a path or,
// where env(1) looks for it, its name. It returns "" where head has no interpreter line.
func Interpreter(head []byte) string {
	interpreter, argument, _ := shebang(head[:min(len(head), ScriptHead)])
	if path.Base(interpreter) != "env" {
		return interpreter
	}
	if command, _ := envCommand([]string{argument}); command != "" {
		return command
	}
	return interpreter
}

// checkCommand follows a command through its interpreters to an ELF file.
func (c *checker) checkCommand(args []string) {
	if len(args) == 0 {
		return
	}
	name, problem := c.find(args[0])
	if problem != "" {
		c.report(Problem{Chain: []string{args[0]}, Reason: "is " + c.role + ", but " + problem, absent: strings.HasPrefix(problem, notInPath)})
		return
	}
	c.checkProgram(name, args[1:], []string{name}, 0)
}

// find returns the path that command is run from: itself if it has a slash, else
// the first executable file of that name in PATH (execvp(3)).
func (c *checker) find(command string) (name, problem string) {
	switch {
	case command == "":
		return "", "is empty"
	case strings.Contains(command, "/"):
		return c.absolute(command), ""
	}
	list, ok := c.Env["PATH"]
	if !ok {
		list = DefaultPath
	}
	denied := ""
	for dir := range strings.SplitSeq(list, ":") {
		name := path.Join(c.absolute(dir), command)
		n, err := c.t.Resolve(name)
		if err != nil {
			continue
		}
		problem := c.runnable(n)
		if problem == "" {
			problem = c.denied(name, execute)
		}
		if problem == "" {
			return name, ""
		} else if denied == "" {
			denied = fmt.Sprintf("%s in PATH %s", name, problem)
		}
	}
	if denied != "" {
		return "", denied
	}
	return "", notInPath + list
}

const notInPath = "no directory of PATH has it: "

func (c *checker) absolute(name string) string {
	if strings.HasPrefix(name, "/") {
		return path.Clean(name)
	}
	return path.Join("/", c.WorkDir, name)
}

// runnable says what keeps the node from being run as a program, "" if nothing.
func (c *checker) runnable(n *tree.Node) string {
	if n.Type == tree.Dir {
		return "is a directory"
	}
	f := c.file(n)
	if f == nil {
		return "is no file"
	}
	if f.Mode&0o111 == 0 {
		return fmt.Sprintf("is not executable (mode %04o)", f.Mode)
	}
	return ""
}

// checkProgram checks that name can be run with args. The chain ends with name.
func (c *checker) checkProgram(name string, args, chain []string, depth int) {
	kind := ""
	if len(chain) > 1 {
		kind = "the interpreter "
	}
	n, err := c.t.Resolve(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		c.missing(kind, chain)
		return
	case err != nil:
		c.report(Problem{Chain: chain, needs: kind, Reason: c.relative(chain, fmt.Sprintf("cannot be found (%v)", err))})
		return
	}
	if problem := c.runnable(n); problem != "" {
		c.report(Problem{Chain: chain, needs: kind, Reason: c.relative(chain, problem)})
		return
	}
	if problem := c.denied(name, execute); problem != "" {
		c.report(Problem{Chain: chain, needs: kind, Reason: c.relative(chain, problem), denied: true})
		return
	}
	n = c.file(n)
	if n.ELF == nil {
		c.checkScript(n, args, chain, kind, depth)
		return
	}
	if !c.abi.Fits(n.ELF) {
		c.report(Problem{Chain: chain, needs: kind, Reason: c.relative(chain, "is for another machine: "+machine(n.ELF))})
		return
	}
	c.checkELF(n, chain, false)
	if path.Base(name) == "env" {
		c.checkEnv(args, chain, depth)
	}
}

// missing reports that the last of chain is not in the image.
func (c *checker) missing(kind string, chain []string) {
	p := Problem{Chain: chain, needs: kind, Reason: nowhere}
	if len(chain) == 1 {
		p.Reason, p.absent = "is "+c.role+", but no path of the image", true
	}
	c.report(p)
}

// relative makes a predicate about the last of chain fit the message.
func (c *checker) relative(chain []string, predicate string) string {
	if len(chain) == 1 {
		return "is " + c.role + ", but " + predicate
	}
	return "which " + predicate
}

// checkScript reads the interpreter line of n (execve(2), "Interpreter scripts").
func (c *checker) checkScript(n *tree.Node, args, chain []string, kind string, depth int) {
	head, err := readHead(n)
	if err != nil {
		c.report(Problem{Chain: chain, needs: kind, Reason: c.relative(chain, fmt.Sprintf("cannot be read (%v)", err))})
		return
	}
	interpreter, argument, ok := shebang(head)
	if !ok {
		what := "is neither an ELF file nor a script with an interpreter line"
		if tree.IsELF(head) {
			what = "is a malformed ELF file"
		}
		c.report(Problem{Chain: chain, needs: kind, Reason: c.relative(chain, what)})
		return
	}
	if problem := c.denied(chain[len(chain)-1], read); problem != "" { // the interpreter opens it
		c.report(Problem{Chain: chain, needs: kind, Reason: c.relative(chain, problem), denied: true})
		return
	}
	chain = append(slices.Clone(chain), interpreter)
	if depth == maxInterpreters {
		c.report(Problem{Chain: chain, needs: "the interpreter ",
			Reason: fmt.Sprintf("the %dth interpreter in a row, of which Linux follows %d", depth+1, maxInterpreters)})
		return
	}
	if argument != "" {
		args = []string{argument}
	} else {
		args = []string{chain[len(chain)-2]} // the script itself
	}
	c.checkProgram(c.absolute(interpreter), args, chain, depth+1)
}

func readHead(n *tree.Node) ([]byte, error) {
	if n.Content == nil {
		return nil, nil
	}
	r, err := n.Content.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	head, err := io.ReadAll(io.LimitReader(r, ScriptHead))
	if err != nil {
		return nil, err
	}
	return head, nil
}

// checkScripts looks for scripts that lost their interpreter with a package that
// hardening left out. They are warnings: a program need not run them.
func (c *checker) checkScripts() {
	for n := range c.t.All() {
		if n.Type != tree.File || n.Interpreter == "" || n.Mode&0o111 == 0 || strings.HasPrefix(n.Path, dataDir) {
			continue
		}
		pkg := c.LeftOut(n.Interpreter)
		if pkg == "" || c.has(n.Interpreter) {
			continue
		}
		c.report(Problem{Severity: Warning, Chain: []string{"/" + n.Path, n.Interpreter}, needs: "the interpreter ",
			Reason: "which is in " + pkg + ", left out as only for maintainer scripts"})
	}
}

// has reports whether a script finds its interpreter.
func (c *checker) has(interpreter string) bool {
	name, problem := c.find(interpreter)
	if problem != "" {
		return false
	}
	n, err := c.t.Resolve(name)
	return err == nil && c.runnable(n) == ""
}

// shebang returns the interpreter and its one argument of a file that begins
// with head, as Linux takes them; ok is false for a file that has no interpreter line.
func shebang(head []byte) (interpreter, argument string, ok bool) {
	text, ok := strings.CutPrefix(string(head), "#!")
	if !ok {
		return "", "", false
	}
	line, _, _ := strings.Cut(text, "\n")
	line, _, _ = strings.Cut(line, "\x00")
	line = strings.Trim(line, " \t")
	end := strings.IndexAny(line, " \t")
	if end < 0 {
		return line, "", line != ""
	}
	return line[:end], strings.TrimLeft(line[end:], " \t"), true
}

// checkEnv checks the program that env(1) runs with args.
func (c *checker) checkEnv(args, chain []string, depth int) {
	command, rest := envCommand(args)
	if command == "" {
		return
	}
	name, problem := c.find(command)
	chain = append(slices.Clone(chain), command)
	switch {
	case strings.HasPrefix(problem, notInPath):
		c.report(Problem{Chain: chain, needs: "the interpreter ", Reason: nowhere + " in PATH"})
	case problem != "":
		c.report(Problem{Chain: chain, needs: "the interpreter ", Reason: "but " + problem})
	case depth < maxInterpreters:
		c.checkProgram(name, rest, chain, depth+1)
	}
}

// envCommand returns the command among the arguments of env(1) and what follows it.
func envCommand(args []string) (command string, rest []string) {
	for i := 0; i < len(args); i++ {
		arg := args[i]
		switch {
		case arg == "-S" || arg == "--split-string":
			if i+1 < len(args) {
				return envCommand(append(strings.Fields(args[i+1]), args[i+2:]...))
			}
		case strings.HasPrefix(arg, "--split-string="), strings.HasPrefix(arg, "-S"):
			text := strings.TrimPrefix(strings.TrimPrefix(arg, "--split-string="), "-S")
			return envCommand(append(strings.Fields(text), args[i+1:]...))
		case arg == "-u" || arg == "-C" || arg == "--unset" || arg == "--chdir":
			i++
		case arg == "" || strings.HasPrefix(arg, "-") || strings.Contains(arg, "="):
		default:
			return arg, args[i+1:]
		}
	}
	return "", nil
}
