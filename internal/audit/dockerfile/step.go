package dockerfile

import (
	"path"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// step expands an instruction's variables, and keeps what it sets in its stage.
func (r *reader) step(step *Step, at joined) error {
	s := step.Stage
	x := r.expander(s.Env, s.Args)
	if e, ok := step.Command.(instructions.SupportsSingleWordExpansion); ok {
		if err := e.Expand(x.word); err != nil {
			return err
		}
		step.Unknown = x.take()
	}
	if contents, ok := step.Command.(instructions.SupportsSingleWordExpansionRaw); ok {
		raw := r.expander(s.Env, s.Args)
		raw.lex.SkipProcessQuotes = true
		if err := contents.ExpandRaw(raw.word); err != nil {
			return err
		}
	}
	switch c := step.Command.(type) {
	case *instructions.EnvCommand:
		return r.env(step, c)
	case *instructions.ArgCommand:
		return r.args(step, c)
	case *instructions.OnbuildCommand:
		return r.onBuild(step, c)
	case *instructions.ExposeCommand:
		var ports []string
		for _, p := range c.Ports {
			words, err := x.words(p)
			if err != nil {
				return err
			}
			ports = append(ports, words...)
		}
		c.Ports, step.Unknown = ports, x.take()
	case *instructions.UserCommand:
		if !step.OnBuild {
			s.User, s.UserLine = c.User, step.Line
		}
	case *instructions.WorkdirCommand:
		if !step.OnBuild {
			s.Dir = join(s.Dir, c.Path)
			s.Tree.workdir(s.Dir, s.User, step)
		}
	case *instructions.ShellCommand:
		s.Shell = c.Shell
	case *instructions.CopyCommand:
		r.copy(step, c)
	case *instructions.AddCommand:
		s.Tree.copied(step, c.SourcePaths, c.SourceContents, c.DestPath, c.Chown, c.Chmod)
	default:
		r.script(step, at)
	}
	return nil
}

func (r *reader) env(step *Step, c *instructions.EnvCommand) error {
	if step.OnBuild {
		return nil
	}
	known := len(step.Unknown) == 0
	for _, kv := range c.Env {
		step.Stage.Env.set(Variable{kv.Key, kv.Value, known || !mentions(kv.Value, step.Unknown), step.Line})
	}
	if len(step.Stage.Env.list) > maxVariables {
		return r.fail(step.Line, "found more than %d variables", maxVariables)
	}
	return nil
}

func mentions(text string, names []string) bool {
	for _, n := range names {
		if strings.Contains(text, "$"+n) || strings.Contains(text, "${"+n) {
			return true
		}
	}
	return false
}

func (r *reader) args(step *Step, c *instructions.ArgCommand) error {
	if step.OnBuild {
		return nil
	}
	for _, a := range c.Args {
		v := Variable{Name: a.Key, Line: step.Line}
		if a.Value != nil {
			v.Value, v.Known = *a.Value, !mentions(*a.Value, step.Unknown)
		} else if g, ok := r.global.Get(a.Key); ok {
			v.Value, v.Known = g.Value, g.Known
		}
		step.Stage.Args.set(v)
	}
	if len(step.Stage.Args.list) > maxVariables {
		return r.fail(step.Line, "found more than %d variables", maxVariables)
	}
	return nil
}

// onBuild reads the instruction that waits for another build. It changes nothing of this
// one, and is judged all the same.
func (r *reader) onBuild(step *Step, c *instructions.OnbuildCommand) error {
	tree, err := parser.Parse(strings.NewReader(c.Expression))
	if err != nil || len(tree.AST.Children) != 1 {
		return r.fail(step.Line, "ONBUILD: cannot read %q", c.Expression)
	}
	inner, err := instructions.ParseInstruction(tree.AST.Children[0])
	if err != nil {
		return r.fail(step.Line, "ONBUILD: %s", parseError("", err).(*Error).Message)
	}
	typed, ok := inner.(instructions.Command)
	if !ok {
		return nil
	}
	later := &Step{
		Stage: step.Stage, Line: step.Line, End: step.End, Name: strings.ToUpper(typed.Name()), Text: c.Expression,
		Command: typed, OnBuild: true, User: step.User, Dir: step.Dir,
	}
	step.Stage.Steps = append(step.Stage.Steps, later)
	return r.step(later, joined{text: c.Expression, starts: []int{0}, lines: []int{step.Line}})
}

func (r *reader) copy(step *Step, c *instructions.CopyCommand) {
	if step.OnBuild {
		return
	}
	var from *Stage
	if c.From != "" {
		if from = r.file.Copied(c.From, step.Stage); from == nil {
			step.Stage.Tree.copied(step, nil, nil, c.DestPath, c.Chown, c.Chmod)
			return
		}
		step.Stage.Tree.copiedFrom(step, from.Tree, c.SourcePaths, c.DestPath, c.Chown, c.Chmod)
		return
	}
	step.Stage.Tree.copied(step, c.SourcePaths, c.SourceContents, c.DestPath, c.Chown, c.Chmod)
}

// script reads the commands of an instruction that runs some, and follows what those of
// RUN do to accounts and files.
func (r *reader) script(step *Step, at joined) {
	s := step.Stage
	env := lookup{s.Env, s.Args}
	switch c := step.Command.(type) {
	case *instructions.RunCommand:
		step.Script = readCommandLine(c.ShellDependantCmdLine, s, env, at)
		if step.OnBuild {
			return
		}
		for _, command := range step.Script.Commands {
			s.Accounts.follow(command, step)
			s.Tree.follow(command, step, s.Accounts)
		}
	case *instructions.CmdCommand:
		step.Script = readCommandLine(c.ShellDependantCmdLine, s, nil, at)
	case *instructions.EntrypointCommand:
		step.Script = readCommandLine(c.ShellDependantCmdLine, s, nil, at)
	case *instructions.HealthCheckCommand:
		if len(c.Health.Test) > 1 {
			line := instructions.ShellDependantCmdLine{CmdLine: c.Health.Test[1:], PrependShell: c.Health.Test[0] == "CMD-SHELL"}
			step.Script = readCommandLine(line, s, nil, at)
		}
	}
}

// join returns the directory that WORKDIR or cd leads to.
func join(from, to string) string {
	switch {
	case windowsPath(to):
		return to
	case strings.HasPrefix(to, "/"):
		return path.Clean(to)
	case from == "":
		return path.Clean("/" + to)
	}
	return path.Clean(from + "/" + to)
}

// windowsPath reports whether a path has a drive or backslashes.
func windowsPath(p string) bool {
	return strings.Contains(p, `\`) || len(p) > 1 && p[1] == ':' && (p[0]|0x20 >= 'a' && p[0]|0x20 <= 'z')
}
