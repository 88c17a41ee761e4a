package shell

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"

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
	// Phantom says that a path counts as being there though it is not: the program
	// of a package that was left out, which Commands stands for. Where it is nil all
	// Commands are there.
	Phantom func(path string) bool
	// Sourced holds the text of files that are not read from the image when a
	// script sources them, by path.
	Sourced map[string]string

	budget   budget
	patterns map[string]*pattern
	opened   map[*opened]bool // files of redirections

	unwritten error // why the content of a file could not be kept
}

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
// script needs what is not provided, and a [*LimitError] or a [*rootfs.LimitError]
// where it needs too much.
func (s *Shell) Run(ctx context.Context, script Script) (printed []byte, err error) {
	s.budget.begin(s.Limits)
	out := &output{budget: &s.budget}
	r := &run{
		shell: s, ctx: ctx, name: script.Name, params: slices.Clone(script.Args),
		vars: newVars(nil), traps: map[string]string{}, dir: "/", umask: 0o022,
	}
	defer func() {
		if fault := recover(); fault != nil {
			err = &Error{Script: script.Name, Line: r.line, Err: fmt.Errorf("a fault of hardpan: %v\n%s", fault, debug.Stack())}
		}
		printed = out.bytes()
		err = errors.Join(err, s.closeAll())
	}()
	r.setFD(0, stream{r: bytes.NewReader(nil)})
	r.setFD(1, stream{w: out})
	r.setFD(2, stream{w: out})
	for _, kv := range script.Env {
		name, value, _ := strings.Cut(kv, "=")
		if err := r.assign(name, value); err != nil {
			return nil, err
		}
		r.vars.get(name).exported = true
	}
	if err := r.startIFS(); err != nil {
		return nil, err
	}
	r.startDir()
	err = r.script(script.Text)
	return nil, r.located(err)
}

// closeAll closes what scripts left open, so that it is in the tree.
func (s *Shell) closeAll() error {
	errs := []error{s.unwritten}
	for o := range s.opened {
		errs = append(errs, o.file.Close())
	}
	s.opened, s.unwritten = nil, nil
	return errors.Join(errs...)
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
