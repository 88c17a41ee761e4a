package text

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/rootfs"
	"github.com/hardpan/hardpan/internal/maint/shell"
	"github.com/hardpan/hardpan/internal/tree"
)

// maxSedSpace bounds the pattern and the hold space together, bytes.
const maxSedSpace = 16 << 20

// sed is GNU sed.
type sed struct {
	p        *shell.Proc
	ctx      context.Context
	commands []*sedCommand

	quiet, separate, inPlace, follow bool
	suffix                           string
	end                              byte // of lines
	wrap                             int  // of l

	files   []string
	name    string   // of the file that is read
	lines   [][]byte // of it
	at      int      // the next of lines
	whole   bool     // the last of lines has its end
	number  int      // of the line in the pattern space
	status  int
	quit    bool
	last    lastRegex
	out     *sedOutput
	outputs map[string]*sedOutput
	readers map[string]*lineReader // of R

	space, hold string
	ended       bool // the line in the pattern space had its end
	changed     bool // by s, since the last line or t
	queue       []queued
}

// queued is what is printed at the end of a cycle.
type queued struct {
	text  string
	line  bool // of R, and so with the end of lines
	ended bool
}

// sedOutput is a file or a stream that sed writes. A line without its end gets it
// only when another follows.
type sedOutput struct {
	w       io.Writer
	missing bool
}

func (o *sedOutput) write(text string, end byte, ended bool) error {
	if o.missing {
		if _, err := o.w.Write([]byte{end}); err != nil {
			return err
		}
	}
	o.missing = !ended
	b := []byte(text)
	if ended {
		b = append(b, end)
	}
	_, err := o.w.Write(b)
	return err
}

func runSed(ctx context.Context, p *shell.Proc) (int, error) {
	s := &sed{p: p, ctx: ctx, end: '\n', wrap: 70, outputs: map[string]*sedOutput{}, readers: map[string]*lineReader{}}
	err := s.arguments()
	if err == nil {
		err = s.run()
	}
	err = errors.Join(limit(err), s.closeOutputs())
	if stop := fatal(err); stop != nil {
		return 1, stop
	}
	if bad, ok := errors.AsType[*sedError](err); ok {
		return p.Errorf("%s", bad.text)
	}
	return s.status, err
}

const sedLong = "quiet=n silent=n expression:=e file:=f in-place::=i regexp-extended=E separate=s null-data=z " +
	"unbuffered=u line-length:=l posix follow-symlinks sandbox binary=b"

// arguments reads the command line and the script.
func (s *sed) arguments() error {
	opts, args, err := options(s.p, "ne:f:i::rEszul:b", sedLong)
	if err != nil {
		return err
	}
	parser := &sedParser{bytes: bytewise(s.p)}
	var scripts []string
	for _, o := range opts {
		if o.name == "e" || o.name == "f" {
			text, err := s.script(o)
			if err != nil {
				return err
			}
			scripts = append(scripts, text)
		} else if err := s.set(o, parser); err != nil {
			return err
		}
	}
	if scripts == nil {
		if len(args) == 0 {
			return shell.Unsupported("sed: a call without a script")
		}
		scripts, args = args[:1], args[1:]
	}
	parser.src = strings.Join(scripts, "\n")
	if rest, ok := strings.CutPrefix(parser.src, "#n"); ok && (rest == "" || rest[0] == '\n') {
		s.quiet = true
	}
	if s.files = args; len(args) == 0 {
		s.files = []string{"-"}
	}
	if err := parser.parse(); err != nil {
		s.status = 1
		return err
	}
	s.commands = parser.commands
	return s.open()
}

// script returns the text of -e or -f.
func (s *sed) script(o option) (string, error) {
	if o.name == "e" {
		return o.value, nil
	}
	b, err := read(s.p, o.value)
	if err != nil && fatal(err) == nil {
		err = &sedError{"couldn't open file " + o.value + ": " + reason(err)}
	}
	return strings.TrimSuffix(string(b), "\n"), err
}

func (s *sed) set(o option, parser *sedParser) (err error) {
	switch o.name {
	case "n":
		s.quiet = true
	case "i":
		s.inPlace, s.separate, s.suffix = true, true, o.value
	case "r", "E":
		parser.extended = true
	case "s":
		s.separate = true
	case "z":
		s.end = 0
	case "l":
		if s.wrap, err = strconv.Atoi(o.value); err != nil {
			return &sedError{"invalid line length"}
		}
	case "follow-symlinks":
		s.follow = true
	case "sandbox":
		parser.sandbox = true
	}
	return nil // the others have no effect here
}

