package shell

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/hardpan/hardpan/internal/maint/rootfs"
	"github.com/hardpan/hardpan/internal/tree"
)

// Shell runs scripts over one file system.
type Shell struct {
	FS       *rootfs.FS
	Commands map[string]Command // by name
	Limits   Limits

	// Origin returns the origin of what a command makes: it is called with the
	// command as the script has it.
	Origin func(command string) *tree.Origin
	// Phantom says, unless nil, that a path counts as being there though it is
	// not: the program of a package that was left out, which Commands stands for.
	Phantom func(path string) bool
	// Sourced holds the text of files that are not read from the image when a
	// script sources them, by path.
	Sourced map[string]string

	steps  int
	output int64
}

// Limits bound what scripts may cost. The zero value is the default.
type Limits struct {
	Steps  int   // commands and rounds of loops of all scripts; 0 is 5 million
	Output int64 // what commands print, bytes of all scripts; 0 is 256 MB
}

const (
	defaultSteps  = 5_000_000
	defaultOutput = 256 << 20

	maxScript   = 512 << 10 // bytes of a script's text
	maxValue    = 16 << 20  // bytes of a variable's value
	maxDepth    = 100       // of calls, subshells and sourced files
	maxNestings = 1000      // of brackets of any kind in a script's text
)

// LimitError says that scripts ran for too long, or made too much.
type LimitError struct{ What string }

func (e *LimitError) Error() string { return e.What + ": the limit for maintainer scripts" }

// Script is one script to run.
type Script struct {
	Name string // what errors and origins call it, "postinst"
	Text string
	Args []string
	Env  []string // "NAME=value"
}

// Error says where in a script the work could not go on.
type Error struct {
	Script  string
	Line    uint
	Command string // with its arguments
	Status  int    // that the script ended with, where Err is nil
	Err     error
}

func (e *Error) Error() string {
	at := e.Script
	if e.Line > 0 {
		at = fmt.Sprintf("%s:%d", e.Script, e.Line)
	}
	command := ""
	if e.Command != "" {
		command = ": " + e.Command
	}
	if e.Err != nil {
		return fmt.Sprintf("%s%s: %v", at, command, e.Err)
	}
	return fmt.Sprintf("%s%s: exit status %d", at, command, e.Status)
}

// Unwrap returns the reason.
func (e *Error) Unwrap() error { return e.Err }

// Run runs a script to its end, and returns what it printed on both outputs. Where
// it fails, the error is an [*Error]; it wraps an [*UnsupportedError] where the
// script needs what is not provided.
func (s *Shell) Run(ctx context.Context, script Script) (printed []byte, err error) {
	out := &output{shell: s}
	r := &run{
		shell: s, ctx: ctx, name: script.Name, params: script.Args,
		vars: map[string]variable{}, funcs: map[string]*syntax.Stmt{}, traps: map[string]string{},
		dir: "/", umask: 0o022,
		fds: map[int]stream{0: {r: bytes.NewReader(nil)}, 1: {w: out}, 2: {w: out}},
	}
	for _, kv := range script.Env {
		name, value, _ := strings.Cut(kv, "=")
		r.vars[name] = variable{value: value, set: true, exported: true}
	}
	err = r.script(script.Text)
	return out.Bytes(), r.located(err)
}

// located adds where it happened to an error of a script.
func (r *run) located(err error) error {
	if err == nil && r.status == 0 {
		return nil
	}
	if at, ok := errors.AsType[*Error](err); ok {
		return at
	}
	if err != nil {
		return &Error{Script: r.name, Line: r.line, Err: err}
	}
	return &Error{Script: r.name, Line: r.failed.line, Command: r.failed.command, Status: r.status}
}

// interpreter is the kind of program that a file of the image is.
type interpreter int

const (
	isUnknown interpreter = iota
	isSh
	isBash
)

// shebang returns which shell a script is for, by its first line, and the name of
// what runs it.
func shebang(text string) (interpreter, string) {
	line, _, _ := strings.Cut(text, "\n")
	words := strings.Fields(strings.TrimPrefix(line, "#!"))
	if !strings.HasPrefix(line, "#!") || len(words) == 0 {
		if strings.HasPrefix(text, "\x7fELF") {
			return isUnknown, "an ELF program"
		}
		return isSh, "sh"
	}
	name := words[0]
	if strings.HasSuffix(name, "/env") && len(words) > 1 {
		name = words[1]
	}
	name = name[strings.LastIndexByte(name, '/')+1:]
	switch name {
	case "sh", "dash", "posh":
		return isSh, name
	case "bash", "ksh":
		return isBash, name
	}
	return isUnknown, name
}

// options returns the options that a script's first line sets, as "#!/bin/sh -e".
func shebangOptions(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	words := strings.Fields(strings.TrimPrefix(line, "#!"))
	if strings.HasPrefix(line, "#!") && len(words) > 1 && strings.HasPrefix(words[len(words)-1], "-") {
		return words[len(words)-1]
	}
	return ""
}

// Check parses a script without running it.
func Check(name, text string) error {
	_, err := parse(name, text)
	return err
}

// parse reads a script in the language that its first line names.
func parse(name, text string) (*syntax.File, error) {
	if len(text) > maxScript {
		return nil, &LimitError{fmt.Sprintf("script of %d bytes", len(text))}
	}
	if strings.Count(text, "(")+strings.Count(text, "{") > 100*maxNestings || deepest(text) > maxNestings {
		return nil, &LimitError{"script with too many brackets"}
	}
	kind, program := shebang(text)
	lang := syntax.LangPOSIX
	switch kind {
	case isBash:
		lang = syntax.LangBash
	case isUnknown:
		return nil, Unsupported("%s code", program)
	}
	file, err := parser(lang).Parse(strings.NewReader(text), name)
	if err != nil && lang == syntax.LangPOSIX {
		// dash takes some words of bash, such as "local" with several values.
		if again, err2 := parser(syntax.LangBash).Parse(strings.NewReader(text), name); err2 == nil {
			file, err = again, nil
		}
	}
	return file, err
}

func parser(lang syntax.LangVariant) *syntax.Parser {
	return syntax.NewParser(syntax.Variant(lang))
}

// deepest returns how far opening brackets run ahead of closing ones, at most.
func deepest(text string) int {
	depth, most := 0, 0
	for i := range len(text) {
		switch text[i] {
		case '(', '{':
			depth++
			most = max(most, depth)
		case ')', '}':
			depth = max(depth-1, 0)
		}
	}
	return most
}

// output collects what scripts print, within the limit for all.
type output struct {
	bytes.Buffer
	shell *Shell
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	limit := o.shell.Limits.Output
	if limit == 0 {
		limit = defaultOutput
	}
	if o.shell.output += int64(len(p)); o.shell.output > limit {
		return 0, &LimitError{fmt.Sprintf("%d MB of output", limit>>20)}
	}
	return o.Buffer.Write(p)
}

var _ io.Writer = (*output)(nil)
