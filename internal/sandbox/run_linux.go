package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"sync"
	"syscall"
	"time"

	"encoding/json"

	"golang.org/x/sys/unix"
)

// stopGrace is how long a sandbox that is over its time may take to end by itself.
const stopGrace = 2 * time.Second

// Run runs a command. That the command fails is no error: the result says how it
// ended. What it changed is kept under Keep only if it ended with status 0 within
// its limits. When ctx ends, everything in the sandbox is killed, and the error is
// that of ctx.
func (s *Space) Run(ctx context.Context, st Step) (*Result, error) {
	if err := s.check(&st); err != nil {
		return nil, err
	}
	if err := s.need(st.On); err != nil {
		return nil, fmt.Errorf("cannot run %s: %w", st.Args[0], err)
	}
	if st.Keep != "" && !s.Has(st.Keep) {
		if err := s.vacate(ctx, st.Keep); err != nil {
			return nil, err
		}
	}
	c, err := s.claim()
	if err != nil {
		return nil, err
	}
	defer s.clear(c)
	r, err := s.runClaimed(ctx, c, &st)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, fmt.Errorf("cannot run %s: %w", st.Args[0], err)
	}
	if s.ids.note != "" {
		r.Facts.Notes = append(r.Facts.Notes, s.ids.note)
	}
	if r.ExitCode != 0 && s.ids.kind == idsOne && r.Exceeded == "" {
		r.Help = "inside there is one id only, so that changing owners and users fails: " + s.ids.help
	}
	return r, nil
}

// check refuses what cannot be, and puts defaults in.
func (s *Space) check(st *Step) error {
	if len(st.Args) == 0 || st.Args[0] == "" {
		return errors.New("cannot run a step: it has no command")
	}
	for _, id := range append([]uint32{st.UID, st.GID}, st.Groups...) {
		if int64(id) >= s.ids.count() {
			return &Error{
				Doing: "cannot run " + st.Args[0],
				Err:   fmt.Errorf("%w: it is to run with id %d, and a sandbox of this host has %d of them", ErrUnsupported, id, s.ids.count()),
				Help:  s.ids.help,
			}
		}
	}
	switch st.Network {
	case "":
		st.Network = NetworkNone
	case NetworkNone, NetworkHost:
	default:
		return fmt.Errorf("cannot run %s: network %q is neither none nor host", st.Args[0], st.Network)
	}
	if st.Hostname == "" {
		st.Hostname = defaultHostname
	}
	st.Dir = path.Clean("/" + st.Dir)
	st.Limits = st.Limits.withDefaults()
	st.Mounts = append(slices.Clip(st.Mounts), hostFiles(st)...)
	return nil
}

// nameFiles are what a C library resolves names by (resolv.conf(5), hosts(5)).
var nameFiles = []string{"/etc/resolv.conf", "/etc/hosts"}

// hostFiles are the host's files without which its network is of little use.
func hostFiles(st *Step) []Mount {
	if st.Network != NetworkHost {
		return nil
	}
	var list []Mount
	for _, name := range nameFiles {
		if b, err := os.ReadFile(name); err == nil && !st.mountsAt(name) {
			list = append(list, Mount{Bytes: b, Mode: 0o444, Target: name})
		}
	}
	return list
}

// mountsAt reports whether one of the step's own mounts is at a path.
func (st *Step) mountsAt(name string) bool {
	return slices.ContainsFunc(st.Mounts, func(m Mount) bool { return path.Clean("/"+m.Target) == name })
}

func (l Limits) withDefaults() Limits {
	if l.Time <= 0 {
		l.Time = defaultTime
	}
	if l.Memory <= 0 {
		var info unix.Sysinfo_t
		l.Memory = 1 << 40
		if unix.Sysinfo(&info) == nil {
			l.Memory = int64(info.Totalram) * int64(info.Unit) / 4 * 3
		}
	}
	if l.Processes <= 0 {
		l.Processes = defaultProcesses
	}
	if l.Disk <= 0 {
		l.Disk = defaultDisk
	}
	return l
}

