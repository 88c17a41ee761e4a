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

func (empty) Read([]byte) (int, error)   { return 0, io.EOF }
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

// redirectError is a redirection that failed; the command is not run.
type redirectError struct{ text string }

func (e *redirectError) Error() string { return e.text }

// redirectFailed deals with the error of a redirection. failed says that it is one
// that the script can go on with.
func (r *run) redirectFailed(err error, special bool) (failed bool, _ error) {
	bad, ok := errors.AsType[*redirectError](err)
	if !ok {
		return false, r.placed(nil, err)
	}
	if special && bad.text == "" {
		return false, &jump{kind: jumpExit, fault: true}
	}
	if special {
		return false, r.fault("%s", bad.text)
	}
	if r.status = 2 - oneIf(r.bash); bad.text == "" {
		return true, nil // what was wrong is said already
	}
	if err := r.complain(r.status, "%s", bad.text); err != nil {
		return false, err
	}
	r.failed = place{r.line, bad.text}
	return true, nil
}

// redirected runs a statement's command with its redirections. failed says that one
// of them failed.
func (r *run) redirected(s *syntax.Stmt) (failed bool, err error) {
	if !r.bash {
		if i := slices.IndexFunc(s.Redirs, isAll); i >= 0 {
			return r.ampersand(s, i)
		}
	}
	switch c := s.Cmd.(type) {
	case *syntax.CallExpr:
		return r.simple(c, s.Redirs)
	case nil:
		return r.assignments(nil, s.Redirs)
	}
	if len(s.Redirs) == 0 {
		return false, r.command(s.Cmd)
	}
	saved, err := r.redirect(s.Redirs, compound(s.Cmd))
	defer func() {
		if err2 := r.undo(saved); err == nil {
			err = err2
		}
	}()
	if err != nil {
		return r.redirectFailed(err, false)
	}
	return false, r.command(s.Cmd)
}

// compound is what origins call a command that is not simple.
func compound(cmd syntax.Command) []string {
	switch cmd.(type) {
	case *syntax.Block:
		return []string{"{...}"}
	case *syntax.Subshell:
		return []string{"(...)"}
	case *syntax.IfClause:
		return []string{"if..."}
	case *syntax.WhileClause:
		return []string{"while..."}
	case *syntax.ForClause:
		return []string{"for..."}
	case *syntax.CaseClause:
		return []string{"case..."}
	}
	return nil
}

func isAll(rd *syntax.Redirect) bool { return rd.Op == syntax.RdrAll || rd.Op == syntax.AppAll }

// ampersand runs "command &> file" as dash understands it: the command in the
// background, and then a redirection of nothing.
func (r *run) ampersand(s *syntax.Stmt, i int) (failed bool, err error) {
	before, after := *s, *s.Redirs[i]
	before.Redirs, before.Negated = s.Redirs[:i], false
	if err := r.background(&before); err != nil {
		return false, err
	}
	if after.Op = syntax.RdrOut; s.Redirs[i].Op == syntax.AppAll {
		after.Op = syntax.AppOut
	}
	return r.assignments(nil, append([]*syntax.Redirect{&after}, s.Redirs[i+1:]...))
}

// redirect applies redirections: the names of files are expanded first. What it
// returns is to be undone even where it fails. command is what origins call the
// command that they are for.
func (r *run) redirect(list []*syntax.Redirect, command []string) (saved []replaced, err error) {
	if len(list) == 0 {
		return nil, nil
	}
	words := make([]string, len(list))
	for i, rd := range list {
		if rd.Hdoc != nil || rd.Op == syntax.Hdoc || rd.Op == syntax.DashHdoc {
			continue
		}
		if words[i], err = r.literal(rd.Word); err != nil {
			return nil, err
		}
	}
	for i, rd := range list {
		fd, s, err := r.redirection(rd, words[i], command)
		if err != nil {
			return saved, err
		}
		saved = append(saved, replaced{fd, r.swapFD(fd, s)})
		if isAll(rd) {
			saved = append(saved, replaced{2, r.swapFD(2, s)})
		}
	}
	return saved, nil
}

