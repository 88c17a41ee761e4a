package shell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"syscall"

	"github.com/hardpan/hardpan/internal/maint/rootfs"
)

// Command is a program that scripts may call: a Go function with the surface of a
// process. It returns the exit status; an error instead ends all scripts, as
// [*UnsupportedError] does.
type Command func(ctx context.Context, p *Proc) (status int, err error)

// Proc is one call of a [Command].
type Proc struct {
	Args   []string // Args[0] is the name that it was called by
	Dir    string   // the working directory, absolute
	Umask  uint32
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	FS     *rootfs.FS

	caller *run
}

// UnsupportedError says that a script needs what is not provided here.
type UnsupportedError struct{ Need string }

func (e *UnsupportedError) Error() string { return e.Need + " is not supported" }

// Unsupported returns the error for a command that cannot do what it was asked
// for: "sed: command F".
func Unsupported(format string, args ...any) error {
	return &UnsupportedError{fmt.Sprintf(format, args...)}
}

// Path returns the absolute path of name, which may be relative to the working
// directory. Links and ".." are left for [rootfs.FS] to follow.
func (p *Proc) Path(name string) string {
	if name == "" || strings.HasPrefix(name, "/") {
		return name
	}
	return strings.TrimSuffix(p.Dir, "/") + "/" + name
}

// Getenv returns a variable of the environment, "" where it is not set.
func (p *Proc) Getenv(name string) string { return p.caller.get(name) }

// Environ returns the environment as "NAME=value", sorted.
func (p *Proc) Environ() []string { return p.caller.environ() }

// Setvar sets a variable of the calling shell. No true process can do that; it
// serves commands that stand for shell functions, as those of debconf do.
func (p *Proc) Setvar(name, value string) error { return p.caller.assign(name, value) }

// PrintSecret writes something random to the standard output, which must be a file or
// lost: what reads it could not go on.
func (p *Proc) PrintSecret() error {
	if p.Stdout == io.Discard {
		return nil
	}
	if f, ok := p.Stdout.(*rootfs.File); ok {
		return f.Seal()
	}
	return Unsupported("the output of %s, which is random,", text(p.Args))
}

// Errorf writes a line to the standard error, after the command's name, and returns
// status 1.
func (p *Proc) Errorf(format string, args ...any) (int, error) {
	fmt.Fprintf(p.Stderr, p.Args[0]+": "+format+"\n", args...)
	return 1, nil
}

// Fail is Errorf for the error of a file operation, which it words as strerror(3)
// does.
func (p *Proc) Fail(err error) (int, error) {
	if ends(err) {
		return 1, err
	}
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Errorf("%s: %s", pe.Path, Strerror(pe.Err))
	}
	return p.Errorf("%v", err)
}

// ends reports whether an error is none that a program can meet, but ends the scripts.
func ends(err error) bool {
	_, unsupported := errors.AsType[*UnsupportedError](err)
	_, limit := errors.AsType[*LimitError](err)
	_, written := errors.AsType[*rootfs.LimitError](err)
	return unsupported || limit || written || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// Strerror is the text of an error as strerror(3) has it.
func Strerror(err error) string {
	if no, ok := errors.AsType[syscall.Errno](err); ok {
		text := no.Error()
		return strings.ToUpper(text[:1]) + text[1:]
	}
	return err.Error()
}

// Run calls another command, by its name, with the streams and the directory of p,
// as find -exec, xargs and env do. What p had changed of its own fields counts.
func (p *Proc) Run(ctx context.Context, args ...string) (status int, err error) {
	return p.caller.call(ctx, p, args)
}

// Work counts the rounds of a command's own loops, as sed and awk have them, against
// the limit for all scripts; the error is to be returned.
func (p *Proc) Work(ctx context.Context, rounds int) error {
	return p.caller.shell.budget.work(ctx, rounds*unitsPerRound)
}

// Look returns the path of the command that name calls, "" where there is none:
// which(1).
func (p *Proc) Look(name string) string { return p.caller.look(name) }

// Open opens a file for reading; "-" and /dev/stdin are the standard input.
func (p *Proc) Open(name string) (io.Reader, error) {
	switch name {
	case "-", "/dev/stdin":
		return p.Stdin, nil
	}
	return p.caller.reader(p.Path(name))
}
