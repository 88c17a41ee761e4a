package accounts

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/hardpan/hardpan/internal/maint/getopt"
	"github.com/hardpan/hardpan/internal/maint/shell"
)

// job is one call of a command of the shadow tools.
type job struct {
	*getopt.Call
	*records
	defs   defs
	status int
}

// Exit statuses of the shadow tools (useradd(8), groupadd(8)).
const (
	badUsage     = 2
	badArgument  = 3
	idInUse      = 4
	notThere     = 6
	groupMissing = 6
	primaryGroup = 8
	nameInUse    = 9
	noGroups     = 10
	badName      = 19
)

// tool returns a command that changes the account files, which are written where it
// ends with status 0. usage is the status for a call that is none.
func tool(options string, usage int, run func(j *job, ctx context.Context) error) shell.Command {
	return getopt.Command(options, usage, func(ctx context.Context, c *getopt.Call) (int, error) {
		a, err := load(c.FS)
		if err != nil {
			return c.Fail(err)
		}
		j := &job{Call: c, records: a, defs: readDefs(c.FS)}
		for _, o := range c.Options {
			switch o.Name {
			case "root", "prefix":
				if o.Value != "/" && o.Value != "" {
					return 0, shell.Unsupported("%s: option --%s", c.Args[0], o.Name)
				}
			case "key":
				if !j.defs.set(o.Value) {
					_, err := c.Errorf("-K requires KEY=VALUE")
					return badArgument, err
				}
			}
		}
		if err := run(j, ctx); err != nil {
			if _, ok := errors.AsType[*fs.PathError](err); ok {
				return c.Fail(err)
			}
			return 0, err
		}
		if j.status == 0 {
			err = j.write()
		}
		return j.status, err
	})
}

// refuse ends the work with a status and a message.
func (j *job) refuse(status int, format string, args ...any) error {
	j.status = status
	_, err := j.Errorf(format, args...)
	return err
}

// warn prints a line on the standard error as it is.
func (j *job) warn(format string, args ...any) { fmt.Fprintf(j.Stderr, format+"\n", args...) }

// say prints a line on the standard output.
func (j *job) say(format string, args ...any) error {
	_, err := fmt.Fprintf(j.Stdout, format+"\n", args...)
	return err
}

// one returns the only operand; ok is false, after a message, where there is another
// number of them.
func (j *job) one() (name string, ok bool) {
	if len(j.Operands) == 1 {
		return j.Operands[0], true
	}
	j.status = badUsage
	fmt.Fprintf(j.Stderr, "Usage: %s [options] NAME\n", j.Args[0])
	return "", false
}

// call runs another command of this package with the streams of this one.
func (j *job) call(ctx context.Context, args ...string) (int, error) {
	p := *j.Proc
	p.Args = args
	return commands[args[0]](ctx, &p)
}
