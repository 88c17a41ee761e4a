package shell

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"mvdan.cc/sh/v3/syntax"

	"github.com/hardpan/hardpan/internal/maint/rootfs"
	"github.com/hardpan/hardpan/internal/tree"
)

// stream is what a file descriptor refers to; it is closed where both are nil.
type stream struct {
	r    io.Reader
	w    io.Writer
	file *opened // whose reader or writer it is
}

// opened is a file of a redirection, which is closed with the last descriptor that
// refers to it.
type opened struct {
	file *rootfs.File
	refs int
}

// empty is a reader of nothing, and closed a writer of what cannot be written.
type (
	empty  struct{}
	closed struct{}
)

func (empty) Read([]byte) (int, error) { return 0, io.EOF }

func (closed) Write([]byte) (int, error) { return 0, syscall.EBADF }

// ignoreClosed takes away the error of a closed output.
func ignoreClosed(err error) error {
	if errors.Is(err, syscall.EBADF) {
		return nil
	}
	return err
}

// reader returns a reader of b, which has one place for all who read.
func reader(b []byte) io.Reader { return bytes.NewReader(b) }

func (r *run) fd(n int) stream {
	if n < len(r.fds) {
		return r.fds[n]
	}
	return stream{}
}

// swapFD makes a descriptor refer to s, and returns what it referred to, which is the
// caller's to put back or to release.
func (r *run) swapFD(n int, s stream) stream {
	for n >= len(r.fds) {
		r.fds = append(r.fds, stream{})
	}
	old := r.fds[n]
	r.fds[n] = s
	if s.file != nil {
		s.file.refs++
	}
	return old
}

func (r *run) setFD(n int, s stream) { r.release(r.swapFD(n, s)) }

func (r *run) release(s stream) {
	if s.file == nil {
		return
	}
	if s.file.refs--; s.file.refs == 0 {
		delete(r.shell.opened, s.file)
		if err := s.file.file.Close(); err != nil && r.shell.unwritten == nil {
			r.shell.unwritten = err
		}
	}
}

// replaced is what a descriptor referred to before a redirection.
type replaced struct {
	fd  int
	old stream
}

// undo ends redirections.
func (r *run) undo(list []replaced) error {
	for _, was := range slices.Backward(list) {
		r.release(r.fds[was.fd])
		r.fds[was.fd] = was.old
	}
	return r.shell.unwritten
}

// letStay makes redirections those of the shell from now on, as exec does.
func (r *run) letStay(list []replaced) []replaced {
	for _, was := range list {
		r.release(was.old)
	}
	return nil
}

// device returns the stream that a path of /dev stands for.
func (r *run) device(name string) (s stream, ok bool, err error) {
	rest, ok := strings.CutPrefix(path.Clean(name), "/dev/")
	if !ok {
		return stream{}, false, nil
	}
	switch rest {
	case "null", "tty", "console":
		return stream{r: empty{}, w: io.Discard}, true, nil
	case "stdin":
		rest = "fd/0"
	case "stdout":
		rest = "fd/1"
	case "stderr":
		rest = "fd/2"
	}
	if n, ok := strings.CutPrefix(rest, "fd/"); ok {
		fd, err := strconv.Atoi(n)
		if s := r.fd(max(fd, 0)); err == nil && fd >= 0 && (s.r != nil || s.w != nil) {
			return s, true, nil
		}
		return stream{}, false, &fs.PathError{Op: "open", Path: name, Err: syscall.ENOENT}
	}
	return stream{}, false, nil
}

// openReader opens a file for reading.
func (r *run) openReader(name string) (stream, error) {
	s, ok, err := r.device(name)
	if err != nil || ok {
		if s.r == nil {
			s.r = empty{}
		}
		return s, err
	}
	if err := r.machine(name, "reading"); err != nil {
		return stream{}, err
	}
	f, err := r.shell.FS.Open(name)
	if err != nil {
		return stream{}, err
	}
	return r.hold(f, stream{r: f}), nil
}

// hold notes a file that is open.
func (r *run) hold(f *rootfs.File, s stream) stream {
	s.file = &opened{file: f}
	if r.shell.opened == nil {
		r.shell.opened = map[*opened]bool{}
	}
	r.shell.opened[s.file] = true
	return s
}

// reader opens a file for a program, which reads what is in it now.
func (r *run) reader(name string) (io.Reader, error) {
	s, ok, err := r.device(name)
	if err != nil || ok {
		if s.r == nil {
			s.r = empty{}
		}
		return s.r, err
	}
	if err := r.machine(name, "reading"); err != nil {
		return nil, err
	}
	b, err := r.shell.FS.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return reader(b), nil
}

// machine refuses what belongs to the machine that a script runs on, and so to no
// image.
func (r *run) machine(name, doing string) error {
	if r.shell.FS.Exists(name) || strings.ContainsAny(name, "*?[") { // no file has the name of a pattern that nothing matched
		return nil
	}
	at := path.Clean(name)
	if real, err := r.shell.FS.RealPath(name); err == nil {
		at = real
	}
	for _, dir := range []string{"/proc/", "/sys/", "/dev/"} {
		if strings.HasPrefix(at, dir) && !(dir == "/dev/" && doing == "writing" && r.shell.FS.IsDir(path.Dir(at))) {
			return Unsupported("%s %s, which is the running machine's,", doing, name)
		}
	}
	return nil
}

func (r *run) openWriter(word string, op syntax.RedirOperator, origin string) (stream, error) {
	name := r.path(word)
	s, ok, err := r.device(name)
	if err != nil || ok {
		if s.w == nil {
			s.w = closed{}
		}
		return s, err
	}
	if err := r.machine(name, "writing"); err != nil {
		return stream{}, err
	}
	if n, err := r.shell.FS.Stat(name); err == nil && r.opts.noclobber && op == syntax.RdrOut && n.Type == tree.File {
		return stream{}, &redirectError{"cannot create " + word + ": File exists"}
	}
	r.origin(origin)
	open := r.shell.FS.Create
	if op == syntax.AppOut || op == syntax.AppAll {
		open = r.shell.FS.Append
	}
	f, err := open(name, 0o666&^r.umask)
	if err != nil {
		return stream{}, err
	}
	return r.hold(f, stream{w: f}), nil
}
