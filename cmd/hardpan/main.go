// Command hardpan builds hardened container base images out of Debian packages,
// without a daemon, without root, and without running anything of the image.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/hardpan/hardpan/builder"
	"github.com/hardpan/hardpan/internal/sandbox"
	"github.com/hardpan/hardpan/specs"
)

// The exit codes (DESIGN.md, The verbs).
const (
	exitFailed = 1 // the work failed
	exitUsage  = 2 // the call or the spec is wrong
	exitGate   = 3 // a policy gate said no
)

func main() {
	sandbox.Init() // where this process is the inside of a sandbox, it goes no further
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the whole program as a function of its arguments.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	a := newApp(stdout, stderr)
	root := newRoot(a)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	if ctx.Err() != nil {
		// Where the work was at that moment is chance and of no use to anybody.
		report(stderr, errInterrupted)
		return exitFailed
	}
	if !a.working {
		err = usageError{err: err}
	}
	report(stderr, err)
	return exitCode(err)
}

// errInterrupted is what a call ends with that a signal ended.
var errInterrupted = errors.New("interrupted")

// usageError is an error in the way the program was called.
type usageError struct {
	err  error
	hint string
}

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

// Hint says what to do; without one of its own, that of the cause.
func (e usageError) Hint() string {
	if h, ok := errors.AsType[hinter](e.err); ok && e.hint == "" {
		return h.Hint()
	}
	return e.hint
}

func usagef(format string, args ...any) error { return usageError{err: fmt.Errorf(format, args...)} }

// gateError is the no of a policy gate.
type gateError struct{ error }

func (e gateError) Unwrap() error { return e.error }

func exitCode(err error) int {
	if _, ok := errors.AsType[gateError](err); ok || errors.Is(err, builder.ErrGate) {
		return exitGate
	}
	if _, ok := errors.AsType[usageError](err); ok {
		return exitUsage
	}
	if _, ok := errors.AsType[*specs.Error](err); ok {
		return exitUsage
	}
	if errors.Is(err, builder.ErrSpec) {
		return exitUsage
	}
	return exitFailed
}

// hinter is an error that knows what to do next.
type hinter interface {
	error
	Hint() string
}

// report prints each error on one line, and its hint below.
func report(w io.Writer, err error) {
	for _, e := range split(err) {
		fmt.Fprintf(w, "hardpan: %s\n", oneLine(e.Error()))
		if h, ok := errors.AsType[hinter](e); ok && h.Hint() != "" {
			fmt.Fprintf(w, "hint: %s\n", oneLine(h.Hint()))
		}
	}
}

// split takes apart a list of errors, which a spec with several mistakes gives.
func split(err error) []error {
	var list []error
	if e, ok := errors.AsType[specs.Errors](err); ok {
		list = e.Unwrap()
	} else if e, ok := errors.AsType[builder.Errors](err); ok {
		list = e
	}
	if len(list) == 0 {
		return []error{err}
	}
	return list
}

// oneLine keeps what a package or a server said from breaking the line or
// reaching the terminal as control characters.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case r < ' ' || r >= 0x7f && r < 0xa0: // C0 and C1
			return -1
		}
		return r
	}, strings.TrimSpace(s))
}
