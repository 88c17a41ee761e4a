package sandbox

import (
	"errors"
	"fmt"

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
	c := &command{in: in, st: st, emulator: -1}
	if e := in.req.Emulator; e != nil {
		if c.held.emulator, c.emulator, err = e.emulate(); err != nil {
			return nil, in.giveUp(err)
		}
	}
	if err := in.enter(st); err != nil {
		return nil, in.giveUp(err)
	}
	w, err := newWatch(r, files)
	if err != nil {
		return nil, in.giveUp(err)
	}
	result, err := c.run(w)
	if err != nil {
		return nil, in.giveUp(err)
	}
	result.Facts = in.facts(r, c)
	if r.copied != nil {
		if err := r.unmountAll(); err != nil {
			return nil, in.giveUp(err)
		}
	}
	rep := &reply{Result: result}
	if in.req.Meta.Key == "" || result.ExitCode != 0 || result.Exceeded != "" || st.ReadOnly {
		return rep, removeTree(in.space, in.req.Temp)
	}
	var since unix.Timespec
	if r.copied != nil {
		since = r.copied.since
		if err := r.copied.finish(in, temp, st.Clock); err != nil {
			return nil, in.giveUp(fmt.Errorf("cannot find out what it changed: %w", err))
		}
	}
	taken, err := tidy(files, st.Clock, since)
	if err != nil {
		return nil, in.giveUp(fmt.Errorf("cannot go over what it changed: %w", err))
	}
	if taken > st.Limits.Disk {
		result.Exceeded = "disk"
		return rep, removeTree(in.space, in.req.Temp)
	}
	rep.Made, err = in.commit(temp)
	return rep, err
}

// enter makes the root that is put together the only one.
func (in *inner) enter(st *Step) error {
	if err := unix.Sethostname([]byte(st.Hostname)); errors.Is(err, unix.EPERM) {
		// The filter of system calls of the container that we are in does not tell its
		// own namespaces from ours.
		in.notes = append(in.notes, "the host name is that of the container around, whose seccomp profile forbids sethostname(2)")
	} else if err != nil {
		return fmt.Errorf("cannot set the host name: %w", err)
	}
	if st.Network == NetworkNone {
		if err := loopback(); err != nil {
			return err
		}
	}
	return enterRoot("root")
}

func (in *inner) facts(r *root, c *command) Facts {
	f := Facts{
		IDs: in.req.IDs, IDCount: in.req.Count, Root: "overlay", Proc: "outer", Network: in.req.Step.Network,
		Seccomp: c.held.seccomp, Landlock: c.held.landlock, Emulator: c.held.emulator,
		Limits: []string{"rlimit", "watch"}, Notes: in.notes,
	}
	if r.own {
		f.Proc = "own"
	}
	if in.req.Copy {
		f.Root = "copy"
	}
	if f.Network == NetworkHost && !c.held.scoped {
		f.Notes = append(f.Notes, "abstract sockets of the host are in reach: its kernel has no landlock of version 6")
	}
	return f
}