func (s *Space) runClaimed(ctx context.Context, c *claim, st *Step) (*Result, error) {
	flags := uintptr(syscall.CLONE_NEWPID | syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS | syscall.CLONE_NEWCGROUP)
	if st.Network == NetworkNone {
		flags |= syscall.CLONE_NEWNET
	}
	io, err := newStdio(st)
	if err != nil {
		return nil, err
	}
	defer io.close()
	emulator, err := findEmulator(st.Arch)
	if err != nil {
		return nil, err
	}
	req := &request{Verb: verbRun, Temp: "." + c.id, On: snapNames(st.On), Step: st, Emulator: emulator, Meta: s.newMeta(st.Keep, st.On)}
	ch, err := s.start(req, c, flags, io.theirs)
	if err != nil {
		return nil, err
	}
	defer ch.close()
	io.start()
	defer context.AfterFunc(ctx, func() { ch.kill.Do(func() { ch.cmd.Process.Kill() }) })()
	timedOut := make(chan struct{})
	timer := time.AfterFunc(st.Limits.Time, func() {
		close(timedOut)
		json.NewEncoder(ch.control).Encode(orderStop)
		time.AfterFunc(stopGrace, func() { ch.kill.Do(func() { ch.cmd.Process.Kill() }) })
	})
	r, err := ch.reply()
	if err == nil && r.Made {
		s.unsynced.Store(true)
	}
	timer.Stop()
	writeErr := io.wait()
	select {
	case <-timedOut:
		if err != nil || r.Result == nil {
			r = &reply{Result: &Result{ExitCode: 128 + int(unix.SIGKILL), Signal: "SIGKILL", Elapsed: st.Limits.Time}}
		}
		r.Result.Exceeded = "time"
		return r.Result, nil
	default:
	}
	if err != nil {
		return nil, err
	}
	return r.Result, writeErr
}

// stdio carries a command's input and output over pipes: no file of the caller's,
// and no terminal, gets inside.
type stdio struct {
	step   *Step
	theirs []*os.File
	ours   []*os.File
	out    sync.WaitGroup
	errs   [2]error
}

func newStdio(st *Step) (*stdio, error) {
	s := &stdio{step: st}
	for i := range 3 {
		r, w, err := os.Pipe()
		if err != nil {
			s.close()
			return nil, err
		}
		// Programs open /dev/stdout anew, and inside they are other users than we are.
		w.Chmod(0o666)
		if i == 0 {
			s.theirs, s.ours = append(s.theirs, r), append(s.ours, w)
		} else {
			s.theirs, s.ours = append(s.theirs, w), append(s.ours, r)
		}
	}
	if same(st.Stdout, st.Stderr) {
		// One pipe for both keeps their order, and one goroutine writes.
		s.theirs[2].Close()
		s.theirs[2] = s.theirs[1]
	}
	return s, nil
}

// same reports whether two writers are one. Those that cannot be compared are not.
func same(a, b io.Writer) bool {
	defer func() { _ = recover() }()
	return a != nil && a == b
}

// start begins to copy. The ends that the child has now are closed here.
func (s *stdio) start() {
	for _, f := range s.theirs {
		f.Close()
	}
	in := s.ours[0]
	go func() {
		if s.step.Stdin != nil {
			io.Copy(in, onlyReader{s.step.Stdin})
		}
		in.Close()
	}()
	for i, w := range []io.Writer{s.step.Stdout, s.step.Stderr} {
		if w == nil {
			w = io.Discard
		}
		s.out.Go(func() {
			_, err := io.Copy(w, onlyReader{s.ours[i+1]})
			if err != nil {
				io.Copy(io.Discard, s.ours[i+1]) // so that the command does not wait for us
			}
			s.errs[i] = err
		})
	}
}

// wait waits until all output is copied.
func (s *stdio) wait() error {
	s.out.Wait()
	if err := errors.Join(s.errs[:]...); err != nil {
		return fmt.Errorf("cannot pass its output on: %w", err)
	}
	return nil
}

func (s *stdio) close() {
	for _, f := range append(s.theirs, s.ours...) {
		f.Close()
	}
}
