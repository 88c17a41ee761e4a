package shell

import (
	"errors"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"mvdan.cc/sh/v3/syntax"
)

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
func compound(cmd syntax.Command) string {
	switch cmd.(type) {
	case *syntax.Block:
		return "{...}"
	case *syntax.Subshell:
		return "(...)"
	case *syntax.IfClause:
		return "if..."
	case *syntax.WhileClause:
		return "while..."
	case *syntax.ForClause:
		return "for..."
	case *syntax.CaseClause:
		return "case..."
	}
	return ""
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
func (r *run) redirect(list []*syntax.Redirect, command string) (saved []replaced, err error) {
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

// maxFD is the highest descriptor that a script may use.
const maxFD = 255

// redirection opens what one redirection is for.
func (r *run) redirection(rd *syntax.Redirect, word string, command string) (int, stream, error) {
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
	origin := strings.TrimPrefix(command+" > "+strings.ReplaceAll(shown(word), "\n", " "), " ")
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
