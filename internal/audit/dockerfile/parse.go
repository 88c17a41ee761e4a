package dockerfile

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// The bounds of a file. They are far above what people write, and keep hostile files
// from taking more than a moment.
const (
	maxSize      = 256 << 10
	maxStages    = 400
	maxVariables = 2000
)

// Parse reads a Dockerfile; name is what errors call it. An error is an [*Error].
func Parse(name string, text []byte) (*File, error) {
	if err := checkText(name, text); err != nil {
		return nil, err
	}
	tree, err := parser.Parse(bytes.NewReader(text))
	if err != nil {
		return nil, parseError(name, err)
	}
	r := &reader{
		file: &File{Name: name, Escape: tree.EscapeToken}, source: newSource(string(text), tree.EscapeToken), global: newEnv(nil), byName: map[string]*Stage{},
	}
	for _, w := range tree.Warnings {
		r.file.Odd = append(r.file.Odd, Remark{w.Location.Start.Line, "a line that continues is followed by an empty one; later versions of the parser refuse it"})
	}
	r.ignored()
	for _, node := range tree.AST.Children {
		if err := r.node(node); err != nil {
			return nil, r.located(err, node.StartLine)
		}
	}
	if len(r.file.Stages) == 0 {
		return nil, &Error{Name: name, Message: "found no FROM, expected at least one stage"}
	}
	return r.file, nil
}

func checkText(name string, text []byte) error {
	if len(text) > maxSize {
		return &Error{Name: name, Message: fmt.Sprintf("the file has %d bytes, expected at most %d", len(text), maxSize)}
	}
	for i, line := range bytes.Split(text, []byte("\n")) {
		if !utf8.Valid(line) || bytes.IndexByte(line, 0) >= 0 {
			return &Error{Name: name, Line: i + 1, Message: "found bytes that are no UTF-8 text", hint: "save the file as UTF-8"}
		}
	}
	return nil
}

// parseError takes the place out of an error of BuildKit.
func parseError(name string, err error) error {
	e := &Error{Name: name, Message: firstLine(err.Error())}
	if at, ok := errors.AsType[*parser.LocationError](err); ok {
		for _, ranges := range at.Locations {
			if len(ranges) > 0 {
				e.Line = max(1, ranges[0].Start.Line)
				break
			}
		}
		e.Message = firstLine(at.Unwrap().Error())
	}
	if e.Message == "file with no instructions" {
		e.Line, e.hint = 0, "begin with FROM"
	}
	if message, suggestion, ok := strings.Cut(e.Message, " (did you mean "); ok {
		e.Message, e.hint = message, "did you mean "+strings.TrimSuffix(suggestion, "?)")+"?"
	}
	return e
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return s
}

// reader follows the steps of a file and keeps what they set.
type reader struct {
	file   *File
	source *source
	global *Env // build arguments before the first FROM
	byName map[string]*Stage

	expanded int // bytes that variables grew to
}

func (r *reader) located(err error, line int) error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	e := parseError(r.file.Name, err).(*Error)
	if e.Line == 0 {
		e.Line = line
	}
	return e
}

func (r *reader) fail(line int, format string, args ...any) error {
	return &Error{Name: r.file.Name, Line: line, Message: fmt.Sprintf(format, args...)}
}

var pragma = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^\s*#\s*hadolint\s+(global\s+)?ignore\s*=`) })

func (r *reader) ignored() {
	for i, line := range r.source.lines {
		if strings.Contains(line, "hadolint") && pragma().MatchString(line) {
			r.file.Ignored = append(r.file.Ignored, i+1)
		}
	}
}

// node reads one instruction.
func (r *reader) node(node *parser.Node) error {
	command, err := instructions.ParseInstruction(node)
	if err != nil {
		return err
	}
	switch c := command.(type) {
	case *instructions.Stage:
		return r.from(c, node)
	case *instructions.ArgCommand:
		if len(r.file.Stages) == 0 {
			return r.globalArgs(c, node.StartLine)
		}
	}
	if len(r.file.Stages) == 0 {
		return r.fail(node.StartLine, "found %s, expected FROM or ARG first", strings.ToUpper(node.Value))
	}
	typed, ok := command.(instructions.Command)
	if !ok {
		return r.fail(node.StartLine, "found %s, which is no instruction of a stage", strings.ToUpper(node.Value))
	}
	stage := r.file.Final()
	step := &Step{
		Stage: stage, Line: node.StartLine, End: node.EndLine, Name: strings.ToUpper(node.Value),
		Text: strings.TrimSpace(node.Original), Command: typed, User: stage.User, Dir: stage.Dir,
	}
	stage.Steps = append(stage.Steps, step)
	return r.step(step, r.source.join(node.StartLine, node.EndLine))
}

func (r *reader) globalArgs(c *instructions.ArgCommand, line int) error {
	x := r.expander(r.global)
	if err := c.Expand(x.word); err != nil {
		return err
	}
	for _, a := range c.Args {
		v := Variable{Name: a.Key, Line: line}
		if a.Value != nil {
			v.Value, v.Known = *a.Value, len(x.unknown) == 0
		}
		r.global.set(v)
		r.file.Args = append(r.file.Args, v)
	}
	if len(r.global.list) > maxVariables {
		return r.fail(line, "found more than %d variables", maxVariables)
	}
	return nil
}

// from begins a stage.
func (r *reader) from(c *instructions.Stage, node *parser.Node) error {
	if len(r.file.Stages) == maxStages {
		return r.fail(node.StartLine, "found more than %d stages", maxStages)
	}
	x := r.expander(r.global)
	image, err := x.word(c.BaseName)
	if err != nil {
		return err
	}
	if image == "" {
		return r.fail(node.StartLine, "FROM %s names no image", c.BaseName)
	}
	s := &Stage{Index: len(r.file.Stages), Name: c.Name, Line: node.StartLine, Image: image, Written: c.BaseName, Unknown: x.take()}
	if s.Platform, err = x.word(c.Platform); err != nil {
		return err
	}
	s.Parent = r.byName[strings.ToLower(image)]
	if p := s.Parent; p != nil {
		s.Env, s.Dir, s.User, s.UserLine, s.Shell, s.Windows = newEnv(p.Env), p.Dir, p.User, p.UserLine, p.Shell, p.Windows
		s.Accounts, s.Tree = p.Accounts.clone(), p.Tree.child()
	} else {
		s.Env, s.Dir, s.Accounts, s.Tree = newEnv(nil), "", newAccounts(), newTree(nil)
		s.Windows = isWindows(image)
	}
	s.Args = newEnv(nil)
	if c.Name != "" {
		_, s.duplicate = r.byName[strings.ToLower(c.Name)]
		r.byName[strings.ToLower(c.Name)] = s
	}
	r.file.Stages = append(r.file.Stages, s)
	return nil
}

// isWindows reports whether an image is one of Windows, by its name.
func isWindows(image string) bool {
	image = strings.ToLower(image)
	return strings.Contains(image, "nanoserver") || strings.Contains(image, "servercore") || strings.Contains(image, "/windows")
}

// Copied returns the stage that COPY --from or a mount names, nil where that is an image
// or nothing that is known.
func (f *File) Copied(from string, in *Stage) *Stage {
	var number int
	if _, err := fmt.Sscanf(from, "%d", &number); err == nil && fmt.Sprint(number) == from && number >= 0 && number < in.Index {
		return f.Stages[number]
	}
	for i := in.Index - 1; i >= 0; i-- {
		if s := f.Stages[i]; s.Name != "" && strings.EqualFold(s.Name, from) {
			return s
		}
	}
	return nil
}
