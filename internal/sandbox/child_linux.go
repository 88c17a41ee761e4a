package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// childName is the name (argv[0]) under which the program finds itself inside.
const childName = "hardpan-sandbox"

// childEnv is the environment of a child: nothing of the caller's.
var childEnv = []string{}

// The descriptors of a child beside the standard ones.
const (
	fdControl = 3 + iota // a socket: a request and orders in, a reply out; its end is ours
	fdLock               // the claim, held by whoever lives longer
	fdIn                 // a stream from the parent
	fdOut                // a stream to the parent
	fdStdin              // the command's three
	fdStdout
	fdStderr
)

// The verbs of a [request].
const (
	verbTry       = "try"
	verbSweep     = "sweep"
	verbRemove    = "remove"
	verbRemoveAll = "remove all"
	verbUnpack    = "unpack"
	verbAdd       = "add"
	verbRun       = "run"
	verbChanges   = "changes"
	verbExport    = "export"
)

// A request is what a child is asked to do.
type request struct {
	Verb     string
	Snaps    string   // the directory of the snapshots, below the space
	Temp     string   // the name of the temporary directory there
	IDs      string   // the kind of the mapping
	Count    int64    // how many ids there are
	Copy     bool     // snapshots are copies
	Meta     meta     // of the snapshot that is made
	Names    []string // of what is removed or listed
	On       []string // names of snapshots, lowest first
	Paths    []string
	Layers   int
	Cache    string // the name of the cache to export
	Step     *Step
	Emulator *emulator // of the step's programs, if they are foreign
}

// An order follows a request.
type order string

const (
	orderGo   order = "go"   // the ids are mapped
	orderStop order = "stop" // end the command: its time is over
)

// A reply is how a child ended.
type reply struct {
	Err    *replyError
	Result *Result
	Made   bool // the snapshot is under its name
}

// A replyError is an error on its way out of a child.
type replyError struct {
	Text, Help             string
	NoSnapshot, NotExist   bool
	Unsupported, NoOverlay bool
}

func (e *replyError) Error() string { return e.Text }
func (e *replyError) Hint() string  { return e.Help }
func (e *replyError) Is(target error) bool {
	return e.NoSnapshot && target == ErrNoSnapshot || e.NotExist && target == os.ErrNotExist || e.Unsupported && target == ErrUnsupported || e.NoOverlay && target == errNoOverlay
}

// A child is this program again, in namespaces of its own.
type child struct {
	cmd     *exec.Cmd
	control *os.File
	in, out *os.File
	stderr  tail
	waited  chan struct{}
	err     error // of Wait
	kill    sync.Once
}

// tail keeps the last bytes of what a child says when it fails in an unforeseen way.
type tail struct {
	mu sync.Mutex
	b  []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	if n := len(t.b) - 4096; n > 0 {
		t.b = bytes.Clone(t.b[n:])
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Join(strings.Fields(string(t.b)), " ")
}

// childCaps are the capabilities that a child needs in its own user namespace.
var childCaps = []uintptr{
	unix.CAP_CHOWN, unix.CAP_DAC_OVERRIDE, unix.CAP_DAC_READ_SEARCH, unix.CAP_FOWNER, unix.CAP_FSETID,
	unix.CAP_KILL, unix.CAP_SETGID, unix.CAP_SETUID, unix.CAP_SETPCAP, unix.CAP_NET_BIND_SERVICE,
	unix.CAP_NET_ADMIN, unix.CAP_SYS_CHROOT, unix.CAP_SYS_PTRACE, unix.CAP_SYS_ADMIN, unix.CAP_SYS_RESOURCE,
	unix.CAP_MKNOD, unix.CAP_SETFCAP,
}

// start starts a child for a request. stdio is the command's, or nil.
func (s *Space) start(req *request, c *claim, flags uintptr, stdio []*os.File) (*child, error) {
	req.Snaps, req.IDs, req.Count = s.snaps(), s.ids.kind, s.ids.count()
	req.Copy = s.copies
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	theirs := os.NewFile(uintptr(pair[1]), "control")
	defer theirs.Close()
	inR, inW, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer inR.Close()
	outR, outW, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer outW.Close()
	widen(inW)
	widen(outW)
	ch := &child{control: os.NewFile(uintptr(pair[0]), "control"), in: inW, out: outR, waited: make(chan struct{})}
	ch.cmd = &exec.Cmd{
		Path:   "/proc/self/exe",
		Args:   []string{childName},
		Env:    childEnv,
		Dir:    s.dir,
		Stdin:  inR, // no /dev/null: that of a container may be anything
		Stdout: &ch.stderr,
		Stderr: &ch.stderr,
		SysProcAttr: &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS | flags,
			AmbientCaps: childCaps,
			Pdeathsig:   syscall.SIGKILL,
			Setsid:      true,
		},
		ExtraFiles: append([]*os.File{theirs, c.lock, inR, outW}, stdio...),
		WaitDelay:  time.Second,
	}
	if err := ch.launch(); err != nil {
		ch.close()
		return nil, startError(err)
	}
	if err := ch.brief(s.ids, req); err != nil {
		ch.stop()
		return nil, err
	}
	return ch, nil
}

// widen gives a pipe more room than it has by default, so that its ends seldom wait
// for each other. The kernel may refuse.
func widen(pipe *os.File) {
	if c, err := pipe.SyscallConn(); err == nil {
		_ = c.Control(func(fd uintptr) { _, _ = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, maxChunk) })
	}
}

