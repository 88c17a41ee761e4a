package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// Init is the first thing in the main function of a program that uses this package,
// and in TestMain of its tests: in a process that is the inside of a sandbox it does
// that work and ends the process; in any other it returns at once.
func Init() {
	if len(os.Args) != 1 || os.Args[0] != childName {
		return
	}
	os.Exit(inside())
}

// An inner is a child's own view of its work.
type inner struct {
	req     *request
	control *os.File
	dec     *json.Decoder
	in, out *os.File
	stop    chan struct{} // closed at orderStop
	space   int           // the directory of the snapshots
	held    []*os.File    // snapshots that must not be removed meanwhile
	notes   []string      // for [Facts.Notes]
}

// inside is the main function of a child. Its exit status means nothing: the reply does.
func inside() int {
	// A command must not be able to end the first process of its namespace with a
	// signal. They are caught, not ignored: that the command would inherit.
	signal.Notify(make(chan os.Signal, 1))
	if err := unix.CloseRange(3, ^uint(0)>>1, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		closeOnExec()
	}
	runtime.LockOSThread()
	in := &inner{
		control: os.NewFile(fdControl, "control"),
		in:      os.NewFile(fdIn, "in"),
		out:     os.NewFile(fdOut, "out"),
		stop:    make(chan struct{}),
	}
	in.dec = json.NewDecoder(in.control)
	r, err := in.serve()
	if err != nil {
		r = &reply{Err: newReplyError(err)}
	}
	in.out.Close()
	if err := json.NewEncoder(in.control).Encode(r); err != nil {
		return 1
	}
	return 0
}

func closeOnExec() {
	for fd := 3; fd < 1024; fd++ {
		unix.CloseOnExec(fd)
	}
}

func newReplyError(err error) *replyError {
	e := &replyError{
		Text:        err.Error(),
		NoSnapshot:  errors.Is(err, ErrNoSnapshot),
		NotExist:    errors.Is(err, fs.ErrNotExist),
		Unsupported: errors.Is(err, ErrUnsupported),
		NoOverlay:   errors.Is(err, errNoOverlay),
	}
	if h, ok := errors.AsType[interface {
		error
		Hint() string
	}](err); ok {
		e.Help = h.Hint()
	}
	return e
}

// serve does what is asked for, from the outermost step in.
func (in *inner) serve() (*reply, error) {
	if err := in.dec.Decode(&in.req); err != nil {
		return nil, fmt.Errorf("cannot read the request: %w", err)
	}
	// As long as we are who we were outside, we see what only that user sees.
	sources, err := in.openSources()
	if err != nil {
		return nil, err
	}
	var o order
	if err := in.dec.Decode(&o); err != nil {
		return nil, fmt.Errorf("cannot read the order: %w", err)
	}
	preferVictim()
	if err := in.becomeRoot(); err != nil {
		return nil, err
	}
	go in.obey()
	if err := sources.attach(); err != nil {
		return nil, err
	}
	if in.space, err = unix.Open("space", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err != nil {
		return nil, fmt.Errorf("cannot open the snapshots: %w", err)
	}
	if in.req.Verb == verbTry {
		return &reply{}, in.try()
	}
	if in.req.Verb == verbRun {
		return in.run(sources)
	}
	if err := enterRoot("."); err != nil {
		return nil, err
	}
	return in.help()
}

// help does the verbs that run nothing. Nothing but the snapshots is in sight.
func (in *inner) help() (*reply, error) {
	if in.req.Copy && (in.req.Verb == verbChanges || in.req.Verb == verbExport) {
		defer removeTree(in.space, in.req.Temp) // a copy made for the occasion
	}
	switch in.req.Verb {
	case verbSweep:
		return &reply{}, in.sweep()
	case verbRemove:
		return &reply{}, in.remove()
	case verbRemoveAll:
		return &reply{}, in.removeAll()
	case verbUnpack:
		return in.unpack()
	case verbAdd:
		return in.add()
	case verbChanges:
		return &reply{}, in.changes()
	case verbExport:
		return &reply{}, in.export()
	}
	return nil, fmt.Errorf("unknown verb %q", in.req.Verb)
}

// becomeRoot takes on id 0 of the namespace.
func (in *inner) becomeRoot() error {
	syscall.Umask(0o022)
	if in.req.IDs != idsOne { // there setgroups(2) is denied, and other groups are nobody's inside
		if err := syscall.Setgroups(nil); err != nil {
			return fmt.Errorf("cannot leave the caller's groups: %w", err)
		}
	}
	if err := syscall.Setresgid(0, 0, 0); err != nil {
		return fmt.Errorf("cannot become group 0 of the namespace: %w", err)
	}
	if err := syscall.Setresuid(0, 0, 0); err != nil {
		return fmt.Errorf("cannot become user 0 of the namespace: %w", err)
	}
	// The change of ids has undone both.
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return fmt.Errorf("cannot ask to die with the parent: %w", err)
	}
	return unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
}

// obey waits for orders. The end of the socket is the end of the parent: ours too,
// and with us of everything in the namespace.
func (in *inner) obey() {
	for {
		var o order
		if err := in.dec.Decode(&o); err != nil {
			os.Exit(1)
		}
		if o == orderStop {
			close(in.stop)
			io.Copy(io.Discard, in.control)
			os.Exit(1)
		}
	}
}
