package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// run is a child's part of [Space.Run].
func (in *inner) run(src *sources) (*reply, error) {
	st := in.req.Step
	if err := in.hold(in.req.On); err != nil {
		return nil, err
	}
	temp, files, err := in.begin()
	if err != nil {
		return nil, err
	}
	if err := in.openCaches(src); err != nil {
		return nil, in.giveUp(err)
	}
	r, err := in.makeRoot(src, temp, files)
	if err != nil {
		return nil, in.giveUp(err)
	}
	if err := in.enter(st); err != nil {
		return nil, in.giveUp(err)
	}
	c := &command{in: in, st: st}
	result, err := c.run()
	if err != nil {
		return nil, in.giveUp(err)
	}
	result.Facts = in.facts(r)
	rep := &reply{Result: result}
	if in.req.Meta.Key == "" || result.ExitCode != 0 || result.Exceeded != "" || st.ReadOnly {
		return rep, removeTree(in.space, in.req.Temp)
	}
	if !st.Clock.IsZero() {
		if err := clamp(files, st.Clock, 0); err != nil {
			return nil, in.giveUp(fmt.Errorf("cannot set the times of what it changed: %w", err))
		}
	}
	rep.Made, err = in.commit(temp)
	return rep, err
}

// enter makes the root that is put together the only one.
func (in *inner) enter(st *Step) error {
	if err := unix.Sethostname([]byte(st.Hostname)); err != nil {
		return fmt.Errorf("cannot set the host name: %w", err)
	}
	if st.Network == NetworkNone {
		if err := loopback(); err != nil {
			return err
		}
	}
	return enterRoot("root")
}

// A command is the process of a step, and all that it starts.
type command struct {
	in       *inner
	st       *Step
	pid      int
	exceeded atomic.Pointer[string]
}

func (c *command) run() (*Result, error) {
	program, err := c.lookup()
	if err != nil {
		return nil, err
	}
	if err := c.confine(); err != nil {
		return nil, err
	}
	start := time.Now()
	if err := c.start(program); err != nil {
		return nil, fmt.Errorf("cannot execute %s: %w", program, err)
	}
	for _, fd := range []int{fdStdin, fdStdout, fdStderr} {
		unix.Close(fd)
	}
	go func() {
		<-c.in.stop
		c.kill()
	}()
	status := c.wait()
	r := &Result{ExitCode: status.ExitStatus(), Elapsed: time.Since(start)}
	if status.Signaled() {
		r.ExitCode, r.Signal = 128+int(status.Signal()), unix.SignalName(status.Signal())
	}
	// What it left running ends with it.
	c.kill()
	c.reap()
	var usage unix.Rusage
	if unix.Getrusage(unix.RUSAGE_CHILDREN, &usage) == nil {
		r.PeakMemory = usage.Maxrss * 1024
	}
	if e := c.exceeded.Load(); e != nil {
		r.Exceeded = *e
	}
	return r, nil
}

// kill kills every process but this one.
func (c *command) kill() { unix.Kill(-1, unix.SIGKILL) }

// wait reaps processes until the command itself has ended.
func (c *command) wait() syscall.WaitStatus {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		if err == nil && pid == c.pid {
			return status
		}
	}
}

func (c *command) reap() {
	for {
		if _, err := syscall.Wait4(-1, nil, 0, nil); errors.Is(err, syscall.ECHILD) {
			return
		}
	}
}

func (c *command) start(program string) (err error) {
	c.pid, err = syscall.ForkExec(program, c.st.Args, &syscall.ProcAttr{
		Dir:   c.st.Dir,
		Env:   c.st.Env,
		Files: []uintptr{fdStdin, fdStdout, fdStderr},
		Sys: &syscall.SysProcAttr{
			Setsid: true,
			Credential: &syscall.Credential{
				Uid: c.st.UID, Gid: c.st.GID, Groups: c.st.Groups,
				NoSetGroups: c.in.req.IDs == idsOne,
			},
		},
	})
	return err
}

// lookup finds the program as execvp(3) does.
func (c *command) lookup() (string, error) {
	name := c.st.Args[0]
	if strings.Contains(name, "/") {
		return name, nil
	}
	list := "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	for _, e := range c.st.Env {
		if v, ok := strings.CutPrefix(e, "PATH="); ok {
			list = v
		}
	}
	for dir := range strings.SplitSeq(list, ":") {
		if dir == "" {
			dir = "."
		}
		file := path.Join("/", c.st.Dir, dir, name)
		if path.IsAbs(dir) {
			file = path.Join(dir, name)
		}
		if st, err := os.Stat(file); err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0 {
			return file, nil
		}
	}
	return "", &Error{Doing: "cannot find " + name, Err: fmt.Errorf("%w in the PATH %s of the step", fs.ErrNotExist, list)}
}

// confine takes from this thread, and so from the command that it starts, what no
// build needs.
func (c *command) confine() error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("cannot give up new privileges: %w", err)
	}
	return nil
}

func (in *inner) facts(r *root) Facts {
	f := Facts{IDs: in.req.IDs, IDCount: in.req.Count, Root: "overlay", Proc: "outer", Network: in.req.Step.Network}
	if r.own {
		f.Proc = "own"
	}
	return f
}

// clamp gives what is newer than latest that time, depth first: what is done in a
// directory changes its time.
func clamp(dir int, latest time.Time, depth int) error {
	if depth > maxDepth {
		return unix.ENAMETOOLONG
	}
	names, err := entries(dir)
	if err != nil {
		return err
	}
	for _, e := range names {
		var st unix.Stat_t
		if err := unix.Fstatat(dir, e, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return err
		}
		if st.Mode&unix.S_IFMT == unix.S_IFDIR {
			fd, err := unix.Openat(dir, e, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
			if err != nil {
				return err
			}
			err = clamp(fd, latest, depth+1)
			unix.Close(fd)
			if err != nil {
				return err
			}
			continue
		}
		if time.Unix(st.Mtim.Unix()).After(latest) && !isWhiteout(dir, e, &st) {
			if err := setTimeAt(dir, e, latest); err != nil {
				return err
			}
		}
	}
	var st unix.Stat_t
	if err := unix.Fstat(dir, &st); err != nil || !time.Unix(st.Mtim.Unix()).After(latest) {
		return err
	}
	return setTimeFD(dir, latest)
}