// open makes the files that the script writes.
func (s *sed) open() error {
	for _, c := range s.commands {
		name := ""
		switch {
		case c.name == 'w' || c.name == 'W':
			name = c.text
		case c.subst != nil:
			name = c.subst.file
		}
		if name == "" || s.outputs[name] != nil {
			continue
		}
		switch name {
		case "/dev/stdout":
			s.outputs[name] = s.stdout()
		case "/dev/stderr":
			s.outputs[name] = &sedOutput{w: s.p.Stderr}
		default:
			w, err := create(s.p, name)
			if err != nil {
				if fatal(err) != nil {
					return err
				}
				s.status = 4
				return &sedError{"couldn't open file " + name + ": " + reason(err)}
			}
			s.outputs[name] = &sedOutput{w: w}
		}
	}
	return nil
}

func (s *sed) stdout() *sedOutput {
	if s.out == nil {
		s.out = &sedOutput{w: buffered(s.p)}
	}
	return s.out
}

func (s *sed) closeOutputs() error {
	var errs []error
	for _, o := range s.outputs {
		if f, ok := o.w.(*rootfs.File); ok {
			errs = append(errs, f.Close())
		}
	}
	if s.out != nil {
		if w, ok := s.out.w.(interface{ Flush() error }); ok {
			errs = append(errs, w.Flush())
		}
	}
	return errors.Join(errs...)
}

// run reads all files: with -i each into itself, else all to the standard output.
func (s *sed) run() error {
	if !s.inPlace {
		s.out = s.stdout()
		return s.cycles()
	}
	stdout := s.stdout()
	files := s.files
	for _, name := range files {
		if s.quit {
			break
		}
		content, ok, err := s.editable(name)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		var b bytes.Buffer
		s.files, s.out = []string{name}, &sedOutput{w: &b}
		s.number = 0
		err = s.cycles()
		s.out = stdout
		if err == nil {
			err = s.replace(name, content, b.Bytes())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// editable returns the content of a file that is to be edited in place.
func (s *sed) editable(name string) ([]byte, bool, error) {
	n, err := s.p.FS.Stat(s.p.Path(name))
	if err != nil {
		s.status = 4
		_, err := s.p.Errorf("can't read %s: %s", name, reason(err))
		return nil, false, err
	}
	if n.Type != tree.File {
		s.status = 4
		_, err := s.p.Errorf("couldn't edit %s: not a regular file", name)
		return nil, false, err
	}
	b, err := s.p.FS.ReadFile(s.p.Path(name))
	return b, true, err
}

// replace writes a file that was edited in place. Unless told otherwise, GNU sed
// puts a file where a link to one was.
func (s *sed) replace(name string, was, is []byte) error {
	fs, file := s.p.FS, s.p.Path(name)
	n, err := fs.Stat(file)
	if err != nil {
		return err
	}
	link, err := fs.Lstat(file)
	if err != nil {
		return err
	}
	isLink := link.Type == tree.Symlink && !s.follow
	if s.suffix == "" && !isLink && bytes.Equal(was, is) {
		return nil
	}
	mode, uid, gid := n.Mode, n.UID, n.GID
	if s.suffix != "" {
		if err := fs.Rename(file, backupName(file, s.suffix)); err != nil {
			return err
		}
	} else if isLink {
		if err := fs.Remove(file); err != nil {
			return err
		}
	}
	if err := fs.WriteFile(file, is, mode); err != nil {
		return err
	}
	if s.suffix == "" && !isLink {
		return nil
	}
	if err := fs.Chown(file, uid, gid, true); err != nil {
		return err
	}
	return fs.Chmod(file, mode)
}

// backupName returns the name of a backup: the suffix at the end of the name, or
// around it where it has a star.
func backupName(file, suffix string) string {
	dir, base := file[:strings.LastIndexByte(file, '/')+1], file[strings.LastIndexByte(file, '/')+1:]
	if !strings.Contains(suffix, "*") {
		return file + suffix
	}
	name := strings.ReplaceAll(suffix, "*", base)
	if strings.Contains(name, "/") {
		return name
	}
	return dir + name
}

// create opens a file for writing, as the standard output of a command is.
func create(p *shell.Proc, name string) (io.Writer, error) {
	switch name {
	case "/dev/stdout":
		return p.Stdout, nil
	case "/dev/stderr":
		return p.Stderr, nil
	case "/dev/null", "/dev/tty", "/dev/console":
		return io.Discard, nil
	}
	return p.FS.Create(p.Path(name), 0o666&^p.Umask)
}