// launch starts the process from a thread that lives as long as it: that thread's
// end, too, would be a parent's death to the kernel.
func (c *child) launch() error {
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := c.cmd.Start()
		started <- err
		if err == nil {
			c.err = c.cmd.Wait()
			close(c.waited)
		}
	}()
	return <-started
}

// brief sends the request, maps the ids and lets the child go on.
func (c *child) brief(ids *mapping, req *request) error {
	enc := json.NewEncoder(c.control)
	if err := enc.Encode(req); err != nil {
		return c.failed(err)
	}
	if err := ids.write(c.cmd.Process.Pid); err != nil {
		return fmt.Errorf("%w: %w", errMapping, err)
	}
	if err := enc.Encode(orderGo); err != nil {
		return c.failed(err)
	}
	return nil
}

// stop kills the child, and with it everything in its namespaces, and waits for it.
func (c *child) stop() {
	c.kill.Do(func() { c.cmd.Process.Kill() })
	<-c.waited
	c.close()
}

func (c *child) close() {
	c.control.Close()
	c.in.Close()
	c.out.Close()
}

// reply waits for the child's last word.
func (c *child) reply() (*reply, error) {
	var r reply
	if err := json.NewDecoder(c.control).Decode(&r); err != nil {
		return nil, c.failed(err)
	}
	<-c.waited
	if r.Err != nil {
		return &r, r.Err
	}
	return &r, nil
}

// failed explains an error of talking to a child by how the child ended.
func (c *child) failed(err error) error {
	c.stop()
	if text := c.stderr.String(); text != "" {
		return fmt.Errorf("the process inside the sandbox failed: %s", text)
	}
	if c.err != nil {
		return fmt.Errorf("the process inside the sandbox ended early: %w", c.err)
	}
	return err
}

// startError explains why the kernel made no namespaces.
func startError(err error) error {
	e := &Error{Doing: "cannot make namespaces for a sandbox", Err: fmt.Errorf("%w: %w", ErrUnsupported, err)}
	switch {
	case sysctl("/proc/sys/user/max_user_namespaces") == "0":
		e.Help = "sysctl user.max_user_namespaces=0 forbids user namespaces here; raise it"
	case sysctl("/proc/sys/kernel/unprivileged_userns_clone") == "0":
		e.Help = "sysctl kernel.unprivileged_userns_clone=0 forbids user namespaces here; set it to 1"
	case sysctl("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == "1":
		e.Help = "sysctl kernel.apparmor_restrict_unprivileged_userns=1 restricts user namespaces to programs with an AppArmor profile; set it to 0 or give this program one"
	case errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EINVAL):
		e.Help = "the kernel must have CONFIG_USER_NS, CONFIG_PID_NS and CONFIG_NET_NS"
	case errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES):
		e.Help = "in a container, its seccomp profile must allow clone(2) with CLONE_NEWUSER (such as --security-opt seccomp=unconfined)"
	case errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EUSERS):
		e.Help = "there are too many user namespaces, or they are nested too deep; see sysctl user.max_user_namespaces"
	}
	return e
}

func sysctl(path string) string {
	b, _ := os.ReadFile(path)
	return strings.TrimSpace(string(b))
}

// call has a child do a request that needs no network, processes or devices. feed
// writes what the child reads, drain reads what it writes; either may be nil.
func (s *Space) call(ctx context.Context, req *request, feed func(io.Writer) error, drain func(io.Reader) error) error {
	c, err := s.claim()
	if err != nil {
		return err
	}
	req.Temp = "." + c.id
	err = s.callClaimed(ctx, c, req, feed, drain)
	s.clear(c)
	return err
}

func (s *Space) callClaimed(ctx context.Context, c *claim, req *request, feed func(io.Writer) error, drain func(io.Reader) error) error {
	ch, err := s.start(req, c, syscall.CLONE_NEWPID|syscall.CLONE_NEWNET|syscall.CLONE_NEWIPC, nil)
	if err != nil {
		return err
	}
	defer ch.close()
	defer context.AfterFunc(ctx, func() { ch.kill.Do(func() { ch.cmd.Process.Kill() }) })()
	fed := make(chan error, 1)
	go func() {
		var err error
		if feed != nil {
			err = feed(ch.in)
		}
		ch.in.Close()
		fed <- err
	}()
	var drainErr error
	if drain != nil {
		drainErr = drain(ch.out)
		// Where the child ended the stream early it is about to say why.
		if drainErr != nil && !errors.Is(drainErr, io.ErrUnexpectedEOF) {
			ch.kill.Do(func() { ch.cmd.Process.Kill() })
		}
	}
	r, err := ch.reply()
	if err == nil && r.Made {
		s.unsynced.Store(true)
	}
	ch.in.Close() // a feed that still writes to a child that is gone ends
	feedErr := <-fed
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case drainErr != nil && !errors.Is(drainErr, io.ErrUnexpectedEOF):
		return drainErr
	case err != nil && (feedErr == nil || errors.Is(feedErr, unix.EPIPE) || errors.Is(feedErr, os.ErrClosed)):
		return err
	}
	return feedErr
}

// clear gives a claim back. Where the child could not clean up after itself,
// another one does.
func (s *Space) clear(c *claim) {
	if _, err := os.Lstat(s.dir + "/" + s.snaps() + "/." + c.id); err == nil {
		// What fails here is done by the next Open.
		ch, err := s.start(&request{Verb: verbSweep, Names: []string{"." + c.id}}, c, 0, nil)
		if err != nil {
			c.lock.Close()
			return
		}
		_, err = ch.reply()
		ch.close()
		if err != nil {
			c.lock.Close()
			return
		}
	}
	s.drop(c)
}
