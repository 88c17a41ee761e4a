package files

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"syscall"

	"github.com/hardpan/hardpan/internal/maint/getopt"
	"github.com/hardpan/hardpan/internal/maint/rootfs"
	"github.com/hardpan/hardpan/internal/maint/shell"
	"github.com/hardpan/hardpan/internal/tree"
)

// job is one call of a command that goes on after a file that fails, and remembers
// it in its status.
type job struct {
	*getopt.Call
	status int
	aside  string // the backup that was made last
}

// program returns a command with a table of options (see [getopt.Parse]). The error
// of run, a method of the job, ends all scripts.
func program(options string, run func(j *job, ctx context.Context) error) shell.Command {
	return getopt.Command(options, 1, func(ctx context.Context, c *getopt.Call) (int, error) {
		j := &job{Call: c}
		err := run(j, ctx)
		return j.status, err
	})
}

// newJob returns the job of a command that reads its arguments itself.
func newJob(p *shell.Proc) *job { return &job{Call: &getopt.Call{Proc: p}} }

// usage is a call that the true program refuses.
func (j *job) usage(format string, args ...any) error {
	j.status = 1
	_, err := j.Errorf(format, args...)
	return err
}

// invalid is usage for a call that is no valid one, with the programs' advice.
func (j *job) invalid(format string, args ...any) error {
	err := j.usage(format, args...)
	fmt.Fprintf(j.Stderr, "Try '%s --help' for more information.\n", j.Args[0])
	return err
}

// missing is a call without the operands that the program needs.
func (j *job) missing() error {
	file := ""
	if slices.Contains([]string{"cp", "mv", "ln", "install", "touch"}, j.Args[0]) {
		file = "file "
	}
	if len(j.Operands) == 0 {
		return j.invalid("missing %soperand", file)
	}
	return j.invalid("missing %soperand after '%s'", file, j.Operands[len(j.Operands)-1])
}

// fail reports what could not be done, "cannot remove 'x'", and why, as strerror(3)
// has it. It returns err only where that is no failure of a system call, but one
// that ends all scripts.
func (j *job) fail(err error, format string, args ...any) error {
	why := reason(err)
	if why == "" {
		return err
	}
	return j.usage("%s: %s", fmt.Sprintf(format, args...), why)
}

// reason is the text of a failure of a system call, "" for any other error.
func reason(err error) string {
	var no syscall.Errno
	if _, ok := errors.AsType[*fs.PathError](err); !ok || !errors.As(err, &no) {
		return ""
	}
	return shell.Strerror(no)
}

// say prints a line on the standard output.
func (j *job) say(format string, args ...any) error {
	_, err := fmt.Fprintf(j.Stdout, format+"\n", args...)
	return err
}

// tell is say where -v was given.
func (j *job) tell(format string, args ...any) error {
	if !j.Has("verbose") {
		return nil
	}
	return j.say(format, args...)
}

// lstat and stat return the node at an operand.
func (j *job) lstat(name string) (*tree.Node, error) { return j.FS.Lstat(j.Path(name)) }
func (j *job) stat(name string) (*tree.Node, error)  { return j.FS.Stat(j.Path(name)) }

func (j *job) isDir(name string) bool { return j.FS.IsDir(j.Path(name)) }

// origin makes sources the inputs of what is made from now on.
func (j *job) origin(sources ...string) {
	if j.FS.Origin == nil {
		return
	}
	o := *j.FS.Origin
	o.Inputs = nil
	for _, s := range sources {
		if at, err := j.FS.RealPath(j.Path(s)); err == nil {
			o.Inputs = append(o.Inputs, at)
		}
	}
	j.FS.Origin = &o
}

// ask asks whether to go on, as the interactive options do; the standard input of a
// script holds no answer, and that is no.
func (j *job) ask(format string, args ...any) bool {
	fmt.Fprintf(j.Stderr, "%s: %s ", j.Args[0], fmt.Sprintf(format, args...))
	var answer []byte
	for b := make([]byte, 1); ; {
		if n, err := j.Stdin.Read(b); n == 0 || err != nil || b[0] == '\n' {
			break
		}
		answer = append(answer, b[0])
	}
	return len(answer) > 0 && (answer[0] == 'y' || answer[0] == 'Y')
}

// join returns the path of a name in a directory, as GNU's file_name_concat does.
func join(dir, name string) string {
	name = strings.TrimLeft(name, "/")
	if dir == "" || strings.HasSuffix(dir, "/") {
		return dir + name
	}
	return dir + "/" + name
}

// base returns the last element of a path, without slashes after it; "/" for the
// root.
func base(name string) string {
	trimmed := strings.TrimRight(name, "/")
	if trimmed == "" {
		return "/"
	}
	return trimmed[strings.LastIndexByte(trimmed, '/')+1:]
}

// stripped returns a path without slashes after it.
func stripped(name string) string {
	if trimmed := strings.TrimRight(name, "/"); trimmed != "" {
		return trimmed
	}
	return name
}

// missingFile reports whether err says that there is nothing.
func missingFile(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// following says which links a walk goes through.
type following int

const (
	noLinks    following = iota // -P
	firstLinks                  // -H: one that is an operand
	allLinks                    // -L
)

// walker goes through a tree of files.
type walker struct {
	*job
	follow following
	visit  func(name string, n *tree.Node) (into bool, err error)
	above  []*tree.Node // the directories that it is in, to which links may lead back
}

// walk calls visit for name and all that is below it, parents first. visit says
// whether to go into a directory.
func (j *job) walk(ctx context.Context, name string, follow following, visit func(name string, n *tree.Node) (into bool, err error)) error {
	w := &walker{job: j, follow: follow, visit: visit}
	return w.at(ctx, name)
}

func (w *walker) at(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	n, err := w.lstat(name)
	if err == nil && n.Type == tree.Symlink && (w.follow == allLinks || w.follow == firstLinks && len(w.above) == 0) {
		n, err = w.stat(name)
	}
	if err != nil {
		return err
	}
	if slices.Contains(w.above, n) {
		w.status = 1
		fmt.Fprintf(w.Stderr, "%s: WARNING: Circular directory structure at '%s'\n", w.Args[0], name)
		return nil
	}
	into, err := w.visit(name, n)
	if err != nil || !into || n.Type != tree.Dir {
		return err
	}
	names, err := w.FS.ReadDir(w.Path(name))
	if err != nil {
		return err
	}
	w.above = append(w.above, n)
	defer func() { w.above = w.above[:len(w.above)-1] }()
	for _, child := range names {
		err := w.at(ctx, join(name, child))
		if missingFile(err) && w.follow == allLinks {
			err = w.usage("cannot operate on dangling symlink '%s'", join(name, child))
		}
		if err != nil && !missingFile(err) {
			return err
		}
	}
	return nil
}

// owned is the id that Chown keeps.
const owned = rootfs.Owner
