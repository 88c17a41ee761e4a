package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A command is the process of a step, and all that it starts.
type command struct {
	in       *inner
	st       *Step
	pid      int
	held     confinement
	emulator int                    // the open file of what runs foreign programs, or -1
	exceeded atomic.Pointer[string] // the limit that it was stopped at
}

// run runs the command within its limits, which the watch holds.
func (c *command) run(w *watch) (*Result, error) {
	program, err := c.lookup()
	if err != nil {
		return nil, err
	}
	if err := c.bound(); err != nil {
		return nil, err
	}
	reserveThreads()
	start := time.Now()
	if err := c.start(program); err != nil {
		return nil, err
	}
	ended := make(chan struct{})
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		w.run(ended, c.exceed)
	}()
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
	close(ended)
	<-watched
	r.PeakMemory = w.peak
	var usage unix.Rusage
	if unix.Getrusage(unix.RUSAGE_CHILDREN, &usage) == nil {
		r.PeakMemory = max(r.PeakMemory, usage.Maxrss*1024)
	}
	if e := c.exceeded.Load(); e != nil {
		r.Exceeded = *e
	}
	return r, nil
}

// kill kills every process but this one.
func (c *command) kill() { unix.Kill(-1, unix.SIGKILL) }

// exceed ends the command because it went over a limit.
func (c *command) exceed(limit string) {
	c.exceeded.CompareAndSwap(nil, &limit)
	c.kill()
}

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

// spareThreads is how many threads this process, which counts among those of the
// sandbox, may still need when the command has used up its own.
const spareThreads = 32

// reserveThreads makes threads for the rest of this process before the command can
// take the last that the limit allows: Go's runtime ends the process when it gets
// none, and keeps those that it has once needed.
func reserveThreads() {
	var ready sync.WaitGroup
	release := make(chan struct{})
	for range spareThreads / 2 {
		ready.Add(1)
		go func() {
			runtime.LockOSThread() // so that each needs its own
			defer runtime.UnlockOSThread()
			ready.Done()
			<-release
		}()
	}
	ready.Wait()
	close(release)
}

// bound sets what the kernel holds of the limits. This process gets them too: what
// is set for the command alone comes a moment after it has begun.
func (c *command) bound() error {
	n := uint64(c.st.Limits.Processes + spareThreads)
	if err := unix.Setrlimit(unix.RLIMIT_NPROC, &unix.Rlimit{Cur: n, Max: n}); err != nil && !errors.Is(err, unix.EPERM) {
		return fmt.Errorf("cannot limit processes: %w", err) // EPERM: the host's limit is lower
	}
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("cannot forbid core files: %w", err)
	}
	return nil
}

// start executes the command from a thread that is confined, and ends after it.
func (c *command) start(program string) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		err := c.confine()
		if err == nil {
			if err = c.exec(program); err != nil {
				err = fmt.Errorf("cannot execute %s: %w", program, err)
			}
		}
		done <- err
	}()
	return <-done
}

func (c *command) exec(program string) (err error) {
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