// hereDocument returns the text of a here-document.
func (r *run) hereDocument(rd *syntax.Redirect) (string, error) {
	if rd.Hdoc == nil {
		return "", nil
	}
	doc := rd.Hdoc
	if rd.Op == syntax.DashHdoc {
		doc = untabbed(doc)
	}
	if quotedWord(rd.Word) {
		s := ""
		for _, p := range doc.Parts {
			if l, ok := p.(*syntax.Lit); ok {
				s += l.Value
			}
		}
		return s, nil
	}
	return r.document(doc)
}

// quotedWord reports whether any part of the word after "<<" is quoted, so that
// nothing in the document is expanded.
func quotedWord(w *syntax.Word) bool {
	for _, p := range w.Parts {
		if l, ok := p.(*syntax.Lit); !ok || strings.Contains(l.Value, `\`) {
			return true
		}
	}
	return false
}

// untabbed returns the body of a here-document without the tabs that begin its
// lines ("<<-").
func untabbed(w *syntax.Word) *syntax.Word {
	c := &syntax.Word{Parts: slices.Clone(w.Parts)}
	begins := true
	for i, p := range c.Parts {
		l, ok := p.(*syntax.Lit)
		if !ok {
			begins = false
			continue
		}
		text := *l
		var b strings.Builder
		for line := range strings.Lines(l.Value) {
			if begins {
				line = strings.TrimLeft(line, "\t")
			}
			b.WriteString(line)
			begins = strings.HasSuffix(line, "\n")
		}
		text.Value = b.String()
		c.Parts[i] = &text
	}
	return c
}

// maxFD is the highest descriptor that a script may use.
const maxFD = 255

// redirection opens what one redirection is for.
func (r *run) redirection(rd *syntax.Redirect, word string, command []string) (int, stream, error) {
	fd := 1
	switch rd.Op {
	case syntax.RdrIn, syntax.RdrInOut, syntax.DplIn, syntax.Hdoc, syntax.DashHdoc, syntax.WordHdoc:
		fd = 0
	}
	if rd.N != nil {
		n, err := strconv.Atoi(rd.N.Value)
		if err != nil || n > maxFD {
			return 0, stream{}, Unsupported("the file descriptor %s", rd.N.Value)
		}
		fd = n
	}
	switch rd.Op {
	case syntax.Hdoc, syntax.DashHdoc:
		text, err := r.hereDocument(rd)
		if j, ok := err.(*jump); ok && j.fault { // as if the document could not be opened
			err = &redirectError{}
		}
		return fd, stream{r: strings.NewReader(text)}, err
	case syntax.WordHdoc:
		if !r.bash {
			return fd, stream{}, Unsupported("<<< in a script for sh")
		}
		return fd, stream{r: strings.NewReader(word + "\n")}, nil
	case syntax.DplIn, syntax.DplOut:
		s, err := r.duplicate(word)
		return fd, s, err
	case syntax.RdrIn:
		s, err := r.openReader(r.path(word))
		return fd, s, r.cannot("open", word, err)
	case syntax.RdrInOut:
		s, ok, err := r.device(r.path(word))
		if err == nil && !ok {
			err = Unsupported("<> %s", word)
		}
		return fd, s, err
	}
	origin := strings.TrimPrefix(text(command)+" > "+text([]string{"", word})[3:], " ")
	s, err := r.openWriter(word, rd.Op, origin)
	return fd, s, r.cannot("create", word, err)
}

// cannot words the failure to open a file of a redirection, as dash does.
func (r *run) cannot(do, name string, err error) error {
	pe, ok := errors.AsType[*fs.PathError](err)
	if !ok {
		return err
	}
	reason := Strerror(pe.Err)
	if errors.Is(pe.Err, syscall.ENOENT) {
		reason = map[string]string{"open": "No such file", "create": "Directory nonexistent"}[do]
	}
	if r.bash {
		return &redirectError{name + ": " + Strerror(pe.Err)}
	}
	return &redirectError{"cannot " + do + " " + name + ": " + reason}
}

// duplicate returns what another descriptor refers to.
func (r *run) duplicate(word string) (stream, error) {
	if word == "-" {
		return stream{}, nil
	}
	n, err := strconv.Atoi(word)
	if err != nil || n < 0 || n > maxFD {
		if r.bash {
			return stream{}, Unsupported(">&%s", word)
		}
		return stream{}, r.fault("Bad fd number")
	}
	s := r.fd(n)
	if s.r == nil && s.w == nil {
		return stream{}, &redirectError{word + ": Bad file descriptor"}
	}
	return s, nil
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
	if r.shell.FS.Exists(name) {
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
