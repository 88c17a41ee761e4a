package shell

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/hardpan/hardpan/internal/maint/rootfs"
)

// redirectError is a redirection that failed; the command is not run.
type redirectError struct{ text string }

func (e *redirectError) Error() string { return e.text }

// redirect applies redirections to the file descriptors of r, and returns the files
// that it opened.
func (r *run) redirect(list []*syntax.Redirect) ([]*rootfs.File, error) {
	var opened []*rootfs.File
	for _, rd := range list {
		s, fd, err := r.redirection(rd)
		if err != nil {
			for _, f := range opened {
				_ = f.Close() // the reason is the other error
			}
			return nil, err
		}
		if s.file != nil {
			opened = append(opened, s.file)
		}
		s.file = nil
		r.fds[fd] = s
		if rd.Op == syntax.RdrAll || rd.Op == syntax.AppAll {
			r.fds[2] = s
		}
	}
	return opened, nil
}

func (r *run) redirection(rd *syntax.Redirect) (stream, int, error) {
	fd := 1
	switch rd.Op {
	case syntax.RdrIn, syntax.RdrInOut, syntax.DplIn, syntax.Hdoc, syntax.DashHdoc, syntax.WordHdoc:
		fd = 0
	}
	if rd.N != nil {
		n, err := strconv.Atoi(rd.N.Value)
		if err != nil {
			return stream{}, 0, Unsupported("redirection of {%s}", rd.N.Value)
		}
		fd = n
	}
	switch rd.Op {
	case syntax.Hdoc, syntax.DashHdoc:
		doc := rd.Hdoc
		if rd.Op == syntax.DashHdoc {
			doc = untabbed(doc)
		}
		if isQuoted(rd.Word) {
			return stream{r: strings.NewReader(verbatim(doc))}, fd, nil
		}
		body, err := r.document(doc)
		return stream{r: bytes.NewReader([]byte(body))}, fd, err
	}
	word, err := r.literal(rd.Word)
	if err != nil {
		return stream{}, 0, err
	}
	switch rd.Op {
	case syntax.WordHdoc:
		return stream{r: strings.NewReader(word + "\n")}, fd, nil
	case syntax.DplIn, syntax.DplOut:
		return r.duplicate(word, fd)
	case syntax.RdrIn, syntax.RdrInOut:
		in, err := r.reader(r.path(word))
		return stream{r: in}, fd, r.cannot(word, err)
	}
	s, err := r.openWriter(word, rd.Op == syntax.AppOut || rd.Op == syntax.AppAll)
	return s, fd, r.cannot(word, err)
}

// cannot words the failure to open a file of a redirection.
func (r *run) cannot(name string, err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return &redirectError{fmt.Sprintf("cannot open %s: %s", name, Strerror(pe.Err))}
	}
	return err
}

// duplicate returns what another descriptor refers to.
func (r *run) duplicate(word string, fd int) (stream, int, error) {
	if word == "-" {
		return stream{}, fd, nil
	}
	n, err := strconv.Atoi(strings.TrimSuffix(word, "-"))
	if err != nil {
		return stream{}, fd, &redirectError{"bad file descriptor " + word}
	}
	s, ok := r.fds[n]
	if !ok {
		return stream{}, fd, &redirectError{fmt.Sprintf("%d: Bad file descriptor", n)}
	}
	return s, fd, nil
}

// device returns the stream that a path of /dev stands for.
func (r *run) device(name string) (stream, bool) {
	switch name {
	case "/dev/null":
		return stream{r: bytes.NewReader(nil), w: io.Discard}, true
	case "/dev/stdin":
		return r.fds[0], true
	case "/dev/stdout":
		return r.fds[1], true
	case "/dev/stderr":
		return r.fds[2], true
	case "/dev/tty", "/dev/console":
		return stream{r: bytes.NewReader(nil), w: io.Discard}, true
	}
	if n, ok := strings.CutPrefix(name, "/dev/fd/"); ok {
		if fd, err := strconv.Atoi(n); err == nil {
			s, ok := r.fds[fd]
			return s, ok
		}
	}
	return stream{}, false
}

// reader opens a file for reading.
func (r *run) reader(name string) (io.Reader, error) {
	if s, ok := r.device(name); ok {
		if s.r == nil {
			return bytes.NewReader(nil), nil
		}
		return s.r, nil
	}
	if err := r.machine(name); err != nil {
		return nil, err
	}
	b, err := r.shell.FS.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return bytes.NewReader(b), nil
}

// machine refuses what belongs to the machine that a script runs on, and so to no
// image.
func (r *run) machine(name string) error {
	if r.shell.FS.Exists(name) {
		return nil
	}
	for _, dir := range []string{"/proc/", "/sys/", "/dev/"} {
		if strings.HasPrefix(name, dir) {
			return Unsupported("reading %s, which is the running machine's,", name)
		}
	}
	return nil
}

func (r *run) openWriter(word string, appending bool) (stream, error) {
	name := r.path(word)
	if s, ok := r.device(name); ok {
		if s.w == nil {
			s.w = io.Discard
		}
		return stream{w: s.w}, nil
	}
	if strings.HasPrefix(name, "/proc/") || strings.HasPrefix(name, "/sys/") {
		return stream{}, Unsupported("writing %s, which is the running machine's,", name)
	}
	r.origin([]string{">", word})
	open := r.shell.FS.Create
	if appending {
		open = r.shell.FS.Append
	}
	f, err := open(name, 0o666&^r.umask)
	if err != nil {
		return stream{}, err
	}
	return stream{w: f, file: f}, nil
}
